/* SPDX-License-Identifier: GPL-2.0-or-later */
/* boot.h -- puts a kernel, its initrd and its command line into the guest's memory
 *
 * A bzImage starts by the 64-bit boot protocol (Linux' Documentation/x86/boot.rst), an ELF file
 * by PVH (Xen's docs/misc/pvh.pandoc). Images are the guest's owner's, so every number in them is
 * checked before it is used.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "netd/base/error.h"
#include "vmm/memory.h"

/* Where things lie below 1 MiB. */
enum {
	BOOT_GDT = 0x1000,
	BOOT_START_INFO = 0x6000,	/* PVH's; its lists in the same page */
	BOOT_PARAMS = 0x7000,
	BOOT_PAGE_TABLES = 0x9000,	/* six pages */
	BOOT_CMDLINE = 0x20000,
	BOOT_LOW_END = 0x9fc00,		/* usable memory ends, as on a PC */
	BOOT_ACPI = 0xe0000,		/* where kernels look for the RSDP */
	BOOT_ACPI_END = 0x100000,
	BOOT_HIGH = 0x100000,
};

struct boot_source {
	int kernel_fd, initrd_fd;	/* initrd_fd -1: none */
	const char *cmdline;
};

/* How the first vCPU begins. */
struct boot_entry {
	uint64_t rip;
	bool long_mode;			/* page tables and GDT are in memory; else 32 bits, no paging */
	uint64_t rsi, rbx;
};

/* Memory must be all zero. Writes the memory map, but no ACPI tables: those go to BOOT_ACPI. */
int boot_load(const struct memory *m, const struct boot_source *s, struct boot_entry *out,
	      struct nd_error *err);

/* The parts, for tests. */
int boot_bzimage_load(const struct memory *m, const struct boot_source *s, struct boot_entry *out,
		      struct nd_error *err);
int boot_pvh_load(const struct memory *m, const struct boot_source *s, struct boot_entry *out,
		  struct nd_error *err);

/* What both loaders need. */
struct boot_range {
	uint64_t start, end;
	uint32_t type;			/* as E820 numbers them */
};

#define BOOT_RANGES_MAX 8
#define BOOT_USABLE 1
#define BOOT_RESERVED 2

size_t boot_ranges(const struct memory *m, struct boot_range out[BOOT_RANGES_MAX]);
/* Reads len bytes at offset of fd to the guest address, or says why not. */
int boot_read(const struct memory *m, int fd, uint64_t offset, uint64_t len, uint64_t gpa,
	      const char *what, struct nd_error *err);
/* As high as possible below limit, and not below floor. Without an initrd *len_out is 0. */
int boot_initrd_load(const struct memory *m, int fd, uint64_t floor, uint64_t limit,
		     uint64_t *gpa_out, uint64_t *len_out, struct nd_error *err);
/* At BOOT_CMDLINE, at most max bytes without its NUL. */
int boot_cmdline_put(const struct memory *m, const char *cmdline, size_t max, struct nd_error *err);
int boot_file_bytes(int fd, const char *what, uint64_t *bytes_out, struct nd_error *err);
