#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""netd in virtnetworkd's place: libvirt's clients find it where they look."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../netns"))
import netdtest
from netdtest import sh


class DropIn(netdtest.TestCase):
    def setUp(self):
        super().setUp()
        os.makedirs(self.netd.root + "/etc/netd")
        with open(self.netd.root + "/etc/netd/netd.conf", "w") as f:
            f.write("libvirt_sockets = yes\n")
        self.netd.start()
        self.libvirt_socket = self.netd.root + "/run/libvirt/virtnetworkd-sock"

    def test_clients_find_it_without_being_told(self):
        os.symlink(self.netd.root + "/run/libvirt", "/run/libvirt")
        self.addCleanup(os.unlink, "/run/libvirt")
        self.netd.define(netdtest.nat_xml())
        uri = "network:///system"
        self.assertEqual(sh("virsh", "-c", uri, "net-list", "--name").stdout.split(), ["default"])
        sh("virsh", "-c", uri, "net-autostart", "default")
        self.assertEqual(sh("virsh", "-r", "-c", uri, "net-list", "--name").stdout.split(), ["default"])
        done = sh("virsh", "-r", "-c", uri, "net-destroy", "default", check=False)
        self.assertIn("read only access prevents", done.stderr)
        self.netd.stop()
        self.assertEqual(os.listdir("/run/libvirt"), [])

    def test_does_not_start_beside_another(self):
        other = netdtest.Daemon()
        os.makedirs(other.root + "/run")
        os.makedirs(other.root + "/etc/netd")
        os.symlink(self.netd.root + "/run/libvirt", other.root + "/run/libvirt")
        with open(other.root + "/etc/netd/netd.conf", "w") as f:
            f.write("libvirt_sockets = yes\n")
        other.start(wait=False)
        self.assertNotEqual(other.process.wait(20), 0)
        self.assertIn("another daemon already answers on '%s/run/libvirt/virtnetworkd-sock'" % other.root,
                      other.log())
        self.assertEqual(self.netd.ctl("net-list").returncode, 0)


netdtest.main()
