#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Real guests under netd, in the lab (tests/lab/suite: guest-modes).

One guest has a NIC on a network of each mode, on a bridge of the host's and on a macvtap, moved by netd-vmm and by the
kernel in turn; another one is on a NAT network of its own. What they see is what is checked.
"""
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time

import labtest
from labtest import netdtest, nic
from netdtest import sh, wait_for

# network -> its number in 192.168.N.0/24, <forward>
NETWORKS = {
    "nat": (100, "<forward mode='nat'/>"),
    "route": (101, "<forward mode='route'/>"),
    "isolated": (102, ""),
    "open": (103, "<forward mode='open'/>"),
    "other": (104, "<forward mode='nat'/>"),
}
ECHO_PORT = 7000


def network_xml(name):
    n, forward = NETWORKS[name]
    return """<network><name>%s</name>%s<bridge name='br%s' stp='off'/><domain name='%s.lab'/>
        <dns><host ip='192.168.%d.200'><hostname>known</hostname></host></dns>
        <ip address='192.168.%d.1' netmask='255.255.255.0'><dhcp><range start='192.168.%d.10' end='192.168.%d.99'/></dhcp></ip>
        </network>""" % (name, forward, name, name, n, n, n, n)


class Echo(threading.Thread):
    """Sends back what comes, until the client has sent all."""

    def __init__(self, address, ns=None):
        super().__init__(daemon=True)
        with netdtest.in_ns(ns) if ns else netdtest.contextlib.nullcontext():
            self.listener = socket.create_server((address, ECHO_PORT))
        self.start()

    def run(self):
        while True:
            with self.listener.accept()[0] as client:
                while data := client.recv(65536):
                    client.sendall(data)


class Modes(labtest.GuestCase):
    def setUp(self):
        super().setUp()
        for name in NETWORKS:
            self.netd.define(network_xml(name))
        sh("ip", "link", "add", "hostbr", "type", "bridge")
        sh("ip", "addr", "add", "10.88.0.1/24", "dev", "hostbr")
        sh("ip", "link", "set", "hostbr", "up")
        self.far = netdtest.Namespace("far")
        self.namespaces.append(self.far)
        sh("ip", "link", "add", "uplink", "type", "veth", "peer", "name", "eth0", "netns", "far")
        sh("ip", "link", "set", "uplink", "up")
        self.far.run("ip", "addr", "add", "10.99.0.1/24", "dev", "eth0")
        self.far.run("ip", "link", "set", "eth0", "up")

    def lease(self, guest, n, name, more=""):
        """The address that the guest gets for its eth{n}, and the line that says so."""
        seen = self.told(guest, "ip link set eth%d up; udhcpc -i eth%d -q -n -t 10 -T 1 %s -s /bin/udhcpc-script" % (n, n, more),
                         r"= lease: ([\d.]+)/\S+ router ?(\S*) dns (\S*) domain (\S*) ")
        self.assertTrue(seen[1].startswith("192.168.%d." % NETWORKS[name][0]), seen[0])
        self.assertEqual(seen[4], name + ".lab")
        return seen[1], seen[2]

    def ping(self, guest, address, answers=True):
        self.told(guest, "ping -c 1 -W 3 %s >/dev/null; echo status $?" % address, "= status 0" if answers else "= status 1")

    def moves_data(self, guest, address):
        """A megabyte and a bit there and back, unchanged."""
        self.told(guest, "dd if=/dev/urandom of=/tmp/f bs=11k count=100 2>/dev/null; nc %s %d </tmp/f >/tmp/g; "
                  "cmp /tmp/f /tmp/g && echo same $(wc -c </tmp/g)" % (address, ECHO_PORT), "= same 1126400")

    def served(self, guest):
        """Lease, name, gateway and data on the networks, in turn by both backends; returns the addresses."""
        addresses = {}
        for n, name in enumerate(("nat", "route", "isolated", "open")):
            addresses[name], router = self.lease(guest, n, name)
            gateway = "192.168.%d.1" % NETWORKS[name][0]
            self.assertEqual(router, "" if name == "isolated" else gateway)
            self.told(guest, "nslookup known.%s.lab %s" % (name, gateway), r"= Address.*: *192\.168\.%d\.200" % NETWORKS[name][0])
            self.ping(guest, gateway)
            if n < 2:
                Echo(gateway)
                self.moves_data(guest, gateway)
        return addresses

    def bridged(self, guest):
        """The host's own bridge, and what lies behind the host's NIC."""
        self.told(guest, "ip addr add 10.88.0.2/24 dev eth4; ip link set eth4 up; echo done", "= done")
        self.ping(guest, "10.88.0.1")
        self.told(guest, "ip addr add 10.99.0.2/24 dev eth5; ip link set eth5 up; echo done", "= done")
        self.ping(guest, "10.99.0.1")
        Echo("10.99.0.1", "far")
        self.moves_data(guest, "10.99.0.1")

    def survives(self, address):
        """netd dies and is ended; the guest and its traffic do not notice."""
        for sig in (signal.SIGKILL, signal.SIGTERM):
            ping = netdtest.spawn("ping", "-q", "-i", "0.2", "-c", 25, address, stdout=subprocess.PIPE, text=True)
            time.sleep(1)
            self.netd.restart(sig)
            out = ping.communicate(timeout=60)[0]
            self.assertGreaterEqual(int(re.search(r"(\d+) received", out)[1]), 24, out)
            self.assertIn("running", self.netd.ctl("domstate", "one").stdout)

    def test_guests_on_every_mode(self):
        self.define("one", [
            nic("network", "network='nat'", "qemu", 1), nic("network", "network='route'", "vhost", 2),
            nic("network", "network='isolated'", "vhost", 3), nic("network", "network='open'", "qemu", 4),
            nic("bridge", "bridge='hostbr'", "qemu", 5), nic("direct", "dev='uplink' mode='bridge'", "vhost", 6)])
        guest = self.boot("one")
        addresses = self.served(guest)
        self.bridged(guest)
        self.survives(addresses["nat"])
        guest = self.terminal("console", "one", "--force")	# the old connection went with netd
        guest.expect("Escape character")
        self.told(guest, "echo here", "= here")
        self.two_networks(guest, addresses)
        self.netd.ctl("destroy", "one")
        guest.end()
        self.nothing_is_left()

    def two_networks(self, one, addresses):
        """Who reaches whom, as the modes say; then one dies, and leaves nothing."""
        self.define("two", [nic("network", "network='other'", "vhost", 9)])
        two = self.boot("two")
        self.lease(two, 0, "other", "-x hostname:two")
        self.told(one, "ip route add 192.168.104.0/24 via 192.168.101.1; echo done", "= done")
        self.ping(two, addresses["route"])
        self.ping(two, addresses["nat"], answers=False)
        self.ping(two, addresses["isolated"], answers=False)
        asked = ["dig", "+short", "+tries=1", "+time=2", "@192.168.104.1", "two.other.lab"]
        self.assertRegex(sh(*asked).stdout, r"192\.168\.104\.")
        port = [line for line in self.netd.ctl("domiflist", "two").stdout.splitlines() if "other" in line][0].split()[0]
        vmms = sh("pgrep", "-x", "netd-vmm").stdout.split()
        os.kill(int(max(vmms, key=lambda p: os.stat("/proc/" + p).st_ctime)), signal.SIGKILL)
        wait_for("the dead guest", lambda: "shut off" in self.netd.ctl("domstate", "two").stdout)
        wait_for("its TAP to go", lambda: port not in sh("ip", "link").stdout)
        self.assertEqual(self.netd.ctl("net-port-list", "other", "--json").stdout.strip(), "[]")
        wait_for("its name to go", lambda: not sh(*asked).stdout.strip())
        two.end()
        self.netd.ctl("undefine", "two")


netdtest.main()
