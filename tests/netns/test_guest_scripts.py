#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The <script> and <downscript> of guests' interfaces: what they are given, what their failure means, when they run.

The process behind is fake_vmm: see guesttest.py.
"""
import os
import re
import signal
import time

import netdtest
from guesttest import UUID, Guests
from netdtest import sh, wait_for


class Scripts(Guests):
    NIC = "<interface type='ethernet'><mac address='52:54:00:00:00:0%d'/>%s<target dev='web%d'/>%s</interface>"

    def setUp(self):
        super().setUp()
        os.makedirs(self.netd.root + "/etc/netd", exist_ok=True)
        self.limit(2)
        self.story = self.netd.root + "/story"

    def limit(self, seconds):
        self.file("etc/netd/netd.conf", b"script_timeout_s = %d\n" % seconds)
        self.netd.restart()

    def script(self, name, text="", mode=0o755):
        """A script that first adds a line to the story."""
        path = self.file(name, ("#!/bin/sh\necho %s $# $1 >>%s\n%s\n" % (name, self.story, text)).encode())
        os.chmod(path, mode)
        return path

    def nic(self, n=1, up=None, down=None, more=""):
        return self.NIC % (n, "".join("<%s path='%s'/>" % (e, p) for e, p in (("script", up), ("downscript", down)) if p), n, more)

    def told(self):
        """The lines of the story so far, which begins anew."""
        try:
            with open(self.story) as f:
                lines = f.read().splitlines()
            os.unlink(self.story)
            return lines
        except FileNotFoundError:
            return []

    def processes(self, *words):
        """Whose command line has these words."""
        return sh("pgrep", "-f", " ".join(words), check=False).stdout.split()

    # --- what it is given ---

    def test_it_sees_the_device_and_nothing_of_netd(self):
        look = """#!/usr/bin/python3 -I
import os, subprocess, sys
fds = [n for n in range(1000) if os.path.exists("/proc/self/fd/%%d" %% n)]
status = dict(line.split(":\t", 1) for line in open("/proc/self/status") if line.startswith("Sig"))
print(sys.argv[1:], open("/proc/self/environ").read().strip("\\0"), os.getcwd(), fds, os.readlink("/proc/self/fd/0"), status["SigBlk"].strip("0\\n"),
      [n for n in range(1, 32) if int(status["SigIgn"], 16) >> n - 1 & 1 and n not in (13, 25)],	# Python's own
      os.getsid(0) == os.getpgid(0) == os.getpid(), subprocess.run(["pgrep", "-c", "fake_vmm"], stdout=-1).stdout,
      "192.168.7.1/24" in subprocess.run(["ip", "addr", "show", sys.argv[1]], stdout=-1, text=True).stdout, sep="\\n", file=open(%r, "w"))
