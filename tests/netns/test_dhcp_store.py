#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Leases on a disk that fails: a damaged database, a full disk; with the server in its sandbox."""
import glob
import os
import signal
import time

import netdtest
import servetest
from netdtest import sh, wait_for


class Store(servetest.ServeTestCase):
    def folder(self, uuid):
        return "%s/leases/%s" % (self.netd.root, uuid)

    def damage(self, path, size):
        """Overwrites the beginning in place: a running server has the file open."""
        with open(path, "r+b") as f:
            f.write(b"\xee" * size)

    def test_a_database_damaged_while_stopped_is_set_aside_and_rebuilt(self):
        self.bridge()
        uuid, _ = self.network()
        g = self.guest("br7")
        ip = g.udhcpc("-x", "hostname:box")["ip"]
        self.harness.send("stop " + uuid)
        wait_for("no server", lambda: not self.server_pids())
        for name in glob.glob(self.folder(uuid) + "/leases.db-wal"):
            os.unlink(name)
        self.damage(self.folder(uuid) + "/leases.db", 100)
        self.network()
        wait_for("the lease again", lambda: [l[:3] for l in self.harness.leases(uuid)] == [[g.mac, ip, "box"]])
        self.assertEqual(len(glob.glob(self.folder(uuid) + "/leases.db.damaged-*[0-9]")), 1)
        self.assertEqual(g.dig("@192.168.7.1", "box"), [ip])
        with open(self.harness.root + "/log", errors="replace") as f:
            self.assertIn("lease database was damaged", f.read())
        # and the new one is as good as the old
        other = self.guest("br7").udhcpc()["ip"]
        os.kill(self.server_pids()[0], signal.SIGKILL)
        wait_for("both leases again", lambda: self.server_pids() and
                 {l[1] for l in self.harness.leases(uuid)} == {ip, other})

    def test_a_full_disk_refuses_new_leases_and_renews_old_ones(self):
        self.bridge()
        self.harness.kill()
        os.makedirs(self.netd.root + "/leases", exist_ok=True)	# a slow harness was killed before it did
        sh("mount", "-t", "tmpfs", "none", self.netd.root + "/leases", "-o", "size=1m,mode=711")
        self.harness.start()
        uuid, _ = self.network("lease=3600")
        g, late = self.guest("br7"), self.guest("br7")
        ip = g.udhcpc()["ip"]
        before = self.harness.leases(uuid, g.mac)
        with open(self.netd.root + "/leases/ballast", "wb", buffering=0) as f:
            with self.assertRaises(OSError):
                while True:
                    f.write(bytes(4096))
        # More rows than the pages at hand have room for: sooner or later one is refused.
        refused = 0
        for n in range(60):
            guest = netdtest.Guest("br7", name="many%d" % n)
            try:
                guest.udhcpc("-t", "1")
            except AssertionError:
                refused += 1
            guest.delete()
            if refused:
                break
        self.assertTrue(refused)
        self.assertGreater(self.harness.stats(uuid)["dhcp4_store_failed"], 0)
        time.sleep(5)		# sooner, the server says what is left of the lease without writing
        self.assertEqual(g.udhcpc()["ip"], ip)
        self.assertNotEqual(self.harness.leases(uuid, g.mac), before)
        os.unlink(self.netd.root + "/leases/ballast")
        self.assertTrue(late.udhcpc()["ip"])


if __name__ == "__main__":
    netdtest.main()
