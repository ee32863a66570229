#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A thousand starts and stops: netd's memory and descriptors stay what they were.

NETD_CYCLES is another number of them."""
import os
import re
import time

import netdtest
from netdtest import nat_xml, wait_for

CYCLES = int(os.environ.get("NETD_CYCLES", "1000"))
WARM = CYCLES // 5	# the allocator and the caches are as large as they get
GROWTH_KIB = 1024
SPARES = 2		# netd-serve processes that wait for a network, as netd.conf has it


class Cycles(netdtest.TestCase):
    def weigh(self):
        """Anonymous resident memory in KiB, open descriptors, threads."""
        proc = "/proc/%d/" % self.netd.process.pid
        with open(proc + "status") as f:
            status = dict(re.findall(r"^(\w+):\s+(\d+)", f.read(), re.M))
        return int(status["RssAnon"]), len(os.listdir(proc + "fd")), int(status["Threads"])

    def quiet(self):
        """Only the spare servers are there, and all of them."""
        wait_for("servers to end, spares to start", lambda: len(self.netd.serve_pids()) == SPARES)
        time.sleep(2)		# connections and threads that are on their way out

    def test_memory_and_descriptors_stay_flat(self):
        self.netd.start()
        wait_for("spares", lambda: len(self.netd.serve_pids()) == SPARES)
        name = self.netd.define(nat_xml(), start=False)
        for n in range(CYCLES):
            self.netd.ctl("net-start", name)
            if n % 10 == 0:
                self.netd.ctl("net-plug", name, "--ifname", "tapa")
            self.netd.ctl("net-destroy", name)
            if n == WARM:
                self.quiet()
                before = self.weigh()
        self.quiet()
        after = self.weigh()
        print("after %d cycles: %d KiB, %d descriptors, %d threads; after %d: %d KiB, %d, %d" % (
            (WARM,) + before + (CYCLES,) + after))
        self.assertLessEqual(after[1], before[1], "descriptors")
        self.assertLessEqual(after[2], before[2], "threads")
        if not netdtest.sanitized():
            self.assertLess(after[0] - before[0], GROWTH_KIB, "memory in KiB")
        self.netd.ctl("net-undefine", name)
        self.netd.stop()
        wait_for("servers to end", lambda: not self.netd.serve_pids())
        self.assert_untouched()


if __name__ == "__main__":
    netdtest.main()
