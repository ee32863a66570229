/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "datapath/intent.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "netd/base/effect.h"
#include "netd/base/str.h"

enum { INTENT_SIZE = 160 };

static void intent_path(const char *name, char path[64])
{
	snprintf(path, 64, "intents/%s", name);
}

static size_t intent_text(const struct plan_bridge *b, char text[INTENT_SIZE])
{
	char mac[ND_MAC_STRLEN];

	return (size_t)snprintf(text, INTENT_SIZE, "%s %s %u\n", b->alias,
				nd_mac_format(&b->mac, mac), b->group);
}

static int allowed(const char *verb, const char *name)
{
	char what[64];

	snprintf(what, sizeof(what), "%s intent %s", verb, name);
	return nd_effect(ND_EFFECT_FILE, what);
}

/* A note that was cut short proves nothing, and nothing was made before it was whole: so it
 * needs no renaming into place. */
int intent_write(int run_fd, const struct plan_bridge *b, struct nd_error *err)
{
	ND_AUTO(close) int fd = -1;
	char path[64], text[INTENT_SIZE];
	size_t len = intent_text(b, text);
	int r = allowed("write", b->name);

	intent_path(b->name, path);
	if (r < 0)
		return nd_error_sys(err, -r, "cannot write the note about bridge '%s'", b->name);
	fd = openat(run_fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 && errno == ENOENT && mkdirat(run_fd, "intents", 0700) == 0)
		fd = openat(run_fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
			    0600);
	if (fd < 0 || write(fd, text, len) != (ssize_t)len)
		return nd_error_sys(err, errno, "cannot write the note about bridge '%s'", b->name);
	return 0;
}

bool intent_exists(int run_fd, const struct plan_bridge *b)
{
	char path[64], expected[INTENT_SIZE], found[INTENT_SIZE];
	size_t len = intent_text(b, expected);
	ND_AUTO(close) int fd = -1;

	intent_path(b->name, path);
	fd = openat(run_fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	return fd >= 0 && read(fd, found, sizeof(found)) == (ssize_t)len &&
	       memcmp(found, expected, len) == 0;
}

bool intent_proves(int run_fd, const struct plan_bridge *b, const struct link_info *link)
{
	return !link->fact.alias[0] && nd_streq(link->fact.kind, "bridge") &&
	       nd_mac_equal(&link->fact.mac, &b->mac) && link->fact.group == b->group &&
	       intent_exists(run_fd, b);
}

int intent_remove(int run_fd, const char *name, struct nd_error *err)
{
	char path[64];
	int r;

	intent_path(name, path);
	if (faccessat(run_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
		return 0;
	r = allowed("remove", name);
	if (r < 0)
		return nd_error_sys(err, -r, "cannot remove the note about bridge '%s'", name);
	if (unlinkat(run_fd, path, 0) < 0 && errno != ENOENT)
		return nd_error_sys(err, errno, "cannot remove the note about bridge '%s'", name);
	return 0;
}

int intent_prune(int run_fd, struct nl *nl, struct nd_error *err)
{
	int fd = openat(run_fd, "intents", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	struct link_info link;
	struct dirent *d;
	DIR *dir;

	if (fd < 0)
		return errno == ENOENT ? 0 : nd_error_sys(err, errno, "cannot read the notes about bridges");
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return nd_error_nomem(err);
	}
	while (r == 0 && (d = readdir(dir))) {
		if (d->d_name[0] == '.')
			continue;
		r = link_get(nl, d->d_name, &link, err);
		if (r == -ENODEV || (r == 0 && link.fact.alias[0]))
			r = intent_remove(run_fd, d->d_name, err);
	}
	closedir(dir);
	return r;
}
