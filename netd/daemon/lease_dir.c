/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/daemon/lease_dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dhcp/lease_store.h"
#include "netd/base/effect.h"

#define TEMPORARY ".new"

static inline void nd_auto_closedir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

struct lease_dirs {
	pthread_mutex_t lock;		/* of everything below */
	char *root;
	int root_fd;
	uid_t uid_first;
	uint32_t n_uids, next;		/* next: freed uids are not used again at once */
	uint8_t *taken;			/* one byte for each uid */
};

void lease_dirs_free(struct lease_dirs *d)
{
	if (!d)
		return;
	pthread_mutex_destroy(&d->lock);
	if (d->root_fd >= 0)
		close(d->root_fd);
	free(d->taken);
	free(d->root);
	free(d);
}

static void uid_mark(struct lease_dirs *d, uid_t uid, bool taken)
{
	if (uid >= d->uid_first && uid - d->uid_first < d->n_uids)
		d->taken[uid - d->uid_first] = taken;
}

/* Only files lie in a lease folder; a folder in it would be a server's doing and stays. */
static int folder_remove(struct lease_dirs *d, const char *name)
{
	int fd = openat(d->root_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;
	int r = 0;

	if (!dir) {
		r = -errno;
		if (fd >= 0)
			close(fd);
		return r;
	}
	while ((entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
		    unlinkat(fd, entry->d_name, 0) < 0)
			r = -errno;
	closedir(dir);
	if (r == 0 && unlinkat(d->root_fd, name, AT_REMOVEDIR) < 0)
		r = -errno;
	return r;
}

/* What a crash left of a folder that was being made. */
static bool is_temporary(const char *name)
{
	return name[0] == '.' && strlen(name) == strlen(".") + ND_UUID_STRLEN - 1 + strlen(TEMPORARY);
}

static void owners_read(struct lease_dirs *d)
{
	int fd = openat(d->root_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;
	struct stat st;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((entry = readdir(dir)))
		if (is_temporary(entry->d_name))
			(void)folder_remove(d, entry->d_name);	/* tried again when it is made */
		else if (fstatat(d->root_fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0)
			uid_mark(d, st.st_uid, true);
	closedir(dir);
}

int lease_dirs_new(const char *root, uid_t uid_first, uint32_t n_uids, struct lease_dirs **out,
		   struct nd_error *err)
{
	ND_AUTO(lease_dirs_free) struct lease_dirs *d = calloc(1, sizeof(*d));

	if (!d)
		return nd_error_nomem(err);
	pthread_mutex_init(&d->lock, NULL);
	d->root_fd = -1;
	d->uid_first = uid_first;
	d->n_uids = n_uids;
	d->root = strdup(root);
	d->taken = calloc(n_uids ? n_uids : 1, 1);
	if (!d->root || !d->taken)
		return nd_error_nomem(err);
	if (mkdir(root, 0700) < 0 && errno != EEXIST)
		return nd_error_sys(err, errno, "cannot make the lease folder '%s'", root);
	d->root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (d->root_fd < 0)
		return nd_error_sys(err, errno, "cannot open the lease folder '%s'", root);
	owners_read(d);
	*out = nd_take_ptr(&d);
	return 0;
}

static int uid_choose(struct lease_dirs *d, uid_t *out, struct nd_error *err)
{
	for (uint32_t i = 0; i < d->n_uids; i++) {
		uint32_t at = (d->next + i) % d->n_uids;

		if (d->taken[at])
			continue;
		d->next = at + 1;
		*out = d->uid_first + at;
		return 0;
	}
	return nd_error_set(err, ND_ERR_OPERATION_FAILED, "all %u uids for servers are taken: "
			    "make the range serve_uids in netd.conf longer", d->n_uids);
}

/* Everything in the folder, then the folder. */
static int folder_give(int dir_fd, uid_t uid)
{
	ND_AUTO(closedir) DIR *dir = NULL;
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent *entry;

	dir = fd >= 0 ? fdopendir(fd) : NULL;
	if (!dir) {
		int r = -errno;

		if (fd >= 0)
			close(fd);
		return r;
	}
	while ((entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
		    fchownat(dir_fd, entry->d_name, uid, uid, AT_SYMLINK_NOFOLLOW) < 0)
			return -errno;
	if (fchmod(dir_fd, 0700) < 0 || fchown(dir_fd, uid, uid) < 0 || fsync(dir_fd) < 0)
		return -errno;
	return 0;
}

/* Fills the folder while it has another name, and only then lets it be the network's: a crash in
 * between leaves nothing that looks like one. */
static int folder_fill(struct lease_dirs *d, const char *temporary, const char *name, uid_t uid,
		       const struct lease_seed *seed, struct nd_error *err)
{
	char path[4096];
	ND_AUTO(close) int dir = openat(d->root_fd, temporary,
					O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int r;

	if (dir < 0)
		return nd_error_sys(err, errno, "cannot open the lease folder of network %s", name);
	snprintf(path, sizeof(path), "%s/%s/%s", d->root, temporary, LEASE_STORE_FILE);
	r = lease_store_create(path, err);
	if (r == 0 && seed)
		r = lease_store_seed(path, seed, err);
	if (r < 0)
		return r;
	r = nd_effect(ND_EFFECT_FILE, "chown lease folder");
	if (r == 0)
		r = folder_give(dir, uid);
	if (r == 0)
		r = nd_effect(ND_EFFECT_FILE, "rename lease folder");
	if (r == 0 && renameat(d->root_fd, temporary, d->root_fd, name) < 0)
		r = -errno;
	return r < 0 ? nd_error_sys(err, -r, "cannot make the lease folder of network %s", name) : 0;
}

static int folder_make(struct lease_dirs *d, const char *name, const struct lease_seed *seed,
		       uid_t *uid_out, struct nd_error *err)
{
	char temporary[ND_UUID_STRLEN + sizeof("." TEMPORARY)];
	int r = uid_choose(d, uid_out, err);

	if (r < 0)
		return r;
	snprintf(temporary, sizeof(temporary), ".%s" TEMPORARY, name);
	(void)folder_remove(d, temporary);	/* left by a crash; mkdirat tells when it is still there */
	r = nd_effect(ND_EFFECT_FILE, "make lease folder");
	if (r == 0 && mkdirat(d->root_fd, temporary, 0700) < 0)
		r = -errno;
	if (r < 0)
		return nd_error_sys(err, -r, "cannot make the lease folder of network %s", name);
	r = folder_fill(d, temporary, name, *uid_out, seed, err);
	if (r < 0) {
		(void)folder_remove(d, temporary);	/* the first error is the one to tell */
		return r;
	}
	uid_mark(d, *uid_out, true);
	return 0;
}

int lease_dirs_make(struct lease_dirs *d, const struct nd_uuid *uuid, uid_t *uid_out,
		    struct nd_error *err)
{
	char name[ND_UUID_STRLEN];
	struct stat st;
	int r = 0;

	nd_uuid_format(uuid, name);
	pthread_mutex_lock(&d->lock);
	if (fstatat(d->root_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode) &&
	    st.st_uid != 0)
		*uid_out = st.st_uid;
	else
		r = folder_make(d, name, NULL, uid_out, err);
	pthread_mutex_unlock(&d->lock);
	return r;
}

int lease_dirs_make_seeded(struct lease_dirs *d, const struct nd_uuid *uuid,
			   const struct lease_seed *seed, struct nd_error *err)
{
	char name[ND_UUID_STRLEN];
	struct stat st;
	uid_t uid;
	int r;

	nd_uuid_format(uuid, name);
	pthread_mutex_lock(&d->lock);
	if (fstatat(d->root_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		r = nd_error_sys(err, EEXIST, "the lease folder of network %s", name);
	else
		r = folder_make(d, name, seed, &uid, err);
	pthread_mutex_unlock(&d->lock);
	return r;
}

int lease_dirs_remove(struct lease_dirs *d, const struct nd_uuid *uuid, struct nd_error *err)
{
	char name[ND_UUID_STRLEN];
	struct stat st;
	int r;

	nd_uuid_format(uuid, name);
	pthread_mutex_lock(&d->lock);
	if (fstatat(d->root_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		st.st_uid = 0;
	r = nd_effect(ND_EFFECT_FILE, "remove lease folder");
	if (r == 0)
		r = folder_remove(d, name);
	if (r == 0)
		uid_mark(d, st.st_uid, false);
	pthread_mutex_unlock(&d->lock);
	if (r < 0 && r != -ENOENT)
		return nd_error_sys(err, -r, "cannot remove the lease folder of network %s", name);
	return 0;
}

void lease_dirs_sweep(struct lease_dirs *d, bool (*wanted)(void *arg, const struct nd_uuid *uuid),
		      void *arg)
{
	int fd = openat(d->root_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;
	struct nd_uuid uuid;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((entry = readdir(dir))) {
		size_t len = strlen(entry->d_name);

		if (entry->d_name[0] == '.' && len > 4 && strcmp(entry->d_name + len - 4, ".new") == 0)
			(void)folder_remove(d, entry->d_name);
		else if (wanted && len == ND_UUID_STRLEN - 1 && nd_uuid_parse(entry->d_name, &uuid) &&
			 !wanted(arg, &uuid))
			(void)lease_dirs_remove(d, &uuid, NULL);
	}
	closedir(dir);
}
