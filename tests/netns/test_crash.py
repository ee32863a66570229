# SPDX-License-Identifier: GPL-2.0-or-later
"""netd is killed, or one of its effects fails, at every step of every operation.

Needs a build with -Dfaults=true. After a failure the call says so and everything is as before it;
after a kill the next netd makes the state what definitions, live state and ports say, and once all
is destroyed and undefined nothing is left.
"""
import contextlib
import os
import re
import subprocess
import sys

import netdtest
from netdtest import sh

XML = netdtest.nat_xml("crash", "virbr7", 57, extra="<domain name='lab'/>")


def faults_built():
    options = subprocess.run(["meson", "introspect", "--buildoptions", netdtest.BUILD],
                             capture_output=True, text=True).stdout
    return re.search(r'"name": "faults", "value": true', options) is not None


class Crash(netdtest.TestCase):
    def setUp(self):
        super().setUp()
        self.xml = os.path.join(self.netd.root, "crash.xml")
        with open(self.xml, "w") as f:
            f.write(XML)

    # What is done to the daemon, in order; each name is one operation.
    def op(self, name, check=True):
        args = {
            "define": ["net-define", self.xml],
            "autostart": ["net-autostart", "crash"],
            "start": ["net-start", "crash"],
            "plug": ["net-plug", "crash", "--ifname", "tapcrash"],
            "update": ["net-update", "crash", "add-last", "ip-dhcp-host",
                       "<host mac='52:54:00:00:00:09' ip='192.168.57.9'/>", "--live", "--config"],
            "unplug": ["net-unplug", "crash", "tapcrash"],
            "destroy": ["net-destroy", "crash"],
            "undefine": ["net-undefine", "crash"],
        }[name]
        return self.netd.ctl(*args, check=check, timeout=30)

    OPS = ["define", "autostart", "start", "plug", "update", "unplug", "destroy", "undefine"]

    def effects(self):
        """Number of the last effect after start-up and after each operation."""
        trace = os.path.join(self.netd.root, "trace")
        self.netd.env = {"NETD_FAULT": "count:" + trace}
        self.netd.start()

        def count():
            with open(trace) as f:
                return len(f.readlines())
        at = [count()]
        for name in self.OPS:
            self.op(name)
            at.append(count())
        self.netd.kill()
        with open(trace) as f:
            self.trace = f.read().splitlines()
        self.wipe()
        return at

    def wipe(self):
        """Nothing of an earlier round is left but what a stopped netd may leave."""
        self.assert_untouched()
        sh("rm", "-rf", *[os.path.join(self.netd.root, d) for d in ("etc", "run", "var")])

    def finish(self, where):
        """Takes everything down through the API; nothing may be left."""
        for name in ("destroy", "undefine"):
            self.op(name, check=False)
        self.assertEqual("", self.netd.ctl("net-list", "--all", "--name").stdout.strip(), where)
        left = []
        for top in ("etc", "var", "run/netd/networks", "run/netd/ports", "run/netd/intents",
                    "run/netd/sysctl"):
            for folder, _, files in os.walk(os.path.join(self.netd.root, top)):
                # A note about a sysctl that nobody holds is harmless, and goes at the next start.
                left += [os.path.join(folder, f) for f in files if f != ".saved"]
        self.assertEqual([], left, where)

    def active(self):
        return "crash" in self.netd.ctl("net-list", "--name").stdout

    def check_whole(self, where):
        """The kernel has what the files say."""
        if self.active():
            out = self.netd.ctl("net-plan", "crash").stdout
            self.assertRegex(out, r"(?s)Difference.*none", where)
        else:
            self.assertNotIn("virbr7", sh("ip", "-br", "link").stdout, where)
            self.assertNotIn("virbr7", sh("nft", "list", "ruleset").stdout, where)

    def test_killed_at_every_effect(self):
        at = self.effects()
        for k, name in enumerate(self.OPS):
            for n in range(at[k] + 1, at[k + 1] + 1):
                where = "%s killed at effect %s" % (name, self.trace[n - 1])
                self.netd.env = {"NETD_FAULT": "%d:kill" % n}
                self.netd.start()
                for op in self.OPS[:k + 1]:
                    done = self.op(op, check=False)
                    if done.returncode:
                        break
                self.netd.process.wait(20)
                self.netd.env = {}
                self.netd.start()
                self.check_whole(where)
                self.finish(where)
                self.netd.kill()
                self.netd_servers_end()
                self.wipe()

    def netd_servers_end(self):
        netdtest.wait_for("servers to end", lambda: not self.netd.serve_pids(), timeout=5)
        # This process is the namespace's init: what it does not reap counts against their uid.
        self.netd.process = None
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass

    def document(self):
        return [self.netd.ctl("net-dumpxml", "crash", check=False).stdout,
                self.netd.ctl("net-list", "--all", check=False).stdout,
                self.netd.ctl("net-port-list", "crash", check=False).stdout,
                # without the carrier's state, which follows a removed TAP in its own time
                re.sub(r" +(UP|DOWN|UNKNOWN) +", " ", sh("ip", "-br", "addr").stdout), sh("nft", "list", "ruleset").stdout]

    def test_every_effect_fails(self):
        at = self.effects()
        for k, name in enumerate(self.OPS):
            for n in range(at[k] + 1, at[k + 1] + 1):
                where = "%s failed at effect %s" % (name, self.trace[n - 1])
                self.netd.env = {"NETD_FAULT": "%d:EIO" % n}
                self.netd.start()
                # What runs beside the operations (a spare server) may shift the count a little:
                # whichever operation is hit must have left everything as it was.
                for op in self.OPS[:k + 1]:
                    before = self.document()
                    done = self.op(op, check=False)
                    if done.returncode:
                        self.assertIn("error:", done.stderr, where)
                        self.assertEqual(before, self.document(), where)
                        break
                self.check_whole(where)
                self.finish(where)
                self.netd.kill()
                self.netd_servers_end()
                self.wipe()


if __name__ == "__main__":
    if os.environ.get(netdtest.INSIDE) and not faults_built():
        print("needs a build with -Dfaults=true")
        sys.exit(77)
    netdtest.main()
