#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Events as clients see them: libvirt-python's event loop and virsh on both daemons, and raw RPC for metadata."""
import os
import re
import signal
import socket
import struct
import sys
import tempfile
import threading
import time

import libvirt

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../netns"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import netdtest
from libvirtd import Libvirtd
from netdtest import spawn, wait_for

DEFINED, UNDEFINED, STARTED, STOPPED = range(4)
LIFECYCLE = libvirt.VIR_NETWORK_EVENT_ID_LIFECYCLE


def run_loop():
    while True:
        libvirt.virEventRunDefaultImpl()


class Raw:
    """One connection that speaks the protocol by hand: for calls that Debian's clients do not have."""

    PROGRAM = 0x20008086
    CALL, REPLY, MESSAGE = range(3)
    AUTH_LIST, OPEN, LOOKUP, REGISTER, DEREGISTER, SET, GET, CHANGED = 66, 1, 46, 313, 314, 444, 445, 446

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(10)
        self.socket.connect(path)
        self.serial = 0
        self.events = []
        self.call(self.AUTH_LIST, b"")
        self.call(self.OPEN, b"\0\0\0\1" + self.text("network:///system") + b"\0\0\0\0")

    def close(self):
        self.socket.close()

    @staticmethod
    def text(value):
        data = value.encode()
        return struct.pack(">I", len(data)) + data + b"\0" * (-len(data) % 4)

    @classmethod
    def optional(cls, value):
        return b"\0\0\0\0" if value is None else b"\0\0\0\1" + cls.text(value)

    def read(self, n):
        data = b""
        while len(data) < n:
            part = self.socket.recv(n - len(data))
            if not part:
                raise EOFError
            data += part
        return data

    def receive(self):
        length, = struct.unpack(">I", self.read(4))
        data = self.read(length - 4)
        return struct.unpack(">IIiiIi", data[:24]), data[24:]

    def call(self, proc, payload):
        """The reply's payload; (code, message) of an error as a libvirtError-like exception."""
        self.serial += 1
        self.socket.sendall(struct.pack(">IIIiiIi", 28 + len(payload), self.PROGRAM, 1, proc, self.CALL,
                                        self.serial, 0) + payload)
        while True:
            (_, _, number, kind, serial, status), data = self.receive()
            if kind == self.MESSAGE:
                self.events.append((number, data))
                continue
            assert (number, kind, serial) == (proc, self.REPLY, self.serial)
            if status:
                code, domain, _, size = struct.unpack(">iiII", data[:16])
                raise RuntimeError(code, data[16:16 + size].decode(), domain)
            return data

    def event(self):
        if not self.events:
            header, data = self.receive()
            self.events.append((header[2], data))
        return self.events.pop(0)

    def network(self, name):
        return self.call(self.LOOKUP, self.text(name))

    def set(self, net, kind, text, key=None, uri=None, flags=0):
        self.call(self.SET, net + struct.pack(">i", kind) + self.optional(text) + self.optional(key) +
                  self.optional(uri) + struct.pack(">I", flags))

    def get(self, net, kind, uri=None, flags=0):
        data = self.call(self.GET, net + struct.pack(">i", kind) + self.optional(uri) + struct.pack(">I", flags))
        return data[4:4 + struct.unpack(">I", data[:4])[0]].decode()


