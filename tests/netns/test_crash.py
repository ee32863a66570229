# SPDX-License-Identifier: GPL-2.0-or-later
"""netd is killed, or one of its effects fails, at every step of every operation.

Needs a build with -Dfaults=true. After a failure the call says so and everything is as before it;
after a kill the next netd makes the state what definitions, live state and ports say, a guest
loses no packet meanwhile, and once all is destroyed and undefined nothing is left.

The steps are dealt out to several processes, each in namespaces of its own. An effect fails with
one of the errors that its call can return, another one at each step; with NETD_CRASH_ALL=1 each step
is walked with all of them.
"""
import contextlib
import os
import re
import signal
import subprocess
import sys
import time

import netdtest
from netdtest import sh, wait_for

XML = netdtest.nat_xml("crash", "virbr7", 57, extra="<domain name='lab'/>")
SHARDS = 4
SHARD = int(os.environ.get("NETD_CRASH_SHARD", "0"))
ALL = bool(os.environ.get("NETD_CRASH_ALL"))

# What the kernel can answer to a call of each kind, by the effect's kind or by its kind and name.
ERRORS = {
    "rtnl": ["ENOMEM", "EBUSY", "EPERM", "ENOBUFS"],
    "nft": ["ENOMEM", "EPERM", "ENFILE", "EBUSY"],
    "ioctl": ["EPERM", "ENOMEM", "EBUSY", "EMFILE"],
    "process": ["EAGAIN", "ENOMEM", "EMFILE"],
    "file": ["ENOSPC", "EROFS", "EIO", "EDQUOT"],
    "file open new file": ["ENOSPC", "EROFS", "EMFILE", "EACCES"],
    "file fsync": ["EIO", "ENOSPC", "EDQUOT"],
    "file unlink": ["EROFS", "EPERM", "EIO"],
    "file bind": ["ENOSPC", "EROFS", "EACCES", "EADDRINUSE"],
}


def errors_of(line):
    """The errors that the effect of a line of the trace ("N KIND WHAT") is tried with."""
    n, effect = line.split(" ", 1)
    fits = max((e for e in ERRORS if effect.startswith(e)), key=len)
    return ERRORS[fits] if ALL else [ERRORS[fits][int(n) % len(ERRORS[fits])]]


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

    def fault(self, spec):
        self.netd.env = {"NETD_FAULT": spec} if spec else {}

    def count(self):
        try:
            with open(self.trace_path) as f:
                self.trace = f.read().splitlines()
        except FileNotFoundError:
            self.trace = []
        return len(self.trace)

    def count_to_file(self):
        self.trace_path = os.path.join(self.netd.root, "trace")
        self.fault("count:" + self.trace_path)

    def effects(self):
        """Number of the last effect after start-up and after each operation."""
        self.count_to_file()
        self.netd.start()
        at = [self.count()]
        for name in self.OPS:
            self.op(name)
            at.append(self.count())
        self.fault(None)
        self.netd.kill()
        self.wipe()
        return at

    @staticmethod
    def mine(numbers):
        return [n for n in numbers if n % (SHARDS) == SHARD]

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
        self.netd.end()
        self.netd_servers_end()
        self.wipe()

    def netd_servers_end(self):
        wait_for("servers to end", lambda: not self.netd.serve_pids(), timeout=10)
        # This process is the namespace's init: what it does not reap counts against their uid.
        self.netd.process = None
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass

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

    def disk(self):
        """Definitions, live state and ports as files; the names of the others."""
        found = {}
        for top in ("etc", "var", "run/netd/networks", "run/netd/ports", "run/netd/intents"):
            for folder, _, files in os.walk(os.path.join(self.netd.root, top)):
                for name in files:
                    path = os.path.join(folder, name)
                    with contextlib.suppress(OSError, UnicodeDecodeError):
                        if not re.search(r"\.db|\.saved$", name):
                            with open(path) as f:
                                found[path] = f.read()
        return found

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
        self.assertGreater(received, 10, where)
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
                # Spare servers that are late shift the count: it may be hit while it starts, or not
                # yet by the end, and is killed then.
                self.netd.start(wait=False)
                with contextlib.suppress(AssertionError):
                    wait_for("netd", self.netd.answers, timeout=20)
                if self.netd.process.poll() is None:
                    self.do_until(k, where)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.netd.process.wait(1)
                self.netd.kill()
                self.fault(None)
                self.netd.start()
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
        self.netd_servers_end()
        sh("rm", "-rf", os.path.join(self.netd.root, "run"))

    def starts(self):
        """netd is started; whether it lives. One that does not says why."""
        mark = len(self.netd.log())
        self.netd.start(wait=False)
        try:
            wait_for("netd", self.netd.answers, timeout=20)
            self.settle()
            return True
        except (AssertionError, OSError):
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.netd.process.wait(5)	# its end may take a moment
            self.assertIsNotNone(self.netd.process.poll(), self.netd.log()[mark:])
            if self.netd.process.returncode != -signal.SIGKILL:
                self.assertRegex(self.netd.log()[mark:], r"<3>netd: .{10}")
            return False

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
                if self.starts():
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


def in_shards():
    """Runs this file so often at a time, each with its share of the steps."""
    parts = [subprocess.Popen([sys.executable] + sys.argv, env=dict(os.environ, NETD_CRASH_SHARD=str(i)),
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT) for i in range(SHARDS)]
    bad = 0
    for i, part in enumerate(parts):
        out = part.communicate()[0].decode(errors="replace")
        bad |= part.returncode
        print("---- part %d of %d: exit %d\n%s" % (i + 1, SHARDS, part.returncode, out), flush=True)
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    if not faults_built():
        print("needs a build with -Dfaults=true")
        sys.exit(77)
    if os.geteuid() == 0 and "NETD_CRASH_SHARD" not in os.environ:
        in_shards()
    netdtest.main()
