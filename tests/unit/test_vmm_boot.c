/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Guest memory's bounds, and boot images: good ones, and each broken in one place. */
#include <asm/bootparam.h>
#include <check.h>
#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "tests/suite.h"
#include "vmm/acpi.h"
#include "vmm/boot.h"

#define MIB (1ull << 20)
#define CODE_BYTES 8192

static struct memory *memory;
static struct nd_error err;
static uint8_t image[64 * 1024];
static size_t image_bytes;

static void set_up(void)
{
	ck_assert_int_eq(memory_new(64 * MIB, &memory, &err), 0);
	memset(image, 0, sizeof(image));
}

static void tear_down(void)
{
	memory_free(memory);
}

static int file_of(const void *bytes, size_t n)
{
	int fd = memfd_create("image", MFD_CLOEXEC);

	ck_assert_int_eq(pwrite(fd, bytes, n, 0), (ssize_t)n);
	return fd;
}

static struct setup_header *bzimage(void)
{
	struct setup_header *h = (void *)(image + 0x1f1);

	*h = (struct setup_header){ .setup_sects = 3, .boot_flag = 0xaa55, .jump = 0x6aeb,
				    .header = 0x53726448, .version = 0x20f, .loadflags = LOADED_HIGH,
				    .xloadflags = XLF_KERNEL_64, .relocatable_kernel = 1,
				    .pref_address = 16 * MIB, .init_size = 8 * MIB,
				    .initrd_addr_max = 0x7fffffff, .cmdline_size = 2047 };
	image_bytes = 4 * 512 + CODE_BYTES;
	memset(image + 4 * 512, 0xc3, CODE_BYTES);
	return h;
}

/* The result of loading the image as it is now, with this initrd (NULL: none). */
static int load(const char *cmdline, const void *initrd, size_t n, struct boot_entry *entry)
{
	struct boot_source s = { .kernel_fd = file_of(image, image_bytes), .cmdline = cmdline,
				 .initrd_fd = initrd ? file_of(initrd, n) : -1 };
	int r;

	err = (struct nd_error){ 0 };
	r = boot_load(memory, &s, entry, &err);
	close(s.kernel_fd);
	if (s.initrd_fd >= 0)
		close(s.initrd_fd);
	return r;
}

static void refused(const char *word)
{
	struct boot_entry entry;

	ck_assert_int_lt(load("", NULL, 0, &entry), 0);
	ck_assert_msg(strstr(err.text, word), "'%s' instead of '%s'", err.text, word);
}

START_TEST(only_what_lies_in_memory_has_an_address)
{
	uint8_t *base = memory_at(memory, 0, 64 * MIB);

	ck_assert_ptr_nonnull(base);
	ck_assert_ptr_eq(memory_at(memory, 4096, 1), base + 4096);
	ck_assert_ptr_null(memory_at(memory, 0, 64 * MIB + 1));
	ck_assert_ptr_null(memory_at(memory, 64 * MIB, 0));
	ck_assert_ptr_null(memory_at(memory, 64 * MIB - 1, 2));
	ck_assert_ptr_nonnull(memory_at(memory, 64 * MIB - 1, 1));
	ck_assert_ptr_null(memory_at(memory, 8, UINT64_MAX));
	ck_assert_ptr_null(memory_at(memory, UINT64_MAX, 1));
	ck_assert_ptr_null(memory_at(memory, UINT64_MAX, UINT64_MAX));
}
END_TEST

