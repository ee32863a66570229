#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""netd may stop, die or be upgraded: guests notice nothing."""
import fcntl
import os
import re
import signal
import socket
import subprocess
import time
import unittest

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

    def test_sockets_that_systemd_passes(self):
        """Such a socket blocks; netd answers one client after the other all the same."""
        ours = []
        for name in ("netd-sock", "netd-sock-ro"):
            path = os.path.join(self.netd.root, "run/netd", name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            ours.append(socket.socket(socket.AF_UNIX))
            ours[-1].bind(path)
            ours[-1].listen(16)

        def pass_on():
            spare = [os.dup(s.fileno()) for s in ours]
            spare = [fcntl.fcntl(fd, fcntl.F_DUPFD, 10) for fd in spare]
            for i, fd in enumerate(spare):
                os.dup2(fd, 3 + i)
            os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="2",
                              LISTEN_FDNAMES="netd.socket:netd-ro.socket")
            os.execve(argv[0], argv, dict(os.environ, **self.netd.env))
        argv = [netdtest.built("netd/daemon/netd"), "--root", self.netd.root,
                "--serve", netdtest.built("netd/serve/netd-serve")]
        pid = os.fork()
        if pid == 0:
            pass_on()
        try:
            for _ in range(3):
                self.netd.ctl("net-list", timeout=5)
        finally:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            for s in ours:
                s.close()

    def test_kill_9_and_restart(self):
        self.running()
        self.ping_while(lambda: self.netd.restart(signal.SIGKILL))
        self.assert_serves()

    def storm_while(self, action):
        """Pings at 100 Hz, a TCP stream, leases taken and renewed, and names asked for meanwhile."""
        crowd = self.guest("virbr0")
        crowd.address("192.168.122.250/24")
        server = self.out.spawn("iperf3", "-s", "-1", stdout=subprocess.DEVNULL)
        wait_for("iperf3", lambda: ":5201" in self.out.run("ss", "-ltn").stdout)
        stream = self.g.spawn("iperf3", "-c", self.out.V4, "-t", "600", "-b", "20M",
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for("the stream", lambda: self.g.run("ss", "-tn").stdout.count(":5201") >= 2)
        leases = crowd.spawn("perfdhcp", "-4", "-l", "eth0", "-r", "50", "-f", "40", "-R", "30", "-p", "6",
                             "-W", "1000000", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        names = crowd.spawn("sh", "-c", "while sleep 0.02; do dig +short +tries=1 +time=2 alpha "
                            "@192.168.122.1 || echo none; done", stdout=subprocess.PIPE, text=True)
        time.sleep(1)
        for _ in range(3):
            self.ping_while(action)
        report = leases.communicate(timeout=30)[0]
        names.kill()
        answers = names.communicate()[0].split()
        self.assertIsNone(stream.poll(), "the TCP stream ended")
        stream.kill()
        stream.wait()
        server.kill()
        server.wait()
        # perfdhcp never asks again, and counts what was in flight at its end: a few may be open.
        sent = [int(n) for n in re.findall(r"sent packets: (\d+)", report)]
        drops = [int(n) for n in re.findall(r"drops: (-?\d+)", report)]
        self.assertTrue(drops and sum(drops) <= sum(sent) / 10, report)
        self.assertIn("REQUEST-ACK (renewal)", report)
        self.assertGreater(len(answers), 20)
        self.assertEqual(set(answers), {self.lease["ip"]})
        self.assert_serves()

    def test_restart_in_a_storm(self):
        self.running()
        self.storm_while(self.netd.restart)

    def test_kill_in_a_storm(self):
        self.running()
        self.storm_while(lambda: self.netd.restart(signal.SIGKILL))

    @unittest.skipUnless(os.environ.get("NETD_OTHER_BUILD"), "NETD_OTHER_BUILD names no other build")
    def test_another_build_takes_over_in_a_storm(self):
        self.running()
        builds = [netdtest.BUILD, os.environ["NETD_OTHER_BUILD"]]

        def upgrade():
            netdtest.BUILD = builds[1]
            builds.reverse()
            self.netd.restart()
        try:
            self.storm_while(upgrade)
        finally:
            netdtest.BUILD = min(builds, key=lambda b: b == os.environ["NETD_OTHER_BUILD"])

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
