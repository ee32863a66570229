/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lease_dir.h -- the folder and the uid of each network's server
 *
 * LEASES/UUID/ belongs to the uid that the network's server runs as, and to nobody else: the
 * folder's owner is the record of which uid is taken. May be used from any thread.
 */
#pragma once
#include <stdbool.h>
#include <sys/types.h>

#include "netd/base/addr.h"
#include "netd/base/auto.h"
#include "netd/base/error.h"

struct lease_dirs;
struct lease_seed;

/* root: made when it is not there (mode 0700). uids: uid_first .. uid_first + n_uids - 1. */
int lease_dirs_new(const char *root, uid_t uid_first, uint32_t n_uids, struct lease_dirs **out,
		   struct nd_error *err);
void lease_dirs_free(struct lease_dirs *d);
ND_DEFINE_AUTO(struct lease_dirs *, lease_dirs_free)

/*
 * At define: makes the folder, mode 0700, with an empty lease database in it (3 to 6 ms that a
 * start need not spend). When it is there already: only tells its uid.
 */
int lease_dirs_make(struct lease_dirs *d, const struct nd_uuid *uuid, uid_t *uid_out,
		    struct nd_error *err);
/* The same for a network that another server has served until now: the database starts with that
 * one's leases. Not for a network that has a folder: its leases are its own server's. */
int lease_dirs_make_seeded(struct lease_dirs *d, const struct nd_uuid *uuid,
			   const struct lease_seed *seed, struct nd_error *err);
/* At undefine, once the server is gone: removes the folder with everything in it. Nothing there
 * is no error. */
int lease_dirs_remove(struct lease_dirs *d, const struct nd_uuid *uuid, struct nd_error *err);

/* At start: removes what a crash left half made, and the folders of networks that are not wanted
 * any more (wanted NULL: all stay). Failures are left for the next start. */
void lease_dirs_sweep(struct lease_dirs *d, bool (*wanted)(void *arg, const struct nd_uuid *uuid),
		      void *arg);
