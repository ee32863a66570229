#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""net-start, net-destroy and net-destroy --all as a client sees them, beside libvirtd and the kernel's own cost.

Both daemons are driven by the same client library in this process; figures are medians of interleaved rounds.
"""
import socket
import struct
import subprocess
import threading
import time

from benchtest import MANY, ROUNDS, BenchCase, crowd_xml, main, median, nat_xml, note, sh, timed
import netdtest
from libvirtd import Libvirtd

ALL = min(200, MANY)


def link_del_ms():
    """What `ip link del` takes for one bridge that is up and has an address."""
    sh("ip", "link", "add", "benchbr", "type", "bridge")
    sh("ip", "addr", "add", "172.30.0.1/24", "dev", "benchbr")
    sh("ip", "link", "set", "benchbr", "up")
    return timed(lambda: subprocess.run(["ip", "link", "del", "benchbr"], check=True))


def ip_batch(lines):
    sh("ip", "-batch", "-", input="\n".join(lines) + "\n", timeout=120)


def grouped_delete_ms(n):
    """What `ip link del group` takes for n bridges that are up and have addresses."""
    ip_batch(line for i in range(n) for line in (
        "link add kb%d type bridge" % i, "link set kb%d group 4711 up" % i,
        "addr add 172.31.%d.1/24 dev kb%d" % (i, i)))
    return timed(lambda: subprocess.run(["ip", "link", "del", "group", "4711"], check=True))


class Waiter(threading.Thread):
    """Another user of rtnetlink: sets a link's MTU all the time, and keeps the longest wait."""

    def __init__(self):
        super().__init__(daemon=True)
        self.nl = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        sh("ip", "link", "add", "waiter0", "type", "veth", "peer", "name", "waiter1")
        self.index = socket.if_nametoindex("waiter0")
        self.stop, self.worst_ms = False, 0.0

    def run(self):
        seq = 0
        while not self.stop:
            seq += 1
            body = struct.pack("=BxHiII", socket.AF_UNSPEC, 0, self.index, 0, 0) + \
                struct.pack("=HHI", 8, 4, 1400 + seq % 2)
            message = struct.pack("=IHHII", 16 + len(body), 16, 5, seq, 0) + body   # RTM_NEWLINK, ACK
            self.worst_ms = max(self.worst_ms, timed(lambda: (self.nl.send(message), self.nl.recv(65536))))
            time.sleep(0.002)

    def end(self):
        self.stop = True
        self.join()
        sh("ip", "link", "del", "waiter0")
        return self.worst_ms


class KernelPart:
    """The kernel's objects of a start, made and taken away by a program that does nothing else."""

    def __init__(self):
        self.process = subprocess.Popen([netdtest.built("tests/bench/bench_datapath"), "--steps"],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def start_ms(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def end(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(20)


class Lifecycle(BenchCase):
    def start_rounds(self, net):
        times = []
        for _ in range(ROUNDS):
            times.append(timed(net.create))
            net.destroy()
        return times

    def test_start_and_destroy_against_libvirt(self):
        import libvirt
        ours = self.connect()
        peer = Libvirtd()
        self.addCleanup(peer.ns.delete)
        theirs = libvirt.open("qemu:///system?socket=" + peer.socket)
        nets = [c.networkDefineXML(nat_xml("bench", "vbench0", 77)) for c in (ours, theirs)]
        start, stop, kernel, objects, call = ([], []), ([], []), [], [], []
        part = KernelPart()
        self.addCleanup(part.end)
        for _ in range(ROUNDS):
            for i, net in enumerate(nets):
                start[i].append(timed(net.create))
                stop[i].append(timed(net.destroy))
                time.sleep(0.1)		# what a destroy leaves to be done is not the next one's cost
            objects.append(part.start_ms())
            time.sleep(0.1)
            call.append(timed(nets[0].isActive))
            kernel.append(link_del_ms())
        peer.stop()
        self.absolute("net-start", median(start[0]), "ms", 5)
        note("  of it: the kernel's objects, the cheapest call", "%10.2f ms %13.2f ms" % (
            median(objects), median(call)))
        note("  libvirt's start to the kernel's objects alone", "%49s %7.2f" % (
            "ratio", median(start[1]) / median(objects)))
        self.figure("net-start: libvirt, netd", median(start[1]), median(start[0]), "ms", at_least=30, fail=8)
        self.figure("net-destroy: netd, ip link del", median(stop[0]), median(kernel), "ms", at_most=0.8, fail=1.6)
        self.figure("net-destroy: libvirt, netd", median(stop[1]), median(stop[0]), "ms", at_least=1, fail=1)

    def test_start_with_many_running(self):
        conn = self.connect()
        one = conn.networkDefineXML(nat_xml("bench", "vbench0", 0).replace("192.168.0.", "10.255.0."))
        alone = self.start_rounds(one)
        self.crowd(conn)
        crowded = self.start_rounds(one)
        self.absolute("net-start with %d running" % MANY, median(crowded), "ms", 5)
        self.figure("net-start: with %d running, alone" % MANY, median(crowded), median(alone), "ms",
                    at_most=2, fail=4)

    def test_destroy_all(self):
        conn = self.connect()
        kernel = [grouped_delete_ms(ALL)]
        nets = [conn.networkDefineXML(crowd_xml(i)) for i in range(ALL)]
        for net in nets:
            net.create()
        waiter = Waiter()
        waiter.start()
        took = timed(lambda: self.netd.ctl("net-destroy", "--all", timeout=600))
        worst = waiter.end()
        kernel.append(grouped_delete_ms(ALL))
        self.figure("net-destroy --all of %d, one grouped delete" % ALL, took, median(kernel), "ms",
                    at_most=1.4, fail=3)
        self.absolute("  longest wait of another rtnetlink request", worst, "ms", 250)


main()
