#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""DNS answers per second of netd's server in its sandbox, beside dnsmasq and a bare echo of datagrams.

All three listen in the host's namespace, on bridges with a veth to the same client; bench_dns_load asks them in
turn, a slice each, so that neighbouring slices see the same machine. 1,000 local names, then as many that an
upstream knows and that are cached.
"""
import os
import re
import signal
import subprocess
import tempfile

from benchtest import ROUNDS, BenchCase, main, nat_xml, note, sh
import netdtest

NAMES = 1000
PEER, ECHO = "10.77.1.1", "10.77.2.1"


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

    def load(self, guest, names, addresses):
        out = guest.run(netdtest.built("tests/bench/bench_dns_load"), "-r", ROUNDS, names, *addresses,
                        timeout=300).stdout
        rates = re.findall(r"^(\S+)\s+(\d+)/s.* is ([\d.]+) times", out, re.M)
        return [(float(rate), float(ratio)) for _, rate, ratio in rates]

    def judge(self, what, rates):
        (ours, _), (theirs, over_peer), (echo, over_echo) = rates
        self.figure("DNS, %s: netd, dnsmasq" % what, over_peer * theirs, theirs, "/s", at_least=1.5, fail=0.8)
        self.figure("DNS, %s: netd, bare echo" % what, over_echo * echo, echo, "/s", at_least=0.9, fail=0.4)

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
        self.serve("dnsmasq", "-k", "-C", "/dev/null", "-R", "-h", "-H", folder + "/local", "-S", outside.V4,
                   "-a", PEER, "--bind-interfaces", "-c", 10000, "-u", "root", "--pid-file=")
        self.serve(netdtest.built("tests/bench/bench_dns_echo"), ECHO, 53)
        netdtest.wait_for("netd's DNS", lambda: guest.dig("@192.168.77.1", "host7.bench", check=False))
        netdtest.wait_for("dnsmasq", lambda: guest.dig("@" + PEER, "host7.world", check=False))
        netdtest.wait_for("netd's upstream", lambda: guest.dig("@192.168.77.1", "host7.world", check=False))
        servers = ["192.168.77.1", PEER, ECHO]
        self.judge("%d local names" % NAMES, self.load(guest, self.names_file(folder, "bench"), servers))
        world = self.names_file(folder, "world")
        for address in servers[:2]:	# into the caches
            guest.run("dnsperf", "-s", address, "-d", world, "-n", 3, "-q", 20, check=False, timeout=60)
        self.judge("%d cached upstream names" % NAMES, self.load(guest, world, servers))


main()
