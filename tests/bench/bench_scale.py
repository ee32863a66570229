#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Many networks: how long they take to start with netd and to be found by a restarted one, and their memory."""
import os
import re
import shutil

from benchtest import MANY, BenchCase, main, median, note, sh, timed
import netdtest


def pss_kib(pid):
    with open("/proc/%d/smaps_rollup" % pid) as f:
        return int(re.search(r"^Pss:\s+(\d+)", f.read(), re.M).group(1))


def cpu_ms(pid):
    """Processor time of a process so far."""
    with open("/proc/%d/stat" % pid) as f:
        fields = f.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK")


class Scale(BenchCase):
    def n_active(self):
        return len(self.netd.ctl("net-list", "--name").stdout.split())

    def up_ms(self):
        """From the start of netd until all networks are active and it answers."""
        def start():
            self.netd.start(wait=False)
            netdtest.wait_for("netd", self.netd.answers, timeout=120, step=0.002)
            netdtest.wait_for("all networks", lambda: self.n_active() >= MANY, timeout=60, step=0.01)
        return timed(start)

    def pss_all(self):
        daemon = pss_kib(self.netd.process.pid)
        serve = [pss_kib(p) for p in self.netd.serve_pids()]
        note("PSS: netd, one netd-serve (median)", "%d KiB, %d KiB" % (daemon, median(serve)))
        self.absolute("PSS of all processes for each of %d networks" % MANY,
                      (daemon + sum(serve)) / 1024 / MANY, "MiB", 1)

    def test_many_networks(self):
        conn = self.connect()
        self.crowd(conn, autostart=True)
        self.pss_all()
        conn.close()
        self.netd.kill()
        self.absolute("restart with %d running" % MANY, self.up_ms() / 1000, "s", 0.5)
        note("  processor time of netd", "%d ms" % cpu_ms(self.netd.process.pid))
        self.netd.ctl("net-destroy", "--all", timeout=600)
        self.netd.kill()
        shutil.rmtree(self.netd.root + "/run/netd")	# as after a boot: only then netd autostarts
        self.absolute("cold start with %d to autostart" % MANY, self.up_ms() / 1000, "s", 3)
        note("  processor time of netd", "%d ms" % cpu_ms(self.netd.process.pid))
        self.pss_all()


main()
