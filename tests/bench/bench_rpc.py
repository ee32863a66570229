#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The RPC: netd and libvirtd in one run, one connection each, the same bytes.

The cheapest call one at a time and a hundred at a time, and the list of 500 networks. The client is a
loop over a socket, so the figures are the daemons' and the kernel's. Ends with 1 when netd is slower
than libvirtd, or does fewer than 10,000 calls a second.
"""
import os
import sys
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../netns"), os.path.join(HERE, "../peers")]
import netdtest
import rpcwire
from libvirtd import Libvirtd
from netdtest import sh
from rpcwire import Wire, call

NETWORKS = 500
ROUNDS = 7


def median(values):
    return sorted(values)[len(values) // 2]


def round_trip_us(wire, proc, args=b"", n=2000):
    data, start = call(proc, args), time.perf_counter()
    for _ in range(n):
        wire.send(data)
        wire.receive()
    return (time.perf_counter() - start) / n * 1e6


def pipelined_per_s(wire, depth, n=20000):
    batch = call(rpcwire.GET_LIB_VERSION) * depth
    start = time.perf_counter()
    for _ in range(n // depth):
        wire.send(batch)
        for _ in range(depth):
            wire.receive()
    return n / (time.perf_counter() - start)


def define_many(uri, program):
    with tempfile.TemporaryDirectory() as d:
        lines = []
        for i in range(NETWORKS):
            path = os.path.join(d, "%d.xml" % i)
            with open(path, "w") as f:
                f.write("<network><name>bench%d</name><bridge name='vbench%d'/></network>" % (i, i))
            lines.append("net-define %s\n" % path)
        sh(program, "-q", "-c", uri, input="".join(lines), timeout=300)


class Rpc(netdtest.TestCase):
    def setUp(self):
        super().setUp()
        self.netd.start()
        self.peer = Libvirtd()

    def tearDown(self):
        self.peer.stop()
        super().tearDown()

    def measure(self, name, unit, one, smaller_is_better=True):
        """Medians of interleaved rounds; ours at least as good as theirs."""
        ours, theirs = [], []
        for _ in range(ROUNDS):
            theirs.append(one(self.libvirtd))
            ours.append(one(self.wire))
        a, b = median(ours), median(theirs)
        print("%-42s netd %10.1f  libvirtd %10.1f %-10s ratio %.2f" % (name, a, b, unit, b / a if smaller_is_better
                                                                        else a / b), file=sys.stderr)
        if smaller_is_better:
            self.assertLessEqual(a, b)
        else:
            self.assertGreaterEqual(a, b)
        return a

    def test_calls(self):
        self.wire, self.libvirtd = Wire(self.netd.socket), Wire(self.peer.socket)
        self.measure("cheapest call, one at a time", "us", lambda w: round_trip_us(w, rpcwire.GET_LIB_VERSION))
        rate = self.measure("cheapest call, five at a time", "calls/s", lambda w: pipelined_per_s(w, 5), False)
        self.assertGreater(rate, 10000)
        define_many(self.netd.uri(), netdtest.built("netd/ctl/netdctl"))
        define_many(self.peer.uri(), "virsh")
        self.measure("list of %d networks" % NETWORKS, "us",
                     lambda w: round_trip_us(w, rpcwire.LIST_ALL_NETWORKS, rpcwire.LIST, 100))
        self.wire.close()
        self.libvirtd.close()


netdtest.main()
