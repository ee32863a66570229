# SPDX-License-Identifier: GPL-2.0-or-later
"""netd is killed, or one of its effects fails, at every step of every operation on networks (see crashtest.py).

After a failure the call says so and everything is as before it; after a kill the next netd makes the state
what definitions, live state and ports say, a guest loses no packet meanwhile, and once all is destroyed and
undefined nothing is left.
"""
import contextlib
import os
import re
import signal
import subprocess
import time

import crashtest
import netdtest
from crashtest import Walk, errors_of
from netdtest import sh, wait_for

XML = netdtest.nat_xml("crash", "virbr7", 57, extra="<domain name='lab'/><bandwidth><inbound average='9000'/></bandwidth>"
                       "<portgroup name='p' default='yes'><bandwidth><inbound average='800'/></bandwidth></portgroup>")


class Crash(Walk, netdtest.TestCase):
    def setUp(self):
        super().setUp()
        self.xml = os.path.join(self.netd.root, "crash.xml")
        with open(self.xml, "w") as f:
            f.write(XML)
        self.talker = self.guest()
        self.talker.address("192.168.57.200/24")
        sh("sysctl", "-qw", "net.ipv6.conf.%s.disable_ipv6=1" % self.talker.host_if)
        sh("ip", "link", "set", self.talker.host_if, "up")
        wait_for("carrier", lambda: "state UP" in sh("ip", "link", "show", self.talker.host_if).stdout)
        self.before = netdtest.kernel_state()
        self.ping = None

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
    RUNS = ["plug", "update", "unplug"]		# the network runs before and after it

    # --- the walk ---

    def finish(self, where):
        """Takes everything down through the API; nothing may be left."""
        for name in ("destroy", "undefine"):
            self.op(name, check=False)
        self.assertEqual("", self.netd.ctl("net-list", "--all", "--name").stdout.strip(), where)
        self.assert_no_files(where)
        self.netd.end()
        self.servers_end()
        self.wipe()

    # --- what must hold ---

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

    def document(self):
        return [self.netd.ctl("net-dumpxml", "crash", check=False).stdout,
                self.netd.ctl("net-list", "--all", check=False).stdout,
                self.netd.ctl("net-port-list", "crash", check=False).stdout,
                # without the carrier's state, which follows a removed TAP in its own time
                re.sub(r" +(UP|DOWN|UNKNOWN) +", " ", sh("ip", "-br", "addr").stdout),
                sh("nft", "list", "ruleset").stdout, self.disk()]

    def talk(self):
        """A guest on the bridge pings the host a hundred times a second."""
        self.talker.run("ip", "neigh", "flush", "all")	# of an earlier bridge
        self.talker.plug("virbr7")
        wait_for("the guest's first answer", lambda: self.talker.ping("192.168.57.1"))
        self.ping = self.talker.spawn("ping", "-n", "-q", "-i", "0.01", "192.168.57.1",
                                      stdout=subprocess.PIPE, text=True)
        self.ping_until = time.monotonic() + 0.3	# at least

    def heard_all(self, where):
        if not self.ping:
            return
        time.sleep(max(0, self.ping_until - time.monotonic()))
        self.ping.send_signal(signal.SIGINT)
        out = self.ping.communicate(timeout=10)[0]
        self.ping = None
        sent, received = map(int, re.search(r"(\d+) packets transmitted, (\d+) received", out).groups())
        self.assertGreater(received, 2, where)
        # The last one may be under way still.
        self.assertLessEqual(sent - received, 1, "%s: %s" % (where, out))

    def prepare(self, names):
        """Operations before the one that is walked; the guest talks once the network runs."""
        for name in names:
            self.op(name)
            if name == "start":
                self.talk()

    # --- operations ---

    def do_until(self, k, where):
        """The operations to the k-th, to the first that fails: what was before it, and whether."""
        for name in self.OPS[:k + 1]:
            before = self.document() if not where.startswith("killed") else None
            done = self.op(name, check=False)
            if done.returncode:
                return before, done
            if name == "start" and self.OPS[k] in self.RUNS:
                self.talk()
        return None, None

    def test_killed_at_every_effect(self):
        at = self.effects()
        for k, name in enumerate(self.OPS):
            for n in self.mine(range(at[k] + 1, at[k + 1] + 1)):
                where = "killed in %s at effect %s" % (name, self.trace[n - 1])
                self.fault("%d:kill" % n)
                if self.start_to_be_killed():
                    self.do_until(k, where)
                self.start_again()
                self.check_whole(where)
                self.heard_all(where)
                self.finish(where)

    def test_every_effect_fails(self):
        at = self.effects()
        for k, name in enumerate(self.OPS):
            for n in self.mine(range(at[k] + 1, at[k + 1] + 1)):
                for error in errors_of(self.trace[n - 1]):
                    where = "%s of %s at effect %s" % (error, name, self.trace[n - 1])
                    self.fault("%d:%s" % (n, error))
                    self.netd.start()
                    # What runs beside the operations (a spare server) may shift the count a
                    # little: whichever operation is hit must have left everything as it was.
                    before, done = self.do_until(k, where)
                    if done:
                        self.assertRegex(done.stderr, r"error: .{10}", where)
                        self.assertEqual(before, self.document(), where)
                    self.check_whole(where)
                    self.heard_all(where)
                    self.finish(where)

    # --- the start of a daemon: beside a network that runs, and with one to autostart ---

    def running(self):
        """A network with a port runs, and its netd is killed."""
        self.fault(None)
        self.netd.start()
        self.prepare(["define", "start", "plug"])
        self.netd.kill()

    def to_autostart(self):
        """As after a boot: a network is to be started."""
        self.fault(None)
        self.netd.start()
        self.prepare(["define", "autostart"])
        self.netd.kill()
        self.servers_end()
        sh("rm", "-rf", os.path.join(self.netd.root, "run"))

    def settle(self):
        """The checks and starts of a daemon's start are over: a call to each network comes after them."""
        wait_for("netd's start", lambda: "crash" in self.netd.ctl("net-list", "--all", "--name").stdout)
        self.netd.ctl("net-port-list", "crash", check=False)

    def walk_starts(self, prepare, whole):
        prepare()
        self.count_to_file()
        self.netd.start()
        whole("counting")
        last = self.count()
        self.assertGreaterEqual(last, 3)
        trace = self.trace
        self.heard_all("counting")
        self.fault(None)
        self.finish("counting")
        for n in self.mine(range(1, last + 1)):
            for what in ["kill"] + errors_of(trace[n - 1]):
                where = "%s at start, effect %s" % (what, trace[n - 1])
                prepare()
                self.fault("%d:%s" % (n, what))
                if self.starts(self.settle):
                    with contextlib.suppress(AssertionError):	# it may have to say it cannot
                        whole(where)
                self.netd.kill()
                self.fault(None)
                self.netd.start()
                self.settle()
                # A start that failed has its error in the log, and is not tried again in this boot.
                if what != "kill":
                    wait_for(where + ": a start, or why not",
                             lambda: self.active() or "autostart failed: " in self.netd.log())
                    if not self.active():
                        self.op("start")
                whole(where)
                self.heard_all(where)
                self.finish(where)

    def whole_running(self, where):
        wait_for(where + ": network active", self.active)
        wait_for(where + ": the kernel as it should be", lambda: re.search(
            r"(?s)Difference.*none", self.netd.ctl("net-plan", "crash", check=False).stdout), timeout=5)
        self.assertIn("master virbr7", sh("ip", "link", "show", "tapcrash", check=False).stdout, where)
        self.assertRegex(self.netd.ctl("net-port-list", "crash").stdout, r"[0-9a-f]{8}-", where)

    def test_restart_beside_a_running_network(self):
        self.walk_starts(self.running, self.whole_running)

    def whole_autostarted(self, where):
        wait_for(where + ": autostart", self.active, timeout=5)
        self.check_whole(where)

    def test_boot_with_autostart(self):
        self.walk_starts(self.to_autostart, self.whole_autostarted)


if __name__ == "__main__":
    crashtest.main()
