# SPDX-License-Identifier: GPL-2.0-or-later
"""The ground that namespace tests stand on.

    import netdtest
    class Nat(netdtest.TestCase):
        def test_guest_reaches_outside(self):
            self.netd.start()
            ...
    netdtest.main()

main() runs the whole test file in mount, network and PID namespaces of its own: whatever a test
starts or makes is gone when it ends, even when it is killed. The process's own network namespace
is "the host"; guests and the outside world are further namespaces, named in a private /run/netns.
"""
import contextlib
import ctypes
import functools
import json
import os
import pty
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
import unittest

BUILD = os.environ.get("NETD_BUILD") or ""
SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
INSIDE = "NETD_TEST_INSIDE"


def built(path):
    """A program of the build under test."""
    if not BUILD:
        sys.exit("NETD_BUILD must name the build folder (meson test sets it)")
    return os.path.join(BUILD, path)


@functools.cache
def sanitized():
    """Whether the build under test has a sanitizer in it, which costs time and memory."""
    shown = subprocess.run(["meson", "introspect", "--buildoptions", built("")], capture_output=True, text=True)
    return any(o["name"] == "b_sanitize" and o["value"] not in ("none", []) for o in json.loads(shown.stdout))


FINDING = re.compile(r"(ERROR|WARNING): \w+Sanitizer|: runtime error: ")


def assert_no_finding(text):
    """No sanitizer has found anything, by what a program of netd's printed."""
    found = FINDING.search(text)
    if found:
        raise AssertionError("a sanitizer's finding:\n" + text[max(0, found.start() - 1000):][:8000])


def sh(*argv, ns=None, check=True, timeout=60, input=None, env=None):
    """Runs a command (in namespace ns) and returns the CompletedProcess with text output."""
    argv = [str(a) for a in argv]
    if ns:
        argv = ["ip", "netns", "exec", ns] + argv
    done = subprocess.run(argv, capture_output=True, text=True, timeout=timeout, input=input,
                          env=dict(os.environ, **(env or {})), errors="replace")
    assert_no_finding(done.stderr)
    if check and done.returncode != 0:
        raise AssertionError("%s: exit %d\n%s%s" % (" ".join(argv), done.returncode, done.stdout,
                                                    done.stderr))
    return done


def spawn(*argv, ns=None, **kw):
    """Starts a command (in namespace ns); returns the Popen."""
    argv = [str(a) for a in argv]
    if ns:
        argv = ["ip", "netns", "exec", ns] + argv
    return subprocess.Popen(argv, **kw)


def wait_for(what, condition, timeout=10.0, step=0.01):
    """Polls until condition() is true (its value is returned); fails naming `what`."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError("%s: not within %g s" % (what() if callable(what) else what, timeout))
        time.sleep(step)


@contextlib.contextmanager
def in_ns(ns):
    """Runs the block's sockets and file reads in another network namespace."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/self/ns/net") as home, open("/run/netns/" + ns) as there:
        if libc.setns(there.fileno(), 0x40000000) != 0:
            raise OSError(ctypes.get_errno(), "setns " + ns)
        try:
            yield
        finally:
            if libc.setns(home.fileno(), 0x40000000) != 0:
                os._exit(70)


class Namespace:
    """A network namespace with one NIC, eth0: a guest, or a host of the outside world."""

    def __init__(self, name):
        self.name = name
        sh("ip", "netns", "add", name)
        sh("ip", "link", "set", "lo", "up", ns=name)

    def run(self, *argv, **kw):
        return sh(*argv, ns=self.name, **kw)

    def spawn(self, *argv, **kw):
        return spawn(*argv, ns=self.name, **kw)

    def sysctl(self, key, value):
        with in_ns(self.name), open("/proc/sys/" + key.replace(".", "/"), "w") as f:
            f.write(str(value))

    def delete(self):
        sh("ip", "netns", "del", self.name, check=False)


