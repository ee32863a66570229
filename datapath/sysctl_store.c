/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "datapath/sysctl_store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "netd/base/array.h"
#include "netd/base/effect.h"
#include "netd/base/str.h"

struct sysctl_entry *sysctl_entry_new(const char *path)
{
	size_t len = strlen(path);
	struct sysctl_entry *e = len < sizeof(e->path) ? calloc(1, sizeof(*e)) : NULL;

	if (!e)
		return NULL;
	e->holders = nd_hash_new();
	if (!e->holders) {
		free(e);
		return NULL;
	}
	memcpy(e->path, path, len + 1);
	return e;
}

void sysctl_entry_free(struct sysctl_entry *e)
{
	size_t pos = 0;
	char *owner;

	if (!e)
		return;
	while ((owner = nd_hash_next(e->holders, &pos)))
		free(owner);
	nd_hash_free(e->holders);
	free(e->others);
	free(e);
}

int sysctl_store_init(struct sysctl_store *s, int run_fd, struct nd_error *err)
{
	*s = (struct sysctl_store){ .run_fd = run_fd, .proc_fd = -1 };
	if (mkdirat(run_fd, "sysctl", 0700) < 0 && errno != EEXIST)
		return nd_error_sys(err, errno, "cannot make the folder for notes about sysctls");
	s->proc_fd = open("/proc/sys", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (s->proc_fd < 0)
		return nd_error_sys(err, errno, "cannot open /proc/sys");
	return 0;
}

void sysctl_store_fini(struct sysctl_store *s)
{
	if (s->proc_fd >= 0)
		close(s->proc_fd);
	s->proc_fd = -1;
}

static int may(const char *verb, const char *path, const char *value)
{
	char what[256];

	snprintf(what, sizeof(what), "%s sysctl %s%s%s", verb, path, *value ? "=" : "", value);
	return nd_effect(ND_EFFECT_FILE, what);
}

int sysctl_store_read(const struct sysctl_store *s, const char *path, char buf[SYSCTL_VALUE_MAX])
{
	ND_AUTO(close) int fd = openat(s->proc_fd, path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, buf, SYSCTL_VALUE_MAX - 1);
	if (n < 0)
		return -errno;
	while (n > 0 && (buf[n - 1] == '\n' || buf[n - 1] == ' '))
		n--;
	buf[n] = '\0';
	return 0;
}

int sysctl_store_write(const struct sysctl_store *s, const char *path, const char *value,
		       struct nd_error *err)
{
	ND_AUTO(close) int fd = -1;
	int r = may("write", path, value);

	if (r == 0) {
		fd = openat(s->proc_fd, path, O_WRONLY | O_CLOEXEC);
		if (fd < 0 || write(fd, value, strlen(value)) < 0)
			r = -errno;
	}
	if (r < 0)
		return nd_error_sys(err, -r, "cannot set sysctl %s to %s", path, value);
	return 0;
}

/* ':' stands for '/': no interface name can hold it. */
static void entry_folder(const char *path, char folder[160])
{
	snprintf(folder, 160, "sysctl/%s", path);
	for (char *c = folder + strlen("sysctl/"); *c; c++)
		if (*c == '/')
			*c = ':';
}

static void entry_file(const char *path, const char *file, char out[256])
{
	char folder[160];

	entry_folder(path, folder);
	snprintf(out, 256, "%s/%s", folder, file);
}

static int write_note(const struct sysctl_store *s, const char *file, const struct sysctl_entry *e)
{
	ND_AUTO(nd_str_free) struct nd_str text = { 0 };
	ND_AUTO(close) int fd = -1;

	nd_str_addf(&text, "%s %s\n", e->before, e->written);
	for (size_t i = 0; i < e->n_others; i++)
		nd_str_addf(&text, "%s %s\n", e->others[i].path, e->others[i].value);
	if (text.failed)
		return -ENOMEM;
	fd = openat(s->run_fd, file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	return write(fd, text.text, text.len) == (ssize_t)text.len ? 0 : -ENOSPC;
}

int sysctl_store_save(const struct sysctl_store *s, const struct sysctl_entry *e,
		      struct nd_error *err)
{
	char folder[160], temporary[256], note[256];
	int r = may("save", e->path, "");

	entry_folder(e->path, folder);
	entry_file(e->path, ".new", temporary);
	entry_file(e->path, ".saved", note);
	if (r == 0 && mkdirat(s->run_fd, folder, 0700) < 0 && errno != EEXIST)
		r = -errno;
	if (r == 0)
		r = write_note(s, temporary, e);
	if (r == 0 && renameat(s->run_fd, temporary, s->run_fd, note) < 0)
		r = -errno;
	if (r < 0)
		return nd_error_sys(err, -r, "cannot note the value of sysctl %s", e->path);
	return 0;
}

/* Half-written notes go too. */
static int remove_folder(const struct sysctl_store *s, const char *path)
{
	static const char *const files[] = { ".new", ".saved" };
	char folder[160], file[256];

	for (size_t i = 0; i < ND_COUNT(files); i++) {
		entry_file(path, files[i], file);
		if (unlinkat(s->run_fd, file, 0) < 0 && errno != ENOENT)
			return -errno;
	}
	entry_folder(path, folder);
	if (unlinkat(s->run_fd, folder, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return -errno;
	return 0;
}

int sysctl_store_drop(const struct sysctl_store *s, const struct sysctl_entry *e,
		      struct nd_error *err)
{
	int r = may("drop", e->path, "");

	if (r == 0)
		r = remove_folder(s, e->path);
	if (r < 0)
		return nd_error_sys(err, -r, "cannot remove the note about sysctl %s", e->path);
	return 0;
}

int sysctl_store_add_holder(const struct sysctl_store *s, const struct sysctl_entry *e,
			    const char *owner, struct nd_error *err)
{
	ND_AUTO(close) int fd = -1;
	char file[256];
	int r = may("hold", e->path, owner);

	entry_file(e->path, owner, file);
	if (r == 0) {
		fd = openat(s->run_fd, file, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (fd < 0)
			r = -errno;
	}
	if (r < 0)
		return nd_error_sys(err, -r, "cannot note who holds sysctl %s", e->path);
	return 0;
}

int sysctl_store_remove_holder(const struct sysctl_store *s, const struct sysctl_entry *e,
			       const char *owner, struct nd_error *err)
{
	char file[256];
	int r = may("release", e->path, owner);

	entry_file(e->path, owner, file);
	if (r == 0 && unlinkat(s->run_fd, file, 0) < 0 && errno != ENOENT)
		r = -errno;
	if (r < 0)
		return nd_error_sys(err, -r, "cannot note who holds sysctl %s", e->path);
	return 0;
}

static int read_note(const struct sysctl_store *s, struct sysctl_entry *e)
{
	ND_AUTO(fclose) FILE *f = NULL;
	char file[256], first[128], second[SYSCTL_VALUE_MAX];
	int fd;

	entry_file(e->path, ".saved", file);
	fd = openat(s->run_fd, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	f = fdopen(fd, "r");
	if (!f) {
		close(fd);
		return -ENOMEM;
	}
	if (fscanf(f, "%31s %31s", e->before, e->written) != 2)
		return -EBADMSG;
	while (fscanf(f, "%127s %31s", first, second) == 2) {
		struct sysctl_value *v = nd_array_add(e->others, e->n_others);

		if (!v)
			return -ENOMEM;
		memcpy(v->path, first, sizeof(first));
		memcpy(v->value, second, sizeof(second));
	}
	return 0;
}

static int read_holders(const struct sysctl_store *s, const char *folder, struct sysctl_entry *e)
{
	int fd = openat(s->run_fd, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent *d;
	DIR *dir;
	int r = 0;

	if (fd < 0)
		return -errno;
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return -ENOMEM;
	}
	while (r == 0 && (d = readdir(dir))) {
		char *owner = d->d_name[0] == '.' ? NULL : strdup(d->d_name);

		if (d->d_name[0] == '.')
			continue;
		r = owner ? nd_hash_set(e->holders, owner, strlen(owner), owner) : -ENOMEM;
		if (r < 0)
			free(owner);
	}
	closedir(dir);
	return r;
}

static int load_entry(const struct sysctl_store *s, const char *folder_name,
		      int (*add)(void *arg, struct sysctl_entry *e), void *arg)
{
	ND_AUTO(sysctl_entry_free) struct sysctl_entry *e = sysctl_entry_new(folder_name);
	char folder[160];
	int r;

	if (!e)
		return -ENOMEM;
	for (char *c = e->path; *c; c++)
		if (*c == ':')
			*c = '/';
	entry_folder(e->path, folder);
	r = read_holders(s, folder, e);
	if (r < 0)
		return r;
	if (nd_hash_count(e->holders) == 0)
		return remove_folder(s, e->path);
	r = read_note(s, e);
	return r < 0 ? r : add(arg, nd_take_ptr(&e));
}

int sysctl_store_load(const struct sysctl_store *s,
		      int (*add)(void *arg, struct sysctl_entry *e), void *arg,
		      struct nd_error *err)
{
	int fd = openat(s->run_fd, "sysctl", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	struct dirent *d;
	DIR *dir;

	if (fd < 0)
		return nd_error_sys(err, errno, "cannot read the notes about sysctls");
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return nd_error_nomem(err);
	}
	while (r == 0 && (d = readdir(dir))) {
		if (d->d_name[0] == '.')
			continue;
		r = load_entry(s, d->d_name, add, arg);
		if (r < 0)
			nd_error_sys(err, -r, "cannot read the note about sysctl '%s'", d->d_name);
	}
	closedir(dir);
	return r;
}
