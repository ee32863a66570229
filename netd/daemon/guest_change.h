/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest_change.h -- what the operations on guests have in common */
#pragma once
#include "netd/daemon/guest_life.h"
#include "netd/daemon/guest_vmm.h"
#include "netd/daemon/nic_filters.h"

struct guest_change {
	struct operation op;		/* first */
	struct netd *netd;
	struct guest *guest;
	guest_done done;		/* NULL: nobody asked */
	void *arg;
	struct dom_def *def;		/* becomes the persistent definition */
	struct dom_def *live;		/* becomes the live document */
	struct nic_filter_change *filters;	/* see guest_nwfilter.h ... */
	size_t n_filters;
	uint64_t filters_of;		/* ... and of which generation they are */
	bool on, updated;
};

/* ---- a guest that runs (guest_run.c) ---- */

extern const struct guest_vmm_hooks guest_run_hooks;

/* The state in force, and the event that belongs to the change. No change, no event. */
void guest_set_state(struct guest *g, enum guest_state state, int reason);
struct guest_status guest_status_of(const struct guest *g);
/* Worker: state and document of a guest that runs, as they are now. Failures are logged: what is
 * stale in the file is put right when the guest is adopted. */
void guest_record(struct guest *g);

/* Aliases for devices without: net0, virtio-disk-vda, serial0 (guest_alias.c). */
int guest_name_devices(struct dom_def *live, struct nd_error *err);

/* ---- its start (guest_start.c) ---- */

/* What a start that was cut off had left is cleared away: the autostart that waited for it goes on. */
void guest_cut_off_over(struct guest *g);
/* After an end that was to be followed by a start; live is taken. Failures are logged. */
int guest_start_again(struct guest *g, struct dom_def *live);

/* ---- its end (guest_end.c) ---- */

struct guest_end {
	int reason;			/* of being shut off */
	int detail;			/* of the event "stopped" */
	bool quiet;			/* no events: it starts again, or never was */
	bool again;			/* starts again with the same document */
};

/* done may be NULL. */
int guest_end(struct guest *g, const struct guest_end *how, guest_done done, void *arg,
	      struct nd_error *err);

/* Ports of the guest go, one after the other; for steps that wait. Whose ports they are says the
 * owner in them, so that also those go that a killed netd had made and not written down. */
struct guest_unplug_walk {
	struct operation *op;
	struct guest *guest;
	const struct dom_def *but;	/* what this one names stays; NULL: all go */
	size_t skip;			/* so many more stay: they could not be removed */
};

/* OP_WAIT or OP_DONE. */
int guest_unplug_all(struct guest_unplug_walk *w);
/* Worker. */
void guest_unmake_nics(struct guest *g, const struct dom_nic *nics, size_t n);

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

/* ---- changes of documents: steps, on copies that are c->live and c->def ---- */

/* Main: the copies that are to change, of a guest that runs, is persistent. */
int guest_change_copy(struct guest_change *c, bool live, bool config, struct nd_error *err);
/* Worker. Without c->def nothing is done. */
int guest_change_write_config(struct operation *op, struct nd_error *err);
int guest_change_restore_config(struct operation *op);
/* Worker. Without c->live nothing is done. */
int guest_change_record_live(struct operation *op, struct nd_error *err);
/* Main: the copies are in force now, those before are freed with the change. */
int guest_change_commit(struct operation *op, struct nd_error *err);
