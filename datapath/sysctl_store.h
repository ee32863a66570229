/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sysctl_store.h -- the keeper's notes as files, and values as files below /proc/sys */
#pragma once
#include "datapath/sysctl.h"
#include "netd/base/hash.h"

struct sysctl_value {
	char path[128];
	char value[SYSCTL_VALUE_MAX];
};

/* One held setting. */
struct sysctl_entry {
	char path[128];
	char before[SYSCTL_VALUE_MAX];	/* before the first holder */
	char written[SYSCTL_VALUE_MAX];
	struct sysctl_value *others;	/* what turning `path` back would not bring back */
	size_t n_others;
	struct nd_hash *holders;	/* owner -> itself (malloc) */
};

/* NULL: no memory, or a path that is too long for one of ours. */
struct sysctl_entry *sysctl_entry_new(const char *path);
void sysctl_entry_free(struct sysctl_entry *e);		/* NULL is fine */
ND_DEFINE_AUTO(struct sysctl_entry *, sysctl_entry_free)

struct sysctl_store {
	int run_fd;		/* borrowed */
	int proc_fd;		/* /proc/sys */
};

int sysctl_store_init(struct sysctl_store *s, int run_fd, struct nd_error *err);
void sysctl_store_fini(struct sysctl_store *s);

int sysctl_store_read(const struct sysctl_store *s, const char *path, char buf[SYSCTL_VALUE_MAX]);
int sysctl_store_write(const struct sysctl_store *s, const char *path, const char *value,
		       struct nd_error *err);

/* Makes the entry's folder and note, whole or not at all. */
int sysctl_store_save(const struct sysctl_store *s, const struct sysctl_entry *e,
		      struct nd_error *err);
int sysctl_store_drop(const struct sysctl_store *s, const struct sysctl_entry *e,
		      struct nd_error *err);
int sysctl_store_add_holder(const struct sysctl_store *s, const struct sysctl_entry *e,
			    const char *owner, struct nd_error *err);
int sysctl_store_remove_holder(const struct sysctl_store *s, const struct sysctl_entry *e,
			       const char *owner, struct nd_error *err);

/* Calls add with each entry on disk, which takes it. Entries that nobody holds are removed: their
 * setting was not yet written, or was put back. */
int sysctl_store_load(const struct sysctl_store *s,
		      int (*add)(void *arg, struct sysctl_entry *e), void *arg,
		      struct nd_error *err);
