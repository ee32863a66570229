#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest that means harm, under netd, in the lab (tests/lab/suite: guest-evil; NETD_EVIL_SECONDS, NETD_EVIL_SEED).

Its driver (evil_driver.c) does anything to its devices: NICs moved by netd-vmm and by vhost-net, with one
and two pairs of queues, a disk, the hot-plug's ports; the host floods it meanwhile, and NICs come and go. It may end
itself, but not netd-vmm by a crash, and no frame of it comes to another network.
"""
import os
import re
import socket
import struct
import threading
import time

import labtest
from labtest import netdtest, nic
from netdtest import sh, wait_for

SECONDS = int(os.environ.get("NETD_EVIL_SECONDS", "12"))
SEED = int(os.environ.get("NETD_EVIL_SEED") or int.from_bytes(os.urandom(4), "big"))
MARK = b"EVILEVIL"
# who moves the frames, pairs of queues, what else
KINDS = ("qemu", 1, ""), ("vhost", 1, ""), ("qemu", 2, "rss='on' rss_hash_report='on'"), ("vhost", 2, "")
NETWORKS = {"evil": 120, "victim": 121}


class Listener(threading.Thread):
    """Keeps the frames of the evil one that pass an interface."""

    def __init__(self, interface):
        super().__init__(daemon=True)
        self.marked = []
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self.socket.bind((interface, 3))
        self.start()

    def run(self):
        while True:		# until it is closed, or the interface goes
            try:
                frame = self.socket.recv(70000)
                if MARK in frame:
                    self.marked.append(frame[:80].hex())
            except OSError:
                return


class Flood(threading.Thread):
    """Frames of all lengths for everybody on a bridge, as fast as this takes them, until told to end."""

    def __init__(self, bridge):
        super().__init__(daemon=True)
        self.ends = False
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        self.socket.bind((bridge, 0x88b6))
        self.start()

    def end(self):
        self.ends = True
        self.join()

    def run(self):
        while not self.ends:
            for n in (60, 61, 200, 1000, 1514, 64):
                self.socket.send(b"\xff" * 6 + bytes((2, 0, 0, 0, 0, 9, 0x88, 0xb6)) + bytes(n - 14))
            time.sleep(0.005)


class Evil(labtest.GuestCase):
    def setUp(self):
        super().setUp()
        for name, n in NETWORKS.items():
            self.netd.define("""<network><name>%s</name><forward mode='nat'/><bridge name='br%s' stp='off'/>
                <ip address='192.168.%d.1' netmask='255.255.255.0'><dhcp><range start='192.168.%d.10' end='192.168.%d.99'/></dhcp></ip>
                </network>""" % (name, name, n, n, n))
        disk = os.path.join(self.netd.root, "disk")
        with open(disk, "wb") as f:
            f.truncate(1 << 20)
        self.define("evil", [nic("network", "network='evil'", driver, n, queues, more) for n, (driver, queues, more) in enumerate(KINDS)] +
                    ["<disk type='file'><source file='%s'/><target dev='vda'/></disk>" % disk], cpus=2)
        self.define("victim", [nic("network", "network='victim'", "vhost", 9)])

    def lease(self, guest):
        return self.told(guest, "ip link set eth0 up; udhcpc -i eth0 -q -n -t 10 -T 1 -s /bin/udhcpc-script", r"= lease: ([\d.]+)/")[1]

    def driver(self, seconds):
        with open("/sys/class/net/brevil/address") as f:
            return "evil_driver %d %d %s %s" % (seconds, SEED, f.read().strip(), self.victim_address)

    def pings(self, what):
        self.assertEqual(sh("ping", "-q", "-c", 3, "-i", "0.2", "-W", 10, self.victim_address, check=False).returncode, 0, what)

    def hotplug(self):
        """NICs come and go; the guest lets go of them when it likes."""
        for n in (0x21, 0x22):
            mac = "52:54:00:00:01:%02x" % n
            self.netd.ctl("attach-interface", "evil", "network", "evil", "--mac", mac, check=False)
            time.sleep(1)
            self.netd.ctl("detach-interface", "evil", "network", "--mac", mac, check=False)

    def alive(self):
        """The evil guest runs, or ended in an orderly way: then it is started anew."""
        self.assertNotIn("its process", self.netd.log())
        if "running" not in self.netd.ctl("domstate", "evil").stdout:
            print("the evil guest ended itself: " + self.netd.ctl("domstate", "evil", "--reason").stdout.strip(), flush=True)
            return False
        self.assertIn("rx.", self.netd.ctl("domstats", "evil").stdout)	# its process answers
        return True

    def rampage(self, evil):
        """The driver has its time; every NIC must have worked for it. False: the guest came to no end of it."""
        evil.type("sh %s\n" % self.driver(SECONDS))
        evil.expect("evil_driver: seed", 30)
        self.pings("meanwhile")
        try:
            found = evil.expect_match(r"(?s)^(.*)= evil_driver: (\d+) rounds done", 4 * SECONDS + 15)
        except AssertionError:
            print("seed %d: the evil guest lost itself: %s" % (SEED, evil.text[-2000:]), flush=True)
            return False
        print("seed %d:%s" % (SEED, found[0]), flush=True)
        gave_back = re.findall(r"slot \d+ gave back (\d+) rx, (\d+) tx, (\d+) commands", found[1])
        self.assertEqual(len(gave_back), len(KINDS))
        self.assertGreater(min(int(n) for nic in gave_back for n in nic), 10)
        return True

    def no_frame_elsewhere(self, listeners):
        self.assertGreater(len(listeners["brevil"].marked), 10)
        self.assertEqual({name: l.marked for name, l in listeners.items() if name != "brevil"},
                         {name: [] for name in listeners if name != "brevil"})
        there = sh("ip", "neigh", "show", self.victim_address).stdout
        self.assertRegex(there, "dev brvictim lladdr 52:54:00:00:01:09")
        self.assertNotIn("brevil", there)
        learnt = re.findall("^(\\S+) .*master brvictim(?! permanent)", sh("bridge", "fdb", "show", "br", "brvictim").stdout, re.M)
        self.assertLessEqual({mac for mac in learnt if mac.startswith("52:54")}, {"52:54:00:00:01:09"})

    def kernel_is_well(self):
        self.assertNotRegex(sh("dmesg").stdout, "BUG:|Oops|WARNING: CPU|general protection")

    def reset_amid(self, evil):
        """NICs come and go, and then the whole machine begins anew, while its devices are busy."""
        evil.type("sh %s\n" % self.driver(SECONDS))
        evil.expect("evil_driver: seed", 30)
        self.hotplug()		# a kernel that waits for what its driver has thrown out may wait for good
        if self.alive():
            self.netd.ctl("reset", "evil")
            evil.expect("= ready", 120)
            self.lease(evil)

    def test_no_harm_to_others(self):
        victim = self.boot("victim")
        self.victim_address = self.lease(victim)
        self.pings("before")
        port = self.netd.ctl("domiflist", "victim").stdout.split("\n")[2].split()[0]
        evil = self.boot("evil")
        servers = self.netd.serve_pids()
        listeners = {name: Listener(name) for name in ("brevil", "brvictim", port)}
        flood = Flood("brevil")
        for thread in (flood, *listeners.values()):
            self.addCleanup(thread.socket.close)
        self.addCleanup(flood.end)
        done = self.rampage(evil)
        if not self.alive() or not done:
            self.netd.ctl("destroy", "evil", check=False)
            evil.end()
            evil = self.boot("evil")
        self.reset_amid(evil)
        flood.end()
        self.pings("afterwards")
        self.told(victim, "ping -c 1 -W 10 192.168.121.1 >/dev/null && echo well", "= well")
        self.no_frame_elsewhere(listeners)
        self.assertEqual(servers, self.netd.serve_pids())
        self.netd.ctl("destroy", "evil", check=False)
        self.netd.ctl("destroy", "victim")
        wait_for("the guests to go", lambda: not sh("pgrep", "-x", "netd-vmm", check=False).stdout)
        self.nothing_is_left()
        self.kernel_is_well()


netdtest.main()
