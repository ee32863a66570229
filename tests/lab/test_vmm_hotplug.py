#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""NICs that come to a running guest and go again under traffic, over the channel that netd has to netd-vmm.

    tests/lab/test_vmm_hotplug.py BUILD		(or by tests/lab/suite: vmm-hotplug)

In the lab, with Debian's kernel in the guest: frames in user space and by vhost-net, one pair of queues and two; the
link goes down and up; the guest announces itself; what counts; and in the end netd-vmm has as few descriptors as at
the start.
"""
import fcntl
import os
import re
import socket
import struct
import subprocess
import sys
import time

import test_vmm_machine as lab

NIC_ADD, NIC_LINK, NIC_ANNOUNCE, NIC_REMOVED = 22, 24, 26, 5
TUNSETIFF, IFF_TAP, IFF_NO_PI, IFF_VNET_HDR, IFF_MULTI_QUEUE = 0x400454CA, 2, 0x1000, 0x4000, 0x100
ROUNDS = ((1, False), (1, True), (2, False), (2, True))        # pairs of queues, vhost
MAC = bytes((0x52, 0x54, 0, 7, 7, 7))
TAP = "plug0"


def ip(command):
    subprocess.run(["ip"] + command.split(), check=True)


def nic_add(netd, pairs, vhost):
    fds = []
    for _ in range(pairs):
        fds.append(os.open("/dev/net/tun", os.O_RDWR))
        flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | (IFF_MULTI_QUEUE if pairs > 1 else 0)
        fcntl.ioctl(fds[-1], TUNSETIFF, struct.pack("16sH22x", TAP.encode(), flags))
        if vhost:
            fds.append(os.open("/dev/vhost-net", os.O_RDWR))
    ip("addr add 10.7.7.1/24 dev " + TAP)
    ip("link set %s up" % TAP)
    body = lab.nic_bytes("net0", MAC, 1400, 0, pairs)
    netd.call(NIC_ADD, body + (b"\1\1" if vhost else b"\1\0") * pairs, fds)
    for fd in fds:
        os.close(fd)


def request(netd, kind, value=0):
    netd.call(kind, lab.text("net0") + struct.pack(">I", value))


def descriptors(guest):
    return len(os.listdir("/proc/%d/fd" % guest.process.pid))


def in_guest(guest, command, pattern, seconds=60):
    guest.tell("sh " + command)
    return guest.wait(pattern, seconds)


def pings(guest):
    in_guest(guest, "ping -c 2 -W 10 10.7.7.1 >/dev/null && echo pinged", "pinged")
    if subprocess.run(["ping", "-c", "1", "-W", "20", "10.7.7.2"], stdout=subprocess.DEVNULL).returncode:
        guest.fail("the guest does not answer")


def announced(guest, netd):
    """An ARP of the guest about itself."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x806)) as s:
        s.bind((TAP, 0x806))
        s.settimeout(30)
        request(netd, NIC_ANNOUNCE)
        end = time.time() + 30
        while time.time() < end:
            frame = s.recv(100)
            if frame[6:12] == MAC and frame[28:32] == frame[38:42] == bytes((10, 7, 7, 2)):
                return
    guest.fail("it did not announce itself")


def link_flap(guest, netd):
    request(netd, NIC_LINK, 0)
    in_guest(guest, "sleep 1; echo carrier $(cat /sys/class/net/eth0/carrier)", "carrier 0")
    if subprocess.run(["ping", "-c", "1", "-W", "2", "10.7.7.2"], stdout=subprocess.DEVNULL).returncode == 0:
        guest.fail("a guest without a link answers")
    request(netd, NIC_LINK, 1)
    in_guest(guest, "sleep 1; echo carrier $(cat /sys/class/net/eth0/carrier)", "carrier 1")
    pings(guest)


def counters(netd):
    _, body = netd.call(lab.STATS_GET)
    found = {}
    at = 4
    while at < len(body):
        n = struct.unpack_from(">H", body, at)[0]
        found[body[at + 2:at + 2 + n].decode()], = struct.unpack_from(">Q", body, at + 2 + n)
        at += 10 + n
    return found


