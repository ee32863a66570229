# SPDX-License-Identifier: GPL-2.0-or-later
"""netd is killed, or one of its effects fails, at every step of the start and the end of a guest that a switch knows and
that has a virtual function where the kernel has netdevsim (see crashtest.py, test_port_profile.py and test_vf.py).

Afterwards, when the guest is gone, the switch knows nothing of it and the function has what it had."""
import os
import re
import sys

import crashtest
import netdtest
from crashtest import Walk, errors_of
from guesttest import MAC, Guests
from netdtest import sh, wait_for
from profiletest import ASSOCIATE, Lldpad, make_sysfs
from test_macvtap import has_nodes
from test_port_profile import DIRECT, QBG
from test_vf import VLAN, Netdevsim, has_netdevsim


KEPT = "disassociate|delete interface|virtual function|note on vf"


class ProfileCrash(Walk, Guests):
    RUN_FOLDERS = ("run/netd/domains", "run/netd/vfs", "run/netd/intents")
    OPS = ["define", "start", "destroy", "undefine"]
    WALKED = ["start", "destroy"]

    def setUp(self):
        super().setUp()
        self.netd.kill()
        self.servers_end()
        self.wipe()
        for name in ("lower7", "lower8"):
            sh("ip", "link", "add", name, "type", "veth", "peer", "name", name.replace("lower", "far"))
            self.addCleanup(sh, "ip", "link", "del", name)
            sh("ip", "link", "set", name, "up")
        devices = DIRECT % ("52:54:00:00:00:08", "lower8", "vepa", QBG)
        self.sim = None
        if has_netdevsim():
            self.sim = Netdevsim(self, 8)
            self.sysfs = self.netd.root + "-sys"
            make_sysfs(self.sysfs, "lower7", self.sim.pf, 2)
            self.addCleanup(sh, "rm", "-r", self.sysfs)
            self.netd.env["NETD_SYSFS"] = self.sysfs
            self.before = self.sim.vfs()
            devices += DIRECT % (MAC, "lower7", "passthrough", VLAN)
        self.domain = self.file("web.xml", self.xml(devices=devices).encode())

    def assert_untouched(self):
        self.assertEqual(self.taps(), [])

    def op(self, name, check=True):
        if name == "define":	# the files below the root are wiped now and then
            self.lldpad = Lldpad(self.netd.root + "/run/lldpad.pid")
        return self.netd.ctl(name, self.domain if name == "define" else "web", check=check, timeout=30)

    def is_gone(self):
        requests = [r.request for r in self.lldpad.requests]
        return (self.pids(), self.taps(), self.live_files()) == ([], [], []) and \
            (self.kept or requests[-1:] != [ASSOCIATE]) and (not self.sim or self.sim.vfs() == self.before)

    def gone(self, where):
        wait_for(lambda: "%s: gone (%s)\n%s" % (where, [r.request for r in self.lldpad.requests],
                                                self.netd.log()[-3000:]), self.is_gone, timeout=8)

    def finish(self, where):
        self.netd.ctl("destroy", "web", check=False)
        self.netd.ctl("undefine", "web", check=False)
        self.gone(where)
        self.assert_no_files(where)
        self.netd.end()
        self.servers_end()
        self.wipe()

    def put_right(self):
        """What the operator does whom the log tells of it."""
        self.netd.ctl("destroy", "web", check=False)
        for tap in self.taps():
            sh("ip", "link", "del", tap)
        if self.sim:
            sh("ip", "link", "set", self.sim.pf, "vf", "2", "mac", self.before[2]["address"], "vlan", "0")
        sh("rm", "-rf", self.netd.root + "/run/netd/vfs")

    def steps(self):
        at = self.effects()
        for k, name in enumerate(self.OPS):
            if name in self.WALKED:
                for n in self.mine(range(at[k] + 1, at[k + 1] + 1)):
                    yield k, n

    def until(self, k):
        return all(self.op(name, check=False).returncode == 0 for name in self.OPS[:k + 1])

    def test_killed_at_every_effect(self):
        self.kept = False
        for k, n in self.steps():
            self.fault("%d:kill" % n)
            if self.start_to_be_killed():
                self.until(k)
            self.start_again()
            self.finish("killed in %s at effect %s" % (self.OPS[k], self.trace[n - 1]))

    def test_every_effect_fails(self):
        for k, n in self.steps():
            effect = self.trace[n - 1]
            # what of a guest's end fails only the log tells of
            self.kept = self.OPS[k] == "destroy" and re.search(KEPT, effect) or "disassociate" in effect
            for error in errors_of(effect):
                self.fault("%d:%s" % (n, error))
                self.netd.start()
                mark = len(self.netd.log())
                done = self.until(k)
                where = "%s of %s at effect %s" % (error, self.OPS[k], effect)
                if self.OPS[k] == "start" and not done:
                    self.gone(where)
                self.fault(None)
                self.netd.restart()
                if self.kept and not re.search("stays|may still know", self.netd.log()[mark:]):
                    self.kept = False	# it was tried again
                if self.kept:
                    self.put_right()
                self.finish(where)


if __name__ == "__main__":
    if not crashtest.faults_built():
        print("needs a build with -Dfaults=true")
        sys.exit(77)
    crashtest.SHARDS = 1	# macvtaps of several namespaces would have nodes of the same names in /dev
    if os.environ.get("NETD_TEST_INSIDE") and not has_nodes():
        print("no device nodes of macvtaps here")
        sys.exit(77)
    netdtest.main()
