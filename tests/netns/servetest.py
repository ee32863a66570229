# SPDX-License-Identifier: GPL-2.0-or-later
"""What tests of netd-serve share: serve_harness in netd's place, a bridge, guests."""
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time

import netdtest
from netdtest import sh, wait_for

UUID = "3f2e1c77-0f6d-4f0e-8f55-3fcb0d9b2a%02x"


class Harness:
    """serve_harness: send() asks and returns the lines of the answer; events are kept aside."""

    def __init__(self, root):
        self.root = root
        self.log = open(os.path.join(root, "log"), "ab")
        self.start()

    def start(self):
        self.events = []
        self.answers = queue.Queue()
        self.process = subprocess.Popen(
            [netdtest.built("tests/netns/serve_harness"), netdtest.built("netd/serve/netd-serve"),
             self.root + "/run", self.root + "/leases"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True, bufsize=1,
            start_new_session=True)
        self.reader = threading.Thread(target=self._read, args=(self.process.stdout,), daemon=True)
        self.reader.start()

    def _read(self, pipe):
        for line in pipe:
            word = line.split(" ", 1)[0].strip()
            if word in ("event", "died", "restarted"):
                self.events.append((time.monotonic(), line.strip()))
            else:
                self.answers.put(line.strip())

    def send(self, line, timeout=20):
        """Raises on an error; returns the lines before "ok" and what follows "ok"."""
        self.process.stdin.write(line + "\n")
        lines = []
        while True:
            answer = self.answers.get(timeout=timeout)
            if answer.startswith("error"):
                raise AssertionError("%s: %s" % (line, answer))
            if answer.split(" ")[0] == "ok":
                return lines, answer[3:]
            lines.append(answer)

    def event(self, text, timeout=5.0, after=0.0):
        """Waits for an event that contains text; returns when it came."""
        return wait_for("event %r" % text, lambda: next(
            (t for t, line in self.events if text in line and t >= after), None), timeout, 0.001)

    def leases(self, uuid, mac=""):
        return [line.split()[1:] for line in self.send("leases %s %s" % (uuid, mac))[0]]

    def stats(self, uuid):
        return {w[1]: int(w[2]) for w in (line.split() for line in self.send("stats " + uuid)[0])}

    def kill(self, sig=signal.SIGKILL):
        self.process.send_signal(sig)
        self.process.wait(10)
        self.process.stdin.close()
        self.reader.join(10)
        self.process.stdout.close()


class ServeTestCase(netdtest.TestCase):
    def setUp(self):
        super().setUp()
        os.chmod(self.netd.root, 0o755)
        self.harness = Harness(self.netd.root)

    def tearDown(self):
        if self.harness.process.poll() is None:
            self.harness.kill()
        self.harness.log.close()
        with open(self.harness.root + "/log", errors="replace") as f:
            self.netd.log_text = f.read()
        self.netd.log = lambda: self.netd.log_text
        super().tearDown()

    def bridge(self, name="br7", address="192.168.7.1/24"):
        # a MAC of its own, or it changes with the ports
        sh("ip", "link", "add", name, "address", "52:54:00:ff:00:%02x" % int(name[2:]), "type", "bridge",
           "forward_delay", "0")
        sh("ip", "addr", "add", address, "dev", name)
        sh("ip", "link", "set", name, "up")
        return name

    def network(self, options="", number=1, verb="start"):
        """Starts (or updates) network 192.168.7.0/24 on br7; returns its UUID and the time in ms."""
        uuid = UUID % number
        done = self.harness.send("%s %s br%d 192.168.%d.1/24 %s" % (
            verb, uuid, 6 + number, 6 + number, options))
        return uuid, float(done[1])

    def server_pids(self):
        """Pids of servers at work: those that gave up root."""
        pids = []
        for pid in self.netd.serve_pids():
            try:
                with open("/proc/%d/status" % pid) as f:
                    uid = next(int(line.split()[1]) for line in f if line.startswith("Uid:"))
            except OSError:
                continue
            if uid >= 900000:
                pids.append(pid)
        return pids
