/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest_define.c -- the persistent side of guests: definitions come and go, with autostart or not */
#include <errno.h>
#include <stdlib.h>

#include "netd/base/log.h"
#include "netd/base/str.h"
#include "netd/daemon/guest_change.h"
#include "netd/daemon/guest_store.h"

/* ---- define ---- */

static int clash(const struct guest *other, const struct dom_def *def, struct nd_error *err)
{
	char uuid[ND_UUID_STRLEN];

	nd_uuid_format(&other->uuid, uuid);
	if (nd_streq(other->name, def->name))
		return nd_error_set(err, ND_ERR_OPERATION_FAILED,
				    "domain '%s' already exists with uuid %s", other->name, uuid);
	return nd_error_set(err, ND_ERR_OPERATION_FAILED,
			    "domain '%s' is already defined with uuid %s", other->name, uuid);
}

static int check_emulator(struct netd *d, const struct dom_def *def, struct nd_error *err)
{
	if (!def->emulator || nd_streq(def->emulator, d->paths.vmm))
		return 0;
	return nd_error_set(err, ND_ERR_CONFIG_UNSUPPORTED,
			    "<emulator>: guests run in '%s', not in '%.200s'", d->paths.vmm,
			    def->emulator);
}

int guest_target(struct netd *d, struct dom_def *def, struct guest **out, struct nd_error *err)
{
	struct guest *g = guests_by_name(&d->guests, def->name), *other;
	int r = check_emulator(d, def, err);

	if (r < 0)
		return r;
	if (g && !def->has_uuid) {
		def->uuid = g->uuid;
		def->has_uuid = true;
	}
	other = def->has_uuid ? guests_by_uuid(&d->guests, &def->uuid) : NULL;
	if (other != g)
		return clash(g ? g : other, def, err);
	r = dom_def_generate(def, err);
	if (r < 0)
		return r;
	if (!g)
		g = guests_add(d, def->name, &def->uuid);
	if (!g)
		return nd_error_nomem(err);
	*out = g;
	return 0;
}

/* Worker. */
static int define_write(struct operation *op, struct nd_error *err)
{
	struct guest_change *c = guest_change_of(op);

	return guest_store_write(c->netd->guest_store, c->def, err);
}

static int define_commit(struct operation *op, struct nd_error *err)
{
	struct guest_change *c = guest_change_of(op);

	c->updated = c->guest->def != NULL;
	dom_def_free(c->guest->def);
	c->guest->def = nd_take_ptr(&c->def);
	return 0;
}

static const struct op_step define_steps[] = {
	{ "writing the definition", true, define_write, NULL },
	{ "committing", false, define_commit, NULL },
};

static void define_end(struct operation *op)
{
	struct guest_change *c = guest_change_of(op);
	struct guest *g = c->guest;
	bool ok = op->result == 0, updated = c->updated;

	guest_change_end(c);
	if (!ok)
		return;
	nd_log(LOG_INFO, g->name, "guest defined");
	events_domain_lifecycle(g->netd->events, g, DOM_DEFINED, updated ? 1 : 0);
}

int guest_define(struct netd *d, struct dom_def *def_taken, guest_done done, void *arg,
		 struct nd_error *err)
{
	ND_AUTO(dom_def_free) struct dom_def *def = def_taken;
	struct guest *g = NULL;
	struct guest_change *c;
	int r = guest_target(d, def, &g, err);

	if (r < 0)
		return r;
	c = guest_change_new(g, sizeof(*c), done, arg, err);
	if (!c) {
		if (!guest_visible(g) && !g->line.queue)
			guests_remove(&d->guests, g);
		return -ENOMEM;
	}
	c->def = nd_take_ptr(&def);
	guest_change_start(c, define_steps, ND_COUNT(define_steps), define_end);
	return 0;
}

static int redefine_check(struct operation *op, struct nd_error *err)
{
	struct guest *g = guest_change_of(op)->guest;

	return g->def ? 0 : nd_error_set(err, ND_ERR_OPERATION_INVALID,
					 "transient domains do not have any persistent config");
}

static const struct op_step redefine_steps[] = {
	{ "checking", false, redefine_check, NULL },
	{ "writing the definition", true, define_write, NULL },
	{ "committing", false, define_commit, NULL },
};

static void plain_end(struct operation *op)
{
	guest_change_end(guest_change_of(op));
}

int guest_redefine(struct guest *g, struct dom_def *def_taken, guest_done done, void *arg,
		   struct nd_error *err)
{
	ND_AUTO(dom_def_free) struct dom_def *def = def_taken;
	struct guest_change *c = guest_change_new(g, sizeof(*c), done, arg, err);

	if (!c)
		return -ENOMEM;
	c->def = nd_take_ptr(&def);
	guest_change_start(c, redefine_steps, ND_COUNT(redefine_steps), plain_end);
	return 0;
}

/* ---- undefine ---- */

static int undefine_check(struct operation *op, struct nd_error *err)
{
	if (!guest_change_of(op)->guest->def)
		return nd_error_set(err, ND_ERR_OPERATION_INVALID, "cannot undefine transient domain");
	return 0;
}

/* Worker. The definition first: a link to nothing that a crash leaves is swept at the next load. */
static int undefine_remove(struct operation *op, struct nd_error *err)
{
	struct guest_change *c = guest_change_of(op);

	return guest_store_remove(c->netd->guest_store, c->guest->name, err);
}

