#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Guests' macvtaps that a switch must know first: 802.1Qbg by lldpad, 802.1Qbh by the device's driver.

Most tests have a program of their own for lldpad, one two real ones, of which the second is the switch."""
import os
import shutil
import signal
import sys
import threading
import unittest

import netdtest
from guesttest import MAC, NIC, Guests
from netdtest import sh, spawn, wait_for
from profiletest import ASSOCIATE, DISASSOCIATE, Lldpad
from test_macvtap import has_nodes

INSTANCE = "0b6f9d1c-2a37-4f0e-9a54-8d6b1f0c7e21"
QBG = """<virtualport type='802.1Qbg'><parameters managerid='11' typeid='0x10203' typeidversion='4'
    instanceid='%s'/></virtualport>""" % INSTANCE
QBH = "<virtualport type='802.1Qbh'><parameters profileid='gold'/></virtualport>"
DIRECT = "<interface type='direct'><mac address='%s'/><source dev='%s' mode='%s'/>%s</interface>"
LLDPAD = """dcbx : { version = "1.0"; dcbx_version = 2; };
nearest_customer_bridge : { %s : { adminStatus = 3; tlvid0080c20d : { enableTx = true; evbmode = "%s";
    evbrrreq = true; evbrrcap = true; evbgpid = false; ecpretries = 3; ecprte = 14; vdprwd = 20; vdprka = 20; }; }; };
