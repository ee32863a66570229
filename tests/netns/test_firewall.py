# SPDX-License-Identifier: GPL-2.0-or-later
"""netd's rules beside other programs': who is named, what is flushed, what lives on."""
import os
import socket
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import netdtest					# noqa: E402
from netdtest import in_ns, nat_xml, sh, wait_for	# noqa: E402


def rules(text):
    sh("nft", "-f", "-", input=text)


class Firewall(netdtest.TestCase):
    def tearDown(self):
        super().tearDown()
        sh("nft", "flush", "ruleset")

    def start(self, *options):
        self.out = self.outside()
        self.netd.start(*options)
        self.netd.define(nat_xml())

    def warned(self, text):
        return "default: " + text in self.netd.log()

    def test_a_forward_chain_that_drops_is_named(self):
        rules("table ip filter {\n chain FORWARD {\n type filter hook forward priority filter\n"
              "  policy drop\n iifname \"docker0\" accept\n }\n}\n")
        self.start()
        wait_for("the warning", lambda: self.warned(
            "chain 'FORWARD' of nft table 'ip filter' drops the traffic that this host forwards"))
        guest = self.guest("virbr0")
        guest.udhcpc()
        self.assertFalse(guest.ping(self.out.V4, timeout_s=0.3), "the warning is right")

    def test_a_host_that_drops_what_comes_in_still_gives_leases(self):
        rules("table inet fw {\n chain in {\n type filter hook input priority filter\n"
              "  policy drop\n ct state established accept\n }\n}\n")
        self.start()
        wait_for("the warning", lambda: self.warned(
            "chain 'in' of nft table 'inet fw' drops what guests send to this host (DNS)"))
        guest = self.guest("virbr0")
        self.assertTrue(guest.udhcpc())
        self.assertTrue(guest.ping(self.out.V4))

    def test_a_firewall_that_knows_the_bridge_is_not_named(self):
        rules("table inet fw {\n chain f {\n type filter hook forward priority filter\n"
              "  policy drop\n iifname \"virbr0\" accept\n oifname \"virbr0\" accept\n }\n}\n")
        self.start()
        guest = self.guest("virbr0")
        guest.udhcpc()
        self.assertTrue(guest.ping(self.out.V4))
        self.assertFalse(self.warned("chain"))

    def test_a_second_netd_in_the_namespace_is_refused_at_its_start(self):
        self.start()
        second = netdtest.Daemon()
        second.start(wait=False)
        self.assertNotEqual(0, second.process.wait(10))
        self.assertIn("another netd runs in this network namespace", second.log())
        second.process = None

    def test_a_resolver_that_is_replaced_leaves_no_rule_behind(self):
        with tempfile.NamedTemporaryFile("w", suffix=".resolv") as resolv:
            def resolver(address):
                resolv.seek(0)
                resolv.truncate()
                resolv.write("nameserver %s\n" % address)
                resolv.flush()

            resolver("198.51.100.1")
            target = os.path.realpath("/etc/resolv.conf")
            sh("mount", "--bind", resolv.name, target)
            self.addCleanup(sh, "umount", target)
            self.start()
            self.assertIn("198.51.100.1 . 53", self.upstreams())
            resolver("198.51.100.9")
            wait_for("the new resolver's rule", lambda: "198.51.100.9 . 53" in self.upstreams())
            self.assertNotIn("198.51.100.1 . 53", self.upstreams())
            self.netd.ctl("net-destroy", "default")
            self.assertEqual("", sh("nft", "list", "ruleset").stdout)

    def upstreams(self):
        return sh("nft", "list", "set", "inet", "netd", "serve4").stdout

    def exchange(self, peer, until):
        """A conversation over TCP through NAT, a byte there and back each 5 ms; how many went."""
        with in_ns("outside"):
            server = socket.create_server((self.out.V4, 7000))
        with in_ns(peer.name):
            client = socket.create_connection((self.out.V4, 7000), timeout=5)
        conn = server.accept()[0]
        self.assertEqual(self.out.HOST_V4, conn.getpeername()[0])
        conn.settimeout(5)
        n = 0
        while not until():
            client.send(b"x")
            conn.send(conn.recv(1))
            self.assertEqual(b"x", client.recv(1))
            n += 1
            time.sleep(0.005)
        for s in (server, client, conn):
            s.close()
        return n

    def flushed(self, *options):
        self.start(*options)
        guest = self.guest("virbr0")
        guest.udhcpc()
        before = sorted(sh("nft", "-s", "list", "table", "inet", "netd").stdout.split())
        flusher = threading.Thread(target=lambda: [sh("nft", "flush", "ruleset")
                                                   for _ in range(50)])
        flusher.start()
        self.exchange(guest, lambda: not flusher.is_alive())
        wait_for("all rules again", lambda: sorted(
            sh("nft", "-s", "list", "table", "inet", "netd", check=False).stdout.split()) == before)

    def test_flushes_cut_no_connection(self):
        self.flushed()

    def test_flushes_cut_no_connection_where_tables_do_not_persist(self):
        self.flushed("--no-persist-nft")


if __name__ == "__main__":
    netdtest.main()
