#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""DHCP four-way exchanges per second as perfdhcp counts them, every lease on disk: netd, dnsmasq and Kea in turn.

perfdhcp is one program for all three and acts as a relay (it always sets giaddr). Each server is offered more than it
can do, and less, since some do worse the more is asked of them: the best of what it completes counts. Leases lie on the
same file system for all. bench_dhcp_echo, which answers and remembers nothing, shows what client and kernel allow at most.
"""
import json
import os
import re
import resource
import subprocess
import tempfile

from benchtest import ROUNDS, BenchCase, main, median, nat_xml, note, sh, timed
import netdtest

SECONDS = 3
CLIENTS = 20000
OFFERED = {"netd": (10000, 20000), "dnsmasq": (1000,), "kea": (5000, 10000), "echo": (10000, 20000)}  # exchanges a second


def processor_us(pids):
    """How long the processes have had a processor."""
    ticks = 0
    for pid in pids:
        with open("/proc/%d/stat" % pid) as f:
            ticks += sum(int(word) for word in f.read().rsplit(")", 1)[1].split()[11:13])
    return ticks * 1000000 // os.sysconf("SC_CLK_TCK")


def client_us():
    """The same of all programs that were run and waited for."""
    use = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (use.ru_utime + use.ru_stime) * 1e6


class Dhcp(BenchCase):
    def peer(self, guest, name, net):
        """A namespace for another server, with a wire to the guest; returns it and its folder."""
        ns = netdtest.Namespace(name)
        self.namespaces.append(ns)
        sh("ip", "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", ns.name)
        sh("ip", "link", "set", name, "netns", guest.name)
        for space, dev, last in ((ns, "eth0", 1), (guest, name, 2)):
            space.run("ip", "addr", "add", "10.%d.0.%d/16" % (net, last), "dev", dev)
            space.run("ip", "link", "set", dev, "up")
        return ns, tempfile.mkdtemp(dir=self.netd.root)

    def serve(self, name, ns, *argv, env=None):
        p = ns.spawn(*argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=dict(os.environ, **(env or {})))
        self.pids[name] = [p.pid]
        self.addCleanup(lambda: (p.kill(), p.wait()))

    def start_dnsmasq(self, guest):
        ns, folder = self.peer(guest, "dnsmasq", 78)
        self.serve("dnsmasq", ns, "dnsmasq", "-k", "-C", "/dev/null", "--port=0", "--bind-dynamic", "--interface=eth0",
                   "--dhcp-range=10.78.1.0,10.78.250.0,255.255.0.0", "--dhcp-no-override", "--dhcp-authoritative",
                   "--dhcp-lease-max=60000", "--no-ping", "--dhcp-leasefile=" + folder + "/leases", "-u", "root",
                   "--pid-file=")

    def start_kea(self, guest):
        ns, folder = self.peer(guest, "kea", 79)
        config = {"Dhcp4": {
            "interfaces-config": {"interfaces": ["eth0"]},
            "lease-database": {"type": "memfile", "persist": True, "name": folder + "/leases.csv"},
            "multi-threading": {"enable-multi-threading": False},
            "loggers": [{"name": "kea-dhcp4", "severity": "ERROR", "output_options": [{"output": "/dev/null"}]}],
            "subnet4": [{"subnet": "10.79.0.0/16", "pools": [{"pool": "10.79.1.0-10.79.250.0"}]}]}}
        with open(folder + "/kea.json", "w") as f:
            json.dump(config, f)
        self.serve("kea", ns, "kea-dhcp4", "-c", folder + "/kea.json",
                   env={"KEA_PIDFILE_DIR": folder, "KEA_LOCKFILE_DIR": folder})

    def start_echo(self, guest):
        ns, _ = self.peer(guest, "echo", 76)
        self.serve("echo", ns, netdtest.built("tests/bench/bench_dhcp_echo"), "eth0", "10.76.0.1")

    def exchanges(self, guest, interface, offered):
        """How many a second, and how many in all."""
        out = guest.run("perfdhcp", "-4", "-l", interface, "-r", offered, "-R", CLIENTS, "-p", SECONDS, "-W", 1,
                        check=False, timeout=60)
        text = out.stdout + out.stderr
        return (float(re.search(r"Rate: ([\d.]+) 4-way", text).group(1)),
                int(re.findall(r"received packets: (\d+)", text)[1]))

    @staticmethod
    def frames(guest, interface):
        """How many the client has sent and been sent, as its network card counts."""
        stats = json.loads(guest.run("ip", "-j", "-s", "link", "show", interface).stdout)[0]["stats64"]
        return stats["tx"]["packets"], stats["rx"]["packets"]

    def measure(self, name, guest, interface):
        """The best that the server does, and what of the processors that cost."""
        best, costs = 0, []
        for offered in OFFERED[name]:
            server, client = processor_us(self.pids[name]), client_us()
            before = self.frames(guest, interface)
            rate, done = self.exchanges(guest, interface, offered)
            server, client = processor_us(self.pids[name]) - server, client_us() - client
            asked, answered = (b - a for a, b in zip(before, self.frames(guest, interface)))
            # What is answered, and not counted, was lost in perfdhcp's own receive buffer: that costs the server as much.
            costs.append((server / max(1, answered / 2), client / max(1, done)))
            note("%s, %d a second offered" % (name, offered),
                 "%10.0f /s, %.1f %% of %d frames answered, processor for each: server %.0f us, perfdhcp %.0f us" % (
                     (rate, 100 * answered / asked, asked) + costs[-1]))
            best = max(best, rate)
        self.costs.setdefault(name, []).append(min(costs))
        return best

    def test_exchanges(self):
        self.pids, self.costs = {}, {}
        self.netd.start()
        self.netd.define(nat_xml("bench", "vbench0").replace(
            nat_xml("bench", "vbench0").split("<ip ")[1].split("</ip>")[0],
            "address='10.77.0.1' netmask='255.255.0.0'><dhcp><range start='10.77.1.0' end='10.77.250.0'/></dhcp>"))
        guest = self.guest("vbench0")
        guest.address("10.77.0.2/16")
        self.start_dnsmasq(guest)
        self.start_kea(guest)
        self.start_echo(guest)
        interfaces = {"netd": "eth0", "dnsmasq": "dnsmasq", "kea": "kea", "echo": "echo"}
        for interface in interfaces.values():
            netdtest.wait_for("DHCP on " + interface, lambda: self.exchanges(guest, interface, 50)[0] > 5, timeout=30)
        self.pids["netd"] = [self.netd.process.pid] + self.netd.serve_pids()
        rates = {name: [] for name in OFFERED}
        for _ in range(max(2, ROUNDS // 4)):
            for name in OFFERED:
                rates[name].append(self.measure(name, guest, interfaces[name]))
        ours = median(rates["netd"])
        self.figure("DHCP exchanges: netd, dnsmasq", ours, median(rates["dnsmasq"]), "/s", at_least=10, fail=3)
        self.figure("DHCP exchanges: netd, Kea memfile", ours, median(rates["kea"]), "/s", at_least=3, fail=0.8)
        self.figure("processor for an exchange: Kea, netd", median([c[0] for c in self.costs["kea"]]), median([c[0] for c in self.costs["netd"]]), "us",
                    at_least=3)
        # With a core for itself perfdhcp asks for so many, whoever answers.
        note("perfdhcp with a processor of its own, at most", "%10.0f /s" % (1e6 / min(c[1] for c in self.costs["echo"])))
        self.figure("DHCP exchanges: netd, an echo without leases", ours, median(rates["echo"]), "/s", at_least=0.9)

    def test_static_hosts(self):
        hosts = "".join("<host mac='52:54:01:%02x:%02x:%02x' ip='10.%d.%d.%d'/>" % (
            i >> 16, i >> 8 & 255, i & 255, 80 + (i + 256 >> 16), (i + 256) >> 8 & 255, i & 255) for i in range(65000))
        xml = """<network><name>hosts</name><bridge name='vhosts0' stp='off'/>
            <ip address='10.80.0.1' netmask='255.254.0.0'><dhcp>%s</dhcp></ip></network>""" % hosts
        conn = self.connect()
        taken = []
        took_define = timed(lambda: taken.append(conn.networkDefineXML(xml)))
        took_start = timed(taken[0].create)
        note("65,000 static hosts: net-define (%.1f MB of XML)" % (len(xml) / 1e6), "%10.2f s" % (took_define / 1000))
        self.absolute("65,000 static hosts: net-start", took_start / 1000, "s", 1)


main()
