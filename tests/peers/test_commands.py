#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Every net command: virsh and netdctl, on libvirtd and on netd, say the same.

Each step is one command; output, errors and exit code of the four runs are compared byte by byte.
What netd does otherwise on purpose stands in the step, as the change that makes them equal.
"""
import os
import re
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../netns"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import netdtest
from libvirtd import Libvirtd
from netdtest import built, sh

UUID = "3a2a0a80-0f0f-4d4d-8a8a-000000000001"
PORT = "3a2a0a80-0f0f-4d4d-8a8a-0000000000aa"
XML = """<network>
  <name>alpha</name>
  <uuid>%s</uuid>
  <forward mode='nat'/>
  <bridge name='valpha0' stp='off' delay='0'/>
  <mac address='52:54:00:aa:00:01'/>
  <dns>
    <host ip='192.168.211.5'>
      <hostname>five</hostname>
    </host>
  </dns>
  <ip address='192.168.211.1' netmask='255.255.255.0'>
    <dhcp>
      <range start='192.168.211.10' end='192.168.211.99'/>
    </dhcp>
  </ip>
</network>
""" % UUID
SECOND = XML.replace("alpha", "Beta").replace("211", "212").replace("aa:00:01", "aa:00:02").replace(
    "000000000001", "000000000002")
PORT_XML = """<networkport>
  <uuid>%s</uuid>
  <owner>
    <name>guest</name>
    <uuid>3a2a0a80-0f0f-4d4d-8a8a-0000000000bb</uuid>
  </owner>
  <mac address='52:54:00:aa:00:10'/>
