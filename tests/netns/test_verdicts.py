# SPDX-License-Identifier: GPL-2.0-or-later
"""Who reaches whom: every pair of actors, TCP, UDP and ICMP, IPv4 and IPv6, with real packets.

What must come out is computed from the rules of the reference (in `Model`), which know nothing of
how netd says them to the kernel. All probes run at once from this one process: a socket stays in
the namespace where it was made.
"""
import collections
import errno
import ipaddress
import os
import select
import socket
import struct
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import netdtest					# noqa: E402
from netdtest import sh, in_ns, Namespace	# noqa: E402

PORT = 7000
PATIENCE_S = 2.0

Net = collections.namedtuple("Net", "name mode dev nat6 v4 v6 extra dhcp")


def net(index, name, mode, dev=None, nat6=False, v6=True, extra="", dhcp=False):
    prefix = "fd00:%d::/64" if nat6 else "2001:db8:%d::/64"
    return Net(name, mode, dev, nat6, ipaddress.ip_network("10.%d.0.0/24" % index),
               ipaddress.ip_network(prefix % index) if v6 else None, extra, dhcp)


UPLINKS = {		# device -> the host's and the outside's addresses
    "up0": {4: ("198.51.100.2", "198.51.100.1"), 6: ("2001:db8:100::2", "2001:db8:100::1")},
    "up1": {4: ("203.0.113.2", "203.0.113.1"), 6: ("2001:db8:200::2", "2001:db8:200::1")},
}

NETS = [
    net(1, "nat", "nat"),
    net(2, "natdev", "nat", dev="up0"),
    net(3, "nat6", "nat", nat6=True),
    net(4, "route", "route"),
    net(5, "routedev", "route", dev="up1"),
    net(6, "open", "open"),
    net(7, "isolated", None),
    net(8, "nat4only", "nat", v6=False),
]


class Model:
    """The verdicts of the reference: groups X, IN and OUT, then translation.

    A packet is (in, out, source, destination); in and out are a Net, an uplink's name, or None for
    the host itself. Returns how a request and its answer fare.
    """

    @staticmethod
    def subnet(net, family):
        return net.v4 if family == 4 else net.v6

    @classmethod
    def judged(cls, where, family):
        return isinstance(where, Net) and where.mode != "open" and cls.subnet(where, family)

    @classmethod
    def translated(cls, net, family):
        return isinstance(net, Net) and net.mode == "nat" and (family == 4 or net.nat6)

    @classmethod
    def forward(cls, came, goes, source, destination, family, answer):
        """accept, or the rejecting group."""
        if came is goes:
            return "accept"
        if cls.judged(goes, family):
            ours = destination in cls.subnet(goes, family) and goes.dev in (None, came)
            if not (goes.mode in ("nat", "route") and ours and
                    (answer or not cls.translated(goes, family))):
                return "IN"
            return "accept"
        if cls.judged(came, family):
            ours = source in cls.subnet(came, family) and came.dev in (None, goes)
            if not (came.mode in ("nat", "route") and ours):
                return "OUT"
        return "accept"

    @classmethod
    def translates(cls, goes, source, destination, family):
        """The packet leaves with the address of the interface that it leaves by."""
        for n in NETS:
            subnet = cls.subnet(n, family)
            if cls.translated(n, family) and source in subnet and destination not in subnet and \
                    n.dev in (None, goes) and goes is not n:
                return True
        return False

    @classmethod
    def flow(cls, came, goes, source, destination, family):
        """(what the sender sees, whether the request arrives, whether it is translated)"""
        translated = goes is not None and cls.translates(goes, source, destination, family)
        if came is None or goes is None or came is goes:
            return "answer", True, translated
        if cls.forward(came, goes, source, destination, family, False) != "accept":
            return "refused", False, False
        if cls.forward(goes, came, destination, source, family, True) != "accept":
            return "silence", True, translated
        return "answer", True, translated


class Actor:
    """A place to send from and to: `where` is a Net, an uplink's name, or None for the host."""

    def __init__(self, name, where, ns, addresses):
        self.name, self.where, self.ns = name, where, ns
        self.addresses = {f: ipaddress.ip_address(a) for f, a in addresses.items() if a}

    def __repr__(self):
        return self.name

    def inside(self):
        return in_ns(self.ns) if self.ns else netdtest.contextlib.nullcontext()


