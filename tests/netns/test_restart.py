#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""netd may stop, die or be upgraded: guests notice nothing."""
import signal
import subprocess
import time

import netdtest
from netdtest import nat_xml, sh, wait_for


class Restart(netdtest.TestCase):
    def running(self):
        self.out = self.outside()
        self.netd.start()
        self.netd.define(nat_xml())
        self.g = self.guest("virbr0")
        self.lease = self.g.udhcpc("-x", "hostname:alpha")

    def assert_serves(self):
        self.assertTrue(self.g.ping(self.out.V4))
        self.assertEqual(self.g.dig("alpha", "@192.168.122.1"), [self.lease["ip"]])
        self.assertEqual(self.g.udhcpc("-x", "hostname:alpha")["ip"], self.lease["ip"])
        self.assertIn(self.lease["ip"], self.netd.ctl("net-dhcp-leases", "default").stdout)

    def ping_while(self, action):
        """Pings the outside at 100 Hz while action runs; no packet may be lost."""
        ping = self.g.spawn("ping", "-n", "-q", "-i", "0.01", "-W", "2", self.out.V4,
                            stdout=subprocess.PIPE, text=True)
        time.sleep(0.3)
        action()
        time.sleep(0.3)
        ping.send_signal(signal.SIGINT)
        report = ping.communicate(timeout=10)[0]
        self.assertIn(" 0% packet loss", report)

    def test_restart_loses_no_packet_and_no_lease(self):
        self.running()
        servers = self.netd.serve_pids()
        self.ping_while(lambda: self.netd.restart())
        self.assert_serves()
        self.assertTrue(set(servers) & set(self.netd.serve_pids()), "the server was adopted")

    def test_kill_9_and_restart(self):
        self.running()
        self.ping_while(lambda: self.netd.restart(signal.SIGKILL))
        self.assert_serves()

    def test_guests_are_served_while_netd_is_down(self):
        self.running()
        self.netd.kill()
        self.assertEqual(self.g.dig("alpha", "@192.168.122.1"), [self.lease["ip"]])
        other = self.guest("virbr0")
        ip = other.udhcpc("-x", "hostname:beta")["ip"]
        self.netd.start()
        self.assertIn(ip, self.netd.ctl("net-dhcp-leases", "default").stdout)
        self.assert_serves()

    def test_killed_server_comes_back_with_its_leases(self):
        self.running()
        before = set(self.netd.serve_pids())
        for pid in before:
            sh("kill", "-9", pid)
        wait_for("a server that answers", lambda: self.g.dig(
            "alpha", "@192.168.122.1", check=False) == [self.lease["ip"]], timeout=5)
        self.assert_serves()
        self.assertFalse(before & set(self.netd.serve_pids()))

    def test_stopped_network_stays_stopped_after_kill(self):
        self.running()
        self.netd.ctl("net-destroy", "default")
        self.netd.restart(signal.SIGKILL)
        self.assertIn("inactive", self.netd.ctl("net-list", "--all").stdout)
        self.assertNotIn("virbr0", sh("ip", "link").stdout)


netdtest.main()
