/* SPDX-License-Identifier: GPL-2.0-or-later */
/* acpi.h -- the tables that tell the guest what the machine consists of */
#pragma once
#include <stddef.h>
#include <stdint.h>

/* Writes RSDP, XSDT, FADT, FACS, MADT and DSDT for a machine of n_cpus to bytes, which the guest
 * sees at gpa (a multiple of 64). 0 or -ENOSPC. */
int acpi_put(uint8_t *bytes, size_t size, uint64_t gpa, unsigned n_cpus);