START_TEST(memory_goes_around_the_hole)
{
	const struct memory_region *r;
	struct memory *m;

	ck_assert_int_eq(memory_new(MEMORY_HOLE + 4096, &m, &err), 0);
	ck_assert_uint_eq(memory_regions(m, &r), 2);
	ck_assert_uint_eq(r[1].gpa, MEMORY_HIGH);
	/* or the kernel could not map huge pages */
	for (unsigned i = 0; i < 2; i++)
		ck_assert_uint_eq(((uintptr_t)r[i].host - r[i].gpa) % (2 * MIB), 0);
	ck_assert_uint_eq(r[1].len_bytes, 4096);
	ck_assert_ptr_nonnull(memory_at(m, MEMORY_HOLE - 1, 1));
	ck_assert_ptr_null(memory_at(m, MEMORY_HOLE - 1, 2));
	ck_assert_ptr_null(memory_at(m, MEMORY_HOLE, 1));
	ck_assert_ptr_null(memory_at(m, MEMORY_HIGH - 1, 2));
	ck_assert_ptr_nonnull(memory_at(m, MEMORY_HIGH, 4096));
	ck_assert_ptr_null(memory_at(m, MEMORY_HIGH, 4097));
	memory_free(m);
	ck_assert_int_lt(memory_new(MEMORY_MIN + 1, &m, &err), 0);
	ck_assert_int_lt(memory_new(0, &m, &err), 0);
	ck_assert_int_lt(memory_new(UINT64_MAX & ~4095ull, &m, &err), 0);
}
END_TEST

START_TEST(cleared_memory_is_zero)
{
	uint8_t *at = memory_at(memory, 5 * MIB, 1);

	*at = 1;
	ck_assert_int_eq(memory_clear(memory, &err), 0);
	ck_assert_uint_eq(*at, 0);
}
END_TEST

START_TEST(a_bzimage_is_put_where_the_protocol_says)
{
	const struct boot_params *p = memory_at(memory, BOOT_PARAMS, sizeof(*p));
	struct boot_entry entry;
	uint64_t *tables = memory_at(memory, BOOT_PAGE_TABLES, 6 * 4096);

	bzimage();
	ck_assert_int_eq(load("quiet", "initrd", 6, &entry), 0);
	ck_assert(entry.long_mode);
	ck_assert_uint_eq(entry.rip, 0x100200);
	ck_assert_uint_eq(entry.rsi, BOOT_PARAMS);
	ck_assert_uint_eq(*(uint8_t *)memory_at(memory, 0x100000, 1), 0xc3);
	ck_assert_str_eq(memory_at(memory, BOOT_CMDLINE, 6), "quiet");
	ck_assert_uint_eq(p->hdr.type_of_loader, 0xff);
	ck_assert_uint_eq(p->hdr.cmd_line_ptr, BOOT_CMDLINE);
	ck_assert_uint_eq(p->hdr.ramdisk_image, 64 * MIB - 4096);
	ck_assert_uint_eq(p->hdr.ramdisk_size, 6);
	ck_assert_mem_eq(memory_at(memory, p->hdr.ramdisk_image, 6), "initrd", 6);
	ck_assert_uint_eq(p->acpi_rsdp_addr, BOOT_ACPI);
	ck_assert_uint_ge(p->e820_entries, 3);
	ck_assert_uint_eq(p->e820_table[2].addr + p->e820_table[2].size, 64 * MIB);
	/* Address 0x12345678 is mapped to itself. */
	ck_assert_uint_eq(tables[0] & ~0xfffull, BOOT_PAGE_TABLES + 4096);
	ck_assert_uint_eq(tables[2 * 512 + (0x12345678 >> 21)], (0x12345678ull >> 21 << 21) | 0x83);
}
END_TEST

START_TEST(broken_bzimages_are_refused)
{
	bzimage()->header = 0;
	refused("neither");
	bzimage()->boot_flag = 0;
	refused("neither");
	bzimage()->version = 0x20b;
	refused("64-bit");
	bzimage()->xloadflags = 0;
	refused("64-bit");
	bzimage()->loadflags = 0;
	refused("64-bit");
	bzimage()->setup_sects = 255;
	refused("too short");
	bzimage()->init_size = UINT32_MAX;
	refused("more than the guest's memory");
	bzimage()->pref_address = 60 * MIB;
	refused("more than the guest's memory");
	bzimage()->cmdline_size = 0;
	ck_assert_int_lt(load("x", NULL, 0, &(struct boot_entry){ 0 }), 0);
	bzimage()->relocatable_kernel = 0;
	((struct setup_header *)(image + 0x1f1))->pref_address = 0;
	refused("below 1 MiB");
	bzimage()->relocatable_kernel = 0;
	((struct setup_header *)(image + 0x1f1))->pref_address = UINT64_MAX & ~4095ull;
	refused("more than the guest's memory");
	bzimage();
	image_bytes = 0x200;
	refused("neither");
	image_bytes = 0;
	refused("neither");
}
END_TEST

