# SPDX-License-Identifier: GPL-2.0-or-later
"""Who is asked about guests' port profiles: lldpad's end of the conversation in netlink, and sysfs with a virtual function."""
import os
import socket
import struct
import threading

SETLINK, GETLINK, DONE, ERROR = 19, 18, 3, 2
ASSOCIATE, DISASSOCIATE = 2, 3
NESTED = 0x8000
SELF = 0xffffffff


def attribute(kind, data):
    return struct.pack("HH", 4 + len(data), kind) + data + b"\0" * (-len(data) % 4)


def attributes(data):
    found = {}
    while len(data) >= 4:
        length, kind = struct.unpack_from("HH", data)
        found[kind & ~NESTED] = data[4:length]
        data = data[(length + 3) & ~3:]
    return found


class Request:
    """An RTM_SETLINK that lldpad was sent."""

    def __init__(self, message):
        tb = attributes(message[32:])
        info = attributes(attributes(tb[22])[1])
        port = attributes(attributes(tb[24])[1])
        self.ifname = tb[3].rstrip(b"\0").decode()
        self.mac = info[1][4:10].hex(":")
        self.vlan = struct.unpack("III", info[2])[1]
        manager, kind, version = struct.unpack("B3sB3x", port[3])
        self.vsi = manager, int.from_bytes(kind, "little"), version
        self.instance = port[4]
        self.request = port[6][0]


class Lldpad(threading.Thread):
    """Accepts what it is asked for; what the switch says of it is in `responses`, the last one for good (None: nothing
    yet). refusal: an errno with which requests are refused. silent: nothing is answered."""

    def __init__(self, pid_file, responses=(None, 0), refusal=0, silent=False):
        super().__init__(daemon=True)
        self.responses, self.refusal, self.silent = list(responses), refusal, silent
        self.requests = []
        self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        self.socket.bind((0, 0))
        os.makedirs(os.path.dirname(pid_file), exist_ok=True)
        with open(pid_file, "w") as f:
            f.write("%d\n" % self.socket.getsockname()[0])
        self.start()

    def status(self):
        """IFLA_VF_PORTS: another's instance, then that of the last request."""
        response = self.responses.pop(0) if len(self.responses) > 1 else self.responses[0]
        ports = attribute(1, attribute(4, bytes(16)) + attribute(2, struct.pack("I", SELF)) +
                          attribute(7, struct.pack("H", 3)))
        if self.requests:
            ours = attribute(4, self.requests[-1].instance) + attribute(2, struct.pack("I", SELF))
            if response is not None:
                ours += attribute(7, struct.pack("H", response))
            ports += attribute(1 | NESTED, ours)
        return struct.pack("BxHiII", 0, 0, 0, 0, 0) + attribute(24 | NESTED, ports)

    def run(self):
        while True:
            message, sender = self.socket.recvfrom(65536)
            _, kind, _, seq, pid = struct.unpack_from("IHHII", message)
            if kind == SETLINK:
                self.requests.append(Request(message))
                kind, body = ERROR, struct.pack("i", -self.refusal) + message[:16]
            else:
                kind, body = DONE, self.status()
            if not self.silent:
                self.socket.sendto(struct.pack("IHHII", 16 + len(body), kind, 0, seq, pid) + body, sender)


def make_sysfs(root, vf, pf, number):
    """Below root what sysfs says of device `vf` when it is a virtual function of `pf`."""
    devices = os.path.join(root, "devices")
    function, physical = "0000:01:10.%d" % number, "0000:01:00.0"
    for path in (os.path.join(devices, function), os.path.join(devices, physical, "net", pf),
                 os.path.join(root, "class/net", vf)):
        os.makedirs(path)
    os.symlink("../../../devices/" + function, os.path.join(root, "class/net", vf, "device"))
    os.symlink("../" + physical, os.path.join(devices, function, "physfn"))
    os.symlink("../" + function, os.path.join(devices, physical, "virtfn%d" % number))
    for path in (os.path.join(root, "class/net", vf), os.path.join(devices, physical, "net", pf)):
        with open(os.path.join(path, "dev_port"), "w") as f:
            f.write("0\n")
