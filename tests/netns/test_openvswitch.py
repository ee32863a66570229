#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Guests' interfaces on Open vSwitch's bridges: its own daemons run here, with their datapath in user space.

With NETD_OVS_DATAPATH=system it is the kernel's, which the lab has."""
import contextlib
import json
import os
import socket
import threading

import netdtest
from guesttest import MAC, Guests
from netdtest import sh, spawn, wait_for

DATAPATH = os.environ.get("NETD_OVS_DATAPATH", "netdev")
OTHER = "52:54:00:00:00:02"
IFACE = "0b6f9d1c-2a37-4f0e-9a54-8d6b1f0c7e21"
NIC = """<interface type='bridge'><mac address='%s'/><source bridge='%s'/>%s
    <virtualport type='openvswitch'>%s</virtualport></interface>"""
TRUNK = "<vlan trunk='yes'><tag id='10' nativeMode='untagged'/><tag id='20'/></vlan>"


class OpenVSwitch(Guests):
    def setUp(self):
        super().setUp()
        self.dir = self.netd.root + "/run/openvswitch"
        os.makedirs(self.dir)
        self.database = self.dir + "/db.sock"
        sh("ovsdb-tool", "create", self.dir + "/conf.db", "/usr/share/openvswitch/vswitch.ovsschema")
        self.run_daemon("ovsdb-server", self.dir + "/conf.db", "--remote=punix:" + self.database)
        wait_for("ovsdb-server", lambda: os.path.exists(self.database))
        self.vsctl("--no-wait", "init")
        self.switch = self.run_daemon("ovs-vswitchd", "unix:" + self.database,
                                      *([] if DATAPATH == "system" else ["--disable-system"]))
        self.vsctl("add-br", "ovs0", "--", "set", "bridge", "ovs0", "datapath_type=" + DATAPATH)

    def run_daemon(self, name, *args):
        log = open(self.dir + "/" + name + ".log", "wb")
        process = spawn(name, *args, "--unixctl=%s/%s.ctl" % (self.dir, name), stdout=log, stderr=log,
                        env=dict(os.environ, OVS_RUNDIR=self.dir, OVS_LOGDIR=self.dir, OVS_DBDIR=self.dir))
        log.close()
        self.addCleanup(process.wait, 10)
        self.addCleanup(process.kill)
        return process

    def vsctl(self, *args):
        return sh("ovs-vsctl", "--timeout=10", "--db=unix:" + self.database, *args).stdout

    def row(self, table, name):
        doc = json.loads(self.vsctl("--format=json", "list", table, name))
        return dict(zip(doc["headings"], doc["data"][0]))

    def ports(self):
        return self.vsctl("list-ports", "ovs0").split()

    def test_an_interface_is_a_port_with_its_ids_while_the_guest_runs(self):
        self.define(devices=NIC % (MAC, "ovs0", "", "<parameters interfaceid='%s' profileid='gold'/>" % IFACE) +
                    NIC % (OTHER, "ovs0", TRUNK, ""))
        self.virsh("start", "web")
        taps = self.taps()
        self.assertEqual(sorted(self.ports()), sorted(taps))
        first, second = (self.row("Interface", tap) for tap in sorted(taps))
        ids = dict(first["external_ids"][1])
        self.assertEqual(ids, {"attached-mac": MAC, "iface-id": IFACE, "iface-status": "active",
                               "vm-id": "6f3c8d7e-0a1b-4c2d-8e3f-405162738495", "port-profile": "gold"})
        self.assertGreater(first["ofport"], 0)
        # The one without an interfaceid was given one, and the live document says which.
        self.assertIn(dict(second["external_ids"][1])["iface-id"], self.virsh("dumpxml", "web").stdout)
        trunk = self.row("Port", sorted(taps)[1])
        self.assertEqual((trunk["tag"], trunk["trunks"], trunk["vlan_mode"]),
                         (10, ["set", [10, 20]], "native-untagged"))
        self.netd.restart()
        self.assertEqual(sorted(self.ports()), sorted(taps))
        self.virsh("destroy", "web")
        self.assertEqual(self.ports(), [])
        self.nothing_is_left()

    def test_an_interface_comes_and_goes(self):
        self.define(devices="")
        self.virsh("start", "web")
        nic = NIC % (MAC, "ovs0", "<vlan><tag id='7'/></vlan>", "")
        self.virsh("attach-device", "web", "FILE", "--live", xml=nic)
        self.assertEqual(self.ports(), ["vnet0"])
        self.assertEqual(self.row("Port", "vnet0")["tag"], 7)
        self.virsh("detach-device", "web", "FILE", "--live", xml=nic)
        wait_for("it to go", lambda: (self.ports(), self.taps()) == ([], []))

    def test_what_fails_leaves_nothing(self):
        self.define(devices=NIC % (MAC, "ovs0", "", "") + NIC % (OTHER, "none0", "", ""))
        self.assertIn("there is no Open vSwitch bridge 'none0'", self.error("start", "web"))
        self.assertEqual(self.ports(), [])
        self.nothing_is_left()
        self.switch.kill()
        self.switch.wait()
        self.define(devices=NIC % (MAC, "ovs0", "", ""))
        self.assertIn("does ovs-vswitchd run?", self.error("start", "web"))
        self.assertEqual(self.ports(), [])
        self.nothing_is_left()
        os.unlink(self.database)
        self.assertIn("Open vSwitch's database", self.error("start", "web"))
        self.nothing_is_left()

    def test_what_a_killed_netd_forgot_goes(self):
        self.define(devices="")
        self.virsh("start", "web")
        self.vsctl("--no-wait", "add-port", "ovs0", "vnet9", "--", "set", "Interface", "vnet9",
                   "external_ids:vm-id=6f3c8d7e-0a1b-4c2d-8e3f-405162738495")
        self.netd.restart(9)
        wait_for("port to go", lambda: self.ports() == [])

    def test_isolation_is_refused_when_it_is_defined(self):
        xml = self.xml(devices=(NIC % (MAC, "ovs0", "", "")).replace("</interface>", "<port isolated='yes'/></interface>"))
        self.assertIn("Open vSwitch", self.error("define", "FILE", xml=xml))


