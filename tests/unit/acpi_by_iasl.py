#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""ACPICA reads our tables, and its compiler takes what it printed of them without a complaint.

    acpi_by_iasl.py TEST_VMM_BOOT
"""
import os
import re
import struct
import subprocess
import sys
import tempfile

BASE = 0xE0000


def tables(image):
    """Name -> bytes, from the RSDP on."""
    def at(gpa):
        start = gpa - BASE
        return image[start:start + struct.unpack_from("<I", image, start + 4)[0]]
    xsdt = at(struct.unpack_from("<Q", image, 24)[0])
    found = {}
    for (gpa,) in struct.iter_unpack("<Q", xsdt[36:]):
        table = at(gpa)
        found[table[:4].decode()] = table
    found["DSDT"] = at(struct.unpack_from("<Q", found["FACP"], 140)[0])
    return found


def main():
    image = subprocess.run([sys.argv[1], "--acpi", "3"], capture_output=True, check=True).stdout
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for name, table in tables(image).items():
            with open(name + ".aml", "wb") as f:
                f.write(table)
            read = subprocess.run(["iasl", "-d", name + ".aml"], capture_output=True, text=True)
            wrong = re.findall(r"^.*(?:Error|Warning|[Ii]ncorrect|[Ii]nvalid).*$", read.stdout + read.stderr, re.M)
            wrong = [line for line in wrong if not line.startswith("ACPI Warning: NsLookup")]
            if read.returncode or wrong:
                sys.exit("%s: %s" % (name, "\n".join(wrong) or read.stderr))
        made = subprocess.run(["iasl", "-p", "again", "DSDT.dsl"], capture_output=True, text=True)
        if "0 Errors, 0 Warnings" not in made.stdout:
            sys.exit(made.stdout + made.stderr)
        source = open("DSDT.dsl").read()
        for word in ("PNP0A03", "_EJ0", "_S5", "_E01", "PNP0501"):
            if word not in source:
                sys.exit("the DSDT has no %s" % word)
        if "3 " not in str(open("APIC.dsl").read().count("[Processor Local APIC]")) + " ":
            sys.exit("the MADT has not 3 processors")
    print("ACPICA takes them")


main()
