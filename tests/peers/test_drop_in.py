#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""netd in virtnetworkd's place: libvirt's clients and its QEMU driver find it where they look."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../netns"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import netdtest
from libvirtd import Libvirtd
from netdtest import sh, wait_for

GUEST = """<domain type='qemu'>
  <name>tiny</name>
  <memory unit='MiB'>32</memory>
  <os><type arch='x86_64' machine='pc'>hvm</type></os>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <memballoon model='none'/>
    <controller type='usb' model='none'/>
    <interface type='network'>
      <mac address='52:54:00:11:22:33'/>
      <source network='%s'/>
      <model type='virtio'/>
    </interface>
  </devices>
</domain>"""


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

    def test_virsh_over_ssh(self):
        """By libvirt's own helper at the far end, which looks where virtnetworkd's socket is."""
        os.makedirs("/run/libvirt", exist_ok=True)
        sh("mount", "--bind", self.netd.root + "/run/libvirt", "/run/libvirt")
        self.addCleanup(sh, "umount", "-l", "/run/libvirt")
        d = os.path.join(self.netd.root, "ssh")
        os.mkdir(d)
        self.sshd(d)
        self.netd.define(netdtest.nat_xml())
        uri = "network+ssh://root@127.0.0.1:2222/system?keyfile=%s/user" % d
        self.assertEqual(sh("virsh", "-c", uri, "net-list", "--all", "--name").stdout.split(), ["default"])
        self.assertEqual(sh("virsh", "-c", uri, "net-dumpxml", "default").stdout,
                         self.netd.virsh("net-dumpxml", "default").stdout)
        sh("virsh", "-c", uri, "net-destroy", "default")
        self.assertIn("Active:         no", self.netd.ctl("net-info", "default").stdout)
        done = sh("virsh", "-r", "-c", uri, "net-start", "default", check=False)
        self.assertIn("read only access prevents", done.stderr)

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

    def test_qemu_driver_gets_its_ports_here(self):
        self.netd.define(netdtest.nat_xml("guests", "vguests0", 77))
        qemu = Libvirtd(network_socket=self.libvirt_socket)
        self.addCleanup(qemu.stop)
        path = os.path.join(self.netd.root, "guest.xml")
        with open(path, "w") as f:
            f.write(GUEST % "guests")
        qemu.virsh("create", path, timeout=60)
        ports = self.netd.ctl("net-port-list", "guests", "--uuid").stdout.split()
        self.assertEqual(len(ports), 1)
        document = self.netd.ctl("net-port-dumpxml", "guests", ports[0]).stdout
        self.assertIn("<name>tiny</name>", document)
        self.assertIn("52:54:00:11:22:33", document)
        self.assertIn("bridge='vguests0'", document)
        tap = re.search(r"<target dev='(.*?)'", qemu.virsh("dumpxml", "tiny").stdout).group(1)
        self.assertIn("master vguests0", sh("ip", "link", "show", tap).stdout)
        self.assertIn("vguests0", qemu.virsh("domiflist", "tiny").stdout + sh("ip", "link", "show", tap).stdout)
        self.netd.restart()
        self.assertEqual(self.netd.ctl("net-port-list", "guests", "--uuid").stdout.split(), ports)
        qemu.virsh("destroy", "tiny", timeout=60)
        wait_for("no port", lambda: not self.netd.ctl("net-port-list", "guests", "--uuid").stdout.split())
        self.assertNotIn(tap, sh("ip", "link").stdout)
        done = qemu.virsh("create", path, check=False, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        qemu.virsh("destroy", "tiny", timeout=60)
        self.netd.ctl("net-destroy", "guests")
        done = qemu.virsh("create", path, check=False, timeout=60)
        self.assertIn("network 'guests' is not active", done.stderr)


netdtest.main()
