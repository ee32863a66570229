#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Hundreds of DHCP clients against a server that is killed at random: no address twice, no lease forgotten.

NETD_HISTORY_SECONDS sets how long each test runs (default 20), NETD_HISTORY_SEED what is random in it.
"""
import os
import random
import signal
import subprocess
import time

import netdtest
import servetest

SECONDS = int(os.environ.get("NETD_HISTORY_SECONDS", "20"))
SEED = int(os.environ.get("NETD_HISTORY_SEED", str(time.time_ns() % 1000000)))


def history(guest, first, last, clients):
    return guest.spawn(netdtest.built("tests/netns/dhcp_history"), "eth0", SECONDS, first, last,
                       clients, SEED, stdout=subprocess.PIPE, text=True)


class Killed(servetest.ServeTestCase):
    """netd-serve alone, with leases so short that they end all the time."""

    def setUp(self):
        super().setUp()
        random.seed(SEED)
        print("seed %d" % SEED)

    def finish(self, process, kills):
        out = process.communicate(timeout=SECONDS + 60)[0]
        print("%d kills\n%s" % (kills, out), flush=True)
        self.assertEqual(process.returncode, 0, out)

    def run_and_kill(self, lease, last, clients):
        self.bridge()
        uuid, _ = self.network("lease=%d range=192.168.7.10-%s" % (lease, last))
        process, kills = history(self.guest("br7"), "192.168.7.10", last, clients), 0
        end = time.monotonic() + SECONDS - 1
        while time.monotonic() < end and process.poll() is None:
            time.sleep(random.uniform(0.1, 1.5))
            for pid in self.server_pids():
                os.kill(pid, signal.SIGKILL)
                kills += 1
        self.finish(process, kills)

    def test_short_leases_in_a_pool_for_all(self):
        self.run_and_kill(4, "192.168.7.250", 150)

    def test_a_removed_ports_lease_is_freed(self):
        """The only address there is goes from a plugged guest to another when it is unplugged, whatever is killed."""
        self.bridge()
        uuid, _ = self.network("lease=3600 range=192.168.7.10-192.168.7.10")
        guest, other = self.guest("br7"), self.guest("br7")
        for _ in range(4):
            self.harness.send("ports %s %s" % (uuid, guest.mac))
            self.assertEqual(guest.udhcpc()["ip"], "192.168.7.10")
            with self.assertRaises(AssertionError):
                other.udhcpc("-t", "2")
            self.harness.send("ports %s" % uuid)
            if random.random() < 0.7:
                os.kill(self.server_pids()[0], signal.SIGKILL)
            guest, other = other, guest
            netdtest.wait_for("the address for another guest", lambda: self.gets(guest, "192.168.7.10"), 10)
            self.harness.send("ports %s %s" % (uuid, guest.mac))

    def gets(self, guest, address):
        try:
            return guest.udhcpc("-t", "2")["ip"] == address
        except AssertionError:
            return False

    def test_exhausted_pool(self):
        self.run_and_kill(3, "192.168.7.60", 500)


class DaemonKilled(netdtest.TestCase):
    """netd as well: who supervises the servers dies and comes back."""

    def test_netd_and_its_servers_are_killed(self):
        random.seed(SEED)
        print("seed %d" % SEED)
        self.netd.start()
        self.netd.define(netdtest.nat_xml(net=7, dhcp="<dhcp><range start='192.168.7.10' end='192.168.7.250'>"
                                          "<lease expiry='2'/></range></dhcp>"))
        process, kills = history(self.guest("virbr0"), "192.168.7.10", "192.168.7.250", 150), 0
        end = time.monotonic() + SECONDS - 2
        while time.monotonic() < end and process.poll() is None:
            time.sleep(random.uniform(0.2, 2))
            what = random.choice(("netd", "serve", "both"))
            kills += 1
            if what != "netd":
                for pid in self.netd.serve_pids():
                    os.kill(pid, signal.SIGKILL)
            if what != "serve":
                self.netd.restart(signal.SIGKILL)
        # The leases last two minutes, the wait for their end is for a long run only.
        if SECONDS < 300:
            time.sleep(3)
            process.terminate()
            out = process.communicate()[0]
            self.assertNotIn("CONTRADICTION", out)
            self.assertEqual(process.returncode, -signal.SIGTERM, out)
        else:
            out = process.communicate(timeout=SECONDS + 300)[0]
            self.assertEqual(process.returncode, 0, out)
        print("%d kills\n%s" % (kills, out), flush=True)
        self.assertIn("acks", out)


if __name__ == "__main__":
    netdtest.main()