def check_counters(guest, netd, vhost):
    found = counters(netd)
    if found.get("nic.net0.vhost") != int(vhost):
        guest.fail("backend: %r" % found)
    if not vhost and not (found["nic.net0.rx.packets"] > 5 and found["nic.net0.tx.bytes"] > 500):
        guest.fail("counters: %r" % found)
    if vhost and "nic.net0.rx.packets" in found:
        guest.fail("counts what it cannot see")


def nic_remove(guest, netd):
    """Under traffic of both sides."""
    flood = subprocess.Popen(["ping", "-f", "-q", "10.7.7.2"], stdout=subprocess.DEVNULL)
    guest.tell("sh ping -A -q 10.7.7.1 >/dev/null 2>&1 &")
    time.sleep(2)
    try:
        request(netd, lab.NIC_REMOVE)
        end = time.time() + 90
        while not any(kind == NIC_REMOVED for kind, _ in netd.events):
            if time.time() > end:
                guest.fail("the guest does not let go of its NIC")
            netd.call(lab.STATS_GET)
            guest.hear(0.3)
    finally:
        flood.terminate()
        flood.wait()
    netd.events.clear()
    in_guest(guest, "killall ping; ls /sys/class/net/eth0 2>/dev/null || echo no NIC", "no NIC")
    if os.path.exists("/sys/class/net/" + TAP):
        guest.fail("the TAP is still held")


def inside(place):
    guest = lab.Guest(place, "hotplug", start=False)
    mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    theirs.setblocking(False)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
    listener.bind(place.folder + "/listen%d" % os.getpid())
    guest.process = subprocess.Popen([place.program], pass_fds=[3, theirs.fileno()],
                                     preexec_fn=lambda: os.dup2(theirs.fileno(), 3),
                                     stdin=subprocess.DEVNULL, stderr=open(guest.log_path, "wb"))
    theirs.close()
    try:
        netd = lab.Netd(mine)
        netd.hello()
        fds = [os.open("/dev/kvm", os.O_RDWR), os.open(place.folder + "/vmlinuz", os.O_RDONLY),
               os.open(place.folder + "/initrd", os.O_RDONLY), os.dup(guest.slave), listener.fileno()]
        netd.call(lab.CONFIG, lab.config(guest, fds, 70044), fds)
        for fd in fds[:4]:
            os.close(fd)
        netd.call(lab.START)
        guest.ready()
        before = descriptors(guest)
        for pairs, vhost in ROUNDS:
            start = time.time()
            nic_add(netd, pairs, vhost)
            in_guest(guest, "while [ ! -e /sys/class/net/eth0 ]; do sleep 0.1; done; "
                     "ip addr add 10.7.7.2/24 dev eth0; ip link set eth0 up; "
                     "echo plugged $(cat /sys/class/net/eth0/address) $(cat /sys/class/net/eth0/mtu)",
                     "plugged 52:54:00:07:07:07 1400")
            plugged_s = time.time() - start
            in_guest(guest, "echo queues $(ls -d /sys/class/net/eth0/queues/rx-* | wc -l)",
                     "queues %d" % pairs)
            pings(guest)
            link_flap(guest, netd)
            announced(guest, netd)
            check_counters(guest, netd, vhost)
            nic_remove(guest, netd)
            if descriptors(guest) != before:
                guest.fail("%d descriptors, %d before" % (descriptors(guest), before))
            print("%d pairs, %s: there after %.1f s, passed in %.1f s"
                  % (pairs, "vhost-net" if vhost else "user space", plugged_s, time.time() - start),
                  flush=True)
        if re.search("vhost-net:", guest.log()):
            guest.fail("vhost-net was not used")
        print("passed")
    finally:
        guest.end()


def main():
    build = os.path.realpath(sys.argv[-1])
    folder = build + "/lab/vmm-hotplug"
    if sys.argv[1] == "--inside":
        inside(lab.Place(build, folder))
        return
    os.makedirs(folder, exist_ok=True)
    subprocess.run([lab.HERE + "/guest", folder, lab.HERE + "/guest-machine"], check=True)
    if sys.argv[1] == "--prepare":
        return
    sys.exit(subprocess.run([lab.HERE + "/run", "--timeout", "560", "--memory", "2048", "--",
                             lab.HERE + "/test_vmm_hotplug.py", "--inside", build]).returncode)


if __name__ == "__main__":
    main()
