#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Guests' macvtaps in passthrough on virtual functions (SR-IOV): their MAC and VLAN, and what is put back.

No VF with a device of its own is at hand, so sysfs says of a veth that it is one (profiletest.py). Its PF is netdevsim's,
where the kernel has that module: it has VFs as far as a PF is asked about them."""
import contextlib
import json
import os
import signal
import sys

import netdtest
from guesttest import MAC, Guests
from netdtest import sh, wait_for
from profiletest import make_sysfs
from test_macvtap import has_nodes

DIRECT = "<interface type='direct'><mac address='%s'/><source dev='%s' mode='%s'/>%s</interface>"
VLAN = "<vlan><tag id='42'/></vlan>"
NETDEVSIM = "/sys/bus/netdevsim"


class Vf(Guests):
    def setUp(self):
        super().setUp()
        self.sysfs = self.netd.root + "/sys"
        self.netd.env["NETD_SYSFS"] = self.sysfs
        self.netd.restart()
        sh("ip", "link", "add", "lower7", "type", "veth", "peer", "name", "far7")
        self.addCleanup(sh, "ip", "link", "del", "lower7")
        for name in ("lower7", "far7"):
            sh("ip", "link", "set", name, "up")

    def guest(self, vlan=VLAN, mode="passthrough", **kw):
        self.define(devices=DIRECT % (MAC, "lower7", mode, vlan), **kw)

    def notes(self):
        with contextlib.suppress(FileNotFoundError):
            return os.listdir(self.netd.root + "/run/netd/vfs")
        return []


class Refused(Vf):
    def test_a_device_that_is_no_virtual_function(self):
        self.guest()
        self.assertIn("<vlan> (line 7): 'lower7' is no virtual function (SR-IOV)", self.error("start", "web"))
        self.nothing_is_left()
        self.guest(vlan="")
        self.virsh("start", "web")
        self.virsh("destroy", "web")
        self.nothing_is_left()

    def test_a_physical_function_that_is_elsewhere(self):
        make_sysfs(self.sysfs, "lower7", "pf7", 2)
        os.unlink(self.sysfs + "/devices/0000:01:00.0/net/pf7/dev_port")
        os.rmdir(self.sysfs + "/devices/0000:01:00.0/net/pf7")
        self.guest()
        self.assertIn("the physical function of 'lower7' has no device in this network namespace",
                      self.error("start", "web"))
        self.nothing_is_left()

    def test_a_physical_function_that_has_none(self):
        make_sysfs(self.sysfs, "lower7", "pf7", 2)
        self.guest()
        self.assertIn("there is no device 'pf7'", self.error("start", "web"))
        sh("ip", "link", "add", "pf7", "type", "veth", "peer", "name", "far8")
        self.addCleanup(sh, "ip", "link", "del", "pf7")
        self.assertIn("'pf7' has no virtual function 2", self.error("start", "web"))
        self.assertEqual(self.notes(), [])
        self.nothing_is_left()


def has_netdevsim():
    sh("modprobe", "netdevsim", check=False)
    return os.path.exists(NETDEVSIM)


class Netdevsim:
    """A PF with four VFs, as long as the test runs."""

    def __init__(self, test, number):
        self.write("new_device", "%d 1" % number)
        test.addCleanup(self.write, "del_device", "%d" % number)
        device = "devices/netdevsim%d/" % number
        self.write(device + "sriov_numvfs", "4")
        self.pf = os.listdir(os.path.join(NETDEVSIM, device, "net"))[0]

    def write(self, file, text):
        with open(os.path.join(NETDEVSIM, file), "w") as f:
            f.write(text)

    def vfs(self):
        return json.loads(sh("ip", "-j", "link", "show", self.pf).stdout)[0]["vfinfo_list"]


class Held(Vf):
    """The kernel carries it out."""

    def setUp(self):
        super().setUp()
        if not has_netdevsim():
            self.skipTest("this kernel has no netdevsim")
        self.sim = Netdevsim(self, 7)
        make_sysfs(self.sysfs, "lower7", self.sim.pf, 2)
        self.before = self.vfs()

    def vfs(self):
        return self.sim.vfs()

    def set(self, *what):
        sh("ip", "link", "set", self.sim.pf, "vf", "2", *what)
        self.before = self.vfs()

    def is_held(self, vlan=42):
        vf = self.vfs()[2]
        self.assertEqual((vf["address"], [v["vlan"] for v in vf.get("vlan_list", [{"vlan": 0}])]), (MAC, [vlan]))
        self.assertEqual(self.vfs()[:2] + self.vfs()[3:], self.before[:2] + self.before[3:])
        for name in ("lower7", "macvtap0"):
            self.assertIn(MAC, sh("ip", "link", "show", name).stdout)
        self.assertEqual(self.notes(), ["lower7"])

    def is_back(self):
        wait_for("what it had", lambda: self.vfs() == self.before and self.notes() == [])
        self.nothing_is_left()

    def test_a_guest_has_its_mac_and_tag_while_it_runs(self):
        lower = sh("ip", "link", "show", "lower7").stdout
        self.guest()
        self.virsh("start", "web")
        self.is_held()
        self.netd.restart()
        self.is_held()
        self.virsh("destroy", "web")
        self.is_back()
        self.assertEqual(sh("ip", "link", "show", "lower7").stdout, lower)

    def test_what_it_had_is_put_back(self):
        self.set("mac", "52:54:00:77:77:77", "vlan", "7", "qos", "3")
        self.guest()
        self.virsh("start", "web")
        self.is_held()
        self.virsh("destroy", "web")
        self.is_back()
        self.set("vlan", "8", "qos", "1", "proto", "802.1ad")
        self.virsh("start", "web")
        self.is_held()
        self.virsh("destroy", "web")
        self.is_back()

    def test_without_a_tag_it_keeps_its_own(self):
        self.set("vlan", "7")
        self.guest(vlan="")
        self.virsh("start", "web")
        self.is_held(vlan=7)
        self.virsh("destroy", "web")
        self.is_back()

    def test_other_modes_leave_it_alone(self):
        self.guest(vlan="", mode="bridge")
        self.virsh("start", "web")
        self.assertEqual(self.vfs(), self.before)
        self.virsh("destroy", "web")
        self.nothing_is_left()

    def test_a_failed_start_puts_it_back(self):
        self.define(devices=DIRECT % (MAC, "lower7", "passthrough", VLAN) +
                    "<interface type='bridge'><source bridge='none7'/></interface>")
        self.assertIn("there is no bridge 'none7'", self.error("start", "web"))
        self.is_back()

    def test_another_guest_cannot_take_it(self):
        self.guest()
        self.virsh("start", "web")
        self.virsh("define", "FILE", xml=self.xml("other", DIRECT % ("52:54:00:00:00:02", "lower7", "passthrough",
                                                                     "<vlan><tag id='9'/></vlan>"),
                                                  uuid="6f3c8d7e-0a1b-4c2d-8e3f-405162738496"))
        self.assertIn("make a macvtap on 'lower7'", self.error("start", "other"))
        self.is_held()
        self.virsh("destroy", "web")
        self.is_back()

    def test_a_guest_that_dies_gives_it_back(self):
        self.guest()
        self.virsh("start", "web")
        self.netd.kill()
        os.kill(self.pids()[0], signal.SIGKILL)
        self.is_held()
        self.netd.start()
        wait_for("its end", lambda: not self.taps() and not self.live_files())
        self.is_back()

    def test_an_interface_comes_and_goes(self):
        self.define(devices="")
        self.virsh("start", "web")
        nic = DIRECT % (MAC, "lower7", "passthrough", VLAN)
        self.virsh("attach-device", "web", "FILE", "--live", xml=nic)
        self.is_held()
        self.virsh("detach-device", "web", "FILE", "--live", xml=nic)
        wait_for("it to go", lambda: not self.taps())
        wait_for("what it had", lambda: self.vfs() == self.before)
        self.virsh("destroy", "web")
        self.is_back()


if __name__ == "__main__":
    if os.environ.get("NETD_TEST_INSIDE") and not has_nodes():
        print("no device nodes of macvtaps here")
        sys.exit(77)
    netdtest.main()
