#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A host that learnt its default route from router advertisements keeps it while netd forwards IPv6 for guests."""
import socket
import struct

import netdtest
from netdtest import in_ns, sh, wait_for

XML = """<network><name>six</name><forward mode='route'/><bridge name='virbr6' stp='off' delay='0'/>
<ip family='ipv6' address='2001:db8:6::1' prefix='64'/></network>"""


def advertise(ns, ifname="eth0", lifetime_s=1800):
    """One router advertisement (RFC 4861 4.2) to all nodes, with a prefix for SLAAC."""
    with in_ns(ns):
        s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
        index = socket.if_nametoindex(ifname)
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
    prefix = struct.pack("!BBBBIII16s", 3, 4, 64, 0xc0, 86400, 14400, 0,
                         socket.inet_pton(socket.AF_INET6, "2001:db8:77::"))
    s.sendto(struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, lifetime_s, 0, 0) + prefix,
             ("ff02::1", 0, 0, index))
    s.close()


class HostRa(netdtest.TestCase):
    def default_route(self):
        return "proto ra" in sh("ip", "-6", "route", "show", "default").stdout

    def setUp(self):
        super().setUp()
        self.out = self.outside()
        sh("ip", "-6", "route", "del", "default")
        with open("/proc/sys/net/ipv6/conf/%s/accept_ra" % self.out.uplink, "w") as f:
            f.write("1")
        # The sender of an advertisement is a link-local address, which must have passed DAD.
        wait_for("link-local address", lambda: "tentative" not in self.out.run(
            "ip", "-6", "addr", "show", "scope", "link").stdout and "fe80" in self.out.run(
            "ip", "-6", "addr", "show", "scope", "link").stdout)
        wait_for("default route from an advertisement",
                 lambda: advertise("outside") or self.default_route(), step=0.2)
        self.sysctls = netdtest.kernel_state()["sysctls"]

    def test_default_route_survives_start_renewal_and_stop(self):
        self.netd.start()
        self.netd.define(XML)
        self.assertTrue(self.default_route(), "after the start")
        g = self.guest("virbr6")
        g.address("2001:db8:6::2/64", "2001:db8:6::1")
        self.out.run("ip", "-6", "route", "add", "2001:db8:6::/64", "via", self.out.HOST_V6)
        self.assertTrue(g.ping(self.out.V6), "guests are forwarded")
        sh("ip", "-6", "route", "flush", "default", "proto", "ra")
        wait_for("advertisements are still accepted",
                 lambda: advertise("outside") or self.default_route(), step=0.2)
        g.delete()
        self.netd.ctl("net-destroy", "six")
        self.assertTrue(self.default_route(), "after the stop")
        self.assertEqual(self.sysctls, netdtest.kernel_state()["sysctls"])

    def test_no_advertisement_is_accepted_from_guests(self):
        self.netd.start()
        self.netd.define(XML)
        g = self.guest("virbr6")
        g.address("2001:db8:6::2/64")
        wait_for("link-local address", lambda: "tentative" not in g.run("ip", "-6", "addr").stdout)
        for _ in range(3):
            advertise(g.name)
        self.assertNotIn("virbr6", sh("ip", "-6", "route", "show", "default").stdout)


netdtest.main()
