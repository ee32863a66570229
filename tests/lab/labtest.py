# SPDX-License-Identifier: GPL-2.0-or-later
"""What the lab's tests of real guests under netd share (tests/lab/suite makes their kernel and initrd)."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../netns"))
import netdtest
from netdtest import Terminal, built, sh


def nic(kind, source, driver, n, queues=1, more=""):
    return "<interface type='%s'><mac address='52:54:00:00:01:%02x'/><source %s/><model type='virtio'/>" \
        "<driver name='%s'%s %s/></interface>" % (kind, n, source, driver, " queues='%d'" % queues if queues > 1 else "", more)


class GuestCase(netdtest.TestCase):
    """netd with the netd-vmm of the build; guests that do what their console tells them to (guest-machine)."""

    def setUp(self):
        super().setUp()
        self.netd.env.update(NETD_VMM=built("vmm/netd-vmm"))
        self.netd.start()

    def xml(self, name, devices, memory=128, cpus=1, kernel=None):
        folder = built("lab/guest-run")
        initrd = "" if kernel else "<initrd>%s/initrd</initrd>" % folder
        return """<domain type='kvm'><name>%s</name><memory unit='MiB'>%d</memory><vcpu>%d</vcpu>
            <os><type>hvm</type><kernel>%s</kernel>%s<cmdline>console=ttyS0 quiet</cmdline></os>
            <devices>%s<console type='pty'/></devices></domain>""" % (
                name, memory, cpus, kernel or folder + "/vmlinuz", initrd, "".join(devices))

    def define(self, *args, **more):
        path = os.path.join(self.netd.root, "guest.xml")
        with open(path, "w") as f:
            f.write(self.xml(*args, **more))
        self.netd.ctl("define", path)

    def terminal(self, *words):
        return Terminal(built("netd/ctl/netdctl"), "-c", self.netd.uri(), *words)

    def boot(self, name):
        guest = self.terminal("start", name, "--console")
        guest.expect("= ready", 120)
        return guest

    @staticmethod
    def told(guest, command, pattern, seconds=60):
        """What the guest says to a line of its shell."""
        guest.type("sh " + command + "\n")
        return guest.expect_match(pattern, seconds)

    def nothing_is_left(self):
        links = sh("ip", "-br", "link").stdout
        self.assertNotRegex(links, "vnet|macvtap")
        self.assertEqual(sh("pgrep", "-x", "netd-vmm", check=False).stdout, "")
