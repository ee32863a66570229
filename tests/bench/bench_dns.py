#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""DNS answers per second of netd's server in its sandbox, beside dnsmasq and a bare echo of datagrams.

All three listen in the host's namespace, on bridges with a veth to the same client, and are asked in turn, a slice
each, so that neighbouring slices see the same machine: by dnsperf, and by bench_dns_load, which costs less itself.
1,000 local names, then as many that an upstream knows and that are cached.

Servers and client share the processors, so the rates say how much of the path is the client's and the kernel's: the
processor time of both for each answer is printed beside them, and what the client alone would allow.
"""
import os
import re
import resource
import subprocess
import tempfile

from benchtest import ROUNDS, BenchCase, main, median, nat_xml, note, sh
import netdtest

NAMES = 1000
PEER, ECHO = "10.77.1.1", "10.77.2.1"


def ran_us(pid):
    """Processor time of a process so far."""
    with open("/proc/%d/schedstat" % pid) as f:
        return int(f.read().split()[0]) / 1e3


class Dns(BenchCase):
    def serve(self, *argv, ns=None):
        p = netdtest.spawn(*argv, ns=ns, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(lambda: (p.kill(), p.wait(), p.stdin.close()))
        return p

    def wire(self, guest, bridge, address, own):
        """Another bridge of the host, with the same guest on it."""
        sh("ip", "link", "add", bridge, "type", "bridge")
        sh("ip", "addr", "add", address + "/24", "dev", bridge)
        sh("ip", "link", "set", bridge, "up")
        sh("ip", "link", "add", bridge + "v", "type", "veth", "peer", "name", bridge + "g", "netns", guest.name)
        sh("ip", "link", "set", bridge + "v", "master", bridge, "up")
        guest.run("ip", "addr", "add", own + "/24", "dev", bridge + "g")
        guest.run("ip", "link", "set", bridge + "g", "up")

    def load(self, guest, names, servers):
        """Rates, ratios of netd's to them, and the processor time of server and client for an answer."""
        out = guest.run(netdtest.built("tests/bench/bench_dns_load"), "-r", ROUNDS, names,
                        *["%s=%d" % pair for pair in servers], timeout=300).stdout
        rows = re.findall(r"^\S+\s+(\d+)/s.* is ([\d.]+) times.*server ([\d.]+), client ([\d.]+)", out, re.M)
        return [tuple(map(float, row)) for row in rows]

    def perf(self, guest, names, address, pid):
        """One second of dnsperf: as load()'s rows, without the ratio."""
        cpu, own = ran_us(pid), resource.getrusage(resource.RUSAGE_CHILDREN)
        out = guest.run("dnsperf", "-s", address, "-d", names, "-l", 1, "-c", 8, "-q", 200, timeout=60).stdout
        answers = int(re.search(r"Queries completed:\s+(\d+)", out).group(1))
        rate = float(re.search(r"Queries per second:\s+([\d.]+)", out).group(1))
        end = resource.getrusage(resource.RUSAGE_CHILDREN)
        client = end.ru_utime + end.ru_stime - own.ru_utime - own.ru_stime
        return rate, (ran_us(pid) - cpu) / answers, client * 1e6 / answers

    def dnsperf(self, guest, names, servers):
        rounds = [[self.perf(guest, names, *s) for s in servers] for _ in range(max(3, ROUNDS // 3))]
        rows = []
        for i in range(len(servers)):
            ratio = median([r[0][0] / r[i][0] for r in rounds])
            rate, server, client = (median([r[i][k] for r in rounds]) for k in range(3))
            rows.append((rate, ratio, server, client))
        return rows

    def judge(self, what, rows):
        """rows: of netd, dnsmasq and the echo."""
        (ours, _, cpu, client), (theirs, over_peer, peer_cpu, _), (echo, over_echo, echo_cpu, _) = rows
        self.figure(what + ": netd, dnsmasq", over_peer * theirs, theirs, "/s", at_least=1.5, fail=0.7)
        self.figure(what + ": netd, bare echo", over_echo * echo, echo, "/s", at_least=0.9, fail=0.4)
        self.figure(what + ": CPU for an answer, netd, dnsmasq", cpu, peer_cpu, "us", at_most=0.67)
        self.figure(what + ": CPU for an answer, netd, bare echo", cpu, echo_cpu, "us", at_most=1.1)
        note(what + ": the client's CPU for an answer", "%10.2f us: it could take %.0f/s, netd gives %.2f of that" % (
            client, 1e6 / client, ours * client / 1e6))

    def compare(self, what, guest, names, servers):
        self.judge("DNS, %s (dnsperf)" % what, self.dnsperf(guest, names, servers))
        self.judge("DNS, %s (bench_dns_load)" % what, self.load(guest, names, servers))

    def server_pid(self):
        """The process of the only network."""
        pids = [p for p in self.netd.serve_pids() if os.stat("/proc/%d" % p).st_uid]
        self.assertEqual(len(pids), 1)
        return pids[0]

    def names_file(self, folder, domain):
        path = os.path.join(folder, domain)
        with open(path, "w") as f:
            f.writelines("host%d.%s A\n" % (i, domain) for i in range(NAMES))
        return path

    def test_dns(self):
        folder = tempfile.mkdtemp(dir=self.netd.root)
        os.chmod(folder, 0o755)
        outside = self.outside()
        upstream = "%s/upstream" % folder
        with open(upstream, "w") as f:
            f.writelines("10.9.%d.%d host%d.world\n" % (i >> 8, i & 255, i) for i in range(NAMES))
        with open(folder + "/local", "w") as f:
            f.writelines("10.8.%d.%d host%d.bench\n" % (i >> 8, i & 255, i) for i in range(NAMES))
        self.serve("dnsmasq", "-k", "-C", "/dev/null", "-R", "-h", "-H", upstream, "-T", 3600,
                   "-a", outside.V4, "--bind-interfaces", "-u", "root", "--pid-file=", ns=outside.name)
        hosts = "".join("<host ip='192.168.77.%d'>%s</host>" % (
            10 + k, "".join("<hostname>host%d.bench</hostname>" % i for i in range(k, NAMES, 100)))
            for k in range(100))
        self.netd.start()
        self.netd.define(nat_xml("bench", "vbench0", 77, extra="<domain name='bench'/><dns><forwarder addr='%s'/>%s</dns>"
                                 % (outside.V4, hosts)))
        guest = self.guest("vbench0")
        guest.address("192.168.77.2/24", "192.168.77.1")
        self.wire(guest, "peer0", PEER, "10.77.1.2")
        self.wire(guest, "echo0", ECHO, "10.77.2.2")
        peer = self.serve("dnsmasq", "-k", "-C", "/dev/null", "-R", "-h", "-H", folder + "/local", "-S", outside.V4,
                          "-a", PEER, "--bind-interfaces", "-c", 10000, "-u", "root", "--pid-file=")
        echo = self.serve(netdtest.built("tests/bench/bench_dns_echo"), ECHO, 53)
        netdtest.wait_for("netd's DNS", lambda: guest.dig("@192.168.77.1", "host7.bench", check=False))
        netdtest.wait_for("dnsmasq", lambda: guest.dig("@" + PEER, "host7.world", check=False))
        netdtest.wait_for("netd's upstream", lambda: guest.dig("@192.168.77.1", "host7.world", check=False))
        servers = [("192.168.77.1", self.server_pid()), (PEER, peer.pid), (ECHO, echo.pid)]
        self.compare("%d local names" % NAMES, guest, self.names_file(folder, "bench"), servers)
        world = self.names_file(folder, "world")
        for address, _ in servers[:2]:	# into the caches
            guest.run("dnsperf", "-s", address, "-d", world, "-n", 3, "-q", 20, check=False, timeout=60)
        self.compare("%d cached upstream names" % NAMES, guest, world, servers)


main()
