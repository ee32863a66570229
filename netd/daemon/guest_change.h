/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest_change.h -- what the operations on guests have in common */
#pragma once
#include "netd/daemon/guest_life.h"

struct guest_change {
	struct operation op;		/* first */
	struct netd *netd;
	struct guest *guest;
	guest_done done;		/* NULL: nobody asked */
	void *arg;
	struct dom_def *def;		/* becomes the persistent definition */
	struct dom_def *live;		/* becomes the live document */
	bool on, updated;
};

static inline struct guest_change *guest_change_of(struct operation *op)
{
	return (struct guest_change *)op;
}

/* size: of the struct that begins with the change. NULL with err when out of memory. */
void *guest_change_new(struct guest *g, size_t size, guest_done done, void *arg,
		       struct nd_error *err);
void guest_change_free(struct guest_change *c);
/* Queues the change on the guest. */
void guest_change_start(struct guest_change *c, const struct op_step *steps, size_t n_steps,
			void (*end)(struct operation *op));
/* What every end() does last: tells the requester, frees. */
void guest_change_end(struct guest_change *c);

/* The guest that the document is of, made (invisible) when it is new; fills what is missing of the
 * document. One without a uuid is of the guest of its name. */
int guest_target(struct netd *d, struct dom_def *def, struct guest **out, struct nd_error *err);
