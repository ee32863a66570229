# SPDX-License-Identifier: GPL-2.0-or-later
"""netd is killed, or one of its effects fails, at every step of every operation on guests (see crashtest.py).

After a failure the call says so and everything is as before it; after a kill the next netd has the guest whole
or has nothing of it, a guest that runs runs on, and once all is destroyed and undefined nothing is left.
"""
import os
import re

import crashtest
import netdtest
from crashtest import Walk, errors_of
from guesttest import MAC, NIC, Guests
from netdtest import nat_xml, sh, wait_for

SECOND = "52:54:00:00:00:02"
OWN = "<interface type='ethernet'><mac address='52:54:00:00:00:0%d'/>" \
    "<script path='UP'/><downscript path='DOWN'/><target dev='web%d'/>" \
    "<source><ip address='192.168.7.1' prefix='24'/><route address='192.168.42.0' prefix='24' gateway='192.168.7.4'/></source>" \
    "<tune><sndbuf>70000</sndbuf></tune><coalesce><rx><frames max='7'/></rx></coalesce>" \
    "<bandwidth><inbound average='700'/></bandwidth></interface>"


FILTERED = NIC.replace("</interface>", "  <filterref filter='mine'/>\n    </interface>")
FILTER = "<filter name='mine'><filterref filter='clean-traffic'/><rule action='drop' direction='out'><ip dstipaddr='10.0.0.%d'/></rule></filter>"


