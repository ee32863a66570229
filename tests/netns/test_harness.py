#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The harness itself: a guest talks to the outside through a router made by hand, and leaves no trace."""
import netdtest
from netdtest import sh


class Harness(netdtest.TestCase):
    def test_guest_outside_and_cleanup(self):
        out = self.outside()
        sh("ip", "link", "add", "br7", "type", "bridge", "forward_delay", "0")
        sh("ip", "addr", "add", "192.168.7.1/24", "dev", "br7")
        sh("ip", "link", "set", "br7", "up")
        sh("sysctl", "-qw", "net.ipv4.ip_forward=1")
        sh("nft", "add table ip t; add chain ip t p { type nat hook postrouting priority 100; }; "
           "add rule ip t p ip saddr 192.168.7.0/24 masquerade")
        g = self.guest("br7")
        g.address("192.168.7.2/24", "192.168.7.1")
        self.assertTrue(g.ping(out.V4))
        self.assertFalse(g.ping("192.168.7.77", timeout_s=1))
        with self.assertRaises(AssertionError):
            self.assert_untouched()
        sh("ip", "link", "del", "br7")
        sh("nft", "flush", "ruleset")
        sh("nft", "delete", "table", "ip", "t", check=False)
        sh("sysctl", "-qw", "net.ipv4.ip_forward=0")
        out.delete()
        g.delete()
        netdtest.wait_for("veths gone", lambda: "veth" not in sh("ip", "link").stdout)
        self.assert_untouched()


netdtest.main()
