#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The limits of netd.conf on clients hold, and reach only who goes beyond them."""
import os
import struct
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import netdtest
import rpcwire
from netdtest import wait_for
from rpcwire import Wire, call

DEFINE = 41


class Limits(netdtest.TestCase):
    def start(self, text):
        os.makedirs(self.netd.root + "/etc/netd")
        with open(self.netd.root + "/etc/netd/netd.conf", "w") as f:
            f.write(text)
        self.netd.start()

    def wire(self, path=None, **kw):
        w = Wire(path or self.netd.socket, **kw)
        self.addCleanup(w.close)
        return w

    def answers(self, w):
        """Whether the server has looked at the connection at all."""
        try:
            w.ask(rpcwire.AUTH_LIST)
            return True
        except TimeoutError:
            return False

    def test_clients(self):
        self.start("max_clients = 4\n")
        wires = [self.wire() for _ in range(4)]
        extra = self.wire(open_it=False, timeout=0.5)
        self.assertFalse(self.answers(extra))
        wires[0].ask(rpcwire.GET_LIB_VERSION)
        wires[1].close()
        extra.socket.settimeout(10)
        self.assertEqual(extra.receive()[0], rpcwire.AUTH_LIST)	# its call waited all the while

    def test_clients_that_are_not_open_yet(self):
        self.start("max_unauthenticated = 2\n")
        opened = self.wire()
        waiting = [self.wire(open_it=False) for _ in range(2)]
        for w in waiting:
            w.ask(rpcwire.AUTH_LIST)
        began = time.monotonic()
        self.wire().ask(rpcwire.GET_LIB_VERSION)	# the oldest that has done nothing gives way
        self.assertLess(time.monotonic() - began, 10)
        self.assertTrue(waiting[0].closed())
        opened.ask(rpcwire.GET_LIB_VERSION)

    def test_time_before_authentication(self):
        self.start("auth_timeout_s = 1\n")
        opened, idle = self.wire(), self.wire(open_it=False)
        began = time.monotonic()
        self.assertTrue(idle.closed())
        self.assertLess(time.monotonic() - began, 5)
        opened.ask(rpcwire.GET_LIB_VERSION)

    def test_length_of_messages(self):
        self.start("max_message_kib = 64\n")
        w, other = self.wire(), self.wire()
        w.send(call(DEFINE, rpcwire.text("x" * 60000)))
        self.assertEqual(w.receive()[3], 1)	# no document, but looked at
        w.send(call(DEFINE, rpcwire.text("x" * 70000))[:200])	# its length is enough
        self.assertTrue(w.closed())
        other.ask(rpcwire.GET_LIB_VERSION)

    def test_calls_in_work(self):
        """With one at a time a quick call waits for a slow one before it, with two it does not."""
        orders = []
        for limit in (1, 2):
            self.start("max_calls_per_client = %d\n" % limit)
            self.netd.define(netdtest.nat_xml(), start=False)
            uuid = bytes.fromhex(self.netd.ctl("net-uuid", "default").stdout.strip().replace("-", ""))
            w = self.wire()
            w.send(call(rpcwire.CREATE, rpcwire.text("default") + uuid, 1) + call(rpcwire.GET_LIB_VERSION, serial=2))
            orders.append([w.receive()[2] for _ in range(2)])
            w.close()
            self.netd.ctl("net-destroy", "default")
            self.netd.ctl("net-undefine", "default")
            self.netd.stop()
            os.unlink(self.netd.root + "/etc/netd/netd.conf")
            os.rename(self.netd.root + "/etc/netd", self.netd.root + "/etc/netd.%d" % limit)
        self.assertEqual(orders, [[1, 2], [2, 1]])

    def test_each_number_of_the_protocol_is_answered(self):
        """What netd does not have is named; the daemon's own messages are no calls."""
        self.start("")
        w, said = self.wire(), {}
        for proc in range(1, 448):
            if proc in (rpcwire.OPEN, rpcwire.CLOSE):
                continue
            w.send(call(proc))
            got, _, _, status, payload = w.receive()
            code, domain = struct.unpack(">ii", payload[:8]) if status else (0, 0)
            said.setdefault((code, domain) if code == 39 else code, []).append(proc)
            self.assertEqual(got, proc)
            if code == 3:
                self.assertRegex(payload, rb"not supported by the connection driver: vir[A-Z]\w+")
        self.assertGreater(len(said[3]), 200)
        unknown = [p for p in said[39, 7] if not self.is_call(w, p)]
        self.assertEqual(unknown, [107, *range(169, 174), 195, 224, 241, 248, 268, 269, 270, 276, 292, 311, 315,
                                   *range(318, 334), 339, 346, 348, 354, 359, 362, 363, 367, 370, 373, 376, 377,
                                   379, 382, 383, 385, 423, 438, 446, 447])
        w.ask(rpcwire.GET_LIB_VERSION)

    def is_call(self, w, proc):
        """Only its arguments were missing."""
        w.send(call(proc))
        return b"unknown procedure" not in w.receive()[4]

    def test_a_document_is_not_read_before_its_sender_may_send_it(self):
        self.start("")
        w = self.wire(self.netd.socket + "-ro")
        w.send(call(DEFINE, rpcwire.text("<network><name>x</name><broken")))
        status, payload = w.receive()[3:]
        self.assertEqual((status, struct.unpack(">i", payload[:4])[0]), (1, 29))
        self.assertIn(b"read only access prevents virNetworkDefineXML", payload)
        self.assertNotIn(b"broken", payload)


netdtest.main()