class Probe:
    """One request; `seen` is what its sender saw, `arrived` the source that its target saw."""

    def __init__(self, number, protocol, family, source, target, address=None, bind=None):
        self.number, self.protocol, self.family = number, protocol, family
        self.source, self.target = source, target
        self.address = address or target.addresses[family]
        self.bind = bind
        self.seen, self.arrived = "silence", None

    def __str__(self):
        return "%s%d %s%s -> %s (%s)" % (self.protocol, self.family, self.source,
                                         " as " + str(self.bind) if self.bind else "", self.target,
                                         self.address)

    def open(self):
        family = socket.AF_INET if self.family == 4 else socket.AF_INET6
        kind, proto = {"tcp": (socket.SOCK_STREAM, 0), "udp": (socket.SOCK_DGRAM, 0),
                       "icmp": (socket.SOCK_DGRAM, socket.IPPROTO_ICMP if self.family == 4
                                else socket.IPPROTO_ICMPV6)}[self.protocol]
        self.socket = socket.socket(family, kind | socket.SOCK_NONBLOCK, proto)
        if self.bind:
            self.socket.bind((str(self.bind), 0))
        return self.socket

    def payload(self):
        data = struct.pack("!I", self.number)
        if self.protocol != "icmp":
            return data
        return struct.pack("!BBHHH", 8 if self.family == 4 else 128, 0, 0, 0, 1) + data

    def send(self):
        try:
            self.socket.connect((str(self.address), PORT if self.protocol != "icmp" else 0))
            if self.protocol != "tcp":
                self.socket.send(self.payload())
        except BlockingIOError:
            pass
        except OSError as e:
            self.fail(e.errno)

    def fail(self, code):
        self.seen = "refused" if code == errno.ECONNREFUSED else errno.errorcode[code]

    def handle(self, events):
        """True when nothing more is to come."""
        code = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            self.fail(code)
            return True
        try:
            if self.protocol == "tcp" and self.seen == "silence":
                self.socket.send(self.payload())
                self.seen = "connected"
                return False
            if events & select.EPOLLIN:
                if not self.socket.recv(64):
                    return True
                self.seen = "answer"
                return True
        except BlockingIOError:
            pass
        except OSError as e:
            self.fail(e.errno)
            return True
        return False


class Exchange:
    """Runs many probes at once."""

    def __init__(self, probes):
        self.probes = {p.number: p for p in probes}
        self.poll = select.epoll()
        self.handlers, self.sockets = {}, []
        for target, address in {(p.target, p.address) for p in probes}:
            with target.inside():
                for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                    self.listen(address, kind)

    def watch(self, sock, events, handler):
        self.sockets.append(sock)
        self.handlers[sock.fileno()] = handler
        self.poll.register(sock.fileno(), events)

    def drop(self, sock):
        self.poll.unregister(sock.fileno())

    def listen(self, address, kind):
        family = socket.AF_INET if address.version == 4 else socket.AF_INET6
        s = socket.socket(family, kind | socket.SOCK_NONBLOCK)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((str(address), PORT))
        if kind == socket.SOCK_STREAM:
            s.listen(1000)
            self.watch(s, select.EPOLLIN, lambda _: self.accept(s))
        else:
            self.watch(s, select.EPOLLIN, lambda _: self.datagram(s))

    def arrived(self, data, peer):
        probe = self.probes.get(struct.unpack("!I", data)[0]) if len(data) == 4 else None
        if probe:
            probe.arrived = peer

    def datagram(self, s):
        data, peer = s.recvfrom(64)
        self.arrived(data, peer)
        try:
            s.sendto(data, peer)
        except OSError:
            pass		# an answer that this host itself refuses is no answer

    def accept(self, s):
        c, peer = s.accept()
        c.setblocking(False)

        def read(_):
            try:
                data = c.recv(64)
            except OSError:
                data = b""
            if data:
                self.arrived(data, peer)
                c.send(data)
            else:
                self.drop(c)
        self.watch(c, select.EPOLLIN, read)

    def run(self):
        by_source = collections.defaultdict(list)
        for p in self.probes.values():
            by_source[p.source].append(p)
        for source, probes in by_source.items():
            with source.inside():
                for p in probes:
                    p.open()
        left = set(self.probes.values())
        for p in self.probes.values():
            p.send()
            if p.seen != "silence":
                left.discard(p)
                continue
            out = select.EPOLLOUT if p.protocol == "tcp" else 0

            def handler(events, p=p):
                if p.handle(events):
                    left.discard(p)
                    self.drop(p.socket)
                elif p.seen == "connected":
                    self.poll.modify(p.socket.fileno(), select.EPOLLIN)
            self.watch(p.socket, select.EPOLLIN | out, handler)
        end = time.monotonic() + PATIENCE_S
        while left and time.monotonic() < end:
            for fd, events in self.poll.poll(0.05):
                self.handlers[fd](events)
        for s in self.sockets + [p.socket for p in self.probes.values()]:
            s.close()
        self.poll.close()


