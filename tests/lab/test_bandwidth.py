#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What guests send is policed, in the lab (tests/lab/suite: guest-bandwidth), whose kernel can do that.

A guest in a namespace for the network's <outbound>; a real one for its NIC's, which changes while it runs.
"""
import os
import re
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../netns"))
import netdtest
from netdtest import Guest, Terminal, built, nat_xml, sh

PORT = 7000


class Sink(threading.Thread):
    """Counts what comes, from any number of clients one after the other."""

    def __init__(self, kind):
        super().__init__(daemon=True)
        self.bytes = 0
        self.socket = socket.socket(socket.AF_INET, kind)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(("192.168.122.1", PORT))
        self.stream = kind == socket.SOCK_STREAM
        if self.stream:
            self.socket.listen()
        self.start()

    def run(self):
        while True:
            client = self.socket.accept()[0] if self.stream else self.socket
            while data := client.recv(65536):
                self.bytes += len(data)
            client.close()

    def rate(self, seconds):
        """Kilobytes a second, from now on."""
        before, start = self.bytes, time.monotonic()
        time.sleep(seconds)
        return (self.bytes - before) / 1000 / (time.monotonic() - start)


class Outbound(netdtest.TestCase):
    def setUp(self):
        super().setUp()
        self.netd.env.update(NETD_VMM=built("vmm/netd-vmm"))
        self.netd.start()

    def policers(self, device):
        """Rates in Kbit/s."""
        shown = sh("tc", "filter", "show", "dev", device, "ingress", check=False).stdout
        return re.findall(r"police .* rate (\S+) burst", shown)

    def test_what_all_guests_send_is_limited(self):
        self.netd.define(nat_xml(extra="<bandwidth><outbound average='250' burst='64'/></bandwidth>"))
        self.assertEqual(self.policers("virbr0"), ["2Mbit"])
        guest = Guest("virbr0")
        guest.address("192.168.122.20/24")
        sink = Sink(socket.SOCK_DGRAM)
        flood = guest.spawn("/usr/bin/python3", "-c", "import socket\ns = socket.socket(2, 2)\nwhile True:"
                            " s.sendto(bytes(1200), ('192.168.122.1', %d))" % PORT)
        try:
            time.sleep(2)
            rate = sink.rate(3)
        finally:
            flood.kill()
            flood.wait()
        self.assertTrue(125 < rate < 300, rate)
        sh("tc", "qdisc", "del", "dev", "virbr0", "ingress")
        netdtest.wait_for("the policer", lambda: self.policers("virbr0") == ["2Mbit"])
        self.netd.ctl("net-destroy", "default")

    def define(self, bandwidth):
        folder, path = built("lab/guest-run"), os.path.join(self.netd.root, "guest.xml")
        with open(path, "w") as f:
            f.write("""<domain type='kvm'><name>web</name><memory unit='MiB'>128</memory>
            <os><type>hvm</type><kernel>%s/vmlinuz</kernel><initrd>%s/initrd</initrd><cmdline>console=ttyS0 quiet</cmdline></os>
            <devices><interface type='network'><source network='default'/>%s</interface>
            <interface type='direct'><source dev='uplink'/>%s</interface><console type='pty'/></devices>
            </domain>""" % (folder, folder, bandwidth, "<bandwidth><inbound average='500'/><outbound average='600'/></bandwidth>"))
        self.netd.ctl("define", path)

    def test_what_a_guest_sends_is_limited_and_tuned_while_it_runs(self):
        self.netd.define(nat_xml())
        sh("ip", "link", "add", "uplink", "type", "dummy")
        self.define("<bandwidth><outbound average='100' burst='64'/></bandwidth>")
        guest = Terminal(built("netd/ctl/netdctl"), "-c", self.netd.uri(), "start", "web", "--console")
        guest.expect("= ready", 150)
        self.assertEqual(self.policers("vnet0"), ["800Kbit"])
        # a macvtap is seen from its guest: what that sends leaves through it
        self.assertEqual(self.policers("macvtap0"), ["4Mbit"])
        self.assertIn("rate 4800Kbit", sh("tc", "class", "show", "dev", "macvtap0").stdout)
        sink = Sink(socket.SOCK_STREAM)
        guest.type("sh ip addr add 192.168.122.30/24 dev eth0; ip link set eth0 up; "
                   "(dd if=/dev/zero bs=64k count=100000 | nc 192.168.122.1 %d) >/dev/null 2>&1 & echo sends\n" % PORT)
        guest.expect("= sends", 60)
        netdtest.wait_for("the first bytes", lambda: sink.bytes > 0, timeout=60)
        time.sleep(3)
        slow = sink.rate(5)
        self.assertTrue(20 < slow < 130, slow)
        self.netd.ctl("domiftune", "web", "vnet0", "--outbound", "400,0,128", "--inbound", "1000")
        self.assertEqual(self.policers("vnet0"), ["3200Kbit"])
        self.assertIn("rate 8Mbit", sh("tc", "class", "show", "dev", "vnet0").stdout)
        self.assertIn("qdisc sfq 2: parent 1:1", sh("tc", "qdisc", "show", "dev", "vnet0").stdout)
        time.sleep(2)
        fast = sink.rate(5)
        self.assertTrue(1.5 * slow < fast < 500, (slow, fast))
        self.netd.ctl("domiftune", "web", "vnet0", "--outbound", "0")
        self.assertEqual(self.policers("vnet0"), [])
        print("KB/s: %.0f at 100, %.0f at 400, %.0f without" % (slow, fast, sink.rate(3)))
        self.netd.ctl("destroy", "web")


netdtest.main()
