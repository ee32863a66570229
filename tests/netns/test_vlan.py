#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""<vlan> of guests' interfaces on a bridge of the host's. What it does needs a kernel whose bridges filter VLANs: the lab's."""
import json

import netdtest
from guesttest import Guests
from netdtest import sh

NIC = "<interface type='bridge'><source bridge='br7'/><target dev='web%d'/><vlan%s>%s</vlan></interface>"


def tag(id, native=None):
    return "<tag id='%d'%s/>" % (id, " nativeMode='%s'" % native if native else "")


class Vlan(Guests):
    def bridge(self):
        sh("ip", "link", "add", "br7", "type", "bridge")
        sh("ip", "link", "set", "br7", "up")
        if sh("ip", "link", "set", "br7", "type", "bridge", "vlan_filtering", "1", check=False).returncode:
            self.skipTest("this kernel's bridges do not filter VLANs")

    def vlans(self, device):
        shown = json.loads(sh("bridge", "-j", "vlan", "show", "dev", device).stdout)
        return {v["vlan"]: " ".join(sorted(v.get("flags", []))) for port in shown for v in port["vlans"]}

    def test_a_tag_is_the_ports_own_and_a_trunks_stay_in_the_frames(self):
        self.bridge()
        self.define(devices=NIC % (1, "", tag(42)) + NIC % (2, " trunk='yes'", tag(42)) +
                    NIC % (3, "", tag(5) + tag(6, "untagged") + tag(4094)) + NIC % (4, "", tag(7, "tagged") + tag(8)) +
                    "<interface type='bridge'><source bridge='br7'/><target dev='web5'/></interface>")
        self.virsh("start", "web")
        own = "Egress Untagged PVID"
        self.assertEqual([self.vlans("web%d" % n) for n in range(1, 6)],
                         [{42: own}, {42: ""}, {5: "", 6: own, 4094: ""}, {7: "PVID", 8: ""}, {1: own}])
        for n in range(1, 6):
            self.assertRegex(sh("ip", "link", "show", "web%d" % n).stdout, r"[<,]UP[,>].*master br7")
        other = (NIC % (1, "", tag(43)))
        self.assertIn("cannot modify network device vlan while the guest runs",
                      self.error("update-device", "web", "FILE", "--live", xml=other.replace(
                          "<source", "<mac address='%s'/><source" % self.virsh("domiflist", "web").stdout.split()[4])))
        self.virsh("destroy", "web")
        self.nothing_is_left()

    def test_a_bridge_that_does_not_look_at_vlans(self):
        sh("ip", "link", "add", "br7", "type", "bridge")
        self.define(devices=NIC % (1, "", tag(42)))
        self.assertIn("<vlan>: bridge 'br7' does not look at VLANs (vlan_filtering is off)", self.error("start", "web"))
        self.nothing_is_left()

    def test_tags_that_no_frame_can_have(self):
        for id in 0, 4095:
            self.assertIn("<interface> (line 7): <vlan>: on a bridge a tag is 1 to 4094, not %d" % id,
                          self.error("define", "FILE", xml=self.xml(devices=NIC % (1, "", tag(id)))))


netdtest.main()