class OddDatabase(Guests):
    """What answers at the database's socket is not one, or is broken."""

    ANSWERS = [b"", b"no json", b"[1, 2]", b"{}", b'{"result": 3}', b'{"result": [{"error": "odd", "details": "it is odd"}]}',
               b'{"result": [{"rows": "none"}]}', b'{"result": [{"rows": [{"_uuid": 7}]}]}', b'{"result": []}',
               b'{"method": "echo", "params": [], "id": "echo"}' * 3, b"[" * 100000]

    def answer_always(self, listener, answer):
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            with peer, contextlib.suppress(OSError):
                while peer.recv(65536):
                    peer.sendall(answer)
                    if not answer.startswith(b'{"result'):
                        break

    def answer_beside_questions(self, listener):
        """As the database, which may ask whether anybody is there just before it answers, in one piece."""
        decoder = json.JSONDecoder()
        with contextlib.suppress(OSError):
            while True:
                with listener.accept()[0] as peer:
                    text = ""
                    while part := peer.recv(65536):
                        text += part.decode()
                        with contextlib.suppress(json.JSONDecodeError):
                            request, end = decoder.raw_decode(text)
                            text = text[end:]
                            results = [{"count": 1, "rows": [{"next_cfg": 1, "cur_cfg": 1}] if o["table"] == "Open_vSwitch" else []}
                                       for o in request["params"][1:]]
                            peer.sendall(b'{"method": "echo", "params": [], "id": "echo"}' * 20 +
                                         json.dumps({"id": request["id"], "error": None, "result": results}).encode())

    def test_an_answer_behind_questions_is_heard(self):
        folder = self.netd.root + "/run/openvswitch"
        os.makedirs(folder)
        self.define(devices=NIC % (MAC, "ovs0", "", ""))
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(folder + "/db.sock")
            listener.listen(5)
            threading.Thread(target=self.answer_beside_questions, args=(listener,), daemon=True).start()
            self.virsh("start", "web")
            self.virsh("destroy", "web")
            listener.shutdown(socket.SHUT_RDWR)

    def test_every_answer_ends_in_an_error_and_leaves_nothing(self):
        folder = self.netd.root + "/run/openvswitch"
        os.makedirs(folder)
        self.define(devices=NIC % (MAC, "ovs0", "", ""))
        for answer in self.ANSWERS:
            with socket.socket(socket.AF_UNIX) as listener:
                listener.bind(folder + "/db.sock")
                listener.listen(5)
                threading.Thread(target=self.answer_always, args=(listener, answer), daemon=True).start()
                self.assertIn("Open vSwitch", self.error("start", "web"), answer[:60])
                self.nothing_is_left()
                listener.shutdown(socket.SHUT_RDWR)
            os.unlink(folder + "/db.sock")


if __name__ == "__main__":
    netdtest.main()
