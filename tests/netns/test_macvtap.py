#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Guests' macvtaps and what they receive. Needs device nodes of macvtaps, so it runs in the lab."""
import os
import socket
import sys
import time

import netdtest
from guesttest import Guests
from netdtest import sh, wait_for

NIC = """<interface type='direct'%s><mac address='52:54:00:00:00:0%d'/>
    <source dev='lower7' mode='%s'/></interface>"""
OTHER = "52:54:00:00:00:99"


def has_nodes():
    """Whether a macvtap comes with its node in /dev, as devtmpfs makes it."""
    sh("ip", "link", "add", "probe7", "type", "veth", "peer", "name", "far8")
    sh("ip", "link", "add", "link", "probe7", "name", "probetap", "type", "macvtap")
    path = "/dev/tap%d" % socket.if_nametoindex("probetap")
    time.sleep(0.2)
    found = os.path.exists(path)
    sh("ip", "link", "del", "probetap")
    sh("ip", "link", "del", "probe7")
    return found


class Macvtap(Guests):
    def setUp(self):
        super().setUp()
        import libvirt
        self.connection = libvirt.open(self.netd.uri())
        self.addCleanup(self.connection.close)
        sh("ip", "link", "add", "lower7", "type", "veth", "peer", "name", "far7")
        self.addCleanup(sh, "ip", "link", "del", "lower7")
        for name in ("lower7", "far7"):
            sh("ip", "link", "set", name, "up")

    def typed(self, text):
        stream = self.connection.newStream()
        self.connection.lookupByName("web").openConsole(None, stream, 0)
        stream.send(text.encode() + b"\r")
        return stream

    def tap(self, n):
        return sh("ip", "link", "show", "macvtap%d" % n).stdout

    def test_a_trusted_guest_says_what_it_receives(self):
        self.define(devices=NIC % (" trustGuestRxFilters='yes'", 1, "bridge") + NIC % ("", 2, "bridge") +
                    "<console type='pty'/>")
        self.virsh("start", "web")
        self.assertIn("52:54:00:00:00:01", self.tap(0))
        stream = self.typed("filter net0 %s 1" % OTHER)
        heard = b""
        while b"filter seen" not in heard:
            heard += stream.recv(1024)
        stream.finish()
        self.assertIn(OTHER, self.tap(0))
        self.assertIn("ALLMULTI", self.tap(0))
        self.typed("filter net0 52:54:00:00:00:01 0").finish()
        wait_for("the filter", lambda: "ALLMULTI" not in self.tap(0) and "52:54:00:00:00:01" in self.tap(0))
        # One that is not trusted, and one that does not exist, change nothing and are not asked again.
        self.typed("filter net1 %s 1" % OTHER).finish()
        self.typed("filter net7 %s 1" % OTHER).finish()
        time.sleep(0.5)
        self.assertIn("52:54:00:00:00:02", self.tap(1))
        self.assertNotIn("ALLMULTI", self.tap(1))
        self.virsh("destroy", "web")
        self.nothing_is_left()

    def test_modes(self):
        for mode in ("bridge", "private", "vepa", "passthrough"):
            self.define(devices=NIC % ("", 1, mode))
            self.virsh("start", "web")
            wanted = "passthru" if mode == "passthrough" else mode
            self.assertIn("mode " + wanted, sh("ip", "-d", "link", "show", "macvtap0").stdout)
            self.virsh("destroy", "web")
            self.nothing_is_left()


if __name__ == "__main__":
    if os.environ.get("NETD_TEST_INSIDE") and not has_nodes():
        print("no device nodes of macvtaps here")
        sys.exit(77)
    netdtest.main()
