/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/daemon/docs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "netd/base/effect.h"
#include "netd/base/log.h"
#include "netd/base/str.h"
#include "netd/daemon/file.h"
#include "netd/model/network.h"

int docs_file_name(const char *noun, const char *name, char out[NAME_MAX + 1],
		   struct nd_error *err)
{
	if (strlen(name) + strlen(DOCS_SUFFIX) > NAME_MAX)
		return nd_error_sys(err, ENAMETOOLONG, "%s name '%.40s...'", noun, name);
	snprintf(out, NAME_MAX + 1, "%s" DOCS_SUFFIX, name);
	return 0;
}

int docs_link(int dir_fd, const char *file)
{
	char target[NAME_MAX + 8];
	int r = nd_effect(ND_EFFECT_FILE, "symlink");

	if (r < 0)
		return r;
	snprintf(target, sizeof(target), "../%s", file);
	if (symlinkat(target, dir_fd, file) < 0)
		return errno == EEXIST ? 0 : -errno;
	r = nd_effect(ND_EFFECT_FILE, "fsync directory");
	if (r == 0 && fsync(dir_fd) < 0)
		r = -errno;
	if (r < 0)
		(void)unlinkat(dir_fd, file, 0);	/* as it was */
	return r;
}

unsigned docs_each(int dir_fd, const char *path,
		   void (*each)(void *arg, const char *file, const char *text, size_t len), void *arg)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r;
	unsigned unread = 0;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!dir) {
		nd_log(LOG_ERR, NULL, "cannot read directory '%s': %s", path, strerror(errno));
		if (fd >= 0)
			close(fd);
		return 1;
	}
	while ((entry = readdir(dir))) {
		size_t len = strlen(entry->d_name), text_len;
		ND_AUTO(free) char *text = NULL;

		if (len <= strlen(DOCS_SUFFIX) || !nd_streq(entry->d_name + len - strlen(DOCS_SUFFIX), DOCS_SUFFIX))
			continue;
		r = file_read(fd, entry->d_name, NET_XML_MAX_BYTES, &text, &text_len);
		if (r < 0) {
			unread++;
			nd_log(LOG_ERR, NULL, "%s/%s: cannot be read, skipped: %s", path, entry->d_name,
			       strerror(-r));
			continue;
		}
		each(arg, entry->d_name, text, text_len);
	}
	closedir(dir);
	return unread;
}

const char *docs_inner(const char *text, size_t *len, const char *open, const char *close)
{
	const char *start = strstr(text, open), *end = NULL;

	for (const char *at = start; at && (at = strstr(at, close)); at += strlen(close))
		end = at + strlen(close);
	if (!start || !end)
		return NULL;
	*len = (size_t)(end - start);
	return start;
}

void docs_sweep_links(int dir_fd)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((entry = readdir(dir)))
		if (entry->d_type == DT_LNK && faccessat(dir_fd, entry->d_name, F_OK, 0) < 0 &&
		    errno == ENOENT)
			(void)unlinkat(dir_fd, entry->d_name, 0);	/* harmless where it stays */
	closedir(dir);
}
