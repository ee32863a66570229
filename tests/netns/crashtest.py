# SPDX-License-Identifier: GPL-2.0-or-later
"""What walks through the effects of operations have in common: netd is killed, or fails, at the n-th.

Needs a build with -Dfaults=true. The steps are dealt out to several processes, each in namespaces of its own.
An effect fails with one of the errors that its call can return, another one at each step and on each day (NETD_CRASH_SEED,
a number, stands for another day); with NETD_CRASH_ALL=1 each step is walked with all of them. NETD_CRASH_EVERY=N walks
only every N-th step, others on each day.
"""
import contextlib
import datetime
import os
import re
import signal
import subprocess
import sys

import netdtest
from netdtest import sh, wait_for

SHARDS = 4
SHARD = int(os.environ.get("NETD_CRASH_SHARD", "0"))
ALL = bool(os.environ.get("NETD_CRASH_ALL"))
EVERY = int(os.environ.get("NETD_CRASH_EVERY", "1"))
SEED = int(os.environ.get("NETD_CRASH_SEED") or datetime.date.today().toordinal())

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
    return ERRORS[fits] if ALL else [ERRORS[fits][(int(n) + SEED) % len(ERRORS[fits])]]


def faults_built():
    options = subprocess.run(["meson", "introspect", "--buildoptions", netdtest.BUILD],
                             capture_output=True, text=True).stdout
    return re.search(r'"name": "faults", "value": true', options) is not None


class Walk:
    """For a test case: `OPS` are the operations in their order, op(name, check) does one."""

    RUN_FOLDERS = ("run/netd/networks", "run/netd/ports", "run/netd/intents", "run/netd/sysctl")

    def fault(self, spec):
        self.netd.env.pop("NETD_FAULT", None)
        if spec:
            self.netd.env["NETD_FAULT"] = spec

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
        return [n for n in numbers if n % SHARDS == SHARD and (n // SHARDS + SEED) % EVERY == 0]

    def wipe(self):
        """Nothing of an earlier round is left but what a stopped netd may leave."""
        self.assert_untouched()
        sh("rm", "-rf", *[os.path.join(self.netd.root, d) for d in ("etc", "run", "var")])

    def assert_no_files(self, where):
        left = []
        for top in ("etc", "var") + self.RUN_FOLDERS:
            for folder, _, files in os.walk(os.path.join(self.netd.root, top)):
                # A note about a sysctl that nobody holds is harmless, and goes at the next start.
                left += [os.path.join(folder, f) for f in files if f != ".saved"]
        self.assertEqual([], left, where)

    def servers_end(self):
        wait_for("servers to end", lambda: not self.netd.serve_pids(), timeout=10)
        # This process is the namespace's init: what it does not reap counts against their uid.
        self.netd.process = None
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass

    def disk(self):
        """Definitions, live state and ports as files; the names of the others."""
        found = {}
        for top in ("etc", "var") + self.RUN_FOLDERS[:-1]:
            for folder, _, files in os.walk(os.path.join(self.netd.root, top)):
                for name in files:
                    path = os.path.join(folder, name)
                    with contextlib.suppress(OSError, UnicodeDecodeError):
                        if not re.search(r"\.db|\.saved$", name):
                            with open(path) as f:
                                found[path] = f.read()
        return found

    def start_to_be_killed(self):
        """Spare servers that are late shift the count: netd may be hit while it starts already."""
        self.netd.start(wait=False)
        with contextlib.suppress(AssertionError):
            wait_for("netd", self.netd.answers, timeout=20)
        return self.netd.process.poll() is None

    def start_again(self):
        """... or not by the end of the operations, and is killed then."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.netd.process.wait(1)
        self.netd.kill()
        self.fault(None)
        self.netd.start()

    def starts(self, settle):
        """netd is started; whether it lives. One that does not says why."""
        mark = len(self.netd.log())
        self.netd.start(wait=False)
        try:
            wait_for("netd", self.netd.answers, timeout=20)
            settle()
            return True
        except (AssertionError, OSError):
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.netd.process.wait(5)	# its end may take a moment
            self.assertIsNotNone(self.netd.process.poll(), self.netd.log()[mark:])
            if self.netd.process.returncode != -signal.SIGKILL:
                self.assertRegex(self.netd.log()[mark:], r"<3>netd: .{10}")
            return False


def in_shards():
    """Runs this file so often at a time, each with its share of the steps."""
    print("NETD_CRASH_SEED=%d NETD_CRASH_EVERY=%d" % (SEED, EVERY), flush=True)
    parts = [subprocess.Popen([sys.executable] + sys.argv, env=dict(os.environ, NETD_CRASH_SHARD=str(i), NETD_CRASH_SEED=str(SEED)),
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT) for i in range(SHARDS)]
    bad = 0
    for i, part in enumerate(parts):
        out = part.communicate()[0].decode(errors="replace")
        bad |= part.returncode
        print("---- part %d of %d: exit %d\n%s" % (i + 1, SHARDS, part.returncode, out), flush=True)
    sys.exit(1 if bad else 0)


def main():
    if not faults_built():
        print("needs a build with -Dfaults=true")
        sys.exit(77)
    if os.geteuid() == 0 and "NETD_CRASH_SHARD" not in os.environ:
        in_shards()
    netdtest.main()
