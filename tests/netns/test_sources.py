#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest that pretends to be of another network: the host carries none of its bytes there."""
import contextlib
import socket
import struct
import time

import netdtest
from netdtest import in_ns, nat_xml, sh, wait_for

MARK = b"bytes of a guest that pretends"
NETS = {"one": 1, "two": 2}


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def datagram(source, destination, port=9):
    """An IP packet with a UDP datagram in it that nobody awaits."""
    family = socket.AF_INET6 if ":" in source else socket.AF_INET
    src, dst = socket.inet_pton(family, source), socket.inet_pton(family, destination)
    size = 8 + len(MARK)
    udp = struct.pack("!4H", 40000, port, size, 0) + MARK
    pseudo = src + dst + (struct.pack("!2I", size, 17) if family == socket.AF_INET6 else struct.pack("!2H", 17, size))
    udp = udp[:6] + struct.pack("!H", checksum(pseudo + udp) or 0xffff) + udp[8:]
    if family == socket.AF_INET6:
        return struct.pack("!IHBB", 6 << 28, size, 17, 64) + src + dst + udp
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + size, 1, 0, 64, 17, 0) + src + dst
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + udp


class Sources(netdtest.TestCase):
    def network(self, name, forward):
        number = NETS[name]
        return self.netd.define(nat_xml(name, "virbr%d" % number, number, forward=forward, more="""
  <ip family='ipv6' address='fd00:%d::1' prefix='64'/>""" % number))

    def guests(self, forward):
        self.netd.start()
        for number, name in enumerate(NETS, 1):
            self.network(name, forward)
            guest = self.guest("virbr%d" % number)
            guest.address("192.168.%d.7/24" % number, "192.168.%d.1" % number)
            guest.address("fd00:%d::7/64" % number, "fd00:%d::1" % number)
            yield guest

    def sender(self, guest, bridge):
        with in_ns(guest.name):
            s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
            s.bind(("eth0", 0))
        with open("/sys/class/net/%s/address" % bridge) as f:
            to = bytes.fromhex(f.read().strip().replace(":", ""))
        ours = bytes.fromhex(guest.mac.replace(":", ""))
        return lambda packet: s.send(to + ours + (b"\x86\xdd" if packet[0] >> 4 == 6 else b"\x08\x00") + packet), s

    def heard(self, guest):
        """All frames that reach a guest."""
        with in_ns(guest.name):
            s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
            s.bind(("eth0", 3))
        s.settimeout(0.1)
        return s

    def marked(self, s, seconds=0.5):
        end, n = time.monotonic() + seconds, 0
        while time.monotonic() < end:
            with contextlib.suppress(socket.timeout):
                n += MARK in s.recv(4096)
        return n

    def assert_no_bytes_cross(self, forward):
        liar, other = self.guests(forward)
        # the host knows the other guest's address, or it would have to ask for it first
        for address in "192.168.2.1", "fd00:2::1":
            self.assertTrue(other.ping(address))
        send, raw = self.sender(liar, "virbr1")
        ears, own_ears = self.heard(other), self.heard(liar)
        with raw, ears, own_ears:
            for source, host in ("192.168.1.7", "192.168.1.1"), ("fd00:1::7", "fd00:1::1"):
                send(datagram(source, host))
                self.assertGreater(self.marked(own_ears), 0, "an honest one is told that nobody listens")
            for source, targets in (("192.168.2.7", ("192.168.1.1", "192.168.2.1", "192.168.2.99", "198.51.100.9")),
                                    ("fd00:2::7", ("fd00:1::1", "fd00:2::1", "fd00:2::99", "fd00:99::9"))):
                for target in targets:
                    send(datagram(source, target))
                self.assertEqual(self.marked(ears), 0, source)

    def test_nat(self):
        self.assert_no_bytes_cross("<forward mode='nat'><nat ipv6='yes'/></forward>")

    def test_routed(self):
        self.assert_no_bytes_cross("<forward mode='route'/>")

    def test_isolated(self):
        self.assert_no_bytes_cross("")

    def test_guests_of_one_network_may_use_what_subnets_they_like(self):
        """Also where br_netfilter shows bridged packets to the rules."""
        self.netd.start()
        self.network("one", "<forward mode='nat'/>")
        a, b = self.guest("virbr1"), self.guest("virbr1")
        for n, guest in enumerate((a, b), 1):
            guest.address("10.99.0.%d/24" % n)
            guest.address("fd00:99::%d/64" % n)
        self.assertTrue(a.ping("10.99.0.2"))
        self.assertTrue(a.ping("fd00:99::2"))

    def test_what_has_no_address_yet_and_what_has_a_route_is_heard(self):
        """The kernel's own duplicate detection, link-local sources, and a subnet behind a guest."""
        self.netd.start()
        self.netd.define(nat_xml("one", "virbr1", 1, forward="<forward mode='route'/>", more="""
  <ip family='ipv6' address='fd00:1::1' prefix='64'/>
  <route family='ipv6' address='fd00:77::' prefix='64' gateway='fd00:1::7'/>"""))
        guest = self.guest("virbr1")
        guest.address("fd00:1::7/64", "fd00:1::1")
        guest.run("ip", "addr", "add", "fd00:77::1/64", "dev", "lo", "nodad")
        wait_for("an answer to a subnet behind a guest", lambda: guest.run(
            "ping", "-n", "-c", "1", "-W", "1", "-I", "fd00:77::1", "fd00:1::1", check=False).returncode == 0)
        link_local = sh("ip", "-6", "-o", "addr", "show", "dev", "virbr1", "scope", "link").stdout.split()[3]
        self.assertTrue(guest.ping(link_local.split("/")[0] + "%eth0"))
        guest.run("ip", "addr", "add", "fd00:1::1/64", "dev", "eth0")	# the host's: the host must hear the question
        wait_for("the duplicate found", lambda: "dadfailed" in guest.run("ip", "-6", "addr").stdout)


netdtest.main()
