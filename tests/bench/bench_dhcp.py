#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""DHCP four-way exchanges a second, seen by perfdhcp: netd, dnsmasq and Kea in turn on the same bridge.

netd's leases are on disk before they are acknowledged; dnsmasq writes its lease file, Kea its memfile.
The rate of each is the best of several offered ones; only the ratios are judged. What each exchange costs the
server in CPU time is printed too: on a busy machine, or where perfdhcp itself is the limit, that tells more.
NETD_BENCH_RATES sets the rates, NETD_BENCH_SECONDS how long each is offered (default 4).
"""
import json
import os
import re
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../netns")]
import netdtest
from netdtest import sh, spawn, wait_for

SECONDS = int(os.environ.get("NETD_BENCH_SECONDS", "4"))
RATES = [int(r) for r in os.environ.get("NETD_BENCH_RATES", "").split(",") if r]
CLIENTS = 20000
BRIDGE = "dhcpbr0"
SERVER = "10.77.0.1"
POOL = ("10.77.0.2", "10.77.250.0")

NETD_XML = """<network>
  <name>bench</name>
  <bridge name='%s' stp='off' delay='0'/>
  <dns enable='no'/>
  <ip address='%s' prefix='16'><dhcp><range start='%s' end='%s'/></dhcp></ip>
</network>""" % ((BRIDGE, SERVER) + POOL)


def cpu_s(pid):
    """CPU seconds that a process and its threads have used."""
    with open("/proc/%d/stat" % pid) as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Peer:
    """A foreign server on a bridge of its own."""

    def __init__(self, root):
        self.root = root
        sh("ip", "link", "add", BRIDGE, "type", "bridge", "forward_delay", "0")
        sh("ip", "addr", "add", SERVER + "/16", "dev", BRIDGE)
        sh("ip", "link", "set", BRIDGE, "up")

    def start(self, *argv, **kw):
        self.log = open(os.path.join(self.root, "peer.log"), "ab")
        self.process = spawn(*argv, stdout=self.log, stderr=self.log, **kw)
        time.sleep(1.5)
        if self.process.poll() is not None:
            with open(self.log.name) as f:
                raise AssertionError("%s ended: %s" % (argv[0], f.read()))

    def stop(self):
        self.process.terminate()
        self.process.wait(10)
        self.log.close()
        sh("ip", "link", "del", BRIDGE)


class Dnsmasq(Peer):
    """As libvirt configures it, and no-ping, which would wait for an answer per address."""

    def __init__(self, root):
        super().__init__(root)
        path = os.path.join(root, "dnsmasq.conf")
        with open(path, "w") as f:
            f.write("strict-order\nbind-dynamic\nport=0\nuser=root\ninterface=%s\nexcept-interface=lo\n"
                    "dhcp-range=%s,%s,255.255.0.0,3600\ndhcp-no-override\ndhcp-authoritative\n"
                    "dhcp-lease-max=65000\nno-ping\ndhcp-leasefile=%s/dnsmasq.leases\n"
                    "keep-in-foreground\nlog-facility=/dev/null\n" % ((BRIDGE,) + POOL + (root,)))
        self.start("dnsmasq", "--conf-file=" + path)


class Kea(Peer):
    def __init__(self, root):
        super().__init__(root)
        path = os.path.join(root, "kea.conf")
        with open(path, "w") as f:
            json.dump({"Dhcp4": {
                "interfaces-config": {"interfaces": [BRIDGE], "dhcp-socket-type": "raw"},
                "lease-database": {"type": "memfile", "persist": True,
                                   "name": root + "/kea.leases", "lfc-interval": 0},
                "valid-lifetime": 3600, "multi-threading": {"enable-multi-threading": False},
                "subnet4": [{"subnet": "10.77.0.0/16", "pools": [{"pool": "%s - %s" % POOL}]}],
                "loggers": [{"name": "kea-dhcp4", "severity": "ERROR",
                             "output_options": [{"output": "/dev/null"}]}]}}, f)
        env = dict(os.environ, KEA_PIDFILE_DIR=root, KEA_LOCKFILE_DIR=root)
        self.start("kea-dhcp4", "-c", path, env=env)


class Rates(netdtest.TestCase):
    def client(self):
        g = self.guest(BRIDGE)
        g.address("10.77.255.1/16")
        return g

    def rate(self, guest, offered):
        """Completed exchanges a second at this offered rate, and the share of requests lost."""
        done = guest.run("perfdhcp", "-4", "-l", "eth0", "-r", offered, "-R", CLIENTS, "-p", SECONDS,
                         "-W", "1000000", check=False, timeout=SECONDS * 3 + 30).stdout
        got = re.findall(r"received packets: (\d+)", done)
        if len(got) < 2:
            raise AssertionError("perfdhcp said: " + done)
        return int(got[1]) / SECONDS

    def best(self, name, pid, rates):
        guest = self.client()
        before = cpu_s(pid)
        rounds = [(self.rate(guest, r), r) for r in RATES or rates]
        used = cpu_s(pid) - before
        best, offered = max(rounds)
        print("%-10s %8.0f exchanges/s of %d offered, %4.0f us of CPU each   (%s)" % (
            name, best, offered, used / sum(got * SECONDS for got, _ in rounds) * 1e6,
            ", ".join("%d: %.0f" % (r, got) for got, r in rounds)), flush=True)
        guest.delete()
        return best

    def test_four_way_exchanges(self):
        self.netd.start()
        self.netd.define(NETD_XML)
        pid = max(self.netd.serve_pids(), key=lambda p: os.stat("/proc/%d" % p).st_uid)
        ours = self.best("netd", pid, (4000, 8000, 12000, 16000, 20000))
        self.netd.ctl("net-destroy", "bench")
        self.netd.stop()
        theirs = {}
        for peer, rates in ((Dnsmasq, (200, 600, 1000)), (Kea, (2000, 4000, 8000))):
            server = peer(self.netd.root)
            theirs[peer.__name__] = self.best(peer.__name__.lower(), server.process.pid, rates)
            server.stop()
        for name, wanted in (("Dnsmasq", 10), ("Kea", 3)):
            ratio = ours / max(theirs[name], 1)
            print("netd / %-8s %6.1f  (wanted >= %d)" % (name.lower(), ratio, wanted))
            self.assertGreaterEqual(ratio, wanted)


if __name__ == "__main__":
    netdtest.main()
