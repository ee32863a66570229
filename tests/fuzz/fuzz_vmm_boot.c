/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A kernel and an initrd from somebody who means harm. The input is
 *	u8 flags, u16 length of the initrd, the initrd, the kernel
 * Whatever it is, the loader either refuses it in a sentence or gives an entry inside of memory.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "netd/base/cursor.h"
#include "vmm/boot.h"

#define MUST(what) do { if (!(what)) abort(); } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int file_of(struct rd bytes)
{
	int fd = memfd_create("image", MFD_CLOEXEC);

	MUST(fd >= 0);
	MUST(pwrite(fd, bytes.at, rd_left(&bytes), 0) == (ssize_t)rd_left(&bytes));
	return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct memory *memory;
	struct rd r = rd_init(data, size);
	struct nd_error err = { 0 };
	struct boot_source s = { .cmdline = "console=ttyS0", .initrd_fd = -1 };
	struct boot_entry entry;
	uint8_t flags = rd_u8(&r);
	struct rd initrd = rd_sub(&r, rd_u16(&r));

	if (r.bad)
		return 0;
	if (!memory)
		MUST(memory_new(64ull << 20, &memory, &err) == 0);
	s.kernel_fd = file_of(r);
	if (flags & 1)
		s.initrd_fd = file_of(initrd);
	if (boot_load(memory, &s, &entry, &err) == 0)
		MUST(memory_at(memory, entry.rip, 1));
	else
		MUST(err.text[0]);
	close(s.kernel_fd);
	if (s.initrd_fd >= 0)
		close(s.initrd_fd);
	MUST(memory_clear(memory, &err) == 0);
	return 0;
}