class Guest(Namespace):
    """A guest in a namespace, its NIC a veth whose host end is a port of the bridge."""

    count = 0

    def __init__(self, bridge=None, mac=None, name=None):
        Guest.count += 1
        self.index = Guest.count
        super().__init__(name or "guest%d" % self.index)
        self.host_if = "veth%d" % self.index
        self.mac = mac or "52:54:00:00:%02x:%02x" % (self.index >> 8, self.index & 255)
        sh("ip", "link", "add", self.host_if, "type", "veth", "peer", "name", "eth0",
           "address", self.mac, "netns", self.name)
        self.run("ip", "link", "set", "eth0", "up")
        if bridge:
            self.plug(bridge)

    def plug(self, bridge):
        sh("ip", "link", "set", self.host_if, "master", bridge, "up")
        wait_for("port of %s forwarding" % self.name, lambda: "state forwarding" in sh(
            "bridge", "link", "show", "dev", self.host_if).stdout)

    def address(self, cidr, gateway=None):
        v6 = ":" in cidr
        self.run("ip", "addr", "add", cidr, "dev", "eth0", *(["nodad"] if v6 else []))
        if gateway:
            self.run("ip", "-6" if v6 else "-4", "route", "add", "default", "via", gateway)

    def udhcpc(self, *options, timeout=15):
        """Gets a lease with busybox' client; returns what the client learnt as a dict."""
        script = os.path.join(SOURCE, "tests/netns/udhcpc.script")
        done = self.run("busybox", "udhcpc", "-i", "eth0", "-f", "-q", "-n", "-t", "5", "-T", "1",
                        "-s", script, *options, check=False, timeout=timeout)
        lease = dict(line[6:].split("=", 1) for line in done.stdout.splitlines()
                     if line.startswith("LEASE "))
        if not lease:
            raise AssertionError("no lease for %s:\n%s%s" % (self.name, done.stdout, done.stderr))
        return lease

    def dig(self, *args, check=True):
        """dig's short answer as a list of lines."""
        return self.run("dig", "+short", "+tries=1", "+time=3", *args, check=check).stdout.splitlines()

    def ping(self, address, count=1, timeout_s=2):
        return self.run("ping", "-n", "-c", count, "-i", "0.05", "-W", timeout_s, address,
                        check=False).returncode == 0


class Outside(Namespace):
    """The world behind the host's uplink: 198.51.100.1/24 and 2001:db8:100::1/64; the host is .2."""

    V4, V6 = "198.51.100.1", "2001:db8:100::1"
    HOST_V4, HOST_V6 = "198.51.100.2", "2001:db8:100::2"

    def __init__(self, name="outside", uplink="uplink0"):
        super().__init__(name)
        self.uplink = uplink
        sh("ip", "link", "add", uplink, "type", "veth", "peer", "name", "eth0", "netns", name)
        for cidr in (self.HOST_V4 + "/24", self.HOST_V6 + "/64"):
            sh("ip", "addr", "add", cidr, "dev", uplink, *(["nodad"] if ":" in cidr else []))
        sh("ip", "link", "set", uplink, "up")
        for cidr in (self.V4 + "/24", self.V6 + "/64"):
            self.run("ip", "addr", "add", cidr, "dev", "eth0", *(["nodad"] if ":" in cidr else []))
        self.run("ip", "link", "set", "eth0", "up")
        sh("ip", "route", "add", "default", "via", self.V4)
        sh("ip", "-6", "route", "add", "default", "via", self.V6)
        # Tests compare the host's addresses and routes before and after: let the link-local one settle.
        wait_for("the uplink's own address", lambda: "fe80" in sh(
            "ip", "-6", "addr", "show", "dev", uplink, "scope", "link", "-tentative").stdout)


