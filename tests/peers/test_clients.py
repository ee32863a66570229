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

    def test_go_libvirt(self):
        with tempfile.TemporaryDirectory() as d:
            sh("go", "build", "-o", d + "/client", CLIENTS + "/golibvirt/main.go", timeout=300,
               env={"GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOFLAGS": "",
                    "GOCACHE": d + "/cache", "HOME": d})
            self.assertIn("closed", self.compare(d + "/client", "{target}", "{xml}", socket=True))

    def test_ansible(self):
        for daemon in (self.peer, self.netd):
            done = sh("ansible-playbook", "-i", "localhost,", "-e", "ansible_python_interpreter=/usr/bin/python3",
                      "-e", "uri=" + daemon.uri(), "-e", "xml_file=" + self.xml.name,
                      CLIENTS + "/playbook.yml", check=False, timeout=180,
                      env={"ANSIBLE_LOCALHOST_WARNING": "False", "HOME": self.netd.root})
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


netdtest.main()
