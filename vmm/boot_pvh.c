/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An ELF kernel with the note "Xen", type 18, holds the physical address of a 32-bit entry. It is
 * entered in protected mode without paging, EBX pointing to the start info.
 */
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "netd/base/cursor.h"
#include "vmm/boot.h"

#define NOTE_PHYS32_ENTRY 18
#define NOTE_BYTES_MAX (64u * 1024)
#define SEGMENTS_MAX 64
#define START_MAGIC 0x336ec578u

struct start_module {
	uint64_t paddr, size, cmdline_paddr, reserved;
};

struct start_range {
	uint64_t addr, size;
	uint32_t type, reserved;
};

/* hvm_start_info, version 1, and its lists in one page. */
struct start_info {
	uint32_t magic, version, flags, n_modules;
	uint64_t modules_paddr, cmdline_paddr, rsdp_paddr, map_paddr;
	uint32_t n_map, reserved;
	struct start_module module;
	struct start_range map[BOOT_RANGES_MAX];
};

_Static_assert(offsetof(struct start_info, module) == 56, "hvm_start_info");
_Static_assert(sizeof(struct start_range) == 24, "hvm_memmap_table_entry");

struct elf {
	int fd;
	uint64_t size;
	Elf64_Ehdr head;
	Elf64_Phdr segments[SEGMENTS_MAX];
	uint64_t end;			/* of what was loaded, in the guest */
	uint32_t entry;
};

static int refuse(struct nd_error *err, const char *why)
{
	return nd_error_set(err, ND_ERR_CONFIG_UNSUPPORTED, "kernel: %s", why);
}

static int read_whole(int fd, void *to, size_t len, uint64_t offset, struct nd_error *err)
{
	ssize_t n = offset <= INT64_MAX ? pread(fd, to, len, (off_t)offset) : 0;

	if (n < 0)
		return nd_error_sys(err, errno, "kernel: cannot read it");
	return (size_t)n == len ? 0 : refuse(err, "the ELF file is too short");
}

static int head_read(struct elf *elf, struct nd_error *err)
{
	const Elf64_Ehdr *h = &elf->head;
	int r = boot_file_bytes(elf->fd, "kernel", &elf->size, err);

	if (r == 0)
		r = read_whole(elf->fd, &elf->head, sizeof(elf->head), 0, err);
	if (r < 0)
		return r;
	if (memcmp(h->e_ident, ELFMAG, SELFMAG) || h->e_ident[EI_CLASS] != ELFCLASS64 ||
	    h->e_ident[EI_DATA] != ELFDATA2LSB || h->e_machine != EM_X86_64)
		return refuse(err, "not an ELF file for x86-64");
	if (h->e_phentsize != sizeof(Elf64_Phdr) || h->e_phnum == 0 || h->e_phnum > SEGMENTS_MAX)
		return refuse(err, "the ELF file's program headers are not as they should be");
	return read_whole(elf->fd, elf->segments, h->e_phnum * sizeof(Elf64_Phdr), h->e_phoff, err);
}

static uint32_t get32(struct rd *r)
{
	uint32_t v = 0;

	rd_copy(r, &v, 4);		/* ELF here is little endian, as this machine */
	return v;
}

/* Notes are (name length, bytes length, type, name, bytes), each padded to 4. */
static void notes_walk(struct elf *elf, struct rd r)
{
	while (rd_left(&r) >= 12) {
		uint32_t name_len = get32(&r), len = get32(&r), type = get32(&r);
		const uint8_t *name = rd_bytes(&r, name_len);
		struct rd body;

		rd_skip(&r, -name_len & 3);
		body = rd_sub(&r, len);
		if (r.bad)
			return;
		if (type == NOTE_PHYS32_ENTRY && name_len == 4 && memcmp(name, "Xen", 4) == 0 &&
		    len >= 4)
			elf->entry = get32(&body);
		if (rd_left(&r) < (-len & 3))
			return;
		rd_skip(&r, -len & 3);
	}
}

