#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""netd-vmm's machine under Debian's kernel: boot, console, power and reset, and netd's side of it.

    tests/lab/test_vmm_machine.py BUILD [NAME...]

Each case is a guest of its own in the lab, with its console on a PTY, by which the test tells it what
to do. Nothing of netd takes part: where netd would be, the test speaks its part of the channel.
"""
import fcntl
import os
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import tty

HERE = os.path.dirname(os.path.realpath(__file__))
BOOT_S = 200


class Failed(Exception):
    pass


class Guest:
    """A netd-vmm, and its console."""

    def __init__(self, place, name, *options, kernel="vmlinuz", append="", memory=128, start=True):
        self.name, self.text, self.read_to = name, "", 0
        self.master, slave = pty.openpty()
        tty.setraw(self.master)
        self.slave = slave
        self.cmdline = "console=ttyS0 panic=-1 quiet " + append
        self.log_path = "%s/%s.log" % (place.folder, name)
        if start:
            self.process = subprocess.Popen(
                [place.program, "--kernel", place.folder + "/" + kernel, "--initrd",
                 place.folder + "/initrd", "--cmdline", self.cmdline, "--memory", str(memory), "--name", name,
                 "--console", os.ttyname(slave), "--sandbox", "--uid", "70042", *options],
                stdin=subprocess.DEVNULL, stdout=open(self.log_path, "wb"), stderr=subprocess.STDOUT)

    def log(self):
        return open(self.log_path).read()

    def fail(self, text):
        raise Failed("%s: %s\n--- console\n%s\n--- log\n%s"
                     % (self.name, text, self.text[-2500:], self.log()[-2500:]))

    def hear(self, seconds):
        if select.select([self.master], [], [], seconds)[0]:
            self.text += os.read(self.master, 65536).decode(errors="replace")

    def wait(self, pattern, seconds=60):
        """The next line of the guest's own that is like this: its groups."""
        end = time.time() + seconds
        while time.time() < end:
            found = re.search(r"^= %s\r?\n" % pattern, self.text[self.read_to:], re.M)
            if found:
                self.read_to += found.end()
                return found.groups()
            if self.process.poll() is not None:
                self.hear(0)
                self.fail("netd-vmm ended (%d) while '%s' was awaited" % (self.process.returncode, pattern))
            self.hear(0.2)
        self.fail("no '%s' in %d s" % (pattern, seconds))

    def ready(self):
        return self.wait(r"ready cpus (\d+) year (\d+) memory (\d+)", BOOT_S)

    def tell(self, line):
        os.write(self.master, line.encode() + b"\n")

    def ends(self, code, seconds=60):
        end = time.time() + seconds
        while self.process.poll() is None and time.time() < end:
            self.hear(0.2)
        if self.process.poll() is None:
            self.fail("netd-vmm still runs")
        if self.process.returncode != code:
            self.fail("netd-vmm's status is %d, not %d" % (self.process.returncode, code))

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


def check(guest, holds, text):
    if not holds:
        guest.fail(text)


def case_two_cpus(place):
    """Two vCPUs; console both ways; the guest reboots; the power button; status 0."""
    guest = Guest(place, "two-cpus", "--cpus", "2")
    try:
        cpus, year, memory = guest.ready()
        check(guest, cpus == "2", "%s vCPUs" % cpus)
        check(guest, int(year) == time.gmtime().tm_year, "the clock says %s" % year)
        check(guest, 80000 < int(memory) < 131072, "%s KiB of memory" % memory)
        guest.tell("echo " + "x" * 300)
        guest.wait("x{300}")
        guest.tell("random")
        first = guest.wait("random ([0-9a-f]{32})")
        guest.tell("random")
        check(guest, guest.wait("random ([0-9a-f]{32})") != first, "twice the same random bytes")
        guest.tell("reboot")
        guest.ready()
        guest.tell("acpid")
        guest.wait("listening")
        guest.process.send_signal(signal.SIGTERM)
        guest.wait("button")
        guest.ends(0)
        check(guest, "powered off" in guest.log(), "the log does not say so")
    finally:
        guest.end()


def case_pvh(place):
    """The same kernel as an ELF file; it reboots in Linux' last way, where a reboot ends the guest."""
    guest = Guest(place, "pvh", "--on-reboot", "destroy", kernel="vmlinux", memory=160,
                  append="reboot=triple")
    try:
        check(guest, guest.ready()[0] == "1", "not one vCPU")
        guest.tell("reboot")
        guest.ends(0)
        check(guest, "triple fault" in guest.log(), "the log does not say so")
    finally:
        guest.end()


def case_panic(place):
    """A kernel that panics says so, and the process ends with status 1."""
    guest = Guest(place, "panic", append="crash_kexec_post_notifiers")
    try:
        guest.ready()
        guest.tell("panic")
        guest.ends(1)
        check(guest, "the guest's kernel panicked" in guest.log(), "the log does not say so")
    finally:
        guest.end()


