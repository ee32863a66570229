#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""netdctl's verbs for guests, beside virsh's against the same netd; consoles at a terminal; run."""
import json
import os
import re
import signal
import subprocess
import time

import netdtest
from guesttest import MAC, NIC, UUID, Guests
from netdtest import Terminal, built, nat_xml, sh, spawn, wait_for

NETDCTL = built("netd/ctl/netdctl")


class Verbs(Guests):
    def ctl(self, *args, **kw):
        return self.netd.ctl(*args, **kw)

    def json(self, *args):
        return json.loads(self.ctl(*args, "--json").stdout)

    def told(self, client, *words):
        done = client(*words, check=False)
        return done.stdout, done.stderr, done.returncode

    def alike(self, *words, undo=None):
        """Both clients say the same, and end the same way; `undo` (a virsh command) comes between them."""
        virsh = self.told(self.netd.virsh, *words)
        if undo:
            self.netd.virsh(*undo)
        self.assertEqual(self.told(self.ctl, *words), virsh)
        return virsh


class Show(Verbs):
    """What there is, in virsh's words."""

    def setUp(self):
        super().setUp()
        self.disk = self.file("disk", b"\0" * 4096)
        self.define(more="<title>A title</title>", devices="""<console type='pty'/>
            <disk type='file' device='disk'><source file='%s'/><target dev='vda'/></disk>""" % self.disk)
        self.virsh("define", "FILE", xml=self.xml(name="another", uuid=UUID.replace("6f", "7f"), devices=""))

    def test_a_guest_that_runs_and_one_that_does_not(self):
        self.virsh("start", "web")
        for guest in ("web", "another", "1", UUID, "nobody"):
            for words in (["dominfo"], ["domstate"], ["domstate", "--reason"], ["domid"], ["domname"], ["domuuid"],
                          ["dumpxml"], ["dumpxml", "--inactive"], ["domblklist"], ["domblklist", "--details"],
                          ["domblklist", "--inactive"]):
                with self.subTest(guest=guest, words=words):
                    self.alike(*words, guest)
        self.assertEqual((self.json("domid", "web"), self.json("domid", "another")), (1, None))
        self.assertEqual((self.json("domname", UUID), self.json("domuuid", "web")), ("web", UUID))
        self.assertEqual(self.json("domstate", "web"), {"state": "running", "reason": "booted"})
        self.assertEqual(self.json("domblklist", "web"),
                         [{"type": "file", "device": "disk", "target": "vda", "source": self.disk}])
        info = self.json("dominfo", "web")
        self.assertEqual((info["name"], info["uuid"], info["id"], info["state"], info["memory_kib"], info["persistent"],
                          info["autostart"]), ("web", UUID, 1, "running", 65536, True, False))

    def test_lists(self):
        self.virsh("start", "web")
        self.virsh("create", "FILE", xml=self.xml(name="above", uuid=UUID.replace("6f", "8f"), devices=""))
        self.virsh("suspend", "above")
        self.virsh("autostart", "another")
        for words in ([], ["--all"], ["--inactive"], ["--all", "--name"], ["--all", "--uuid"], ["--all", "--id"],
                      ["--all", "--uuid", "--name"], ["--all", "--uuid", "--name", "--id"], ["--all", "--id", "--name"],
                      ["--all", "--table"], ["--all", "--title"], ["--persistent"],
                      ["--transient"], ["--all", "--autostart"], ["--all", "--no-autostart"], ["--state-running"],
                      ["--all", "--state-paused"], ["--all", "--state-shutoff"], ["--all", "--state-other"],
                      ["--table", "--name"]):
            with self.subTest(words=words):
                self.alike("list", *words)
        self.assertEqual([(g["name"], g["id"], g["title"]) for g in self.json("list", "--all")],
                         [("web", 1, "A title"), ("above", 2, None), ("another", None, None)])

    def test_life(self):
        transient = self.file("t.xml", self.xml(name="passing", uuid=UUID.replace("6f", "8f"), devices="").encode())
        bad = self.file("bad.xml", b"<domain/>")
        for words, undo in (
                (["start", "web"], ["destroy", "web"]), (["start", "web"], None), (["suspend", "web"], ["resume", "web"]),
                (["suspend", "web"], None), (["resume", "web"], ["suspend", "web"]), (["reset", "web"], None),
                (["shutdown", "web"], ["start", "web"]), (["destroy", "another"], None), (["start", "nobody"], None),
                (["create", transient], ["destroy", "passing"]), (["create", transient, "--validate"], None),
                (["create", bad], None), (["define", bad], None), (["define", "/nowhere"], None),
                (["destroy", "passing"], ["create", transient]), (["autostart", "web"], None), (["autostart", "web", "--disable"], None),
                (["autostart", "nobody"], None), (["undefine", "nobody"], None), (["reboot", "another"], None)):
            with self.subTest(words=words):
                self.alike(*words, undo=undo)

    def test_edit(self):
        def editor(script):
            return {"EDITOR": "sed -i '%s'" % script, "VISUAL": "sed -i '%s'" % script}
        for script, said in (("s/A title/A new title/", "edited"), ("s/nothing/else/", "not changed")):
            virsh = sh("virsh", "-c", self.netd.uri(), "edit", "another", env=editor(script.replace("A t", "a t")))
            self.assertIn("not changed", virsh.stdout)
            own = sh(NETDCTL, "-c", self.netd.uri(), "edit", "web", env=editor(script))
            self.assertEqual((own.stdout, own.stderr),
                             (virsh.stdout.replace("another", "web").replace("not changed", said), virsh.stderr))
        self.assertIn("A new title", self.virsh("dumpxml", "web").stdout)
        done = sh(NETDCTL, "-c", self.netd.uri(), "edit", "web", env=editor("s/<os>/<bogus><os>/"), check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("error: ", done.stderr)
        self.assertNotIn("bogus", self.virsh("dumpxml", "web").stdout)


class Console(Verbs):
    """At a terminal, of both clients."""

    def setUp(self):
        super().setUp()
        self.define(devices="<console type='pty'/>")

    def clients(self):
        return [["virsh", "-c", self.netd.uri()], [NETDCTL, "-c", self.netd.uri()]]

    def both(self, *words):
        """One after the other."""
        return (Terminal(*client, *words) for client in self.clients())

    def without_agent(self, text):
        """virsh at a terminal would have polkit's agent."""
        return re.sub("^Authorization not available.*\n", "", text)

    def test_what_is_typed_reaches_the_guest_until_the_escape_key(self):
        self.virsh("start", "web")
        seen = []
        for t in self.both("console", "web"):
            text = self.without_agent(t.expect("Escape character is ^] (Ctrl + ])\r\n"))
            t.await_raw()
            t.type("hello\r")
            t.expect("HELLO\r")
            t.type("\x03\x1a")	# the guest's, not ours
            t.expect("\x03\x1a")
            t.type("\x1d")
            seen.append((text, t.end()))
        self.assertEqual(seen[0], seen[1])
        self.assertEqual(seen[1], ("Connected to domain 'web'\r\n", ("\r\n", 0)))
        self.assertEqual(self.state(), "running (booted)")

    def test_it_ends_with_the_guest(self):
        for client in self.clients():
            self.virsh("start", "web")
            t = Terminal(*client, "console", "web")
            t.expect("Escape")
            t.await_raw()
            t.type("off\r")
            self.assertEqual(t.end()[1], 0)
            self.await_state("shut off (shutdown)")

    def test_one_at_a_time_and_by_force(self):
        self.virsh("start", "web")
        first = Terminal(NETDCTL, "-c", self.netd.uri(), "console", "web", "--safe")
        first.expect("Escape")
        for t in self.both("console", "web"):
            text, status = t.end()
            self.assertIn("Active console session exists for this domain", text)
            self.assertEqual(status, 1)
        second = Terminal(NETDCTL, "-c", self.netd.uri(), "console", "web", "--force", "--devname", "serial0")
        second.expect("Escape")
        text, status = first.end()
        self.assertIn("another client took the console", text)
        self.assertEqual(status, 1)
        second.type("\x1d")
        self.assertEqual(second.end()[1], 0)

    def test_it_needs_a_running_guest_and_a_terminal(self):
        for t in self.both("console", "web"):
            text, status = t.end()
            self.assertEqual((self.without_agent(text), status), ("error: The domain is not running\r\n\r\n", 1))
        self.virsh("start", "web")
        self.alike("console", "web")
        self.alike("console", "nobody")
        t = Terminal(NETDCTL, "-c", self.netd.uri(), "console", "web", "--devname", "serial7")
        self.assertIn("cannot find console device 'serial7'", t.end()[0])

    def test_start_with_a_console_misses_nothing(self):
        t = Terminal(NETDCTL, "-c", self.netd.uri(), "-e", "^X", "start", "web", "--console")
        t.expect("Domain 'web' started\r\nConnected to domain 'web'\r\nEscape character is ^X (Ctrl + X)\r\n")
        t.expect("booted 1")
        t.type("\x18")
        self.assertEqual(t.end()[1], 0)
        self.assertEqual(self.state(), "running (unpaused)")

    def test_a_terminal_is_as_before_when_the_daemon_dies(self):
        self.virsh("start", "web")
        t = Terminal("sh", "-c", '"$@"; stty -a | grep -o "[-]*icanon"', "sh", NETDCTL, "-c", self.netd.uri(),
                     "console", "web")
        t.expect("Escape")
        t.type("x")
        t.expect("X")
        self.netd.kill()
        t.expect("error: the connection to the daemon is broken")
        self.assertEqual(t.end()[0].split()[-1], "icanon")
        self.netd.start()


class Run(Verbs):
    def setUp(self):
        super().setUp()
        self.netd.define(nat_xml())
        self.initrd = self.file("initrd", b"i" * 512)
        self.disk = self.file("disk", b"\0" * 4096)

    def words(self, *more):
        return [NETDCTL, "-c", self.netd.uri(), "run", "--kernel", self.kernel, "--initrd", self.initrd,
                "--network", "default", *more]

    def test_a_guest_in_one_line_ends_when_its_console_is_left(self):
        self.netd.define(nat_xml("second", "virbr1", 123))
        t = Terminal(*self.words("--network", "second", "--disk", self.disk, "--disk", self.kernel + ":ro",
                                 "-m", "64", "-c", "2", "--name", "one", "--append", "quiet a='b'"))
        t.expect("Connected to domain 'one'")
        t.expect("booted 1")
        t.type("nics\r")
        t.expect("nic net1 up")
        xml = self.virsh("dumpxml", "one").stdout
        for wanted in ("<memory unit='KiB'>65536<", "<vcpu placement='static'>2<", "<kernel>%s<" % self.kernel,
                       "<initrd>%s<" % self.initrd, "<cmdline>console=ttyS0 quiet a=", "network='second'",
                       "<source file='%s'/>" % self.disk, "<readonly/>", "dev='vdb'"):
            self.assertIn(wanted, xml)
        self.assertIn("Persistent:     no", self.virsh("dominfo", "one").stdout)
        t.type("\x1d")
        text, status = t.end()
        self.assertIn("Domain 'one' destroyed", text)
        self.assertEqual(status, 0)
        self.nothing_is_left()

    def test_the_exit_status_says_how_it_ended(self):
        for typed, status, said in (("off", 0, ""), ("crash", 1, "crashed")):
            t = Terminal(*self.words())
            t.expect("booted 1")
            t.type("reset\r")
            t.expect("booted 2")
            t.type(typed + "\r")
            text, got = t.end()
            self.assertEqual((got, said in text), (status, True), text)
            self.nothing_is_left()
        t = Terminal(*self.words("--name", "one"))
        t.expect("booted 1")
        self.virsh("destroy", "one")
        text, status = t.end()
        self.assertIn("error: Domain 'one' was destroyed", text)
        self.assertEqual(status, 1)

    def test_a_signal_or_a_hangup_ends_the_guest_too(self):
        for sig in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            t = Terminal(*self.words())
            t.expect("booted 1")
            os.kill(t.pid, sig)
            self.assertEqual(t.end()[1], 1)
            self.nothing_is_left()
        t = Terminal(*self.words())
        t.expect("booted 1")
        os.close(t.fd)
        os.waitpid(t.pid, 0)
        self.nothing_is_left()

    def test_a_reboot_by_others_keeps_the_console(self):
        t = Terminal(*self.words("--name", "one"))
        t.expect("booted 1")
        self.virsh("reboot", "one")
        t.expect("booted 1")		# another process
        t.type("off\r")
        self.assertEqual(t.end()[1], 0)

    def test_without_a_terminal_it_is_a_pipe(self):
        done = sh(*self.words("--name", "one"), input="off\r")
        self.assertEqual(done.stdout, "booted 1\nOFF\n")
        self.nothing_is_left()

    def test_a_console_taken_by_force_leaves_the_guest_running(self):
        t = Terminal(*self.words("--name", "one"))
        t.expect("booted 1")
        other = Terminal("virsh", "-c", self.netd.uri(), "console", "one", "--force")
        other.expect("Escape")
        text, status = t.end()
        self.assertIn("Lost the console of domain 'one', which runs on", text)
        self.assertEqual(status, 1)
        self.assertEqual(self.state("one"), "running (unpaused)")
        other.type("\x1d")
        other.end()

    def test_detached(self):
        name = sh(*self.words("--detach")).stdout.strip()
        self.assertRegex(name, "^run-[0-9a-f]{8}$")
        self.assertEqual(self.state(name), "running (booted)")
        made = json.loads(sh(*self.words("-d", "--json", "--name", "two")).stdout)
        self.assertEqual((made["name"], made["uuid"]), ("two", self.virsh("domuuid", "two").stdout.strip()))

    def test_relative_paths_are_the_callers(self):
        done = subprocess.run([NETDCTL, "-c", self.netd.uri(), "run", "--kernel", "kernel", "--detach"],
                              cwd=self.netd.root, capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_what_is_wrong_is_said_and_leaves_nothing(self):
        for more, said in ((["--network", "nowhere"], "no network with matching name 'nowhere'"),
                           (["--disk", "/nowhere"], "cannot open the disk '/nowhere'"),
                           (["-m", "1"], "memory"), (["-c", "0"], "vcpu"), (["-m", "x"], "malformed"),
                           (["--append", "fail=start"], "as told, no start"),
                           (["--json"], "requires option --detach")):
            done = sh(*self.words(*more), check=False)
            self.assertEqual(done.returncode, 1)
            self.assertIn(said, done.stderr)
            self.nothing_is_left()


netdtest.main()
