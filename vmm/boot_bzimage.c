/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's own entry in 64-bit mode: what comes after the setup sectors is put at 1 MiB (or
 * where the header prefers it) and entered 512 bytes in, with the zero page in RSI, identity
 * mapping and flat segments.
 */
#include <asm/bootparam.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "vmm/boot.h"

#define HEADER_AT 0x1f1
#define MAGIC 0x53726448		/* "HdrS" */
#define VERSION_MIN 0x020c		/* the first that tells whether there is a 64-bit entry */
#define ENTRY_64 0x200
#define LOADER_UNKNOWN 0xff
#define PAGE_HUGE 0x83			/* present, writable, 2 MiB */
#define PAGE_TABLE 0x03
#define SECTOR 512

_Static_assert(offsetof(struct boot_params, hdr) == HEADER_AT, "the zero page");
_Static_assert(sizeof(struct boot_params) == 4096, "the zero page");

struct image {
	struct setup_header hdr;
	uint64_t code_at, code_bytes;	/* in the file */
	uint64_t start;			/* in the guest */
};

static int refuse(struct nd_error *err, const char *why)
{
	return nd_error_set(err, ND_ERR_CONFIG_UNSUPPORTED, "kernel: %s", why);
}

static int header_read(int fd, struct image *image, struct nd_error *err)
{
	ssize_t n = pread(fd, &image->hdr, sizeof(image->hdr), HEADER_AT);
	const struct setup_header *h = &image->hdr;
	uint64_t size;
	int r = boot_file_bytes(fd, "kernel", &size, err);

	if (r < 0)
		return r;
	if (n < 0)
		return nd_error_sys(err, errno, "kernel: cannot read it");
	if ((size_t)n < sizeof(*h) || h->boot_flag != 0xaa55 || h->header != MAGIC)
		return refuse(err, "neither a bzImage nor an ELF file");
	if (h->version < VERSION_MIN || !(h->xloadflags & XLF_KERNEL_64) ||
	    !(h->loadflags & LOADED_HIGH))
		return refuse(err, "the bzImage has no 64-bit entry");
	image->code_at = ((h->setup_sects ? h->setup_sects : 4) + 1ull) * SECTOR;
	if (size <= image->code_at + ENTRY_64)
		return refuse(err, "the file is too short");
	image->code_bytes = size - image->code_at;
	return 0;
}

/* The room that the kernel says it needs, and it must not reach what else is in memory. */
static int place(const struct memory *m, struct image *image, struct nd_error *err)
{
	uint64_t start = BOOT_HIGH, room = image->hdr.init_size;

	if (!image->hdr.relocatable_kernel)
		start = image->hdr.pref_address;
	if (start < BOOT_HIGH || start % 4096)
		return refuse(err, "the bzImage wants to lie below 1 MiB");
	if (room < image->code_bytes)
		room = image->code_bytes;
	/* A relocatable kernel unpacks at its preferred address when it lies below it. */
	if (image->hdr.pref_address > start && image->hdr.pref_address < MEMORY_HOLE)
		room += image->hdr.pref_address - start;
	if (!memory_at(m, start, room))
		return nd_error_set(err, ND_ERR_CONFIG_UNSUPPORTED,
				    "kernel: it needs %llu MiB, more than the guest's memory",
				    (unsigned long long)((start + room + (1 << 20) - 1) >> 20));
	image->start = start;
	return 0;
}

static void map_put(const struct memory *m, struct boot_params *p)
{
	struct boot_range ranges[BOOT_RANGES_MAX];
	size_t n = boot_ranges(m, ranges);

	for (size_t i = 0; i < n; i++) {
		struct boot_e820_entry *e = &p->e820_table[p->e820_entries++];

		e->addr = ranges[i].start;
		e->size = ranges[i].end - ranges[i].start;
		e->type = ranges[i].type;
	}
}

/* The first 4 GiB are mapped to themselves, in pages of 2 MiB. */
static void page_tables_put(const struct memory *m)
{
	uint64_t *top = memory_at(m, BOOT_PAGE_TABLES, 6 * 4096), *second = top + 512;
	uint64_t *third = second + 512;

	top[0] = (BOOT_PAGE_TABLES + 4096) | PAGE_TABLE;
	for (uint64_t i = 0; i < 4; i++)
		second[i] = (BOOT_PAGE_TABLES + (2 + i) * 4096) | PAGE_TABLE;
	for (uint64_t i = 0; i < 4 * 512; i++)
		third[i] = i << 21 | PAGE_HUGE;
}

static void gdt_put(const struct memory *m)
{
	uint64_t *gdt = memory_at(m, BOOT_GDT, 4 * 8);

	gdt[2] = 0x00af9b000000ffff;	/* 0x10: 64-bit code */
	gdt[3] = 0x00cf93000000ffff;	/* 0x18: data */
}

static int params_put(const struct memory *m, const struct image *image,
		      const struct boot_source *s, struct nd_error *err)
{
	struct boot_params *p = memory_at(m, BOOT_PARAMS, sizeof(*p));
	uint64_t initrd, initrd_bytes, floor, limit;
	size_t header_bytes = 0x202 + (image->hdr.jump >> 8) - HEADER_AT;
	int r;

	if (header_bytes > sizeof(p->hdr))
		header_bytes = sizeof(p->hdr);
	memcpy(&p->hdr, &image->hdr, header_bytes);
	r = boot_cmdline_put(m, s->cmdline, p->hdr.cmdline_size, err);
	if (r < 0)
		return r;
	floor = image->start + image->code_bytes;
	if (floor < image->hdr.pref_address + image->hdr.init_size)
		floor = image->hdr.pref_address + image->hdr.init_size;
	limit = (uint64_t)p->hdr.initrd_addr_max + 1;
	r = boot_initrd_load(m, s->initrd_fd, floor, limit, &initrd, &initrd_bytes, err);
	if (r < 0)
		return r;
	p->hdr.type_of_loader = LOADER_UNKNOWN;
	p->hdr.cmd_line_ptr = BOOT_CMDLINE;
	p->hdr.ramdisk_image = (uint32_t)initrd;
	p->hdr.ramdisk_size = (uint32_t)initrd_bytes;
	p->hdr.code32_start = (uint32_t)image->start;
	p->acpi_rsdp_addr = BOOT_ACPI;
	map_put(m, p);
	return 0;
}

int boot_bzimage_load(const struct memory *m, const struct boot_source *s, struct boot_entry *out,
		      struct nd_error *err)
{
	struct image image = { 0 };
	int r = header_read(s->kernel_fd, &image, err);

	if (r == 0)
		r = place(m, &image, err);
	if (r == 0)
		r = boot_read(m, s->kernel_fd, image.code_at, image.code_bytes, image.start,
			      "kernel", err);
	if (r == 0)
		r = params_put(m, &image, s, err);
	if (r < 0)
		return r;
	page_tables_put(m);
	gdt_put(m);
	*out = (struct boot_entry){ .rip = image.start + ENTRY_64, .long_mode = true,
				    .rsi = BOOT_PARAMS };
	return 0;
}
