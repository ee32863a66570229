#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Commands about guests: virsh and netdctl say the same of libvirt's own daemon, whose test driver makes guests up.

Each connection to it begins with the same guests, so that a line of commands is run by both alone. What netd's own
guests do is compared in tests/netns/test_domain_verbs.py.
"""
import json
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../netns"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import netdtest
from libvirtd import Libvirtd
from netdtest import built, sh

UUID = "6f3c8d7e-0a1b-4c2d-8e3f-405162738495"
NODE = """<node>
  <network>
    <name>default</name>
    <forward mode='nat'/>
    <bridge name='virbr9'/>
    <ip address='192.168.199.1' netmask='255.255.255.0'>
      <dhcp><range start='192.168.199.2' end='192.168.199.9'/></dhcp>
    </ip>
  </network>
  <domain type='test'>
    <name>web</name>
    <uuid>%s</uuid>
    <title>A title</title>
    <memory unit='MiB'>64</memory>
    <vcpu>2</vcpu>
    <os><type>hvm</type></os>
    <devices>
      <disk type='file' device='disk'><source file='/guest/disk'/><target dev='vda'/></disk>
      <disk type='block' device='cdrom'><source dev='/dev/sr0'/><target dev='vdb'/><readonly/></disk>
      <interface type='network'>
        <mac address='52:54:00:00:00:01'/><source network='default'/><target dev='testnet0'/><model type='virtio'/>
      </interface>
      <interface type='bridge'>
        <mac address='52:54:00:00:00:02'/><source bridge='br7'/><target dev='testnet1'/>
        <bandwidth><inbound average='1000' peak='2000' burst='512'/></bandwidth><link state='down'/>
      </interface>
      <console type='pty'/>
    </devices>
  </domain>
</node>
""" % UUID
LINES = [
    "list", "list --all", "list --inactive", "list --title", "list --uuid --id --name", "dominfo web", "dominfo " + UUID,
    "dominfo 1", "dominfo nobody", "domid web; domname 1; domuuid web", "domid 1", "domname web", "domuuid " + UUID,
    "domstate web; domstate web --reason", "domblklist web", "domblklist web --details", "domblklist web --inactive",
    "dumpxml web", "dumpxml web --inactive", "dumpxml web --xpath //interface",
    "domiflist web", "domiflist web --inactive", "domifaddr web", "domifaddr web --full", "domifaddr web --interface testnet0",
    "domifstat web testnet0", "domifstat web nothing",
    "domif-getlink web testnet0", "domif-getlink web testnet1", "domif-getlink web 52:54:00:00:00:02 --config",
    "domif-setlink web testnet0 down",
    "domiftune web testnet0", "domiftune web testnet1", "domiftune web testnet1 --config", "domiftune web nothing",
    "domiftune web testnet0 --inbound 100,200,300; domiftune web testnet0",
    "domiftune web 52:54:00:00:00:02 --outbound 7 --live; domiftune web testnet1",
    "domiftune web testnet1 --inbound 0; domiftune web testnet1", "domiftune web testnet0 --inbound 1,2,3,4",
    "domiftune web testnet0 --inbound 0,1", "domiftune web testnet0 --inbound 4294967296",
    "suspend web; domstate web --reason; suspend web; resume web; domstate web --reason",
    "shutdown web; domstate web --reason; list --all; dominfo web",
    "destroy web; destroy web; start web; list --all", "start web", "reboot web", "reset web",
    "autostart web; list --autostart; autostart web --disable; list --no-autostart",
    "undefine web; list --transient", "destroy web; undefine web; list --all", "undefine nobody",
    "attach-interface web network default", "attach-interface web network default --config",
    "detach-interface web network", "detach-interface web network --config --mac 52:54:00:00:00:01",
    "console nobody", "event --event lifecycle --timeout 1",
]


class Commands(netdtest.TestCase):
    def test_the_same_words_from_both(self):
        libvirtd = Libvirtd()
        self.addCleanup(libvirtd.stop)
        node = os.path.join(self.netd.root, "node.xml")
        with open(node, "w") as f:
            f.write(NODE)
        for line in LINES:
            with self.subTest(line=line):
                self.assertEqual(self.said(built("netd/ctl/netdctl"), "test://%s?socket=%s" % (node, libvirtd.socket), line),
                                 self.said("virsh", "test+unix://%s?socket=%s" % (node, libvirtd.socket), line))

        tuned = sh(built("netd/ctl/netdctl"), "-c", "test://%s?socket=%s" % (node, libvirtd.socket), "domiftune", "web",
                   "testnet1", "--json").stdout
        self.assertEqual({k: v for k, v in json.loads(tuned).items() if v},
                         {"inbound.average": 1000, "inbound.peak": 2000, "inbound.burst": 512})

    def said(self, client, uri, line):
        done = sh(client, "-c", uri, line, check=False)
        # time passes: what the driver makes of it is not compared
        text = re.sub(r"(?m)(CPU time: +)[\d.]+s|( [rt]x_\w+) \d+", r"\1\2N", done.stdout)
        return text, done.stderr, done.returncode


netdtest.main()
