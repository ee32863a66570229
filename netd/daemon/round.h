/* SPDX-License-Identifier: GPL-2.0-or-later */
/* round.h -- one look at the kernel that the checks of many networks share
 *
 * A network that an operation has changed since is looked at again: a port that was plugged meanwhile
 * would count as gone.
 */
#pragma once
#include "netd/daemon/netd.h"

struct round {
	struct worker_job job;
	struct netd *netd;
	struct datapath_snapshot *snapshot;
	struct host_facts *facts;
	struct nd_error err;
	unsigned refs;			/* on the main thread */
	uint64_t ended;			/* the last operation that had ended before the look */
	void (*through)(struct netd *d);	/* after the last reference; or NULL */
};

/* With one reference, which is the caller's. NULL: out of memory. */
struct round *round_new(struct netd *d);
/* Looks. 0 or a negative errno with round->err set. On any thread. */
int round_look(struct round *round);
struct round *round_ref(struct round *round);
void round_unref(struct round *round);		/* NULL is fine */