START_TEST(an_initrd_that_does_not_fit_is_refused)
{
	struct boot_entry entry;
	void *much = calloc(1, 48 * MIB);

	bzimage();
	ck_assert_int_lt(load("", much, 48 * MIB, &entry), 0);
	ck_assert_ptr_nonnull(strstr(err.text, "initrd"));
	bzimage()->initrd_addr_max = 16 * MIB;		/* below the kernel's end */
	ck_assert_int_lt(load("", much, 4096, &entry), 0);
	free(much);
}
END_TEST

struct elf_file {
	Elf64_Ehdr head;
	Elf64_Phdr segments[2];
	struct {
		uint32_t name_len, len, type;
		char name[4];
		uint64_t entry;
	} note;
	uint8_t code[64];
};

static struct elf_file *elf(void)
{
	struct elf_file *e = (void *)image;

	*e = (struct elf_file){
		.head = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
			  .e_machine = EM_X86_64, .e_phnum = 2, .e_phentsize = sizeof(Elf64_Phdr),
			  .e_phoff = offsetof(struct elf_file, segments) },
		.segments = {
			{ .p_type = PT_LOAD, .p_offset = offsetof(struct elf_file, code),
			  .p_paddr = 16 * MIB, .p_filesz = 64, .p_memsz = 1 * MIB },
			{ .p_type = PT_NOTE, .p_offset = offsetof(struct elf_file, note),
			  .p_filesz = sizeof(e->note) } },
		.note = { .name_len = 4, .len = 8, .type = 18, .name = "Xen", .entry = 16 * MIB + 32 },
	};
	memset(e->code, 0x90, sizeof(e->code));
	image_bytes = sizeof(*e);
	return e;
}

START_TEST(an_elf_kernel_is_entered_where_its_note_says)
{
	struct boot_entry entry;
	uint32_t *info = memory_at(memory, BOOT_START_INFO, 56);
	uint64_t address;

	elf();
	ck_assert_int_eq(load("quiet", "initrd", 6, &entry), 0);
	ck_assert(!entry.long_mode);
	ck_assert_uint_eq(entry.rip, 16 * MIB + 32);
	ck_assert_uint_eq(entry.rbx, BOOT_START_INFO);
	ck_assert_uint_eq(*(uint8_t *)memory_at(memory, 16 * MIB + 63, 1), 0x90);
	ck_assert_uint_eq(info[0], 0x336ec578);
	ck_assert_uint_eq(info[3], 1);			/* modules */
	memcpy(&address, info + 8, 8);
	ck_assert_uint_eq(address, BOOT_ACPI);
	memcpy(&address, info + 4, 8);
	memcpy(&address, memory_at(memory, address, 8), 8);
	ck_assert_mem_eq(memory_at(memory, address, 6), "initrd", 6);
}
END_TEST

START_TEST(broken_elf_kernels_are_refused)
{
	elf()->head.e_machine = EM_386;
	refused("x86-64");
	elf()->head.e_phnum = 0;
	refused("program headers");
	elf()->head.e_phnum = UINT16_MAX;
	refused("program headers");
	elf()->head.e_phentsize = 8;
	refused("program headers");
	elf()->head.e_phoff = UINT64_MAX;
	refused("too short");
	elf()->segments[0].p_paddr = 0;
	refused("does not fit");
	elf()->segments[0].p_paddr = UINT64_MAX - 100;
	refused("does not fit");
	elf()->segments[0].p_memsz = UINT64_MAX;
	refused("does not fit");
	elf()->segments[0].p_memsz = 63;
	refused("does not fit");
	elf()->segments[0].p_offset = UINT64_MAX;
	refused("kernel: ");
	elf()->segments[1].p_filesz = UINT64_MAX;
	refused("too long");
	elf()->segments[1].p_filesz = 8;
	refused("no PVH entry");
	elf()->note.name_len = UINT32_MAX;
	refused("no PVH entry");
	elf()->note.len = UINT32_MAX;
	refused("no PVH entry");
	elf()->note.entry = 4096;
	refused("outside");
	elf()->note.entry = 17 * MIB;
	refused("outside");
}
END_TEST

