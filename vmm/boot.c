/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/boot.h"

#include <elf.h>
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <linux/fs.h>
#include <unistd.h>

size_t boot_ranges(const struct memory *m, struct boot_range out[BOOT_RANGES_MAX])
{
	const struct memory_region *regions;
	size_t n = memory_regions(m, &regions), k = 0;

	out[k++] = (struct boot_range){ 0, BOOT_LOW_END, BOOT_USABLE };
	out[k++] = (struct boot_range){ BOOT_LOW_END, BOOT_HIGH, BOOT_RESERVED };
	out[k++] = (struct boot_range){ BOOT_HIGH, regions[0].len_bytes, BOOT_USABLE };
	/* What KVM and the interrupt controllers occupy: no kernel shall put a BAR there. */
	out[k++] = (struct boot_range){ 0xfec00000, 0x100000000, BOOT_RESERVED };
	if (n > 1)
		out[k++] = (struct boot_range){ regions[1].gpa, regions[1].gpa + regions[1].len_bytes,
						BOOT_USABLE };
	return k;
}

int boot_file_bytes(int fd, const char *what, uint64_t *bytes_out, struct nd_error *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return nd_error_sys(err, errno, "%s: cannot look at it", what);
	if (S_ISBLK(st.st_mode))
		return ioctl(fd, BLKGETSIZE64, bytes_out) < 0 ?
			nd_error_sys(err, errno, "%s: cannot tell its size", what) : 0;
	if (!S_ISREG(st.st_mode))
		return nd_error_set(err, ND_ERR_INVALID_ARG, "%s is not a file", what);
	*bytes_out = (uint64_t)st.st_size;
	return 0;
}

int boot_read(const struct memory *m, int fd, uint64_t offset, uint64_t len, uint64_t gpa,
	      const char *what, struct nd_error *err)
{
	uint8_t *to = memory_at(m, gpa, len);

	if (!to)
		return nd_error_set(err, ND_ERR_CONFIG_UNSUPPORTED,
				    "%s: %llu bytes at 0x%llx do not fit the guest's memory", what,
				    (unsigned long long)len, (unsigned long long)gpa);
	while (len) {
		ssize_t n = pread(fd, to, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return nd_error_sys(err, errno, "%s: cannot read it", what);
		if (n == 0)
			return nd_error_set(err, ND_ERR_INVALID_ARG, "%s: the file is too short", what);
		to += n;
		offset += (uint64_t)n;
		len -= (uint64_t)n;
	}
	return 0;
}

int boot_initrd_load(const struct memory *m, int fd, uint64_t floor, uint64_t limit,
		     uint64_t *gpa_out, uint64_t *len_out, struct nd_error *err)
{
	const struct memory_region *regions;
	uint64_t len, gpa;
	int r;

	*gpa_out = *len_out = 0;
	if (fd < 0)
		return 0;
	r = boot_file_bytes(fd, "initrd", &len, err);
	if (r < 0)
		return r;
	memory_regions(m, &regions);
	if (limit > regions[0].len_bytes)
		limit = regions[0].len_bytes;
	if (len > limit || ((limit - len) & ~4095ull) < floor)
		return nd_error_set(err, ND_ERR_CONFIG_UNSUPPORTED, "initrd: %llu bytes do not fit "
				    "beside the kernel in the guest's memory", (unsigned long long)len);
	gpa = (limit - len) & ~4095ull;
	r = boot_read(m, fd, 0, len, gpa, "initrd", err);
	if (r < 0)
		return r;
	*gpa_out = gpa;
	*len_out = len;
	return 0;
}

int boot_cmdline_put(const struct memory *m, const char *cmdline, size_t max, struct nd_error *err)
{
	size_t len = strlen(cmdline);
	char *to = memory_at(m, BOOT_CMDLINE, len + 1);

	if (len > max || BOOT_CMDLINE + len >= BOOT_LOW_END || !to)
		return nd_error_set(err, ND_ERR_CONFIG_UNSUPPORTED, "the command line has %zu bytes, "
				    "this kernel takes %zu", len, max);
	memcpy(to, cmdline, len + 1);
	return 0;
}

int boot_load(const struct memory *m, const struct boot_source *s, struct boot_entry *out,
	      struct nd_error *err)
{
	char magic[SELFMAG] = "";

	if (pread(s->kernel_fd, magic, sizeof(magic), 0) < 0)
		return nd_error_sys(err, errno, "kernel: cannot read it");
	if (memcmp(magic, ELFMAG, SELFMAG) == 0)
		return boot_pvh_load(m, s, out, err);
	return boot_bzimage_load(m, s, out, err);
}
