#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""No folder includes what the architecture does not allow it.

The table is the order of the layers: a file of the folder on the left may include headers of its
own folder and of those on the right. dhcp, dns and vmm parse guests' bytes: nothing of the
kernel's side or of the daemon may ever reach them.
"""
import os
import re
import sys

ALLOWED = {
    "netd/base": [],
    "netd/model": ["netd/base"],
    "datapath": ["netd/base"],
    "dhcp": ["netd/base"],
    "dns": ["netd/base"],
    "vmm": ["netd/base"],
    "netd/serve": ["netd/base", "dhcp", "dns"],
    "netd/compile": ["netd/base", "netd/model", "datapath/plan.h", "datapath/facts.h",
                     "datapath/nft_layout.h", "datapath/port_filter.h", "netd/serve/config.h", "dhcp/config.h", "dns/config.h"],
    "netd/rpc": ["netd/base"],
    "netd/ctl": ["netd/base", "netd/model", "netd/rpc"],
    "netd/daemon": ["netd/base", "netd/model", "netd/compile", "netd/rpc", "datapath",
                    "netd/serve", "dhcp", "dns/config.h", "vmm/config.h", "vmm/message.h"],
}


def folder_of(path):
    return max((f for f in ALLOWED if path.startswith(f + "/")), key=len, default=None)


def main(top):
    bad, seen = [], 0
    for folder in ALLOWED:
        base = os.path.join(top, folder)
        for where, _, files in os.walk(base):
            for name in sorted(files):
                if not name.endswith((".c", ".h")):
                    continue
                path = os.path.relpath(os.path.join(where, name), top)
                mine = folder_of(path)
                for number, line in enumerate(open(os.path.join(top, path)), 1):
                    found = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
                    if not found or "/" not in found.group(1):
                        continue
                    seen += 1
                    target = found.group(1)
                    theirs = folder_of(target)
                    if theirs and theirs != mine and not any(
                            target == a or target.startswith(a + "/") for a in ALLOWED[mine]):
                        bad.append("%s:%d: %s may not include %s" % (path, number, mine, target))
    if seen == 0:
        bad.append("no include found: is %s the source folder?" % top)
    print("\n".join(sorted(set(bad))) or "%d includes follow the table" % seen)
    return 1 if bad else 0


sys.exit(main(sys.argv[1]))
