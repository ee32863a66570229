#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""How fast TCP runs between host and guest: netd-vmm beside QEMU's microvm, and kvmtool where it is installed, both backends
of each.

    tests/lab/bench_vmm_net.py BUILD [ROUNDS]

One guest at a time, in one boot of the lab, all of them in turn in each round, and the median of each counts; only the
ratios mean something, since all of it is emulated where the machine has no /dev/kvm of its own.
"""
import itertools
import json
import os
import shutil
import statistics
import subprocess
import sys
import time

import test_vmm_devices as lab

SECONDS = 6


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


class Kvmtool(lab.Guest):
    """... and under kvmtool, which wants a TAP that stays, and has its console on the terminal."""

    stdin = subprocess.PIPE		# one that ends keeps it busy

    def tap_new(self, name, path=None):
        lab.ip("tuntap add %s mode tap vnet_hdr" % name)
        self.host_end(name)
        return os.open("/dev/null", os.O_RDONLY)

    def command(self, build, tap, vhost, append):
        self.console_path = self.vmm_log
        net = "mode=tap,tapif=vm%d,script=none,guest_mac=52:54:00:07:00:%02x" % (self.number, self.number)
        return ["lkvm", "run", "--kernel", self.folder + "/vmlinuz", "--initrd", self.folder + "/initrd",
                "--mem", "192", "--cpus", "1", "--console", "serial", "--name", "bench%d" % self.number,
                "--network", net + (",vhost=1" if vhost else ""),
                "--params", "console=ttyS0 panic=-1 quiet test=%s %s" % (self.test, append)]

    def end(self):
        super().end()
        lab.ip("link del vm%d" % self.number)


def tcp_mbit(guest, *options):
    """iperf3 from the lab's kernel to the guest, what arrived."""
    command = ["iperf3", "--client", "10.7.%d.2" % guest.number, "--time", str(SECONDS), "--json", *options]
    for _ in range(20):              # until its server listens
        run = subprocess.run(command, stdout=subprocess.PIPE, timeout=60 + SECONDS)
        answer = json.loads(run.stdout)
        if "sum_received" in answer["end"]:
            return answer["end"]["sum_received"]["bits_per_second"] / 1e6
        time.sleep(1)
    raise TimeoutError(answer.get("error", "iperf3 counted nothing"))


def measure(kind, folder, build, number, vhost):
    start = time.time()
    guest = kind(folder, build, number, "bench%d" % number, vhost=vhost)
    try:
        guest.wait("up", lab.BOOT_S)
        boot_s = time.time() - start
        return tcp_mbit(guest), tcp_mbit(guest, "--reverse"), boot_s
    finally:
        guest.end()


KINDS = {"netd-vmm": NetdVmm, "microvm": Qemu, **({"kvmtool": Kvmtool} if shutil.which("lkvm") else {})}
RUNS = [(name + suffix, kind, vhost) for suffix, vhost in (("", False), (" vhost", True)) for name, kind in KINDS.items()]


def measured(name, kind, folder, build, numbers, vhost):
    """An emulated machine in an emulated machine stands still now and then, and is then measured again."""
    for last in (False, False, True):
        number = next(numbers)
        with open("%s/disk%dro" % (folder, number), "wb") as f:
            f.truncate(1 << 20)
        try:
            return measure(kind, folder, build, number, vhost)
        except (TimeoutError, subprocess.TimeoutExpired, SystemExit):
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
    for name, kind, vhost in RUNS:
        if kind != NetdVmm:
            ours = median["netd-vmm vhost" if vhost else "netd-vmm"]
            print("netd-vmm : %-13s to guest %.2f, from guest %.2f, time to init %.2f"
                  % ((name,) + tuple(a / b for a, b in zip(ours, median[name]))))


def main():
    if sys.argv[1] == "--inside":
        inside(sys.argv[2], sys.argv[2] + "/lab/vmm-bench", int(sys.argv[3]))
        return
    build, rounds = os.path.realpath(sys.argv[1]), (sys.argv[2:] or ["3"])[0]
    server = build + "/lab/iperf_server"
    os.makedirs(build + "/lab", exist_ok=True)
    subprocess.run(["gcc", "-O2", "-static", "-o", server, lab.HERE + "/iperf_server.c", "-liperf", "-lssl", "-lcrypto",
                    "-lsctp", "-lm"], check=True, stderr=subprocess.DEVNULL)
    subprocess.run([lab.HERE + "/guest", build + "/lab/vmm-bench", lab.HERE + "/guest-bench", server], check=True)
    sys.exit(subprocess.run([lab.HERE + "/run", "--timeout", str(270 * int(rounds)), "--memory", "2048", "--",
                             lab.HERE + "/bench_vmm_net.py", "--inside", build, rounds]).returncode)


main()
