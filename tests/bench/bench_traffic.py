#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a crowd of networks costs a packet, a new connection, a start and a plug.

Two hosts of the same kind, each with a guest behind NAT: on one the guest's network is alone, on the other it is
one of many. One flow and new TCP connections, one after the other, are measured on the two in turn, for a moment
each, so that both see the same machine; the crowd's daemon and servers are stopped while the other host has its
turn. Then the time of the last starts beside the first, and ports plugged as fast as a client can send the calls.
"""
import contextlib
import ctypes
import multiprocessing
import os
import shutil
import signal
import socket
import subprocess
import sys
import time

from benchtest import MANY, ROUNDS, BenchCase, crowd_xml, main, median, nat_xml, note, percentile, sh, timed
import netdtest
from netdtest import in_ns

FORK = multiprocessing.get_context("fork")
SECONDS = 0.4
TURNS = 5		# of each host in a pair: where the scheduler puts a client differs from one to the next
PAIRS = max(3, min(10, ROUNDS))
CLONE_NEWNS, CLONE_NEWNET = 0x20000, 0x40000000


class Sink:
    """A process in the outside world that accepts connections and reads what comes."""

    def __init__(self, ns):
        with in_ns(ns):
            self.socket = socket.socket()
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.socket.bind(("0.0.0.0", 5000))
            self.socket.listen(1024)
        self.process = FORK.Process(target=self.run, daemon=True)
        self.process.start()
        self.socket.close()

    def run(self):
        while True:
            peer = self.socket.accept()[0]
            with contextlib.suppress(ConnectionResetError):
                if peer.recv(1) == b"f":
                    self.drain(peer)
            peer.close()

    @staticmethod
    def drain(peer):
        buffer = bytearray(1 << 20)
        with contextlib.suppress(ConnectionResetError):		# how connected() ends its flows
            while peer.recv_into(buffer):
                pass

    def end(self):
        self.process.terminate()
        self.process.join()


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


class Host:
    """A process in namespaces of its own: netd with a guest's network and n others."""

    def __init__(self, case, name, n):
        self.case, self.name, self.n = case, name, n
        self.pipe, theirs = multiprocessing.Pipe()
        self.process = FORK.Process(target=self.run, args=(theirs,))
        self.process.start()
        theirs.close()
        case.addCleanup(self.end)
        self.pipe.recv()

    def run(self, pipe):
        if ctypes.CDLL(None).unshare(CLONE_NEWNS | CLONE_NEWNET) != 0:
            sys.exit("unshare")
        sh("mount", "-t", "sysfs", "sysfs", "/sys")
        sh("ip", "link", "set", "lo", "up")
        case = self.case
        case.netd = netdtest.Daemon()
        outside = netdtest.Outside("outside-" + self.name)
        conn = case.connect()
        conn.networkDefineXML(nat_xml("bench", "vbench0", 77)).create()
        case.crowd(conn, self.n)
        guest = netdtest.Guest("vbench0", name="guest-" + self.name)
        guest.address("192.168.77.2/24", "192.168.77.1")
        sink = Sink(outside.name)
        case.assertTrue(guest.ping(netdtest.Outside.V4))
        processes = [case.netd.process.pid] + [int(pid) for pid in sh(
            "pgrep", "-P", case.netd.process.pid).stdout.split()]
        pipe.send("ready")
        while pipe.recv() == "measure":
            for pid in processes:
                os.kill(pid, signal.SIGCONT)
            time.sleep(0.1)
            pipe.send((flow_rate(guest.name), connection_rate(guest.name)))
            for pid in processes:
                os.kill(pid, signal.SIGSTOP)
        sink.end()
        for pid in processes:
            os.kill(pid, signal.SIGKILL)
        for ns in guest, outside:
            ns.delete()
        sh("umount", "--lazy", case.netd.root + "/run")
        shutil.rmtree(case.netd.root)

    def measure(self):
        """MB a second of one flow, new connections a second."""
        self.pipe.send("measure")
        return self.pipe.recv()

    def end(self):
        self.pipe.send("end")
        self.process.join(60)
        self.pipe.close()


class Traffic(BenchCase):
    def test_packets_of_a_crowd(self):
        alone, crowded = Host(self, "alone", 0), Host(self, "crowded", MANY)
        pairs = []
        for pair in range(PAIRS + 1):
            turns = [(crowded.measure(), alone.measure()) for _ in range(TURNS)]
            if pair:	# the first one warms all up
                pairs.append([[median(t[half][i] for t in turns) for half in (0, 1)] for i in (0, 1)])
        for i, (what, unit) in enumerate((("one flow through NAT", "MB/s"), ("new connections through NAT", "/s"))):
            self.figure("%s: with %d networks, one" % (what, MANY), *(median(p[i][half] for p in pairs)
                                                                      for half in (0, 1)), unit,
                        at_least=0.97, fail=0.6)
            note("  its pairs", " ".join("%.2f" % r for r in sorted(p[i][0] / p[i][1] for p in pairs)))

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
