#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""netd in libvirt's place on a host whose networks run: nothing is cut, and there is a way back."""
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../netns"))
import netdtest
from netdtest import sh, spawn, wait_for

NETWORK = """<network>
  <name>default</name>
  <forward mode='nat'/>
  <bridge name='virbr0' stp='on' delay='0'/>
  <domain name='lab.test'/>
  <dns><host ip='192.168.122.9'><hostname>fixed</hostname></host></dns>
  <ip address='192.168.122.1' netmask='255.255.255.0'>
    <dhcp>
      <range start='192.168.122.2' end='192.168.122.254'/>
      <host mac='52:54:00:00:00:02' name='reserved' ip='192.168.122.50'/>
    </dhcp>
  </ip>
  <ip family='ipv6' address='fd00:122::1' prefix='64'/>
</network>"""
STOPPED = "<network><name>stopped</name><ip address='10.99.0.1' netmask='255.255.255.0'/></network>"
PORT = """<networkport>
  <uuid>11111111-2222-3333-4444-555555555555</uuid>
  <owner><name>guest</name><uuid>21111111-2222-3333-4444-555555555555</uuid></owner>
  <mac address='52:54:00:0a:0b:0c'/>
</networkport>"""
ETC, RUN, LIB = "/etc/libvirt/qemu", "/run/libvirt", "/var/lib/libvirt"


class Libvirtd:
    """libvirtd in the test's own namespaces: its networks are the host's."""

    def __init__(self):
        for path in (ETC, LIB):
            os.makedirs(path, exist_ok=True)
            sh("mount", "-t", "tmpfs", "tmpfs", path)
        os.makedirs(LIB + "/dnsmasq")
        os.makedirs(RUN, exist_ok=True)
        self.process = None

    def start(self):
        self.log = open("/run/libvirtd.log", "ab")
        self.process = spawn("libvirtd", stdout=self.log, stderr=self.log)
        self.log.close()
        wait_for("libvirtd", lambda: self.virsh("list", check=False).returncode == 0, timeout=30, step=0.1)

    def virsh(self, *args, check=True, **kw):
        return sh("virsh", "-c", "qemu:///system", *args, check=check, **kw)

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(20)
            self.process = None

    def remove(self):
        self.stop()
        for _, pid in dnsmasqs():
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        for path in (ETC, LIB):
            sh("umount", "-l", path)
        sh("rm", "-rf", RUN)


