#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Servers die, hang, outlive netd and are found again; and what they cost."""
import contextlib
import os
import re
import signal
import socket
import statistics
import struct
import time
import uuid

import netdtest
import servetest
from netdtest import sh, wait_for


MAGIC, HELLO, QUIT = 0x6e647376, 1, 2


def pss_kib(pid):
    with open("/proc/%d/smaps_rollup" % pid) as f:
        return int(re.search(r"^Pss:\s+(\d+)", f.read(), re.M).group(1))


class Life(servetest.ServeTestCase):
    def test_a_killed_server_is_back_within_100_ms(self):
        self.bridge()
        uuid, _ = self.network("domain=lab host=one,192.168.7.77")
        g = self.guest("br7")
        ip = g.udhcpc("-x", "hostname:box")["ip"]
        for _ in range(3):
            killed = time.monotonic()
            os.kill(self.server_pids()[0], signal.SIGKILL)
            back = self.harness.event("restarted", after=killed)
            self.assertLess(back - killed, 0.1)
            self.assertEqual(g.dig("@192.168.7.1", "box.lab"), [ip])
            time.sleep(0.1)
        self.assertEqual(self.harness.leases(uuid)[0][1], ip)
        self.assertEqual(g.udhcpc("-x", "hostname:box")["ip"], ip)

    def test_a_crash_loop_is_slowed_but_not_given_up(self):
        self.bridge()
        self.network()
        began = time.monotonic()
        for _ in range(8):
            killed = time.monotonic()
            wait_for("a server", self.server_pids, 3)
            os.kill(self.server_pids()[0], signal.SIGKILL)
            self.harness.event("restarted", after=killed)
        took = time.monotonic() - began
        self.assertGreater(took, 1.5)
        self.assertLess(took, 8)
        self.guest("br7").udhcpc()

    def test_a_hanging_server_is_replaced(self):
        self.bridge()
        self.network()
        os.kill(self.server_pids()[0], signal.SIGSTOP)
        self.harness.event("restarted", timeout=15)
        self.guest("br7").udhcpc()

    def test_idle_servers_are_seldom_woken(self):
        """Many of them are looked at in turn, one every 100 ms or less often, and once they answered not sooner."""
        for n in range(1, 100):
            self.bridge("br%d" % (6 + n), "192.168.%d.1/24" % (6 + n))
            self.network(number=n)
        time.sleep(3)		# the first looks come sooner: there were few then
        pids = self.server_pids()
        self.assertEqual(len(pids), 99)

        def woken():
            total = 0
            for pid in pids:
                with open("/proc/%d/status" % pid) as f:
                    total += int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", f.read(), re.M).group(1))
            return total
        before = woken()
        time.sleep(15)
        looks = woken() - before
        print("%d servers were woken %d times in 15 s" % (len(pids), looks))
        self.assertGreater(looks, 99)	# each once and more
        self.assertLess(looks, 320)

    def test_servers_outlive_netd_and_are_adopted(self):
        self.bridge()
        uuid, _ = self.network("domain=lab")
        g = self.guest("br7")
        ip = g.udhcpc("-x", "hostname:box")["ip"]
        pids = self.server_pids()
        self.harness.kill()
        self.assertEqual(g.dig("@192.168.7.1", "box.lab"), [ip])
        other = self.guest("br7")
        other_ip = other.udhcpc("-x", "hostname:late")["ip"]	# while there is no netd
        self.assertEqual(self.server_pids(), pids)
        self.harness.start()
        _, ms = self.network("domain=lab")
        print("adopted in %.3f ms" % ms)
        self.assertEqual(self.server_pids(), pids)
        self.assertEqual(sorted(l[1] for l in self.harness.leases(uuid)), sorted([ip, other_ip]))
        self.network("domain=lab host=one,192.168.7.77", verb="update")
        self.assertEqual(self.server_pids(), pids)
        self.assertEqual(g.dig("@192.168.7.1", "one"), ["192.168.7.77"])
        killed = time.monotonic()
        os.kill(pids[0], signal.SIGKILL)	# an adopted one is watched as well
        self.harness.event("restarted", after=killed)
        self.assertEqual(g.dig("@192.168.7.1", "box.lab"), [ip])

    def test_names_are_served_by_tcp_and_upstream_while_there_is_no_netd(self):
        """The channel's descriptor number must not pass to a socket that may do other things."""
        self.bridge()
        uuid, _ = self.network("host=one,192.168.7.77 upstream=192.168.7.66@53")
        g = self.guest("br7")
        g.udhcpc()
        other = self.guest("br7")
        other.address("192.168.7.66/24")
        pids = self.server_pids()
        self.harness.kill()
        for _ in range(3):
            self.assertEqual(g.dig("+tcp", "@192.168.7.1", "one"), ["192.168.7.77"])
            g.dig("@192.168.7.1", "www.example", check=False)	# nobody answers it
            g.dig("+tcp", "@192.168.7.1", "two.example", check=False)
        self.assertEqual(self.server_pids(), pids)

    def test_a_changed_configuration_reaches_an_adopted_server(self):
        self.bridge()
        self.network("host=one,192.168.7.77")
        g = self.guest("br7")
        g.udhcpc()
        pids = self.server_pids()
        self.harness.kill()
        self.harness.start()
        self.network("host=two,192.168.7.78")
        self.assertEqual(self.server_pids(), pids)
        self.assertEqual(g.dig("@192.168.7.1", "two"), ["192.168.7.78"])

    def test_a_server_whose_bridge_was_made_anew_is_replaced(self):
        self.bridge()
        self.network()
        pids = self.server_pids()
        self.harness.kill()
        sh("ip", "link", "del", "br7")
        self.bridge()
        self.harness.start()
        self.network()
        wait_for("another process", lambda: self.server_pids() and
                 not set(pids) & set(self.server_pids()))
        self.guest("br7").udhcpc()

    def impostor(self, uid, version):
        """Something that listens in a server's place; a pipe tells what it was told."""
        told, tell = os.pipe()
        path = "%s/run/%s.sock" % (self.netd.root, servetest.UUID % 1)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        listener.bind(path)
        pid = os.fork()
        if pid == 0:
            try:
                if uid:
                    os.setuid(uid)
                listener.listen()
                os.write(tell, b"\0\0")
                peer, _ = listener.accept()
                hello = struct.pack(">H5s16sQQ", 5, b"9.9.9", uuid.UUID(servetest.UUID % 1).bytes, 0, 0)
                peer.send(struct.pack(">IHHIIII", MAGIC, version, HELLO, 0, len(hello), 0, 0) + hello)
                os.write(tell, peer.recv(65536)[6:8] or b"hu")
            finally:
                os._exit(0)
        listener.close()
        os.close(tell)
        os.read(told, 2)	# listens
        return pid, told

    def prepare_impostor(self):
        self.bridge()
        self.network()
        self.harness.send("stop " + servetest.UUID % 1)
        self.harness.kill()

    def test_a_server_of_another_build_is_told_to_go_and_replaced(self):
        self.prepare_impostor()
        pid, told = self.impostor(900000, 77)
        self.harness.start()
        self.network()
        self.assertEqual(os.read(told, 2), struct.pack(">H", QUIT))
        os.waitpid(pid, 0)
        self.guest("br7").udhcpc()

    def test_an_impostor_is_not_adopted(self):
        self.prepare_impostor()
        pid, told = self.impostor(0, 1)
        self.harness.start()
        self.network()
        self.assertIn(os.read(told, 2), (b"hu", b""))	# hung up, nothing said
        os.waitpid(pid, 0)
        self.guest("br7").udhcpc()

    def test_strays_are_ended(self):
        self.bridge()
        self.network()
        self.harness.kill()
        self.harness.start()
        self.harness.send("strays")
        wait_for("no server", lambda: not self.server_pids())
        wait_for("no socket", lambda: not os.listdir(self.netd.root + "/run"))

    def test_spares_end_with_netd(self):
        wait_for("spares", lambda: len(self.netd.serve_pids()) == 2)
        self.harness.kill()
        wait_for("no spares", lambda: not self.netd.serve_pids())

    def test_a_server_has_no_rights(self):
        self.bridge()
        self.network()
        pid = self.server_pids()[0]
        with open("/proc/%d/status" % pid) as f:
            status = dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)
        for cap in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            self.assertEqual(int(status[cap], 16), 0, cap)
        self.assertEqual(status["NoNewPrivs"], "1")
        self.assertEqual(status["Seccomp"], "2")
        self.assertEqual(status["Groups"].strip(), "")
        self.assertEqual(len(set(status["Uid"].split())), 1)
        self.assertEqual(os.readlink("/proc/%d/root" % pid),
                         "%s/leases/%s" % (self.netd.root, servetest.UUID % 1))
        for task in os.listdir("/proc/%d/task" % pid):
            with open("/proc/%d/task/%s/status" % (pid, task)) as f:
                self.assertIn("Seccomp:\t2", f.read())
        fds = []
        for fd in os.listdir("/proc/%d/fd" % pid):
            with contextlib.suppress(FileNotFoundError):	# closed meanwhile
                fds.append(os.readlink("/proc/%d/fd/%s" % (pid, fd)))
        own = os.readlink("/proc/%d/root" % pid)
        self.assertFalse([f for f in fds if f.startswith("/") and not f.startswith(own) and
                          f != "/dev/null" and not f.endswith("/log")])

    def test_a_hundred_cycles_leave_nothing_behind(self):
        self.bridge()
        pid = self.harness.process.pid

        def used():
            time.sleep(0.5)
            wait_for("quiet", lambda: len(self.netd.serve_pids()) == 2)
            with open("/proc/%d/statm" % pid) as f:
                pages = int(f.read().split()[1])
            return len(os.listdir("/proc/%d/fd" % pid)), pages

        for cycle in range(110):
            if cycle == 10:
                before = used()
            uid, _ = self.network("host=one,192.168.7.77")
            if cycle % 10 == 5:
                wait_for("one server", lambda: len(self.server_pids()) == 1)	# others are ending
                killed = time.monotonic()
                os.kill(self.server_pids()[0], signal.SIGKILL)
                self.harness.event("restarted", after=killed)
            self.harness.send("stop " + uid)
        after = used()
        self.assertEqual(after[0], before[0])
        if not netdtest.sanitized():
            self.assertLess(after[1] - before[1], 64)
        children = sh("ps", "-o", "stat=", "--ppid", pid).stdout.split()
        self.assertFalse([c for c in children if c.startswith("Z")])

    def test_what_starting_costs(self):
        times = []
        for n in range(1, 21):
            self.bridge("br%d" % (6 + n), "192.168.%d.1/24" % (6 + n))
            self.harness.send("remove " + servetest.UUID % n)
        for n in range(1, 21):
            # the database as define makes it
            uuid = servetest.UUID % n
            with self.assertRaises(AssertionError):
                self.harness.send("start %s nobridge 192.168.%d.1/24" % (uuid, 6 + n))
            time.sleep(0.05)
            times.append(self.network(number=n)[1])
        print("start: median %.2f ms, worst %.2f ms" % (statistics.median(times), max(times)))
        time.sleep(0.5)
        pids = self.server_pids()
        self.assertEqual(len(pids), 20)
        pss = [pss_kib(pid) for pid in pids]
        print("memory of a server among 20: %d KiB PSS" % statistics.median(pss))
        if not netdtest.sanitized():
            self.assertLess(statistics.median(pss), 600)
        stops = [float(self.harness.send("stop " + servetest.UUID % n)[1]) for n in range(1, 21)]
        print("stop: median %.2f ms" % statistics.median(stops))
        wait_for("no server", lambda: not self.server_pids())


netdtest.main()
