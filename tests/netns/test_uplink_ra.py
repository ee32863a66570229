# SPDX-License-Identifier: GPL-2.0-or-later
"""A host that learnt its IPv6 default route from a router advertisement keeps it, and goes on
learning, while netd forwards for guests; and everything is as before afterwards."""
import os
import re
import socket
import struct
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import netdtest				# noqa: E402
from netdtest import in_ns, sh, wait_for	# noqa: E402

NETWORK = """<network><name>six</name><forward mode='%s'%s/><bridge name='virbr6'/>
  <ip family='ipv6' address='2001:db8:6::1' prefix='64'/></network>"""


class UplinkRa(netdtest.TestCase):
    def setUp(self):
        super().setUp()
        with open("/proc/sys/net/ipv6/conf/default/accept_dad", "w") as f:
            f.write("0")
        self.out = self.outside()
        self.out.run("ip", "-6", "route", "add", "2001:db8:6::/64", "via", self.out.HOST_V6)
        sh("ip", "-6", "route", "del", "default")
        wait_for("the router's own address", lambda: "tentative" not in self.out.run(
            "ip", "-6", "addr", "show", "dev", "eth0").stdout)
        self.sysctls = self.settings()

    def advertise(self, lifetime_s, device="eth0", ns=None):
        """RFC 4861 4.2, from the outside (or another namespace) to all nodes."""
        with in_ns(ns or self.out.name), socket.socket(socket.AF_INET6, socket.SOCK_RAW,
                                                 socket.IPPROTO_ICMPV6) as s:
            index = socket.if_nametoindex(device)
            s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
            s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
            s.sendto(struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, lifetime_s, 0, 0),
                     ("ff02::1", 0, 0, index))

    def learnt_s(self):
        """How long the learnt default route is still good for; None: there is none."""
        routes = sh("ip", "-6", "route", "show", "default").stdout
        found = re.search(r"proto ra .*expires (\d+)sec", routes)
        return int(found.group(1)) if found else None

    def settings(self):
        values = {}
        for conf in ("all", "default", self.out.uplink):
            folder = "/proc/sys/net/ipv6/conf/%s/" % conf
            for key in ("forwarding", "accept_ra", "force_forwarding"):
                if os.path.exists(folder + key):
                    with open(folder + key) as f:
                        values[conf, key] = f.read().strip()
        return values

    def runs(self, mode, dev=""):
        self.advertise(60)
        wait_for("the learnt default route", self.learnt_s)
        self.netd.start()
        self.netd.define(NETWORK % (mode, dev))
        self.assertTrue(self.learnt_s(), "the default route is still there")
        self.advertise(1800)
        wait_for("the route's renewal", lambda: (self.learnt_s() or 0) > 1000)
        guest = self.guest("virbr6")
        guest.address("2001:db8:6::2/64", "2001:db8:6::1")
        self.assertTrue(guest.ping(self.out.V6), "the guest reaches the outside")
        self.netd.ctl("net-destroy", "six")
        self.assertEqual(self.sysctls, self.settings())
        self.assertTrue(self.learnt_s(), "the default route outlives the network")
        self.advertise(600)
        wait_for("the host goes on learning", lambda: (self.learnt_s() or 9999) <= 600)

    def test_routed(self):
        self.runs("route")

    def test_routed_by_one_device(self):
        self.runs("route", " dev='uplink0'")

    def test_a_router_that_speaks_only_later(self):
        self.netd.start()
        self.netd.define(NETWORK % ("route", ""))
        guest = self.guest("virbr6")
        guest.address("2001:db8:6::2/64", "2001:db8:6::1")
        # a second uplink, which nothing was known of at the start
        sh("ip", "link", "add", "late0", "type", "veth", "peer", "name", "late", "netns", "outside")
        sh("ip", "link", "set", "late0", "up")
        sh("ip", "addr", "add", "2001:db8:200::2/64", "dev", "late0", "nodad")
        self.out.run("ip", "addr", "add", "2001:db8:200::1/64", "dev", "late", "nodad")
        self.out.run("ip", "link", "set", "late", "up")
        self.out.run("ip", "-6", "route", "replace", "2001:db8:6::/64", "via", "2001:db8:200::2")
        wait_for("the router's own address", lambda: "tentative" not in self.out.run(
            "ip", "-6", "addr", "show", "dev", "late").stdout)
        self.advertise(1800, "late")
        wait_for("the learnt default route", self.learnt_s)
        wait_for("answers to the guest", lambda: guest.ping("2001:db8:200::1", timeout_s=0.2),
                 timeout=2)
        self.netd.ctl("net-destroy", "six")
        self.assertEqual(self.sysctls, self.settings())

    def test_open(self):
        self.runs("open")

    def test_a_guest_is_no_router_of_the_host(self):
        self.netd.start()
        self.netd.define(NETWORK % ("route", ""))
        guest = self.guest("virbr6")
        wait_for("the guest's own address", lambda: "tentative" not in guest.run(
            "ip", "-6", "addr", "show", "dev", "eth0").stdout)
        for _ in range(3):
            self.advertise(1800, ns=guest.name)
        self.assertNotIn("virbr6", sh("ip", "-6", "route", "show", "default").stdout)


if __name__ == "__main__":
    netdtest.main()
