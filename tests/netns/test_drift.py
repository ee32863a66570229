#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What others do to netd's objects is mended at once, unless the operator asked netd to keep off."""
import re
import signal
import time

import netdtest
from netdtest import nat_xml, sh, wait_for


class Drift(netdtest.TestCase):
    options = []

    def setUp(self):
        super().setUp()
        self.netd.options = self.options
        self.out = self.outside()
        self.netd.start()
        self.netd.define(nat_xml())
        self.g = self.guest("virbr0")
        self.g.udhcpc()
        self.assertTrue(self.g.ping(self.out.V4))

    def mended(self, what, condition):
        wait_for(what + " mended", condition, timeout=3)

    def test_removed_address_comes_back(self):
        sh("ip", "addr", "del", "192.168.122.1/24", "dev", "virbr0")
        self.mended("address", lambda: "192.168.122.1/24" in sh("ip", "addr", "show", "virbr0").stdout)

    def test_bridge_set_down_comes_up(self):
        sh("ip", "link", "set", "virbr0", "down")
        self.mended("link", lambda: ",UP" in sh("ip", "link", "show", "virbr0").stdout)
        self.mended("traffic", lambda: self.g.ping(self.out.V4, timeout_s=1))

    def test_changed_mtu_is_put_back(self):
        sh("ip", "link", "set", "virbr0", "mtu", "1400")
        self.mended("mtu", lambda: "mtu 1500" in sh("ip", "link", "show", "virbr0").stdout)

    def test_deleted_bridge_is_made_again_and_served(self):
        sh("ip", "link", "del", "virbr0")
        self.mended("bridge", lambda: "192.168.122.1/24" in sh(
            "ip", "addr", "show", "virbr0", check=False).stdout)
        self.g.plug("virbr0")		# a foreign port: its owner puts it back
        self.mended("lease", lambda: self.g.udhcpc()["ip"])
        self.assertTrue(self.g.ping(self.out.V4))

    def no_ports(self):
        return not self.netd.ctl("net-port-list", "default", "--uuid").stdout.strip()

    def test_port_of_a_deleted_tap_goes(self):
        for n in range(5):
            self.netd.ctl("net-plug", "default", "--ifname", "tap%d" % n)
        for n in range(5):
            sh("ip", "link", "del", "tap%d" % n)
        self.mended("ports", self.no_ports)
        self.netd.ctl("net-plug", "default", "--ifname", "tap0")
        self.assertTrue(self.g.ping(self.out.V4))

    def test_ports_of_taps_that_go_in_one_moment_go(self):
        for n in range(5):
            self.netd.ctl("net-plug", "default", "--ifname", "tap%d" % n)
        self.netd.process.send_signal(signal.SIGSTOP)	# so that it learns of all at once
        for n in range(5):
            sh("ip", "link", "del", "tap%d" % n)
        self.netd.process.send_signal(signal.SIGCONT)
        self.mended("ports", self.no_ports)
        self.netd.ctl("net-plug", "default", "--ifname", "tap0")

    def test_forwarding_switched_off_comes_back(self):
        sh("sysctl", "-qw", "net.ipv4.ip_forward=0")
        self.mended("forwarding", lambda: self.g.ping(self.out.V4, timeout_s=1))

    def test_flushed_ruleset_is_restored(self):
        def rules():	# elements of hash sets are listed in no order
            text = sh("nft", "list", "table", "inet", "netd", check=False).stdout
            return sorted(re.findall(r"[^\s,]+", re.sub(r"counter packets \d+ bytes \d+", "counter", text)))
        before = rules()
        sh("nft", "flush", "ruleset")
        self.mended("rules", lambda: rules() == before)
        self.assertTrue(self.g.ping(self.out.V4))

    def test_spanning_tree_comes_with_a_nic_of_somebody_else_and_is_no_drift(self):
        self.netd.define(nat_xml("tree", "virbr7", 7).replace("stp='off'", "stp='on'"))
        sh("ip", "link", "add", "nic0", "type", "ifb")
        self.addCleanup(sh, "ip", "link", "del", "nic0")
        sh("ip", "link", "set", "nic0", "master", "virbr7")
        self.mended("spanning tree", lambda: re.search(r"stp_state 1 ", sh(
            "ip", "-d", "link", "show", "virbr7").stdout))
        wait_for("log line", lambda: "tree: changing: ~ bridge virbr7" in self.netd.log())
        self.assertNotIn("tree: drifted", self.netd.log())
        sh("ip", "link", "set", "virbr7", "type", "bridge", "stp_state", "0")
        wait_for("log line", lambda: "tree: drifted, repairing: ~ bridge virbr7" in self.netd.log())

    def test_hold_stops_repairs_until_release(self):
        self.netd.ctl("net-hold", "default")
        sh("ip", "addr", "del", "192.168.122.1/24", "dev", "virbr0")
        time.sleep(0.5)
        self.assertNotIn("192.168.122.1/24", sh("ip", "addr", "show", "virbr0").stdout)
        self.netd.ctl("net-release", "default")
        self.mended("address", lambda: "192.168.122.1/24" in sh("ip", "addr", "show", "virbr0").stdout)


class DriftWithoutPersist(Drift):
    """The path of kernels whose nftables has no persistent tables."""
    options = ["--no-persist-nft"]


netdtest.main()
