#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""One netd-serve and its guests: leases, names, live changes."""
import time

import netdtest
import servetest
from netdtest import sh, wait_for


class Guests(servetest.ServeTestCase):
    def test_udhcpc_gets_a_lease_and_its_name_resolves(self):
        self.bridge()
        uuid, _ = self.network("domain=lab.example host=fixed,192.168.7.77")
        g = self.guest("br7")
        lease = g.udhcpc("-x", "hostname:box")
        self.assertEqual(lease["serverid"], "192.168.7.1")
        self.assertEqual(lease["router"], "192.168.7.1")
        self.harness.event("event added %s %s box" % (g.mac, lease["ip"]))
        self.assertEqual(self.harness.leases(uuid)[0][:3], [g.mac, lease["ip"], "box"])
        for name in ("box.lab.example", "box"):
            self.assertEqual(g.dig("@192.168.7.1", name), [lease["ip"]])
        self.assertEqual(g.dig("@192.168.7.1", "-x", lease["ip"]), ["box.lab.example."])
        self.assertEqual(g.dig("+tcp", "@192.168.7.1", "fixed.lab.example"), ["192.168.7.77"])
        # this host asks too: its packets come by lo
        self.assertEqual(sh("dig", "+short", "@192.168.7.1", "box").stdout.split(), [lease["ip"]])
        self.assertEqual(sh("dig", "+short", "+tcp", "@192.168.7.1", "box").stdout.split(),
                         [lease["ip"]])

    def test_dhclient_gets_renews_and_releases(self):
        self.bridge()
        uuid, _ = self.network("lease=120")
        g = self.guest("br7")
        with open(self.netd.root + "/dhclient.conf", "w") as f:
            f.write('send host-name "dhc";\nrequest subnet-mask, routers, domain-name-servers;\n')
        args = ["-4", "-cf", self.netd.root + "/dhclient.conf", "-lf", self.netd.root + "/dhc.leases",
                "-pf", self.netd.root + "/dhc.pid", "-sf", "/bin/true", "eth0"]
        g.run("dhclient", "-1", *args)
        ip = self.harness.leases(uuid, g.mac)[0][1]
        g.address(ip + "/24")
        self.assertEqual(g.dig("@192.168.7.1", "dhc"), [ip])
        g.run("dhclient", "-r", *args)
        self.harness.event("event removed " + g.mac)
        self.assertEqual(self.harness.leases(uuid), [])
        self.assertEqual(g.dig("@192.168.7.1", "dhc"), [])

    def test_live_change_keeps_leases_and_the_process(self):
        self.bridge()
        uuid, _ = self.network()
        g = self.guest("br7")
        ip = g.udhcpc("-x", "hostname:box")["ip"]
        pids = self.server_pids()
        self.network("host=late,192.168.7.99 reserve=52:54:00:aa:bb:cc,192.168.7.50,fixed",
                     verb="update")
        self.assertEqual(self.server_pids(), pids)
        self.assertEqual(g.dig("@192.168.7.1", "late"), ["192.168.7.99"])
        self.assertEqual(g.dig("@192.168.7.1", "box"), [ip])
        other = self.guest("br7", mac="52:54:00:aa:bb:cc")
        self.assertEqual(other.udhcpc()["ip"], "192.168.7.50")
        self.assertEqual(other.dig("@192.168.7.1", "fixed"), ["192.168.7.50"])

    def test_another_address_needs_and_gets_a_fresh_server(self):
        self.bridge()
        uuid, _ = self.network()
        g = self.guest("br7")
        ip = g.udhcpc("-x", "hostname:box")["ip"]
        pids = self.server_pids()
        sh("ip", "addr", "add", "192.168.9.1/24", "dev", "br7")
        self.network("address=192.168.9.1", verb="update")
        wait_for("another process", lambda: self.server_pids() and
                 not set(pids) & set(self.server_pids()))
        self.assertEqual(g.dig("@192.168.9.1", "box"), [ip])
        self.assertEqual(self.harness.leases(uuid)[0][1], ip)
        self.assertEqual(g.dig("@192.168.7.1", "box"), [ip])

    def test_a_removed_port_frees_its_lease(self):
        self.bridge()
        uuid, _ = self.network("range=192.168.7.10-192.168.7.10")
        g, other = self.guest("br7"), self.guest("br7")
        self.harness.send("ports %s %s" % (uuid, g.mac))
        self.assertEqual(g.udhcpc("-x", "hostname:box")["ip"], "192.168.7.10")
        with self.assertRaises(AssertionError):
            other.udhcpc("-t", "1")
        self.harness.send("ports %s %s" % (uuid, other.mac))
        self.harness.event("event removed " + g.mac)
        self.assertEqual(other.udhcpc()["ip"], "192.168.7.10")

    def test_dns_is_served_on_this_bridge_only(self):
        self.bridge()
        self.bridge("br8", "192.168.8.1/24")
        self.network("host=one,192.168.7.77")
        stranger = self.guest("br8")
        stranger.address("192.168.8.2/24", "192.168.8.1")
        done = stranger.run("dig", "+short", "+tries=1", "+time=1", "@192.168.7.1", "one", check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual(sh("ss", "-lnH", "-u", "sport = 53").stdout.count("192.168.7.1"), 2)

    def test_an_address_in_use_fails_the_start_and_leaves_nothing(self):
        self.bridge()
        import socket
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.bind(("0.0.0.0", 53))
            with self.assertRaisesRegex(AssertionError, "192.168.7.1 port 53.*in use"):
                self.network()
        wait_for("no server", lambda: not self.server_pids())
        self.network()
        self.guest("br7").udhcpc()

    def test_a_stopped_network_answers_nobody(self):
        self.bridge()
        uuid, _ = self.network("host=one,192.168.7.77")
        g = self.guest("br7")
        g.udhcpc()
        self.harness.send("stop " + uuid)
        self.assertEqual(sh("ss", "-lnH", "-u", "sport = 53").stdout, "")
        wait_for("no server", lambda: not self.server_pids())
        self.assertEqual(sh("ls", self.netd.root + "/run").stdout, "")
        with self.assertRaises(AssertionError):
            g.udhcpc("-t", "1")
        self.harness.send("remove " + uuid)
        self.assertEqual(sh("ls", "-A", self.netd.root + "/leases").stdout, "")

    def test_65000_reservations_load(self):
        self.bridge("br7", "10.0.0.1/8")
        uuid = servetest.UUID % 1
        done = self.harness.send("start %s br7 10.0.0.1/8 reserved=65000" % uuid)
        print("65000 reservations: %s ms" % done[1])	# bench_dhcp.py judges it
        g = self.guest("br7", mac="52:54:01:00:fd:e7")	# number 64999
        self.assertEqual(g.udhcpc()["ip"], "10.0.254.232")


netdtest.main()
