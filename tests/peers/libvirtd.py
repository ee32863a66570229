# SPDX-License-Identifier: GPL-2.0-or-later
"""libvirt's own daemon as a peer: in a network namespace of its own, with private state folders."""
import glob
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../netns"))
import netdtest
from netdtest import sh, spawn, wait_for

# A monolithic libvirtd takes network:///system for its own even without that driver. Told that it is
# not monolithic, it goes to the network daemon's socket, by the same code as virtqemud.
MODULAR = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdbool.h>

int virStateInitialize(bool privileged, bool mandatory, const char *root, bool monolithic,
		       void *inhibit, void *opaque)
{
	int (*next)(bool, bool, const char *, bool, void *, void *) = dlsym(RTLD_NEXT, "virStateInitialize");

	return next(privileged, mandatory, root, false, inhibit, opaque);
}
"""
DRIVERS = "/usr/lib/x86_64-linux-gnu/libvirt/connection-driver"


class Libvirtd:
    """A libvirtd beside netd; use inside netdtest.main().

    network_socket: that of another daemon for its networks. It then runs without its network
    driver, in the caller's network namespace, and asks there as virtqemud does.
    """

    def __init__(self, name="peer", network_socket=None):
        self.ns = None if network_socket else netdtest.Namespace(name)
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
            {more}
            {run}
            """.format(dir=self.dir, run="LD_PRELOAD=%s/modular.so libvirtd & wait" % self.dir if network_socket else "exec libvirtd -p %s/pid" % self.dir,
                       more=self.without_networks(network_socket) if network_socket else "")
        self.log = open(os.path.join(self.dir, "log"), "wb")
        # QEMUs are orphans that somebody must reap, or libvirtd waits for them: the shell does.
        reaper = ["--pid", "--fork", "--kill-child", "--mount-proc"] if network_socket else []
        self.process = (self.ns.spawn if self.ns else spawn)(
            "unshare", "--mount", "--propagation", "private", *reaper, "sh", "-c", script,
            stdout=self.log, stderr=self.log)
        self.log.close()
        self.socket = os.path.join(self.dir, "libvirt-sock")
        wait_for("libvirtd", lambda: self.virsh("list", check=False).returncode == 0, timeout=30,
                 step=0.2)

    def without_networks(self, network_socket):
        """Shell commands that hide the network driver and let QEMU run without cgroups and labels."""
        drivers = os.path.join(self.dir, "drivers")
        os.mkdir(drivers)
        for path in glob.glob(DRIVERS + "/*.so"):
            if not path.endswith("_network.so"):
                shutil.copy(path, drivers)
        sh("cc", "-shared", "-fPIC", "-x", "c", "-o", self.dir + "/modular.so", "-", input=MODULAR)
        os.symlink(network_socket, os.path.join(self.dir, "virtnetworkd-sock"))
        with open(os.path.join(self.dir, "qemu.conf"), "w") as f:
            f.write('user = "root"\ngroup = "root"\nsecurity_driver = "none"\nnamespaces = []\n'
                    'cgroup_controllers = []\nremember_owner = 0\nstdio_handler = "file"\n')
        return """
            mount --bind %s %s
            mount --bind {dir}/qemu.conf /etc/libvirt/qemu.conf
            """.format(dir=self.dir) % (drivers, DRIVERS)

    def uri(self):
        return "network:///system?socket=" + self.socket

    def virsh(self, *args, check=True, **kw):
        return sh("virsh", "-c", "qemu:///system?socket=" + self.socket, *args, check=check, **kw)

    def stop(self):
        """Destroys its networks first: it leaves dnsmasq running otherwise."""
        for name in self.virsh("net-list", "--name").stdout.split("\n") if self.ns else []:
            if name.strip():
                self.virsh("net-destroy", name.strip(), check=False, timeout=120)
        if self.ns:
            self.process.terminate()
        else:
            self.process.kill()	# its process namespace goes with it
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
        if self.ns:
            self.ns.delete()
        shutil.rmtree(self.dir, ignore_errors=True)