"""


class Direct(Guests):
    def setUp(self):
        super().setUp()
        self.pid_file = self.netd.root + "/run/lldpad.pid"
        sh("ip", "netns", "add", "switch")
        self.addCleanup(sh, "ip", "netns", "del", "switch")
        sh("ip", "link", "add", "lower7", "type", "veth", "peer", "name", "far7", "netns", "switch")
        sh("ip", "link", "set", "lower7", "up")
        sh("ip", "link", "set", "far7", "up", ns="switch")

    def guest(self, profile=QBG, dev="lower7", mode="vepa", mac=MAC):
        self.define(devices=DIRECT % (mac, dev, mode, profile))

    def lldpad(self, **kw):
        return Lldpad(self.pid_file, **kw)

    def is_up(self):
        return "<BROADCAST,MULTICAST,UP" in sh("ip", "link", "show", "macvtap0").stdout


class Qbg(Direct):
    def test_the_switch_knows_a_guest_before_it_can_send_and_until_it_ends(self):
        lldpad = self.lldpad(responses=[None] * 5 + [0])
        self.guest()
        starting = threading.Thread(target=self.virsh, args=("start", "web"))
        starting.start()
        wait_for("the request", lambda: lldpad.requests)
        self.assertFalse(self.is_up())
        starting.join()
        self.assertTrue(self.is_up())
        first = lldpad.requests[0]
        self.assertEqual((first.ifname, first.mac, first.vlan, first.vsi, first.instance.hex(), first.request),
                         ("lower7", MAC, 0, (11, 0x10203, 4), INSTANCE.replace("-", ""), ASSOCIATE))
        self.assertEqual(len(lldpad.requests), 1)
        self.netd.restart()
        self.assertEqual(len(lldpad.requests), 1)
        self.virsh("destroy", "web")
        self.assertEqual([r.request for r in lldpad.requests], [ASSOCIATE, DISASSOCIATE])
        self.assertEqual(lldpad.requests[1].instance, first.instance)
        self.nothing_is_left()

    def test_a_vlan_device_says_the_vlan(self):
        done = sh("ip", "link", "add", "link", "lower7", "name", "tagged7", "type", "vlan", "id", "42", check=False)
        if done.returncode != 0:
            self.skipTest("this kernel has no VLAN devices")
        sh("ip", "link", "set", "tagged7", "up")
        lldpad = self.lldpad()
        self.guest(dev="tagged7")
        self.virsh("start", "web")
        self.assertEqual((lldpad.requests[0].ifname, lldpad.requests[0].vlan), ("lower7", 42))
        self.virsh("destroy", "web")

    def test_a_guest_without_an_id_keeps_the_one_that_it_was_given(self):
        lldpad = self.lldpad()
        self.guest(profile=QBG.replace("instanceid='%s'" % INSTANCE, ""))
        for _ in range(2):
            self.virsh("start", "web")
            self.virsh("destroy", "web")
        ids = {r.instance for r in lldpad.requests}
        self.assertEqual(len(ids), 1)
        self.assertNotEqual(ids, {bytes(16)})

    def test_what_the_switch_refuses_does_not_start(self):
        lldpad = self.lldpad(responses=[None, 3])
        self.guest()
        error = self.error("start", "web")
        self.assertIn("<virtualport> (line 7): the switch at 'lower7' refuses the guest: it does not know the typeid "
                      "(response 3)", error)
        self.assertEqual([r.request for r in lldpad.requests], [ASSOCIATE, DISASSOCIATE])
        self.nothing_is_left()

    def test_what_lldpad_refuses_does_not_start(self):
        self.guest()
        self.assertIn("<virtualport> (line 7): cannot read '%s' (802.1Qbg needs lldpad: does it run?)" % self.pid_file,
                      self.error("start", "web"))
        self.nothing_is_left()
        with open(self.pid_file, "w") as f:
            f.write("12\n")
        self.assertIn("lldpad is not there (no process 12 in this network namespace listens)",
                      self.error("start", "web"))
        with open(self.pid_file, "w") as f:
            f.write("twelve\n")
        self.assertIn("'%s' holds no process id" % self.pid_file, self.error("start", "web"))
        self.nothing_is_left()
        self.lldpad(refusal=93)
        self.assertIn("lldpad has found no 802.1Qbg switch at 'lower7'", self.error("start", "web"))
        lldpad = self.lldpad(refusal=95)
        self.assertIn("lldpad cannot associate a guest on 'lower7': Operation not supported",
                      self.error("start", "web"))
        self.assertEqual([r.request for r in lldpad.requests], [ASSOCIATE])
        self.assertNotIn("may still know", self.netd.log())
        self.nothing_is_left()

    def test_nobody_else_waits_for_a_switch_that_says_nothing(self):
        self.netd.define("""<network><name>default</name><bridge name='virbr7'/>
            <ip address='10.77.0.1' netmask='255.255.255.0'/></network>""")
        for silence, who in ((dict(responses=[None]), "the switch"), (dict(silent=True), "lldpad")):
            self.lldpad(**silence)
            self.guest()
            said = []
            starting = threading.Thread(target=lambda: said.append(self.error("start", "web")))
            starting.start()
            wait_for("the device", self.taps)
            self.virsh("define", "FILE", xml=self.xml("other", NIC % "52:54:00:00:00:02",
                                                      uuid="6f3c8d7e-0a1b-4c2d-8e3f-405162738496"))
            self.virsh("start", "other")
            self.virsh("destroy", "other")
            self.assertTrue(starting.is_alive())
            starting.join()
            self.assertIn("<virtualport> (line 7): %s has not answered for 'lower7' within 10 s" % who, said[0])
            self.nothing_is_left()

    def test_a_start_that_was_cut_off_is_taken_back(self):
        lldpad = self.lldpad(responses=[None])
        self.guest()
        starting = threading.Thread(target=self.virsh, args=("start", "web"), kwargs={"check": False})
        starting.start()
        wait_for("the request", lambda: lldpad.requests)
        self.netd.kill()
        starting.join()
        self.netd.start()
        wait_for("its end", lambda: len(lldpad.requests) == 2)
        self.assertEqual(lldpad.requests[1].request, DISASSOCIATE)
        wait_for("the rest", lambda: not self.taps() and not self.live_files())
        self.nothing_is_left()

    def test_an_attach_that_was_cut_off_is_taken_back(self):
        lldpad = self.lldpad(responses=[None])
        self.define(devices="")
        self.virsh("start", "web")
        attaching = threading.Thread(target=self.virsh, args=("attach-device", "web", "FILE", "--live"),
                                     kwargs={"check": False, "xml": DIRECT % (MAC, "lower7", "vepa", QBG)})
        attaching.start()
        wait_for("the request", lambda: lldpad.requests)
        self.netd.kill()
        attaching.join()
        self.netd.start()
        wait_for("its end", lambda: [r.request for r in lldpad.requests] == [ASSOCIATE, DISASSOCIATE])
        wait_for("the rest", lambda: not self.taps() and "lower7" not in self.virsh("dumpxml", "web").stdout)
        self.virsh("destroy", "web")
        self.nothing_is_left()

    def test_a_guest_that_dies_is_forgotten_by_the_switch(self):
        lldpad = self.lldpad()
        self.guest()
        self.virsh("start", "web")
        self.netd.kill()
        os.kill(self.pids()[0], signal.SIGKILL)
        self.netd.start()
        wait_for("its end", lambda: [r.request for r in lldpad.requests] == [ASSOCIATE, DISASSOCIATE])
        wait_for("the rest", lambda: not self.taps() and not self.live_files())
        self.nothing_is_left()

    def test_an_interface_comes_and_goes(self):
        lldpad = self.lldpad()
        self.define(devices="")
        self.virsh("start", "web")
        nic = DIRECT % (MAC, "lower7", "vepa", QBG)
        self.virsh("attach-device", "web", "FILE", "--live", xml=nic)
        self.assertTrue(self.is_up())
        self.assertIn("cannot modify network device virtualport while the guest runs",
                      self.error("update-device", "web", "FILE", "--live", xml=nic.replace("0x10203", "0x10204")))
        self.virsh("detach-device", "web", "FILE", "--live", xml=nic)
        wait_for("it to go", lambda: not self.taps())
        self.assertEqual([r.request for r in lldpad.requests], [ASSOCIATE, DISASSOCIATE])
        lldpad.responses = [3]
        self.assertIn("it does not know the typeid",
                      self.error("attach-device", "web", "FILE", "--live", xml=nic))
        self.assertEqual(self.taps(), [])
        self.assertEqual([r.request for r in lldpad.requests], [ASSOCIATE, DISASSOCIATE] * 2)
        self.assertNotIn("lower7", self.virsh("dumpxml", "web").stdout)
        self.virsh("destroy", "web")
        self.nothing_is_left()

    def test_a_guest_that_lldpad_has_forgotten_ends(self):
        lldpad = self.lldpad()
        self.guest()
        self.virsh("start", "web")
        lldpad.refusal = 22
        self.virsh("destroy", "web")
        self.assertNotIn("may still know", self.netd.log())
        self.virsh("start", "web", check=False)
        lldpad.refusal = 0
        self.virsh("start", "web")
        lldpad.refusal = 1
        self.virsh("destroy", "web")
        self.assertIn("may still know interface net0: lldpad cannot disassociate a guest on 'lower7': Operation not "
                      "permitted", self.netd.log())
        self.nothing_is_left()

    def test_a_guest_ends_without_lldpad(self):
        self.lldpad()
        self.guest()
        self.virsh("start", "web")
        with open(self.pid_file, "w") as f:
            f.write("12\n")
        self.virsh("destroy", "web")
        self.assertIn("the switch at 'lower7' may still know interface net0", self.netd.log())
        self.nothing_is_left()


class Qbh(Direct):
    def test_a_device_without_port_profiles(self):
        for mode in ("vepa", "private", "passthrough"):
            self.guest(profile=QBH, mode=mode)
            self.assertIn("<virtualport> (line 7): the device's driver cannot associate a guest on 'lower7': "
                          "Operation not supported", self.error("start", "web"))
            self.nothing_is_left()


@unittest.skipUnless(shutil.which("lldpad"), "lldpad is not installed")
class RealLldpad(Direct):
    def run_lldpad(self, dev, role, ns=None, apart=()):
        config = self.netd.root + "/%s.conf" % role
        with open(config, "w") as f:
            f.write(LLDPAD % (dev, role))
        log = open(self.netd.root + "/%s.log" % role, "wb")
        process = spawn("unshare", "--ipc", *apart, "lldpad", "-p", "-V", "7", "-f", config, ns=ns, stdout=log,
                        stderr=log)
        log.close()
        self.addCleanup(process.wait, 10)
        self.addCleanup(process.kill)
        return process

    def switch_knows(self):
        with open(self.netd.root + "/bridge.log", errors="replace") as f:
            return f.read()

    def test_two_of_them_agree(self):
        for ns in (None, "switch"):
            sh("ip", "link", "set", "lo", "up", ns=ns)
        station = self.run_lldpad("lower7", "station")
        # Another process namespace, as it will not run twice in one.
        self.run_lldpad("far7", "bridge", "switch", ("--pid", "--fork", "--kill-child"))
        with open(self.pid_file, "w") as f:
            f.write("%d\n" % station.pid)
        self.guest()
        wait_for("lldpad and the switch to find each other",
                 lambda: self.virsh("start", "web", check=False).returncode == 0, timeout=60, step=1)
        self.assertIn(INSTANCE.replace("-", "")[:8], self.switch_knows().replace("-", "").replace(" ", ""))
        self.virsh("destroy", "web")
        self.assertNotIn("may still know", self.netd.log())
        self.nothing_is_left()


if __name__ == "__main__":
    if os.environ.get("NETD_TEST_INSIDE") and not has_nodes():
        print("no device nodes of macvtaps here")
        sys.exit(77)
    netdtest.main()
