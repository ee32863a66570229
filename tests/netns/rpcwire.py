# SPDX-License-Identifier: GPL-2.0-or-later
"""libvirt's RPC by hand, for tests of what no well-behaved client does."""
import os
import socket
import struct

PROGRAM, KEEPALIVE = 0x20008086, 0x6b656570
OPEN, CLOSE, LOOKUP_BY_NAME, AUTH_LIST, LIST_ALL_NETWORKS, GET_LIB_VERSION = 1, 2, 46, 66, 283, 157
CREATE, REGISTER_EVENT, LIFECYCLE = 39, 313, 315


def text(value):
    data = value.encode()
    return struct.pack(">I", len(data)) + data + b"\0" * (-len(data) % 4)


def call(proc, payload=b"", serial=0, program=PROGRAM, kind=0, status=0):
    return struct.pack(">IIIiiIi", 28 + len(payload), program, 1, proc, kind, serial, status) + payload


LIST = struct.pack(">II", 1, 3)
OPEN_ARGS = struct.pack(">I", 1) + text("network:///system") + struct.pack(">I", 0)


class Wire:
    def __init__(self, path, open_it=True, timeout=10):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(timeout)
        self.socket.connect(path)
        self.buffer = b""
        if open_it:
            self.ask(AUTH_LIST)
            self.ask(OPEN, OPEN_ARGS)

    def send(self, data):
        self.socket.sendall(data)

    def exactly(self, n):
        while len(self.buffer) < n:
            data = self.socket.recv(65536)
            if not data:
                raise EOFError("the server closed the connection")
            self.buffer += data
        data, self.buffer = self.buffer[:n], self.buffer[n:]
        return data

    def receive(self):
        """(proc, type, serial, status, payload)"""
        length, _, _, proc, kind, serial, status = struct.unpack(">IIIiiIi", self.exactly(28))
        return proc, kind, serial, status, self.exactly(length - 28)

    def ask(self, proc, payload=b""):
        self.send(call(proc, payload))
        got, _, _, status, data = self.receive()
        if got != proc or status != 0:
            raise AssertionError("call %d: reply %d with status %d: %r" % (proc, got, status, data))
        return data

    def closed(self):
        """Waits until the server closes the connection; False when it does not in time."""
        try:
            while self.socket.recv(65536):
                pass
            return True
        except ConnectionError:
            return True
        except TimeoutError:
            return False

    def close(self):
        self.socket.close()


def memory_kib(pid):
    """A process's own memory."""
    with open("/proc/%d/smaps_rollup" % pid) as f:
        return sum(int(line.split()[1]) for line in f if line.startswith(("Private_", "Swap:")))


def open_files(pid):
    return len(os.listdir("/proc/%d/fd" % pid))