# -- netd's part of the channel (netd/base/channel.h, vmm/message.h) --

MAGIC, VERSION = 0x6E64766D, 1
(HELLO, QUIT, CONFIG, START, PAUSE, RESUME, SHUTDOWN, RESET) = (1, 2, 16, 17, 18, 19, 20, 21)
NIC_ADD, NIC_REMOVE, STATS_GET, STATS, DONE, FAILED, EVENT = 22, 23, 27, 28, 29, 30, 31
EVENT_NIC_REMOVED = 5
READY, RUNNING, PAUSED = 2, 3, 4
UUID = bytes(range(16))


def text(s):
    return struct.pack(">H", len(s)) + s.encode()


def nic_bytes(name, mac, mtu, slot, pairs):
    """A NIC without its descriptors, as vmm/config.c writes it: rings of the usual size, all features, link up."""
    return text(name) + mac + struct.pack(">HHHBIBB", mtu, 0, 0, slot, 0xfff, 1, pairs)


class Netd:
    """One end of the channel."""

    def __init__(self, sock):
        self.sock, self.serial, self.events = sock, 0, []
        sock.settimeout(60)

    def send(self, kind, body=b"", fds=()):
        self.serial += 1
        head = struct.pack(">IHHIIII", MAGIC, VERSION, kind, self.serial, len(body), 0, 0)
        socket.send_fds(self.sock, [head + body], list(fds))

    def receive(self):
        packet = self.sock.recv(65536)
        if not packet:
            raise Failed("netd-vmm closed the channel")
        magic, version, kind, serial, total, offset, _ = struct.unpack(">IHHIIII", packet[:24])
        if (magic, version, total) != (MAGIC, VERSION, len(packet) - 24):
            raise Failed("a packet of %r" % (packet[:24],))
        return kind, serial, packet[24:]

    def answer(self):
        """What comes for the last request; events are kept."""
        while True:
            kind, serial, body = self.receive()
            if kind == EVENT:
                self.events.append((body[0], struct.unpack(">I", body[1:5])[0]))
            elif serial == self.serial:
                return kind, body

    def call(self, kind, body=b"", fds=()):
        self.send(kind, body, fds)
        kind, body = self.answer()
        if kind == FAILED:
            raise Failed("netd-vmm: " + body.decode())
        return kind, body

    def event(self, kind):
        """Waits for an event of this kind."""
        while not any(e[0] == kind for e in self.events):
            got, _, body = self.receive()
            if got == EVENT:
                self.events.append((body[0], struct.unpack(">I", body[1:5])[0]))

    def hello(self):
        kind, _, body = self.receive()
        if kind != HELLO:
            raise Failed("message %d instead of HELLO" % kind)
        n = struct.unpack(">H", body[:2])[0]
        return body[2 + n:18 + n], body[18 + n]     # UUID and state


def config(guest, fds, uid):
    body = text(guest.name) + UUID + struct.pack(">IQB", uid, 128 << 20, 2) + text(guest.cmdline)
    body += struct.pack(">BBBqBB", 1, 2, 1, 3600 * 24 * 366 * 3, 1, 0)
    body += b"\1" * len(fds) + struct.pack(">II", 0, 0)
    return body


def tap_open(name):
    tap = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tap, 0x400454CA, struct.pack("16sH22x", name.encode(), 2 | 0x1000 | 0x4000))
    return tap


def plug_and_unplug(guest, netd):
    """A NIC comes and goes while the guest runs; what a guest calls it is its own affair."""
    def seen(pattern):
        for _ in range(60):
            guest.tell("nics")
            if re.fullmatch(pattern, guest.wait(r"nics ([^\r\n]*)")[0]):
                return True
            time.sleep(1)
        return False

    check(guest, seen(r"e\*"), "a NIC before one was plugged")
    tap = tap_open("plug0")
    netd.call(NIC_ADD, nic_bytes("hot", bytes.fromhex("525400070001"), 0, 7, 1) +
              b"\1\0", [tap])
    os.close(tap)
    check(guest, seen(r"e\w+"), "the NIC that was plugged does not come")
    netd.call(NIC_REMOVE, text("hot") + struct.pack(">I", 0))
    netd.event(EVENT_NIC_REMOVED)
    check(guest, seen(r"e\*"), "the NIC that was unplugged is still there")
    check(guest, not os.path.exists("/sys/class/net/plug0"), "its TAP is still there")


