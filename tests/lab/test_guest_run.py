#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""`netdctl run` with Debian's kernel on netd-vmm, in the lab (tests/lab/suite: guest-run).

What the commands say is compared with virsh's on a runner without a guest (tests/netns/test_domain_verbs.py); here a
guest sees what they do.
"""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../netns"))
import netdtest
from netdtest import Terminal, built, nat_xml, sh, wait_for

SECOND = "52:54:00:00:00:02"


class Run(netdtest.TestCase):
    def setUp(self):
        super().setUp()
        self.netd.env.update(NETD_VMM=built("vmm/netd-vmm"))
        self.netd.start()
        self.netd.define(nat_xml())
        folder = built("lab/guest-run")
        self.guest = Terminal(built("netd/ctl/netdctl"), "-c", self.netd.uri(), "run", "--kernel", folder + "/vmlinuz",
                              "--initrd", folder + "/initrd", "--network", "default", "--name", "one", "--append", "quiet")
        self.guest.expect("= ready", timeout=120)

    def told(self, command, pattern, seconds=60):
        """What the guest says to a line of its shell."""
        self.guest.type("sh " + command + "\n")
        return self.guest.expect_match(pattern, seconds)

    def detach(self):
        self.netd.ctl("detach-interface", "one", "network", "--mac", SECOND)
        wait_for("the second NIC to go", lambda: SECOND not in self.netd.ctl("domiflist", "one").stdout, timeout=30)

    def driver_is_offered_what_the_document_leaves_on(self):
        path = os.path.join(self.netd.root, "nic.xml")
        with open(path, "w") as f:
            f.write("""<interface type='network'><mac address='%s'/><source network='default'/>
                <driver ioeventfd='off' event_idx='off' rx_queue_size='512' tx_queue_size='1024'><host tso6='off' mrg_rxbuf='off'/><guest csum='off'/></driver>
                </interface>""" % SECOND)
        self.netd.ctl("attach-device", "one", path)
        bits = self.told("sleep 2; cat /sys/class/net/eth1/device/features", "= ([01]{64})")[1]
        # linux/virtio_net.h, linux/virtio_ring.h
        bit = {"csum": 0, "guest csum": 1, "guest tso4": 7, "tso4": 11, "tso6": 12, "mrg_rxbuf": 15, "indirect": 28, "event_idx": 29}
        self.assertEqual({what for what in bit if bits[bit[what]] == "1"}, {"csum", "tso4", "indirect"})
        self.told("ip link set eth1 up; udhcpc -i eth1 -q -n -t 10 -T 1 -s /bin/udhcpc-script", r"= lease: ([\d.]+)/")
        self.detach()

    def an_interface_of_its_own_leads_where_the_document_says(self):
        path = os.path.join(self.netd.root, "nic.xml")
        with open(path, "w") as f:
            f.write("""<interface type='ethernet'><mac address='%s'/>
                <source><ip address='192.168.7.1' prefix='24'/><route address='192.168.42.0' prefix='24' gateway='192.168.7.4'/></source>
                <driver name='qemu' txmode='timer' ioeventfd='off'/><tune><sndbuf>70000</sndbuf></tune>
                <coalesce><rx><frames max='16'/></rx></coalesce></interface>""" % SECOND)
        self.netd.ctl("attach-device", "one", path)
        self.told("sleep 2; ip addr add 192.168.7.4/24 dev eth1; ip addr add 192.168.42.1/32 dev lo; ip link set eth1 up; echo = set",
                  "= set")
        self.assertEqual(sh("ping", "-c", 3, "-i", "0.2", "-W", 5, "192.168.42.1", check=False).returncode, 0)
        self.told("ping -c 2 -W 5 192.168.7.1 >/dev/null; echo = pinged $?", r"= pinged 0\r")
        self.netd.ctl("detach-device", "one", path)
        wait_for("the second NIC to go", lambda: SECOND not in self.netd.ctl("domiflist", "one").stdout, timeout=30)
        self.assertEqual(sh("ip", "route", "show", "192.168.42.0/24").stdout, "")

    def a_standby_stands_behind_a_master(self):
        """The guest's net_failover makes a device above ours, the lower one, and uses that one."""
        path = os.path.join(self.netd.root, "nic.xml")
        for driver in "qemu", "vhost":
            with open(path, "w") as f:
                f.write("""<interface type='network'><mac address='%s'/><source network='default'/>
                    <driver name='%s'/><teaming type='persistent'/><alias name='ua-standby'/></interface>""" % (SECOND, driver))
            self.netd.ctl("attach-device", "one", path)
            found = self.told("sleep 2; cd /sys/class/net; m=$(basename $(readlink eth*/master)); s=$(ls $m | sed -n s/^lower_//p); "
                              "echo = $m $s $(cat $s/device/features) $(cat $s/address)",
                              r"= (eth\d) (eth\d) ([01]{64}) " + SECOND)
            master, standby, bits = found[1], found[2], found[3]
            self.assertEqual((master != standby, bits[62]), (True, "1"))	# VIRTIO_NET_F_STANDBY
            address = self.told("cd /; ip link set eth0 down; ip link set %s up; udhcpc -i %s -q -n -t 10 -T 1 -s /bin/udhcpc-script" %
                                (master, master), r"= lease: ([\d.]+)/")[1]
            self.assertEqual(sh("ping", "-c", 3, "-i", "0.2", "-W", 5, address, check=False).returncode, 0)
            self.told("ip link set eth0 up; echo = up", "= up")
            self.detach()
            self.told("sleep 1; ls /sys/class/net | tr '\\n' ' ' | sed 's/^/= left /'", r"= left eth0 lo")

    def receive_queues_are_the_guest_s_choice(self):
        path = os.path.join(self.netd.root, "nic.xml")
        with open(path, "w") as f:
            f.write("""<interface type='network'><mac address='%s'/><source network='default'/>
                <driver queues='2' rss='on' rss_hash_report='on'/></interface>""" % SECOND)
        self.netd.ctl("attach-device", "one", path)
        bits = self.told("sleep 2; cat /sys/class/net/eth1/device/features", "= ([01]{64})")[1]
        self.assertEqual((bits[57], bits[60]), ("1", "1"))	# VIRTIO_NET_F_HASH_REPORT, _RSS
        address = self.told("ip link set eth0 down; ip link set eth1 up; udhcpc -i eth1 -q -n -t 10 -T 1 -s /bin/udhcpc-script",
                            r"= lease: ([\d.]+)/")[1]
        self.assertEqual(sh("ping", "-c", 3, "-i", "0.2", "-s", 1400, "-W", 5, address, check=False).returncode, 0)
        self.told("ip link set eth0 up; echo = up", "= up")
        self.detach()

    def test_a_guest_from_its_boot_to_its_end(self):
        ctl = self.netd.ctl
        address = self.told("ip link set eth0 up; udhcpc -i eth0 -q -n -t 10 -T 1 -s /bin/udhcpc-script",
                            r"= lease: ([\d.]+)/")[1]
        self.assertIn(address + "/24", ctl("domifaddr", "one").stdout)
        self.assertEqual(sh("ping", "-c", 1, "-W", 5, address, check=False).returncode, 0)
        self.assertGreater(int(re.search(r"vnet0 tx_packets (\d+)", ctl("domifstat", "one", "vnet0").stdout)[1]), 0)

        ctl("domif-setlink", "one", "vnet0", "down")
        self.told("sleep 1; cat /sys/class/net/eth0/carrier", r"= 0\r")
        ctl("domif-setlink", "one", "vnet0", "up")
        self.told("sleep 1; cat /sys/class/net/eth0/carrier", r"= 1\r")

        ctl("attach-interface", "one", "network", "default", "--mac", SECOND)
        self.told("sleep 2; cat /sys/class/net/*/address", "= " + SECOND)
        self.detach()
        self.driver_is_offered_what_the_document_leaves_on()
        self.receive_queues_are_the_guest_s_choice()
        self.a_standby_stands_behind_a_master()
        self.an_interface_of_its_own_leads_where_the_document_says()

        ctl("suspend", "one")
        self.assertNotEqual(sh("ping", "-c", 1, "-W", 2, address, check=False).returncode, 0)
        ctl("resume", "one")
        self.assertEqual(sh("ping", "-c", 1, "-W", 5, address, check=False).returncode, 0)

        self.guest.type("off\n")
        text, status = self.guest.end(60)
        self.assertIn("Power down", text)
        self.assertEqual(status, 0)
        self.assertEqual(ctl("list", "--all", "--name").stdout.strip(), "")
        self.assertNotIn("vnet", sh("ip", "link").stdout)


netdtest.main()