class Daemon:
    """netd under a root of its own."""

    def __init__(self):
        self.root = tempfile.mkdtemp(prefix="netd-test-")
        os.chmod(self.root, 0o755)	# servers run with uids of their own below it
        self.process = None
        self.log_path = os.path.join(self.root, "netd.log")
        self.socket = os.path.join(self.root, "run/netd/netd-sock")
        self.options = []
        self.verbose = True
        self.env = {"NETD_SCHEMAS": os.path.join(SOURCE, "xml-schemas"), "NETD_NWFILTERS": os.path.join(SOURCE, "netd/nwfilter")}

    def start(self, *options, wait=True):
        log = open(self.log_path, "ab")
        self.process = subprocess.Popen(
            [built("netd/daemon/netd"), "--root", self.root,
             "--serve", built("netd/serve/netd-serve"),
             *(["-v"] if self.verbose else []), *self.options, *options],
            stdout=log, stderr=log, start_new_session=True,
            env=dict(os.environ, **self.env))
        log.close()
        if wait:
            wait_for(lambda: "netd ready (log: %s)" % self.log(), self.answers, timeout=20)
        return self

    def answers(self):
        if self.process.poll() is not None:
            raise AssertionError("netd ended with %d:\n%s" % (self.process.returncode, self.log()))
        try:
            with socket.socket(socket.AF_UNIX) as s:
                s.settimeout(5)
                s.connect(self.socket)
                s.sendall(struct.pack(">7I", 28, 0x20008086, 1, 66, 0, 0, 0))	# what clients ask first
                return len(s.recv(64)) > 0
        except OSError:
            return False

    def log(self):
        if not os.path.exists(self.log_path):
            return ""
        with open(self.log_path, errors="replace") as f:
            return f.read()

    def kill(self, sig=signal.SIGKILL):
        if self.process:
            self.process.send_signal(sig)
            self.process.wait(20)
            self.process = None

    def stop(self):
        self.kill(signal.SIGTERM)

    def end(self):
        """Ends it, at once unless a sanitizer is to find what it leaked."""
        self.kill(signal.SIGTERM if sanitized() else signal.SIGKILL)

    def restart(self, sig=signal.SIGTERM):
        self.kill(sig)
        return self.start()

    def uri(self):
        return "network:///system?socket=" + self.socket

    def ctl(self, *args, check=True, **kw):
        return sh(built("netd/ctl/netdctl"), "-c", self.uri(), *args, check=check, **kw)

    def virsh(self, *args, check=True, **kw):
        return sh("virsh", "-c", self.uri(), *args, check=check, **kw)

    def define(self, xml, start=True):
        """Defines (and starts) a network from XML text; returns its name."""
        name = re.search(r"<name>(.*?)</name>", xml).group(1)
        with tempfile.NamedTemporaryFile("w", suffix=".xml") as f:
            f.write(xml)
            f.flush()
            self.ctl("net-define", f.name)
        if start:
            self.ctl("net-start", name)
        return name

    def serve_pids(self):
        """The netd-serve processes of this test (it has a PID namespace of its own), spare included."""
        pids = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                if os.path.basename(os.readlink("/proc/%s/exe" % pid)) == "netd-serve":
                    pids.append(int(pid))
        return pids


class Terminal:
    """A command with a terminal of its own, at which the test types."""

    def __init__(self, *argv, env=None):
        self.text = ""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execvpe(argv[0], [str(a) for a in argv], dict(os.environ, TERM="dumb", **(env or {})))

    def read(self, end):
        """False when the other end of the terminal is closed."""
        if not select.select([self.fd], [], [], max(0, end - time.monotonic()))[0]:
            raise AssertionError("no more than %r" % self.text)
        try:
            self.text += os.read(self.fd, 65536).decode(errors="replace")
        except OSError:
            return False
        return True

    def expect(self, what, timeout=10):
        """Waits until `what` is on the screen; what stood before it is returned, the rest is kept."""
        match = self.expect_match(re.escape(what), timeout)
        return match.string[:match.start()]

    def expect_match(self, pattern, timeout=10):
        """The same for a regular expression; its match is returned."""
        end = time.monotonic() + timeout
        while not (match := re.search(pattern, self.text)):
            if not self.read(end):
                raise AssertionError("ended: %r is not in %r" % (pattern, self.text))
        self.text = self.text[match.end():]
        return match

    def await_raw(self):
        """Until the command has switched the terminal: what is typed earlier may be dropped."""
        wait_for("a raw terminal", lambda: not termios.tcgetattr(self.fd)[3] & termios.ICANON)

    def type(self, text):
        os.write(self.fd, text.encode())

    def end(self, timeout=15):
        """What else it says, when it has ended, and its exit status."""
        end = time.monotonic() + timeout
        while self.read(end):
            pass
        os.close(self.fd)
        return self.text, os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


