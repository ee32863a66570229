#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""QEMU of a plain user joins the networks that bridge.conf allows him, and leaves no trace."""
import array
import fcntl
import json
import os
import re
import shlex
import signal
import socket
import struct
import subprocess

import netdtest
from netdtest import sh, spawn, wait_for

HELPER = netdtest.built("netd/ctl/netd-bridge-helper")
JOE, ANN = 2001, 2002
GROUP = 2100
MAC = "52:54:00:12:34:99"
TUNGETIFF, IFF_VNET_HDR = 0x800454d2, 0x4000


def as_user(uid, *argv, groups=()):
    more = ["--groups", ",".join(map(str, groups))] if groups else ["--clear-groups"]
    return ["setpriv", "--reuid", str(uid), "--regid", str(uid), *more, *argv]


class BridgeHelper(netdtest.TestCase):
    def setUp(self):
        super().setUp()
        self.netd.start()
        self.netd.define(netdtest.nat_xml("lab", "vlab0", 71))
        self.env = dict(os.environ, NETD_SOCKET=self.netd.socket + "-ro")

    def policy(self, text):
        with open(self.netd.root + "/etc/netd/bridge.conf", "w") as f:
            f.write(text)

    def ask(self, uid, *options, br="vlab0", groups=()):
        """(TAP's descriptor or None, what the helper said)"""
        ours, its = socket.socketpair()
        with ours, its:
            done = subprocess.run(as_user(uid, HELPER, *options, "--fd=%d" % its.fileno(), "--br=" + br, groups=groups),
                                  pass_fds=[its.fileno()], env=self.env, capture_output=True, text=True, timeout=20)
            if done.returncode != 0:
                ours.setblocking(False)
                self.assertRaises(BlockingIOError, ours.recv, 1)
                return None, done.stderr
            fds = array.array("i")
            data, control, _, _ = ours.recvmsg(1, socket.CMSG_SPACE(4))
            self.assertEqual((len(data), len(control)), (1, 1))
            fds.frombytes(control[0][2])
            return fds[0], done.stderr

    def taps(self):
        return [link["ifname"] for link in json.loads(sh("ip", "-j", "link", "show", "master", "vlab0").stdout or "[]")]

    def ports(self):
        return self.netd.ctl("net-port-list", "lab", "--uuid").stdout.split()

    def refused(self, sentence, *args, **kw):
        fd, said = self.ask(*args, **kw)
        self.assertIsNone(fd)
        self.assertIn(sentence, said)
        self.assertEqual((self.ports(), self.taps()), ([], []))

    def allowed(self, *args, **kw):
        """The TAP's flags, as its holder sees them; it goes when he lets go."""
        fd, said = self.ask(*args, **kw)
        self.assertIsNotNone(fd, said)
        name, flags = struct.unpack("16sH", fcntl.ioctl(fd, TUNGETIFF, bytes(40))[:18])
        name = name.rstrip(b"\0").decode()
        self.assertEqual((self.taps(), len(self.ports())), ([name], 1))
        os.close(fd)
        wait_for("the port's end", lambda: not self.ports())
        self.assertNotIn(name, sh("ip", "link").stdout)
        return flags

    def test_the_policy(self):
        self.refused("bridge.conf does not allow user 2001 the network 'lab'", JOE)
        self.policy("# who may\nallow other\nallow lab user %d  # Joe\n" % JOE)
        self.assertTrue(self.allowed(JOE, "--use-vnet") & IFF_VNET_HDR)
        self.assertFalse(self.allowed(JOE) & IFF_VNET_HDR)
        self.allowed(JOE, br="lab")	# by the network's name as well
        self.refused("does not allow user 2002", ANN)
        self.policy("allow vlab0 group %d\n" % GROUP)
        self.refused("does not allow user 2002", ANN)
        self.allowed(ANN, groups=[GROUP])
        self.policy("deny lab user %d\nallow all\n" % JOE)	# in whatever order
        self.refused("bridge.conf denies user 2001 the network 'lab'", JOE)
        self.allowed(ANN)
        self.policy("allow all\npermit lab\n")
        self.refused("bridge.conf:2: 'permit' is neither allow nor deny", ANN)
        self.policy("allow all\nallow lab user\n")
        self.refused("bridge.conf:2: it must be 'allow NETWORK'", ANN)
        self.policy("allow all\n")
        self.refused("no network has the bridge or the name 'br0'", ANN, br="br0")
        self.netd.ctl("net-destroy", "lab")
        fd, said = self.ask(ANN, br="lab")
        self.assertIsNone(fd)
        self.assertIn("network 'lab' is not active", said)
        self.netd.stop()
        self.assertIn("netd-sock-ro'", self.ask(ANN)[1])

    def test_wrong_options(self):
        for words in (["--br=lab"], ["--fd=3"], ["--fd=x", "--br=lab"], ["lab"]):
            done = sh(HELPER, *words, check=False)
            self.assertEqual(done.returncode, 1)
            self.assertIn("--br=NETWORK", done.stderr)
        self.policy("allow all\n")	# nobody takes it: it goes at once
        done = subprocess.run(as_user(JOE, HELPER, "--fd=77", "--br=lab"), env=self.env, capture_output=True, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertIn("descriptor 77 does not take the TAP: Bad file descriptor", done.stderr)
        wait_for("the port's end", lambda: not self.ports() and not self.taps())

    def qemu(self, uid):
        # its boot ROM asks for an address, as a guest would
        return spawn(*as_user(uid, "qemu-system-x86_64", "-M", "pc", "-accel", "tcg", "-m", "64", "-display", "none",
                              "-nodefaults", "-boot", "n", "-netdev", "bridge,id=n,br=vlab0,helper=" + HELPER,
                              "-device", "virtio-net-pci,netdev=n,mac=" + MAC),
                     env=self.env, stderr=subprocess.PIPE, text=True)

    def test_qemu_of_a_plain_user(self):
        self.policy("allow lab user %d\n" % JOE)
        stranger = self.qemu(ANN)
        said = stranger.communicate(timeout=20)[1]
        self.assertNotEqual(stranger.returncode, 0)
        self.assertIn("does not allow user 2002 the network 'lab'", said)
        guest = self.qemu(JOE)
        try:
            wait_for("the TAP", lambda: self.taps() or guest.poll() is not None, timeout=20)
            tap = self.taps()[0]
            port = self.ports()
            self.assertEqual(len(port), 1)
            self.assertIn("<name>unknown:", self.netd.ctl("net-port-dumpxml", "lab", port[0]).stdout)
            wait_for("its lease", lambda: MAC in self.netd.ctl("net-dhcp-leases", "lab").stdout, timeout=60, step=0.2)
            self.netd.restart()	# the guest's plug is nobody's but QEMU's
            self.assertEqual((self.taps(), self.ports()), ([tap], port))
        finally:
            guest.kill()
            said = guest.communicate()[1]
        wait_for("the port's end", lambda: not self.ports() and not self.taps())
        self.assertNotIn(tap, sh("ip", "link").stdout, said)

    def test_the_line_for_qemu_in_the_manual(self):
        with open(os.path.join(netdtest.SOURCE, "man/netdctl.1")) as f:
            line = re.search(r"^netdctl (net.-plug lab .*?qemu.*?) \.\.\.$", f.read(), re.M | re.S).group(1)
        line = line.replace("\\e\n", "").replace("\\-", "-")
        guest = spawn(netdtest.built("netd/ctl/netdctl"), "-c", self.netd.uri(), *shlex.split(line), "-M", "pc", "-accel",
                      "tcg", "-m", "64", "-display", "none", "-nodefaults", "-boot", "n", start_new_session=True)
        try:
            wait_for("its lease", lambda: "192.168.71." in self.netd.ctl("net-dhcp-leases", "lab").stdout, timeout=60,
                     step=0.2)
            self.assertEqual((len(self.taps()), len(self.ports())), (1, 1))
        finally:
            os.killpg(guest.pid, signal.SIGTERM)	# as from a terminal
            guest.wait(20)
        wait_for("the port's end", lambda: not self.ports() and not self.taps())


netdtest.main()
