/* SPDX-License-Identifier: GPL-2.0-or-later */
/* undefine.c -- the persistent side of a network: its definition goes; it is (not) started at boot */
#include <errno.h>
#include <stdlib.h>

#include "netd/base/log.h"
#include "netd/daemon/change.h"

static int undefine_check(struct operation *op, struct nd_error *err)
{
	if (!op->net->def)
		return nd_error_set(err, ND_ERR_OPERATION_INVALID, "can't undefine transient network");
	return 0;
}

/* Worker. The definition first: a link to nothing that a crash leaves is swept at the next load. */
static int undefine_remove(struct operation *op, struct nd_error *err)
{
	return store_remove_definition(change_of(op)->netd->store, op->net->name, err);
}

static int undefine_restore(struct operation *op)
{
	struct nd_error err = { 0 };

	if (store_write_definition(change_of(op)->netd->store, op->net->def, &err) < 0)
		nd_log(LOG_ERR, op->net->name, "taking back a failed undefine: %s", err.text);
	return OP_DONE;
}

static int undefine_unlink(struct operation *op, struct nd_error *err)
{
	return op->net->autostart ?
	       store_set_autostart(change_of(op)->netd->store, op->net->name, false, err) : 0;
}

static int undefine_relink(struct operation *op)
{
	struct nd_error err = { 0 };

	if (op->net->autostart &&
	    store_set_autostart(change_of(op)->netd->store, op->net->name, true, &err) < 0)
		nd_log(LOG_ERR, op->net->name, "taking back a failed undefine: %s", err.text);
	return OP_DONE;
}

/* Worker. The leases of a network that runs on as a transient one are still its own. */
static int undefine_leases(struct operation *op, struct nd_error *err)
{
	return op->net->live ? 0 : lease_dirs_remove(change_of(op)->netd->lease_dirs, &op->net->uuid, err);
}

static int undefine_commit(struct operation *op, struct nd_error *err)
{
	change_of(op)->def = nd_take_ptr(&op->net->def);
	op->net->autostart = false;
	return 0;
}

static const struct op_step undefine_steps[] = {
	{ "checking", false, undefine_check, NULL },
	{ "removing the definition", true, undefine_remove, undefine_restore },
	{ "removing the autostart link", true, undefine_unlink, undefine_relink },
	{ "removing the leases", true, undefine_leases, NULL },
	{ "committing", false, undefine_commit, NULL },
};

static void undefine_end(struct operation *op)
{
	(void)change_end_saying(change_of(op), "undefined", NET_UNDEFINED);
}

int lifecycle_undefine(struct netd *d, struct network *net, change_done done, void *arg,
		       struct nd_error *err)
{
	struct change *c = change_new(d, done, arg, err);

	if (!c)
		return -ENOMEM;
	change_start(c, net, undefine_steps, ND_COUNT(undefine_steps), undefine_end);
	return 0;
}

static int autostart_check(struct operation *op, struct nd_error *err)
{
	if (!op->net->def)
		return nd_error_set(err, ND_ERR_OPERATION_INVALID,
				    "cannot set autostart for transient network");
	return 0;
}

/* Worker. */
static int autostart_link(struct operation *op, struct nd_error *err)
{
	struct change *c = change_of(op);

	return c->on == op->net->autostart ? 0
	       : store_set_autostart(c->netd->store, op->net->name, c->on, err);
}

static int autostart_commit(struct operation *op, struct nd_error *err)
{
	op->net->autostart = change_of(op)->on;
	return 0;
}

static const struct op_step autostart_steps[] = {
	{ "checking", false, autostart_check, NULL },
	{ "setting the link", true, autostart_link, NULL },
	{ "committing", false, autostart_commit, NULL },
};

static void autostart_end(struct operation *op)
{
	change_end(change_of(op));
}

int lifecycle_autostart(struct netd *d, struct network *net, bool on, change_done done, void *arg,
			struct nd_error *err)
{
	struct change *c = change_new(d, done, arg, err);

	if (!c)
		return -ENOMEM;
	c->on = on;
	change_start(c, net, autostart_steps, ND_COUNT(autostart_steps), autostart_end);
	return 0;
}