class DomainEvents:
    """What libvirt's client hears of guests, from the time of the call on: "started 0", "device-added net1"."""

    NAMES = ["defined", "undefined", "started", "suspended", "resumed", "stopped", "shutdown", "pmsuspended",
             "crashed"]
    loop = None

    def __init__(self, uri):
        import libvirt	# only where it is needed: it is slow to load
        if not DomainEvents.loop:
            libvirt.virEventRegisterDefaultImpl()
            DomainEvents.loop = threading.Thread(target=self.run, args=(libvirt,), daemon=True)
            DomainEvents.loop.start()
        self.seen = []
        self.connection = libvirt.openReadOnly(uri)
        for event, heard in ((libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, self.lifecycle),
                             (libvirt.VIR_DOMAIN_EVENT_ID_REBOOT, lambda c, d, o: self.seen.append("reboot")),
                             (libvirt.VIR_DOMAIN_EVENT_ID_DEVICE_ADDED, self.device("device-added")),
                             (libvirt.VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED, self.device("device-removed"))):
            self.connection.domainEventRegisterAny(None, event, heard, None)

    @staticmethod
    def run(libvirt):
        while True:
            libvirt.virEventRunDefaultImpl()

    def lifecycle(self, connection, domain, event, detail, opaque):
        self.seen.append("%s %d" % (self.NAMES[event], detail))

    def device(self, what):
        return lambda connection, domain, alias, opaque: self.seen.append("%s %s" % (what, alias))

    def __call__(self, n):
        """The first n of them, and any that came by then."""
        wait_for(lambda: "%d events: %s" % (n, self.seen), lambda: len(self.seen) >= n)
        return list(self.seen)


def nat_xml(name="default", bridge="virbr0", net=122, extra="", forward="<forward mode='nat'/>",
            dhcp=None, more=""):
    """A network 192.168.NET.1/24 as most users have it."""
    if dhcp is None:
        dhcp = "<dhcp><range start='192.168.%d.2' end='192.168.%d.254'/></dhcp>" % (net, net)
    return """<network>
  <name>%s</name>
  %s
  <bridge name='%s' stp='off' delay='0'/>
  %s
  <ip address='192.168.%d.1' netmask='255.255.255.0'>%s</ip>%s
</network>""" % (name, forward, bridge, extra, net, dhcp, more)


def kernel_state():
    """What must be as before when all that netd made is gone: links, addresses, routes, rules, sysctls."""
    sysctls = {}
    for top in ("/proc/sys/net/ipv4", "/proc/sys/net/ipv6/conf"):
        for folder, _, files in os.walk(top):
            for name in files:
                path = os.path.join(folder, name)
                if "neigh" in path or "stable_secret" in name:
                    continue
                with contextlib.suppress(OSError, UnicodeDecodeError), open(path) as f:
                    sysctls[path] = f.read()
    return {
        "links": re.sub(r"^\d+: ", "", sh("ip", "-d", "link").stdout, flags=re.M),
        "addresses": re.sub(r"^\d+: ", "", re.sub(r"(valid|preferred)_lft \S+|tentative ", "",
                            sh("ip", "-o", "addr").stdout), flags=re.M),
        "routes": sh("ip", "route", "show", "table", "all").stdout,
        "routes6": sh("ip", "-6", "route", "show", "table", "all").stdout,
        "rules": sh("nft", "list", "ruleset").stdout,
        "sysctls": sysctls,
    }