static int notes_read(struct elf *elf, const Elf64_Phdr *p, struct nd_error *err)
{
	ND_AUTO(free) uint8_t *bytes = NULL;
	int r;

	if (p->p_filesz == 0)
		return 0;
	if (p->p_filesz > NOTE_BYTES_MAX)
		return refuse(err, "the ELF file's notes are too long");
	bytes = malloc(p->p_filesz);
	if (!bytes)
		return nd_error_nomem(err);
	r = read_whole(elf->fd, bytes, p->p_filesz, p->p_offset, err);
	if (r == 0)
		notes_walk(elf, rd_init(bytes, p->p_filesz));
	return r;
}

static int segment_load(const struct memory *m, struct elf *elf, const Elf64_Phdr *p,
			struct nd_error *err)
{
	int r;

	if (p->p_memsz < p->p_filesz || p->p_paddr < BOOT_HIGH || p->p_paddr + p->p_memsz < p->p_paddr ||
	    !memory_at(m, p->p_paddr, p->p_memsz))
		return nd_error_set(err, ND_ERR_CONFIG_UNSUPPORTED, "kernel: an ELF segment of %llu bytes "
				    "at 0x%llx does not fit the guest's memory",
				    (unsigned long long)p->p_memsz, (unsigned long long)p->p_paddr);
	r = p->p_filesz ? boot_read(m, elf->fd, p->p_offset, p->p_filesz, p->p_paddr, "kernel", err) : 0;
	if (r == 0 && elf->end < p->p_paddr + p->p_memsz)
		elf->end = p->p_paddr + p->p_memsz;
	return r;
}

static int segments_read(const struct memory *m, struct elf *elf, struct nd_error *err)
{
	int r = 0;

	for (unsigned i = 0; r == 0 && i < elf->head.e_phnum; i++) {
		if (elf->segments[i].p_type == PT_LOAD && elf->segments[i].p_memsz)
			r = segment_load(m, elf, &elf->segments[i], err);
		else if (elf->segments[i].p_type == PT_NOTE)
			r = notes_read(elf, &elf->segments[i], err);
	}
	if (r < 0)
		return r;
	if (!elf->entry)
		return refuse(err, "the ELF file has no PVH entry");
	if (elf->entry < BOOT_HIGH || elf->entry >= elf->end)
		return refuse(err, "the ELF file's PVH entry is outside of it");
	return 0;
}

static int info_put(const struct memory *m, const struct elf *elf, const struct boot_source *s,
		    struct nd_error *err)
{
	struct start_info *info = memory_at(m, BOOT_START_INFO, sizeof(*info));
	struct boot_range ranges[BOOT_RANGES_MAX];
	uint64_t initrd, initrd_bytes;
	int r = boot_cmdline_put(m, s->cmdline, 2047, err);

	if (r == 0)
		r = boot_initrd_load(m, s->initrd_fd, elf->end, MEMORY_HOLE, &initrd, &initrd_bytes,
				     err);
	if (r < 0)
		return r;
	*info = (struct start_info){
		.magic = START_MAGIC, .version = 1, .cmdline_paddr = BOOT_CMDLINE,
		.rsdp_paddr = BOOT_ACPI, .n_modules = initrd_bytes ? 1 : 0,
		.modules_paddr = initrd_bytes ? BOOT_START_INFO + offsetof(struct start_info, module) : 0,
		.map_paddr = BOOT_START_INFO + offsetof(struct start_info, map),
		.module = { .paddr = initrd, .size = initrd_bytes },
		.n_map = (uint32_t)boot_ranges(m, ranges),
	};
	for (uint32_t i = 0; i < info->n_map; i++)
		info->map[i] = (struct start_range){
			.addr = ranges[i].start, .size = ranges[i].end - ranges[i].start,
			.type = ranges[i].type };
	return 0;
}

int boot_pvh_load(const struct memory *m, const struct boot_source *s, struct boot_entry *out,
		  struct nd_error *err)
{
	struct elf elf = { .fd = s->kernel_fd };
	int r = head_read(&elf, err);

	if (r == 0)
		r = segments_read(m, &elf, err);
	if (r == 0)
		r = info_put(m, &elf, s, err);
	if (r < 0)
		return r;
	*out = (struct boot_entry){ .rip = elf.entry, .rbx = BOOT_START_INFO };
	return 0;
}