class GuestCrash(Walk, Guests):
    RUN_FOLDERS = ("run/netd/ports", "run/netd/domains", "run/netd/intents")
    OPS = ["network", "filter", "define", "autostart", "start", "attach", "attach tap", "refilter", "link", "tune", "tune tap", "suspend",
           "resume", "detach", "detach tap", "destroy", "undefine", "no filter", "no network"]
    WALKED = OPS[1:-1]
    RUNS = ["attach", "attach tap", "refilter", "link", "tune", "tune tap", "suspend", "resume", "detach", "detach tap"]	# the guest runs before and after it

    def setUp(self):
        super().setUp()
        self.netd.kill()
        self.servers_end()
        self.marks = self.netd.root + "/marks"	# of devices whose script ran and downscript did not
        self.kept_mark = False
        os.mkdir(self.marks)
        own = OWN
        for name, command in ("UP", "touch"), ("DOWN", "rm -f"):
            path = self.file(name, ("#!/bin/sh\n%s %s/$1\n" % (command, self.marks)).encode())
            os.chmod(path, 0o755)
            own = own.replace(name, path)
        self.network = self.file("net.xml", nat_xml().encode())
        self.domain = self.file("web.xml", self.xml(devices=FILTERED % MAC + own % (9, 9) + "<console type='pty'/>").encode())
        self.nic = self.file("nic.xml", (FILTERED % SECOND).encode())
        self.filters = [self.file("filter%d.xml" % n, (FILTER % n).encode()) for n in range(2)]
        self.tap = self.file("tap.xml", ((own % (8, 8)).replace("192.168.", "172.16.")).encode())
        self.before = netdtest.kernel_state()

    def op(self, name, check=True):
        if name == "network":
            self.netd.ctl("net-define", self.network, check=check)
            return self.netd.ctl("net-start", "default", check=check)
        if name == "no network":
            self.netd.ctl("net-destroy", "default", check=check)
            return self.netd.ctl("net-undefine", "default", check=check)
        if "filter" in name:
            words = {"filter": ("nwfilter-define", self.filters[0]), "refilter": ("nwfilter-define", self.filters[1])}
            return self.netd.virsh(*words.get(name, ("nwfilter-undefine", "mine")), check=check)
        args = {
            "define": ["define", self.domain],
            "autostart": ["autostart", "web"],
            "attach": ["attach-device", "web", self.nic, "--live", "--config"],
            "attach tap": ["attach-device", "web", self.tap, "--live"],
            "detach tap": ["detach-device", "web", self.tap, "--live"],
            "tune": ["domiftune", "web", MAC, "--inbound", "300,400", "--live", "--config"],
            "tune tap": ["domiftune", "web", "web9", "--inbound", "0"],
            "link": ["domif-setlink", "web", MAC, "down"],
            "detach": ["detach-device", "web", self.nic, "--live", "--config"],
        }.get(name, [name, "web"])
        return self.netd.ctl(*args, check=check, timeout=30)

    def finish(self, where):
        for name in ("destroy", "undefine"):
            self.op(name, check=False)
        self.assertEqual("", self.netd.ctl("list", "--all", "--name").stdout.strip(), where)
        self.whole(where)
        self.op("no filter", check=False)
        self.op("no network", check=False)
        self.assert_no_files(where)
        self.netd.end()
        self.servers_end()
        self.wipe()

    # --- what must hold ---

    def story(self):
        """The end of netd's log without its clients."""
        return "\n".join([line for line in self.netd.log().splitlines() if ": client with" not in line][-40:])

    def ports(self):
        return re.findall(r"[0-9a-f]{8}-[0-9a-f-]{27}", self.netd.ctl("net-port-list", "default", check=False).stdout)

    def marks_fit(self):
        return self.kept_mark or sorted(os.listdir(self.marks)) == sorted(t for t in self.taps() if t.startswith("web"))

    def filtered(self):
        """Of the guest's devices those that have a filter in the kernel."""
        return sorted(re.findall(r'"(\w+)" : goto frames_from', sh("nft", "list", "map", "bridge", "netd", "frames_from", check=False).stdout))

    def parts(self):
        """What there is of the guest: processes, ports, devices, live files."""
        return len(self.pids()), sorted(self.ports()), sorted(self.taps()), sorted(self.live_files())

    def is_whole(self):
        shown = self.netd.ctl("dumpxml", "web", check=False).stdout
        if "web" not in self.netd.ctl("list", "--name").stdout.split():
            return self.parts() == (0, [], [], []) and self.marks_fit() and not self.filtered()
        pids, ports, taps, files = self.parts()
        limits = re.findall(r"<inbound average='(\d+)'", shown)
        kept = [rate for tap in taps for rate in re.findall(r"1:1 root .*?rate (\d+)Kbit", sh("tc", "class", "show", "dev", tap, check=False).stdout)]
        return (self.filtered() == [t for t in sorted(taps) if t.startswith("vnet")] and
                sorted(int(l) * 8 for l in limits) == sorted(map(int, kept)) and pids == 1 and ports == sorted(re.findall(r"portid='(.*?)'", shown)) and taps == sorted(re.findall(r"<target dev='(\w+)'", shown)) and
                len(files) == 2 and self.marks_fit())

    def whole(self, where):
        """All of the guest is there, or nothing. What a killed netd left takes a moment to go."""
        wait_for(lambda: "%s: whole\n%s\n%s\n%s" % (
            where, self.parts(), re.findall("portid.*?bridge|target dev.*", self.netd.ctl("dumpxml", "web", check=False).stdout),
            self.story()), self.is_whole, timeout=8)

    def document(self):
        return [self.netd.ctl("dumpxml", "web", check=False).stdout,
                self.netd.ctl("dumpxml", "web", "--inactive", check=False).stdout,
                self.netd.ctl("list", "--all", check=False).stdout, self.parts(), self.pids(),
                re.sub(r" +(UP|DOWN|UNKNOWN) +|<.*>", " ", sh("ip", "-br", "link").stdout),
                sh("nft", "list", "ruleset").stdout, [sh("tc", "class", "show", "dev", tap, check=False).stdout for tap in self.taps()],
                self.disk()]

    # --- operations ---

    def do_until(self, k, careful):
        """The operations to the k-th, to the first that fails: what was before it, and its answer."""
        for name in self.OPS[:k + 1]:
            self.last = name
            before = self.document() if careful and name in self.WALKED else None
            done = self.op(name, check=False)
            if done.returncode:
                return before, done if before else None
        return None, None

    def steps(self):
        """Index of the operation, number of the effect."""
        at = self.effects()
        for k, name in enumerate(self.OPS):
            if name in self.WALKED:
                for n in self.mine(range(at[k] + 1, at[k + 1] + 1)):
                    yield k, n

    def test_killed_at_every_effect(self):
        for k, n in self.steps():
            where = "killed in %s at effect %s" % (self.OPS[k], self.trace[n - 1])
            self.fault("%d:kill" % n)
            if self.start_to_be_killed():
                self.do_until(k, False)
            running = self.pids()
            self.start_again()
            self.whole(where)
            if self.last in self.RUNS:
                self.assertEqual(running, self.pids(), where)
            self.finish(where)

    def test_every_effect_fails(self):
        for k, n in self.steps():
            for error in errors_of(self.trace[n - 1]):
                where = "%s of %s at effect %s" % (error, self.OPS[k], self.trace[n - 1])
                self.fault("%d:%s" % (n, error))
                self.kept_mark = "process downscript" in self.trace[n - 1]	# nothing but the log tells of it
                self.netd.start()
                before, done = self.do_until(k, True)
                if done:
                    self.assertRegex(done.stderr, r"error: .{10}", where)
                    self.assertEqual(before, self.document(), where)
                self.whole(where)
                self.finish(where)
                if self.kept_mark:
                    sh("rm", "-rf", self.marks)
                    os.mkdir(self.marks)

    # --- the start of a daemon: beside a guest that runs, and with one to autostart ---

    def do(self, *names):
        self.fault(None)
        self.netd.start()
        for name in names:
            self.op(name)
        self.netd.kill()

    def running(self):
        self.do("network", "filter", "define", "start")

    def to_autostart(self):
        """As after a boot."""
        self.do("network", "filter", "define", "autostart")
        self.netd.start()
        self.netd.ctl("net-autostart", "default")
        self.netd.ctl("net-destroy", "default")
        self.netd.kill()
        self.servers_end()
        sh("rm", "-rf", os.path.join(self.netd.root, "run"))

    def active(self):
        return "web" in self.netd.ctl("list", "--name", check=False).stdout.split()

    def settle(self):
        self.netd.ctl("net-port-list", "default", check=False)
        self.netd.ctl("domstate", "web", check=False)

    def walk_starts(self, prepare):
        prepare()
        self.count_to_file()
        self.netd.start()
        wait_for("guest", self.active)
        self.whole("counting")
        last = self.count()
        trace = self.trace
        self.fault(None)
        self.finish("counting")
        for n in self.mine(range(1, last + 1)):
            for what in ["kill"] + errors_of(trace[n - 1]):
                where = "%s at start, effect %s" % (what, trace[n - 1])
                prepare()
                self.fault("%d:%s" % (n, what))
                self.starts(self.settle)
                self.netd.kill()
                self.fault(None)
                self.netd.start()
                self.settle()
                # A start that failed has its error in the log, and is not tried again in this boot.
                if what != "kill":
                    wait_for(where + ": a start, or why not",
                             lambda: self.active() or "autostart failed: " in self.netd.log())
                else:
                    wait_for(lambda: where + ": guest\n" + self.story(), self.active)
                self.whole(where)
                self.finish(where)

    def test_restart_beside_a_running_guest(self):
        self.walk_starts(self.running)

    def test_boot_with_autostart(self):
        self.walk_starts(self.to_autostart)


if __name__ == "__main__":
    crashtest.main()
