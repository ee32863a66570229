/* SPDX-License-Identifier: GPL-2.0-or-later */
/* run.h -- one datapath_apply() under way; for apply*.c only
 *
 * Steps run in the diff's order. rtnetlink requests collect in a batch that goes out as late as
 * the order allows: when a step of another sort comes, or at the end. All nftables steps are one
 * transaction, sent when the first of them comes. A bridge is a batch of its own, because what
 * follows must not touch a foreign bridge of the same name.
 */
#pragma once
#include "datapath/private.h"

enum step_state {
	STEP_OPEN,
	STEP_SKIPPED,	/* goes with its bridge */
	STEP_FAILED,	/* perhaps in part */
	STEP_DONE,
};

struct run {
	struct datapath *dp;
	const struct plan_diff *d;
	const char *owner;
	bool undoing;
	enum step_state *state;		/* by step */
	uint32_t *old_mtu;		/* by step: a port's MTU before */
	size_t *order, n_order;		/* steps that did something, oldest first */
	struct nl_batch batch;
	size_t *batch_steps;		/* the step of each request */
	size_t batch_room;
	struct nd_hash *links;		/* name -> struct link_info: as first seen */
	struct nd_hash *doomed;		/* names of bridges that the diff removes */
	bool nft_done;
	struct nd_error *err;		/* of the step under way; never NULL */
};

int run_init(struct run *a);
void run_fini(struct run *a);

static inline void nd_auto_run_fini(struct run *a)
{
	run_fini(a);
}

/* What the step wants, or wants gone. */
const struct plan_item *step_item(const struct plan_step *s);

/* The step is done, or has failed, perhaps in part: from now on it is to be undone. */
void run_finish(struct run *a, size_t i, int result);

/* The link as it was when first asked for; NULL with an error when it cannot be read or is not there. */
struct link_info *run_find_link(struct run *a, const char *name);
/* The link has changed. */
void run_forget_link(struct run *a, const char *name);
/* As run_find_link(), for removals: a link that is gone is no error and NULL. */
int run_find_link_if_any(struct run *a, const char *name, struct link_info **out);

/* The requests of the batch from number `from` on belong to step i. */
int run_claim_requests(struct run *a, size_t from, size_t i);
/* Sends the collected requests. The first error is a->err; steps after it may be done too. */
int run_flush(struct run *a);

/* apply_bridge.c: a step about a bridge, done at once. */
int apply_bridge_step(struct run *a, size_t i);
/* apply_link.c: a step about an address, a route, a port or a link's state: requests for the
 * batch. What goes with a bridge that the diff removes is skipped. */
int apply_link_step(struct run *a, size_t i);
/* apply_shape.c: a step about traffic control on the link, done at once. */
int apply_shape_step(struct run *a, size_t i, int ifindex);
