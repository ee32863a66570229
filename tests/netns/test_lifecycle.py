#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A network's life as an operator sees it: define, start, serve a guest, stop, and no trace left."""
import json
import os
import re
import shutil
import signal
import socket
import tempfile
import threading
import time

import netdtest
from netdtest import nat_xml, sh, wait_for


class Lifecycle(netdtest.TestCase):
    def test_nat_network_serves_a_guest_and_leaves_no_trace(self):
        out = self.outside()
        before = netdtest.kernel_state()
        self.netd.start()
        self.netd.define(nat_xml())
        g = self.guest("virbr0")
        lease = g.udhcpc("-x", "hostname:alpha")
        self.assertRegex(lease["ip"], r"^192\.168\.122\.\d+$")
        self.assertEqual(lease["router"], "192.168.122.1")
        self.assertEqual(lease["dns"], "192.168.122.1")
        self.assertTrue(g.ping("192.168.122.1"), "host")
        self.assertTrue(g.ping(out.V4), "outside, through NAT")
        self.assertEqual(g.dig("alpha", "@192.168.122.1"), [lease["ip"]])
        self.assertIn(lease["ip"], self.netd.ctl("net-dhcp-leases", "default").stdout)
        g.delete()
        self.netd.ctl("net-destroy", "default")
        self.netd.ctl("net-undefine", "default")
        self.netd.stop()
        wait_for("netd-serve gone", lambda: not self.netd.serve_pids())
        after = netdtest.kernel_state()
        wait_for("veth gone", lambda: "veth1" not in sh("ip", "link").stdout)
        after = netdtest.kernel_state()
        for what in before:
            self.assertEqual(before[what], after[what], what)

    def test_isolated_network_gives_no_router_and_no_way_out(self):
        out = self.outside()
        self.netd.start()
        self.netd.define(nat_xml(forward=""))
        g = self.guest("virbr0")
        lease = g.udhcpc()
        self.assertNotIn("router", lease)
        self.assertTrue(g.ping("192.168.122.1"), "host")
        g.run("ip", "route", "add", "default", "via", "192.168.122.1")
        self.assertFalse(g.ping(out.V4, timeout_s=1), "outside")

    def test_virsh_drives_the_ten_verbs(self):
        self.netd.start()
        virsh = self.netd.virsh
        with tempfile.NamedTemporaryFile("w", suffix=".xml") as f:
            f.write(nat_xml("lab"))
            f.flush()
            self.assertIn("Network lab defined from", virsh("net-define", f.name).stdout)
        self.assertIn("Network lab started", virsh("net-start", "lab").stdout)
        listed = virsh("net-list").stdout
        self.assertRegex(listed, r"(?m)^ lab\s+active\s+no\s+yes$")
        self.assertIn("marked as autostarted", virsh("net-autostart", "lab").stdout)
        info = virsh("net-info", "lab").stdout
        for line in (r"Name:\s+lab", r"Active:\s+yes", r"Persistent:\s+yes", r"Autostart:\s+yes",
                     r"Bridge:\s+virbr0"):
            self.assertRegex(info, line)
        xml = virsh("net-dumpxml", "lab").stdout
        self.assertIn("<nat>\n      <port start='1024' end='65535'/>\n    </nat>", xml)
        self.assertNotIn("<nat>", virsh("net-dumpxml", "--inactive", "lab").stdout)
        self.assertIn("Expiry Time", virsh("net-dhcp-leases", "lab").stdout)
        again = virsh("net-start", "lab", check=False)
        self.assertEqual(again.returncode, 1)
        self.assertIn("Requested operation is not valid: network is already active", again.stderr)
        self.assertIn("Network lab destroyed", virsh("net-destroy", "lab").stdout)
        self.assertIn("has been undefined", virsh("net-undefine", "lab").stdout)
        gone = virsh("net-info", "lab", check=False)
        self.assertIn("Network not found: no network with matching name 'lab'", gone.stderr)

    def test_netdctl_prints_what_virsh_prints(self):
        self.netd.start()
        self.netd.define(nat_xml("one"))
        self.netd.define(nat_xml("two", "virbr1", 123), start=False)
        for args in (["net-list", "--all"], ["net-list"], ["net-list", "--name"], ["net-info", "one"],
                     ["net-info", "two"], ["net-dumpxml", "one"], ["net-dumpxml", "two"], ["net-uuid", "two"],
                     ["net-dhcp-leases", "one"], ["net-list", "--inactive"]):
            ours, theirs = self.netd.ctl(*args), self.netd.virsh(*args)
            self.assertEqual(theirs.stdout, ours.stdout, args)
        for args in (["net-start", "one"], ["net-start", "nope"], ["net-destroy", "two"],
                     ["net-define", "/nonexistent.xml"], ["net-autostart", "nope"]):
            ours, theirs = self.netd.ctl(*args, check=False), self.netd.virsh(*args, check=False)
            self.assertEqual((theirs.returncode, theirs.stderr), (ours.returncode, ours.stderr), args)
        self.assertEqual(self.netd.virsh("net-start", "--help").returncode, 0)
        self.assertIn("net-start <network>", self.netd.ctl("net-start", "--help").stdout)
        uuid = self.netd.ctl("net-uuid", "one").stdout.strip()
        self.assertEqual(self.netd.ctl("net-name", uuid).stdout.strip(), "one")
        listed = json.loads(self.netd.ctl("net-list", "--all", "--json").stdout)
        self.assertEqual({n["name"]: n["active"] for n in listed}, {"one": True, "two": False})

    def test_read_only_socket_changes_nothing(self):
        self.netd.start()
        self.netd.define(nat_xml(), start=False)
        done = self.netd.virsh("-r", "net-start", "default", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, "read only access prevents")
        ro = "network:///system?socket=" + self.netd.socket + "-ro"
        self.assertIn("default", sh("virsh", "-c", ro, "net-list", "--all").stdout)
        done = sh("virsh", "-c", ro, "net-start", "default", check=False)
        self.assertRegex(done.stderr, "read only access prevents virNetworkCreate")

    def test_collisions_are_refused_before_anything_is_made(self):
        self.outside()
        self.netd.start()
        sh("ip", "link", "add", "virbr9", "type", "bridge")
        before = netdtest.kernel_state()
        self.netd.define(nat_xml("subnet", "virbr5").replace("192.168.122.", "198.51.100."), start=False)
        self.netd.define(nat_xml("bridge", "virbr9", 99), start=False)
        for name, word in (("subnet", "198.51.100.0/24"), ("bridge", "virbr9")):
            done = self.netd.ctl("net-start", name, check=False)
            self.assertEqual(done.returncode, 1, name)
            self.assertIn(word, done.stderr)
        after = netdtest.kernel_state()
        for what in before:
            self.assertEqual(before[what], after[what], what)

    def test_unsupported_elements_are_named_at_start(self):
        self.netd.start()
        cases = {
            "tftp": nat_xml("tftp", "virbr1", 1, dhcp="<tftp root='/srv'/>"),
            "dhcp": nat_xml("dhcp6", "virbr2", 2, more="<ip family='ipv6' address='fd00:2::1' prefix='64'>"
                            "<dhcp><range start='fd00:2::10' end='fd00:2::20'/></dhcp></ip>"),
        }
        for word, xml in cases.items():
            name = self.netd.define(xml, start=False)
            done = self.netd.ctl("net-start", name, check=False)
            self.assertEqual(done.returncode, 1, name)
            self.assertIn(word, done.stderr)
            self.assertRegex(done.stderr, r"line \d+")
        self.assertNotIn("virbr", sh("ip", "link").stdout)

    def test_plug_makes_a_port_that_the_map_shows_and_unplug_takes_it(self):
        self.netd.start()
        self.netd.define(nat_xml())
        links = sh("ip", "link").stdout
        self.netd.ctl("net-plug", "default", "--ifname", "tapx", "--mac", "52:54:00:00:99:01")
        self.assertIn("master virbr0", sh("ip", "link", "show", "tapx").stdout)
        uuid = self.netd.ctl("net-port-list", "default", "--uuid").stdout.strip()
        xml = self.netd.ctl("net-port-dumpxml", "default", uuid).stdout
        self.assertIn("<uuid>%s</uuid>" % uuid, xml)
        self.assertIn("<mac address='52:54:00:00:99:01'/>", xml)
        self.assertIn("52:54:00:00:99:01  no lease", self.netd.ctl("net-map").stdout)
        drawn = json.loads(self.netd.ctl("net-map", "default", "--json").stdout)
        self.assertEqual(drawn[0]["guests"][0]["mac"], "52:54:00:00:99:01")
        self.netd.ctl("net-unplug", "default", "tapx")
        self.assertEqual(self.netd.ctl("net-port-list", "default", "--uuid").stdout.strip(), "")
        self.assertEqual(re.sub("state \\w+", "", links), re.sub("state \\w+", "", sh("ip", "link").stdout))

    def test_transient_network_disappears_when_destroyed(self):
        self.netd.start()
        with tempfile.NamedTemporaryFile("w", suffix=".xml") as f:
            f.write(nat_xml("brief"))
            f.flush()
            self.netd.ctl("net-create", f.name)
        self.assertRegex(self.netd.ctl("net-info", "brief").stdout, r"Persistent:\s+no")
        self.netd.ctl("net-destroy", "brief")
        self.assertNotIn("brief", self.netd.ctl("net-list", "--all").stdout)

    def test_definitions_and_autostart_survive_a_restart(self):
        self.netd.start()
        self.netd.define(nat_xml("auto", "virbr1", 1), start=False)
        self.netd.define(nat_xml("manual", "virbr2", 2), start=False)
        self.netd.ctl("net-autostart", "auto")
        self.netd.stop()
        # As after a boot: what lived in /run is gone.
        sh("rm", "-rf", os.path.join(self.netd.root, "run"))
        self.netd.start()
        wait_for("autostart", lambda: re.search(r"auto\s+active\s+yes",
                                                self.netd.ctl("net-list", "--all").stdout))
        listed = self.netd.ctl("net-list", "--all").stdout
        self.assertRegex(listed, r"manual\s+inactive\s+no")
        self.netd.ctl("net-destroy", "auto")
        self.netd.restart()
        self.assertRegex(self.netd.ctl("net-list", "--all").stdout, r"auto\s+inactive\s+yes")

    @staticmethod
    def uid(pid):
        with open("/proc/%d/status" % pid) as f:
            return int(re.search(r"Uid:\t(\d+)", f.read()).group(1))

    def test_a_start_waits_for_a_server_that_a_killed_stop_left(self):
        self.netd.start()
        name = self.netd.define(nat_xml())
        server, = [pid for pid in self.netd.serve_pids() if self.uid(pid)]	# spares are root's still
        self.netd.kill()
        os.unlink(self.netd.root + "/run/netd/networks/%s.xml" % name)	# the first that a stop takes away
        os.kill(server, signal.SIGSTOP)				# it takes its time to go
        self.netd.start()
        starting = threading.Thread(target=self.netd.ctl, args=("net-start", name))
        starting.start()
        time.sleep(0.5)
        os.kill(server, signal.SIGCONT)
        starting.join()
        self.assertRegex(self.netd.ctl("net-list").stdout, name + r"\s+active")
        self.assertIn("ends a server (pid %d)" % server, self.netd.log())

    def test_the_socket_of_a_killed_netd_that_a_child_still_holds_is_no_other_daemon(self):
        os.makedirs(self.netd.root + "/run/netd")
        with socket.socket(socket.AF_UNIX) as held:
            held.bind(self.netd.socket)
            held.listen(5)
            self.netd.start(wait=False)
            time.sleep(0.3)
            self.assertIsNone(self.netd.process.poll(), self.netd.log())
        wait_for("netd", self.netd.answers)
        second = netdtest.Daemon()
        self.addCleanup(shutil.rmtree, second.root, ignore_errors=True)
        second.options = ["--root", self.netd.root]
        second.start(wait=False)
        self.assertEqual(second.process.wait(10), 1)
        self.assertIn("another daemon already answers", second.log())

    def test_ruleset_reads_back_with_nft(self):
        self.netd.start()
        self.netd.define(nat_xml())
        self.netd.define(nat_xml("quoted", "virbr1", 1, forward=(
            "<forward mode='nat'><nat><address start='198.51.100.7' end='198.51.100.9'/>"
            "<port start='2000' end='3000'/></nat></forward>")))
        rules = sh("nft", "list", "ruleset").stdout
        self.assertIn("virbr0", rules)
        # Elsewhere: here the table is netd's, and nobody else may say anything about it.
        checked = sh("unshare", "--net", "nft", "-c", "-f", "-", input=rules, check=False)
        self.assertEqual(checked.returncode, 0, checked.stderr)


netdtest.main()
