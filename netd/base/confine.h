/* SPDX-License-Identifier: GPL-2.0-or-later */
/* confine.h -- the parts of a sandbox, for the processes that read guests' bytes
 *
 * Each takes something from this process for good. With one thread; threads made later inherit it.
 */
#pragma once
#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "netd/base/error.h"

struct confine_limit {
	int what;			/* RLIMIT_... */
	rlim_t max;
};

/* Soft and hard; only downwards: to raise a limit takes a capability that netd need not have. */
int confine_limits(const struct confine_limit *limits, size_t n, struct nd_error *err);
/* The capabilities that a program might have that is executed later. */
int confine_bounding_set(struct nd_error *err);
/* Becomes uid (and gid), without further groups and without a way back (capabilities(7), securebits). */
int confine_ids(uid_t uid, struct nd_error *err);
/* No capability, none to come by a program, no debugger of the same uid. */
int confine_capabilities(struct nd_error *err);

struct confine_landlock {
	/* Plain files there may be opened, made and removed; NULL: no name may be opened at all. Without
	 * its read_dir SQLite could not open the folder and would silently skip its fsync. */
	const char *files_below;
	bool no_connect;		/* no TCP connections either */
};

/* Landlock where the kernel has it (landlock(7)). What is open already stays usable. */
int confine_landlock(const struct confine_landlock *l, struct nd_error *err);
/* flags: SECCOMP_FILTER_FLAG_... */
int confine_filter(const struct sock_filter *code, size_t n, unsigned flags, struct nd_error *err);
