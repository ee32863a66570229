/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/daemon/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "netd/base/auto.h"
#include "netd/base/effect.h"

/* All writers are on one thread, so one name per directory does. It does not end in ".xml". */
#define NEW_NAME ".new"

int file_read(int dir_fd, const char *name, size_t max, char **out, size_t *len_out)
{
	ND_AUTO(close) int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ND_AUTO(free) char *text = NULL;
	struct stat st;
	size_t len = 0, size;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	/* Files of /proc say size 0: a first guess only. */
	size = st.st_size > 0 ? (size_t)st.st_size + 1 : 4096;
	for (;;) {
		ssize_t n;

		if (len >= max)
			return -EFBIG;
		if (!text || len + 1 >= size) {
			char *more;

			size = text ? size * 2 : size;
			more = realloc(text, size + 1);
			if (!more)
				return -ENOMEM;
			text = more;
		}
		n = read(fd, text + len, size - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	text[len] = '\0';
	if (len_out)
		*len_out = len;
	*out = nd_take_ptr(&text);
	return 0;
}

static int write_new(int dir_fd, const char *text, mode_t mode, bool durable)
{
	size_t left = strlen(text);
	ND_AUTO(close) int fd = -1;
	int r = nd_effect(ND_EFFECT_FILE, "open new file");

	if (r < 0)
		return r;
	fd = openat(dir_fd, NEW_NAME, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
	if (fd < 0 || fchmod(fd, mode) < 0)
		return -errno;
	r = nd_effect(ND_EFFECT_FILE, "write new file");
	if (r < 0)
		return r;
	while (left) {
		ssize_t n = write(fd, text, left);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		text += n;
		left -= (size_t)n;
	}
	if (!durable)
		return 0;
	r = nd_effect(ND_EFFECT_FILE, "fsync new file");
	return r < 0 ? r : fsync(fd) < 0 ? -errno : 0;
}

static int sync_dir(int dir_fd, bool durable)
{
	int r;

	if (!durable)
		return 0;
	r = nd_effect(ND_EFFECT_FILE, "fsync directory");
	return r < 0 ? r : fsync(dir_fd) < 0 ? -errno : 0;
}

/* Swaps the new file with the old one, or just moves it when there is none; *swapped tells. Some
 * file systems (9p) know neither flag: then the old file is gone at once. */
static int move_in(int dir_fd, const char *name, bool *swapped)
{
	int r = nd_effect(ND_EFFECT_FILE, "rename new file");

	if (r < 0)
		return r;
	*swapped = renameat2(dir_fd, NEW_NAME, dir_fd, name, RENAME_EXCHANGE) == 0;
	if (*swapped)
		return 0;
	if (errno != ENOENT && errno != EINVAL && errno != ENOSYS)
		return -errno;
	return renameat(dir_fd, NEW_NAME, dir_fd, name) < 0 ? -errno : 0;
}

int file_replace(int dir_fd, const char *name, const char *text, mode_t mode, bool durable)
{
	bool swapped = false;
	int r = write_new(dir_fd, text, mode, durable);

	if (r == 0)
		r = move_in(dir_fd, name, &swapped);
	if (r < 0) {
		(void)unlinkat(dir_fd, NEW_NAME, 0);	/* swept at the next start otherwise */
		return r;
	}
	r = sync_dir(dir_fd, durable);
	if (r < 0 && swapped)
		(void)renameat2(dir_fd, NEW_NAME, dir_fd, name, RENAME_EXCHANGE);
	else if (r < 0)
		(void)unlinkat(dir_fd, name, 0);	/* there was none before */
	(void)unlinkat(dir_fd, NEW_NAME, 0);
	return r;
}

/* The file gets the new file's name, which is swept after a crash, so that it can come back when the
 * directory cannot be synced. */
int file_remove(int dir_fd, const char *name, bool durable)
{
	int r = nd_effect(ND_EFFECT_FILE, "unlink");

	if (r < 0)
		return r;
	if (renameat(dir_fd, name, dir_fd, NEW_NAME) < 0)
		return errno == ENOENT ? 0 : -errno;
	r = sync_dir(dir_fd, durable);
	if (r < 0)
		(void)renameat(dir_fd, NEW_NAME, dir_fd, name);
	else
		(void)unlinkat(dir_fd, NEW_NAME, 0);
	return r;
}

void file_sweep(int dir_fd)
{
	(void)unlinkat(dir_fd, NEW_NAME, 0);	/* normally not there */
}
