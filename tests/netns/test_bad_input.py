#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Clients that are wrong, hasty, hostile or many: each gets a clear answer, and nothing changes."""
import contextlib
import os
import resource
import socket
import struct
import subprocess
import time

import netdtest
from netdtest import nat_xml, sh, wait_for

PROGRAM, VERSION = 0x20008086, 1
CONNECT_OPEN, AUTH_LIST = 1, 66


def call(proc, payload=b"", serial=1):
    """An RPC call as it is on the wire."""
    return struct.pack(">7I", 28 + len(payload), PROGRAM, VERSION, proc, 0, serial, 0) + payload


class BadInput(netdtest.TestCase):
    def setUp(self):
        super().setUp()
        self.netd.start()
        self.netd.define(nat_xml())
        self.state = self.snapshot()

    def snapshot(self):
        files = {}
        for top in ("etc", "var/lib", "run/netd/networks", "run/netd/ports", "run/netd/intents"):
            for folder, _, names in os.walk(os.path.join(self.netd.root, top)):
                for name in names:
                    path = os.path.join(folder, name)
                    with open(path, "rb") as f:
                        files[path] = f.read() if "leases" not in path else b""
        return {
            "files": files,
            "list": self.netd.ctl("net-list", "--all").stdout,
            "xml": self.netd.ctl("net-dumpxml", "default").stdout,
            "links": sh("ip", "-br", "link").stdout,
            "addresses": sh("ip", "-br", "addr").stdout,
            "rules": sorted(sh("nft", "list", "ruleset").stdout.split()),
        }

    def unchanged(self):
        now = self.snapshot()
        for what, was in self.state.items():
            self.assertEqual(was, now[what], what)

    def refused(self, *args, says, **kw):
        done = self.netd.ctl(*args, check=False, **kw)
        self.assertNotEqual(done.returncode, 0, done.stdout)
        self.assertRegex(done.stderr, says)
        self.assertNotIn("Traceback", done.stderr)
        self.unchanged()

    def xml(self, text):
        path = os.path.join(self.netd.root, "input.xml")
        with open(path, "wb") as f:
            f.write(text if isinstance(text, bytes) else text.encode())
        return path

    def test_malformed_documents(self):
        for text, says in [
                ("", "(?i)empty|XML"),
                ("<network>", "line 1"),
                ("<network><name>x</name>", "line 1"),
                ("not XML", ":1: Start tag"),
                (b"<network><name>\xff\xfe</name></network>", ":1: .*UTF-8"),
                ("<domain/>", "network"),
                ("<network/>", "name"),
                ("<network><name>a/b</name></network>", "a/b"),
                ("<network>\n<name>x</name>\n<ip address='1.2.3.400' netmask='255.255.255.0'/>\n</network>",
                 r"1\.2\.3\.400"),
                ("<!DOCTYPE n [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;&a;'>]><network><name>&b;</name></network>",
                 "(?i)entit|DOCTYPE|document type"),
                ("<network><name>x</name>" + "<a>" * 5000, "(?i)deep|depth|line"),
                ("<network><name>" + "x" * (9 << 20) + "</name></network>", "(?i)large|long|big|size|bytes|MiB"),
        ]:
            with self.subTest(text=text[:60]):
                path = self.xml(text)
                self.refused("net-define", path, says=says)
                self.refused("net-create", path, says=says)

    def test_unknown_network(self):
        for command in ("net-start", "net-destroy", "net-undefine", "net-dumpxml", "net-autostart", "net-plug",
                        "net-hold", "net-dhcp-leases"):
            with self.subTest(command=command):
                self.refused(command, "nosuch", says="nosuch")

    def test_start_twice(self):
        self.refused("net-start", "default", says="default\n.*network is already active")

    def test_destroy_twice(self):
        self.netd.define(nat_xml("other", "virbr1", 123), start=False)
        self.state = self.snapshot()
        self.refused("net-destroy", "other", says="other.*not active")

    def test_subnet_of_another_network(self):
        path = self.xml(nat_xml("other", "virbr1"))
        self.refused("net-create", path, says=r"192\.168\.122")

    def test_without_privileges(self):
        """Somebody who may only look is told so; the socket for changes is closed to him."""
        def as_nobody(sock, *args):
            uri = "network:///system?socket=" + os.path.join(self.netd.root, "run/netd", sock)
            return subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                                   netdtest.built("netd/ctl/netdctl"), "-c", uri, *args],
                                  capture_output=True, text=True)
        if as_nobody("netd-sock-ro", "--version").returncode:
            self.skipTest("the build folder is closed to others")
        done = as_nobody("netd-sock", "net-destroy", "default")
        self.assertNotEqual(done.returncode, 0)
        self.assertRegex(done.stderr, "(?i)permission")
        self.assertIn("default", as_nobody("netd-sock-ro", "net-list").stdout)
        for command in ("net-destroy", "net-undefine", "net-start", "net-plug", "net-hold"):
            done = as_nobody("netd-sock-ro", command, "default")
            self.assertNotEqual(done.returncode, 0, command)
            self.assertRegex(done.stderr, "(?i)read.only", command)
        self.unchanged()

    def test_read_only_etc(self):
        etc = os.path.join(self.netd.root, "etc")
        self.netd.kill()
        sh("mount", "--bind", etc, etc)		# before netd opens it
        self.netd.start()
        try:
            sh("mount", "-o", "remount,ro,bind", etc)
            self.refused("net-define", self.xml(nat_xml("other", "virbr1", 123)), says="(?i)read-only")
            self.refused("net-autostart", "default", says="(?i)read-only")
            self.refused("net-undefine", "default", says="(?i)read-only")
            self.refused("net-update", "default", "add-last", "ip-dhcp-host",
                         "<host mac='52:54:00:00:00:09' ip='192.168.122.9'/>", "--live", "--config",
                         says="(?i)read-only")
            # What is written elsewhere goes on.
            self.netd.ctl("net-destroy", "default")
            self.netd.ctl("net-start", "default")
        finally:
            sh("umount", "-l", etc)

    # ---- the wire ----

    @contextlib.contextmanager
    def connected(self):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(5)
            s.connect(self.netd.socket)
            yield s

    def closed(self, s):
        """netd answers with an error or ends the connection, and does not wait for ever."""
        with contextlib.suppress(ConnectionError):
            while s.recv(65536):
                pass

    def test_nonsense_on_the_wire(self):
        for what, data in [
                ("length 0", struct.pack(">I", 0)),
                ("length 27", struct.pack(">I", 27) + b"\0" * 23),
                ("length beyond the limit", struct.pack(">I", 0xffffffff)),
                ("length just beyond the limit", struct.pack(">I", (32 << 20) + 5)),
                ("HTTP", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
        ]:
            with self.subTest(what), self.connected() as s:
                s.sendall(data)
                self.closed(s)
        self.unchanged()

    def test_truncated_messages(self):
        whole = call(CONNECT_OPEN, struct.pack(">II", 1, 17) + b"network:///system\0\0\0" + struct.pack(">I", 0))
        for n in range(1, len(whole)):
            with self.connected() as s:
                s.sendall(whole[:n])
        # Whole for the framing, but arguments that end too soon, or claim to be longer than they are.
        for payload in (b"", b"\0\0\0\1", struct.pack(">II", 1, 0x7fffffff), struct.pack(">II", 1, 400) + b"x" * 8):
            with self.connected() as s:
                s.sendall(call(AUTH_LIST))
                self.assertTrue(s.recv(4096))
                s.sendall(call(CONNECT_OPEN, payload, 2))
                answer = s.recv(65536)
                if answer:
                    self.assertEqual(struct.unpack_from(">I", answer, 24)[0], 1, "an error")
        self.unchanged()

    def test_client_that_leaves_in_mid_call(self):
        """A change whose client is gone happens, or does not: never half of it."""
        for n in range(20):
            ctl = subprocess.Popen([netdtest.built("netd/ctl/netdctl"), "-c", self.netd.uri(), "net-create",
                                    self.xml(nat_xml("gone", "virbr1", 123))],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(n * 0.001)
            ctl.kill()
            ctl.wait()
            time.sleep(0.1)
            if "gone" in self.netd.ctl("net-list", "--name").stdout:
                self.assertRegex(self.netd.ctl("net-plan", "gone").stdout, r"(?s)Difference.*none")
                self.netd.ctl("net-destroy", "gone")
            wait_for("nothing left", lambda: "virbr1" not in sh("ip", "-br", "link").stdout)
        self.unchanged()

    def test_a_thousand_clients_at_once(self):
        resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
        clients = []
        try:
            for _ in range(1000):
                s = socket.socket(socket.AF_UNIX)
                s.settimeout(5)
                s.connect(self.netd.socket)
                s.sendall(call(AUTH_LIST))
                clients.append(s)
            answered = refused = 0
            for s in clients:
                try:
                    answered += bool(s.recv(4096))
                except ConnectionError:
                    refused += 1
        finally:
            for s in clients:
                s.close()
        self.assertGreater(answered, 0)
        wait_for("an answer after the crowd", lambda: "default" in self.netd.ctl(
            "net-list", check=False).stdout)
        fds = os.path.join("/proc", str(self.netd.process.pid), "fd")
        wait_for("closed descriptors", lambda: len(os.listdir(fds)) < 100)
        self.unchanged()
        print("of 1,000 clients %d answered, %d refused" % (answered, refused))


if __name__ == "__main__":
    netdtest.main()