class TestCase(unittest.TestCase):
    """Gives each test a fresh daemon (not started) in a clean host."""

    maxDiff = 4000
    last_log = ""

    def setUp(self):
        Guest.count = 0
        self.netd = Daemon()
        self.namespaces = []
        self.addCleanup(self.clean_up)	# runs also when the rest of a setUp fails
        self.before = kernel_state()

    def guest(self, *args, **kw):
        g = Guest(*args, **kw)
        self.namespaces.append(g)
        return g

    def outside(self):
        o = Outside()
        self.namespaces.append(o)
        return o

    def sshd(self, d, path="/usr/sbin"):
        """An sshd on loopback with keys of its own in d, and an /etc/ssh for the client to know them by.

        path: where its sessions look for programs first."""
        for name in "host", "user":
            sh("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "%s/%s" % (d, name))
        with open(d + "/host.pub") as f, open(d + "/ssh_known_hosts", "w") as known:
            known.write("[127.0.0.1]:2222 " + f.read())
        with open(d + "/sshd_config", "w") as f:
            f.write("ListenAddress 127.0.0.1:2222\nHostKey %s/host\nAuthorizedKeysFile %s/user.pub\nPidFile none\n"
                    "StrictModes no\nPermitRootLogin yes\nPasswordAuthentication no\n"
                    "SetEnv PATH=%s:/usr/bin:/bin\n" % (d, d, path))
        os.makedirs("/run/sshd", exist_ok=True)
        sh("mount", "--bind", d, "/etc/ssh")	# in this test's mount namespace
        self.addCleanup(sh, "umount", "/etc/ssh")
        server = subprocess.Popen(["/usr/sbin/sshd", "-D", "-e", "-f", d + "/sshd_config"], stderr=subprocess.PIPE)
        self.addCleanup(lambda: (server.terminate(), server.wait(), server.stderr.close()))
        wait_for("sshd", lambda: ":2222" in sh("ss", "-Hltn").stdout)

    def run(self, result=None):
        bad = len(result.failures) + len(result.errors)
        super().run(result)
        if len(result.failures) + len(result.errors) > bad:
            sys.stderr.write("---- log of netd\n%s----\n" % self.last_log[-8000:])
        return result

    def clean_up(self):
        if self.netd.process and self.netd.process.poll() is None:
            self.netd.end()
        self.last_log = self.netd.log()
        for pid in self.netd.serve_pids():
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        for ns in self.namespaces:
            ns.delete()
        for link in json.loads(sh("ip", "-j", "link").stdout):
            if link["ifname"] != "lo":
                sh("ip", "link", "del", link["ifname"], check=False)
        # A table that persists survives a flush, and is deleted by name.
        sh("nft", "flush", "ruleset", check=False)
        sh("nft", "delete", "table", "inet", "netd", check=False)
        for path in ("ipv4/ip_forward", "ipv6/conf/all/forwarding"):
            with open("/proc/sys/net/" + path, "w") as f:
                f.write("0")
        shutil.rmtree(self.netd.root, ignore_errors=True)
        assert_no_finding(self.last_log)

    def assert_untouched(self):
        """The host is as it was when the test began."""
        now = kernel_state()
        for what, before in self.before.items():
            self.assertEqual(before, now[what], what + " differ from before")


def be_init():
    """Returns in a child; this process, PID 1 of the namespace, reaps orphans as an init does."""
    tests = os.fork()
    if tests == 0:
        return
    while True:
        pid, status = os.wait()
        if pid == tests:
            os._exit(os.waitstatus_to_exitcode(status) & 0xff)


def main():
    """Re-runs the file in namespaces of its own, then runs its tests."""
    if os.geteuid() != 0:
        print("must run as root")
        sys.exit(77)
    if not os.environ.get(INSIDE):
        os.environ[INSIDE] = "1"
        os.execvp("unshare", ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child",
                              "--mount-proc", "--propagation", "private",
                              sys.executable] + sys.argv)
    for argv in (["mount", "-t", "tmpfs", "tmpfs", "/run", "-o", "mode=755"],
                 ["mkdir", "-p", "/run/netns"],
                 ["mount", "-t", "sysfs", "sysfs", "/sys"],
                 ["ip", "link", "set", "lo", "up"]):
        sh(*argv)
    be_init()
    unittest.main(verbosity=2)
