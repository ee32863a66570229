#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""net-start and net-destroy as a client sees them, netd and libvirtd in turn, beside the kernel's own cost.

Both daemons are driven by the same client library in this process; the figures are medians of interleaved rounds.
Only ratios are judged. NETD_BENCH_ROUNDS sets how many rounds (default 12).
"""
import os
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../netns"), os.path.join(HERE, "../peers")]
import netdtest
from libvirtd import Libvirtd
from netdtest import nat_xml, sh

ROUNDS = int(os.environ.get("NETD_BENCH_ROUNDS", "12"))
MANY = int(os.environ.get("NETD_BENCH_NETWORKS", "500"))


def timed(action):
    start = time.perf_counter()
    action()
    return (time.perf_counter() - start) * 1000


def link_del_ms():
    """What the kernel takes to delete one bridge that is up and has an address."""
    sh("ip", "link", "add", "benchbr", "type", "bridge")
    sh("ip", "addr", "add", "172.30.0.1/24", "dev", "benchbr")
    sh("ip", "link", "set", "benchbr", "up")
    return timed(lambda: subprocess.run(["ip", "link", "del", "benchbr"], check=True))


def median(values):
    return statistics.median(values)


def row(what, ours, theirs, bound, of):
    print("%-44s %9.2f ms %9.2f ms   ratio %7.2f  (wanted %s %s)" % (
        what, ours, theirs, ours / theirs if of == "<=" else theirs / ours, of, bound))


class Lifecycle(netdtest.TestCase):
    def connect(self):
        import libvirt
        self.netd.start()
        ours = libvirt.open(self.netd.uri())
        self.peer = Libvirtd()
        theirs = libvirt.open("qemu:///system?socket=" + self.peer.socket)
        return ours, theirs

    def test_start_and_destroy_against_libvirt(self):
        ours, theirs = self.connect()
        nets = [c.networkDefineXML(nat_xml("bench", "vbench0", 77)) for c in (ours, theirs)]
        start, stop, kernel = ([], []), ([], []), []
        for _ in range(ROUNDS):
            for i, net in enumerate(nets):
                start[i].append(timed(net.create))
                stop[i].append(timed(net.destroy))
            kernel.append(link_del_ms())
        row("net-start: netd, libvirt", median(start[0]), median(start[1]), 30, ">=")
        row("net-destroy: netd, libvirt", median(stop[0]), median(stop[1]), 1, ">=")
        row("net-destroy: netd, ip link del", median(stop[0]), median(kernel), 0.8, "<=")
        self.peer.stop()
        self.assertGreaterEqual(median(start[1]) / median(start[0]), 30)
        self.assertLessEqual(median(stop[0]) / median(kernel), 0.8)

    def test_start_with_many_running(self):
        import libvirt
        self.netd.start()
        c = libvirt.open(self.netd.uri())
        one = c.networkDefineXML(nat_xml("bench", "vbench0", 0).replace("192.168.0.", "10.255.0."))

        def rounds():
            times = []
            for _ in range(ROUNDS):
                times.append(timed(one.create))
                one.destroy()
            return median(times)
        alone = rounds()
        for i in range(MANY):
            xml = nat_xml("n%d" % i, "vn%d" % i, 0).replace("192.168.0.", "10.%d.%d." % (i // 250, i % 250))
            c.networkDefineXML(xml).create()
        crowded = rounds()
        row("net-start: with %d running, alone" % MANY, crowded, alone, 2, "<=")
        took = timed(lambda: sh(netdtest.built("netd/ctl/netdctl"), "-c", self.netd.uri(), "net-destroy", "--all",
                                timeout=600))
        print("net-destroy --all of %d: %.0f ms" % (MANY, took))
        self.assertLessEqual(crowded / alone, 2)


netdtest.main()
