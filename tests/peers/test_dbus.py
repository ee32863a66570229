#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""libvirt-dbus, which Cockpit uses, on a bus of its own: networks are listed, made, started, stopped.

libvirt-dbus knows no network:///system, so what stands at virtqemud's socket puts that in for the
URI that it opens, and passes everything else on.
"""
import os
import socket
import struct
import sys
import threading

from gi.repository import Gio, GLib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../netns"))
import netdtest
from netdtest import spawn, wait_for

OPEN = 1


def read(s, n):
    data = b""
    while len(data) < n:
        part = s.recv(n - len(data))
        if not part:
            raise EOFError
        data += part
    return data


class Front:
    """A socket whose clients get the daemon behind it, whatever URI they open."""

    def __init__(self, path, behind):
        self.behind = behind
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client = self.listener.accept()[0]
            server = socket.socket(socket.AF_UNIX)
            server.connect(self.behind)
            threading.Thread(target=self.requests, args=(client, server), daemon=True).start()
            threading.Thread(target=self.replies, args=(server, client), daemon=True).start()

    def requests(self, client, server):
        try:
            while True:
                head = read(client, 28)
                length, _, _, proc = struct.unpack(">IIIi", head[:16])
                body = read(client, length - 28)
                if proc == OPEN:
                    uri = b"network:///system"
                    body = struct.pack(">II", 1, len(uri)) + uri + b"\0" * (-len(uri) % 4) + body[-4:]
                    head = struct.pack(">I", 28 + len(body)) + head[4:]
                server.sendall(head + body)
        except (EOFError, OSError):
            server.close()

    @staticmethod
    def replies(server, client):
        try:
            while True:
                data = server.recv(65536)
                if not data:
                    break
                client.sendall(data)
        except OSError:
            pass
        client.close()


class DBus(netdtest.TestCase):
    def setUp(self):
        super().setUp()
        self.netd.start()
        os.makedirs("/run/libvirt", exist_ok=True)
        Front("/run/libvirt/virtqemud-sock", self.netd.socket)
        self.addCleanup(os.unlink, "/run/libvirt/virtqemud-sock")
        address = "unix:path=" + self.netd.root + "/bus"
        self.log = open(os.path.join(self.netd.root, "dbus.log"), "wb")
        self.addCleanup(self.log.close)
        self.serve("dbus-daemon", "--session", "--nofork", "--address=" + address)
        wait_for("bus", lambda: os.path.exists(self.netd.root + "/bus"))
        self.serve("libvirt-dbus", "--session", env=dict(os.environ, DBUS_SESSION_BUS_ADDRESS=address))
        self.bus = Gio.DBusConnection.new_for_address_sync(
            address, Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT |
            Gio.DBusConnectionFlags.MESSAGE_BUS_CONNECTION, None, None)
        wait_for("libvirt-dbus", lambda: self.bus.call_sync(
            "org.freedesktop.DBus", "/", "org.freedesktop.DBus", "NameHasOwner",
            GLib.Variant("(s)", ("org.libvirt",)), None, 0, 5000, None).unpack()[0])

    def serve(self, *argv, **kw):
        p = spawn(*argv, stdout=self.log, stderr=self.log, **kw)
        self.addCleanup(p.wait, 10)
        self.addCleanup(p.terminate)

    def call(self, path, interface, method, signature="()", *args):
        done = self.bus.call_sync("org.libvirt", path, interface, method, GLib.Variant(signature, args), None, 0,
                                  20000, None)
        return done.unpack()[0] if done.n_children() else None

    def connect(self, method, *args):
        return self.call("/org/libvirt/QEMU", "org.libvirt.Connect", method, *args)

    def get(self, path, name):
        return self.call(path, "org.freedesktop.DBus.Properties", "Get", "(ss)", "org.libvirt.Network", name)

    def test_a_network_over_the_bus(self):
        xml = netdtest.nat_xml("bus", "vbus0", 91)
        self.assertEqual(self.connect("ListNetworks", "(u)", 0), [])
        path = self.connect("NetworkDefineXML", "(s)", xml)
        self.assertEqual(self.connect("ListNetworks", "(u)", 0), [path])
        self.assertEqual(self.connect("NetworkLookupByName", "(s)", "bus"), path)
        self.assertEqual([self.get(path, p) for p in ("Name", "Active", "Persistent", "Autostart")],
                         ["bus", False, True, False])
        self.call(path, "org.libvirt.Network", "Create")
        self.assertTrue(self.get(path, "Active"))
        self.assertIn("bus", self.netd.ctl("net-list", "--name").stdout)
        self.call(path, "org.libvirt.Network", "Update", "(uuisu)", 3, 4, -1,
                  "<host mac='52:54:00:00:00:01' ip='192.168.91.9'/>", 3)
        self.assertIn("192.168.91.9", self.call(path, "org.libvirt.Network", "GetXMLDesc", "(u)", 0))
        self.assertEqual(self.call(path, "org.libvirt.Network", "GetDHCPLeases", "(su)", "", 0), [])
        self.call(path, "org.libvirt.Network", "Destroy")
        self.assertFalse(self.get(path, "Active"))
        self.call(path, "org.libvirt.Network", "Undefine")
        self.assertEqual(self.connect("ListNetworks", "(u)", 0), [])
        self.assertEqual(self.connect("ListDomains", "(u)", 0), [])
        with self.assertRaisesRegex(GLib.Error, "no network with matching name 'nope'"):
            self.connect("NetworkLookupByName", "(s)", "nope")


netdtest.main()