def dnsmasqs():
    """(configuration, pid) of each dnsmasq of this test's process namespace."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open("/proc/%s/cmdline" % pid) as f:
            line = f.read()
            if "dnsmasq" in line.split("\0")[0]:
                found.append((re.search(r"--conf-file=(\S*?)\0", line).group(1), int(pid)))
    return found


def read(path):
    with open(path) as f:
        return f.read()


class Echo:
    """A connection from a guest to a server outside, which lives or does not."""

    def __init__(self, guest, outside):
        with netdtest.in_ns(outside.name):
            self.server = socket.create_server((outside.V4, 7777))
        with netdtest.in_ns(guest.name):
            self.client = socket.socket()
            self.client.settimeout(5)
            self.client.connect((outside.V4, 7777))
        self.peer, self.peer_address = self.server.accept()
        self.peer.settimeout(5)
        self.n = self.errors = 0
        self.going = True
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while self.going:
            try:
                text = b"%08d" % self.n
                self.client.sendall(text)
                self.peer.sendall(self.peer.recv(8))
                assert self.client.recv(8) == text
                self.n += 1
            except (OSError, AssertionError):
                self.errors += 1
                return
            time.sleep(0.005)

    def end(self):
        self.going = False
        self.thread.join()
        for s in (self.client, self.peer, self.server):
            s.close()


class Asking:
    """A guest that asks for a name all the time: how long it had to wait at worst."""

    QUERY = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x05fixed\0\0\x01\0\x01"

    def __init__(self, guest, server):
        with netdtest.in_ns(guest.name):
            self.socket = socket.socket(type=socket.SOCK_DGRAM)
        self.socket.settimeout(0.05)
        self.socket.connect((server, 53))
        self.answers, self.worst_s, self.going = 0, 0, True
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        last = time.monotonic()
        while self.going:
            with contextlib.suppress(OSError):	# nobody, or a port that is closed
                self.socket.send(self.QUERY)
                self.answers += self.socket.recv(512)[3] & 15 == 0
                now = time.monotonic()
                self.worst_s, last = max(self.worst_s, now - last), now
            time.sleep(0.01)
        self.worst_s = max(self.worst_s, time.monotonic() - last)

    def end(self):
        self.going = False
        self.thread.join()
        self.socket.close()


class Takeover(netdtest.TestCase):
    def setUp(self):
        super().setUp()
        self.libvirtd = Libvirtd()
        self.addCleanup(self.libvirtd.remove)
        for path in ("etc", "run", "var/lib"):
            os.makedirs(os.path.join(self.netd.root, path), exist_ok=True)
            os.symlink("/%s/libvirt" % path, os.path.join(self.netd.root, path, "libvirt"))
        self.configure("libvirt_takeover = yes\n")

    def configure(self, text):
        os.makedirs(self.netd.root + "/etc/netd", exist_ok=True)
        with open(self.netd.root + "/etc/netd/netd.conf", "w") as f:
            f.write(text)

    def document(self, name, text):
        path = "/run/%s.xml" % name
        with open(path, "w") as f:
            f.write(text)
        return path

    def libvirt_has(self, *documents, start=("default",)):
        self.libvirtd.start()
        for text in documents:
            name = re.search("<name>(.*?)</name>", text).group(1)
            self.libvirtd.virsh("net-define", self.document(name, text))
            if name in start:
                self.libvirtd.virsh("net-start", name)
                self.libvirtd.virsh("net-autostart", name)

    def networks(self):
        """name -> (state, autostart), as virsh shows them of netd."""
        lines = self.netd.virsh("net-list", "--all").stdout.splitlines()[2:]
        return {w[0]: (w[1], w[2]) for w in (line.split() for line in lines) if w}

    def leases(self):
        """(protocol, address, host name, client-id) of each."""
        return [line.split()[3:7] for line in
                self.netd.virsh("net-dhcp-leases", "default").stdout.splitlines()[2:] if line.strip()]

    def udhcpc(self, guest):
        """A client that stays, its lease lines in the returned file."""
        path = "/run/%s.udhcpc" % guest.name
        with open(path, "w") as out:
            client = guest.spawn("busybox", "udhcpc", "-i", "eth0", "-f", "-s",
                                 os.path.join(netdtest.SOURCE, "tests/netns/udhcpc.script"),
                                 "-x", "hostname:%s" % guest.name, stdout=out, stderr=out)

        def end():
            client.kill()
            client.wait()
        self.addCleanup(end)
        return client, path

    def lease_lines(self, path):
        text = read(path)
        return re.findall(r"^LEASE ip=(\S+)", text, re.M), text

    def libvirt_rules(self):
        """Rules in libvirt's chains, but those that a test put there for another bridge."""
        found = []
        for item in json.loads(sh("nft", "-j", "list", "ruleset").stdout)["nftables"]:
            rule = item.get("rule", {})
            libvirts = rule.get("chain", "").startswith("LIBVIRT_") or rule.get("table") == "libvirt_network"
            jump = "jump" in json.dumps(rule)
            if libvirts and not jump and "virbr9" not in json.dumps(rule):
                found.append(json.dumps(rule["expr"]))
        return found

    def test_running_network_is_not_cut(self):
        outside = self.outside()
        self.libvirt_has(NETWORK, STOPPED)
        self.libvirtd.virsh("net-autostart", "stopped")
        self.libvirtd.virsh("net-port-create", "default", self.document("port", PORT))
        guest, reserved = self.guest("virbr0"), self.guest("virbr0")
        client, path = self.udhcpc(guest)
        address = wait_for("a lease", lambda: self.lease_lines(path)[0], timeout=20)[0]
        self.assertEqual(reserved.udhcpc()["ip"], "192.168.122.50")
        guest.run("ip", "addr", "replace", address + "/24", "dev", "eth0")
        guest.run("ip", "route", "replace", "default", "via", "192.168.122.1")
        self.assertEqual(guest.dig("@192.168.122.1", "fixed"), ["192.168.122.9"])
        sh("nft", "add rule ip filter LIBVIRT_FWO iifname virbr9 accept")
        before = json.loads(sh("ip", "-j", "addr", "show", "virbr0").stdout)[0]
        self.assertEqual(len(dnsmasqs()), 2)	# one and its helper
        self.assertGreater(len(self.libvirt_rules()), 20)

        # It does not touch what a running libvirtd has.
        self.netd.start()
        self.assertIn("not taken over: its daemon runs (pid %d)" % self.libvirtd.process.pid, self.netd.log())
        self.assertEqual(self.networks(), {})
        self.netd.stop()

        ping = guest.spawn("ping", "-n", "-i", "0.02", outside.V4, stdout=subprocess.PIPE, text=True)
        gateway = guest.spawn("ping", "-n", "-i", "0.02", "192.168.122.1", stdout=subprocess.PIPE, text=True)
        # what libvirt's QEMU driver puts on the bridge for a guest
        sh("ip", "tuntap", "add", "vnet7", "mode", "tap")
        sh("ip", "link", "set", "vnet7", "address", "fe:54:00:0a:0b:0c", "master", "virbr0", "up")
        asking = Asking(guest, "192.168.122.1")
        self.addCleanup(asking.end)
        stream = Echo(guest, outside)
        self.addCleanup(stream.end)
        self.libvirtd.stop()
        self.netd.start()
        wait_for("libvirt's rules gone", lambda: not self.libvirt_rules())
        wait_for("libvirt's state gone", lambda: not os.path.exists(RUN + "/network/default.xml"))
        n = stream.n
        wait_for("the stream goes on", lambda: stream.n > n + 20 or stream.errors)
        time.sleep(0.5)
        for p in (ping, gateway):
            p.send_signal(signal.SIGINT)
            said = p.communicate(timeout=10)[0]
            self.assertRegex(said, r"\b0% packet loss", said[-300:])
        self.assertEqual(stream.errors, 0)
        asking.end()
        print("DNS paused for %.2f s" % asking.worst_s, file=sys.stderr)
        self.assertGreater(asking.answers, 20)
        self.assertLess(asking.worst_s, 5)

        self.assertEqual(self.networks(), {"default": ("active", "yes"), "stopped": ("inactive", "yes")})
        self.assertEqual(dnsmasqs(), [])
        after = json.loads(sh("ip", "-j", "addr", "show", "virbr0").stdout)[0]
        self.assertIn("alias netd:", sh("ip", "link", "show", "virbr0").stdout)
        self.assertEqual(after["ifindex"], before["ifindex"])
        self.assertEqual(after["address"], before["address"])
        self.assertEqual([a["local"] for a in after["addr_info"]], [a["local"] for a in before["addr_info"]])
        self.assertIn("virbr9", sh("nft", "list", "chain", "ip", "filter", "LIBVIRT_FWO").stdout)
        self.assertEqual(self.netd.ctl("net-port-list", "default", "--uuid").stdout.split(),
                         ["11111111-2222-3333-4444-555555555555"])

        self.assertIn("master virbr0", sh("ip", "link", "show", "vnet7").stdout)
        self.assertIn("52:54:00:0a:0b:0c", self.netd.ctl("net-map", "default").stdout)

        # The leases are there before anybody renews, with their names.
        self.assertEqual({(a, name) for _, a, name, _ in self.leases()},
                         {(address + "/24", guest.name), ("192.168.122.50/24", "reserved")})
        self.assertEqual(guest.dig("@192.168.122.1", "fixed"), ["192.168.122.9"])
        self.assertEqual(guest.dig("@192.168.122.1", guest.name + ".lab.test"), [address])
        client.send_signal(signal.SIGUSR1)
        got = wait_for("the renewal", lambda: self.lease_lines(path)[0][1:], timeout=15)
        self.assertEqual(set(got), {address})
        self.assertNotIn("discover", self.lease_lines(path)[1].split("LEASE", 1)[1])
        self.assertTrue(guest.ping(outside.V4))

        # Nothing happens twice, and what is undefined stays so.
        self.netd.virsh("net-undefine", "stopped")
        self.netd.restart()
        self.assertEqual(self.networks(), {"default": ("active", "yes")})
        self.assertTrue(guest.ping(outside.V4))
        self.assertIn("default.xml", os.listdir(ETC + "/networks"))	# only read

    def started_by_systemd(self, *units):
        """netd with a socket of systemd's for each of the units."""
        os.makedirs(os.path.dirname(self.netd.socket), exist_ok=True)
        listening, script = [], "exec"
        for i, unit in enumerate(units):
            path = self.netd.socket if unit == "netd.socket" else "/run/%s" % unit
            s = socket.socket(socket.AF_UNIX)
            s.bind(path)
            s.listen()
            listening.append(s)
            script += " %d<&%d" % (3 + i, s.fileno() + 100)
        for s in listening:
            os.dup2(s.fileno(), s.fileno() + 100)
        with open(self.netd.log_path, "ab") as log:
            self.netd.process = subprocess.Popen(
                ["bash", "-c", script + "; LISTEN_PID=$$ LISTEN_FDS=%d LISTEN_FDNAMES=%s exec \"$@\"" % (
                    len(units), ":".join(units)), "bash", netdtest.built("netd/daemon/netd"), "--root", self.netd.root,
                 "--serve", netdtest.built("netd/serve/netd-serve"), "-v"],
                pass_fds=[s.fileno() + 100 for s in listening], stdout=log, stderr=log, start_new_session=True)
        for s in listening:
            os.close(s.fileno() + 100)
            s.close()
        wait_for("netd", lambda: self.netd.ctl("net-list", check=False).returncode == 0, timeout=20)

    def test_who_answers_at_libvirts_sockets_takes_over(self):
        """Without a word in netd.conf."""
        self.configure("")
        self.libvirt_has(NETWORK, STOPPED)
        self.libvirtd.stop()
        self.started_by_systemd("netd.socket")	# netd beside libvirt: all stays libvirt's
        self.assertEqual((self.networks(), len(dnsmasqs())), ({}, 2))
        self.netd.stop()
        os.unlink(self.netd.socket)
        self.configure("libvirt_takeover = no\n")
        self.started_by_systemd("netd.socket", "netd-libvirt.socket")
        self.assertEqual((self.networks(), len(dnsmasqs())), ({}, 2))
        self.netd.stop()
        for path in (self.netd.socket, "/run/netd-libvirt.socket"):
            os.unlink(path)
        self.configure("")
        self.started_by_systemd("netd.socket", "netd-libvirt.socket")
        both = {"default": ("active", "yes"), "stopped": ("inactive", "no")}
        self.assertEqual((self.networks(), dnsmasqs()), (both, []))
        wait_for("libvirt's state gone", lambda: not os.path.exists(RUN + "/network/default.xml"))

    def test_own_sockets_at_libvirts_place_take_over(self):
        self.libvirt_has(NETWORK)
        self.configure("libvirt_sockets = yes\n")
        self.netd.start()
        self.assertIn("not taken over: its daemon runs", self.netd.log())
        self.netd.stop()
        self.libvirtd.stop()
        self.netd.start()
        self.assertEqual((self.networks(), dnsmasqs()), ({"default": ("active", "yes")}, []))

    def test_network_with_dhcpv6_goes_on_at_libvirts_server(self):
        six = NETWORK.replace("prefix='64'/>", "prefix='64'><dhcp><range start='fd00:122::10' end='fd00:122::99'/>"
                              "</dhcp></ip>")
        stopped = STOPPED.replace("</network>", "<ip family='ipv6' address='fd00:99::1' prefix='64'><dhcp>"
                                  "<range start='fd00:99::10' end='fd00:99::99'/></dhcp></ip></network>")
        self.libvirt_has(six, stopped, NETWORK.replace("default", "plain").replace("virbr0", "virbr8")
                         .replace("122", "88"), start=("default", "plain"))
        guest = self.guest("virbr0")
        address = guest.udhcpc()["ip"]
        self.libvirtd.stop()
        before = [line for line in sh("nft", "-s", "list", "table", "ip", "filter").stdout.splitlines()
                  if "virbr0" in line]
        self.netd.start()
        log = self.netd.log()
        self.assertRegex(log, r"default: libvirt's network is left as it is: .*<dhcp> \(line \d+\): DHCP for IPv6 is not "
                              "supported yet")
        self.assertEqual(self.networks(), {"plain": ("active", "yes"), "stopped": ("inactive", "no")})
        self.assertEqual({os.path.basename(c) for c, _ in dnsmasqs()}, {"default.conf"})
        # nothing of it is cut: its server, its rules, its bridge, its address
        self.assertEqual(guest.udhcpc()["ip"], address)
        self.assertTrue(guest.ping("192.168.122.1"))
        wait_for("plain's rules gone", lambda: not os.path.exists(RUN + "/network/plain.xml"))
        self.assertEqual([line for line in sh("nft", "-s", "list", "table", "ip", "filter").stdout.splitlines()
                          if "virbr0" in line], before)
        self.assertGreater(len(before), 3)
        self.assertNotIn("alias", sh("ip", "link", "show", "virbr0").stdout)
        done = self.netd.virsh("net-start", "stopped", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("DHCP for IPv6 is not supported yet", done.stderr)

    def test_leases_that_cannot_be_read_leave_the_network_alone(self):
        self.libvirt_has(NETWORK)
        self.libvirtd.stop()
        with open(LIB + "/dnsmasq/virbr0.status", "w") as f:
            f.write('[ { "ip-address": "192.168.122.7", "mac-address": "nonsense" } ]')
        before = sh("nft", "-s", "list", "ruleset").stdout
        self.netd.start()
        self.assertIn("default: libvirt's network is left as it is: ", self.netd.log())
        self.assertIn("virbr0.status': lease 1 has no valid mac-address", self.netd.log())
        self.assertEqual(self.networks(), {})
        self.assertEqual(len(dnsmasqs()), 2)
        self.assertEqual(os.listdir(self.netd.root + "/var/lib/netd/leases"), [])
        self.assertNotIn("alias", sh("ip", "link", "show", "virbr0").stdout)
        self.assertEqual(sh("nft", "-s", "list", "ruleset").stdout, before)
        # What is wrong was put right: the next start takes it.
        os.truncate(LIB + "/dnsmasq/virbr0.status", 0)
        self.netd.restart()
        self.assertEqual(self.networks(), {"default": ("active", "yes")})
        self.assertEqual(dnsmasqs(), [])

    def test_fails_without_a_trace_and_goes_on_when_killed(self):
        self.libvirt_has(NETWORK)
        guest = self.guest("virbr0")
        address = guest.udhcpc("-x", "hostname:early")["ip"]
        self.libvirtd.stop()
        wait_for("the lease written", lambda: address in read(LIB + "/dnsmasq/virbr0.status"))
        sh("mkdir", "/run/saved")
        sh("cp", "-a", ETC + "/networks", RUN + "/network", LIB + "/dnsmasq", "/run/saved")
        self.back_at_libvirt()
        self.netd.env["NETD_FAULT"] = "count:/run/faults"
        self.netd.start()
        wait_for("all done", lambda: not os.path.exists(RUN + "/network/default.xml"))
        if not os.path.exists("/run/faults"):
            self.skipTest("needs a build with -Dfaults=true")
        self.netd.kill()
        lines = read("/run/faults").splitlines()
        first = next(i for i, line in enumerate(lines) if "make lease folder" in line)
        last = next(i for i, line in enumerate(lines) if "remove libvirt's rules" in line)
        self.assertGreater(last - first, 15)
        ended = next(i for i, line in enumerate(lines) if "end libvirt's dnsmasq" in line)
        adopted = next(i for i, line in enumerate(lines) if "change bridge 'virbr0'" in line)
        for at in [*range(first, ended, 3), *range(ended, adopted + 1)]:
            with self.subTest(fails=lines[at]):
                self.back_at_libvirt()
                self.netd.env["NETD_FAULT"] = "%d:EIO" % (at + 1)
                self.netd.start()
                log = self.netd.log()
                self.assertIn("default: libvirt's network is left as it is: ", log)
                self.assertEqual("its dnsmasq has ended already" in log, at > ended)
                self.assertEqual(self.networks(), {})
                self.assertEqual((len(dnsmasqs()), len(self.libvirt_rules())), (2 if at <= ended else 0, 4), log)
                for path in ("etc/netd/networks/autostart", "run/netd/networks", "var/lib/netd/leases"):
                    self.assertEqual(os.listdir(os.path.join(self.netd.root, path)), [])
                self.assertEqual(os.listdir(self.netd.root + "/etc/netd/networks"), ["autostart"])
                link = sh("ip", "-d", "link", "show", "virbr0").stdout
                self.assertNotIn("alias", link)
                os.truncate(self.netd.log_path, 0)
        # after the last of them the next start takes it
        self.netd.env["NETD_FAULT"] = ""
        self.netd.restart()
        wait_for("libvirt's state gone", lambda: not os.path.exists(RUN + "/network/default.xml"))
        self.assertEqual([(a, n) for _, a, n, _ in self.leases()], [(address + "/24", "early")])
        for at in range(first, min(last + 4, len(lines)), 6):
            with self.subTest(killed_at=lines[at]):
                self.back_at_libvirt()
                self.netd.env["NETD_FAULT"] = "%d:kill" % (at + 1)
                self.netd.start(wait=False)
                wait_for("its end", lambda: self.netd.process.poll() is not None, timeout=20)
                self.netd.env["NETD_FAULT"] = ""
                self.netd.start()
                wait_for("libvirt's state gone", lambda: not os.path.exists(RUN + "/network/default.xml"))
                self.assertEqual(self.networks(), {"default": ("active", "yes")})
                self.assertEqual([(a, n) for _, a, n, _ in self.leases()], [(address + "/24", "early")])
                self.assertEqual((dnsmasqs(), self.libvirt_rules()), ([], []))

    def back_at_libvirt(self):
        """The host as libvirtd had left it, from what was saved: faster than by libvirtd."""
        self.netd.kill()
        for pid in self.netd.serve_pids() + [pid for _, pid in dnsmasqs()]:
            with contextlib.suppress(ProcessLookupError):	# one that netd had told to end
                os.kill(pid, signal.SIGKILL)
        sh("ip", "link", "del", "virbr0", check=False)
        sh("nft", "flush", "ruleset")
        sh("nft", "delete", "table", "inet", "netd", check=False)
        for path in ("etc/netd", "run/netd", "var/lib/netd"):
            sh("rm", "-rf", os.path.join(self.netd.root, path))
        self.configure("libvirt_takeover = yes\n")
        for path, name in ((ETC, "networks"), (RUN, "network"), (LIB, "dnsmasq")):
            sh("rm", "-rf", path + "/" + name)
            sh("cp", "-a", "/run/saved/" + name, path)
        mac = re.search("<mac address='(.*?)'", read(ETC + "/networks/default.xml")).group(1)
        sh("ip", "link", "add", "virbr0", "address", mac, "type", "bridge")
        sh("ip", "addr", "add", "192.168.122.1/24", "dev", "virbr0")
        sh("ip", "link", "set", "virbr0", "up")
        sh("nft", "-f", "-", input="""
            table ip filter {
                chain LIBVIRT_FWO { iifname virbr0 ip saddr 192.168.122.0/24 accept; iifname virbr0 reject; }
                chain FORWARD { type filter hook forward priority 0; jump LIBVIRT_FWO; }
            }
            table ip libvirt_network {
                chain guest_nat { type nat hook postrouting priority 100; ip saddr 192.168.122.0/24 masquerade; }
                chain guest_input { oif virbr0 ip daddr 192.168.122.0/24 accept; }
            }""")
        sh("/usr/sbin/dnsmasq", "--conf-file=%s/dnsmasq/default.conf" % LIB, "--leasefile-ro",
           "--dhcp-script=/usr/lib/libvirt/libvirt_leaseshelper", env={"VIR_BRIDGE_NAME": "virbr0"})

    def test_import_offline(self):
        self.libvirt_has(NETWORK, STOPPED, start=())
        self.libvirtd.virsh("net-autostart", "default")
        self.libvirtd.stop()
        with open(ETC + "/networks/broken.xml", "w") as f:
            f.write("<network><name>broken</name>")
        self.configure("")
        netd = [netdtest.built("netd/daemon/netd"), "--root", self.netd.root, "--import-libvirt", ETC + "/networks"]
        done = sh(*netd, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("broken.xml: skipped: ", done.stderr)
        self.assertIn("1 files could not be read", done.stderr)
        self.assertEqual(sorted(done.stdout.splitlines()),
                         ["default: imported, marked to be started", "stopped: imported"])
        os.unlink(ETC + "/networks/broken.xml")
        done = sh(*netd)
        self.assertEqual(sorted(done.stdout.splitlines()),
                         ["default: is there already, kept", "stopped: is there already, kept"])
        self.netd.start()
        wait_for("autostart", lambda: self.networks() == {"default": ("active", "yes"),
                                                          "stopped": ("inactive", "no")})
        done = sh(*netd, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("netd runs and answers on", done.stderr)
        self.assertNotEqual(sh(*netd[:-1], "/nowhere", check=False).returncode, 0)

    def test_way_back(self):
        """The steps of netd(8), BACK TO LIBVIRT, in its order."""
        self.libvirt_has(NETWORK)
        self.libvirtd.stop()
        self.netd.start()
        guest = self.guest("virbr0")
        self.assertTrue(guest.udhcpc()["ip"])
        self.netd.define(netdtest.nat_xml("new", "virbr5", 55))
        man = read(os.path.join(netdtest.SOURCE, "man/netd.8"))
        steps = re.search(r"\.SH BACK TO LIBVIRT\n(.*?)\n\.SH ", man, re.S).group(1)
        commands = "\n".join(re.findall(r"\.nf\n(.*?)\.fi", steps, re.S)).replace("\\-", "-").replace("\\(aq", "'").replace("\\e", "\\")
        first, second = commands.split("systemctl disable --now ", 1)
        units, second = second.split("\n", 1)
        self.assertIn("netd.service", units)
        second = re.sub(r"^systemctl start (virtnetworkd|libvirtd)[^\n]*\n", "", second, flags=re.M)
        env = {"PATH": netdtest.built("netd/ctl") + ":" + os.environ["PATH"],
               "NETDCTL_URI": self.netd.uri(), "LIBVIRT_DEFAULT_URI": "qemu:///system"}
        sh("sh", "-e", "-c", first.replace("netdctl ", "netdctl -c '%s' " % self.netd.uri()), env=env)
        self.netd.stop()
        self.libvirtd.start()
        sh("sh", "-e", "-c", second, env=env)
        listed = self.libvirtd.virsh("net-list", "--all").stdout
        self.assertRegex(listed, r"default +active +yes +yes")
        self.assertRegex(listed, r"new +active +no +yes")
        self.assertNotIn("netd", sh("nft", "list", "tables").stdout)
        self.assertEqual(self.netd.serve_pids(), [])
        guest.plug("virbr0")	# libvirtd does it for its own guests
        self.assertEqual(len({c for c, _ in dnsmasqs()}), 2)
        self.assertTrue(guest.udhcpc()["ip"])
        self.libvirtd.virsh("net-destroy", "default")
        self.libvirtd.virsh("net-destroy", "new")


netdtest.main()
