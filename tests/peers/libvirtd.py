# SPDX-License-Identifier: GPL-2.0-or-later
"""libvirt's own daemon as a peer: in a network namespace of its own, with private state folders."""
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../netns"))
import netdtest
from netdtest import sh, wait_for


class Libvirtd:
    """A libvirtd beside netd; use inside netdtest.main()."""

    def __init__(self, name="peer"):
        self.ns = netdtest.Namespace(name)
        self.dir = tempfile.mkdtemp(prefix="libvirtd-")
        os.chmod(self.dir, 0o755)
        # Its state folders are tmpfs in a mount namespace of its own; the sockets' folder is one
        # of ours, so that clients outside reach it.
        script = """
            mkdir -p /var/lib/libvirt /etc/libvirt/qemu /run/libvirt
            mount -t tmpfs tmpfs /var/lib/libvirt
            mkdir -p /var/lib/libvirt/dnsmasq
            mount -t tmpfs tmpfs /etc/libvirt/qemu
            mount -t tmpfs tmpfs /run
            mkdir -p /run/libvirt
            mount --bind {dir} /run/libvirt
            mount -t tmpfs tmpfs /var/cache/libvirt 2>/dev/null
            exec libvirtd -p {dir}/pid --timeout 0
            """.replace(" --timeout 0", "").format(dir=self.dir)
        self.log = open(os.path.join(self.dir, "log"), "wb")
        self.process = self.ns.spawn("unshare", "--mount", "--propagation", "private", "sh", "-c", script,
                                     stdout=self.log, stderr=self.log)
        self.log.close()
        self.socket = os.path.join(self.dir, "libvirt-sock")
        wait_for("libvirtd", lambda: self.virsh("net-list", check=False).returncode == 0, timeout=30,
                 step=0.2)

    def uri(self):
        return "network:///system?socket=" + self.socket

    def virsh(self, *args, check=True, **kw):
        return sh("virsh", "-c", "qemu:///system?socket=" + self.socket, *args, check=check, **kw)

    def stop(self):
        """Destroys its networks first: it leaves dnsmasq running otherwise."""
        for name in self.virsh("net-list", "--name").stdout.split("\n"):
            if name.strip():
                self.virsh("net-destroy", name.strip(), check=False, timeout=120)
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.ns.delete()
