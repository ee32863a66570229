#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""<bandwidth> of networks, portgroups, ports and guests' NICs: what tc shows, and what gets through.

What guests send is policed, which needs a kernel with act_police: see tests/lab/suite.d/guest-bandwidth.
"""
import contextlib
import fcntl
import json
import os
import re
import signal
import socket
import struct
import threading
import time

import netdtest
from guesttest import MAC, NIC, UUID, Guests
from netdtest import Guest, kernel_state, nat_xml, sh, wait_for

IN = "<bandwidth><inbound average='%d'/></bandwidth>"
PORT = """<networkport>
  <uuid>%s</uuid>
  <owner><name>g</name><uuid>7f3c8d7e-0a1b-4c2d-8e3f-405162738495</uuid></owner>
  <mac address='%s'/>
  <bandwidth><inbound floor='%d'/></bandwidth>
</networkport>"""


def kilobytes(rate):
    bits, unit = re.fullmatch(r"(\d+)([KMG]?)bit", rate).groups()
    return int(bits) * {"": 1, "K": 1000, "M": 1000000, "G": 1000000000}[unit] // 8000


def classes(device):
    """Rate and ceiling in kilobytes a second, by class."""
    shown = sh("tc", "class", "show", "dev", device).stdout
    return {name: (kilobytes(rate), kilobytes(ceiling)) for name, rate, ceiling in
            re.findall(r"class htb (\S+) .*?rate (\S+) ceil (\S+)", shown)}


def roots(device):
    return [q["kind"] for q in json.loads(sh("tc", "-j", "qdisc", "show", "dev", device).stdout) if q.get("root")]


class Vmm:
    """Reads what a TAP's guest receives."""

    def __init__(self, ifname):
        self.bytes = 0
        self.fd = os.open("/dev/net/tun", os.O_RDWR)
        fcntl.ioctl(self.fd, 0x400454ca, struct.pack("16sH22x", ifname.encode(), 0x5002))	# TAP, vnet_hdr, no pi
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        with contextlib.suppress(OSError):	# when the TAP goes
            while True:
                self.bytes += len(os.read(self.fd, 65536))


class Flood:
    """UDP to some guests, as fast as the host can."""

    def __init__(self, *addresses):
        self.ends = False
        self.threads = [threading.Thread(target=self.send, args=(a,)) for a in addresses]
        for t in self.threads:
            t.start()

    def send(self, address):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
            s.settimeout(0.2)
            while not self.ends:
                with contextlib.suppress(OSError):
                    s.sendto(b"x" * 1400, (address, 9))

    def stop(self):
        self.ends = True
        for t in self.threads:
            t.join()


