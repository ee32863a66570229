#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""DHCP and DNS as real clients see them: udhcpc, dhclient and dig in guests' namespaces."""
import os
import signal
import subprocess
import tempfile
import time

import netdtest
from netdtest import nat_xml, sh, wait_for

HOSTS = """<dhcp>
    <range start='192.168.122.100' end='192.168.122.120'><lease expiry='10' unit='minutes'/></range>
    <range start='192.168.122.200' end='192.168.122.203'/>
    <host mac='52:54:00:aa:00:01' name='fixed' ip='192.168.122.10'/>
    <host mac='52:54:00:aa:00:02' name='forever' ip='192.168.122.11'><lease expiry='0'/></host>
    <host name='byname' ip='192.168.122.12'/>
    <bootp file='pxelinux.0' server='192.168.122.9'/>
  </dhcp>"""

NAMES = """<domain name='vm.test' localOnly='yes'/>
  <dns forwardPlainNames='no'>
    <forwarder domain='corp.test' addr='198.51.100.1'/>
    <txt name='note' value='a b,c'/>
    <srv service='sip' protocol='tcp' domain='vm.test' target='gate.vm.test' port='5060' priority='3' weight='7'/>
    <host ip='192.168.122.50'><hostname>gate</hostname><hostname>door.example</hostname></host>
    <host ip='fd00:122::50'><hostname>gate</hostname></host>
  </dns>"""


