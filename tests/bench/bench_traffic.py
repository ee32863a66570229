#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a crowd of networks costs a packet, a new connection, a start and a plug.

The crowd is there and gone in turn, ROUNDS pairs of it, so that a pair's two halves see the same machine: one flow
forwarded through NAT, and new TCP connections through NAT one after the other. Then the time of the last starts
beside the first, and ports plugged as fast as a client can send the calls.
"""
import contextlib
import socket
import subprocess
import threading
import time

from benchtest import MANY, ROUNDS, BenchCase, crowd_xml, main, median, nat_xml, note, percentile, sh, timed
import netdtest
from netdtest import in_ns

SECONDS = 0.7
SETTLE_S = 2		# spare servers, and what the kernel has put off
PAIRS = max(3, min(10, ROUNDS))


class Sink(threading.Thread):
    """Accepts connections in the outside world and reads what comes."""

    def __init__(self, ns):
        super().__init__(daemon=True)
        with in_ns(ns):
            self.socket = socket.socket()
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.socket.bind(("0.0.0.0", 5000))
            self.socket.listen(1024)

    def run(self):
        while True:
            try:
                peer = self.socket.accept()[0]
            except OSError:
                return
            with contextlib.suppress(ConnectionResetError):
                if peer.recv(1) == b"f":
                    threading.Thread(target=self.drain, args=(peer,), daemon=True).start()
                    continue
            peer.close()

    @staticmethod
    def drain(peer):
        buffer = bytearray(1 << 20)
        with peer, contextlib.suppress(ConnectionResetError):	# how connected() ends its flows
            while peer.recv_into(buffer):
                pass


def connected(guest):
    with in_ns(guest):
        s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    s.connect((netdtest.Outside.V4, 5000))
    return s


def flow_rate(guest):
    """MB a second of one TCP flow."""
    data, sent = bytes(1 << 18), 0
    with connected(guest) as s:
        s.send(b"f")
        end = time.perf_counter() + SECONDS
        while time.perf_counter() < end:
            sent += s.send(data)
    return sent / SECONDS / 1e6


def connection_rate(guest):
    """New connections a second, one after the other."""
    n, end = 0, time.perf_counter() + SECONDS
    while time.perf_counter() < end:
        with connected(guest) as s:
            s.send(b"c")
            s.recv(1)
        n += 1
    return n / SECONDS


class Traffic(BenchCase):
    def test_packets_of_a_crowd(self):
        conn = self.connect()
        outside = self.outside()
        conn.networkDefineXML(nat_xml("bench", "vbench0", 77)).create()
        guest = self.guest("vbench0")
        guest.address("192.168.77.2/24", "192.168.77.1")
        sink = Sink(outside.name)
        sink.start()
        self.assertTrue(guest.ping(netdtest.Outside.V4))
        crowd = [conn.networkDefineXML(crowd_xml(i)) for i in range(MANY)]
        alone, crowded = ([], []), ([], [])

        def measure(into):
            into[0].append(flow_rate(guest.name))
            into[1].append(connection_rate(guest.name))
        measure(([], []))
        for _ in range(PAIRS):
            measure(alone)
            for net in crowd:
                net.create()
            time.sleep(SETTLE_S)
            measure(crowded)
            self.netd.ctl("net-destroy", "--all", timeout=600)
            conn.networkLookupByName("bench").create()
            sh("ip", "link", "set", guest.host_if, "master", "vbench0")
            netdtest.wait_for("the guest's way out", lambda: guest.ping(netdtest.Outside.V4), timeout=20)
            time.sleep(SETTLE_S)
        for i, (what, unit) in enumerate((("one flow through NAT", "MB/s"), ("new connections through NAT", "/s"))):
            self.figure("%s: with %d networks, one" % (what, MANY), median(crowded[i]), median(alone[i]), unit,
                        at_least=0.97, fail=0.6)
        sink.socket.close()

    def test_starts_and_plugs(self):
        conn = self.connect()
        times = self.crowd(conn)
        few = max(5, MANY // 20)
        self.figure("net-start: last %d of %d, first %d" % (few, MANY, few), median(times[-few:]),
                    median(times[:few]), "ms", at_most=2, fail=5)
        # One client that sends call after call; a plug's time is from one answer to the next.
        shell = netdtest.spawn(netdtest.built("netd/ctl/netdctl"), "-c", self.netd.uri(),
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                               bufsize=1)
        plugs = []

        def plug(i):
            shell.stdin.write("net-plug n%d --ifname tap%d\n" % (i, i))
            shell.stdin.flush()
            while True:
                line = shell.stdout.readline()
                if "tap%d" % i in line and "error" not in line:
                    return
                self.assertTrue(line and "error" not in line, line)
        for i in range(MANY):
            plugs.append(timed(lambda: plug(i)))
        shell.stdin.close()
        shell.wait(20)
        shell.stdout.close()
        self.absolute("a port in each of %d networks: p99 of net-plug" % MANY, percentile(plugs, 99), "ms", 20)
        note("  median", "%10.2f ms" % median(plugs))


main()