static int undefine_restore(struct operation *op)
{
	struct guest_change *c = guest_change_of(op);
	struct nd_error err = { 0 };

	if (guest_store_write(c->netd->guest_store, c->guest->def, &err) < 0)
		nd_log(LOG_ERR, c->guest->name, "taking back a failed undefine: %s", err.text);
	return OP_DONE;
}

static int undefine_unlink(struct operation *op, struct nd_error *err)
{
	struct guest_change *c = guest_change_of(op);

	return c->guest->autostart ?
	       guest_store_autostart(c->netd->guest_store, c->guest->name, false, err) : 0;
}

static int undefine_commit(struct operation *op, struct nd_error *err)
{
	struct guest_change *c = guest_change_of(op);

	c->def = nd_take_ptr(&c->guest->def);
	c->guest->autostart = false;
	return 0;
}

static const struct op_step undefine_steps[] = {
	{ "checking", false, undefine_check, NULL },
	{ "removing the definition", true, undefine_remove, undefine_restore },
	{ "removing the autostart link", true, undefine_unlink, NULL },
	{ "committing", false, undefine_commit, NULL },
};

static void undefine_end(struct operation *op)
{
	struct guest_change *c = guest_change_of(op);
	struct guest *g = c->guest;
	bool ok = op->result == 0;

	guest_change_end(c);
	if (!ok)
		return;
	nd_log(LOG_INFO, g->name, "guest undefined");
	events_domain_lifecycle(g->netd->events, g, DOM_UNDEFINED, 0);
}

int guest_undefine(struct guest *g, guest_done done, void *arg, struct nd_error *err)
{
	struct guest_change *c = guest_change_new(g, sizeof(*c), done, arg, err);

	if (!c)
		return -ENOMEM;
	guest_change_start(c, undefine_steps, ND_COUNT(undefine_steps), undefine_end);
	return 0;
}

/* ---- autostart ---- */

static int autostart_check(struct operation *op, struct nd_error *err)
{
	if (!guest_change_of(op)->guest->def)
		return nd_error_set(err, ND_ERR_OPERATION_INVALID,
				    "cannot set autostart for transient domain");
	return 0;
}

/* Worker. */
static int autostart_link(struct operation *op, struct nd_error *err)
{
	struct guest_change *c = guest_change_of(op);

	return c->on == c->guest->autostart ? 0
	       : guest_store_autostart(c->netd->guest_store, c->guest->name, c->on, err);
}

static int autostart_commit(struct operation *op, struct nd_error *err)
{
	struct guest_change *c = guest_change_of(op);

	c->guest->autostart = c->on;
	return 0;
}

static const struct op_step autostart_steps[] = {
	{ "checking", false, autostart_check, NULL },
	{ "setting the link", true, autostart_link, NULL },
	{ "committing", false, autostart_commit, NULL },
};

int guest_autostart(struct guest *g, bool on, guest_done done, void *arg, struct nd_error *err)
{
	struct guest_change *c = guest_change_new(g, sizeof(*c), done, arg, err);

	if (!c)
		return -ENOMEM;
	c->on = on;
	guest_change_start(c, autostart_steps, ND_COUNT(autostart_steps), plain_end);
	return 0;
}

/* ---- loading ---- */

static void loaded_definition(void *arg, struct dom_def *def_taken, bool autostart)
{
	ND_AUTO(dom_def_free) struct dom_def *def = def_taken;
	struct netd *d = arg;
	struct guest *g = guests_by_name(&d->guests, def->name);
	struct guest *other = guests_by_uuid(&d->guests, &def->uuid);

	if (g != other) {
		nd_log(LOG_ERR, def->name, "its definition is skipped: another guest has its uuid or name");
		return;
	}
	if (g && g->line.queue)		/* what is being changed is newer than the file */
		return;
	if (!g)
		g = guests_add(d, def->name, &def->uuid);
	if (!g) {
		nd_log(LOG_ERR, def->name, "its definition is skipped: out of memory");
		return;
	}
	dom_def_free(g->def);
	g->def = nd_take_ptr(&def);
	g->autostart = autostart;
}

static void loaded_live(void *arg, struct dom_def *live_taken, const struct guest_status *status)
{
	ND_AUTO(dom_def_free) struct dom_def *live = live_taken;
	struct netd *d = arg;
	struct guest *g = guests_by_name(&d->guests, live->name);

	if (g != guests_by_uuid(&d->guests, &live->uuid) || (g && g->live)) {
		nd_log(LOG_ERR, live->name, "its live state is skipped: another guest has its uuid or name");
		return;
	}
	if (!g)
		g = guests_add(d, live->name, &live->uuid);
	if (!g) {
		nd_log(LOG_ERR, live->name, "its live state is skipped: out of memory");
		return;
	}
	g->live = nd_take_ptr(&live);
	g->state = status->pid ? (enum guest_state)status->state : GUEST_SHUT_OFF;
	g->cut_off = !status->pid;
	g->devices_named = g->cut_off && status->reason == GUEST_STATUS_NAMED;
	g->reason = g->cut_off ? GUEST_SHUT_OFF_UNKNOWN : status->reason;
	g->uid = status->uid;
	if (g->live->id > d->guests.last_id)
		d->guests.last_id = g->live->id;
}

unsigned guest_load(struct netd *d, bool again)
{
	struct guest_loader loader = { .arg = d, .definition = loaded_definition,
				       .live = again ? NULL : loaded_live };

	if (!again)
		guest_store_sweep(d->guest_store);
	return guest_store_load(d->guest_store, &loader);
}
