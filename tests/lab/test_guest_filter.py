#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Network filters on the NICs of a real guest, in the lab (tests/lab/suite: guest-filter).

What the guest sends under false names does not come out, what it may send does, and this stays so when filters change,
netd dies, or somebody flushes the rules.
"""
import contextlib
import os
import signal
import socket
import struct
import threading

import labtest
from netdtest import sh, wait_for

NETWORK = """<network><name>guarded</name><forward mode='nat'/><bridge name='brguard' stp='off'/>
    <ip address='192.168.90.1' netmask='255.255.255.0'><dhcp><range start='192.168.90.10' end='192.168.90.20'/></dhcp></ip>
    </network>"""

# What a guest may begin, and what may be begun with it; the answers to both come by themselves.
TALK = """<filter name='talk' chain='root'>
    <rule action='accept' direction='out' priority='100'><tcp dstportstart='$PORTS[@1]'/></rule>
    <rule action='accept' direction='in' priority='100'><tcp dstportstart='%s'/></rule>
    <rule action='accept' direction='out' priority='100'><icmp type='8'/></rule>
    <rule action='accept' direction='in' priority='100'><icmp type='0'/></rule>
    <rule action='reject' direction='out' priority='200'><udp dstportstart='9'/></rule>
    <rule action='drop' direction='inout' priority='900'><all/></rule>
    </filter>"""

GUARDED = "52:54:00:00:01:01"


def nic(kind, source, n, filterref):
    return "<interface type='%s'><mac address='52:54:00:00:01:%02x'/><source %s/><model type='virtio'/>%s</interface>" % (
        kind, n, source, filterref)


CLEAN = "<filterref filter='clean-traffic'/>"
TALKS = "<filterref filter='talk'><parameter name='PORTS' value='7000'/><parameter name='PORTS' value='7001'/></filterref>"


class Listener:
    """What comes out of a guest onto a bridge: sources by IP and ARP, and MAC addresses."""

    def __init__(self, bridge):
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self.socket.bind((bridge, 0))
        self.sources, self.macs = set(), set()
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            frame, where = self.socket.recvfrom(2048)
            if where[2] == socket.PACKET_OUTGOING:
                continue
            self.macs.add(frame[6:12].hex(":"))
            kind = struct.unpack("!H", frame[12:14])[0]
            if kind == 0x0806:
                self.sources.add(socket.inet_ntoa(frame[28:32]))
            elif kind == 0x0800:
                self.sources.add(socket.inet_ntoa(frame[26:30]))


class Filters(labtest.GuestCase):
    def setUp(self):
        super().setUp()
        self.netd.define(NETWORK)
        sh("ip", "link", "add", "hostbr", "type", "bridge")
        sh("ip", "addr", "add", "10.88.0.1/24", "dev", "hostbr")
        sh("ip", "link", "set", "hostbr", "up")
        self.define_filter(TALK % 7002)

    def define_filter(self, xml):
        path = os.path.join(self.netd.root, "filter.xml")
        with open(path, "w") as f:
            f.write(xml)
        self.netd.virsh("nwfilter-define", path)

    def status(self, guest, command, status):
        self.told(guest, "%s >/dev/null 2>&1; echo status $?" % command, "= status %d" % status)

    def pings(self, guest, address, answers=True, more=""):
        self.status(guest, "ping -c 1 -W 2 %s %s" % (more, address), 0 if answers else 1)

    def lies(self, guest, heard):
        """A false address, in ARP and in IP, and a false MAC: nobody hears of them."""
        self.told(guest, "ip addr add 192.168.90.250/24 dev eth0; echo done", "= done")
        self.pings(guest, "192.168.90.1", False, "-I 192.168.90.250")
        self.told(guest, "ip addr del 192.168.90.250/24 dev eth0; ip link set eth0 down; "
                  "ip link set eth0 address 52:54:00:66:66:66; ip link set eth0 up; echo done", "= done")
        self.pings(guest, "192.168.90.1", False)
        self.told(guest, "ip link set eth0 down; ip link set eth0 address %s; ip link set eth0 up; echo done" % GUARDED, "= done")
        self.pings(guest, "192.168.90.1")
        self.assertNotIn("192.168.90.250", heard.sources)
        self.assertNotIn("52:54:00:66:66:66", heard.macs)

    def connects(self, guest, port, answers=True):
        def serve():
            with contextlib.suppress(OSError):
                listener.accept()[0].close()

        listener = socket.create_server(("10.88.0.1", port))
        threading.Thread(target=serve, daemon=True).start()
        self.status(guest, "nc -w 2 10.88.0.1 %d </dev/null" % port, 0 if answers else 1)
        listener.shutdown(socket.SHUT_RDWR)	# wakes who waits
        listener.close()

    def talks(self, guest):
        """By connection: what it may begin and what not."""
        self.told(guest, "ip addr add 10.88.0.2/24 dev eth1; ip link set eth1 up; echo done", "= done")
        self.pings(guest, "10.88.0.1")
        self.connects(guest, 7000)
        self.connects(guest, 7001)
        self.connects(guest, 7003, False)
        sh("ping", "-c", 1, "-W", 1, "10.88.0.2", check=False)		# brings the neighbour
        self.assertNotEqual(sh("ping", "-c", 1, "-W", 1, "10.88.0.2", check=False).returncode, 0)
        self.told(guest, "nc -l -p 7002 </dev/null >/dev/null 2>&1 & echo waits", "= waits")
        wait_for("a connection into the guest", lambda: self.try_connect(7002))
        self.assertFalse(self.try_connect(7003))

    @staticmethod
    def try_connect(port):
        try:
            socket.create_connection(("10.88.0.2", port), 2).close()
            return True
        except OSError:
            return False

    def changes(self, guest):
        """A filter's new document counts for guests that run, and a NIC gets another filter."""
        self.define_filter((TALK % 7002).replace("<icmp type='8'/>", "<icmp type='13'/>"))
        self.pings(guest, "10.88.0.1", False)
        self.define_filter(TALK % 7002)
        self.pings(guest, "10.88.0.1")
        self.update(nic("bridge", "bridge='hostbr'", 2, ""))
        self.connects(guest, 7003)
        self.update(nic("bridge", "bridge='hostbr'", 2, TALKS))
        self.connects(guest, 7003, False)

    def update(self, xml):
        path = os.path.join(self.netd.root, "nic.xml")
        with open(path, "w") as f:
            f.write(xml)
        self.netd.ctl("update-device", "one", path, "--live")

    def rules(self):
        return sh("nft", "list", "table", "bridge", "netd", check=False).stdout

    def survives(self, guest, heard):
        for sig in (signal.SIGKILL, signal.SIGTERM):
            self.netd.restart(sig)
        guest = self.terminal("console", "one", "--force")
        guest.expect("Escape character")
        self.told(guest, "echo here", "= here")
        self.pings(guest, "192.168.90.1")
        self.lies(guest, heard)
        before = self.rules()
        sh("nft", "delete", "table", "bridge", "netd")
        wait_for("the rules to be made again", lambda: self.rules().count("chain") == before.count("chain"), timeout=15)
        self.pings(guest, "192.168.90.1")
        self.lies(guest, heard)
        return guest

    def test_filters_of_a_guest(self):
        self.define("one", [nic("network", "network='guarded'", 1, CLEAN), nic("bridge", "bridge='hostbr'", 2, TALKS)])
        guest = self.boot("one")
        heard = Listener("brguard")
        self.told(guest, "ip link set eth0 up; udhcpc -i eth0 -q -n -t 10 -T 1 -s /bin/udhcpc-script", r"= lease: 192\.168\.90\.")
        self.pings(guest, "192.168.90.1")
        self.assertIn(GUARDED, heard.macs)
        self.lies(guest, heard)
        self.talks(guest)
        self.changes(guest)
        self.assertIn("clean-traffic", self.netd.virsh("nwfilter-binding-list").stdout)
        guest = self.survives(guest, heard)
        self.netd.ctl("destroy", "one")
        guest.end()
        self.nothing_is_left()
        self.assertEqual(self.rules(), "")


if __name__ == "__main__":
    labtest.netdtest.main()
