#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""How fast TCP runs between host and guest: netd-vmm beside QEMU's microvm, both backends of each.

    tests/lab/bench_vmm_net.py BUILD [ROUNDS]

One guest at a time, in one boot of the lab, all of them in turn in each round, and the median of each counts; only the
ratios mean something, since all of it is emulated where the machine has no /dev/kvm of its own.
"""
import itertools
import os
import socket
import statistics
import subprocess
import sys
import time

import test_vmm_devices as lab

SECONDS = 8


class NetdVmm(lab.Guest):
    mtu = 1500


class Qemu(lab.Guest):
    """The same guest under QEMU's smallest machine."""

    def command(self, build, tap, vhost, append):
        net = "tap,id=n,fd=%d" % tap + (",vhost=on,vhostfd=%d" % vhost if vhost else "")
        return ["qemu-system-x86_64", "-M", "microvm,pcie=on,acpi=on", "-accel", "kvm", "-cpu", "host",
                "-m", "192", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
                "-kernel", self.folder + "/vmlinuz", "-initrd", self.folder + "/initrd",
                "-append", "console=ttyS0 panic=-1 quiet test=%s %s" % (self.test, append),
                "-serial", "file:" + self.console_path, "-netdev", net,
                "-device", "virtio-net-pci,netdev=n"]


def mbit(n_bytes, seconds):
    return n_bytes * 8 / seconds / 1e6


def to_guest(guest):
    guest.wait("listening", 60)
    time.sleep(2)                    # until its nc is there
    s = socket.create_connection(("10.7.%d.2" % guest.number, 5000), timeout=60)
    block, sent, start = bytes(1 << 18), 0, time.time()
    while time.time() < start + SECONDS:
        sent += s.send(block)
    s.shutdown(socket.SHUT_WR)
    while s.recv(4096):
        pass
    return mbit(sent, time.time() - start)


def from_guest(guest, server):
    s, _ = server.accept()
    s.settimeout(60)
    got, start = 0, time.time()
    while True:
        part = s.recv(1 << 18)
        if not part:
            return mbit(got, time.time() - start)
        got += len(part)


def measure(kind, folder, build, number, vhost):
    start = time.time()
    guest = kind(folder, build, number, "bench%d" % number, vhost=vhost,
                 append="bench.seconds=%d" % SECONDS)
    try:
        guest.wait("up", lab.BOOT_S)
        boot_s = time.time() - start
        with socket.create_server(("10.7.%d.1" % number, 5001)) as server:
            server.settimeout(60)
            return to_guest(guest), from_guest(guest, server), boot_s
    finally:
        guest.end()


RUNS = [("netd-vmm", NetdVmm, False), ("microvm", Qemu, False),
        ("netd-vmm vhost", NetdVmm, True), ("microvm vhost", Qemu, True)]


def measured(name, kind, folder, build, numbers, vhost):
    """An emulated machine in an emulated machine stands still now and then, and is then measured again."""
    for last in (False, False, True):
        number = next(numbers)
        with open("%s/disk%dro" % (folder, number), "wb") as f:
            f.truncate(1 << 20)
        try:
            return measure(kind, folder, build, number, vhost)
        except TimeoutError:
            print("%-15s stood still" % name, flush=True)
            if last:
                raise


def inside(build, folder, rounds):
    results, numbers = {name: [] for name, _, _ in RUNS}, itertools.count(1)
    for name, kind, vhost in RUNS * rounds:
        results[name].append(measured(name, kind, folder, build, numbers, vhost))
        print("%-15s to guest %7.1f Mbit/s, from guest %7.1f Mbit/s, up after %5.1f s"
              % ((name,) + results[name][-1]), flush=True)
    median = {name: [statistics.median(column) for column in zip(*list_)] for name, list_ in results.items()}
    for ours, theirs, backend in (("netd-vmm", "microvm", "user space"), ("netd-vmm vhost", "microvm vhost", "vhost")):
        print("netd-vmm : microvm, %-10s to guest %.2f, from guest %.2f, time to init %.2f"
              % ((backend,) + tuple(a / b for a, b in zip(median[ours], median[theirs]))))


def main():
    if sys.argv[1] == "--inside":
        inside(sys.argv[2], sys.argv[2] + "/lab/vmm-devices", int(sys.argv[3]))
        return
    build, rounds = os.path.realpath(sys.argv[1]), (sys.argv[2:] or ["3"])[0]
    lab.folder_make(build)
    sys.exit(subprocess.run([lab.HERE + "/run", "--timeout", str(180 * int(rounds)), "--memory", "2048", "--",
                             lab.HERE + "/bench_vmm_net.py", "--inside", build, rounds]).returncode)


main()
