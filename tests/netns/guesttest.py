# SPDX-License-Identifier: GPL-2.0-or-later
"""Guests for tests of netd and its clients: the process behind is fake_vmm, which speaks as netd-vmm does but
has no guest, so that no KVM is needed."""
import contextlib
import os
import re
import signal
import tempfile

import netdtest
from netdtest import built, sh, wait_for

UUID = "6f3c8d7e-0a1b-4c2d-8e3f-405162738495"
MAC = "52:54:00:00:00:01"
NIC = """<interface type='network'>
      <mac address='%s'/>
      <source network='default'/>
    </interface>
    """


class Guests(netdtest.TestCase):
    def setUp(self):
        super().setUp()
        self.kernel = self.file("kernel", b"k" * 4096)
        self.kvm = self.file("kvm", b"")
        self.netd.env.update(NETD_VMM=built("tests/netns/fake_vmm"), NETD_KVM=self.kvm)
        self.addCleanup(self.end_guests)
        self.netd.start()

    def end_guests(self):
        for pid in self.pids():
            os.kill(pid, signal.SIGKILL)

    def file(self, name, content):
        path = os.path.join(self.netd.root, name)
        with open(path, "wb") as f:
            f.write(content)
        return path

    def xml(self, name="web", devices=NIC % MAC + "<console type='pty'/>", cmdline="", uuid=UUID, more=""):
        return """<domain type='kvm'>
  <name>%s</name>
  <uuid>%s</uuid>
  <memory unit='MiB'>64</memory>
  <os><type>hvm</type><kernel>%s</kernel><cmdline>%s</cmdline></os>%s
  <devices>
    %s
  </devices>
</domain>
""" % (name, uuid, self.kernel, cmdline, more, devices)

    def virsh(self, *args, xml=None, check=True):
        if xml is None:
            return self.netd.virsh("-q", *args, check=check)
        with tempfile.NamedTemporaryFile("w", suffix=".xml") as f:
            f.write(xml)
            f.flush()
            return self.netd.virsh("-q", *[f.name if a == "FILE" else a for a in args], check=check)

    def error(self, *args, **kw):
        done = self.virsh(*args, check=False, **kw)
        self.assertEqual(done.returncode, 1, done.stdout)
        return done.stderr

    def define(self, **kw):
        self.virsh("define", "FILE", xml=self.xml(**kw))

    def state(self, name="web"):
        return self.virsh("domstate", name, "--reason").stdout.strip()

    def await_state(self, state, name="web"):
        wait_for(lambda: "%s is '%s', not '%s'" % (name, self.state(name), state),
                 lambda: self.state(name) == state)

    def pids(self):
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                if os.readlink("/proc/%s/exe" % pid).endswith("fake_vmm"):
                    found.append(int(pid))
        return found

    def live_files(self):
        run = self.netd.root + "/run/netd/"
        return os.listdir(run + "domains") + os.listdir(run + "vmms")

    def taps(self):
        return re.findall(r"^\d+: ((?:vnet|macvtap)\d+|web\d+|nd-\w+)[:@]", sh("ip", "link").stdout, re.M)

    def nothing_is_left(self):
        self.assertEqual(self.pids(), [])
        self.assertEqual(self.live_files(), [])
        self.assertEqual(self.taps(), [])

    def events(self):
        return netdtest.DomainEvents(self.netd.uri())