static uint8_t sum(const uint8_t *at, size_t n)
{
	uint8_t s = 0;

	while (n--)
		s += *at++;
	return s;
}

static uint64_t get(const uint8_t *at, size_t n)
{
	uint64_t v = 0;

	memcpy(&v, at, n);
	return v;
}

START_TEST(acpi_tables_have_their_checksums_and_each_other)
{
	static uint8_t bytes[BOOT_ACPI_END - BOOT_ACPI];
	const uint8_t *xsdt, *fadt, *madt, *dsdt;

	ck_assert_int_eq(acpi_put(bytes, sizeof(bytes), BOOT_ACPI, 64), 0);
	ck_assert_mem_eq(bytes, "RSD PTR ", 8);
	ck_assert_uint_eq(sum(bytes, 20), 0);
	ck_assert_uint_eq(sum(bytes, 36), 0);
	xsdt = bytes + get(bytes + 24, 8) - BOOT_ACPI;
	fadt = bytes + get(xsdt + 36, 8) - BOOT_ACPI;
	madt = bytes + get(xsdt + 44, 8) - BOOT_ACPI;
	dsdt = bytes + get(fadt + 140, 8) - BOOT_ACPI;
	ck_assert_mem_eq(xsdt, "XSDT", 4);
	ck_assert_mem_eq(fadt, "FACP", 4);
	ck_assert_mem_eq(madt, "APIC", 4);
	ck_assert_mem_eq(dsdt, "DSDT", 4);
	ck_assert_uint_eq(get(xsdt + 4, 4), 52);
	ck_assert_uint_eq(get(fadt + 4, 4), 276);
	for (size_t i = 0; i < 4; i++) {
		const uint8_t *table = (const uint8_t *[]){ xsdt, fadt, madt, dsdt }[i];

		ck_assert_uint_eq(sum(table, get(table + 4, 4)), 0);
	}
	ck_assert_uint_eq(get(fadt + 40, 4), get(fadt + 140, 8));
	ck_assert_mem_eq(bytes + get(fadt + 36, 4) - BOOT_ACPI, "FACS", 4);
	ck_assert_uint_eq(get(fadt + 36, 4) % 64, 0);
	ck_assert_uint_eq(get(fadt + 116 + 4, 8), 0xcf9);
	for (size_t size = 0; size < 8192; size += 61)
		if (acpi_put(bytes, size, BOOT_ACPI, 64) == 0)
			ck_assert_uint_gt(size, 3000);
}
END_TEST

/* The tables for some vCPUs, for the test with iasl. */
static int print_acpi(unsigned n_vcpus)
{
	static uint8_t bytes[BOOT_ACPI_END - BOOT_ACPI];

	if (acpi_put(bytes, sizeof(bytes), BOOT_ACPI, n_vcpus) < 0)
		return 1;
	return fwrite(bytes, sizeof(bytes), 1, stdout) == 1 ? 0 : 1;
}

static int run_suite(void)
{
	Suite *s = suite_create("vmm boot");
	TCase *t = tcase_create("boot");

	suite_add_tcase(s, t);
	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, only_what_lies_in_memory_has_an_address);
	tcase_add_test(t, memory_goes_around_the_hole);
	tcase_add_test(t, cleared_memory_is_zero);
	tcase_add_test(t, a_bzimage_is_put_where_the_protocol_says);
	tcase_add_test(t, broken_bzimages_are_refused);
	tcase_add_test(t, an_initrd_that_does_not_fit_is_refused);
	tcase_add_test(t, an_elf_kernel_is_entered_where_its_note_says);
	tcase_add_test(t, broken_elf_kernels_are_refused);
	tcase_add_test(t, acpi_tables_have_their_checksums_and_each_other);
	return suite_run(s);
}

/* "--acpi N" prints the tables for N vCPUs. */
int main(int argc, char **argv)
{
	return argc == 3 ? print_acpi((unsigned)atoi(argv[2])) : run_suite();
}
