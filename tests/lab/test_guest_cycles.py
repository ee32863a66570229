#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Guests that come and go, and NICs that come and go under traffic, leave nothing behind in netd (tests/lab/suite: guest-cycles).

NETD_CYCLES is another number of starts; tiny_guest.S is the guest of most of them.
"""
import hashlib
import os
import re
import socket
import threading
import time

import labtest
from labtest import netdtest, nic
from netdtest import built, nat_xml, sh, wait_for

CYCLES = int(os.environ.get("NETD_CYCLES", "50"))
WARM = CYCLES // 5
GROWTH_KIB = 256
SECOND = "52:54:00:00:01:77"


class Cycles(labtest.GuestCase):
    def setUp(self):
        super().setUp()
        self.netd.define(nat_xml())
        self.ctl = self.netd.ctl

    def memory_kib(self):
        with open("/proc/%d/status" % self.netd.process.pid) as f:
            return int(re.search(r"^RssAnon:\s+(\d+)", f.read(), re.M)[1])

    def descriptors(self):
        folder = "/proc/%d/fd/" % self.netd.process.pid
        found = []
        for fd in os.listdir(folder):
            with netdtest.contextlib.suppress(OSError):
                found.append(re.sub(r"\d+", "N", os.readlink(folder + fd)))
        return sorted(found)

    def traces(self):
        """All but memory that a guest could leave: descriptors, links, ports, processes, files."""
        files = [os.path.join(top, name) for top, _, names in os.walk(self.netd.root) for name in names]
        return {"descriptors": self.descriptors(),
                "links": sh("ip", "-br", "link").stdout,
                "ports": self.ctl("net-port-list", "default", "--json").stdout,
                "guests": self.ctl("list", "--all", "--name").stdout,
                "processes": len(self.netd.serve_pids()),
                "rules": re.sub(r"counter packets \d+ bytes \d+", "", sh("nft", "list", "ruleset").stdout),
                "files": sorted(f for f in files if not re.search(r"\.log|-journal|-wal|-shm", f))}

    def quiet(self):
        """The traces, once what is on its way out has gone."""
        wait_for("guests to go", lambda: not sh("pgrep", "-x", "netd-vmm", check=False).stdout)
        time.sleep(2)
        return self.traces()

    def test_guests_that_come_and_go(self):
        self.define("tiny", [nic("network", "network='default'", driver, n, n + 1) for n, driver in enumerate(("qemu", "vhost"))],
                    memory=32, kernel=built("lab/guest-run/tiny_guest"))
        began = time.monotonic()
        for n in range(1, CYCLES + 1):
            guest = self.terminal("start", "tiny", "--console")
            guest.expect("= tiny", 60)
            if n % 10 == 1:
                self.assertEqual(sh("ip", "-br", "link").stdout.count("vnet"), 2)
            self.ctl("destroy", "tiny")
            guest.end(30)
            if n == WARM:
                traces, memory = self.quiet(), self.memory_kib()
        after, now = self.quiet(), self.memory_kib()
        print("%d starts and ends in %.1f s; netd's memory after %d: %d KiB, after %d: %d KiB"
              % (CYCLES, time.monotonic() - began, WARM, memory, CYCLES, now), flush=True)
        for what in traces:
            self.assertEqual(traces[what], after[what], what)
        if not netdtest.sanitized():
            self.assertLess(now - memory, GROWTH_KIB)
        self.nothing_is_left()

    def stream(self, address, result):
        """Sends what it says in result to the guest, until told to end."""
        digest, block = hashlib.md5(), os.urandom(1 << 14)
        with socket.create_connection((address, 5000), timeout=60) as s:
            while not result.get("end"):
                s.sendall(block)
                digest.update(block)
                result["sent"] = result.get("sent", 0) + len(block)
                time.sleep(0.02)
            s.shutdown(socket.SHUT_WR)
            s.recv(1)
        result["md5"] = digest.hexdigest()

    def flows(self, result, what):
        sent = result.get("sent", 0)
        wait_for("the stream to go on " + what, lambda: result.get("sent", 0) > sent + (1 << 16), timeout=60)

    def come_and_go(self, guest, driver, result):
        """The link of the first NIC goes and comes; a second NIC comes, talks, and goes."""
        self.ctl("domif-setlink", "one", self.port, "down")
        time.sleep(0.5)
        self.ctl("domif-setlink", "one", self.port, "up")
        self.flows(result, "after a link that was down")
        path = os.path.join(self.netd.root, "nic.xml")
        with open(path, "w") as f:
            f.write(nic("network", "network='default'", driver, 0x77))
        self.ctl("attach-device", "one", path)
        self.told(guest, "while ! grep -qs %s /sys/class/net/eth1/address; do sleep 0.2; done; echo there" % SECOND, "= there")
        self.flows(result, "beside a new NIC")
        self.ctl("detach-device", "one", path)
        wait_for("the second NIC to go", lambda: SECOND not in self.ctl("domiflist", "one").stdout, timeout=60)
        self.flows(result, "after a NIC that went")

    def test_links_and_nics_under_traffic(self):
        before = self.descriptors()
        for driver in ("qemu", "vhost"):
            self.define("one", [nic("network", "network='default'", driver, 1)])
            guest = self.boot("one")
            address = self.told(guest, "ip link set eth0 up; udhcpc -i eth0 -q -n -t 10 -T 1 -s /bin/udhcpc-script", r"= lease: ([\d.]+)/")[1]
            self.port = self.ctl("domiflist", "one").stdout.split("\n")[2].split()[0]
            self.told(guest, "nc -l -p 5000 </dev/null >/tmp/in 2>&1 & sleep 1; echo listens", "= listens")
            result = {}
            thread = threading.Thread(target=self.stream, args=(address, result), daemon=True)
            thread.start()
            self.flows(result, "at first")
            started = self.descriptors()
            for _ in range(2):
                self.come_and_go(guest, driver, result)
            self.assertEqual(started, self.descriptors())
            result["end"] = True
            thread.join(60)
            self.told(guest, "md5sum </tmp/in", "= " + result["md5"])
            self.ctl("destroy", "one")
            guest.end()
            self.ctl("undefine", "one")
        self.nothing_is_left()
        wait_for("descriptors to go", lambda: self.descriptors() == before)


netdtest.main()
