#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Guests' lives as netd sees them: start, pause, power, crash, restart of netd, devices that come and go.

The process behind is fake_vmm: see guesttest.py.
"""
import os
import re
import signal
import subprocess
import time

import netdtest
from guesttest import MAC, NIC, UUID, Guests
from netdtest import nat_xml, sh, wait_for

class Life(Guests):
    def test_a_guest_starts_with_its_port_and_leaves_nothing(self):
        self.netd.define(nat_xml())
        self.define()
        told = self.events()
        self.assertEqual(self.netd.virsh("start", "web").stdout.strip(), "Domain 'web' started")
        self.assertEqual(self.state(), "running (booted)")
        self.assertRegex(self.virsh("list").stdout, r"^ 1 +web +running\n$")
        self.assertEqual(self.virsh("domiflist", "web").stdout.split(),
                         ["vnet0", "network", "default", "virtio", MAC])
        self.assertIn("master virbr0", sh("ip", "link", "show", "vnet0").stdout)
        self.assertEqual(self.virsh("net-port-list", "default", "--uuid").stdout.strip(),
                         re.search("portid='(.*?)'", self.virsh("dumpxml", "web").stdout).group(1))
        pid = self.pids()[0]
        with open("/proc/%d/status" % pid) as f:
            self.assertGreater(int(re.search(r"Uid:\s+(\d+)", f.read()).group(1)), 1000000)
        self.assertIn("Domain is already active", self.error("start", "web"))
        self.virsh("destroy", "web")
        self.assertEqual(self.state(), "shut off (destroyed)")
        self.nothing_is_left()
        self.assertIn("domain is not running", self.error("destroy", "web"))
        self.assertEqual(told(4), ["resumed 0", "started 0", "shutdown 2", "stopped 1"])

    def test_power_button_reboot_reset_pause(self):
        self.define(devices="<console type='pty'/>")
        told = self.events()
        self.virsh("start", "--paused", "web")
        self.assertEqual(self.state(), "paused (user)")
        self.virsh("resume", "web")
        self.assertEqual(self.state(), "running (unpaused)")
        self.virsh("suspend", "web")
        self.assertEqual(self.state(), "paused (user)")
        self.assertIn("domain is not running", self.error("shutdown", "web"))
        self.virsh("resume", "web")
        first = self.pids()
        self.virsh("reset", "web")
        self.assertEqual(self.pids(), first)
        self.virsh("reboot", "web")
        wait_for("another process", lambda: self.pids() not in ([], first))
        self.await_state("running (booted)")
        self.virsh("shutdown", "web")
        self.await_state("shut off (shutdown)")
        self.nothing_is_left()
        self.assertEqual(told(10), ["suspended 0", "started 0", "resumed 0", "suspended 0", "resumed 0", "reboot",
                                    "shutdown 0", "reboot", "shutdown 0", "stopped 0"])

    def test_capabilities_are_those_of_the_runner(self):
        schemas = "/usr/share/libvirt/schemas/"
        shown, asked = self.virsh("capabilities").stdout, self.virsh("domcapabilities").stdout
        for text, schema in (shown, "capability.rng"), (asked, "domaincaps.rng"):
            sh("xmllint", "--noout", "--relaxng", schemas + schema, self.file("caps", text.encode()))
        self.assertIn("<domain type='kvm'/>", shown)
        for words in (["--virttype", "kvm", "--arch", "x86_64", "--machine", "netd"], ["--emulatorbin", self.netd.env["NETD_VMM"]]):
            self.assertEqual(self.virsh("domcapabilities", *words).stdout, asked)
        for words, text in ((["--arch", "aarch64"], "unable to find any emulator to serve 'aarch64' architecture"),
                            (["--machine", "q35"], "the machine 'q35' is not supported by emulator"),
                            (["--virttype", "qemu"], "unknown virttype: qemu"),
                            (["--emulatorbin", "/bin/qemu"], "'/bin/qemu' runs no guests here")):
            self.assertIn(text, self.error("domcapabilities", *words))
        # What they say can be had, and one more cannot.
        most = int(re.search(r"<vcpu max='(\d+)'/>", asked).group(1))
        self.virsh("define", "FILE", xml=self.xml(devices="", more="<vcpu>%d</vcpu><cpu mode='host-passthrough'/>" % most))
        self.assertIn("vcpu", self.error("define", "FILE", xml=self.xml(devices="", more="<vcpu>%d</vcpu>" % (most + 1))))
        os.unlink(self.kvm)
        self.assertNotIn("<guest>", self.virsh("capabilities").stdout)
        self.assertIn("guests need KVM: cannot open " + self.kvm, self.error("domcapabilities"))

    def test_metadata(self):
        self.define(devices="")
        self.virsh("desc", "web", "--title", "A title")
        self.virsh("desc", "web", "what it is for")
        self.virsh("metadata", "web", "urn:x", "--key", "k", "--set", "<a b='1'><c/></a>")
        self.virsh("start", "web")
        heard = netdtest.spawn("virsh", "-c", self.netd.uri(), "event", "web", "--event", "metadata-change", "--timeout", "20",
                               stdout=subprocess.PIPE, text=True)
        self.addCleanup(heard.wait)
        self.addCleanup(heard.kill)

        def told():	# the registration is a call of its own
            self.virsh("desc", "web", "--live", "--title", "now %d" % time.monotonic_ns())
            return heard.poll() is not None
        wait_for("the event", told, step=0.2)
        self.assertIn("event 'metadata-change' for domain 'web': type title", heard.stdout.read())
        heard.stdout.close()
        self.virsh("desc", "web", "--live", "--title", "Runs")
        self.assertEqual(self.virsh("desc", "web", "--title", "--live").stdout.strip(), "Runs")
        for _ in range(2):
            self.assertEqual(self.virsh("desc", "web", "--title", "--config").stdout.strip(), "A title")
            self.assertEqual(self.virsh("desc", "web", "--live").stdout.strip(), "what it is for")
            self.assertEqual(re.sub(r"\s+", " ", self.virsh("metadata", "web", "urn:x").stdout).strip(), '<a b="1"> <c/> </a>')
            self.assertIn("<title>Runs</title>", self.virsh("dumpxml", "web").stdout)
            self.netd.restart(signal.SIGKILL)
        self.virsh("metadata", "web", "urn:x", "--remove", "--config", "--live")
        self.assertIn("Requested metadata element is not present", self.error("metadata", "web", "urn:x"))
        self.assertIn("metadata title can't contain newlines", self.error("desc", "web", "--title", "a\nb"))
        self.assertIn("characters that XML cannot hold", self.error("desc", "web", "--config", "a\x01b"))
        self.assertEqual(self.virsh("desc", "web", "--config").stdout.strip(), "what it is for")
        self.virsh("destroy", "web")
        self.assertIn("domain is not running", self.error("desc", "web", "--live", "x"))

    def test_numbers_of_all_guests(self):
        self.netd.define(nat_xml())
        disk = "<disk type='file'><source file='%s'/><target dev='vda'/></disk>" % self.file("disk", b"\0" * 4096)
        self.define(devices=NIC % MAC + disk, more="<vcpu>2</vcpu>")
        self.define(name="off", uuid=UUID.replace("6f", "7f"), devices="")
        self.virsh("start", "web")
        shown = self.virsh("domstats", "web").stdout
        numbers = dict(line.strip().split("=", 1) for line in shown.splitlines() if "=" in line)
        for name, value in (("state.state", "1"), ("state.reason", "1"), ("balloon.current", "65536"),
                            ("balloon.maximum", "65536"), ("vcpu.current", "2"), ("vcpu.maximum", "2"),
                            ("vcpu.1.state", "1"), ("net.count", "1"), ("net.0.name", "vnet0"), ("block.count", "1"),
                            ("block.0.name", "vda"), ("block.0.path", self.netd.root + "/disk")):
            self.assertEqual(numbers.get(name), value, name)
        seen = int(re.search(r"rx_bytes (\d+)", self.virsh("domifstat", "web", "vnet0").stdout).group(1))
        self.assertLessEqual(int(numbers["net.0.rx.bytes"]), seen)
        self.assertGreaterEqual(int(numbers["cpu.time"]), int(numbers["cpu.user"]))
        self.assertNotIn("net.count", self.virsh("domstats", "off").stdout)
        self.assertEqual(re.findall(r"Domain: '(\w+)'", self.virsh("domstats", "--list-active").stdout), ["web"])
        self.assertEqual(re.findall(r"^  (\w+)", self.virsh("domstats", "--vcpu", "off").stdout, re.M), ["vcpu"])
        self.assertIn("not supported", self.error("domstats", "--perf", "--enforce"))

    def test_a_failed_start_leaves_no_trace_and_says_why(self):
        self.netd.define(nat_xml())
        os.unlink(self.kvm)
        cases = [("guests need KVM: cannot open %s: No such file or directory" % self.kvm, {})]
        for text, kw in cases:
            self.define(**kw)
            self.assertIn(text, self.error("start", "web"))
            self.nothing_is_left()
        self.kvm = self.file("kvm", b"")
        os.mkfifo(self.netd.root + "/fifo")
        disk = "<disk type='file'><source file='%s'/><target dev='vda'/></disk>"
        for text, kw in [
                ("as told, no configuration", dict(cmdline="fail=config")),
                ("as told, no start", dict(cmdline="fail=start")),
                ("the guest's process exited with status 3", dict(cmdline="die=config")),
                ("the guest's process exited with status 3", dict(cmdline="die=start")),
                ("no network with matching name 'nowhere'",
                 dict(devices=NIC % MAC + NIC.replace("default", "nowhere") % MAC.replace("01", "02"))),
                ("there is no bridge 'br9'", dict(devices=NIC % MAC + "<interface type='bridge'><source bridge='br9'/></interface>")),
                ("there is no device 'eth9'", dict(devices=NIC % MAC + "<interface type='direct'><source dev='eth9'/></interface>")),
                ("cannot open the disk '/nowhere': No such file", dict(devices=NIC % MAC + disk % "/nowhere")),
                ("is not a file", dict(devices=disk % (self.netd.root + "/fifo"))),
                ("has 4095 bytes, not a multiple of 512", dict(devices=disk % self.file("odd", b"x" * 4095))),
        ]:
            self.define(**kw)
            self.assertIn(text, self.error("start", "web"))
            self.assertEqual(self.state(), "shut off (failed)")
            self.nothing_is_left()
            self.assertEqual(self.virsh("net-port-list", "default").stdout.strip(), "")

    def test_a_transient_guest_is_gone_when_it_ends(self):
        self.virsh("create", "FILE", xml=self.xml(devices=""))
        self.assertIn("Persistent:     no", self.virsh("dominfo", "web").stdout)
        self.assertIn("domain is already active as 'web'", self.error("create", "FILE", xml=self.xml()))
        self.assertIn("cannot undefine transient domain", self.error("undefine", "web"))
        self.virsh("destroy", "web")
        self.assertEqual(self.virsh("list", "--all", "--name").stdout.strip(), "")
        self.nothing_is_left()

    def test_an_undefined_guest_runs_on_as_a_transient_one(self):
        self.define(devices="")
        self.virsh("start", "web")
        self.virsh("undefine", "web")
        self.assertIn("Persistent:     no", self.virsh("dominfo", "web").stdout)
        self.virsh("shutdown", "web")
        wait_for("its end", lambda: self.virsh("list", "--all", "--name").stdout.strip() == "")

    def test_crashes(self):
        self.netd.define(nat_xml())
        self.define(cmdline="crash")
        self.virsh("start", "web", check=False)
        self.await_state("shut off (crashed)")
        self.nothing_is_left()
        self.define()
        self.virsh("start", "web")
        os.kill(self.pids()[0], signal.SIGABRT)	# the sanitizers' runtime takes others
        self.await_state("shut off (crashed)")
        self.assertIn("its process was killed by signal 6", self.netd.log())
        self.nothing_is_left()
        self.assertEqual(self.virsh("net-port-list", "default").stdout.strip(), "")

    def test_a_disk_is_one_guest_s(self):
        image = self.file("disk", b"\0" * 4096)
        disk = "<disk type='file'><source file='%s'/><target dev='vda'/>%s</disk>"
        self.define(devices=disk % (image, ""))
        self.define(name="two", uuid=UUID.replace("6f", "7f"), devices=disk % (image, "<readonly/>"))
        self.define(name="three", uuid=UUID.replace("6f", "8f"), devices=disk % (image, "<readonly/>"))
        self.virsh("start", "web")
        self.assertIn("is in use by another guest", self.error("start", "two"))
        self.virsh("destroy", "web")
        self.virsh("start", "two")
        self.virsh("start", "three")
        self.assertIn("is in use by another guest", self.error("start", "web"))

    def test_autostart_once_a_boot(self):
        self.netd.define(nat_xml())
        self.netd.ctl("net-autostart", "default")
        self.define()
        self.virsh("autostart", "web")
        os.unlink(self.netd.root + "/run/netd/autostarted")
        self.netd.restart()
        self.await_state("running (booted)")
        self.virsh("destroy", "web")
        self.netd.restart()
        time.sleep(0.5)
        self.assertEqual(self.state()[:8], "shut off")


class Restart(Guests):
    def test_guests_survive_netd_and_are_found_again(self):
        self.netd.define(nat_xml())
        self.define()
        self.virsh("start", "web")
        self.virsh("create", "FILE", xml=self.xml(name="passing", uuid=UUID.replace("6f", "7f"), devices=""))
        self.virsh("suspend", "passing")
        pids, dumped = sorted(self.pids()), self.virsh("dumpxml", "web").stdout
        for sig in (signal.SIGTERM, signal.SIGKILL):
            self.netd.restart(sig)
            self.assertEqual(self.state(), "running (booted)")
            self.await_state("paused (user)", "passing")
            self.assertEqual(sorted(self.pids()), pids)
            self.assertEqual(self.virsh("dumpxml", "web").stdout, dumped)
            self.assertEqual(self.taps(), ["vnet0"])
        self.virsh("start", "web", check=False)
        self.virsh("resume", "passing")
        self.virsh("destroy", "passing")
        self.virsh("shutdown", "web")
        self.await_state("shut off (shutdown)")
        self.nothing_is_left()

    def test_what_died_meanwhile_is_cleared_away(self):
        self.netd.define(nat_xml())
        sh("ip", "link", "add", "br7", "type", "bridge")
        self.define(devices=NIC % MAC + "<interface type='bridge'><source bridge='br7'/><target dev='web7'/></interface>")
        self.virsh("start", "web")
        self.assertEqual(sorted(self.taps()), ["vnet0", "web7"])
        self.netd.kill()
        os.kill(self.pids()[0], signal.SIGKILL)
        self.netd.start()
        self.await_state("shut off (unknown)")
        wait_for("clean", lambda: self.taps() == [] and self.live_files() == [])
        self.assertEqual(self.virsh("net-port-list", "default").stdout.strip(), "")
        sh("ip", "link", "del", "br7")

    def test_a_stranger_at_the_socket_is_no_guest(self):
        self.define(devices="")
        self.virsh("start", "web")
        path = self.netd.root + "/run/netd/vmms/%s.sock" % UUID
        self.netd.kill()
        os.kill(self.pids()[0], signal.SIGKILL)
        os.unlink(path)
        stranger = subprocess.Popen(["python3", "-c", """