""" % (self.netd.root + "/seen")
        up, down = self.file("up", look.encode()), self.script("down")
        os.chmod(up, 0o755)
        self.define(devices=self.nic(1, up, down, "<source><ip address='192.168.7.1' prefix='24'/></source>"))
        self.virsh("start", "web")
        with open(self.netd.root + "/seen") as f:
            seen = f.read().splitlines()
        self.assertEqual(seen, ["['web1']", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "/", "[0, 1, 2]",
                                "/dev/null", "", "[]", "True", "b'0\\n'", "True"])
        shown = self.virsh("dumpxml", "web").stdout
        self.assertIn("<script path='%s'/>\n      <downscript path='%s'/>\n      <target dev='web1'/>" % (up, down), shown)
        self.virsh("reset", "web")
        self.virsh("suspend", "web")
        self.virsh("resume", "web")
        self.assertEqual(self.told(), [])
        self.virsh("destroy", "web")
        self.assertEqual(self.told(), ["down 1 web1"])
        self.nothing_is_left()

    def test_names_that_netd_chose_and_devices_that_stay(self):
        up, down = self.script("up"), self.script("down", 'ip link show "$1" >/dev/null && echo there >>%s' % self.story)
        sh("ip", "tuntap", "add", "web9", "mode", "tap", "vnet_hdr")
        given = self.nic(2, up, down).replace("<target dev='web2'/>", "")
        stays = self.nic(9, up, down).replace("'web9'", "'web9' managed='no'")
        self.define(devices=given + stays)
        self.virsh("start", "web")
        self.assertEqual(self.told(), ["up 1 vnet0", "up 1 web9"])
        self.virsh("reboot", "web")
        wait_for("the second start", lambda: sh("grep", "-c", "^up", self.story, check=False).stdout == "2\n")
        self.await_state("running (booted)")
        name = re.search(r"vnet\d+", self.virsh("domiflist", "web").stdout).group(0)	# perhaps the same again
        self.assertEqual(self.told(), ["down 1 vnet0", "there", "down 1 web9", "there", "up 1 " + name, "up 1 web9"])
        self.virsh("destroy", "web")
        self.assertEqual(self.told(), ["down 1 " + name, "there", "down 1 web9", "there"])
        sh("ip", "link", "del", "web9")
        self.nothing_is_left()

    # --- it fails ---

    def test_one_that_fails_fails_the_start_with_what_it_said(self):
        down = self.script("down")
        good, bad, never = self.script("good"), self.script("bad", "sleep 1000 & echo 'no such\tbridge' >&2; echo giving up; exit 3"), \
            self.script("never")
        self.define(devices=self.nic(1, good, down) + self.nic(2, bad, down) + self.nic(3, never, down))
        for _ in range(2):
            self.assertIn("<script>: '%s' exited with status 3: no such?bridge;giving up" % bad, self.error("start", "web"))
            self.assertEqual(self.told(), ["good 1 web1", "bad 1 web2", "down 1 web1", "down 1 web2"])
            self.assertEqual(self.state(), "shut off (failed)")
            self.nothing_is_left()
        self.assertIn("%s: giving up" % bad, self.netd.log())
        self.assertEqual(self.processes("sleep", "1000"), [])	# what it left in its group

    def test_one_that_is_none_fails_the_start(self):
        node = self.netd.root + "/none"
        plain = self.script("plain", mode=0o644)
        words = self.file("words", b"no program\n")
        os.chmod(words, 0o755)
        for path, why in ((node, "No such file or directory"), (plain, "Permission denied"), (words, "Exec format error"),
                          (self.netd.root, "Permission denied")):
            self.define(devices=self.nic(1, path))
            self.assertIn("<script>: cannot run '%s': %s" % (path, why), self.error("start", "web"))
            self.nothing_is_left()
        self.assertEqual(self.told(), [])

    def test_what_comes_after_it_fails(self):
        up, down = self.script("up"), self.script("down", "exit 1")
        self.define(devices=self.nic(1, up, down), cmdline="fail=start")
        self.assertIn("as told, no start", self.error("start", "web"))
        self.assertEqual(self.told(), ["up 1 web1", "down 1 web1"])
        self.nothing_is_left()
        self.define(devices="", cmdline="fail=nic")
        self.virsh("start", "web")
        self.assertIn("as told, no interface", self.error("attach-device", "web", "FILE", xml=self.nic(1, up, down)))
        self.assertEqual(self.told(), ["up 1 web1", "down 1 web1"])
        self.assertEqual(self.taps(), [])
        self.assertNotIn("web1", self.live_document())
        self.assertIn("device 'web1': <downscript>: '%s' exited with status 1" % down, self.netd.log())

    def live_document(self):
        with open(self.netd.root + "/run/netd/domains/web.xml") as f:
            return f.read()

    def test_one_that_talks_too_much(self):
        up = self.script("up", "head -c 300000 /dev/zero | tr '\\0' x; echo; echo the end; exit 1")
        self.define(devices=self.nic(1, up))
        error = self.error("start", "web")
        self.assertIn("exited with status 1: ...xxx", error)
        self.assertIn("xxx;the end", error)
        self.assertIn("(it said more than 4000 bytes)", self.netd.log())
        self.assertLess(len(max(self.netd.log().splitlines(), key=len)), 5000)

    def test_what_it_leaves_running_runs_on(self):
        up = self.script("up", "sleep 1001 &")
        self.define(devices=self.nic(1, up))
        self.virsh("start", "web")
        left = self.processes("sleep", "1001")
        self.assertEqual(len(left), 1)
        self.virsh("destroy", "web")
        self.assertEqual(self.processes("sleep", "1001"), left)
        os.kill(int(left[0]), signal.SIGKILL)

    # --- it hangs ---

    def test_one_that_hangs_is_killed_and_hinders_nobody(self):
        self.limit(6)
        up = self.script("up", "trap '' TERM; sleep 1002 & sleep 1002; echo never")
        self.define(devices=self.nic(1, up, self.script("down")))
        self.define(name="other", uuid=UUID.replace("6f", "7f"), devices=self.nic(2, self.script("fast")))
        began = time.monotonic()
        starting = netdtest.spawn("virsh", "-c", self.netd.uri(), "start", "web", stderr=netdtest.subprocess.PIPE, text=True)
        wait_for("the script", lambda: self.told() == ["up 1 web1"])
        self.netd.define(netdtest.nat_xml())
        self.virsh("start", "other")
        self.assertEqual(self.told(), ["fast 1 web2"])
        self.virsh("destroy", "other")
        self.assertIsNone(starting.poll())
        error = starting.communicate(timeout=20)[1]
        self.assertIn("<script>: '%s' did not end within 6 s, and was killed" % up, error)
        self.assertGreaterEqual(time.monotonic() - began, 6)
        self.assertEqual(self.processes("sleep", "1002"), [])
        self.assertEqual(self.told(), ["down 1 web1"])
        self.nothing_is_left()

    def test_a_downscript_that_hangs_or_is_gone_keeps_nothing_back(self):
        down = self.script("down", "sleep 1003")
        self.define(devices=self.nic(1, None, down) + self.nic(2, None, self.script("gone")) + self.nic(3, None, self.script("third")))
        self.virsh("start", "web")
        os.unlink(self.netd.root + "/gone")
        self.virsh("destroy", "web")
        self.assertEqual(self.told(), ["down 1 web1", "third 1 web3"])
        self.assertRegex(self.netd.log(), r"device 'web1': <downscript>: '\S+' did not end within 2 s, and was killed\n"
                         r"(?s:.*)device 'web2': <downscript>: cannot run '\S+': No such file or directory")
        self.nothing_is_left()

    # --- while the guest runs ---

    def test_an_interface_comes_and_goes(self):
        up, down = self.script("up"), self.script("down")
        self.define(devices="")
        self.virsh("start", "web")
        self.assertIn("cannot run", self.error("attach-device", "web", "FILE", xml=self.nic(1, self.netd.root + "/none", down)))
        self.assertEqual((self.told(), self.taps()), (["down 1 web1"], []))
        self.virsh("attach-device", "web", "FILE", "--live", xml=self.nic(1, up, down))
        self.assertEqual(self.told(), ["up 1 web1"])
        for a, b in (up, down), (down, up):
            self.assertIn("cannot modify network device %sscript while the guest runs" % ("" if a == up else "down"), self.error(
                "update-device", "web", "FILE", "--live", xml=self.nic(1, up, down).replace("='%s'" % a, "='%s'" % b)))
        self.virsh("attach-device", "web", "FILE", "--config", xml=self.nic(2, up, down))
        self.assertEqual(self.told(), [])
        self.virsh("detach-device", "web", "FILE", "--live", xml=self.nic(1))
        wait_for("it to go", lambda: self.taps() == [])
        self.assertEqual(self.told(), ["down 1 web1"])

    # --- netd is away ---

    def test_a_restart_runs_nothing_and_a_guest_that_died_meanwhile_its_downscript(self):
        self.define(devices=self.nic(1, self.script("up"), self.script("down")))
        self.virsh("start", "web")
        self.told()
        for sig in (signal.SIGTERM, signal.SIGKILL):
            self.netd.restart(sig)
            self.assertEqual((self.state(), self.told()), ("running (booted)", []))
        self.netd.kill()
        os.kill(self.pids()[0], signal.SIGKILL)
        self.netd.start()
        self.await_state("shut off (unknown)")
        wait_for("clean", lambda: self.taps() == [] and self.live_files() == [])
        self.assertEqual(self.told(), ["down 1 web1"])

    def test_netd_is_killed_while_one_runs(self):
        up, down = self.script("up", "sleep 1004"), self.script("down")
        given = self.nic(1, up, down).replace("<target dev='web1'/>", "")
        self.define(devices=given)
        starting = netdtest.spawn("virsh", "-c", self.netd.uri(), "start", "web", stderr=netdtest.subprocess.DEVNULL)
        self.killed_amid(starting)
        wait_for("it to go", lambda: self.taps() == [] and self.live_files() == [])
        self.nothing_is_left()
        self.define(devices="")
        self.virsh("start", "web")
        attaching = netdtest.spawn("virsh", "-c", self.netd.uri(), "attach-device", "web", "--live",
                                   self.file("nic.xml", given.encode()), stderr=netdtest.subprocess.DEVNULL)
        self.killed_amid(attaching)
        self.assertNotIn("vnet", self.virsh("dumpxml", "web").stdout)
        self.assertEqual(len(self.pids()), 1)

    def test_netd_was_killed_before_or_after_the_first_script_began(self):
        """The live file of a start in hand says which; until its device is made, its name may be another one's."""
        self.define(devices=self.nic(1, self.script("up"), self.script("down")))
        live = self.netd.root + "/run/netd/domains/web.xml"
        for reason, ran in (0, []), (1, ["down 1 web1"]):
            self.virsh("start", "web")
            self.netd.kill()
            os.kill(self.pids()[0], signal.SIGKILL)
            sh("sed", "-i", "s/state='.*' reason='.*' pid='[0-9]*'/state='5' reason='%d' pid='0'/" % reason, live)
            self.told()
            self.netd.start()
            wait_for("it to go", lambda: self.taps() == [] and self.live_files() == [])
            self.assertEqual(self.told(), ran)
            self.await_state("shut off (unknown)")

    def killed_amid(self, client):
        wait_for("the script", lambda: self.told() == ["up 1 vnet0"])
        self.netd.kill()
        client.wait()
        self.assertEqual(self.taps(), ["vnet0"])
        for pid in self.processes("sleep", "1004"):
            os.kill(int(pid), signal.SIGKILL)
        self.netd.start()
        wait_for("it to go", lambda: self.taps() == [] and self.told() == ["down 1 vnet0"])


netdtest.main()
