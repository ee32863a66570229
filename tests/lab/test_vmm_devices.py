#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""netd-vmm's devices under Debian's kernels.

    tests/lab/test_vmm_devices.py BUILD	[PACKAGE PACKAGE]	(or by tests/lab/suite: vmm-devices)

Two guests run at once in the lab, each a netd-vmm locked in as netd would have it: one whose frames
pass in user space over a TAP, one with vhost-net over a macvtap. Each has a kernel of its own, the first that for
clouds, the second a newer one for PCs, or what the PACKAGEs depend on (linux-image-rt-amd64 ...), or what lies in folders (see tests/lab/guest).
They ping, move data both ways and use their disks.
Nothing of netd takes part. A driver that means harm: test_guest_evil.py.
"""
import fcntl
import hashlib
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.realpath(__file__))
TUNSETIFF, IFF_TAP, IFF_NO_PI, IFF_VNET_HDR = 0x400454CA, 2, 0x1000, 0x4000
DATA = os.urandom(1 << 20) * 3
BOOT_S = 240
KERNELS = ["linux-image-cloud-amd64", "linux-image-6.12-amd64"]


def fail(text):
    print("FAILED: " + text)
    sys.exit(1)


def ip(command):
    subprocess.run(["ip"] + command.split(), check=True)


class Guest:
    """One netd-vmm: its TAP, its disks, its console in a file."""

    mtu = 1400
    stdin = subprocess.DEVNULL

    def __init__(self, folder, build, number, test, vhost=False, macvtap=False, append="", kernel=None):
        self.kernel = kernel or folder
        self.number, self.test, self.folder = number, test, folder
        self.console_path = "%s/console%d" % (folder, number)
        self.vmm_log = "%s/vmm%d" % (folder, number)
        self.disk = "%s/disk%d" % (folder, number)
        self.read = 0
        with open(self.disk, "wb") as f:
            f.truncate(8 << 20)
        tap = self.macvtap_new() if macvtap else self.tap_new("vm%d" % number)
        fds = [tap] + ([os.open("/dev/vhost-net", os.O_RDWR)] if vhost else [])
        self.process = subprocess.Popen(
            self.command(build, tap, fds[1] if vhost else None, append), pass_fds=fds,
            stdin=self.stdin, stdout=open(self.vmm_log, "wb"), stderr=subprocess.STDOUT)
        for fd in fds:
            os.close(fd)

    def tap_new(self, name, path="/dev/net/tun"):
        tap = os.open(path, os.O_RDWR)
        fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH22x", name.encode(),
                                                IFF_TAP | IFF_NO_PI | IFF_VNET_HDR))
        if path == "/dev/net/tun":
            self.host_end(name)
        return tap

    def host_end(self, name):
        ip("addr add 10.7.%d.1/24 dev %s" % (self.number, name))
        ip("link set %s up" % name)

    def macvtap_new(self):
        """On one end of a veth; the host has the other."""
        n = self.number
        ip("link add ve%d type veth peer name lower%d" % (n, n))
        ip("link add link lower%d name vm%d address 52:54:00:07:00:%02x type macvtap mode bridge"
           % (n, n, n))
        ip("link set lower%d up" % n)
        ip("link set vm%d up" % n)
        self.host_end("ve%d" % n)
        return self.tap_new("vm%d" % n, "/dev/tap%d" % socket.if_nametoindex("vm%d" % n))

    def command(self, build, tap, vhost, append):
        nic = "tap-fd=%d,mac=52:54:00:07:00:%02x,mtu=%d" % (tap, self.number, self.mtu)
        if vhost:
            nic += ",vhost-fd=%d" % vhost
        return [build + "/vmm/netd-vmm", "--kernel", self.kernel + "/vmlinuz",
                "--initrd", self.kernel + "/initrd",
                "--cmdline", "console=ttyS0 panic=-1 quiet test=%s %s" % (self.test, append),
                "--memory", "192", "--name", "guest%d" % self.number, "--console", self.console_path,
                "--nic", nic, "--disk", self.disk + ",discard,serial=LAB-%d" % self.number,
                "--disk", self.disk + "ro,ro", "--sandbox", "--uid", str(70000 + self.number)]

    def console(self):
        if not os.path.exists(self.console_path):
            return ""                # it has only begun
        with open(self.console_path, "rb") as f:
            return f.read().decode(errors="replace")

    def show(self):
        print("--- guest %d, console" % self.number)
        print(self.console()[-3000:])
        print("--- guest %d, netd-vmm" % self.number)
        print(open(self.vmm_log).read()[-3000:])

    def wait(self, pattern, timeout_s):
        """The next line of the guest's own that is like this: its groups."""
        end = time.time() + timeout_s
        while time.time() < end:
            found = re.search(r"^= %s\r?$" % pattern, self.console()[self.read:], re.M)
            if found:
                self.read += found.end()
                return found.groups()
            if self.process.poll() is not None:
                self.show()
                fail("guest %d: netd-vmm ended (%d) while '%s' was awaited"
                     % (self.number, self.process.returncode, pattern))
            time.sleep(0.2)
        self.show()
        fail("guest %d: no '%s' in %d s" % (self.number, pattern, timeout_s))

    def pings(self):
        return subprocess.run(["ping", "-c", "2", "-W", "10", "10.7.%d.2" % self.number],
                              stdout=subprocess.DEVNULL).returncode == 0

    def end(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.show()
                fail("guest %d: netd-vmm does not end" % self.number)


def tcp_both_ways(guest):
    guest.wait("listening", 60)
    back = socket.create_server(("10.7.%d.1" % guest.number, 5001))
    back.settimeout(120)
    for attempt in range(20):        # the guest's nc may not listen yet
        try:
            s = socket.create_connection(("10.7.%d.2" % guest.number, 5000), timeout=60)
            break
        except ConnectionRefusedError:
            time.sleep(0.5)
    else:
        fail("guest %d: nothing listens" % guest.number)
    with s:
        s.sendall(DATA)
        s.shutdown(socket.SHUT_WR)
        # nc shuts its side at once; a socket closed now might give up before a slow guest has all
        digest, size = guest.wait("received ([0-9a-f]+) ([0-9]+)", 120)
    if digest != hashlib.md5(DATA).hexdigest():
        fail("guest %d: what the host sent came changed: %s of %d bytes" % (guest.number, size, len(DATA)))
    with back.accept()[0] as s:
        s.settimeout(120)
        got = b""
        while True:
            part = s.recv(1 << 16)
            if not part:
                break
            got += part
    if got != DATA:
        fail("guest %d: what the guest sent came changed (%d of %d bytes)"
             % (guest.number, len(got), len(DATA)))
    guest.wait("sent", 60)


def check_net(guest):
    mac, mtu = guest.wait("mac ([0-9a-f:]+) mtu ([0-9]+)", BOOT_S)
    if mac != "52:54:00:07:00:%02x" % guest.number or mtu != "1400":
        fail("guest %d: MAC %s, MTU %s" % (guest.number, mac, mtu))
    guest.wait("pinged", 60)
    if not guest.pings():
        fail("guest %d does not answer a ping" % guest.number)
    tcp_both_ways(guest)
    print("guest %d: ping and TCP both ways" % guest.number)


def check_disk(guest):
    if guest.wait(r"serial (\S+) ro (\d)", 60) != ("LAB-%d" % guest.number, "1"):
        fail("guest %d: serial or read-only are wrong" % guest.number)
    guest.wait("written", 60)
    guest.wait("read back", 60)
    guest.wait("discarded", 60)
    guest.wait("read only", 60)
    guest.wait("random", 60)
    guest.wait("done", 60)
    with open(guest.disk, "rb") as f:
        f.seek(196608)
        if f.read(1 << 20) != bytes(1 << 20):
            fail("guest %d: what was discarded is still there" % guest.number)
        if not any(f.read(1 << 20)):
            fail("guest %d: what was not discarded is gone" % guest.number)
    if os.stat(guest.disk).st_blocks * 512 > 2 << 20:        # of 2.5 MiB that were written
        fail("guest %d: nothing was given back" % guest.number)
    print("guest %d: disk written, read, discarded; the read-only one kept" % guest.number)


def check_locked_in(guest):
    """As decision 3 says: own uid, no capabilities, filtered system calls on every thread."""
    pid = guest.process.pid
    tasks = os.listdir("/proc/%d/task" % pid)
    for task in tasks:
        status = open("/proc/%d/task/%s/status" % (pid, task)).read()
        if not re.search(r"^Seccomp:\s+2$", status, re.M):
            if re.search(r"^Name:\s+(vhost|iou)", status, re.M):
                continue              # the kernel's own threads
            fail("guest %d: thread %s has no seccomp filter" % (guest.number, task))
        if not re.search(r"^CapEff:\s+0+$", status, re.M):
            fail("guest %d: thread %s has capabilities" % (guest.number, task))
        if not re.search(r"^Uid:\s+%d\s" % (70000 + guest.number), status, re.M):
            fail("guest %d: thread %s has another uid" % (guest.number, task))


def inside(build, folder, kernels):
    guests = []
    # the kernel's end alone, under a driver that needs no guest
    if subprocess.run([build + "/tests/unit/test_vhost_net"], env={"CK_FORK": "no"}).returncode:
        fail("test_vhost_net")
    for number in (1, 2):
        with open("%s/disk%dro" % (folder, number), "wb") as f:
            f.truncate(1 << 20)
    guests.append(Guest(folder, build, 1, "net1", kernel=kernel_folder(folder, kernels[0])))
    guests.append(Guest(folder, build, 2, "net2", vhost=True, macvtap=True, kernel=kernel_folder(folder, kernels[1])))
    try:
        for guest in guests:
            print("guest %d: Linux %s" % (guest.number, guest.wait("kernel (.*)", BOOT_S)[0]))
            check_net(guest)
            check_disk(guest)
            check_locked_in(guest)
    finally:
        for guest in guests:
            guest.end()
    if re.search("vhost-net:", open(guests[1].vmm_log).read()):
        guests[1].show()
        fail("guest 2 does not use vhost-net")
    print("passed")


def kernel_folder(folder, package):
    return folder if package == KERNELS[0] else "%s/%s" % (folder, package.strip("/").replace("/", "-"))


def folder_make(build, kernels=KERNELS[:1]):
    """The guests' kernels and initrds, outside of the lab: they are fetched and built."""
    folder = build + "/lab/vmm-devices"
    os.makedirs(folder, exist_ok=True)
    for package in kernels:
        subprocess.run([HERE + "/guest", "--kernel", package, kernel_folder(folder, package), HERE + "/guest-vmm"],
                       check=True)
    return folder


def main():
    args = [a for a in sys.argv[1:] if not a.startswith("--")]
    build, kernels = os.path.realpath(args[0]), args[1:] or KERNELS
    if sys.argv[1] == "--inside":
        inside(build, build + "/lab/vmm-devices", kernels)
        return
    folder_make(build, kernels)
    if sys.argv[1] == "--prepare":
        return
    sys.exit(subprocess.run([HERE + "/run", "--timeout", "560", "--memory", "3072", "--",
                             HERE + "/test_vmm_devices.py", "--inside", build, *kernels]).returncode)


if __name__ == "__main__":
    main()