def case_channel(place):
    """All that netd says; netd goes away and another comes; a stranger is not heard."""
    guest = Guest(place, "channel", start=False)
    path = place.folder + "/listen"
    if os.path.exists(path):
        os.unlink(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
    listener.bind(path)
    os.chmod(path, 0o777)
    mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    theirs.setblocking(False)
    guest.process = subprocess.Popen([place.program], pass_fds=[3, theirs.fileno()],
                                     preexec_fn=lambda: os.dup2(theirs.fileno(), 3),
                                     stdin=subprocess.DEVNULL, stderr=open(guest.log_path, "wb"))
    theirs.close()
    try:
        netd = Netd(mine)
        check(guest, netd.hello() == (bytes(16), 1), "the first HELLO")
        files = [os.open(p, os.O_RDWR if "dev" in p else os.O_RDONLY)
                 for p in ("/dev/kvm", place.folder + "/vmlinuz", place.folder + "/initrd")]
        console = os.dup(guest.slave)
        fds = files + [console, listener.fileno()]
        netd.call(CONFIG, config(guest, fds, 70043), fds)
        for f in files + [console]:
            os.close(f)
        netd.call(START)
        check(guest, (1, READY) in netd.events, "no event READY")
        cpus, year, _ = guest.ready()
        check(guest, cpus == "2", "%s vCPUs" % cpus)
        check(guest, int(year) >= time.gmtime().tm_year + 3, "the clock's offset: %s" % year)
        plug_and_unplug(guest, netd)
        netd.call(PAUSE)
        guest.tell("echo slept")
        time.sleep(2)
        guest.hear(0)
        check(guest, "= slept" not in guest.text, "a paused guest speaks")
        netd.call(RESUME)
        guest.wait("slept")
        kind, body = netd.call(STATS_GET)
        check(guest, kind == STATS and b"cpu.1.ns" in body and b"rss.bytes" in body, "STATS: %r" % body)
        netd.send(NIC_REMOVE, text("none") + struct.pack(">I", 0))
        check(guest, netd.answer()[0] == FAILED, "a NIC that is not there was removed")
        status = open("/proc/%d/status" % guest.process.pid).read()
        check(guest, re.search(r"^CapEff:\s+0+$", status, re.M) and
              re.search(r"^Seccomp:\s+2$", status, re.M) and re.search(r"^Uid:\s+70043\s", status, re.M),
              "not locked in:\n" + status)
        mine.close()                     # netd is gone
        guest.tell("echo alone")
        guest.wait("alone")
        stranger = subprocess.run(
            ["python3", "-c", "import os, socket; os.setuid(65534); "
             "s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); s.connect('%s'); "
             "s.settimeout(30); print(len(s.recv(1000)))" % path], capture_output=True, text=True)
        check(guest, stranger.stdout.strip() in ("", "0"), "a stranger is told %s" % stranger.stdout)
        again = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        again.connect(path)
        netd = Netd(again)
        check(guest, netd.hello() == (UUID, RUNNING), "the second HELLO")
        netd.call(RESET)
        guest.ready()
        guest.tell("acpid")
        guest.wait("listening")
        netd.call(SHUTDOWN)
        guest.ends(0)
    finally:
        guest.end()


CASES = {"two-cpus": case_two_cpus, "pvh": case_pvh, "panic": case_panic, "channel": case_channel}


class Place:
    def __init__(self, build, folder):
        self.program, self.folder = build + "/vmm/netd-vmm", folder


def inside(place, names):
    failed = []

    def run(name):
        start = time.time()
        try:
            CASES[name](place)
            print("%s: passed in %.0f s" % (name, time.time() - start), flush=True)
        except Exception as problem:
            failed.append(name)
            print("FAILED: %s: %s" % (name, problem), flush=True)

    threads = [threading.Thread(target=run, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sys.exit(1 if failed else 0)


def unpack_kernel(source, to):
    """The ELF file inside of a bzImage, where its header says (payload_offset, payload_length)."""
    image = open(source, "rb").read()
    offset, length = struct.unpack_from("<II", image, 0x248)
    start = (image[0x1F1] + 1) * 512 + offset
    packed = image[start:start + length - 4]        # its last four bytes are its size unpacked
    tool = {b"\x02!L\x18": "lz4", b"(\xb5/\xfd": "zstd", b"\xfd7zX": "xz"}[packed[:4]]
    with open(to, "wb") as f:
        subprocess.run([tool, "-dc"], input=packed, stdout=f, check=True)


def main():
    if sys.argv[1:2] == ["--inside"]:
        inside(Place(sys.argv[2], sys.argv[3]), sys.argv[4:])
    build = os.path.realpath(sys.argv[1])
    folder = build + "/lab-machine"
    os.makedirs(folder, exist_ok=True)
    subprocess.run([HERE + "/guest", folder, HERE + "/guest-machine"], check=True)
    unpack_kernel(folder + "/vmlinuz", folder + "/vmlinux")
    sys.exit(subprocess.run([HERE + "/run", "--timeout", "560", "--memory", "3072", "--",
                             HERE + "/test_vmm_machine.py", "--inside", build, folder,
                             *(sys.argv[2:] or CASES)]).returncode)


if __name__ == "__main__":
    main()