class Events(netdtest.TestCase):
    @classmethod
    def setUpClass(cls):
        libvirt.registerErrorHandler(lambda *_: None, None)
        libvirt.virEventRegisterDefaultImpl()
        threading.Thread(target=run_loop, daemon=True).start()

    def setUp(self):
        super().setUp()
        self.netd.start()

    def peer(self):
        peer = Libvirtd()
        self.addCleanup(peer.stop)
        return peer

    def life(self, c):
        """A network's life and that of a transient one."""
        one = c.networkDefineXML(netdtest.nat_xml("one", "vone0", 81))
        one.setAutostart(1)
        one.create()
        one.update(3, 4, -1, "<host mac='52:54:00:00:00:01' ip='192.168.81.9'/>", 3)
        c.networkDefineXML(one.XMLDesc(libvirt.VIR_NETWORK_XML_INACTIVE))
        two = c.networkCreateXML(netdtest.nat_xml("two", "vtwo0", 82))
        two.destroy()
        one.destroy()
        one.undefine()

    def listen(self, c, net=None):
        seen = []
        number = c.networkEventRegisterAny(net, LIFECYCLE, lambda _, n, event, detail, to: to.append(
            (n.name(), event, detail)), seen)
        time.sleep(0.3)	# an event at once after the reply is lost in the client
        return seen, number

    def record(self, daemon):
        c = libvirt.open(daemon.uri())
        everything, _ = self.listen(c)
        other = libvirt.open(daemon.uri())
        watched = other.networkDefineXML(netdtest.nat_xml("watched", "vwatch0", 83))
        only, number = self.listen(other, watched)
        self.life(c)
        watched.create()
        watched.destroy()
        wait_for("the last event", lambda: len(only) == 2 and ("watched", STOPPED, 0) in everything)
        other.networkEventDeregisterAny(number)
        watched.undefine()
        wait_for("the end", lambda: ("watched", UNDEFINED, 0) in everything)
        other.close()
        c.close()
        return everything, only

    def test_lifecycle_in_order_as_from_libvirtd(self):
        mine, theirs = self.record(self.netd), self.record(self.peer())
        self.assertEqual(mine, theirs)
        self.assertEqual(mine[0], [("watched", DEFINED, 0), ("one", DEFINED, 0), ("one", STARTED, 0),
                                   ("one", DEFINED, 0), ("two", STARTED, 0), ("two", STOPPED, 0),
                                   ("one", STOPPED, 0), ("one", UNDEFINED, 0), ("watched", STARTED, 0),
                                   ("watched", STOPPED, 0), ("watched", UNDEFINED, 0)])
        self.assertEqual(mine[1], [("watched", STARTED, 0), ("watched", STOPPED, 0)])

    def test_virsh_shows_them_in_order(self):
        outputs = []
        for daemon in (self.netd, self.peer()):
            with tempfile.TemporaryFile("w+") as out:
                p = spawn("stdbuf", "-oL", "virsh", "-c", daemon.uri(), "net-event", "--event", "lifecycle",
                          "--loop", "--timestamp", stdout=out, stderr=out)
                time.sleep(1)
                c = libvirt.open(daemon.uri())
                self.life(c)
                c.close()
                time.sleep(0.5)
                p.send_signal(signal.SIGINT)
                self.assertEqual(p.wait(10), 0)
                out.seek(0)
                text = out.read()
            times = re.findall(r"^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}\+0000): event", text, re.M)
            self.assertEqual(times, sorted(times))
            self.assertEqual(len(times), 7, text)
            outputs.append(re.sub(r"^\d\S+ \S+: ", "", text, flags=re.M))
        self.assertEqual(outputs[0], outputs[1])
        self.assertIn("event 'lifecycle' for network one: Started\n", outputs[0])
        self.assertIn("events received: 7", outputs[0])

    def test_bad_registrations_are_refused_alike(self):
        said = []
        for daemon in (self.netd, self.peer()):
            raw = Raw(daemon.socket)
            said.append([])
            for proc, payload in ((Raw.REGISTER, struct.pack(">iI", 99, 0)), (Raw.DEREGISTER, struct.pack(">i", 77))):
                with self.assertRaises(RuntimeError) as e:
                    raw.call(proc, payload)
                said[-1].append(e.exception.args)
            raw.close()
        self.assertEqual(said[0], said[1])

    def test_metadata_and_its_events(self):
        self.netd.define(netdtest.nat_xml("one", "vone0", 81), start=False)
        self.netd.define(netdtest.nat_xml("two", "vtwo0", 82), start=False)
        raw, watcher = Raw(self.netd.socket), Raw(self.netd.socket)
        self.addCleanup(raw.close)
        self.addCleanup(watcher.close)
        one, two = raw.network("one"), raw.network("two")
        number = watcher.call(Raw.REGISTER, struct.pack(">iI", 1, 1) + one)
        with self.assertRaisesRegex(RuntimeError, "111, 'metadata not found: "):
            raw.get(one, 0)
        raw.set(two, 0, "not watched")
        raw.set(one, 0, "words")
        raw.set(one, 1, "title")
        raw.set(one, 2, "<x a='1'/>", "k", "urn:x")
        self.assertEqual((raw.get(one, 0), raw.get(one, 1), raw.get(two, 0)), ("words", "title", "not watched"))
        self.assertRegex(raw.get(one, 2, "urn:x"), "<x .*a=['\"]1['\"]")
        raw.set(one, 2, None, None, "urn:x")
        with self.assertRaisesRegex(RuntimeError, "111, 'metadata not found: "):
            raw.get(one, 2, "urn:x")
        for bad in ((1, "two\nlines"), (0, "text", "key"), (2, "<x/>", "k"), (7, "text")):
            with self.assertRaises(RuntimeError) as e:
                raw.set(one, *bad)
            self.assertEqual(e.exception.args[0], 8, e.exception)
        for kind, uri in ((0, None), (1, None), (2, "urn:x"), (2, "urn:x")):
            proc, data = watcher.event()
            self.assertEqual((proc, data), (Raw.CHANGED, number + one + struct.pack(">i", kind) + Raw.optional(uri)))
        watcher.call(Raw.DEREGISTER, number)
        raw.set(one, 0, "other words")
        with self.assertRaisesRegex(RuntimeError, "43, "):
            watcher.network("nope")
        self.assertEqual(watcher.events, [])


netdtest.main()
