#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Guests on paper, by virsh itself: define, list, look at, autostart, undefine, events. No guest runs."""
import os
import re
import tempfile

import netdtest
from netdtest import sh, wait_for

UUID = "6f3c8d7e-0a1b-4c2d-8e3f-405162738495"
XML = """<domain type='kvm'>
  <name>web</name>
  <uuid>%s</uuid>
  <title>The web server</title>
  <memory unit='MiB'>256</memory>
  <vcpu>2</vcpu>
  <os>
    <type>hvm</type>
    <kernel>/boot/vmlinuz</kernel>
  </os>
  <devices>
    <interface type='network'>
      <mac address='52:54:00:00:00:01'/>
      <source network='default'/>
    </interface>
    <console type='pty'/>
  </devices>
</domain>
""" % UUID


class Definitions(netdtest.TestCase):
    def setUp(self):
        super().setUp()
        self.netd.start()

    def virsh(self, *args, xml=None, check=True):
        if xml is None:
            return self.netd.virsh(*args, check=check)
        with tempfile.NamedTemporaryFile("w", suffix=".xml") as f:
            f.write(xml)
            f.flush()
            done = self.netd.virsh(*args[:1], f.name, *args[1:], check=check)
            done.stdout = done.stdout.replace(f.name, "FILE")
            done.stderr = done.stderr.replace(f.name, "FILE")
            return done

    def error(self, *args, **kw):
        done = self.virsh(*args, check=False, **kw)
        self.assertEqual(done.returncode, 1, done.stdout)
        return done.stderr

    def test_a_guest_is_defined_listed_shown_and_undefined(self):
        self.assertEqual(self.virsh("define", xml=XML).stdout, "Domain 'web' defined from FILE\n\n")
        self.assertEqual(self.virsh("list", "--all").stdout,
                         " Id   Name   State\n-----------------------\n -    web    shut off\n\n")
        self.assertEqual(self.virsh("list").stdout.split("\n")[2:], ["", ""])
        info = self.virsh("dominfo", "web").stdout
        for line in ("Id:             -", "Name:           web", "UUID:           " + UUID,
                     "OS Type:        hvm", "State:          shut off", "CPU(s):         2",
                     "Max memory:     262144 KiB", "Persistent:     yes", "Autostart:      disable",
                     "Managed save:   no"):
            self.assertIn(line + "\n", info)
        self.assertEqual(self.virsh("domstate", "web", "--reason").stdout, "shut off (unknown)\n\n")
        self.assertEqual(self.virsh("domuuid", "web").stdout.strip(), UUID)
        self.assertEqual(self.virsh("domname", UUID).stdout.strip(), "web")
        self.assertEqual(self.virsh("domiflist", "web").stdout,
                         " Interface   Type      Source    Model    MAC\n"
                         "-------------------------------------------------------------\n"
                         " -           network   default   virtio   52:54:00:00:00:01\n\n")
        self.assertEqual(self.virsh("domif-getlink", "web", "52:54:00:00:00:01").stdout.strip(),
                         "52:54:00:00:00:01 up")
        self.assertEqual(self.virsh("undefine", "web").stdout, "Domain 'web' has been undefined\n\n")
        self.assertEqual(self.virsh("list", "--all", "--name").stdout.strip(), "")
        self.assertEqual(os.listdir(self.netd.root + "/etc/netd/domains"), ["autostart"])

    def test_what_is_printed_can_be_defined_again_and_survives_a_restart(self):
        self.virsh("define", xml=XML)
        printed = self.virsh("dumpxml", "web").stdout
        self.assertIn("<address type='pci' domain='0x0000' bus='0x00' slot='0x01' function='0x0'/>", printed)
        self.virsh("define", xml=printed)
        self.assertEqual(self.virsh("dumpxml", "web").stdout, printed)
        self.netd.restart()
        self.assertEqual(self.virsh("dumpxml", "web").stdout, printed)
        self.netd.restart(sig=9)
        self.assertEqual(self.virsh("dumpxml", "--inactive", UUID).stdout, printed)

    def test_autostart_is_a_link_and_goes_with_the_definition(self):
        link = self.netd.root + "/etc/netd/domains/autostart/web.xml"
        self.virsh("define", xml=XML)
        self.assertEqual(self.virsh("autostart", "web").stdout,
                         "Domain 'web' marked as autostarted\n\n")
        self.assertEqual(os.readlink(link), "../web.xml")
        self.assertEqual(self.virsh("list", "--all", "--autostart", "--name").stdout.split(), ["web"])
        self.assertEqual(self.virsh("list", "--all", "--no-autostart", "--name").stdout.split(), [])
        self.netd.restart()
        self.assertIn("Autostart:      enable", self.virsh("dominfo", "web").stdout)
        self.virsh("autostart", "--disable", "web")
        self.assertFalse(os.path.lexists(link))
        self.virsh("autostart", "web")
        self.virsh("undefine", "web")
        self.assertFalse(os.path.lexists(link))

    def test_what_the_runner_cannot_do_is_refused_by_name_and_line(self):
        text = self.error("define", xml=XML.replace("<console type='pty'/>", "<graphics type='vnc'/>"))
        self.assertEqual(text, "error: Failed to define domain from FILE\nerror: unsupported "
                         "configuration: <graphics> (line 16): not supported inside <devices>\n")
        text = self.error("define", "--validate", xml=XML.replace("<vcpu>", "<bogus/><vcpu>"))
        self.assertIn("XML document failed to validate against schema: ", text)
        text = self.error("define", xml=XML.replace("<devices>", "<devices><emulator>/usr/bin/qemu</emulator>"))
        self.assertIn("<emulator>: guests run in '", text)
        self.assertEqual(self.virsh("list", "--all", "--name").stdout.strip(), "")

    def test_names_and_uuids_are_one_guest_s(self):
        self.virsh("define", xml=XML)
        other = UUID.replace("6f3c", "7f3c")
        self.assertIn("operation failed: domain 'web' already exists with uuid " + UUID,
                      self.error("define", xml=XML.replace(UUID, other)))
        self.assertIn("operation failed: domain 'web' is already defined with uuid " + UUID,
                      self.error("define", xml=XML.replace("<name>web", "<name>mail")))
        for what in ("nobody", other, "77"):
            self.assertIn("failed to get domain '%s'" % what, self.error("dominfo", what))

    def test_events_tell_of_definitions(self):
        told = netdtest.DomainEvents(self.netd.uri())
        self.virsh("define", xml=XML)
        self.virsh("define", xml=XML)
        self.virsh("undefine", "web")
        self.assertEqual(told(3), ["defined 0", "defined 1", "undefined 0"])

    def test_a_reader_may_look_but_not_define(self):
        self.virsh("define", xml=XML)
        uri = "network:///system?socket=" + self.netd.socket + "-ro"
        self.assertEqual(sh("virsh", "-r", "-c", uri, "domstate", "web").stdout, "shut off\n\n")
        done = sh("virsh", "-c", uri, "undefine", "web", check=False)
        self.assertIn("operation forbidden: read only access prevents virDomainUndefine", done.stderr)

    def test_what_is_written_by_hand_is_read_at_reload_or_skipped_by_name(self):
        folder = self.netd.root + "/etc/netd/domains/"
        with open(folder + "hand.xml", "w") as f:
            f.write(re.sub("<uuid>.*</uuid>", "<uuid>%s</uuid>" % UUID.replace("6f", "8f"),
                           XML.replace("<name>web", "<name>hand")))
        with open(folder + "broken.xml", "w") as f:
            f.write("<domain type='kvm'><name>broken</name>")
        self.netd.process.send_signal(1)
        wait_for("the guest written by hand", lambda: "hand" in self.virsh("list", "--all", "--name").stdout)
        self.assertIn("broken.xml: skipped", self.netd.log())


netdtest.main()