class Bandwidth(netdtest.TestCase):
    def guest(self, host):
        """A guest 192.168.122.HOST that need not be asked for its MAC."""
        guest = Guest("virbr0")
        self.addCleanup(guest.delete)
        guest.address("192.168.122.%d/24" % host)
        sh("ip", "neigh", "replace", "192.168.122.%d" % host, "lladdr", guest.mac, "dev", "virbr0")
        return guest

    def received(self, guest):
        if isinstance(guest, Vmm):
            return guest.bytes
        return int(guest.run("cat", "/sys/class/net/eth0/statistics/rx_bytes").stdout)

    def rates(self, *guests, seconds=2.0):
        """In Mbit/s, of what guests receive while all are flooded."""
        flood = Flood(*("192.168.122.%d" % host for host, _ in guests))
        try:
            time.sleep(0.7)	# what may pass at once has passed
            start, before = time.monotonic(), [self.received(g) for _, g in guests]
            time.sleep(seconds)
            after, took = [self.received(g) for _, g in guests], time.monotonic() - start
        finally:
            flood.stop()
        return [(b - a) * 8e-6 / took for a, b in zip(before, after)]

    def port(self, n, mac, floor, check=True):
        path = os.path.join(self.netd.root, "port.xml")
        with open(path, "w") as f:
            f.write(PORT % (UUID.replace("6f", "%02x" % n), mac, floor))
        return self.netd.virsh("net-port-create", "default", path, check=check)

    def class_id(self, n):
        xml = self.netd.virsh("net-port-dumpxml", "default", UUID.replace("6f", "%02x" % n)).stdout
        found = re.search(r"classID='(\d+)'", xml)
        return int(found.group(1)) if found else None

    def test_what_all_guests_receive_is_limited(self):
        before = kernel_state()
        self.netd.start()
        self.netd.define(nat_xml(extra=IN % 1250))
        self.assertEqual(classes("virbr0"), {"1:1": (1250, 1250), "1:2": (1250, 1250)})
        guests = [(20, self.guest(20)), (21, self.guest(21))]
        rates = self.rates(*guests)
        self.assertTrue(5 < sum(rates) < 13, rates)
        shown = self.netd.ctl("net-plan", "default").stdout
        self.assertIn("shaper virbr0 rate 1250000 peak 1250000", shown)
        self.netd.ctl("net-destroy", "default")
        for _, guest in guests:
            sh("ip", "link", "del", guest.host_if)
        self.assertEqual(kernel_state(), before)

    def test_a_floor_is_kept_free_for_its_guest(self):
        self.netd.start()
        self.netd.define(nat_xml(extra="<bandwidth><inbound average='1250' peak='1500'/></bandwidth>"))
        guests = [(20, self.guest(20)), (21, self.guest(21))]
        self.port(1, guests[0][1].mac, 1000)
        self.assertEqual(classes("virbr0"), {"1:1": (1250, 1500), "1:2": (500, 1500), "1:3": (1000, 1500)})
        self.assertEqual(self.class_id(1), 3)
        sure, other = self.rates(*guests)
        self.assertGreater(sure, 6)
        self.assertLess(other, sure * 0.8)
        self.assertLess(sure + other, 16)

    def test_what_one_guest_receives_is_limited(self):
        self.netd.start()
        self.netd.define(nat_xml(extra="<portgroup name='p' default='yes'>" + IN % 1250 + "</portgroup>"))
        mac = "52:54:00:00:01:01"
        self.netd.ctl("net-plug", "default", "--ifname", "tap1", "--mac", mac)
        sh("ip", "neigh", "replace", "192.168.122.30", "lladdr", mac, "dev", "virbr0")
        [rate] = self.rates((30, Vmm("tap1")))
        self.assertTrue(5 < rate < 13, rate)

    def test_floors_have_numbers_and_an_end(self):
        self.netd.start()
        self.netd.define(nat_xml(extra="<bandwidth><inbound average='1000' peak='2000'/></bandwidth>"))
        for n in 1, 2, 3:
            self.port(n, "52:54:00:00:01:%02x" % n, 500)
        done = self.port(4, "52:54:00:00:01:04", 501, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("a floor of 501 kilobytes a second is too much for network 'default'", done.stderr)
        self.assertIn("Requested operation is not valid", done.stderr)
        self.netd.virsh("net-port-delete", "default", UUID.replace("6f", "02"))
        self.assertEqual(classes("virbr0"), {"1:1": (1000, 2000), "1:2": (1000, 2000), "1:3": (500, 2000), "1:5": (500, 2000)})
        self.netd.restart(signal.SIGKILL)
        self.port(4, "52:54:00:00:01:04", 900)
        self.assertEqual([self.class_id(n) for n in (1, 3, 4)], [3, 5, 4])
        self.assertEqual(classes("virbr0")["1:2"], (100, 2000))
        self.assertEqual(len(re.findall("flowid 1:4", sh("tc", "filter", "show", "dev", "virbr0").stdout)), 1)
        for n in 1, 3, 4:
            self.netd.virsh("net-port-delete", "default", UUID.replace("6f", "%02x" % n))
        self.assertEqual(classes("virbr0"), {"1:1": (1000, 2000), "1:2": (1000, 2000)})
        self.netd.define(nat_xml("other", "virbr1", 123))
        done = self.netd.virsh("net-port-create", "other", self.netd.root + "/port.xml", check=False)
        self.assertIn("'floor' needs <bandwidth><inbound> in the network", done.stderr)

    def test_a_ports_parameters_change_at_once(self):
        import libvirt
        self.netd.start()
        self.netd.define(nat_xml(extra=IN % 1000 + "<portgroup name='p' default='yes'>" + IN % 300 + "</portgroup>"))
        self.netd.ctl("net-plug", "default", "--ifname", "tap1")
        self.assertEqual(classes("tap1"), {"1:1": (300, 300)})
        port = libvirt.open(self.netd.uri()).networkLookupByName("default").listAllPorts()[0]
        self.assertEqual({k: v for k, v in port.parameters().items() if v}, {"inbound.average": 300})
        port.setParameters({"inbound.average": 200, "inbound.peak": 400, "inbound.floor": 100})
        self.assertEqual(classes("tap1"), {"1:1": (200, 400)})
        self.assertEqual(classes("virbr0"), {"1:1": (1000, 1000), "1:2": (900, 1000), "1:3": (100, 1000)})
        with self.assertRaisesRegex(libvirt.libvirtError, "too much for network"):
            port.setParameters({"inbound.floor": 1001})
        with self.assertRaisesRegex(libvirt.libvirtError, "a burst is above 4194303 KiB"):
            port.setParameters({"inbound.average": 1, "inbound.burst": 4194304})
        self.assertEqual(classes("virbr0")["1:3"], (100, 1000))
        port.setParameters({"inbound.average": 0})
        self.assertNotIn("htb", roots("tap1"))
        self.assertEqual(classes("virbr0"), {"1:1": (1000, 1000), "1:2": (1000, 1000)})

    def test_what_somebody_removes_is_back(self):
        self.netd.start()
        self.netd.define(nat_xml(extra=IN % 1000))
        self.port(1, "52:54:00:00:01:01", 400)
        self.netd.ctl("net-plug", "default", "--ifname", "tap1")
        want = classes("virbr0")
        for harm in (["qdisc", "del", "dev", "virbr0", "root"], ["filter", "del", "dev", "virbr0", "pref", "3"]):
            sh("tc", *harm)
            wait_for("the shaper", lambda: classes("virbr0") == want and
                     "flowid 1:3" in sh("tc", "filter", "show", "dev", "virbr0").stdout)
        self.assertRegex(self.netd.log(), r"drifted, repairing: \+ shaper virbr0 rate 1000000")

    def test_a_kill_amid_a_change_leaves_nothing_behind(self):
        """What the kernel has and no document any more goes with the next start."""
        self.netd.start()
        self.netd.define(nat_xml())
        self.netd.ctl("net-plug", "default", "--ifname", "tap1")
        self.netd.kill()
        for device in "virbr0", "tap1":
            sh("tc", "qdisc", "add", "dev", device, "root", "handle", "1:", "htb", "default", "1")
            sh("tc", "class", "add", "dev", device, "parent", "1:", "classid", "1:1", "htb", "rate", "1mbit")
        self.netd.start()
        wait_for("no shapers", lambda: not classes("virbr0") and not classes("tap1"))

    def test_what_the_kernel_lacks_is_said_and_leaves_no_trace(self):
        self.netd.start()
        self.netd.define(nat_xml(extra="<bandwidth><inbound average='10'/><outbound average='10'/></bandwidth>"), start=False)
        before = kernel_state()
        done = self.netd.ctl("net-start", "default", check=False)
        if done.returncode == 0:
            self.skipTest("this kernel can police")
        self.assertIn("<bandwidth>: <outbound> on 'virbr0' cannot be kept: this kernel has no police action "
                      "(CONFIG_NET_ACT_POLICE)", done.stderr)
        self.assertEqual(kernel_state(), before)


class OfGuests(Guests):
    LIMIT = NIC.replace("</interface>", "<bandwidth><inbound average='%d'/></bandwidth></interface>")

    def tuned(self, *words):
        shown = self.virsh("domiftune", "web", *words).stdout
        return {k: int(v) for k, v in re.findall(r"(\S+?)\s*: (\d+)", shown) if int(v)}

    def test_a_guest_on_a_network(self):
        self.netd.define(nat_xml(extra=IN % 5000 + "<portgroup name='p'>" + IN % 300 + "</portgroup>"))
        self.define(devices=NIC.replace("<source network='default'/>", "<source network='default' portgroup='p'/>") % MAC)
        self.virsh("start", "web")
        self.assertEqual(classes("vnet0"), {"1:1": (300, 300)})
        self.assertEqual(self.tuned("vnet0"), {"inbound.average": 300})
        self.assertEqual(self.tuned(MAC, "--config"), {})
        self.virsh("domiftune", "web", "vnet0", "--inbound", "100,200,64,50", "--live", "--config")
        want = {"inbound.average": 100, "inbound.peak": 200, "inbound.burst": 64, "inbound.floor": 50}
        self.assertEqual((self.tuned("vnet0"), self.tuned(MAC, "--config")), (want, want))
        self.assertEqual(classes("vnet0"), {"1:1": (100, 200)})
        self.assertEqual(classes("virbr0"), {"1:1": (5000, 5000), "1:2": (4950, 5000), "1:3": (50, 5000)})
        for _ in range(2):
            self.assertIn("<inbound average='100' peak='200' floor='50' burst='64'/>", self.virsh("dumpxml", "web").stdout)
            self.netd.restart(signal.SIGKILL)
        self.assertIn("too much for network", self.error("domiftune", "web", "vnet0", "--inbound", "1,1,1,6000", "--config", "--live"))
        self.assertEqual((self.tuned("vnet0"), self.tuned(MAC, "--config")), (want, want))
        self.virsh("domiftune", "web", "vnet0", "--inbound", "0")
        self.assertEqual((classes("vnet0"), self.tuned("vnet0"), self.tuned(MAC, "--config")), ({}, {}, want))
        self.virsh("destroy", "web")
        self.virsh("start", "web")
        self.assertEqual(classes("vnet0"), {"1:1": (100, 200)})
        self.virsh("destroy", "web")
        self.assertEqual(classes("virbr0"), {"1:1": (5000, 5000), "1:2": (5000, 5000)})

    def test_guests_on_devices_of_their_own(self):
        sh("ip", "link", "add", "br7", "type", "bridge")
        sh("ip", "tuntap", "add", "tap7", "mode", "tap", "vnet_hdr")
        limit = "<bandwidth><%s average='%d'/></bandwidth></interface>"
        self.define(devices=("<interface type='bridge'><source bridge='br7'/><target dev='web1'/>" + limit % ("inbound", 100) +
                             "<interface type='ethernet'><target dev='tap7' managed='no'/>" + limit % ("inbound", 200)))
        self.virsh("start", "web")
        self.assertEqual((classes("web1"), classes("tap7")), ({"1:1": (100, 100)}, {"1:1": (200, 200)}))
        self.virsh("domiftune", "web", "web1", "--inbound", "150,160")
        self.virsh("domiftune", "web", "tap7", "--inbound", "0")
        self.assertEqual((classes("web1"), classes("tap7")), ({"1:1": (150, 160)}, {}))
        sh("tc", "qdisc", "del", "dev", "web1", "root")	# a change makes it anew
        self.virsh("domiftune", "web", "web1", "--inbound", "170")
        self.virsh("domiftune", "web", "tap7", "--inbound", "210")
        self.assertEqual((classes("web1"), classes("tap7")), ({"1:1": (170, 170)}, {"1:1": (210, 210)}))
        self.assertIn("a floor is only possible for an interface of type 'network'",
                      self.error("domiftune", "web", "web1", "--inbound", "1,1,1,1"))
        self.virsh("destroy", "web")
        self.assertNotIn("htb", roots("tap7"))
        self.assertNotIn("web1", sh("ip", "link").stdout)

    def test_updates_and_attachments(self):
        self.netd.define(nat_xml())
        self.define()
        self.virsh("start", "web")
        self.virsh("update-device", "web", "FILE", "--live", "--config", xml=self.LIMIT % (MAC, 400))
        self.assertEqual((classes("vnet0"), self.tuned(MAC, "--config")), ({"1:1": (400, 400)}, {"inbound.average": 400}))
        self.virsh("update-device", "web", "FILE", xml=NIC % MAC)
        self.assertEqual((classes("vnet0"), self.tuned(MAC, "--config")), ({}, {"inbound.average": 400}))
        self.virsh("attach-interface", "web", "network", "default", "--inbound", "500")
        self.assertEqual(classes("vnet1"), {"1:1": (500, 500)})
        self.assertIn("'nothing' is not a known interface", self.error("domiftune", "web", "nothing"))
        self.virsh("destroy", "web")
        self.assertIn("domain is not running", self.error("domiftune", "web", MAC, "--live"))

    def test_a_limit_that_cannot_be_kept_is_none_at_all(self):
        self.netd.define(nat_xml())
        out = "<bandwidth><inbound average='10'/><outbound average='10'/></bandwidth></interface>"
        sh("ip", "link", "add", "br7", "type", "bridge")
        self.define(devices=(NIC % MAC).replace("</interface>", out) +
                    "<interface type='bridge'><source bridge='br7'/>" + out)
        done = self.virsh("start", "web", check=False)
        if done.returncode == 0:
            self.skipTest("this kernel can police")
        self.assertIn("<outbound> on 'vnet0' cannot be kept", done.stderr)
        self.nothing_is_left()
        self.define(devices=NIC % MAC + "<interface type='bridge'><source bridge='br7'/><target dev='web1'/></interface>")
        self.virsh("start", "web")
        for device in "vnet0", "web1":
            self.assertIn("cannot be kept", self.error("domiftune", "web", device, "--inbound", "7", "--outbound", "8"))
            self.assertEqual((self.tuned(device), classes(device)), ({}, {}))


netdtest.main()
