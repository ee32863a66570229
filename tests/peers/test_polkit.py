#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Who may do what: polkit per call, on a bus of the test's own, and users for whom daemons speak."""
import contextlib
import os
import re
import signal
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../netns"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import netdtest
import rpcwire
from netdtest import sh, spawn, wait_for

BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path=%s</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/><allow own="*"/><allow send_type="method_call"/><allow send_type="signal"/>
    <allow send_requested_reply="true"/><allow receive_requested_reply="true"/>
    <allow send_destination="*"/><allow receive_sender="*"/>
  </policy>
</busconfig>"""
# uid 2001 may look, 2002 may manage but not stop the network "kept", and neither start nor redefine the guest
# "kept"; nobody may do nothing at all.
RULES = """
polkit.addRule(function(action, subject) {
    if (action.id == "%(p)s.unix.monitor")
        return subject.user == "nobody" ? polkit.Result.NO : polkit.Result.YES;
    if (action.id == "%(p)s.unix.manage")
        return subject.user == "manager" ? polkit.Result.YES : polkit.Result.NOT_HANDLED;
    if (action.id == "%(p)s.api.network.stop" && action.lookup("network_name") == "kept")
        return polkit.Result.NO;
    if ((action.id == "%(p)s.api.domain.start" || action.id == "%(p)s.api.domain.save") &&
        action.lookup("domain_name") == "kept" && action.lookup("domain_uuid") == "%(uuid)s" &&
        action.lookup("connect_driver") == "netd")
        return polkit.Result.NO;
    if (action.id.indexOf("%(p)s.api.") == 0)
        return polkit.Result.YES;
});
"""
GUEST = """<domain type='kvm'><name>%s</name>%s<memory unit='MiB'>64</memory><vcpu>1</vcpu>
<os><type arch='x86_64'>hvm</type><kernel>/nowhere/vmlinuz</kernel></os></domain>"""
GUEST_UUID = "11111111-2222-3333-4444-555555555555"
USERS = {"viewer": 2001, "manager": 2002, "nobody": 65534}
POLKITD = "/usr/lib/polkit-1/polkitd"


class Polkit(netdtest.TestCase):
    def setUp(self):
        super().setUp()
        self.dir = os.path.join(self.netd.root, "bus")
        os.makedirs(self.dir)
        # polkit's own folders, and users that it knows, for this test alone
        self.mounts = []
        for path in ("/etc/polkit-1/rules.d", "/usr/share/polkit-1/rules.d", "/usr/share/polkit-1/actions"):
            os.makedirs(path, exist_ok=True)
            sh("mount", "-t", "tmpfs", "tmpfs", path, "-o", "mode=755")
            self.mounts.append(path)
        users = "".join("%s:x:%d:%d::/:/bin/sh\n" % (name, uid, uid) for name, uid in USERS.items()
                        if name != "nobody")
        for name in ("passwd", "group"):
            with open("/etc/" + name) as f:
                text = f.read()
            if name == "passwd":
                text += users
            else:
                text += "".join("%s:x:%d:\n" % (n, uid) for n, uid in USERS.items() if n != "nobody")
                text += "netd:x:2100:\n"
            copy = os.path.join(self.dir, name)
            with open(copy, "w") as f:
                f.write(text)
            sh("mount", "--bind", copy, "/etc/" + name)
            self.mounts.append("/etc/" + name)
        self.addCleanup(self.unmount)
        sh("cp", os.path.join(netdtest.SOURCE, "netd/daemon/units/org.netd.policy"), "/usr/share/polkit-1/actions/")
        os.makedirs(self.netd.root + "/etc/netd")
        self.address = "unix:path=" + os.path.join(self.dir, "socket")
        self.netd.env["DBUS_SYSTEM_BUS_ADDRESS"] = self.address
        self.processes = []
        self.addCleanup(self.end_processes)

    def unmount(self):
        for path in reversed(self.mounts):
            sh("umount", "-l", path)

    def end_processes(self):
        for p in self.processes:
            p.kill()
            p.wait()

    def start_bus(self, polkitd=True):
        conf = os.path.join(self.dir, "bus.conf")
        with open(conf, "w") as f:
            f.write(BUS % self.address.split("=")[1])
        self.bus = spawn("dbus-daemon", "--config-file", conf, "--nofork", stderr=subprocess.DEVNULL)
        self.processes.append(self.bus)
        wait_for("the bus", lambda: os.path.exists(self.address.split("=")[1]))
        os.chmod(self.address.split("=")[1], 0o666)
        if polkitd:
            self.start_polkitd()

    def start_polkitd(self):
        log = open(os.path.join(self.dir, "polkitd.log"), "ab")
        self.polkitd = spawn(POLKITD, "--no-debug", env=dict(os.environ, DBUS_SYSTEM_BUS_ADDRESS=self.address),
                             stdout=log, stderr=log)
        log.close()
        self.processes.append(self.polkitd)
        wait_for("polkitd", lambda: "PolicyKit1" in sh(
            "dbus-send", "--bus=" + self.address, "--dest=org.freedesktop.DBus", "--print-reply", "/",
            "org.freedesktop.DBus.ListNames").stdout, timeout=20, step=0.1)

    def configure(self, more="", prefix="org.netd"):
        with open(self.netd.root + "/etc/netd/netd.conf", "w") as f:
            f.write("access = polkit\n" + more)
        with open("/etc/polkit-1/rules.d/10-test.rules", "w") as f:
            f.write(RULES % {"p": prefix, "uuid": GUEST_UUID})

    def virsh(self, user, *args, ro=False):
        uid = str(USERS[user])
        return sh("setpriv", "--reuid", uid, "--regid", uid, "--clear-groups", "virsh",
                  *(["-r"] if ro else []), "-c", "network:///system?socket=" + self.netd.socket + ("-ro" if ro else ""),
                  *args, check=False, input="")

    def assert_refused(self, done, *sentences):
        self.assertNotEqual(done.returncode, 0, done.stdout)
        for sentence in sentences:
            self.assertIn(sentence, done.stderr)

    def test_each_call_is_judged(self):
        self.configure()
        self.start_bus()
        self.netd.start()
        for name, bridge, net in (("kept", "vkept0", 61), ("other", "vother0", 62)):
            self.netd.define(netdtest.nat_xml(name, bridge, net))	# root is not asked
        # who may look, looks
        self.assertIn("kept", self.virsh("viewer", "net-list", ro=True).stdout)
        self.assert_refused(self.virsh("viewer", "net-destroy", "other", ro=True), "read only access prevents")
        self.assert_refused(self.virsh("nobody", "net-list", ro=True), "authentication failed: access denied by policy")
        # who may not manage does not get in; an administrator's password would help
        self.assert_refused(self.virsh("viewer", "net-list"), "authentication unavailable: no polkit agent "
                            "available to authenticate action 'org.netd.unix.manage'")
        # who may, is judged call by call, and by network
        self.assertIn("other", self.virsh("manager", "net-list").stdout)
        self.assert_refused(self.virsh("manager", "net-destroy", "kept"), "access denied: user 2002 may not do "
                            "'org.netd.api.network.stop': access denied by policy")
        uid = str(USERS["manager"])
        done = sh("setpriv", "--reuid", uid, "--regid", uid, "--clear-groups", netdtest.built("netd/ctl/netdctl"),
                  "-c", self.netd.uri(), "net-info", "other", check=False)
        self.assertIn("Active:         yes", done.stdout, done.stderr)
        done = self.virsh("manager", "net-destroy", "other")
        self.assertEqual(done.returncode, 0, done.stderr)
        done = self.virsh("manager", "net-start", "other")
        self.assertEqual(done.returncode, 0, done.stderr)
        # a refused document is not even read
        with open("/run/bad.xml", "w") as f:
            f.write("<network><unclosed>")
        os.chmod("/run/bad.xml", 0o644)
        with open("/etc/polkit-1/rules.d/05-test.rules", "w") as f:
            f.write('polkit.addRule(function(action) { if (action.id == "org.netd.api.network.save") '
                    'return polkit.Result.NO; });')
        wait_for("the new rule", lambda: "network.save" in self.virsh("manager", "net-define", "/run/bad.xml").stderr,
                 timeout=10, step=0.3)
        self.assertNotIn("unclosed", self.virsh("manager", "net-define", "/run/bad.xml").stderr)
        self.assertEqual(self.netd.ctl("net-list", "--name").stdout.split(), ["kept", "other"])

    def test_guests_calls_are_judged(self):
        self.configure()
        self.start_bus()
        self.netd.start()
        for name, uuid in (("kept", "<uuid>%s</uuid>" % GUEST_UUID), ("other", "")):
            with open("/run/guest.xml", "w") as f:
                f.write(GUEST % (name, uuid))
            self.netd.ctl("define", "/run/guest.xml")
        with open("/run/nic.xml", "w") as f:
            f.write("<interface type='network'><source network='default'/></interface>")
        os.chmod("/run/nic.xml", 0o644)
        refused = "access denied: user 2002 may not do 'org.netd.api.domain.%s': access denied by policy"
        self.assert_refused(self.virsh("manager", "start", "kept"), refused % "start")
        done = self.virsh("manager", "start", "other")	# it may, and then there is no such kernel
        self.assertIn("/nowhere/vmlinuz", done.stderr)
        self.assertNotIn("access denied", done.stderr)
        # the definition is guarded, what runs is not: by the flags of one and the same call
        self.assert_refused(self.virsh("manager", "attach-device", "kept", "/run/nic.xml", "--config"),
                            refused % "save")
        self.assert_refused(self.virsh("manager", "attach-device", "kept", "/run/nic.xml", "--current"),
                            refused % "save")
        done = self.virsh("manager", "attach-device", "kept", "/run/nic.xml", "--live")
        self.assertIn("domain is not running", done.stderr)
        self.assertNotIn("access denied", done.stderr)
        done = self.virsh("manager", "attach-device", "other", "/run/nic.xml", "--config")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(GUEST_UUID, self.virsh("manager", "dumpxml", GUEST_UUID).stdout)
        self.assertIn("kept", self.virsh("viewer", "list", "--all", ro=True).stdout)
        self.assertEqual(self.virsh("manager", "undefine", "other").returncode, 0)
        self.assertEqual(self.netd.ctl("list", "--all", "--name").stdout.split(), ["kept"])

    def test_each_action_that_is_asked_for_is_in_the_policy(self):
        source = os.path.join(netdtest.SOURCE, "netd/daemon/")
        with open(source + "access.c") as f:
            rules = re.findall(r'^	\{ "(\w+)", ([A-Z]+), "([a-z-]+)", (?:NULL|"([a-z-]+)"), \w+(?:, \w+)? \},$', f.read(),
                               re.M)
        names = {"CONNECT": "connect", "NETWORK": "network", "PORT": "network-port", "DOMAIN": "domain",
                 "FILTER": "nwfilter", "BINDING": "nwfilter-binding"}
        asked = {"org.netd.api.%s.%s" % (names[o], p) for _, o, *both in rules for p in both if p}
        asked |= {"org.netd.api.%s.%s" % (o, p) for o in ("connect", "domain") for p in ("read", "write")}
        with open(source + "units/org.netd.policy") as f:
            there = set(re.findall('<action id="(.*?)">', f.read()))
        self.assertEqual(there, asked | {"org.netd.unix.monitor", "org.netd.unix.manage"})
        # and no call of a guest or a network is judged by the rule for what is in no table
        calls = set()
        for name in ("network", "port", "netd", "domain", "domain_life", "domain_nic", "nwfilter"):
            with open(source + "calls_%s.c" % name) as f:
                calls |= set(re.findall(r'_PROC_[A-Z0-9_]+,\s+"(\w+)"', f.read()))
        self.assertGreater(len(calls), 80)
        self.assertEqual({c for c in calls if c.startswith(("virNetwork", "virNWFilter", "virDomain", "netdNetwork"))} -
                         {api for api, *_ in rules}, set())

    def test_libvirts_actions(self):
        """Where libvirt's policy is installed its own rules hold."""
        self.configure("polkit_prefix = org.libvirt\n", "org.libvirt")
        with open(os.path.join(netdtest.SOURCE, "netd/daemon/units/org.netd.policy")) as f:
            text = f.read().replace("org.netd.", "org.libvirt.")
        with open("/usr/share/polkit-1/actions/org.libvirt.policy", "w") as f:
            f.write(text)
        self.start_bus()
        self.netd.start()
        self.netd.define(netdtest.nat_xml("kept", "vkept0", 61))
        self.assert_refused(self.virsh("manager", "net-destroy", "kept"), "'org.libvirt.api.network.stop'")

    def test_polkit_that_is_dead_or_slow(self):
        self.configure()
        self.netd.start()
        self.netd.define(netdtest.nat_xml("kept", "vkept0", 61))
        self.assert_refused(self.virsh("manager", "net-list"), "polkit cannot be asked: no system bus")
        self.start_bus(polkitd=False)
        self.assert_refused(self.virsh("manager", "net-list"), "authentication failed: polkit does not answer")
        self.start_polkitd()
        self.assertIn("kept", self.virsh("manager", "net-list").stdout)
        # one that hangs holds up nobody else
        self.polkitd.send_signal(signal.SIGSTOP)
        uid = str(USERS["manager"])
        waiting = spawn("setpriv", "--reuid", uid, "--regid", uid, "--clear-groups", "virsh", "-c",
                        self.netd.uri(), "net-list", stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        time.sleep(0.3)
        began = time.monotonic()
        self.assertIn("kept", self.netd.ctl("net-list").stdout)
        self.assertLess(time.monotonic() - began, 2)
        self.assertIsNone(waiting.poll())
        self.polkitd.send_signal(signal.SIGCONT)
        self.assertIn("kept", waiting.communicate(timeout=20)[0])
        # the bus ends and comes again
        self.end_processes()
        self.processes.clear()
        os.unlink(self.address.split("=")[1])
        self.assert_refused(self.virsh("manager", "net-list"), "polkit")
        self.start_bus()
        self.assertIn("kept", self.virsh("manager", "net-list").stdout)

    # ---- identity ----

    def identity(self, **keys):
        types = {"unix_user_id": 4, "unix_group_id": 4, "process_id": 3, "process_time": 4, "user_name": 7}
        body = struct.pack(">I", len(keys))
        for key, value in keys.items():
            name = key.replace("_", "-").encode()
            body += struct.pack(">I", len(name)) + name + b"\0" * (-len(name) % 4) + struct.pack(">i", types[key])
            if types[key] == 7:
                value = value.encode()
                body += struct.pack(">I", len(value)) + value + b"\0" * (-len(value) % 4)
            else:
                body += struct.pack(">Q", value)
        return body + struct.pack(">I", 0)

    @contextlib.contextmanager
    def process_of(self, uid, groups=()):
        """A process of the user, and its start time."""
        more = ["--groups", ",".join(map(str, groups))] if groups else ["--clear-groups"]
        p = spawn("setpriv", "--reuid", str(uid), "--regid", str(uid), *more, "sleep", "60")
        try:
            wait_for("the process", lambda: os.readlink("/proc/%d/exe" % p.pid).endswith("sleep"))
            with open("/proc/%d/stat" % p.pid) as f:
                yield p.pid, int(f.read().rsplit(")", 1)[1].split()[19])
        finally:
            p.kill()
            p.wait()

    def call(self, s, proc, body=b""):
        """(status, payload) of one call."""
        s.send(rpcwire.call(proc, body))
        return s.receive()[3:]

    def judged_as(self, **keys):
        """What becomes of the destruction of "kept", and of a look at it, by a daemon that speaks so."""
        s = rpcwire.Wire(self.netd.socket)
        self.addCleanup(s.close)
        uuid = bytes.fromhex(self.netd.ctl("net-uuid", "kept").stdout.strip().replace("-", ""))
        net = struct.pack(">I", 4) + b"kept" + uuid
        self.assertEqual(self.call(s, 419, self.identity(**keys))[0], 0)
        looked = self.call(s, 152, net)
        status, body = self.call(s, 42, net)
        if status == 0:
            self.netd.ctl("net-start", "kept")
        return looked[0], status, body

    def test_a_daemon_speaks_for_its_user(self):
        self.configure()
        self.start_bus()
        self.netd.start()
        self.netd.define(netdtest.nat_xml("kept", "vkept0", 61))
        with self.process_of(USERS["manager"]) as (pid, start):
            who = dict(unix_user_id=USERS["manager"], unix_group_id=USERS["manager"], process_id=pid)
            looked, status, body = self.judged_as(process_time=start, **who)
            self.assertEqual((looked, status), (0, 1))
            self.assertIn(b"user 2002 may not do 'org.netd.api.network.stop'", body)
            looked, status, body = self.judged_as(process_time=start + 1, **who)	# another process
            self.assertEqual((looked, status), (1, 1))
        looked, status, body = self.judged_as(unix_user_id=2002)
        self.assertEqual((looked, status), (1, 1))
        self.assertIn(b"the process that asks has ended, or is not known", body)
        self.assertEqual(self.judged_as(unix_user_id=0)[:2], (0, 0))

    def test_a_daemon_speaks_for_its_user_and_the_group_decides(self):
        self.netd.start()
        self.netd.define(netdtest.nat_xml("kept", "vkept0", 61))
        who = dict(unix_user_id=2001, unix_group_id=2001, user_name="viewer")
        with self.process_of(2001) as (pid, start):
            looked, status, body = self.judged_as(process_id=pid, process_time=start, **who)
            self.assertEqual((looked, status), (0, 1))
            self.assertIn(b"user 2001 (viewer) is not in the group that may change networks: virNetworkDestroy", body)
        with self.process_of(2001, groups=[2100]) as (pid, start):
            self.assertEqual(self.judged_as(process_id=pid, process_time=start, **who)[:2], (0, 0))
            self.assertEqual(self.judged_as(process_id=pid, process_time=start + 1, **who)[:2], (0, 1))
        self.assertEqual(self.judged_as(unix_user_id=2001, unix_group_id=2100)[:2], (0, 0))
        self.assertEqual(self.judged_as(unix_user_id=0)[:2], (0, 0))
        # nobody else may say who he is
        sh("chmod", "666", self.netd.socket)
        script = ("import sys; sys.path[:0] = %r; import rpcwire, test_polkit; t = test_polkit.Polkit; "
                  "s = rpcwire.Wire(%r); "
                  "print(t.call(t, s, 419, t.identity(t, unix_user_id=0)))" % (
                      [os.path.dirname(os.path.abspath(__file__)), os.path.join(netdtest.SOURCE, "tests/netns")],
                      self.netd.socket))
        done = sh("setpriv", "--reuid", "2001", "--regid", "2001", "--groups", "2100", sys.executable, "-c", script,
                  env={netdtest.INSIDE: "1"})
        self.assertIn("only root may set an identity", done.stdout)


if __name__ == "__main__":
    netdtest.main()
