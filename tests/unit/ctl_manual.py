#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The manual names every command and option that netdctl has, and bash completes them."""
import os
import subprocess
import sys
import unittest

netdctl, source = os.path.abspath(sys.argv.pop(1)), sys.argv.pop(1)


def propose(*words):
    done = subprocess.run([netdctl, "-c", "/nonexistent", "complete", "--", *words],
                          capture_output=True, text=True, check=True)
    return done.stdout.split()


def bash_propose(*words):
    script = ('source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _netdctl; '
              'printf "%s\\n" "${COMPREPLY[@]}"')
    done = subprocess.run(["bash", "--norc", "-c", script, "bash", source + "/netd/ctl/netdctl.bash",
                           netdctl, "-c", "/nonexistent", *words],
                          capture_output=True, text=True, check=True)
    return done.stdout.split()


class Manual(unittest.TestCase):
    def setUp(self):
        with open(source + "/man/netdctl.1") as f:
            self.text = f.read().replace("\\-", "-").replace("\\fR", " ").replace("\\fP", " ")

    def test_every_command_and_option_is_described(self):
        commands = propose("")
        self.assertGreater(len(commands), 30)
        missing = [c for c in commands if c not in self.text]
        for command in commands:
            # the arguments that stand without their names are described by their values
            missing += ["%s %s" % (command, option) for option in propose(command, "--")
                        if option not in self.text and option[2:].upper() not in self.text
                        and option not in ("--network", "--interface", "--command", "--section",
                                           "--mac", "--file", "--port", "--uri", "--write",
                                           "--count", "--snaplen", "--table", "--current")]
        self.assertEqual(missing, [])


class Bash(unittest.TestCase):
    def test_bash_completes_commands_and_options(self):
        self.assertEqual(bash_propose("net-port-l"), ["net-port-list"])
        self.assertEqual(bash_propose("net-event", "--event", "l"), ["lifecycle"])
        self.assertEqual(bash_propose("net-list", "--u"), ["--uuid"])
        self.assertEqual(bash_propose("--qui"), ["--quiet"])


unittest.main()
