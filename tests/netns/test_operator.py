#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What an operator relies on: JSON everywhere, a bridge as the document says, instances side by side."""
import json
import os
import re
import shutil
import subprocess
import tempfile

import netdtest
from netdtest import built, nat_xml, sh, spawn, wait_for

# Says what a command under net-plug --exec was given: the TAP behind its descriptor, and its words.
SHOW_TAP = ("import fcntl, os, struct, sys; "
            "got = fcntl.ioctl(int(sys.argv[1]), 0x800454d2, struct.pack('16sH22x', b'', 0)); "
            "print(got[:16].rstrip(b'\\0').decode(), sys.argv[2], sys.argv[3], os.environ['NETD_IFNAME'])")


class Verbs(netdtest.TestCase):
    def setUp(self):
        super().setUp()
        self.netd.start()

    def test_every_command_that_prints_has_json(self):
        self.netd.define(nat_xml("lab"))
        with tempfile.NamedTemporaryFile("w", suffix=".xml") as f:
            f.write(nat_xml("other", "virbr9", 9))
            f.flush()
            guest = self.guest("virbr0")
            guest.udhcpc()
            port = json.loads(self.netd.ctl("net-plug", "lab", "--json").stdout)["port"]
            uuid = self.netd.ctl("net-uuid", "lab").stdout.strip()
            f.seek(0)
            f.truncate()
            f.write("<domain type='kvm'><name>box</name><memory>65536</memory><vcpu>1</vcpu><os><type>hvm</type>"
                    "<kernel>/boot/vmlinuz</kernel></os><devices><interface type='network'>"
                    "<mac address='52:54:00:00:00:99'/><source network='lab'/></interface></devices></domain>")
            f.flush()
            self.netd.ctl("define", f.name)
            f.seek(0)
            f.truncate()
            f.write(nat_xml("other", "virbr9", 9))
            f.flush()
            pinging = guest.spawn("ping", "-i", "0.1", "192.168.122.1", stdout=subprocess.DEVNULL)
            self.addCleanup(pinging.wait)
            self.addCleanup(pinging.kill)
            cases = {
                "net-capture": ["lab", "--count", "1"], "net-desc": ["lab"], "net-dhcp-leases": ["lab"],
                "net-dumpxml": ["lab"], "net-event": ["--list"], "net-info": ["lab"], "net-list": [],
                "net-map": [], "net-metadata": ["lab", "urn:x"], "net-name": [uuid], "net-plan": ["lab"],
                "net-plug": ["lab"], "net-port-dumpxml": ["lab", port], "net-port-list": ["lab"],
                "net-status": ["lab"],
                "net-uuid": ["lab"], "net-validate": [f.name], "uri": [], "version": [],
                "nwfilter-list": [], "nwfilter-dumpxml": ["clean-traffic"], "nwfilter-binding-list": [],
                "list": ["--all"], "dumpxml": ["box"], "domstate": ["box"], "dominfo": ["box"], "domid": ["box"],
                "domuuid": ["box"], "domblklist": ["box"], "domiflist": ["box"], "event": ["--list"],
                "domif-getlink": ["box", "52:54:00:00:00:99"],
                "domname": [self.netd.ctl("domuuid", "box").stdout.strip()],
            }
            self.netd.ctl("net-metadata", "lab", "urn:x", "--key", "x", "--set", "<a/>")
            for verb, args in cases.items():
                shown = self.netd.ctl(verb, *args, "--json", env=self.netd.env).stdout
                try:
                    json.loads(shown)
                except ValueError:
                    self.fail("%s --json printed %r" % (verb, shown))
        # What has no --json says only that it did what it was told.
        quiet = {"connect", "exit", "quit", "help", "net-autostart", "net-create", "net-define",
                 "net-destroy", "net-edit", "net-hold", "net-port-create", "net-port-delete",
                 "net-release", "net-start", "net-undefine", "net-unplug", "net-update",
                 "autostart", "create", "define", "destroy", "reboot", "reset", "resume", "shutdown", "start",
                 "suspend", "undefine", "console", "edit", "attach-device", "attach-interface", "detach-device",
                 "detach-interface", "domif-setlink", "update-device", "nwfilter-define", "nwfilter-edit", "nwfilter-undefine"}
        # These have it for guests that run, or a file of their own: test_domain_verbs.py, test_nwfilter.py, tests/peers/test_domain_commands.py.
        elsewhere = {"run", "domifaddr", "domifstat", "domiftune", "domstats", "nwfilter-binding-dumpxml",
                     "nwfilter-validate"}
        verbs = set(sh(built("netd/ctl/netdctl"), "complete", "--", "").stdout.split())
        self.assertEqual(verbs - set(cases) - elsewhere, quiet)

    def test_capture_writes_the_packets_of_its_filter(self):
        self.netd.define(nat_xml())
        guest = self.guest("virbr0")
        guest.udhcpc()
        path = os.path.join(self.netd.root, "got.pcap")
        capture = spawn(built("netd/ctl/netdctl"), "-c", self.netd.uri(), "net-capture", "default", "-w", path,
                        "--count", "3", "icmp", "and", "src", "host", "192.168.122.1",
                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(capture.kill)
        wait_for("capture file", lambda: os.path.exists(path) and os.path.getsize(path) >= 24)
        guest.dig("alpha", "@192.168.122.1")
        self.assertTrue(guest.ping("192.168.122.1", count=5))
        _, said = capture.communicate(timeout=10)
        self.assertEqual(capture.returncode, 0, said)
        self.assertIn("3 packets captured", said)
        lines = sh("tcpdump", "-n", "-r", path).stdout.splitlines()
        self.assertEqual(len(lines), 3)
        for line in lines:
            self.assertRegex(line, r"192\.168\.122\.1 > 192\.168\.122\.\d+: ICMP echo reply")
        bad = self.netd.ctl("net-capture", "default", "no", "such", "filter", check=False)
        self.assertEqual(bad.returncode, 1)
        self.assertIn("filter", bad.stderr)

    def test_plug_gives_the_tap_to_a_command_and_to_its_owner(self):
        self.netd.define(nat_xml())
        done = self.netd.ctl("net-plug", "default", "--ifname", "tapown", "--mac", "52:54:00:00:99:07",
                             "--owner", "1234", "--exec", "--", "python3", "-c", SHOW_TAP, "%fd", "%ifname", "%mac")
        self.assertEqual(done.stdout.strip(), "tapown tapown 52:54:00:00:99:07 tapown")
        self.assertRegex(sh("ip", "tuntap", "show").stdout, r"tapown: tap.* user 1234")
        self.netd.ctl("net-unplug", "default", "tapown")
        done = self.netd.ctl("net-plug", "default", "--ifname", "tapgone", "--temporary", "--exec", "--",
                             "python3", "-c", SHOW_TAP, "%fd", "%ifname", "x")
        self.assertIn("tapgone tapgone x tapgone", done.stdout.splitlines())
        self.assertNotIn("tap", sh("ip", "-o", "link").stdout)
        bad = self.netd.ctl("net-plug", "default", "--mac", "01:00:00:00:00:01", check=False)
        self.assertEqual(bad.returncode, 1, "a multicast address is no guest's")


class Bridge(netdtest.TestCase):
    def test_bridge_routes_and_addresses_are_as_the_document_says(self):
        self.netd.start()
        self.netd.define("""<network>
  <name>full</name>
  <forward mode='route'/>
  <bridge name='virbr3' stp='on' delay='3'/>
  <mtu size='1420'/>
  <mac address='52:54:00:aa:bb:cc'/>
  <port isolated='yes'/>
  <ip address='10.3.0.1' prefix='24'/>
  <ip address='10.4.0.1' netmask='255.255.0.0'/>
  <ip family='ipv6' address='fd00:3::1' prefix='64'/>
  <ip family='ipv6' address='fd00:4::1' prefix='64'/>
  <route address='10.99.0.0' prefix='16' gateway='10.3.0.7' metric='5'/>
  <route family='ipv6' address='fd00:99::' prefix='48' gateway='fd00:3::7'/>
</network>""")
        link = json.loads(sh("ip", "-d", "-j", "link", "show", "virbr3").stdout)[0]
        self.assertEqual((link["mtu"], link["address"]), (1420, "52:54:00:aa:bb:cc"))
        self.assertEqual(link["linkinfo"]["info_data"]["forward_delay"], 300)
        addresses = sh("ip", "-o", "addr", "show", "dev", "virbr3").stdout
        for cidr in ("10.3.0.1/24", "10.4.0.1/16", "fd00:3::1/64", "fd00:4::1/64"):
            self.assertIn(" %s " % cidr, addresses)
        self.assertRegex(sh("ip", "route").stdout, r"10\.99\.0\.0/16 via 10\.3\.0\.7 dev virbr3 .*metric 5")
        self.assertRegex(sh("ip", "-6", "route").stdout, r"fd00:99::/48 via fd00:3::7 dev virbr3")
        self.netd.ctl("net-plug", "full", "--ifname", "tapone")
        self.assertIn("isolated on", sh("bridge", "-d", "link", "show", "dev", "tapone").stdout)
        self.assertIn("advertisement", self.netd.log())
        self.netd.ctl("net-unplug", "full", "tapone")
        self.netd.ctl("net-destroy", "full")
        self.netd.stop()
        self.assert_untouched()


class SideBySide(netdtest.TestCase):
    def test_instances_in_two_namespaces_know_nothing_of_each_other(self):
        second = netdtest.Daemon()
        self.addCleanup(shutil.rmtree, second.root, ignore_errors=True)
        there = netdtest.Namespace("second")
        self.namespaces.append(there)
        self.netd.start()
        second.process = there.spawn(built("netd/daemon/netd"), "--root", second.root, "--serve",
                                     built("netd/serve/netd-serve"), env=dict(os.environ, **second.env),
                                     stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(second.kill)
        wait_for("second netd", second.answers)
        for netd in (self.netd, second):
            netd.define(nat_xml())
        guest = self.guest("virbr0")
        self.assertRegex(guest.udhcpc()["ip"], r"^192\.168\.122\.")
        self.assertIn("192.168.122.1/24", there.run("ip", "addr", "show", "virbr0").stdout)
        self.assertNotIn(guest.mac, second.ctl("net-dhcp-leases", "default").stdout)
        self.netd.ctl("net-destroy", "default")
        self.assertRegex(second.ctl("net-list").stdout, r"default\s+active")
        self.assertIn("virbr0", there.run("ip", "link").stdout)
        second.ctl("net-destroy", "default")


class Sockets(netdtest.TestCase):
    def call(self, *ids):
        return sh("setpriv", *ids, built("netd/ctl/netdctl"), "-c", self.netd.uri(), "net-start", "default",
                  check=False)

    def test_the_control_socket_is_for_root_and_its_group(self):
        os.makedirs(self.netd.root + "/etc/netd")
        with open(self.netd.root + "/etc/netd/netd.conf", "w") as f:
            f.write("group = games\n")
        self.netd.start()
        self.netd.define(nat_xml(), start=False)
        refused = self.call("--reuid", "65534", "--regid", "65534", "--clear-groups")
        self.assertEqual(refused.returncode, 1)
        self.assertNotIn("virbr0", sh("ip", "link").stdout)
        allowed = self.call("--reuid", "65534", "--regid", "65534", "--groups", "60")
        self.assertEqual(allowed.returncode, 0, allowed.stderr)
        ro = "network:///system?socket=" + self.netd.socket + "-ro"
        seen = sh("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups",
                  built("netd/ctl/netdctl"), "-c", ro, "net-list")
        self.assertIn("default", seen.stdout)


netdtest.main()
