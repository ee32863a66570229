#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""netd-vmm beside QEMU's microvm, and kvmtool where it is installed: from start to the guest's init, and memory beyond the guest's own.

    tests/lab/bench_vmm.py BUILD [RUNS]

In the lab, with the same kernel, initrd, command line and 128 MiB, one vCPU, no devices but the console;
they take turns, and the best run of each counts. Memory is what the process itself has of everything
but the mapping that is the guest's RAM (PSS, so that a library counts once among those who use it). What the lab
emulates is slow: only ratios mean something. Prints; judges nothing.
"""
import os
import shutil
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.realpath(__file__))
SCRIPT = "#!/bin/busybox sh\necho '= init'\nwhile :; do sleep 1000; done\n"
MEMORY_MIB = 128
CMDLINE = "console=ttyS0 panic=-1 quiet"


def commands(build, folder):
    boot = [folder + "/vmlinuz", folder + "/initrd"]
    kvmtool = {"kvmtool": ["lkvm", "run", "--kernel", boot[0], "--initrd", boot[1], "--mem", str(MEMORY_MIB), "--cpus", "1",
                           "--console", "serial", "--network", "mode=none", "--params", CMDLINE]}
    return {
        "netd-vmm": [build + "/vmm/netd-vmm", "--kernel", boot[0], "--initrd", boot[1], "--cmdline", CMDLINE,
                     "--memory", str(MEMORY_MIB), "--no-rng", "--sandbox", "--uid", "70000"],
        "qemu microvm": ["qemu-system-x86_64", "-M", "microvm,accel=kvm", "-cpu", "host", "-m", str(MEMORY_MIB),
                         "-nodefaults", "-no-user-config", "-display", "none", "-serial", "stdio",
                         "-kernel", boot[0], "-initrd", boot[1], "-append", CMDLINE],
        **(kvmtool if shutil.which("lkvm") else {}),
    }


def beyond_kib(pid):
    """PSS of all mappings but the guest's RAM."""
    total, guest = 0, False
    for line in open("/proc/%d/smaps" % pid):
        word = line.split()
        if "-" in word[0] and not word[0].endswith(":"):
            begin, end = (int(address, 16) for address in word[0].split("-"))
            guest = word[1].startswith("rw") and end - begin >= MEMORY_MIB << 20
        elif word[0] == "Pss:" and not guest:
            total += int(word[1])
    return total


def run(command):
    start = time.monotonic()
    vmm = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    text = b""
    try:
        while b"= init" not in text:
            part = os.read(vmm.stdout.fileno(), 4096)
            if not part:
                sys.exit("%s ended:\n%s" % (command[0], text.decode(errors="replace")))
            text += part
        took = time.monotonic() - start
        return took, beyond_kib(vmm.pid)
    finally:
        vmm.send_signal(signal.SIGKILL)
        vmm.wait()


def inside(build, folder, runs):
    results = {name: [] for name in commands(build, folder)}
    for _ in range(runs):
        for name, command in commands(build, folder).items():
            results[name].append(run(command))
    print("%-14s %22s %28s" % ("", "start to init, s", "beyond the guest's RAM, KiB"))
    for name, list_ in results.items():
        print("%-14s %22s %28d" % (name, " ".join("%.2f" % r[0] for r in list_), max(r[1] for r in list_)))
    best = {name: (min(r[0] for r in list_), max(r[1] for r in list_)) for name, list_ in results.items()}
    ours = best.pop("netd-vmm")
    for name, theirs in best.items():
        print("netd-vmm : %-12s time %.2f, memory %.2f" % (name, ours[0] / theirs[0], ours[1] / theirs[1]))


def main():
    if sys.argv[1:2] == ["--inside"]:
        inside(sys.argv[2], sys.argv[3], int(sys.argv[4]))
        return
    build = os.path.realpath(sys.argv[1])
    folder = build + "/lab-bench"
    os.makedirs(folder, exist_ok=True)
    with open(folder + "/script", "w") as f:
        f.write(SCRIPT)
    subprocess.run([HERE + "/guest", folder, folder + "/script"], check=True)
    sys.exit(subprocess.run([HERE + "/run", "--timeout", "560", "--", HERE + "/bench_vmm.py", "--inside", build,
                             folder, (sys.argv[2:] or ["3"])[0]]).returncode)


main()
