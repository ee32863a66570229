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

    def alike(self, *words, undo=None, settle=None):
        """Both clients say the same, and end the same way; `undo` (a virsh command) and `settle` come between them."""
        virsh = self.told(self.netd.virsh, *words)
        if undo:
            wait_for(undo, lambda: self.netd.virsh(*undo, check=False).returncode == 0)	# a shutdown takes its time
        if settle:
            settle()
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
                          ["dumpxml"], ["dumpxml", "--inactive"],
                          ["dumpxml", "--update-cpu", "--security-info"], ["dumpxml", "--migratable"], ["domblklist"], ["domblklist", "--details"],
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

    def test_numbers(self):
        self.netd.define(nat_xml())
        self.define(devices=NIC % MAC)
        self.virsh("start", "web")

        def said(client, *words):
            out, err, status = self.told(client, *words)
            return re.sub(r"(?m)^(  [\w.-]*(time|user|system|bytes|pkts|rss)\w*)=\d+", r"\1=N", out), err, status
        for words in ([], ["web"], ["another", "web"], ["--state"], ["--interface", "web"], ["--vcpu", "--balloon"],
                      ["--cpu-total"], ["--block"], ["nobody"], ["--list-inactive"], ["--list-running", "--state"],
                      ["--state", "--enforce"]):
            with self.subTest(words=words):
                self.assertEqual(said(self.ctl, "domstats", *words), said(self.netd.virsh, "domstats", *words))

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
        another = self.file("a.xml", self.xml(name="another", uuid=UUID.replace("6f", "7f"), devices="").encode())
        for words, undo in (
                (["start", "web"], ["destroy", "web"]), (["start", "web"], None), (["suspend", "web"], ["resume", "web"]),
                (["suspend", "web"], None), (["resume", "web"], ["suspend", "web"]), (["reset", "web"], None),
                (["shutdown", "web"], ["start", "web"]), (["destroy", "another"], None), (["start", "nobody"], None),
                (["create", transient], ["destroy", "passing"]), (["create", transient, "--validate"], None),
                (["create", bad], None), (["define", bad], None), (["define", "/nowhere"], None),
                (["destroy", "passing"], ["create", transient]), (["autostart", "web"], None), (["autostart", "web", "--disable"], None),
                (["shutdown", "web", "--mode", "bogus"], None), (["shutdown", "web", "--mode", "acpi,agent"], None),
                (["start", "another", "--force-boot"], ["destroy", "another"]), (["destroy", "another"], ["start", "another"]),
                (["start", "another", "--bypass-cache"], ["destroy", "another"]),
                (["shutdown", "another", "--mode", "acpi"], ["start", "another"]),
                (["reboot", "nobody", "--mode", "acpi"], None),
                (["reboot", "web", "--mode", "acpi,"], None), (["reboot", "web", "--mode", "signal"], None),
                (["undefine", "web", "--nvram", "--keep-nvram"], None),
                (["undefine", "another", "--nvram", "--managed-save"], ["define", another]),
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


class Interfaces(Verbs):
    """A guest's NICs and how they come and go, in virsh's words."""

    NEW = "52:54:00:00:00:09"

    def setUp(self):
        super().setUp()
        self.netd.define(nat_xml())
        self.define()
        self.virsh("define", "FILE", xml=self.xml(name="another", uuid=UUID.replace("6f", "7f"), devices=""))
        self.virsh("start", "web")
        self.nic = self.file("nic.xml", (NIC % self.NEW).encode())

    def test_what_there_is(self):
        guest = self.guest("virbr0", mac=MAC)	# the lease is the MAC's
        address = guest.udhcpc()["ip"]
        for words in (["domiflist", "web"], ["domiflist", "web", "--inactive"], ["domiflist", "another"],
                      ["domiflist", "nobody"], ["domifaddr", "web"], ["domifaddr", "web", "--full"],
                      ["domifaddr", "web", "--interface", "vnet0"], ["domifaddr", "web", "--interface", "vnet7"],
                      ["domifaddr", "web", "--source", "lease"], ["domifaddr", "web", "--source", "arp"],
                      ["domifaddr", "web", "--source", "bogus"], ["domifaddr", "another"],
                      ["domifstat", "web", "vnet7"], ["domifstat", "another", "vnet0"], ["domifstat", "nobody", "x"],
                      ["domif-getlink", "web", "vnet0"], ["domif-getlink", "web", MAC],
                      ["domif-getlink", "web", "vnet7"], ["domif-getlink", "web", self.NEW],
                      ["domif-getlink", "web", MAC, "--config"], ["domif-getlink", "web", "vnet0", "--config"],
                      ["domif-getlink", "another", "vnet0"]):
            with self.subTest(words=words):
                self.alike(*words)
        self.assertIn(address, self.ctl("domifaddr", "web").stdout)
        names = lambda text: [line.split()[:2] for line in text.splitlines()]
        for device in ("vnet0", MAC):	# the numbers grow meanwhile
            self.assertEqual(names(self.ctl("domifstat", "web", device).stdout),
                             names(self.netd.virsh("domifstat", "web", device).stdout))
        self.assertEqual(self.json("domiflist", "web"), [{"interface": "vnet0", "type": "network", "source": "default",
                                                          "model": "virtio", "mac": MAC}])
        self.assertEqual(self.json("domifaddr", "web"), [{"interface": "vnet0", "mac": MAC, "addresses": [
            {"protocol": "ipv4", "address": address, "prefix": 24}]}])
        self.assertEqual(self.json("domif-getlink", "web", "vnet0"), {"interface": "vnet0", "state": "up"})
        self.assertGreaterEqual(self.json("domifstat", "web", "vnet0")["tx_errs"], 0)

    def gone(self):
        """The guest has let go of the interface that was detached."""
        wait_for("the interface to go", lambda: self.NEW not in self.virsh("dumpxml", "web").stdout)

    def test_links(self):
        printed = ["domif-setlink", "web", "vnet0", "down", "--print-xml"]
        self.assertEqual(re.sub(r"\s+<", "<", self.ctl(*printed).stdout),	# virsh's new element stands in no line
                         re.sub(r"\s+<", "<", self.netd.virsh(*printed).stdout))
        for words in (["web", "vnet0", "sideways"], ["web", "vnet0", "down"],
                      ["web", MAC, "up", "--print-xml"], ["web", MAC, "up"], ["web", MAC, "down", "--config"],
                      ["web", "vnet7", "down"], ["web", self.NEW, "down"], ["another", "vnet0", "down"],
                      ["nobody", "vnet0", "down"]):
            with self.subTest(words=words):
                self.alike("domif-setlink", *words)
        self.ctl("domif-setlink", "web", "vnet0", "down")
        self.assertIn("<link state='down'/>", self.virsh("dumpxml", "web").stdout)

    def test_attach_and_detach_an_interface(self):
        attach = ["attach-interface", "web", "network", "default", "--mac", self.NEW]
        detach = ["detach-interface", "web", "network", "--mac", self.NEW]
        for affect in ([], ["--live"], ["--config"], ["--live", "--config"], ["--persistent"], ["--current"]):
            with self.subTest(affect=affect):
                self.alike(*attach, *affect, undo=detach + affect, settle=self.gone)
                self.assertEqual("--config" in affect or "--persistent" in affect,
                                 self.NEW in self.virsh("dumpxml", "--inactive", "web").stdout)
                self.assertEqual(affect != ["--config"], self.NEW in self.virsh("dumpxml", "web").stdout)
                self.alike(*detach, *affect, undo=attach + affect)
                self.gone()
                self.assertNotIn(self.NEW, self.virsh("dumpxml", "--inactive", "web").stdout)
        wait_for("the devices to go", lambda: self.taps() == ["vnet0"])
        for words in (["web", "bridge"], ["another", "network"], ["web", "network", "--mac", self.NEW],
                      ["web", "network", "--print-xml"], ["web", "network", "--config", "--print-xml"],
                      ["web", "network", "--persistent", "--current"], ["nobody", "network"]):
            with self.subTest(words=words):
                self.alike("detach-interface", *words)
        self.ctl(*attach)
        self.alike("detach-interface", "web", "network")	# which of them?
        self.alike(*detach, "--persistent")		# its definition has none
        self.assertIn(self.NEW, self.virsh("dumpxml", "web").stdout)

    def test_attach_interface_writes_the_same_document(self):
        for words in (["network", "default"], ["direct", "eth0"], ["ethernet", "eth0"], ["bogus", "x"],
                      ["bridge", "br7", "--mac", self.NEW, "--target", "t7", "--model", "virtio", "--alias", "ua-x",
                       "--script", "/x", "--inbound", "100", "--outbound", "1,2,3"],
                      ["network", "default", "--source-mode", "bridge"],
                      *(["network", "default", "--inbound", rate] for rate in
                        ("1,2,3,4", ",,,5", "1,,3", "1,", "1,2,3,4,5", "1,2x", "1;2", "-1", "99999999999", "x", "0")),
                      *(["network", "default", "--outbound", rate] for rate in ("1,2,3,4", "0,2", ",2", "1,2"))):
            with self.subTest(words=words):
                self.alike("attach-interface", "web", *words, "--print-xml")
        self.assertIn("<source dev='eth0' mode='vepa'/>", self.ctl(
            "attach-interface", "web", "direct", "eth0", "--source-mode", "vepa", "--print-xml").stdout)
        self.assertIn("network='a&apos;b&lt;'", self.ctl(
            "attach-interface", "web", "network", "a'b<", "--print-xml").stdout.replace("&#39;", "&apos;"))
        for words in (["web", "network", "nowhere"], ["another", "network", "default"],
                      ["another", "network", "default", "--live"], ["nobody", "network", "default"],
                      *(["web", "network", "default", "--current", other] for other in
                        ("--live", "--config", "--persistent"))):
            with self.subTest(words=words):
                self.alike("attach-interface", *words)

    def test_devices_from_files(self):
        down = self.file("down.xml", (NIC % self.NEW).replace("</interface>", "<link state='down'/></interface>").encode())
        for affect in ([], ["--live"], ["--config"], ["--persistent"]):
            with self.subTest(affect=affect):
                self.alike("attach-device", "web", self.nic, *affect, undo=["detach-device", "web", self.nic, *affect],
                           settle=self.gone)
                self.alike("update-device", "web", down, *affect)
                self.assertIn("<link state='down'/>", self.virsh("dumpxml", "web", *(["--inactive"] if "--config" in affect
                                                                                    else [])).stdout)
                self.alike("update-device", "web", self.nic, "--force", *affect)
                self.alike("detach-device", "web", self.nic, *affect, undo=["attach-device", "web", self.nic, *affect])
                self.gone()
        for words in (["detach-device", "web", self.nic], ["update-device", "web", self.nic],
                      ["attach-device", "web", "/nowhere"], ["attach-device", "another", self.nic],
                      ["attach-device", "another", self.nic, "--live", "--current"], ["detach-device", "nobody", self.nic],
                      ["attach-device", "web", self.kernel]):
            with self.subTest(words=words):
                self.alike(*words)

    def test_tuning_takes_what_virsh_takes(self):
        for words in (["--inbound", "99999999999"], ["--inbound", "0,1"], ["--outbound", "0,1"],
                      ["--outbound", "1,1,1,1"], ["--inbound", "x"], ["--live", "--current"], [],
                      ["--inbound", "1000,2000,512"], [], ["--inbound", "0"], ["--outbound", "0"], [],
                      ["--config", "--outbound", "100"], ["--config"]):
            with self.subTest(words=words):
                self.alike("domiftune", "web", "vnet0" if "--config" not in words else MAC, *words)
        self.alike("domiftune", "nobody", "vnet0")
        self.alike("domiftune", "web", "vnet7")

    def test_the_next_word_is_proposed(self):
        def propose(*words):
            return self.ctl("complete", "--", *words).stdout.split()
        self.assertEqual(propose("console", ""), ["web"])
        self.assertEqual(propose("start", ""), ["another"])
        self.assertEqual(propose("dominfo", "a"), ["another"])
        self.assertEqual(propose("domifstat", "web", ""), ["vnet0", MAC])
        self.assertEqual(propose("domif-setlink", "web", "vnet0", ""), ["up", "down"])
        self.assertEqual(propose("run", "--network", ""), ["default"])
        self.assertEqual(propose("domstats", "web", "a"), ["another"])
        self.assertEqual(propose("domstats", "--list-o"), ["--list-other"])
        self.assertEqual(propose("attach-interface", "web", "n"), ["network"])


class Events(Verbs):
    def clients(self, *words):
        return [spawn(*client, "-c", self.netd.uri(), "event", *words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                      text=True) for client in (["virsh"], [NETDCTL])]

    def registered(self, *clients):
        """They have connected, and have had the time to register."""
        wait_for("the clients", lambda: all(sh("ss", "-xp").stdout.count("pid=%d," % c.pid) for c in clients))
        time.sleep(0.3)

    def test_all_that_happens_in_a_guest_s_life(self):
        self.netd.define(nat_xml())
        clients = self.clients("--all", "--loop", "--timestamp")
        self.registered(*clients)
        self.define(more="<title>one</title>")
        self.define(more="<title>two</title>")
        for words in ("start", "suspend", "resume", "reset"):
            self.ctl(words, "web")
        nic = self.file("nic.xml", (NIC % "52:54:00:00:00:09").encode())
        self.ctl("attach-device", "web", nic)
        self.ctl("detach-device", "web", nic)
        wait_for("the device's end", lambda: self.taps() == ["vnet0"])
        for words in ("shutdown", "start", "destroy", "undefine"):
            self.ctl(words, "web")
            if words == "shutdown":
                self.await_state("shut off (shutdown)")
        time.sleep(0.3)
        said = []
        for client in clients:
            client.send_signal(signal.SIGINT)
            text = client.communicate(timeout=20)[0]
            self.assertEqual(client.returncode, 0)
            said.append(re.sub(r"(?m)^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}\+0000: ", "", text))
        self.assertEqual(said[1], said[0])
        for wanted in ("event 'lifecycle' for domain 'web': Defined Updated\n", "event 'reboot' for domain 'web'\n",
                       "event 'device-added' for domain 'web': net1\n", "event 'device-removed' for domain 'web': net1\n",
                       "Stopped Destroyed\n", "Undefined Removed\n", "event loop interrupted\nevents received: "):
            self.assertIn(wanted, said[1])

    def test_one_event_of_one_guest(self):
        for name, uuid in (("web", UUID), ("two", UUID.replace("6f", "7f"))):
            self.define(name=name, uuid=uuid, devices="")
        clients = self.clients("--event", "lifecycle", "--domain", "two", "--timeout", "20")
        as_json = spawn(NETDCTL, "-c", self.netd.uri(), "event", "--event", "lifecycle", "--loop", "--timeout", "2",
                        "--json", stdout=subprocess.PIPE, text=True)
        self.registered(*clients, as_json)
        self.ctl("start", "web")
        self.ctl("start", "two")
        virsh, own = (c.communicate(timeout=20)[0] for c in clients)
        self.assertEqual(own, virsh)
        self.assertIn("events received: 1", own)
        told = [json.loads(line) for line in as_json.communicate(timeout=20)[0].splitlines()]
        self.assertIn({"event": "lifecycle", "domain": "web", "uuid": UUID, "what": "Started", "detail": "Booted"}, told)

    def test_what_is_asked_for(self):
        for words in ([], ["--event", "bogus"], ["--event", "lifecycle", "--timeout", "1"], ["--all", "--timeout", "0"],
                      ["--all", "--timeout", "1", "--domain", "nobody"], ["--all", "--event", "lifecycle"],
                      ["--list", "--all"], ["--list", "--event", "lifecycle"]):
            with self.subTest(words=words):
                self.alike("event", *words)
        known = self.json("event", "--list")
        self.assertEqual(known, self.ctl("event", "--list").stdout.split())
        self.assertLess(set(known), set(self.netd.virsh("event", "--list").stdout.split()))


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

    def test_from_the_shell_and_back(self):
        self.virsh("start", "web")
        shell = Terminal(NETDCTL, "-c", self.netd.uri(), env={"HOME": self.netd.root})
        shell.expect("netdctl # ")
        shell.type("console we\t\n")
        shell.expect("Escape character is ^] (Ctrl + ])")
        shell.type("hello\r")
        shell.expect("HELLO")
        shell.type("\x1d")
        shell.expect("netdctl # ")
        shell.type("domstate web\n")
        shell.expect("running")
        shell.type("quit\n")
        self.assertEqual(shell.end()[1], 0)

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

    def test_a_restart_of_netd_leaves_the_guest_running(self):
        t = Terminal(*self.words("--name", "one"))
        t.expect("booted 1")
        self.netd.restart()
        text, status = t.end()
        self.assertIn("Lost the console of domain 'one', which runs on", text)
        self.assertEqual(status, 1)
        self.assertEqual(self.state("one"), "running (unpaused)")
        again = Terminal(NETDCTL, "-c", self.netd.uri(), "console", "one")
        again.expect("Escape")
        again.await_raw()
        again.type("off\r")
        self.assertEqual(again.end()[1], 0)

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