import socket, sys, time
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); s.bind(%r); s.listen(1); print("up", flush=True); time.sleep(60)
""" % path], stdout=subprocess.PIPE)
        stranger.stdout.readline()
        self.netd.start()
        self.await_state("shut off (unknown)")
        self.assertIn("listens in the place of a netd-vmm", self.netd.log())
        self.assertIsNone(stranger.poll())
        stranger.kill()


class Devices(Guests):
    def setUp(self):
        super().setUp()
        self.netd.define(nat_xml())

    def test_an_interface_comes_and_goes_while_the_guest_runs(self):
        self.define()
        self.virsh("start", "web")
        told = self.events()
        mac = "52:54:00:00:00:02"
        self.virsh("attach-interface", "web", "network", "default", "--mac", mac, "--model", "virtio", "--live", "--config")
        self.assertEqual(self.virsh("domiflist", "web").stdout.split()[5:], ["vnet1", "network", "default", "virtio", mac])
        self.assertIn(mac, self.virsh("dumpxml", "--inactive", "web").stdout)
        self.assertEqual(self.taps(), ["vnet0", "vnet1"])
        self.virsh("detach-interface", "web", "network", "--mac", mac, "--live", "--config")
        wait_for("it to go", lambda: self.taps() == ["vnet0"])
        self.assertNotIn(mac, self.virsh("dumpxml", "web").stdout)
        self.assertNotIn(mac, self.virsh("dumpxml", "--inactive", "web").stdout)
        self.assertEqual(told(2), ["device-added net1", "device-removed net1"])
        self.assertIn("no matching network device was found for MAC " + mac,
                      self.error("detach-device", "web", "FILE", xml=NIC % mac))

    def test_counters_and_addresses_of_an_interface(self):
        self.define(more="<title>T</title>")
        self.virsh("start", "web")
        self.assertRegex(self.virsh("domifstat", "web", "vnet0").stdout, r"^vnet0 rx_bytes \d+\n")
        self.assertIn("'vnet9' is not a known interface", self.error("domifstat", "web", "vnet9"))
        self.assertEqual(self.virsh("domifaddr", "web").stdout.strip(), "")
        self.assertRegex(self.virsh("list", "--title").stdout, r"web +running +T\n")

    def test_what_the_guest_refuses_is_taken_back(self):
        self.define(cmdline="fail=nic")
        self.virsh("start", "web")
        self.assertIn("as told, no interface",
                      self.error("attach-device", "web", "FILE", "--live", "--config", xml=NIC % "52:54:00:00:00:02"))
        self.assertEqual(self.taps(), ["vnet0"])
        self.assertNotIn("00:02'", self.virsh("dumpxml", "web").stdout + self.virsh("dumpxml", "--inactive", "web").stdout)
        disk = "<disk><source file='%s'/><target dev='vdb'/></disk>" % self.kernel
        self.assertIn("a running guest's <disk> cannot come, go or change",
                      self.error("attach-device", "web", "FILE", "--live", xml=disk))
        self.virsh("attach-device", "web", "FILE", "--config", xml=disk)
        self.assertIn("vdb", self.virsh("dumpxml", "--inactive", "web").stdout)
        self.virsh("detach-device", "web", "FILE", "--config", xml=disk)

    def test_the_link_goes_down_and_up_and_nothing_else_changes(self):
        self.define()
        self.virsh("start", "web")
        self.virsh("domif-setlink", "web", "vnet0", "down")
        self.assertEqual(self.virsh("domif-getlink", "web", "vnet0").stdout.strip(), "vnet0 down")
        self.assertIn("<link state='down'/>", self.virsh("dumpxml", "web").stdout)
        self.netd.restart()
        self.assertEqual(self.virsh("domif-getlink", "web", MAC).stdout.strip(), MAC + " down")
        self.virsh("domif-setlink", "web", MAC, "up")
        self.assertIn("cannot modify network device mtu while the guest runs", self.error(
            "update-device", "web", "FILE", "--live", xml=(NIC % MAC).replace("</interface>", "<mtu size='1400'/></interface>")))
        self.virsh("domif-setlink", "web", MAC, "down", "--config")
        self.assertIn("<link state='down'/>", self.virsh("dumpxml", "--inactive", "web").stdout)

    def test_bridge_ethernet_and_direct_interfaces(self):
        sh("ip", "link", "add", "br7", "type", "bridge")
        sh("ip", "link", "add", "lower7", "type", "veth", "peer", "name", "far7")
        sh("ip", "tuntap", "add", "web9", "mode", "tap", "vnet_hdr")
        kinds = {"bridge": "<source bridge='br7'/><target dev='web1'/><port isolated='yes'/>",
                 "ethernet": "<target dev='web2'/><mtu size='1400'/>",
                 "direct": "<source dev='lower7' mode='%s'/>"}
        self.define(devices="<interface type='bridge'>%(bridge)s</interface>"
                    "<interface type='ethernet'>%(ethernet)s</interface>"
                    "<interface type='ethernet'><target dev='web9' managed='no'/></interface>" % kinds)
        self.virsh("start", "web")
        shown = sh("ip", "-d", "link", "show", "web1").stdout
        self.assertIn("master br7", shown)
        self.assertIn("isolated on", shown)
        self.assertIn("alias netd-guest:" + UUID, shown)
        self.assertIn("mtu 1400", sh("ip", "link", "show", "web2").stdout)
        self.assertIn("state UP", sh("ip", "link", "show", "web9").stdout.replace("DOWN", "UP"))
        self.virsh("destroy", "web")
        self.assertEqual(self.taps(), ["web9"])
        sh("ip", "link", "del", "web9")
        sh("ip", "link", "del", "br7")
        sh("ip", "link", "del", "lower7")
        self.nothing_is_left()


class Means(Guests):
    """What a NIC's document says of the host's device, and of how frames get through it."""

    NETWORK = "<interface type='network'><source network='default'/>%s</interface>"
    ETHERNET = "<interface type='ethernet'><target dev='web2'/>%s</interface>"
    NO_IOEVENTFD, TX_TIMER, RSS, HASH_REPORT, STANDBY = 1 << 12, 1 << 13, 1 << 14, 1 << 15, 1 << 16
    HOST_SIDE = """<source>
        <ip address='192.168.7.1' prefix='24'/>
        <ip address='10.0.0.10' prefix='16' peer='10.9.0.5'/>
        <ip address='fd00:7::1' prefix='64'/>
        <route address='192.168.42.0' prefix='24' gateway='192.168.7.4'/>
        <route family='ipv6' address='fd00:8::' prefix='64' gateway='fd00:7::2' metric='5'/>
      </source>"""

    def setUp(self):
        super().setUp()
        self.netd.define(nat_xml())

    def told(self):
        """(id, features, send buffer) of each NIC, as the guest's process has them."""
        import libvirt
        connection = libvirt.open(self.netd.uri())
        self.addCleanup(connection.close)
        stream = connection.newStream()
        connection.lookupByName("web").openConsole(None, stream, libvirt.VIR_DOMAIN_CONSOLE_FORCE)
        stream.send(b"nics\rend\r")
        got = b""
        while b"END\r" not in got:
            got += stream.recv(1024)
        stream.finish()
        return [(id, int(features, 16), int(sndbuf)) for id, features, sndbuf in
                re.findall(r"nic (\S+) .* features (\S+) sndbuf (\S+)\r", got.decode())]

    def start(self, devices):
        self.define(devices=devices + "<console type='pty'/>")
        self.virsh("start", "web")

    def rx_frames(self, name):
        return re.search(r"^rx-frames:\s+(\d+)", sh("ethtool", "-c", name).stdout, re.M).group(1)

    def host_side(self, name="web2"):
        addresses = re.findall(r"inet6? (?!fe80)(\S+(?: peer \S+)?)", sh("ip", "addr", "show", name).stdout)
        routes = [line.strip() for family in ("-4", "-6") for line in
                  sh("ip", family, "route", "show", "dev", name, "proto", "boot").stdout.splitlines()]
        return addresses, [re.sub(r" (linkdown|pref medium)", "", r) for r in routes]

    def test_buffers_and_coalescing_on_a_network_and_on_an_own_device(self):
        tuned = "<tune><sndbuf>%d</sndbuf></tune><coalesce><rx><frames max='%d'/></rx></coalesce>"
        self.start(self.NETWORK % (tuned % (70000, 7)) + self.ETHERNET % (tuned % (0, 9)) + self.NETWORK % "")
        self.assertEqual([sndbuf for _, _, sndbuf in self.told()], [70000, 2 ** 31 - 1, 2 ** 31 - 1])
        self.assertEqual([self.rx_frames(n) for n in ("vnet0", "web2", "vnet1")], ["7", "9", "0"])
        self.virsh("attach-device", "web", "FILE", "--live", xml=self.NETWORK % (tuned % (80000, 11)))
        self.assertEqual(self.told()[3][2], 80000)
        self.assertEqual(self.rx_frames("vnet2"), "11")
        live = self.virsh("dumpxml", "web").stdout
        nic = next(n for n in re.findall("<interface.*?</interface>", live, re.S) if "80000" in n)
        self.assertIn("cannot modify network device send buffer while the guest runs",
                      self.error("update-device", "web", "FILE", "--live", xml=nic.replace("80000", "90000")))
        self.assertIn("cannot modify network device coalescing while the guest runs",
                      self.error("update-device", "web", "FILE", "--live", xml=nic.replace("'11'", "'12'")))
        self.virsh("destroy", "web")
        self.nothing_is_left()

    def test_how_kicks_and_sending_work_is_told(self):
        self.start(self.NETWORK % "<driver ioeventfd='off'/>" + self.NETWORK % "<driver txmode='timer'/>" +
                   self.NETWORK % "<driver ioeventfd='on' txmode='iothread' rss='off'/>" +
                   self.NETWORK % "<driver queues='2' rss='on'/>" + self.NETWORK % "<driver name='qemu' rss_hash_report='on'/>")
        flags = self.NO_IOEVENTFD | self.TX_TIMER | self.RSS | self.HASH_REPORT
        self.assertEqual([features & flags for _, features, _ in self.told()],
                         [self.NO_IOEVENTFD, self.TX_TIMER, 0, self.RSS, self.HASH_REPORT])

    def test_a_standby_is_told_and_stays_one(self):
        standby, alias = "<teaming type='persistent'/>", "<alias name='ua-b'/>"
        self.start(self.NETWORK % (standby + alias) + self.ETHERNET % (standby + "<driver name='vhost'/>") + self.NETWORK % "")
        self.virsh("attach-device", "web", "FILE", "--live", xml=self.NETWORK % standby)
        self.assertEqual([(id, features & self.STANDBY) for id, features, _ in self.told()],
                         [("ua-b", self.STANDBY), ("net0", self.STANDBY), ("net1", 0), ("net2", self.STANDBY)])
        nic = re.search("<interface.*?</interface>", self.virsh("dumpxml", "web").stdout, re.S).group(0)
        self.assertIn(standby, nic)
        self.virsh("update-device", "web", "FILE", "--live", xml=nic)
        self.assertIn("cannot modify network device teaming while the guest runs",
                      self.error("update-device", "web", "FILE", "--live", xml=nic.replace(standby, "")))

    def test_the_host_s_end_has_addresses_and_routes(self):
        self.start(self.ETHERNET % self.HOST_SIDE)
        shown = self.host_side()
        self.assertEqual(shown, (["192.168.7.1/24", "10.0.0.10 peer 10.9.0.5/16", "fd00:7::1/64"],
                                 ["192.168.42.0/24 via 192.168.7.4 metric 1", "fd00:8::/64 via fd00:7::2 metric 5"]))
        nic = re.search("<interface.*?</interface>", self.virsh("dumpxml", "web").stdout, re.S).group(0)
        self.assertIn("cannot modify network device addresses or routes while the guest runs",
                      self.error("update-device", "web", "FILE", "--live", xml=nic.replace("7.1", "7.9")))
        self.virsh("update-device", "web", "FILE", "--live", xml=nic)
        self.assertEqual(self.host_side(), shown)
        self.virsh("destroy", "web")
        self.nothing_is_left()

    def test_a_device_that_stays_loses_what_the_guest_brought(self):
        sh("ip", "tuntap", "add", "web9", "mode", "tap", "vnet_hdr")
        sh("ip", "addr", "add", "192.168.9.1/24", "dev", "web9")
        sh("ip", "link", "set", "web9", "up")
        self.start("<interface type='ethernet'><target dev='web9' managed='no'/>%s</interface>" % self.HOST_SIDE)
        self.assertEqual(len(self.host_side("web9")[0]), 4)
        self.virsh("destroy", "web")
        self.assertEqual(self.host_side("web9"), (["192.168.9.1/24"], []))
        self.assertEqual(sh("sysctl", "-n", "net.ipv4.conf.web9.promote_secondaries").stdout, "0\n")
        sh("ip", "link", "del", "web9")
        self.nothing_is_left()

    def test_what_a_device_that_stays_has_already_is_not_the_guest_s(self):
        for n in 8, 9:
            sh("ip", "tuntap", "add", "web%d" % n, "mode", "tap", "vnet_hdr")
            sh("ip", "addr", "add", "192.168.9.1/24", "dev", "web%d" % n)
            sh("ip", "link", "set", "web%d" % n, "up")
        sh("ip", "route", "add", "192.168.42.0/24", "dev", "web9", "metric", "1")
        mine = "<interface type='ethernet'><target dev='web%d' managed='no'/><source><ip address='192.168.9.%d' prefix='24'/>%s</source></interface>"
        route = "<route address='192.168.42.0' prefix='24' gateway='%s'/>"
        before = self.host_side("web8"), self.host_side("web9")
        for nic, error in (mine % (8, 1, ""), "'web8' has the address 192.168.9.1/24 already"), \
                (self.ETHERNET + mine % (9, 2, route % "192.168.9.7") + mine % (8, 1, ""), "add route 192.168.42.0/24 through 'web9'"):
            self.define(devices=nic.replace("%s", "") + "<console type='pty'/>")
            self.assertIn(error, self.error("start", "web"))
            self.assertEqual((self.host_side("web8"), self.host_side("web9")), before)
            self.assertEqual(sh("sysctl", "-n", "net.ipv4.conf.web9.promote_secondaries").stdout, "0\n")
        self.start("")
        self.assertIn("'web8' has the address 192.168.9.1/24 already", self.error("attach-device", "web", "FILE", "--live", xml=mine % (8, 1, "")))
        self.virsh("destroy", "web")
        self.assertEqual((self.host_side("web8"), self.host_side("web9")), before)
        for n in 8, 9:
            sh("ip", "link", "del", "web%d" % n)
        self.nothing_is_left()

    def test_an_address_that_cannot_be_undoes_the_start(self):
        bad = self.HOST_SIDE.replace("192.168.7.4", "172.31.9.9")
        self.define(devices=self.ETHERNET % bad + "<console type='pty'/>")
        self.assertIn("add route 192.168.42.0/24 through 'web2'", self.error("start", "web"))
        self.nothing_is_left()

    def test_other_device_nodes(self):
        node = os.path.join(self.netd.root, "tun")
        os.mknod(node, 0o20600, os.stat("/dev/net/tun").st_rdev)
        self.start((self.NETWORK + self.ETHERNET) % (("<backend tap='%s'/>" % node,) * 2))
        self.assertEqual(sorted(self.taps()), ["vnet0", "web2"])
        self.virsh("destroy", "web")
        os.unlink(node)
        for kind in self.NETWORK, self.ETHERNET:
            self.define(devices=kind % ("<backend tap='%s'/>" % node) + "<console type='pty'/>")
            self.assertIn("cannot open %s: No such file or directory" % node, self.error("start", "web"))
            self.nothing_is_left()
        self.start(self.NETWORK % ("<backend vhost='%s'/>" % node))
        self.assertIn("its interface net0 does without vhost-net: cannot open %s: No such file" % node, self.netd.log())


