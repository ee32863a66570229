#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""libvirt's client libraries drive netd as they drive libvirtd: the same script against both, the same output."""
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../netns"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import netdtest
from libvirtd import Libvirtd
from netdtest import sh

CLIENTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "clients")
XML = netdtest.nat_xml("sysnet", "vsys0", 66)
RICH = netdtest.nat_xml("rich", "vrich0", 67, extra="""<metadata><x:y xmlns:x='urn:x'>z</x:y></metadata>
  <mtu size='1400'/><domain name='rich.test' localOnly='yes'/>
  <dns><forwarder domain='corp.test' addr='192.0.2.1'/><txt name='t' value='v'/>
    <srv service='ldap' protocol='tcp' target='h.rich.test' port='389'/>
    <host ip='192.168.67.9'><hostname>nine</hostname></host></dns>""",
    dhcp="<dhcp><range start='192.168.67.10' end='192.168.67.90'><lease expiry='1' unit='hours'/></range>"
    "<host mac='52:54:00:00:00:01' name='one' ip='192.168.67.100'/></dhcp>",
    more="<ip family='ipv6' address='fd00:67::1' prefix='64'/>"
    "<route address='10.67.0.0' prefix='16' gateway='192.168.67.2'/>"
    "<portgroup name='fast' default='yes'/>")
PORT = """<networkport><uuid>3a2a0a80-0f0f-4d4d-8a8a-0000000000aa</uuid>
  <owner><name>guest</name><uuid>3a2a0a80-0f0f-4d4d-8a8a-0000000000bb</uuid></owner>
  <portgroup>fast</portgroup><mac address='52:54:00:aa:00:10'/></networkport>"""


class Clients(netdtest.TestCase):
    def setUp(self):
        super().setUp()
        self.netd.start()
        self.peer = Libvirtd()
        self.xml = tempfile.NamedTemporaryFile("w", suffix=".xml")
        self.xml.write(XML)
        self.xml.flush()

    def tearDown(self):
        self.xml.close()
        self.peer.stop()
        super().tearDown()

    def compare(self, *argv, socket=False, skip_type=True):
        """Runs a client against both daemons; prints must be equal but for the driver's name."""
        outputs = []
        for daemon in (self.peer, self.netd):
            done = sh(*[a.format(target=daemon.socket if socket else daemon.uri(), xml=self.xml.name)
                        for a in argv], check=False, timeout=120)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            outputs.append(done.stdout.replace("type QEMU", "type network"))
        self.assertEqual(outputs[0], outputs[1])
        return outputs[1]

    def test_sys_virt(self):
        out = self.compare("perl", CLIENTS + "/sysvirt.pl", "{target}", "{xml}")
        self.assertIn("missing 43 19 Network not found: no network with matching name 'nope'", out)

    def test_ruby_libvirt(self):
        self.assertIn("closed", self.compare("ruby", CLIENTS + "/ruby.rb", "{target}", "{xml}"))

    def test_libvirt_python_on_asyncio(self):
        out = self.compare("/usr/bin/python3", CLIENTS + "/asynchronous.py", "{target}", "{xml}")
        self.assertEqual([line for line in out.splitlines() if line.startswith("event")],
                         ["event sysnet " + what for what in ("defined", "started", "stopped", "undefined")])
        self.assertIn("alive 1 closed False\nleft 0\n", out)

    def test_go_libvirt(self):
        with tempfile.TemporaryDirectory() as d:
            sh("go", "build", "-o", d + "/client", CLIENTS + "/golibvirt/main.go", timeout=300,
               env={"GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOFLAGS": "",
                    "GOCACHE": d + "/cache", "HOME": d})
            self.assertIn("closed", self.compare(d + "/client", "{target}", "{xml}", socket=True))

    def test_virt_xml_validate(self):
        """libvirt's own schemas hold what netd prints: documents at rest and at work, and a port."""
        name = self.netd.define(RICH)
        port = self.netd.root + "/port.xml"
        with open(port, "w") as f:
            f.write(PORT)
        self.netd.virsh("net-port-create", name, port)
        uuid = self.netd.virsh("net-port-list", name, "--uuid").stdout.strip()
        for kind, argv in (("network", ("net-dumpxml", name)), ("network", ("net-dumpxml", name, "--inactive")),
                           ("networkport", ("net-port-dumpxml", name, uuid))):
            text = self.netd.virsh(*argv).stdout
            with open(port, "w") as f:
                f.write(text)
            done = sh("virt-xml-validate", port, kind, check=False)
            self.assertEqual(done.returncode, 0, text + done.stdout + done.stderr)

    def test_ansible(self):
        for daemon in (self.peer, self.netd):
            done = sh("ansible-playbook", "-i", "localhost,", "-e", "ansible_python_interpreter=/usr/bin/python3",
                      "-e", "uri=" + daemon.uri(), "-e", "xml_file=" + self.xml.name,
                      CLIENTS + "/playbook.yml", check=False, timeout=180,
                      env={"ANSIBLE_LOCALHOST_WARNING": "False", "HOME": self.netd.root})
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


netdtest.main()
