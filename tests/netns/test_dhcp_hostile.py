#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Guests that flood the DHCP server with made-up MACs and garbage, and one beside them that wants a lease."""
import os
import re
import subprocess

import netdtest
import servetest

SECONDS = int(os.environ.get("NETD_FLOOD_SECONDS", "5"))


class Hostile(servetest.ServeTestCase):
    def memory_kib(self):
        with open("/proc/%d/status" % self.server_pids()[0]) as f:
            return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1))

    def busy_ms(self):
        """How long the server has had a processor."""
        with open("/proc/%d/stat" % self.server_pids()[0]) as f:
            words = f.read().rsplit(")", 1)[1].split()
        return (int(words[11]) + int(words[12])) * 1000 // os.sysconf("SC_CLK_TCK")

    def probe(self, guest):
        out = guest.run(netdtest.built("tests/netns/dhcp_guest"), "probe", "eth0", SECONDS,
                        timeout=SECONDS + 30).stdout
        return {k: int(v) for k, v in re.findall(r"(\w+) (\d+)", out)}

    def judge(self, kind, seen):
        """Nine of ten replies within 10 ms, or within a few times what the machine lets anything wait just now: beside
        the flood there is a server that has nothing to do but send the guest's frames back."""
        if netdtest.sanitized():
            self.assertGreater(seen["ack_n"], 0, kind)
            return
        bound = max(10000, 4 * seen["echo_p99"])
        for what in ("offer", "ack"):
            self.assertLessEqual(seen[what + "_lost"], 1 + seen[what + "_n"] // 50, kind)
            self.assertLess(seen[what + "_p90"], bound, kind)

    def flooded(self, guest, attacker, kind):
        """What the guest sees while the attacker floods."""
        process = attacker.spawn(netdtest.built("tests/netns/dhcp_guest"), "flood", "eth0",
                                 SECONDS + 2, kind, stdout=subprocess.PIPE, text=True)
        busy = self.busy_ms()
        seen = self.probe(guest)
        seen["busy_ms"] = self.busy_ms() - busy
        seen["sent"] = int(process.communicate(timeout=SECONDS + 30)[0].split()[1])
        return seen

    def test_a_plugged_guest_is_served_beside_a_flood(self):
        self.bridge()
        uuid, _ = self.network("range=192.168.7.10-192.168.7.200")
        guest, attacker, late = self.guest("br7"), self.guest("br7"), self.guest("br7")
        self.harness.send("ports %s %s %s" % (uuid, guest.mac, late.mac))
        echo = netdtest.spawn(netdtest.built("tests/netns/dhcp_guest"), "echo", "br7", 600)
        self.addCleanup(lambda: (echo.kill(), echo.wait()))
        calm = self.probe(guest)
        print("\n%-10s %s" % ("calm", calm))
        before = self.memory_kib()
        for kind in ("discover", "rapid", "request", "release", "garbage", "arp"):
            seen = self.flooded(guest, attacker, kind)
            print("%-10s %s" % (kind, seen), flush=True)
            self.judge(kind, seen)
        # The made-up MACs have had no more than strangers may have, and cost no memory to speak of.
        strangers = [l for l in self.harness.leases(uuid) if l[0].startswith("52:54:00:1")]
        self.assertGreater(len(strangers), 20)
        self.assertLessEqual(len(strangers), 191 * 3 // 4 + 1)
        if not netdtest.sanitized():
            self.assertLess(self.memory_kib() - before, 2048)
        self.assertTrue(late.udhcpc()["ip"].startswith("192.168.7."))
        print({k: v for k, v in self.harness.stats(uuid).items() if v and not k.startswith("dns")})


if __name__ == "__main__":
    netdtest.main()
