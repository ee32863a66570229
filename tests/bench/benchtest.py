# SPDX-License-Identifier: GPL-2.0-or-later
"""What the benchmarks in Python share: how much to measure, and how a figure is printed and judged.

NETD_BENCH_ROUNDS and NETD_BENCH_NETWORKS set how many rounds are measured and how many networks a crowd has;
meson's suite sets both small. A figure is a ratio between two things measured in turn in the same run. Each row
says what is wanted; a run only fails at the bound given as `fail`, which leaves room for a noisy machine.
"""
import os
import statistics
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../netns"), os.path.join(HERE, "../peers")]
import netdtest
from netdtest import nat_xml, sh

ROUNDS = int(os.environ.get("NETD_BENCH_ROUNDS", "12"))
MANY = int(os.environ.get("NETD_BENCH_NETWORKS", "500"))
median = statistics.median


def timed(action):
    """How many milliseconds action() takes."""
    start = time.perf_counter()
    action()
    return (time.perf_counter() - start) * 1000


def percentile(values, p):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * p / 100))]


def note(what, text):
    print("%-58s %s" % (what, text), flush=True)


def crowd_xml(i):
    """The i-th of many networks: NAT with DHCP and DNS, 10.A.B.1/24."""
    return nat_xml("n%d" % i, "vn%d" % i, 0).replace("192.168.0.", "10.%d.%d." % (i // 250, i % 250))


class BenchCase(netdtest.TestCase):
    def figure(self, what, a, b, unit, at_most=None, at_least=None, fail=None):
        """Prints a, b and a / b, and what is wanted of the ratio; fails beyond `fail` (None: never)."""
        ratio = a / b
        wanted = "at most %g" % at_most if at_most is not None else "at least %g" % at_least
        met = ratio <= at_most if at_most is not None else ratio >= at_least
        note(what, "%10.2f %-6s %10.2f %-6s ratio %7.2f  wanted %-14s %s" % (
            a, unit, b, unit, ratio, wanted, "" if met else "MISSED"))
        if fail is None or netdtest.sanitized():	# a sanitizer's run is for its findings
            return
        if at_most is not None:
            self.assertLessEqual(ratio, fail, what)
        else:
            self.assertGreaterEqual(ratio, fail, what)

    def absolute(self, what, value, unit, wanted):
        """Prints a figure that is a time or a size; what it is depends on the machine, so none fails."""
        note(what, "%10.2f %-6s %31s  wanted <= %-11g %s" % (value, unit, "", wanted,
                                                          "" if value <= wanted else "MISSED"))

    def connect(self):
        import libvirt
        if not self.netd.process:
            self.run_on_tmpfs()
            self.netd.verbose = False
            self.netd.start()
        return libvirt.open(self.netd.uri())

    def run_on_tmpfs(self):
        """netd's /run is a tmpfs, as on a host, and as libvirtd's here."""
        run = os.path.join(self.netd.root, "run")
        os.mkdir(run)
        sh("mount", "-t", "tmpfs", "tmpfs", run, "-o", "mode=755")
        self.addCleanup(sh, "umount", "--lazy", run)

    def crowd(self, conn, n=MANY, first=0, autostart=False):
        """Defines and starts n networks; returns how long each start took."""
        times = []
        for i in range(first, first + n):
            net = conn.networkDefineXML(crowd_xml(i))
            times.append(timed(net.create))
            if autostart:
                net.setAutostart(True)
        return times


main = netdtest.main
