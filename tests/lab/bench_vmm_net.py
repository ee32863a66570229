#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""How fast TCP runs between host and guest: netd-vmm beside QEMU's microvm, both backends of each.

    tests/lab/bench_vmm_net.py BUILD

One guest at a time, in one boot of the lab; only the ratios mean something, since all of it is emulated where
the machine has no /dev/kvm of its own.
"""
import os
import socket
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
    s.settimeout(120)
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
            server.settimeout(120)
            return to_guest(guest), from_guest(guest, server), boot_s
    finally:
        guest.end()


def inside(build, folder):
    for number in range(1, 5):
        with open("%s/disk%dro" % (folder, number), "wb") as f:
            f.truncate(1 << 20)
    runs = [("netd-vmm", NetdVmm, False), ("microvm", Qemu, False),
            ("netd-vmm vhost", NetdVmm, True), ("microvm vhost", Qemu, True)]
    results = []
    for number, (name, kind, vhost) in enumerate(runs, 1):
        results.append(measure(kind, folder, build, number, vhost))
        print("%-15s to guest %7.1f Mbit/s, from guest %7.1f Mbit/s, up after %5.1f s"
              % ((name,) + results[-1]), flush=True)
    for i, backend in ((0, "user space"), (2, "vhost")):
        print("netd-vmm : microvm, %-10s to guest %.2f, from guest %.2f"
              % (backend, results[i][0] / results[i + 1][0], results[i][1] / results[i + 1][1]))


def main():
    build = os.path.realpath(sys.argv[-1])
    if sys.argv[1] == "--inside":
        inside(build, build + "/lab/vmm-devices")
        return
    lab.folder_make(build)
    sys.exit(subprocess.run([lab.HERE + "/run", "--timeout", "560", "--memory", "2048", "--",
                             lab.HERE + "/bench_vmm_net.py", "--inside", build]).returncode)


main()