class Console(Guests):
    """By libvirt's own streams."""

    def setUp(self):
        super().setUp()
        import libvirt
        self.libvirt = libvirt
        self.connection = libvirt.open(self.netd.uri())
        self.define(devices="<console type='pty'/>")
        self.virsh("start", "web")
        self.domain = self.connection.lookupByName("web")

    def tearDown(self):
        self.connection.close()

    def open(self, flags=0):
        stream = self.connection.newStream()
        self.domain.openConsole(None, stream, flags)
        return stream

    def read_until(self, stream, wanted):
        got = b""
        while wanted not in got:
            piece = stream.recv(1024)
            self.assertTrue(piece, got)
            got += piece
        return got

    def rest(self, stream):
        got = b""
        while piece := stream.recv(1024):
            got += piece
        return got

    def test_what_is_typed_reaches_the_guest_and_its_answer_comes_back(self):
        stream = self.open()
        stream.send(b"hello\r")
        self.read_until(stream, b"HELLO\r")
        with self.assertRaisesRegex(self.libvirt.libvirtError, "Active console session exists"):
            self.open()
        stream.finish()
        second = self.open()
        third = self.open(self.libvirt.VIR_DOMAIN_CONSOLE_FORCE)
        third.send(b"again\r")
        self.read_until(third, b"AGAIN\r")
        with self.assertRaisesRegex(self.libvirt.libvirtError, "another client took the console"):
            while second.recv(1024):
                pass
        third.abort()

    def test_a_guest_that_ends_ends_its_console(self):
        stream = self.open()
        stream.send(b"off\r")
        self.assertTrue(self.rest(stream).endswith(b"OFF\r"))	# its last words too
        stream.finish()
        self.await_state("shut off (shutdown)")
        with self.assertRaisesRegex(self.libvirt.libvirtError, "domain is not running"):
            self.open()

    def test_a_client_that_vanishes_leaves_the_console_free(self):
        self.open()
        p = subprocess.run(["/usr/bin/python3", "-c", """
import libvirt, os
c = libvirt.open(%r); s = c.newStream()
try: c.lookupByName("web").openConsole(None, s, libvirt.VIR_DOMAIN_CONSOLE_FORCE)
finally: os._exit(0)
""" % self.netd.uri()])
        self.assertEqual(p.returncode, 0)
        wait_for("the console to be free", self.is_free)

    def is_free(self):
        try:
            self.open().finish()
            return True
        except self.libvirt.libvirtError:
            return False


netdtest.main()