class Resolver:
    """A name server of the outside world, which knows a few names."""

    def __init__(self, where, address, names):
        self.process = where.spawn(
            "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts",
            "--bind-interfaces", "--listen-address=" + address, "--pid-file", "--user=root",
            *["--host-record=%s,%s,60" % pair for pair in names.items()],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def stop(self):
        self.process.kill()
        self.process.wait()


class GuestServices(netdtest.TestCase):
    def setUp(self):
        super().setUp()
        self.out = self.outside()
        self.resolv = tempfile.NamedTemporaryFile("w", suffix=".resolv")
        self.resolvers = []
        self.host_resolvers("198.51.100.1")
        target = os.path.realpath("/etc/resolv.conf")
        sh("mount", "--bind", self.resolv.name, target)
        self.resolv_target = target

    def tearDown(self):
        for r in self.resolvers:
            r.stop()
        super().tearDown()
        sh("umount", self.resolv_target)
        self.resolv.close()

    def host_resolvers(self, *addresses):
        """What the host's resolv.conf says, rewritten in place as a DHCP client of the host would."""
        self.resolv.seek(0)
        self.resolv.truncate()
        self.resolv.writelines("nameserver %s\n" % a for a in addresses)
        self.resolv.flush()

    def resolver(self, address, names):
        self.resolvers.append(Resolver(self.out, address, names))

    def network(self, **kw):
        self.netd.start()
        kw.setdefault("dhcp", HOSTS)
        kw.setdefault("extra", NAMES)
        self.netd.define(nat_xml(**kw))

    def test_lease_carries_what_the_network_says(self):
        self.network(extra=NAMES + "<mtu size='1400'/>")
        g = self.guest("virbr0")
        lease = g.udhcpc("-O", "search", "-O", "mtu")
        self.assertRegex(lease["ip"], r"^192\.168\.122\.(1[01]\d|120|20[0-3])$")
        self.assertEqual((lease["router"], lease["dns"], lease["domain"], lease["subnet"], lease["broadcast"]),
                         ("192.168.122.1", "192.168.122.1", "vm.test", "255.255.255.0", "192.168.122.255"))
        self.assertEqual(lease["serverid"], "192.168.122.1")
        self.assertEqual(lease["mtu"], "1400")
        self.assertEqual(lease["boot_file"], "pxelinux.0")
        self.assertEqual(lease["siaddr"], "192.168.122.9")

    def test_reservations_by_mac_and_by_name(self):
        self.network()
        g = self.guest("virbr0", mac="52:54:00:aa:00:01")
        lease = g.udhcpc()
        self.assertEqual((lease["ip"], lease["hostname"]), ("192.168.122.10", "fixed"))
        self.assertEqual(lease["lease"], "3600")
        g2 = self.guest("virbr0", mac="52:54:00:aa:00:02")
        lease = g2.udhcpc()
        self.assertEqual((lease["ip"], lease["lease"]), ("192.168.122.11", str(2**32 - 1)))
        g3 = self.guest("virbr0")
        self.assertEqual(g3.udhcpc("-x", "hostname:byname")["ip"], "192.168.122.12")

    def test_same_client_id_two_guests_two_addresses(self):
        self.network()
        clone = "0x3d:ff00112233445566778899"
        a, b = self.guest("virbr0"), self.guest("virbr0")
        ip_a = a.udhcpc("-C", "-x", clone)["ip"]
        ip_b = b.udhcpc("-C", "-x", clone)["ip"]
        self.assertNotEqual(ip_a, ip_b)
        self.assertEqual(a.udhcpc("-C", "-x", clone)["ip"], ip_a)
        self.assertEqual(a.udhcpc("-C", "-x", "0x3d:ff99887766554433221100")["ip"], ip_a,
                         "a changed client-id keeps the address")

    def test_dhclient_gets_renews_and_releases(self):
        self.network()
        g = self.guest("virbr0", mac="52:54:00:aa:00:01")
        d = tempfile.mkdtemp(dir="/run")
        opts = ["-4", "-v", "-sf", "/bin/true", "-lf", d + "/leases", "-pf", d + "/pid", "-cf", "/dev/null"]
        for _ in range(2):
            done = g.run("dhclient", "-1", *opts, "eth0", timeout=30)
            self.assertIn("bound to 192.168.122.10", done.stderr)
            g.run("dhclient", "-x", *opts, "eth0", check=False)
        g.run("ip", "addr", "add", "192.168.122.10/24", "dev", "eth0")
        self.assertEqual(g.dig("fixed.vm.test", "@192.168.122.1"), ["192.168.122.10"])
        g.run("dhclient", "-r", *opts, "eth0", timeout=30)
        g.run("ip", "addr", "replace", "192.168.122.99/24", "dev", "eth0")
        wait_for("the name gone with the lease", lambda: g.dig("fixed.vm.test", "@192.168.122.1") == [])
        self.assertNotIn("192.168.122.10", self.netd.ctl("net-dhcp-leases", "default").stdout)

    def test_input_policy_drop_does_not_break_dhcp(self):
        sh("nft", "add table inet fw; add chain inet fw input { type filter hook input priority 0; policy drop; }")
        self.network()
        self.assertTrue(self.guest("virbr0").udhcpc()["ip"])

    def test_local_names(self):
        self.network()
        g = self.guest("virbr0", mac="52:54:00:aa:00:01")
        g.udhcpc()
        server = "@192.168.122.1"
        for question, answer in {
                ("gate",): ["192.168.122.50"],
                ("gate.vm.test",): ["192.168.122.50"],
                ("gate.vm.test", "AAAA"): ["fd00:122::50"],
                ("door.example",): ["192.168.122.50"],
                ("fixed",): ["192.168.122.10"],
                ("fixed.vm.test",): ["192.168.122.10"],
                ("-x", "192.168.122.10"): ["fixed.vm.test."],
                ("-x", "192.168.122.50"): ["gate.vm.test."],
                ("note", "TXT"): ['"a b" "c"'],
                ("_sip._tcp.vm.test", "SRV"): ["3 7 5060 gate.vm.test."],
                ("gate.vm.test", "MX"): [],
                ("byname",): [],	# a reservation without a lease is no name
        }.items():
            self.assertEqual(g.dig(server, *question), answer, question)
            self.assertEqual(g.dig("+tcp", server, *question), answer, question)
        for name in ("nope.vm.test", "nope"):
            self.assertIn("NXDOMAIN", g.run("dig", server, name).stdout)

    def test_upstreams_are_followed_live_and_cached(self):
        self.network()
        self.resolver("198.51.100.1", {"www.example": "203.0.113.7", "host.corp.test": "203.0.113.9"})
        g = self.guest("virbr0")
        g.udhcpc()
        self.assertEqual(g.dig("www.example", "@192.168.122.1"), ["203.0.113.7"])
        self.assertEqual(g.dig("host.corp.test", "@192.168.122.1"), ["203.0.113.9"])
        self.assertEqual(g.dig("+tcp", "www.example", "@192.168.122.1"), ["203.0.113.7"])
        self.resolvers.pop().stop()
        self.assertEqual(g.dig("www.example", "@192.168.122.1"), ["203.0.113.7"], "from the cache")
        self.out.run("ip", "addr", "add", "198.51.100.53/24", "dev", "eth0")
        self.resolver("198.51.100.53", {"new.example": "203.0.113.8"})
        self.host_resolvers("198.51.100.53")
        wait_for("the new resolver in use", lambda: g.dig("new.example", "@192.168.122.1", check=False)
                 == ["203.0.113.8"], timeout=5, step=0.2)

    def test_domains_and_reverse_zones_go_where_the_network_says(self):
        self.out.run("ip", "addr", "add", "198.51.100.3/24", "dev", "eth0")
        self.resolver("198.51.100.1", {"www.corp.test": "192.0.2.1", "outside.test": "192.168.122.77",
                                       "site.test": "192.168.5.5", "loop.test": "127.0.0.1"})
        self.resolver("198.51.100.3", {"www.corp.test": "192.0.2.3", "dc.corp.test": "192.168.122.77"})
        names = NAMES.replace("domain='corp.test' addr='198.51.100.1'", "domain='corp.test' addr='198.51.100.3'")
        self.network(extra=names)
        g = self.guest("virbr0")
        g.udhcpc()
        wait_for("www.corp.test by its domain's server",
                 lambda: g.dig("@192.168.122.1", "www.corp.test") == ["192.0.2.3"])
        # DNS rebinding: a name of outside leads to no guest, one of a domain with a rule may
        for name, answer in (("outside.test", []), ("loop.test", []), ("site.test", ["192.168.5.5"]),
                             ("dc.corp.test", ["192.168.122.77"])):
            self.assertEqual(g.dig("@192.168.122.1", name), answer, name)
            self.assertEqual(g.dig("+tcp", "@192.168.122.1", name), answer, name)
        self.assertIn("the answer for outside.test led to an address inside the network", self.netd.log())
        self.assertEqual(g.dig("@192.168.122.1", "-x", "192.168.122.77"), ["outside.test."])
        self.netd.ctl("net-destroy", "default")
        xml = nat_xml(dhcp=HOSTS, extra=names).replace("<ip address", "<ip localPtr='yes' address")
        self.netd.ctl("net-undefine", "default")
        self.netd.define(xml)
        g.plug("virbr0")
        g.run("ip", "neigh", "flush", "all")	# the new network's bridge has another address
        self.assertIn("NXDOMAIN", g.run("dig", "@192.168.122.1", "-x", "192.168.122.77").stdout)
        self.assertEqual(g.dig("@192.168.122.1", "-x", "192.168.122.50"), ["gate.vm.test."])

    def test_dead_upstream_costs_no_client_more_than_a_second(self):
        self.out.run("ip", "addr", "add", "198.51.100.53/24", "dev", "eth0")
        self.host_resolvers("198.51.100.77", "198.51.100.53")	# nobody has .77
        self.resolver("198.51.100.53", {"a%d.example" % i: "203.0.113.%d" % i for i in range(10)})
        self.network()
        g = self.guest("virbr0")
        g.udhcpc()
        for i in range(10):
            done = g.run("dig", "+tries=1", "+time=2", "@192.168.122.1", "a%d.example" % i)
            self.assertIn("203.0.113.%d" % i, done.stdout)
            took = int(done.stdout.split("Query time: ")[1].split()[0])
            self.assertLess(took, 1000)

    def test_isolated_network_forwards_nothing(self):
        self.resolver("198.51.100.1", {"www.example": "203.0.113.7"})
        self.network(forward="", extra="")
        g = self.guest("virbr0")
        g.udhcpc()
        self.assertIn("REFUSED", g.run("dig", "+time=2", "+tries=1", "@192.168.122.1", "www.example").stdout)

    def test_other_networks_guests_and_the_outside_are_not_served(self):
        self.network()
        other = self.guest()
        sh("ip", "addr", "add", "10.77.0.1/24", "dev", other.host_if)
        sh("ip", "link", "set", other.host_if, "up")
        other.address("10.77.0.2/24", "10.77.0.1")
        done = other.run("dig", "+time=1", "+tries=1", "@192.168.122.1", "gate", check=False)
        self.assertNotIn("192.168.122.50", done.stdout)


netdtest.main()
