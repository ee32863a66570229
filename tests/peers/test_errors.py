#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Each failure that clients test for, on libvirtd and on netd: code, domain, level and message of the exception.

Through libvirt-python and, for those that it can say, through Sys::Virt (clients/errors.pl: the
same names). What netd says otherwise on purpose stands in DIFFERENT.
"""
import os
import re
import sys
import tempfile

import libvirt
from xml.etree import ElementTree

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../netns"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import netdtest
from libvirtd import Libvirtd
from netdtest import sh

PERL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "clients/errors.pl")
UUID = "3a2a0a80-0f0f-4d4d-8a8a-0000000000%02d"
NOWHERE = "3a2a0a80-0f0f-4d4d-8a8a-0000000000ee"
PORT = "3a2a0a80-0f0f-4d4d-8a8a-0000000000aa"


def network(name, number, forward="<forward mode='nat'/>", more="", ip=None):
    if ip is None:
        ip = ("<ip address='192.168.%d.1' netmask='255.255.255.0'><dhcp><range start='192.168.%d.10' "
              "end='192.168.%d.90'/></dhcp></ip>" % (number, number, number))
    return ("<network><name>%s</name><uuid>%s</uuid>%s<bridge name='v%s0' stp='off' delay='0'/>%s%s</network>"
            % (name, UUID % (number % 100), forward, name, ip, more))


def port(uuid=PORT, owner="<owner><name>g</name><uuid>%s</uuid></owner>" % NOWHERE,
         more="<mac address='52:54:00:aa:00:10'/>"):
    return "<networkport><uuid>%s</uuid>%s%s</networkport>" % (uuid, owner, more)


# "on": active and persistent; "off": inactive; "gone": active and transient; "hostdev": no bridge
SETUP = [("define", network("on", 1)), ("start", "on"), ("define", network("off", 2)),
         ("create", network("gone", 3)),
         ("define", "<network><name>macvtap</name><forward mode='bridge'><interface dev='nic9'/></forward></network>")]

HOST = "<host mac='52:54:00:00:00:%s' ip='192.168.1.%d'/>"
BOTH = libvirt.VIR_NETWORK_UPDATE_AFFECT_LIVE | libvirt.VIR_NETWORK_UPDATE_AFFECT_CONFIG
CONFIG = libvirt.VIR_NETWORK_UPDATE_AFFECT_CONFIG
LIVE = libvirt.VIR_NETWORK_UPDATE_AFFECT_LIVE
ADD, DELETE, MODIFY = 3, 2, 1


def update(net, command, section, xml, flags=0, parent=-1):
    return lambda c: c.networkLookupByName(net).update(command, section, parent, xml, flags)


def on(net, method, *args):
    return lambda c: getattr(c.networkLookupByName(net), method)(*args)


def call(method, *args):
    return lambda c: getattr(c, method)(*args)


def stale(method, *args):
    """A call on a network that is gone meanwhile."""
    def run(c):
        net = c.networkDefineXML(network("brief", 9))
        net.undefine()
        getattr(net, method)(*args)
    return run


CASES = {
    # 43
    "lookup by name": call("networkLookupByName", "nope"),
    "lookup by uuid": call("networkLookupByUUIDString", NOWHERE),
    "stale network started": stale("create"),
    "stale network's document": stale("XMLDesc", 0),
    "stale network undefined": stale("undefine"),
    "stale network updated": stale("update", ADD, 4, -1, HOST % ("01", 50), 0),
    "stale network's ports": stale("listAllPorts", 0),
    # 55
    "start of an active network": on("on", "create"),
    "destroy of an inactive network": on("off", "destroy"),
    "undefine of a transient network": on("gone", "undefine"),
    "autostart of a transient network": on("gone", "setAutostart", 1),
    "live update of an inactive network": update("off", ADD, 4, HOST % ("01", 50), LIVE),
    "configuration of a transient network": update("gone", ADD, 4, HOST % ("01", 50), CONFIG),
    "delete of a host that is not there": update("on", DELETE, 4, HOST % ("01", 50), CONFIG),
    "modify of a host that is not there": update("on", MODIFY, 4, HOST % ("01", 50), CONFIG),
    "parent that is not there": update("on", ADD, 4, HOST % ("01", 50), CONFIG, 7),
    "delete of a range that is not there": update("on", DELETE, 5, "<range start='192.168.1.5' end='192.168.1.6'/>", CONFIG),
    "delete of a portgroup that is not there": update("on", DELETE, 9, "<portgroup name='x'/>", CONFIG),
    "delete of a dns host that is not there": update("on", DELETE, 10, "<host ip='192.168.1.7'><hostname>h</hostname></host>", CONFIG),
    "delete of a txt that is not there": update("on", DELETE, 11, "<txt name='x' value='y'/>", CONFIG),
    "delete of a srv that is not there": update("on", DELETE, 12, "<srv service='x' protocol='tcp'/>", CONFIG),
    "ports of an inactive network": on("off", "listAllPorts", 0),
    "port in an inactive network": on("off", "portCreateXML", port(), 0),
    # 84
    "update of the bridge": update("on", MODIFY, 1, "<bridge name='x'/>", CONFIG),
    "update of the domain": update("on", MODIFY, 2, "<domain name='x'/>", CONFIG),
    "update of the address": update("on", MODIFY, 3, "<ip address='1.2.3.4'/>", CONFIG),
    "update of the forward": update("on", MODIFY, 6, "<forward mode='nat'/>", CONFIG),
    "update of a pf": update("on", MODIFY, 8, "<pf dev='x'/>", CONFIG),
    # 35, 27, 21, 9, 1
    "document that is not well-formed": call("networkDefineXML", "<network>\n <name>x</nome>\n</network>"),
    "document that ends early": call("networkDefineXML", "<network>"),
    "empty document": call("networkDefineXML", ""),
    "other root element": call("networkDefineXML", "<domain><name>x</name></domain>"),
    "no name": call("networkDefineXML", "<network><bridge name='x0'/></network>"),
    "name with a slash": call("networkDefineXML", network("a/b", 7)),
    "unknown forward mode": call("networkDefineXML", network("m", 7, "<forward mode='foo'/>")),
    "bad uuid": call("networkDefineXML", "<network><name>x</name><uuid>zzz</uuid></network>"),
    "name in use": call("networkDefineXML", network("off", 9)),
    "uuid in use": call("networkDefineXML", network("other", 2)),
    "bridge in use": call("networkDefineXML", network("other", 9).replace("vother0", "von0")),
    "update that is not well-formed": update("on", ADD, 4, "<host", CONFIG),
    "update with another element": update("on", ADD, 4, "<range start='192.168.1.2' end='192.168.1.3'/>", CONFIG),
    "validated document with an unknown element":
        call("networkDefineXMLFlags", network("v", 7, more="<unknown/>"), 1),
    "no bridge": on("macvtap", "bridgeName"),
    # 8
    "unknown flag of the document": on("on", "XMLDesc", 64),
    "unknown flag of the list": call("listAllNetworks", 1 << 20),
    "unknown flag of define": call("networkDefineXMLFlags", network("v", 7), 64),
    "unknown flag of create": call("networkCreateXMLFlags", network("v", 7), 64),
    "unknown flag of update": update("on", ADD, 4, HOST % ("01", 50), 64),
    "unknown flag of the leases": on("on", "DHCPLeases", None, 4),
    "unknown flag of the ports": on("on", "listAllPorts", 4),
    "unknown flag of a port": on("on", "portCreateXML", port(), 64),
    "port with a plug": on("on", "portCreateXML", port(more="<mac address='52:54:00:aa:00:10'/><plug type='network' bridge='von0'/>"), 0),
    # 44
    "bad mac of a lease": on("on", "DHCPLeases", "zz:zz", 0),
    # 106, 107 and incomplete ports
    "port that is not there": on("on", "portLookupByUUIDString", NOWHERE),
    "port twice": lambda c: [c.networkLookupByName("on").portCreateXML(port(), 0) for _ in range(2)],
    "port without owner": on("on", "portCreateXML", port(owner=""), 0),
    "port without mac": on("on", "portCreateXML", port(more=""), 0),
    "port of another root": on("on", "portCreateXML", "<port/>", 0),
    # 29: on a read-only connection
    "read-only define": (call("networkDefineXML", network("r", 7)),),
    "read-only create": (call("networkCreateXML", network("r", 7)),),
    "read-only start": (on("off", "create"),),
    "read-only destroy": (on("on", "destroy"),),
    "read-only undefine": (on("off", "undefine"),),
    "read-only autostart": (on("off", "setAutostart", 1),),
    "read-only update": (update("on", ADD, 4, HOST % ("01", 50), CONFIG),),
    "read-only port": (on("on", "portCreateXML", port(), 0),),
    # 3
    "host's free pages": call("getFreePages", [4], 0, 1),
    "pools": call("listAllStoragePools", 0),
    "pool by name": call("storagePoolLookupByName", "x"),
    "interfaces": call("listAllInterfaces", 0),
    "interface by name": call("interfaceLookupByName", "x"),
    "devices": call("listAllDevices", 0),
    "secrets": call("listAllSecrets", 0),
    "cpu models": call("getCPUModelNames", "x86_64", 0),
}

# What netd says otherwise on purpose, as the change that makes both equal. It names the element
# and its line, quotes each name, and prints nothing as (null).
LINE = {r"<\w+> \(line \d+\): ": ""}
QUOTES = {r"in network 'on'": "in network on"}
DIFFERENT = {
    "modify of a host that is not there": {
        r"couldn't locate an existing dhcp host entry with .* in": "couldn't locate a matching dhcp host entry in"},
    "delete of a dns host that is not there": QUOTES,
    "delete of a txt that is not there": QUOTES,
    "delete of a srv that is not there": QUOTES,
    "empty document": {r"\(null\)": ""},
    "no name": {r": <network> \(line 1\) has no <name>": ""},
    # a failure of the network's document, not of the XML layer
    "name with a slash": {**LINE, r"^5$": "19", r"invalid char in name: /": "name 'a/b' cannot contain '/'"},
    "unknown forward mode": LINE,
    "bad uuid": {**LINE, r"malformed uuid element": "'zzz' is not a UUID"},
    "validated document with an unknown element": {r"Unable to validate doc against .*\n": "line 1: ", r"\n$": ""},
    "port twice": {r"Network port with UUID (.*) already exists ": r"\1 "},
    "port without owner": {**LINE, r"network port has no owner name": "it has no <owner><name>"},
    "port without mac": {**LINE, r"network port has no mac": "it has no <mac>"},
}


class Errors(netdtest.TestCase):
    def setUp(self):
        super().setUp()
        libvirt.registerErrorHandler(lambda *_: None, None)
        self.netd.start()
        self.peer = Libvirtd()
        self.dir = tempfile.TemporaryDirectory()

    def tearDown(self):
        self.peer.stop()
        self.dir.cleanup()
        super().tearDown()

    def prepare(self, c):
        for what, text in SETUP:
            if what == "define":
                c.networkDefineXML(text)
            elif what == "create":
                c.networkCreateXML(text)
            else:
                c.networkLookupByName(text).create()

    def provoke(self, connections, case):
        read_only = isinstance(case, tuple)
        try:
            (case[0] if read_only else case)(connections[read_only])
        except libvirt.libvirtError as e:
            return (e.get_error_code(), e.get_error_domain(), e.get_error_level(), e.get_error_message())
        return ("no error",)

    def test_exceptions_are_the_same_in_perl(self):
        outputs = []
        for daemon in (self.peer, self.netd):
            c = libvirt.open(daemon.uri())
            self.prepare(c)
            python = {name: self.provoke([c, libvirt.openReadOnly(daemon.uri())], case)
                      for name, case in CASES.items()}
            c.close()
            outputs.append(sh("perl", PERL, daemon.uri()).stdout)
            for line in outputs[-1].splitlines():
                name, said = line.split("\t")
                code, domain, _, message = python[name]
                self.assertEqual(said, ("%d %d %s" % (code, domain, message)).replace("\n", "\\n"), name)
        self.assertEqual(outputs[0], outputs[1])
        self.assertGreater(outputs[0].count("\n"), 20)

    def test_define_without_uuid_keeps_it(self):
        """libvirtd makes up a new one, which then clashes."""
        text = re.sub("<uuid>.*</uuid>", "", network("on", 1))
        for daemon, keeps in ((self.peer, False), (self.netd, True)):
            c = libvirt.open(daemon.uri())
            uuid = c.networkDefineXML(text).UUIDString()
            if keeps:
                self.assertEqual(c.networkDefineXML(text.replace(".90'", ".80'")).UUIDString(), uuid)
                self.assertIn(".80'", c.networkLookupByName("on").XMLDesc(0))
            else:
                with self.assertRaisesRegex(libvirt.libvirtError, "already exists with uuid " + uuid):
                    c.networkDefineXML(text)
            c.close()

    def test_about_the_host(self):
        """What libvirt's own network daemon does not answer."""
        c, viewer = libvirt.open(self.netd.uri()), libvirt.openReadOnly(self.netd.uri())
        self.assertEqual((c.getMaxVcpus(None), c.getMaxVcpus("kvm")), (64, 64))
        with self.assertRaisesRegex(libvirt.libvirtError, "unknown type 'xen'"):
            c.getMaxVcpus("xen")
        self.assertEqual(c.getSecurityModel(), ["none", "0"])
        n, on, count = c.getCPUMap(0)
        self.assertEqual((n, count, sum(on)), (os.sysconf("SC_NPROCESSORS_CONF"),
                                               os.sysconf("SC_NPROCESSORS_ONLN"), count))
        for connection in (c, viewer):
            if not os.path.exists("/sys/class/dmi/id"):
                with self.assertRaisesRegex(libvirt.libvirtError, "SMBIOS information is not available"):
                    connection.getSysinfo(0)
                continue
            shown = ElementTree.fromstring(connection.getSysinfo(0))
            for element, entry, name in (("bios", "vendor", "bios_vendor"), ("system", "product", "product_name"),
                                         ("system", "uuid", "product_uuid")):
                path = "/sys/class/dmi/id/" + name
                if not os.path.exists(path):
                    continue
                with open(path) as f:
                    want = f.read().strip() or None
                if connection is viewer and not os.stat(path).st_mode & 4:
                    want = None		# the kernel keeps it from all but root
                self.assertEqual(shown.findtext("%s/entry[@name='%s']" % (element, entry)), want)
        viewer.close()
        c.close()

    def test_exceptions_are_the_same(self):
        results = []
        for daemon in (self.peer, self.netd):
            connections = [libvirt.open(daemon.uri()), libvirt.openReadOnly(daemon.uri())]
            self.prepare(connections[0])
            results.append({name: self.provoke(connections, case) for name, case in CASES.items()})
            for c in connections:
                c.close()
        different = []
        for name in CASES:
            a, b = (r[name] for r in results)
            for pattern, replacement in DIFFERENT.get(name, {}).items():
                a, b = ([re.sub(pattern, replacement, str(x)) for x in r] for r in (a, b))
            if a != b:
                different.append("%s:\n  %s\n  %s" % (name, a, b))
        self.assertEqual(len(different), 0, "\n".join(different))


netdtest.main()