def network_xml(n, index):
    forward = ""
    if n.mode:
        inside = "<nat ipv6='yes'/>" if n.nat6 else n.extra
        forward = "<forward mode='%s'%s>%s</forward>" % (
            n.mode, " dev='%s'" % n.dev if n.dev else "", inside)
    dhcp = "<dhcp><range start='%s' end='%s'/></dhcp>" % (n.v4[50], n.v4[60]) if n.dhcp else ""
    v6 = "<ip family='ipv6' address='%s' prefix='64'/>" % n.v6[1] if n.v6 else ""
    return """<network><name>%s</name>
  <uuid>00000000-0000-4000-8000-%012d</uuid>%s
  <bridge name='br-%s' stp='off' delay='0'/>
  <ip address='%s' prefix='24'>%s</ip>%s</network>""" % (n.name, index, forward, n.name, n.v4[1],
                                                        dhcp, v6)


class Verdicts(netdtest.TestCase):
    """The world is built once for each test: networks, two guests in each, two outsides."""

    no_persist = False
    by_daemon = False		# else without one: only the rules, and faster

    def setUp(self):
        super().setUp()
        self.folder = tempfile.mkdtemp(prefix="netd-verdicts-")
        self.actors = []
        self.prepare()
        for up, addresses in UPLINKS.items():
            self.add_outside(up, addresses)

    def sysctl(self, key, value, ns=None):
        with (in_ns(ns) if ns else netdtest.contextlib.nullcontext()):
            with open("/proc/sys/" + key, "w") as f:
                f.write(value)

    def prepare(self, ns=None):
        """Pings without privileges, every ICMP error that the rules ask for, and link-local
        addresses that are good at once: a router without one solicits no neighbours."""
        self.sysctl("net/ipv4/ping_group_range", "0 2147483647", ns)
        self.sysctl("net/ipv4/icmp_ratelimit", "0", ns)
        self.sysctl("net/ipv4/icmp_msgs_per_sec", "100000", ns)
        self.sysctl("net/ipv4/icmp_msgs_burst", "100000", ns)
        self.sysctl("net/ipv6/icmp/ratelimit", "0", ns)
        self.sysctl("net/ipv6/conf/default/accept_dad", "0", ns)

    def add_outside(self, up, addresses):
        ns = Namespace("out-" + up)
        self.namespaces.append(ns)
        self.prepare(ns.name)
        sh("ip", "link", "add", up, "type", "veth", "peer", "name", "eth0", "netns", ns.name)
        for family, length in ((4, "/24"), (6, "/64")):
            sh("ip", "addr", "add", addresses[family][0] + length, "dev", up,
               *(["nodad"] if family == 6 else []))
            ns.run("ip", "addr", "add", addresses[family][1] + length, "dev", "eth0",
                   *(["nodad"] if family == 6 else []))
        sh("ip", "link", "set", up, "up")
        ns.run("ip", "link", "set", "eth0", "up")
        for family in (4, 6):		# the way back to every subnet
            ns.run("ip", "-%d" % family, "route", "add", "default", "via", addresses[family][0])
        self.actors.append(Actor("out-" + up, up, ns.name,
                                 {f: addresses[f][1] for f in (4, 6)}))

    def start(self, networks, **env):
        files = []
        for i, n in enumerate(networks):
            path = os.path.join(self.folder, n.name + ".xml")
            with open(path, "w") as f:
                f.write(network_xml(n, i))
            files.append(path)
        if self.no_persist:
            env["NETD_NO_PERSIST"] = "1"
        if self.by_daemon:
            self.netd.start()
            for i, n in enumerate(networks):
                self.netd.define(network_xml(n, i))
        else:
            sh(netdtest.built("tests/netns/apply_tool"), self.folder, "start", *files, env=env)
        for n in networks:
            for number, letter in ((10, "a"), (11, "b")):
                self.add_guest(n, number, letter)

    def add_guest(self, n, number, letter):
        g = self.guest(name="%s-%s" % (n.name, letter))
        sh("ip", "link", "set", g.host_if, "master", "br-" + n.name, "up")
        self.prepare(g.name)
        addresses = {4: str(n.v4[number]), 6: str(n.v6[number]) if n.v6 else None}
        g.address(addresses[4] + "/24", str(n.v4[1]))
        if n.v6:
            g.address(addresses[6] + "/64", str(n.v6[1]))
        self.actors.append(Actor(g.name, n, g.name, addresses))

    def host_actor(self):
        return Actor("host", None, None, {f: UPLINKS["up0"][f][0] for f in (4, 6)})

    def actor(self, name):
        return next(a for a in self.actors if a.name == name)

    def check(self, probes, expect):
        Exchange(probes).run()
        wrong = []
        for p in probes:
            seen, arrives, source = expect(p)
            got_source = ipaddress.ip_address(p.arrived[0]) if p.arrived else None
            if p.seen != seen:
                wrong.append("%s: %s, should be %s" % (p, p.seen, seen))
            elif p.protocol != "icmp" and bool(p.arrived) != arrives and \
                    not (p.protocol == "tcp" and seen == "silence"):
                wrong.append("%s: %s" % (p, "arrives" if p.arrived else "does not arrive"))
            elif got_source and source and got_source != source:
                wrong.append("%s: comes from %s, should be %s" % (p, got_source, source))
        if wrong:
            self.fail("%d of %d probes:\n%s" % (len(wrong), len(probes), "\n".join(wrong)))
        return len(probes)

    def expectation(self, p):
        came, goes = p.source.where, p.target.where
        source = p.bind or p.source.addresses[p.family]
        seen, arrives, translated = Model.flow(came, goes, source, p.address, p.family)
        if not translated:
            return seen, arrives, p.bind or (source if came is not None else None)
        if isinstance(goes, Net):
            return seen, arrives, Model.subnet(goes, p.family)[1]
        return seen, arrives, ipaddress.ip_address(UPLINKS[goes][p.family][0])

    def pairs(self):
        self.actors.append(self.host_actor())
        probes = []
        for source in self.actors:
            if source.name.endswith("-b"):
                continue
            for target in self.actors:
                if target is source or (target.name.endswith("-a")):
                    continue
                for family in (4, 6):
                    if family not in source.addresses or family not in target.addresses:
                        continue
                    for protocol in ("tcp", "udp", "icmp"):
                        probes.append(Probe(len(probes), protocol, family, source, target))
        return probes

    def run_all_pairs(self):
        self.start(NETS)
        probes = self.pairs()
        began = time.monotonic()
        n = self.check(probes, self.expectation)
        print("%d probes between %d actors in %.1f s" % (n, len(self.actors),
                                                         time.monotonic() - began))

    def test_all_pairs(self):
        self.run_all_pairs()

    def test_all_pairs_with_the_daemon(self):
        self.by_daemon = True
        self.run_all_pairs()
        for n in NETS:
            self.netd.ctl("net-destroy", n.name)
        self.assertEqual("", sh("nft", "list", "ruleset").stdout)

    def test_all_pairs_without_persistent_tables(self):
        self.no_persist = True
        self.run_all_pairs()

    def test_a_false_source_gets_nowhere(self):
        self.start(NETS)
        probes, targets = [], [self.actor("out-up0"), self.actor("route-b"), self.actor("open-b")]
        for i, n in enumerate(NETS):
            guest = self.actor(n.name + "-a")
            for family, address in ((4, "10.99.0.%d" % (i + 1)), (6, "2001:db8:99::%x" % (i + 1))):
                if family not in guest.addresses:
                    continue
                length = "/32" if family == 4 else "/128"
                sh("ip", "-n", guest.ns, "addr", "add", address + length, "dev", "eth0",
                   *(["nodad"] if family == 6 else []))
                # so that the host can tell the sender what it thinks of it
                sh("ip", "-%d" % family, "route", "add", address + length, "dev", "br-" + n.name)
                probes += [Probe(len(probes) + j, protocol, family, guest, target,
                                 bind=ipaddress.ip_address(address))
                           for j, (protocol, target) in enumerate(
                               (p, t) for p in ("tcp", "udp", "icmp") for t in targets
                               if t.where is not n)]
        self.check(probes, self.expectation)

    def test_what_the_host_sends_from_a_subnet_is_translated_too(self):
        self.start(NETS)
        host, probes = self.host_actor(), []
        for n in NETS:
            for family in (4, 6):
                subnet = Model.subnet(n, family)
                for target in ("out-up0", "out-up1", "open-b", n.name + "-b"):
                    if subnet and family in self.actor(target).addresses:
                        probes.append(Probe(len(probes), "udp", family, host, self.actor(target),
                                            bind=subnet[1]))
        self.check(probes, self.expectation)

    def receiver(self, address, *groups):
        """A socket in the outside that hears datagrams to an address."""
        with in_ns("out-up0"):
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            s.settimeout(PATIENCE_S)
            s.bind((address, PORT))
            for group in groups:
                s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
                             socket.inet_aton(group) + socket.inet_aton(UPLINKS["up0"][4][1]))
        return s

    def test_local_multicast_and_broadcast_keep_their_source(self):
        self.start(NETS[:1])
        for address, groups, source in (
                ("224.0.0.251", ["224.0.0.251"], "10.1.0.1"),
                ("255.255.255.255", [], "10.1.0.1"),
                ("239.1.2.3", ["239.1.2.3"], UPLINKS["up0"][4][0])):
            with self.subTest(address), self.receiver("", *groups) as r, \
                    socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
                s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"up0")
                s.bind(("10.1.0.1", 0))
                s.sendto(b"hello", (address, PORT))
                self.assertEqual(source, r.recvfrom(64)[1][0])

    def test_address_and_port_ranges(self):
        ranges = [
            net(1, "ports", "nat", extra="<nat><port start='5000' end='5009'/></nat>"),
            net(2, "addresses", "nat", dev="up0",
                extra="<nat><address start='192.0.2.16' end='192.0.2.19'/></nat>"),
            net(3, "both", "nat", extra="<nat><address start='192.0.2.32' end='192.0.2.32'/>"
                                        "<port start='6000' end='6999'/></nat>"),
            net(4, "plain", "nat"),
        ]
        self.start(ranges)
        probes = []
        for n in ranges:
            for protocol in ("tcp", "udp", "icmp") * 2:
                probes.append(Probe(len(probes), protocol, 4, self.actor(n.name + "-a"),
                                    self.actor("out-up0")))
        Exchange(probes).run()
        first = ipaddress.ip_address("192.0.2.16")
        allowed = {
            "ports": ([UPLINKS["up0"][4][0]], range(5000, 5010)),
            "addresses": ([str(first + i) for i in range(4)], range(1024, 65536)),
            "both": (["192.0.2.32"], range(6000, 7000)),
            "plain": ([UPLINKS["up0"][4][0]], range(1024, 65536)),
        }
        for p in probes:
            self.assertEqual("answer", p.seen, str(p))
            if p.protocol != "icmp":
                addresses, ports = allowed[p.source.where.name]
                self.assertIn(p.arrived[0], addresses, str(p))
                self.assertIn(p.arrived[1], ports, str(p))

    def test_a_low_source_port_is_translated_to_a_high_one(self):
        self.start(NETS[:1])
        guest = self.actor("nat-a")
        with self.receiver("") as r, guest.inside(), \
                socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.bind(("", 53))
            s.sendto(b"hello", (UPLINKS["up0"][4][1], PORT))
            self.assertGreaterEqual(r.recvfrom(64)[1][1], 1024)

    def test_two_subnets_of_one_bridge_talk_untranslated(self):
        self.start(NETS[:1])
        sh("ip", "addr", "add", "10.77.0.1/24", "dev", "br-nat")
        target = self.guest(name="second")
        sh("ip", "link", "set", target.host_if, "master", "br-nat", "up")
        self.prepare("second")
        target.address("10.77.0.10/24", "10.77.0.1")
        probe = Probe(0, "udp", 4, self.actor("nat-a"),
                      Actor("second", NETS[0], "second", {4: "10.77.0.10"}))
        Exchange([probe]).run()
        self.assertEqual(("answer", "10.1.0.10"), (probe.seen, probe.arrived[0]))

    def test_a_renewal_draws_no_error_from_the_host(self):
        """DHCP is answered from a packet socket; no UDP socket listens on port 67."""
        self.start([NETS[0]._replace(dhcp=True), NETS[3]])
        for name, where, expect in (("nat-a", "10.1.0.1", socket.timeout),
                                    ("route-a", "10.4.0.1", ConnectionRefusedError)):
            with self.subTest(name), self.actor(name).inside(), \
                    socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                s.settimeout(0.3)
                s.connect((where, 67))
                s.send(b"renew")
                self.assertRaises(expect, s.recv, 64)

    def as_uid(self, uid, do):
        """Runs do() in a child process with that uid."""
        pid = os.fork()
        if pid == 0:
            try:
                os.setresgid(uid, uid, uid)
                os.setresuid(uid, uid, uid)
                do()
            finally:
                os._exit(0)
        self.addCleanup(os.waitpid, pid, 0)

    def test_a_server_sends_to_its_upstreams_and_nowhere_else(self):
        uid = 60001
        self.start([NETS[0]], NETD_SERVE="%d %s 2001:db8:100::1" % (uid, UPLINKS["up0"][4][1]))
        everywhere = [("out-up0", UPLINKS["up0"][4][1], 53), ("out-up0", UPLINKS["up0"][6][1], 53),
                      ("out-up0", UPLINKS["up0"][4][1], 54), ("out-up1", UPLINKS["up1"][4][1], 53),
                      ("nat-a", "10.1.0.10", 53), ("nat-a", "2001:db8:1::a", 53)]
        sockets = []
        for ns, address, port in everywhere:
            with in_ns(ns):
                s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET,
                                  socket.SOCK_DGRAM)
                s.settimeout(0.5)
                s.bind((address, port))
                sockets.append(s)

        def send():
            for s, (_, address, port) in zip(sockets, everywhere):
                with socket.socket(s.family, socket.SOCK_DGRAM) as out:
                    with netdtest.contextlib.suppress(OSError):
                        out.sendto(b"query", (address, port))

        def heard(s):
            try:
                return s.recv(64) == b"query"
            except socket.timeout:
                return False

        self.as_uid(uid, send)
        self.assertEqual([True, True, False, False, False, False], [heard(s) for s in sockets])
        self.as_uid(uid + 1, send)
        self.assertEqual([True] * 6, [heard(s) for s in sockets])
        for s in sockets:
            s.close()

    def test_a_server_may_answer_what_guests_ask_over_tcp(self):
        uid = 60001
        self.start([NETS[0]], NETD_SERVE="%d 198.51.100.1" % uid)
        with socket.socket() as listener:
            listener.bind(("10.1.0.1", PORT))
            listener.listen()

            def answer():
                with listener.accept()[0] as c:
                    c.send(c.recv(64))

            self.as_uid(uid, answer)
            with self.actor("nat-a").inside(), socket.socket() as s:
                s.settimeout(PATIENCE_S)
                s.connect(("10.1.0.1", PORT))
                s.send(b"query")
                self.assertEqual(b"query", s.recv(64))


if __name__ == "__main__":
    netdtest.main()
