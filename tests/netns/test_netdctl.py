#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""netdctl's own commands and manners, with the daemon: JSON, plans, plugging, the shell, other ways in."""
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import netdtest
from netdtest import built, nat_xml, sh, spawn, wait_for

NETDCTL = built("netd/ctl/netdctl")


class Netdctl(netdtest.TestCase):
    def setUp(self):
        super().setUp()
        self.netd.start()
        self.netd.define(nat_xml("lab", "vlab0", 77), start=False)

    def ctl(self, *args, **kw):
        return self.netd.ctl(*args, **kw)

    def json(self, *args, **kw):
        return json.loads(self.ctl(*args, "--json", **kw).stdout)

    def refused(self, *args, **kw):
        done = self.ctl(*args, check=False, **kw)
        self.assertEqual(done.returncode, 1)
        return done.stderr

    def test_json(self):
        uuid = self.json("net-uuid", "lab")
        self.assertRegex(uuid, "^[0-9a-f-]{36}$")
        self.assertEqual(self.json("net-name", uuid), "lab")
        self.assertEqual(self.json("net-list", "--all"), [
            {"name": "lab", "uuid": uuid, "active": False, "persistent": True, "autostart": False}])
        self.assertEqual(self.json("net-list"), [])
        self.ctl("net-start", "lab")
        self.ctl("net-autostart", "lab")
        self.assertEqual(self.json("net-info", "lab"),
                         {"name": "lab", "uuid": uuid, "active": True, "persistent": True,
                          "autostart": True, "bridge": "vlab0"})
        guest = self.guest("vlab0")
        address = guest.udhcpc()["ip"]
        leases = self.json("net-dhcp-leases", "lab")
        self.assertEqual([(l["address"], l["mac"], l["protocol"]) for l in leases],
                         [(address, guest.mac, "ipv4")])
        self.assertGreater(leases[0]["expiry"], time.time())
        self.assertIn("<name>lab</name>", self.json("net-dumpxml", "lab")["xml"])
        self.assertEqual(self.json("version")["netd"], self.json("version")["netdctl"])
        self.assertEqual(self.json("net-port-list", "lab"), [])

    def test_quiet_prints_only_data(self):
        self.assertEqual(self.ctl("-q", "net-start", "lab").stdout, "")
        self.assertEqual(self.ctl("-q", "net-list", "--name").stdout, "lab\n")
        self.assertEqual(self.ctl("-q", "net-destroy", "lab").stdout, "")

    def test_plan(self):
        plan = self.json("net-plan", "lab")
        self.assertEqual(plan["plan"], [re.sub("^[+] ?", "", l) for l in plan["difference"]])
        self.assertTrue(any(l.startswith("bridge vlab0") for l in plan["plan"]), plan)
        self.ctl("net-start", "lab")
        self.assertEqual(self.json("net-plan", "lab")["difference"], [])
        self.assertEqual(self.ctl("net-plan", "lab", "--diff").stdout.strip(), "none")
        with tempfile.NamedTemporaryFile("w", suffix=".xml") as f:
            f.write(nat_xml("other", "vother0", 78))
            f.flush()
            self.assertIn("bridge vother0", self.ctl("net-plan", f.name).stdout)
        self.assertNotIn("other", self.ctl("net-list", "--all").stdout)
        with tempfile.TemporaryDirectory() as d:	# a folder of the network's name is no document
            os.mkdir(d + "/lab")
            done = subprocess.run([NETDCTL, "-c", self.netd.uri(), "net-plan", "lab"], cwd=d, capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_plug_and_unplug(self):
        self.ctl("net-start", "lab")
        port = self.json("net-plug", "lab", "--ifname", "tapx", "--mac", "52:54:00:00:77:01")
        self.assertEqual((port["ifname"], port["mac"], port["network"]),
                         ("tapx", "52:54:00:00:77:01", "lab"))
        self.assertIn("master vlab0", sh("ip", "link", "show", "tapx").stdout)
        self.assertEqual(self.json("net-port-list", "lab"), [{"uuid": port["port"]}])
        self.ctl("net-unplug", "lab", "52:54:00:00:77:01")
        self.assertEqual(self.json("net-port-list", "lab"), [])
        self.assertNotEqual(sh("ip", "link", "show", "tapx", check=False).returncode, 0)
        self.assertIn("nope", self.refused("net-unplug", "lab", "nope"))

    def test_plug_exec_passes_descriptors(self):
        self.ctl("net-start", "lab")
        script = ('test %fd = "$NETD_FDS" && test %ifname = "$NETD_IFNAME" && test %mac = "$NETD_MAC" && '
                  'readlink /proc/self/fd/%fd && cat /sys/class/net/%ifname/carrier; exit 7')
        done = self.ctl("net-plug", "lab", "--exec", "--", "sh", "-c", script, check=False)
        self.assertEqual((done.returncode, done.stdout), (7, "/dev/net/tun\n1\n"), done.stderr)
        self.assertEqual(len(self.json("net-port-list", "lab")), 1)

    def test_plug_temporary_unplugs_at_the_end(self):
        self.ctl("net-start", "lab")
        command = spawn(NETDCTL, "-c", self.netd.uri(), "net-plug", "lab", "--ifname", "tapt",
                        "--temporary", "--exec", "sleep", "60")
        wait_for("the port", lambda: len(self.json("net-port-list", "lab")) == 1)
        child = sh("pgrep", "-P", command.pid).stdout.strip()
        os.kill(int(child), signal.SIGTERM)
        self.assertEqual(command.wait(20), 1)
        self.assertEqual(self.json("net-port-list", "lab"), [])
        self.assertNotEqual(sh("ip", "link", "show", "tapt", check=False).returncode, 0)

    def test_validate_names_the_line(self):
        with tempfile.TemporaryDirectory() as d:
            good, bad = os.path.join(d, "good.xml"), os.path.join(d, "bad.xml")
            with open(good, "w") as f:
                f.write(nat_xml("x", "vx0", 79))
            with open(bad, "w") as f:
                f.write("<network>\n  <name>x</name>\n  <forward mode='foo'/>\n</network>\n")
            env = {"NETD_SCHEMAS": os.path.join(netdtest.SOURCE, "xml-schemas"),
                   "NETD_SOCKET": "/nonexistent"}
            self.assertEqual(sh(NETDCTL, "net-validate", good, env=env).stdout, good + " validates\n\n")
            done = sh(NETDCTL, "net-validate", bad, env=env, check=False)
            self.assertEqual(done.returncode, 1)
            self.assertIn("line 3", done.stderr)
            self.assertIn("foo", done.stderr)
            done = sh(NETDCTL, "net-validate", bad, "--json", env=env, check=False)
            self.assertEqual(json.loads(done.stdout)["valid"], False)

    def test_hold_and_release(self):
        self.ctl("net-start", "lab")
        self.ctl("net-hold", "lab")
        sh("ip", "link", "set", "vlab0", "mtu", "1400")
        time.sleep(0.5)
        self.assertIn("mtu 1400", sh("ip", "link", "show", "vlab0").stdout)
        self.assertIn("mtu", self.ctl("net-plan", "lab", "--diff").stdout)
        self.ctl("net-release", "lab")
        wait_for("the repair", lambda: "mtu 1500" in sh("ip", "link", "show", "vlab0").stdout)

    def test_capture(self):
        self.ctl("net-start", "lab")
        guest = self.guest("vlab0")
        with tempfile.TemporaryDirectory() as d:
            file = os.path.join(d, "x.pcap")
            record = spawn(NETDCTL, "-c", self.netd.uri(), "net-capture", "lab", "-w", file, "-c", "2",
                           "--timeout", "20", "udp", "port", "67", stderr=subprocess.DEVNULL)
            show = spawn(NETDCTL, "-c", self.netd.uri(), "net-capture", "vlab0", "--timeout", "20",
                         "-c", "2", "udp", "port", "67", stdout=subprocess.PIPE,
                         stderr=subprocess.DEVNULL, text=True)
            time.sleep(0.5)
            guest.udhcpc()
            self.assertEqual(record.wait(25), 0)
            with open(file, "rb") as f:
                self.assertEqual(f.read(4), b"\xd4\xc3\xb2\xa1")
            text = show.communicate(timeout=25)[0]
            self.assertIn("%s > ff:ff:ff:ff:ff:ff 0.0.0.0.68 > 255.255.255.255.67: UDP DHCP DISCOVER"
                          % guest.mac, text)
            self.assertIn("DHCP OFFER", text)
        self.assertIn("neither a network nor a device", self.refused("net-capture", "nope"))
        self.assertIn("filter", self.refused("net-capture", "lab", "not", "a", "filter"))

    def test_commands_from_stdin_and_in_one_argument(self):
        done = self.ctl("-q", input="net-list --all --name # comment\nnet-name 'x y'\nnet-uuid lab\n", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stdout.split("\n")[0], "lab")
        self.assertIn("failed to get network 'x y'", done.stderr)
        self.assertEqual(self.ctl("net-start lab; net-destroy lab").stdout,
                         "Network lab started\n\nNetwork lab destroyed\n\n")

    def test_edit(self):
        self.ctl("net-edit", "lab", env={"EDITOR": "sed -i s/77.254/77.200/"})
        self.assertIn("end='192.168.77.200'", self.ctl("net-dumpxml", "lab").stdout)
        self.assertIn("not changed", self.ctl("net-edit", "lab", env={"EDITOR": "true"}).stdout)
        self.assertIn("failed", self.refused("net-edit", "lab", env={"EDITOR": "false"}))
        self.assertIn("XML", self.refused("net-edit", "lab", env={"EDITOR": "sed -i s/network/netwrok/"}))
        self.assertIn("changed by another user", self.refused(
            "net-edit", "lab", env={"EDITOR": "%s -q -c '%s' net-update lab add "
                                    "dns-txt '<txt name=\"a\" value=\"b\"/>' --config; sed -i s/77.200/77.201/"
                                    % (NETDCTL, self.netd.uri())}))

    def test_events(self):
        watch = spawn(NETDCTL, "-c", self.netd.uri(), "net-event", "--all", "--loop", "--timeout", "20",
                      "--timestamp", stdout=subprocess.PIPE, text=True)
        as_json = spawn(NETDCTL, "-c", self.netd.uri(), "net-event", "--event", "lifecycle", "--timeout", "20",
                        "--json", stdout=subprocess.PIPE, text=True)
        time.sleep(0.5)
        self.ctl("net-start", "lab")
        self.ctl("net-desc", "lab", "text")
        self.ctl("net-destroy", "lab")
        event = json.loads(as_json.communicate(timeout=20)[0])
        self.assertEqual((event["event"], event["network"], event["detail"]), ("lifecycle", "lab", "Started"))
        time.sleep(0.3)
        watch.send_signal(signal.SIGINT)
        text = watch.communicate(timeout=20)[0]
        self.assertEqual(watch.returncode, 0)
        text = re.sub(r"(?m)^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}\+0000: ", "", text)
        self.assertEqual(text, "event 'lifecycle' for network lab: Started\n"
                         "event 'metadata-change' for network lab: type description, uri N/A\n"
                         "event 'lifecycle' for network lab: Stopped\n"
                         "event loop interrupted\nevents received: 3\n\n")

    def test_destroy_all(self):
        for i in range(15):
            self.netd.define(nat_xml("many%d" % i, "vmany%d" % i, 150 + i))
        self.assertEqual(self.ctl("net-destroy", "--all", timeout=120).stdout, "15 networks destroyed\n\n")
        self.assertEqual(self.json("net-list"), [])

    def test_read_only(self):
        self.assertIn("read only access prevents virNetworkCreate", self.refused("-r", "net-start", "lab"))
        ro = "network:///system?socket=%s-ro" % self.netd.socket
        done = sh(NETDCTL, "-c", ro, "net-start", "lab", check=False)
        self.assertIn("read only access prevents virNetworkCreate", done.stderr)
        self.assertIn("lab", sh(NETDCTL, "-c", ro, "net-list", "--all").stdout)

    def test_through_ssh(self):
        with tempfile.TemporaryDirectory() as d:
            ssh = os.path.join(d, "ssh")
            with open(ssh, "w") as f:
                f.write('#!/bin/sh\necho "$@" > %s/args\nPATH=%s:$PATH\n'
                        'while [ $# -gt 1 ]; do shift; done\nexec sh -c "$1"\n'
                        % (d, os.path.dirname(NETDCTL)))
            os.chmod(ssh, 0o755)
            uri = "netd+ssh://joe@far.example:2222/system?socket=%s&command=%s" % (self.netd.socket, ssh)
            self.assertEqual(sh(NETDCTL, "-c", uri, "net-start", "lab").stdout, "Network lab started\n\n")
            with open(d + "/args") as f:
                self.assertRegex(f.read(), "-p 2222 -l joe -- far.example netdctl proxy '.*netd-sock'")
            done = sh(NETDCTL, "-c", uri.replace(self.netd.socket, "/nonexistent"), "net-list", check=False)
            self.assertEqual(done.returncode, 1)
            self.assertIn("/nonexistent", done.stderr)

    def test_through_a_real_ssh(self):
        d = tempfile.mkdtemp(dir=self.netd.root)
        self.sshd(d, os.path.dirname(NETDCTL))
        uri = "netd+ssh://root@127.0.0.1:2222/system?socket=%s&keyfile=%s/user" % (self.netd.socket, d)
        self.assertEqual(sh(NETDCTL, "-c", uri, "net-start", "lab").stdout, "Network lab started\n\n")
        self.assertEqual(sh(NETDCTL, "-c", uri, "net-list", "--name").stdout, self.ctl("net-list", "--name").stdout)
        self.assertEqual(sh(NETDCTL, "-c", uri, "net-dumpxml", "lab").stdout, self.ctl("net-dumpxml", "lab").stdout)
        self.assertIn("Network not found", sh(NETDCTL, "-c", uri, "net-info", "nope", check=False).stderr)
        done = sh(NETDCTL, "-c", uri.replace("/user", "/host"), "net-list", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("Permission denied", done.stderr)

    def test_shell_completes_and_remembers(self):
        home = tempfile.TemporaryDirectory()
        shell = netdtest.Terminal("env", "-u", "XDG_CACHE_HOME", NETDCTL,
                                  env={"HOME": home.name, "NETD_SOCKET": self.netd.socket})
        shell.expect("netdctl # ")
        shell.type("net-star\t")
        shell.expect("net-star")
        shell.expect("t ")
        shell.type("la\t\n")
        shell.expect("Network lab started")
        shell.expect("netdctl # ")
        shell.type("quit\n")
        self.assertEqual(shell.end()[1], 0)
        with open(home.name + "/.cache/netdctl/history") as f:
            self.assertIn("quit", f.read())
        home.cleanup()

    def test_without_a_daemon(self):
        done = sh(NETDCTL, "-c", "netd:///system?socket=/nonexistent/sock", "net-list", check=False)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertEqual(done.stderr.split("\n")[1],
                         "error: Failed to connect socket to '/nonexistent/sock': No such file or directory")

    def test_a_daemon_that_restarts_under_the_shell(self):
        shell = spawn(NETDCTL, "-c", self.netd.uri(), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                      stderr=subprocess.PIPE, text=True)
        shell.stdin.write("net-list --all --name\n")
        shell.stdin.flush()
        self.assertEqual(shell.stdout.readline(), "lab\n")
        self.netd.restart()
        shell.stdin.write("net-list --all\nnet-list --all --name\n")
        out, err = shell.communicate(timeout=20)
        self.assertIn("lab\n", out)
        self.assertIn("connecting again", err)


netdtest.main()
