#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""`meson install` gives a netd that runs from its units: sockets, notification, watchdog, default network."""
import configparser
import json
import os
import queue
import re
import socket
import subprocess
import threading
import time

import netdtest
from netdtest import sh, wait_for

PREFIX = "/usr/local"


def build_option(name):
    shown = json.loads(sh("meson", "introspect", "--buildoptions", netdtest.BUILD).stdout)
    return next(o["value"] for o in shown if o["name"] == name)


class Install(netdtest.TestCase):
    def setUp(self):
        super().setUp()
        if build_option("prefix") != PREFIX:
            self.skipTest("this build is for another prefix than " + PREFIX)
        # The test has a mount namespace of its own: nothing of this reaches the machine.
        for folder in (PREFIX, "/var/lib"):
            sh("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", folder)
            self.addCleanup(sh, "umount", "-l", folder, check=False)
        sh("meson", "install", "--no-rebuild", "-C", netdtest.BUILD, timeout=120)

    def unit(self, name):
        parser = configparser.ConfigParser(strict=False, interpolation=None)
        parser.optionxform = str
        parser.read(os.path.join(PREFIX, "lib/systemd/system", name))
        return parser

    def listener(self, unit):
        """The socket that systemd would pass for the unit."""
        path = self.unit(unit)["Socket"]["ListenStream"]
        os.makedirs(os.path.dirname(path), exist_ok=True)
        s = socket.socket(socket.AF_UNIX)
        s.bind(path)
        s.listen(10)
        self.addCleanup(s.close)
        return path, s

    def run_unit(self, watchdog_us):
        """Starts netd as systemd does for netd.service; gives the socket that it notifies."""
        service = self.unit("netd.service")["Service"]
        self.assertEqual(service["Type"], "notify")
        notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        notify.bind("/run/notify")
        self.addCleanup(notify.close)
        told = queue.Queue()

        def listen():		# all the while, as systemd does: a full socket blocks who notifies
            while message := notify.recv(4096).decode():
                for word in message.splitlines():
                    told.put(word)
        threading.Thread(target=listen, daemon=True).start()
        (self.path, rw), (self.path_ro, ro) = self.listener("netd.socket"), self.listener("netd-ro.socket")
        self.netd.socket = self.path
        bounding = "-all" + "".join(",+" + c[4:].lower() for c in service["CapabilityBoundingSet"].split())
        script = ('exec 8<&%d 9<&%d; exec 3<&8 4<&9 8<&- 9<&-; LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=netd.socket:netd-ro.socket '
                  'WATCHDOG_PID=$$ exec %s' % (rw.fileno(), ro.fileno(), service["ExecStart"]))
        log = open(self.netd.log_path, "ab")
        self.netd.process = subprocess.Popen(
            ["setpriv", "--bounding-set", bounding, "--no-new-privs", "bash", "-c", script],
            pass_fds=(rw.fileno(), ro.fileno()), stdout=log, stderr=log,
            env=dict(os.environ, NOTIFY_SOCKET="/run/notify", WATCHDOG_USEC=str(watchdog_us)))
        log.close()
        return told

    def until(self, told, word):
        end = time.monotonic() + 20
        while time.monotonic() < end:
            if told.get(timeout=20) == word:
                return
        self.fail("netd did not notify %s" % word)

    def test_installed_netd_runs_from_its_units_and_serves_the_default_network(self):
        told = self.run_unit(600000)
        self.until(told, "READY=1")
        for _ in range(3):
            self.until(told, "WATCHDOG=1")
        ctl = os.path.join(PREFIX, "bin/netdctl")
        listed = sh(ctl, "net-list", "--all", check=False)
        self.assertEqual(listed.returncode, 0, listed.stderr)
        wait_for("default running", lambda: re.search(
            r"default\s+active\s+yes\s+yes", sh(ctl, "net-list", "--all").stdout))
        guest = self.guest("virbr0")
        lease = guest.udhcpc("-x", "hostname:alpha")
        self.assertRegex(lease["ip"], r"^192\.168\.122\.\d+$")
        self.assertEqual(guest.dig("alpha", "@192.168.122.1"), [lease["ip"]])
        uri = "network:///system?socket=" + self.path_ro
        self.assertRegex(sh(ctl, "-c", uri, "net-list").stdout, r"default\s+active")
        self.assertRegex(sh("virsh", "-c", uri, "net-list", timeout=8).stdout, r"default\s+active")
        self.netd.process.terminate()
        self.until(told, "STOPPING=1")
        self.assertEqual(self.netd.process.wait(20), 0)
        self.assertTrue(os.path.exists(self.path), "a socket of systemd's is not netd's to remove")

    def test_a_second_install_leaves_the_definitions_alone(self):
        path = PREFIX + "/etc/netd/networks/default.xml"
        with open(path, "w") as f:
            f.write("<network><name>default</name></network>\n")
        os.unlink(PREFIX + "/etc/netd/networks/autostart/default.xml")
        sh("meson", "install", "--no-rebuild", "-C", netdtest.BUILD, timeout=120)
        with open(path) as f:
            self.assertIn("<network><name>default</name></network>", f.read())
        self.assertEqual(os.listdir(PREFIX + "/etc/netd/networks/autostart"), [])

    def test_units_manuals_and_completion_are_where_they_are_looked_for(self):
        for path in ("share/man/man8/netd.8", "share/man/man8/netd-bridge-helper.8", "libexec/netd/netd-bridge-helper",
                     "share/man/man1/netdctl.1", "share/man/man5/netd.conf.5",
                     "share/man/man5/netd-network.5", "share/bash-completion/completions/netdctl",
                     "share/netd/schemas/network.rng", "lib/sysusers.d/netd.conf"):
            path = os.path.join(PREFIX, path)
            self.assertTrue(os.path.exists(path) or os.path.exists(path + ".gz"), path)
        for unit in sorted(os.listdir(PREFIX + "/lib/systemd/system")):
            checked = sh("systemd-analyze", "verify", "--man=no",
                         os.path.join(PREFIX, "lib/systemd/system", unit), check=False)
            bad = [line for line in (checked.stdout + checked.stderr).splitlines() if "netd" in line]
            self.assertEqual(bad, [], unit)
        self.assertEqual(self.unit("netd.socket")["Socket"]["SocketGroup"], "netd")
        self.assertEqual(self.unit("netd.socket")["Socket"]["SocketMode"], "0660")


netdtest.main()