</networkport>
""" % PORT
HOST = "<host mac='52:54:00:aa:00:20' name='twenty' ip='192.168.211.20'/>"
FILES = {
    "alpha": XML, "beta": SECOND, "port": PORT_XML,
    "broken": "<network>\n  <name>x</nome>\n</network>\n",
    "domain": "<domain><name>x</name></domain>\n",
    "nameless": "<network><bridge name='x'/></network>\n",
    "mode": "<network><name>m</name><forward mode='foo'/></network>\n",
    "clash": XML.replace("000000000001", "000000000009"),
    "renamed": XML.replace("alpha", "gamma", 1),
    "noowner": "<networkport><mac address='52:54:00:aa:00:11'/></networkport>\n",
    "invalid": XML.replace("<forward", "<unknown/><forward").replace("alpha", "delta").replace(
        "000000000001", "000000000004"),
    # what net-edit runs: the second time nothing changes
    "editor": "#!/bin/sh\nsed -i \"s/delay='0'/delay='3'/\" \"$1\"\n",
}

# netd's errors name the element and its line
LINE = {r"<\w+> \(line \d+\): ": "", r": <\w+> \(line \d+\) has no <\w+>": ""}
# Command line, and what differs on purpose: {pattern: replacement}, applied to all outputs. A "~"
# stands for a blank inside a word.
STEPS = [
    ("net-list", {}),
    ("net-list --all", {}),
    ("net-define {alpha}", {}),
    ("net-define {beta}", {}),
    ("net-define {alpha}", {}),
    ("net-define /nonexistent.xml", {}),
    ("net-define {broken}", {}),
    ("net-define {domain}", {}),
    ("net-define {nameless}", LINE),
    ("net-define {mode}", LINE),
    ("net-define {clash}", {}),
    # libvirt looks at the bridge first
    ("net-define {renamed}", {r"internal error: bridge name 'valpha0' already in use.|operation failed: "
                              r"network 'alpha' is already defined with uuid .*": "REFUSED"}),
    ("net-list --all", {}),
    ("net-list --all --name", {}),
    ("net-list --all --uuid", {}),
    ("net-list --inactive", {}),
    ("net-list --all --persistent", {}),
    ("net-list --transient", {}),
    ("net-list --all --autostart", {}),
    ("net-list --all --no-autostart", {}),
    ("net-list --name --uuid", {}),
    ("net-list --bogus", {}),
    ("net-list extra", {}),
    ("net-info alpha", {}),
    ("net-info " + UUID, {}),
    ("net-info nope", {}),
    ("net-info", {}),
    ("net-dumpxml alpha", {}),
    ("net-dumpxml alpha --inactive", {}),
    ("net-dumpxml alpha --xpath //ip", {}),
    ("net-dumpxml alpha --xpath //ip|//bridge --wrap", {}),
    ("net-dumpxml alpha --xpath //ip/@address", {}),
    ("net-name " + UUID, {}),
    ("net-name alpha", {}),
    ("net-name " + UUID.replace("1", "7"), {}),
    ("net-uuid alpha", {}),
    ("net-uuid nope", {}),
    ("net-uuid " + UUID, {}),
    ("net-autostart alpha", {}),
    ("net-info alpha", {}),
    ("net-list --all", {}),
    ("net-autostart alpha --disable", {}),
    ("net-autostart nope", {}),
    ("net-start alpha", {}),
    ("net-start alpha", {}),
    ("net-start nope", {}),
    ("net-start", {}),
    ("net-start --network", {}),
    ("net-start alpha --network alpha", {}),
    ("net-start --network=", {}),
    ("net-list", {}),
    ("net-list --all", {}),
    ("-q net-list --all", {}),
    ("net-info alpha", {}),
    ("net-dumpxml alpha", {}),
    ("net-dumpxml alpha --inactive", {}),
    ("net-dhcp-leases alpha", {}),
    ("net-dhcp-leases Beta", {}),
    ("net-dhcp-leases alpha 52:54:00:00:00:09", {}),
    ("net-dhcp-leases alpha --mac bad", {}),
    ("net-dhcp-leases nope", {}),
    ("net-update alpha add ip-dhcp-host " + HOST.replace(" ", "~") + " --live --config", {}),
    ("net-update alpha add ip-dhcp-host " + HOST.replace(" ", "~") + " --live --config", {}),
    ("net-update alpha delete ip-dhcp-host " + HOST.replace(" ", "~") + " --config", {}),
    ("net-update alpha delete ip-dhcp-host " + HOST.replace(" ", "~") + " --config", {}),
    ("net-update alpha add ip-dhcp-host <host~ip='10.0.0.1'/> --live", {r"XML error: .*": "XML error"}),
    ("net-update alpha add bridge <bridge~name='x'/>", {}),
    ("net-update alpha frobnicate ip-dhcp-host <host/>", {}),
    ("net-update alpha add frobnicate <host/>", {}),
    ("net-update alpha add ip-dhcp-host <host/> --live --current", {}),
    ("net-update alpha add ip-dhcp-host <host", {}),
    ("net-update Beta add ip-dhcp-host " + HOST.replace(" ", "~").replace("211", "212") + " --live", {}),
    ("net-update Beta add ip-dhcp-host " + HOST.replace(" ", "~").replace("211", "212"), {}),
    ("net-dumpxml alpha", {}),
    ("net-dumpxml alpha --inactive", {}),
    ("net-dumpxml Beta", {}),
    ("net-update alpha add ip-dhcp-range <range~start='192.168.211.200'~end='192.168.211.210'/> --live --config", {}),
    ("net-update alpha add ip-dhcp-range <range~start='192.168.211.200'~end='192.168.211.210'/> --live --config", {}),
    ("net-dumpxml alpha --inactive", {}),
    ("net-dumpxml alpha", {}),
    ("net-update alpha modify ip-dhcp-range <range~start='192.168.211.200'~end='192.168.211.210'/> --live --config", {}),
    ("net-update alpha delete ip-dhcp-range <range~start='192.168.211.200'~end='192.168.211.210'/> --live --config", {}),
    ("net-update alpha delete ip-dhcp-range <range~start='192.168.211.200'~end='192.168.211.210'/> --live --config", {}),
    ("net-update alpha add dns-host <host~ip='192.168.211.6'><hostname>six</hostname></host> --live --config", {}),
    ("net-update alpha add dns-host <host~ip='192.168.211.6'><hostname>six</hostname></host> --live --config", {}),
    ("net-dumpxml alpha --inactive", {}),
    ("net-dumpxml alpha", {}),
    ("net-update alpha modify dns-host <host~ip='192.168.211.6'><hostname>six</hostname></host> --live --config", {}),
    ("net-update alpha delete dns-host <host~ip='192.168.211.6'/> --live --config", {}),
    ("net-update alpha delete dns-host <host~ip='192.168.211.6'/> --live --config", {}),
    ("net-update alpha add dns-txt <txt~name='t'~value='v'/> --live --config", {}),
    ("net-update alpha add dns-txt <txt~name='t'~value='v'/> --live --config", {}),
    ("net-dumpxml alpha --inactive", {}),
    ("net-dumpxml alpha", {}),
    ("net-update alpha modify dns-txt <txt~name='t'~value='v'/> --live --config", {}),
    ("net-update alpha delete dns-txt <txt~name='t'/> --live --config", {}),
    ("net-update alpha delete dns-txt <txt~name='t'/> --live --config", {}),
    ("net-update alpha add dns-srv <srv~service='s'~protocol='tcp'~target='t.x'~port='9'/> --live --config", {}),
    ("net-update alpha add dns-srv <srv~service='s'~protocol='tcp'~target='t.x'~port='9'/> --live --config", {}),
    ("net-dumpxml alpha --inactive", {}),
    ("net-dumpxml alpha", {}),
    ("net-update alpha modify dns-srv <srv~service='s'~protocol='tcp'~target='t.x'~port='9'/> --live --config", {}),
    ("net-update alpha delete dns-srv <srv~service='s'~protocol='tcp'/> --live --config", {}),
    ("net-update alpha delete dns-srv <srv~service='s'~protocol='tcp'/> --live --config", {}),
    ("net-update alpha add portgroup <portgroup~name='pg'/> --live --config", {}),
    ("net-update alpha add portgroup <portgroup~name='pg'/> --live --config", {}),
    ("net-dumpxml alpha --inactive", {}),
    ("net-dumpxml alpha", {}),
    ("net-update alpha modify portgroup <portgroup~name='pg'/> --live --config", {}),
    ("net-update alpha delete portgroup <portgroup~name='pg'/> --live --config", {}),
    ("net-update alpha delete portgroup <portgroup~name='pg'/> --live --config", {}),
    ("net-update alpha add forward-interface <interface~dev='lo'/> --config", {}),
    ("net-update alpha add forward-interface <interface~dev='lo'/> --config", {}),
    ("net-dumpxml alpha --inactive", {}),
    ("net-dumpxml alpha", {}),
    ("net-update alpha modify forward-interface <interface~dev='lo'/> --config", {}),
    ("net-update alpha delete forward-interface <interface~dev='lo'/> --config", {}),
    ("net-update alpha delete forward-interface <interface~dev='lo'/> --config", {}),
    ("net-update alpha add domain <domain~name='x'/> --config", {}),
    ("net-update alpha add ip <ip~address='1.2.3.4'/> --config", {}),
    ("net-update alpha add forward <forward/> --config", {}),
    ("net-update alpha add forward-pf <pf~dev='lo'/> --config", {}),
    ("net-update alpha add-first ip-dhcp-range <range~start='192.168.211.100'~end='192.168.211.110'/> --config", {}),
    ("net-update alpha add-last ip-dhcp-range <range~start='192.168.211.120'~end='192.168.211.121'/> --config --parent-index 0", {}),
    ("net-dumpxml alpha --inactive", {}),
    ("net-edit alpha", {}),
    ("net-dumpxml alpha --inactive", {}),
    ("net-edit alpha", {}),
    ("net-edit nope", {}),
    ("net-edit", {}),
    ("net-port-list alpha", {}),
    ("net-port-list Beta", {}),
    ("net-port-create alpha {port}", {}),
    # "already exists exists already"
    ("net-port-create alpha {port}", {r"Network port with UUID (.*) already exists ": r"\1 "}),
    ("net-port-create alpha {noowner}", {r"network port has no|.networkport. \(line 1\): it has no": "no",
                                         "<uuid>": "uuid"}),
    ("net-port-create Beta {port}", {}),
    ("net-port-create alpha /nonexistent.xml", {}),
    ("net-port-list alpha", {}),
    ("net-port-list alpha --uuid", {}),
    ("net-port-dumpxml alpha " + PORT, {}),
    ("net-port-dumpxml alpha " + PORT + " --xpath //mac", {}),
    ("net-port-delete alpha " + PORT, {}),
    ("net-port-list alpha", {}),
    ("net-undefine alpha", {}),
    ("net-list --all", {}),
    ("net-autostart alpha", {}),
    ("net-undefine alpha", {}),
    ("net-destroy alpha", {}),
    ("net-destroy alpha", {}),
    ("net-destroy Beta", {}),
    ("net-create {alpha}", {}),
    ("net-create {alpha}", {}),
    ("net-list --all --transient", {}),
    ("net-info alpha", {}),
    ("net-destroy alpha", {}),
    ("net-create {broken}", {}),
    ("net-define {invalid} --validate", {r"schema: (.|\n)*": "schema"}),
    ("net-event --list", {r"metadata-change\n": ""}),
    ("net-event", {}),
    ("net-event --event nope", {}),
    ("net-event --event lifecycle --timeout 1", {}),
    ("net-event --event lifecycle --timeout 1x", {}),
    ("net-undefine Beta", {}),
    ("net-list --all", {}),
    ("no-such-command", {}),
    ("net-list;~net-uuid~nope", {}),
]


class Commands(netdtest.TestCase):
    def setUp(self):
        super().setUp()
        self.netd.start()
        self.peer = Libvirtd()
        self.peer.virsh("net-destroy", "default", check=False)
        self.peer.virsh("net-undefine", "default", check=False)
        self.dir = tempfile.TemporaryDirectory()
        self.files = {}
        for name, text in FILES.items():
            self.files[name] = os.path.join(self.dir.name, name)
            with open(self.files[name], "w") as f:
                f.write(text)
        os.chmod(self.files["editor"], 0o755)
        os.environ.pop("VISUAL", None)

    def tearDown(self):
        self.peer.stop()
        self.dir.cleanup()
        super().tearDown()

    def run_step(self, program, uri, line):
        words = line.split(" ")
        options = [w for w in words if w == "-q"]
        words = [w.format(**self.files) if w.startswith("{") else w.replace("~", " ")
                 for w in words if w != "-q"]
        done = sh(program, "-c", uri, *options, *words, check=False, timeout=120,
                  env={"EDITOR": self.files["editor"]})
        return "exit %d\n%s--\n%s" % (done.returncode, done.stdout, done.stderr)

    def run_all(self, program, uri):
        return [self.run_step(program, uri, line) for line, _ in STEPS]

    def compare(self, name, left, right):
        different = []
        for (line, changes), a, b in zip(STEPS, left, right):
            for pattern, replacement in changes.items():
                a, b = re.sub(pattern, replacement, a), re.sub(pattern, replacement, b)
            if a != b:
                different.append("%s\n%s\n%s" % (line, a, b))
        self.assertEqual(len(different), 0, "%s:\n\n%s" % (name, "\n".join(different)))

    def test_four_ways_to_say_it(self):
        libvirtd = self.run_all("virsh", self.peer.uri())
        virsh = self.run_all("virsh", self.netd.uri())
        netdctl = self.run_all(built("netd/ctl/netdctl"), self.netd.uri())
        abroad = self.run_all(built("netd/ctl/netdctl"), self.peer.uri())
        with self.subTest("netdctl and virsh"):
            self.compare("virsh and netdctl on netd", virsh, netdctl)
        with self.subTest("netdctl and virsh on libvirtd"):
            self.compare("virsh and netdctl on libvirtd", libvirtd, abroad)
        with self.subTest("netd and libvirtd"):
            self.compare("virsh on libvirtd and on netd", libvirtd, virsh)


netdtest.main()
