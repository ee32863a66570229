/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/daemon/guest_change.h"

#include <stdlib.h>

#include "netd/base/log.h"
#include "netd/daemon/guest_nwfilter.h"
#include "netd/daemon/guest_store.h"

void *guest_change_new(struct guest *g, size_t size, guest_done done, void *arg,
		       struct nd_error *err)
{
	struct guest_change *c = calloc(1, size);

	if (!c) {
		nd_error_nomem(err);
		return NULL;
	}
	c->netd = g->netd;
	c->guest = g;
	c->done = done;
	c->arg = arg;
	return c;
}

void guest_change_free(struct guest_change *c)
{
	dom_def_free(c->def);
	dom_def_free(c->live);
	nic_filter_changes_free(c->filters, c->n_filters);
	free(c);
}

void guest_change_start(struct guest_change *c, const struct op_step *steps, size_t n_steps,
			void (*end)(struct operation *op))
{
	c->op.line = &c->guest->line;
	c->op.steps = steps;
	c->op.n_steps = n_steps;
	c->op.end = end;
	operation_start(c->netd->operations, &c->op);
}

void guest_change_end(struct guest_change *c)
{
	if (c->done)
		c->done(c->arg, c->guest, c->op.result < 0 ? &c->op.err : NULL);
	guest_change_free(c);
}

/* ---- changes of documents ---- */

int guest_change_copy(struct guest_change *c, bool live, bool config, struct nd_error *err)
{
	struct guest *g = c->guest;

	if (live && (!g->live || !g->vmm || g->ending))
		return nd_error_set(err, ND_ERR_OPERATION_INVALID, "domain is not running");
	if (config && !g->def)
		return nd_error_set(err, ND_ERR_OPERATION_INVALID,
				    "transient domains do not have any persistent config");
	if (live)
		c->live = dom_def_copy(g->live);
	if (config)
		c->def = dom_def_copy(g->def);
	return (live && !c->live) || (config && !c->def) ? nd_error_nomem(err) : 0;
}

int guest_change_write_config(struct operation *op, struct nd_error *err)
{
	struct guest_change *c = guest_change_of(op);

	return c->def ? guest_store_write(c->netd->guest_store, c->def, err) : 0;
}

int guest_change_restore_config(struct operation *op)
{
	struct guest_change *c = guest_change_of(op);
	struct nd_error err = { 0 };

	if (c->def && guest_store_write(c->netd->guest_store, c->guest->def, &err) < 0)
		nd_log(LOG_ERR, c->guest->name, "taking back a failed change: %s", err.text);
	return OP_DONE;
}

int guest_change_record_live(struct operation *op, struct nd_error *err)
{
	struct guest_change *c = guest_change_of(op);
	struct guest_status status = guest_status_of(c->guest);

	return c->live ? guest_store_write_live(c->netd->guest_store, c->live, &status, err) : 0;
}

static void swap(struct dom_def **a, struct dom_def **b)
{
	struct dom_def *old = *a;

	*a = *b;
	*b = old;
}

int guest_change_commit(struct operation *op, struct nd_error *err)
{
	struct guest_change *c = guest_change_of(op);

	if (c->def)
		swap(&c->guest->def, &c->def);
	if (c->live && c->guest->live)
		swap(&c->guest->live, &c->live);
	guest_nwfilter_committed(c);
	return OP_DONE;
}
