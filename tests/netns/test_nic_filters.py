#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Network filters on guests' NICs: frames that a guest sends, and what of them comes out.

The guest is fake_vmm; the test takes its TAP's descriptor out of the process and sends what it likes. Filters that
follow connections, and real guests, are in the lab (test_guest_filter.py)."""
import contextlib
import ctypes
import fcntl
import os
import signal
import socket
import struct
import time

import netdtest
from guesttest import MAC, Guests
from netdtest import nat_xml, sh, wait_for

PIDFD_OPEN, PIDFD_GETFD = 434, 438
TUNGETVNETHDRSZ = 0x800454d7


def mac_bytes(text):
    return bytes.fromhex(text.replace(":", ""))


def arp(address, mac=MAC, frame_mac=None, target="192.168.122.1"):
    return b"\xff" * 6 + mac_bytes(frame_mac or mac) + struct.pack("!HHHBBH", 0x0806, 1, 0x0800, 6, 4, 1) + \
        mac_bytes(mac) + socket.inet_aton(address) + bytes(6) + socket.inet_aton(target)


def ipv4(source, mac=MAC, protocol=17, payload=bytes(8), destination="192.168.122.1", to=b"\xff" * 6):
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 1, 0, 64, protocol, 0,
                         socket.inet_aton(source), socket.inet_aton(destination))
    total = sum(struct.unpack("!10H", header))
    header = header[:10] + struct.pack("!H", 0xffff - ((total >> 16) + (total & 0xffff))) + header[12:]
    return to + mac_bytes(mac) + b"\x08\x00" + header + payload


def udp(source, sport, dport, payload=b"", **more):
    return ipv4(source, payload=struct.pack("!HHHH", sport, dport, 8 + len(payload), 0) + payload, **more)


def dhcp_ack(address, mac=MAC):
    bootp = struct.pack("!4B4sHH4s4s4s4s", 2, 1, 6, 0, b"xidx", 0, 0, bytes(4), socket.inet_aton(address), bytes(4), bytes(4)) + \
        mac_bytes(mac) + bytes(10 + 64 + 128) + bytes.fromhex("63825363") + bytes([53, 1, 5, 255])
    return udp("192.168.122.1", 67, 68, bootp, destination="255.255.255.255", mac="52:54:00:99:99:99")


class Tap:
    """The guest's end of a TAP: a copy of its process's descriptor."""

    def __init__(self, pid, ifname):
        libc = ctypes.CDLL(None, use_errno=True)
        pidfd = libc.syscall(PIDFD_OPEN, pid, 0)
        for fd in os.listdir("/proc/%d/fdinfo" % pid):
            with open("/proc/%d/fdinfo/%s" % (pid, fd)) as f:
                if "iff:\t%s\n" % ifname in f.read():
                    self.fd = libc.syscall(PIDFD_GETFD, pidfd, int(fd), 0)
        os.close(pidfd)
        os.set_blocking(self.fd, False)
        self.header_size = struct.unpack("i", fcntl.ioctl(self.fd, TUNGETVNETHDRSZ, bytes(4)))[0]

    def send(self, frame):
        os.write(self.fd, bytes(self.header_size) + frame)

    def received(self):
        frames = []
        with contextlib.suppress(BlockingIOError):
            while True:
                frames.append(os.read(self.fd, 65536)[self.header_size:])
        return frames

    def close(self):
        if self.fd >= 0:
            os.close(self.fd)
        self.fd = -1


class Filters(Guests):
    """A guest on the default network, and one who listens on its bridge."""

    def setUp(self):
        super().setUp()
        self.netd.define(nat_xml())
        self.ears = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self.ears.bind(("virbr0", 0))
        self.ears.setblocking(False)
        self.addCleanup(self.ears.close)

    def filter(self, xml, check=True):
        return self.virsh("nwfilter-define", "FILE", xml=xml, check=check)

    def nic(self, filterref="", kind="network", source="network='default'", mac=MAC):
        return "<interface type='%s'><mac address='%s'/><source %s/><model type='virtio'/>%s</interface>" % (
            kind, mac, source, filterref)

    def start(self, filterref, **kw):
        self.define(devices=self.nic(filterref), **kw)
        self.virsh("start", "web")
        return self.tap()

    def tap(self, ifname="vnet0"):
        tap = Tap(self.pids()[0], ifname)
        self.addCleanup(tap.close)
        return tap

    def passes(self, tap, frame):
        """Whether the frame reaches the bridge."""
        with contextlib.suppress(BlockingIOError):
            while True:
                self.ears.recv(65536)
        tap.send(frame)
        deadline = time.monotonic() + 0.3
        while time.monotonic() < deadline:
            with contextlib.suppress(BlockingIOError):
                got, where = self.ears.recvfrom(65536)
                if where[2] != socket.PACKET_OUTGOING and got[:len(frame)] == frame:
                    return True
                continue
            time.sleep(0.005)
        return False

    def comes_in(self, tap, frame):
        """Whether a frame that the host sends reaches the guest."""
        tap.received()
        self.ears.send(frame)
        deadline = time.monotonic() + 0.3
        while time.monotonic() < deadline:
            if any(got[:len(frame)] == frame for got in tap.received()):
                return True
            time.sleep(0.005)
        return False

    def rules(self, *options):
        return sh("nft", *options, "list", "table", "bridge", "netd", check=False).stdout

    def stop(self):
        self.virsh("destroy", "web")
        self.assertEqual(self.rules(), "")
        self.nothing_is_left()


GIVEN = "<filterref filter='clean-traffic'><parameter name='IP' value='192.168.122.50'/></filterref>"
LEARNED = "<filterref filter='clean-traffic'/>"
BY_DHCP = "<filterref filter='clean-traffic'><parameter name='CTRL_IP_LEARNING' value='dhcp'/></filterref>"
# Drops UDP to a port of two lists: (80, 81) with A = (1, 2), by index and together.
LISTS = """<filter name='lists'><rule action='drop' direction='out'>
    <ip srcipaddr='$A[@1]' protocol='udp' dstportstart='$B[@1]'/></rule>
    <rule action='drop' direction='out'><ip protocol='udp' srcipaddr='$A[0]' dstportstart='9'/></rule></filter>"""


class Frames(Filters):
    def test_a_given_address_is_the_only_one(self):
        tap = self.start(GIVEN)
        self.assertTrue(self.passes(tap, arp("192.168.122.50")))
        self.assertFalse(self.passes(tap, arp("192.168.122.51")))
        self.assertFalse(self.passes(tap, arp("192.168.122.50", frame_mac="52:54:00:00:00:99")))
        self.assertFalse(self.passes(tap, arp("192.168.122.50", mac="52:54:00:00:00:99", frame_mac=MAC)))
        self.assertTrue(self.passes(tap, ipv4("192.168.122.50")))
        self.assertFalse(self.passes(tap, ipv4("192.168.122.51")))
        self.assertFalse(self.passes(tap, ipv4("192.168.122.50", mac="52:54:00:00:00:99")))
        self.assertTrue(self.passes(tap, udp("0.0.0.0", 68, 67, destination="255.255.255.255")))
        self.assertFalse(self.passes(tap, b"\xff" * 6 + mac_bytes(MAC) + b"\x12\x34" + bytes(60)))	# neither IP nor ARP
        self.stop()

    def test_the_first_address_is_learned_and_kept(self):
        tap = self.start(LEARNED)
        self.assertTrue(self.passes(tap, udp("0.0.0.0", 68, 67, destination="255.255.255.255")))
        self.assertFalse(self.passes(tap, ipv4("192.168.122.77", mac="52:54:00:00:00:99")))	# whose MAC is not the guest's
        self.assertTrue(self.passes(tap, ipv4("192.168.122.60")))
        for sig in (None, signal.SIGKILL, signal.SIGTERM):
            if sig:
                self.netd.restart(sig)
                self.await_state("running (booted)")
            self.assertFalse(self.passes(tap, ipv4("192.168.122.61")))
            self.assertFalse(self.passes(tap, arp("192.168.122.61")))
            self.assertTrue(self.passes(tap, arp("192.168.122.60")))
            self.assertTrue(self.passes(tap, ipv4("192.168.122.60")))
        self.stop()

    def test_what_dhcp_gives_is_learned(self):
        tap = self.start(BY_DHCP)
        self.assertFalse(self.passes(tap, ipv4("192.168.122.60")))
        self.assertTrue(self.comes_in(tap, dhcp_ack("192.168.122.60")))
        self.assertTrue(self.passes(tap, ipv4("192.168.122.60")))
        self.assertFalse(self.passes(tap, ipv4("192.168.122.61")))
        self.assertTrue(self.comes_in(tap, dhcp_ack("192.168.122.61", mac="52:54:00:00:00:99")))	# another's
        self.assertFalse(self.passes(tap, ipv4("192.168.122.61")))
        self.stop()

    def test_lists_are_walked_together_and_by_index(self):
        self.filter(LISTS)
        params = "".join("<parameter name='%s' value='%s'/>" % p for p in (
            ("A", "192.168.122.1"), ("A", "192.168.122.2"), ("B", "80"), ("B", "81")))
        tap = self.start("<filterref filter='lists'>%s</filterref>" % params)
        for last, port, passes in ((1, 80, False), (2, 81, False), (1, 81, True), (2, 80, True), (1, 9, False), (2, 9, True)):
            self.assertEqual(self.passes(tap, udp("192.168.122.%d" % last, 1000, port)), passes, (last, port))
        self.stop()

    def test_filters_change_while_the_guest_runs(self):
        drop = "<filter name='mine' chain='root'><rule action='drop' direction='%s'><ip protocol='udp' dstportstart='%s'/></rule></filter>"
        self.filter(drop % ("out", 7))
        tap = self.start("<filterref filter='mine'/>")
        self.assertFalse(self.passes(tap, udp("192.168.122.9", 1, 7)))
        self.assertTrue(self.passes(tap, udp("192.168.122.9", 1, 8)))
        self.filter(drop % ("inout", 8))
        self.assertTrue(self.passes(tap, udp("192.168.122.9", 1, 7)))
        self.assertFalse(self.passes(tap, udp("192.168.122.9", 8, 1)))		# the mirror image of what comes in
        self.assertFalse(self.comes_in(tap, udp("192.168.122.1", 1, 8, mac="52:54:00:99:99:99")))
        refused = self.filter(drop % ("out", "$NOWHERE"), check=False)
        self.assertRegex(refused.stderr, "guest 'web': .*the variable 'NOWHERE' has no value")
        self.assertFalse(self.passes(tap, udp("192.168.122.9", 8, 1)))
        self.assertIn("dstportstart='8'", self.virsh("nwfilter-dumpxml", "mine").stdout)
        self.virsh("update-device", "web", "FILE", "--live", xml=self.nic(GIVEN))
        self.assertFalse(self.passes(tap, ipv4("192.168.122.51")))
        self.virsh("update-device", "web", "FILE", "--live", xml=self.nic())
        self.assertTrue(self.passes(tap, ipv4("192.168.122.51")))
        self.assertEqual(self.rules(), "")
        self.stop()

    def test_a_nic_comes_and_goes_with_its_filter(self):
        self.define(devices="<console type='pty'/>")
        self.virsh("start", "web")
        self.assertEqual(self.rules(), "")
        self.virsh("attach-device", "web", "FILE", "--live", xml=self.nic(GIVEN))
        tap = self.tap()
        self.assertFalse(self.passes(tap, ipv4("192.168.122.51")))
        self.assertTrue(self.passes(tap, ipv4("192.168.122.50")))
        self.virsh("detach-device", "web", "FILE", "--live", xml=self.nic(GIVEN))
        wait_for("it to go", lambda: self.taps() == [] and self.rules() == "")
        self.stop()


class Ethernet(Filters):
    def script(self, text):
        path = self.file("up", ("#!/bin/sh\n%s\n" % text).encode())
        os.chmod(path, 0o755)
        return "<script path='%s'/>" % path

    def ethernet(self, script):
        self.define(devices="<interface type='ethernet'><mac address='%s'/>%s<target dev='web2'/>%s</interface>" % (MAC, script, GIVEN))

    def test_a_tap_that_its_script_puts_on_a_bridge(self):
        self.ethernet("")
        self.assertRegex(self.error("start", "web"), r"<filterref> \(line \d+\): 'web2' is on no bridge of the kernel's")
        self.nothing_is_left()
        self.ethernet(self.script("ip link set $1 master virbr0 up"))
        self.virsh("start", "web")
        tap = self.tap("web2")
        self.assertTrue(self.passes(tap, ipv4("192.168.122.50")))
        self.assertFalse(self.passes(tap, ipv4("192.168.122.51")))
        self.stop()


class Refusals(Filters):
    def test_a_start_that_cannot_be_filtered_leaves_nothing(self):
        self.define(devices=self.nic("<filterref filter='nowhere'/>"))
        self.assertRegex(self.error("start", "web"), r"<filterref> \(line \d+\): no network filter with matching name 'nowhere'")
        self.nothing_is_left()
        self.filter("<filter name='mine'><rule action='drop' direction='out'><ip srcipaddr='$WHO'/></rule></filter>")
        self.define(devices=self.nic("<filterref filter='mine'/>"))
        self.assertRegex(self.error("start", "web"), r"filter 'mine', <rule> in line 1: the variable 'WHO' has no value")
        self.define(devices=self.nic("<filterref filter='mine'><parameter name='WHO' value='me'/></filterref>"))
        self.assertRegex(self.error("start", "web"), r"filter 'mine', <rule> in line 1: .*'me'")
        self.filter("<filter name='mine'><rule action='drop' direction='out'><arp gratuitous='true'/></rule></filter>")
        self.define(devices=self.nic("<filterref filter='mine'/>"))
        self.assertRegex(self.error("start", "web"), "'gratuitous' is not supported")
        self.nothing_is_left()
        self.assertEqual(self.rules(), "")

    def test_a_filter_in_use_stays(self):
        self.filter("<filter name='mine'><rule action='drop' direction='out'><ip srcipaddr='10.0.0.1'/></rule></filter>")
        self.start("<filterref filter='mine'/>")
        self.virsh("undefine", "web")
        self.assertIn("nwfilter is in use", self.error("nwfilter-undefine", "mine"))
        self.assertRegex(self.virsh("nwfilter-binding-list").stdout, r"vnet0 +mine")
        self.stop()
        self.virsh("nwfilter-undefine", "mine")


class Repair(Filters):
    def broken(self, *command):
        before, numbered = self.rules(), self.rules("-a")
        self.assertTrue(before)
        sh("nft", *command)
        wait_for("the rules to be made again", lambda: self.rules() == before and self.rules("-a") != numbered)

    def plain(self):
        """Also where the kernel could keep others from the table."""
        with open(self.netd.root + "/etc/netd/netd.conf", "a") as f:
            f.write("persist_nft = no\n")
        self.netd.restart()

    def test_somebody_else_s_hands_on_the_rules(self):
        self.plain()
        tap = self.start(GIVEN)
        self.broken("delete", "table", "bridge", "netd")
        self.broken("flush", "ruleset")
        self.broken("insert", "rule", "bridge", "netd", "frames_from", "accept")
        self.assertFalse(self.passes(tap, ipv4("192.168.122.51")))
        self.assertTrue(self.passes(tap, ipv4("192.168.122.50")))
        self.stop()

    def test_what_happened_while_netd_was_away(self):
        tap = self.start(GIVEN)
        self.netd.kill()
        os.kill(self.pids()[0], signal.SIGKILL)
        tap.close()
        self.netd.start()
        wait_for("clean", lambda: self.taps() == [] and self.rules() == "")
        self.nothing_is_left()

    def test_a_filter_that_is_gone_cuts_its_guests_off(self):
        self.filter("<filter name='mine'><rule action='drop' direction='out'><ip srcipaddr='10.0.0.1'/></rule></filter>")
        tap = self.start("<filterref filter='mine'/>")
        self.assertTrue(self.passes(tap, ipv4("10.0.0.2")))
        self.netd.stop()
        os.unlink(self.netd.root + "/etc/netd/nwfilter/mine.xml")
        self.netd.start()
        self.assertFalse(self.passes(tap, ipv4("10.0.0.2")))
        self.assertIn("its interface 'vnet0' is cut off until this is mended", self.netd.log())
        self.filter("<filter name='mine'><rule action='drop' direction='out'><ip srcipaddr='10.0.0.1'/></rule></filter>")
        self.assertTrue(self.passes(tap, ipv4("10.0.0.2")))
        self.stop()


if __name__ == "__main__":
    netdtest.main()
