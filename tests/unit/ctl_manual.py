#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The manuals name every command, option, key and element there is, and bash completes the commands."""
import os
import re
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


def read(path):
    with open(os.path.join(source, path)) as f:
        return f.read()


def manual(page):
    return read("man/" + page).replace("\\-", "-").replace("\\fR", " ").replace("\\fP", " ")


class Manual(unittest.TestCase):
    def setUp(self):
        self.text = manual("netdctl.1")

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


    def test_every_key_of_the_configuration_is_described(self):
        keys = re.findall(r'\{ "(\w+)", KEY_', read("netd/daemon/config.c"))
        self.assertGreater(len(keys), 10)
        self.assertEqual([k for k in keys if not re.search(r"\b%s\b" % k, manual("netd.conf.5"))], [])

    def test_every_option_of_the_daemon_is_described(self):
        options = re.findall(r'^\t\{ "([a-z-]+)", (?:no|required)_argument', read("netd/daemon/main.c"), re.M)
        self.assertGreater(len(options), 7)
        self.assertEqual([o for o in options if "--" + o not in manual("netd.8")], [])

    def test_every_element_and_attribute_of_a_network_and_of_a_guest_is_described(self):
        self.describes("netd-network.5", "network.rng")
        self.describes("netd-domain.5", "domain.rng")

    def describes(self, page, schema):
        schema, text = read("xml-schemas/" + schema), manual(page)
        elements = set(re.findall(r'<element name="(\w+)"', schema))
        attributes = set(re.findall(r'<attribute name="(\w+)"', schema))
        self.assertGreater(min(len(elements), len(attributes)), 20)
        missing = [e for e in sorted(elements) if not re.search(r"<(dnsmasq:)?%s\b" % e, text)]
        missing += [a for a in sorted(attributes) if not re.search(r"\b%s\b" % a, text)]
        self.assertEqual(missing, [])


class Bash(unittest.TestCase):
    def test_bash_completes_commands_and_options(self):
        self.assertEqual(bash_propose("net-port-l"), ["net-port-list"])
        self.assertEqual(bash_propose("net-event", "--event", "l"), ["lifecycle"])
        self.assertEqual(bash_propose("net-list", "--u"), ["--uuid"])
        self.assertEqual(bash_propose("--qui"), ["--quiet"])
        self.assertEqual(bash_propose("--esc"), ["--escape"])
        self.assertEqual(bash_propose("-e", "^x", "domif-s"), ["domif-setlink"])
        self.assertEqual(bash_propose("event", "--event", "dev"), ["device-removed", "device-added"])


unittest.main()
