#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""virt-manager's window on a display of its own: networks are listed, started, stopped, edited as XML and created.

The XML tab and the last window are kept in the build folder as virt-manager-xml.png and virt-manager.png.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../netns"))
import netdtest
from netdtest import BUILD, sh, spawn, wait_for

DISPLAY = ":77"
# Where things are in windows of the size that they have without a window manager: (x, y)
TAB, FIRST_NETWORK, ADD, START, STOP, FINISH = (175, 50), (100, 88), (34, 570), (78, 570), (123, 570), (345, 370)
XML_TAB, XML_TEXT, APPLY = (327, 92), (500, 400), (751, 570)
SCREENSHOT = """
import gi, sys
gi.require_version("Gdk", "3.0")
from gi.repository import Gdk
root = Gdk.get_default_root_window()
Gdk.pixbuf_get_from_window(root, 0, 0, 1000, 700).savev(sys.argv[1], "png", [], [])
"""


class VirtManager(netdtest.TestCase):
    def setUp(self):
        super().setUp()
        self.netd.start()
        self.netd.define(netdtest.nat_xml("alpha", "valpha0", 95), start=False)
        home = self.netd.root + "/home"
        os.makedirs(home + "/.config/glib-2.0/settings")
        with open(home + "/.config/glib-2.0/settings/keyfile", "w") as f:
            f.write("[org/virt-manager/virt-manager]\nxmleditor-enabled=true\n")
        self.env = {"DISPLAY": DISPLAY, "HOME": home, "XDG_RUNTIME_DIR": home, "GSETTINGS_BACKEND": "keyfile",
                    "NO_AT_BRIDGE": "1", "LANG": "C.UTF-8"}
        self.log = open(home + "/log", "w+")
        self.addCleanup(self.log.close)
        self.serve("Xvfb", DISPLAY, "-screen", "0", "1000x700x24", "-nolisten", "tcp")
        wait_for("display", lambda: sh("xdotool", "getdisplaygeometry", env=self.env, check=False).returncode == 0)
        self.serve("dbus-run-session", "--", "virt-manager", "--no-fork", "--debug", "-c", self.netd.uri(),
                   "--show-host-summary")
        self.wait_for_window("Connection Details")

    def serve(self, *argv):
        p = spawn(*argv, stdout=self.log, stderr=self.log, env=dict(os.environ, **self.env))
        self.addCleanup(p.wait, 10)
        self.addCleanup(p.terminate)

    def said(self):
        self.log.flush()
        with open(self.log.name, errors="replace") as f:
            return f.read()

    def wait_for_window(self, name):
        wait_for(lambda: "window '%s':\n%s" % (name, self.said()[-3000:]), lambda: sh(
            "xdotool", "search", "--onlyvisible", "--name", name, env=self.env, check=False).returncode == 0,
            timeout=40, step=0.3)
        self.settle()

    def settle(self):
        """Until the window shows the same twice: it is drawn after it is there."""
        path, shots = self.netd.root + "/shot.png", [None]

        def still():
            sh("/usr/bin/python3", "-c", SCREENSHOT, path, env=self.env)
            with open(path, "rb") as f:
                shots.append(f.read())
            return shots[-1] == shots[-2]
        wait_for("a window at rest", still, timeout=20, step=0.3)

    def click(self, place):
        sh("xdotool", "mousemove", *place, "click", "1", env=self.env)
        self.settle()

    def type(self, *what):
        sh("xdotool", *what, env=self.env)

    def keep(self, name):
        sh("/usr/bin/python3", "-c", SCREENSHOT, os.path.join(BUILD, name), env=self.env)

    def edit_xml(self):
        """A line of the document, typed behind its first one."""
        self.click(XML_TAB)
        self.click(XML_TEXT)
        self.type("key", "ctrl+Home", "End")
        self.type("type", "<title>edited by hand</title>")
        self.settle()
        self.keep("virt-manager-xml.png")
        self.click(APPLY)
        wait_for("the edited document", lambda: "  <title>edited by hand</title>\n" in self.netd.ctl(
            "net-dumpxml", "alpha", "--inactive").stdout, timeout=20, step=0.2)

    def wait_for_list(self, *networks):
        wait_for("active networks %s" % (networks,), lambda: sorted(
            self.netd.ctl("net-list", "--name").stdout.split()) == sorted(networks), timeout=20, step=0.2)
        self.settle()

    def test_list_start_stop_edit_create(self):
        self.assertIn("network=alpha status=Inactive added", self.said())
        self.click(TAB)
        self.click(FIRST_NETWORK)
        self.click(START)
        self.wait_for_list("alpha")
        self.click(STOP)
        self.wait_for_list()
        self.edit_xml()
        self.click(ADD)
        self.wait_for_window("virtual network")
        self.click(FINISH)
        self.wait_for_list("network")
        # it looks at the network between its definition and its start, or afterwards
        self.assertRegex(self.said(), "network=network status=(Active|Inactive) added")
        document = self.netd.ctl("net-dumpxml", "network").stdout
        self.assertIn("<forward mode='nat'", document)
        self.assertIn("<range start=", document)
        self.keep("virt-manager.png")


netdtest.main()
