/* SPDX-License-Identifier: GPL-2.0-or-later */
/* define.c -- a document becomes a network: persistent (define) or for this run only (create) */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "netd/base/log.h"
#include "netd/base/str.h"
#include "netd/daemon/change.h"

/* What a document without them keeps of the network's earlier one: a guest's gateway keeps its MAC
 * and its bridge its name. */
static int inherit(struct net_def *def, const struct net_def *old)
{
	if (!old || !forward_mode_is_l3(def->forward.mode))
		return 0;
	if (!def->has_mac && old->has_mac) {
		def->mac = old->mac;
		def->has_mac = true;
	}
	if (!def->bridge.name && old->bridge.name && forward_mode_is_l3(old->forward.mode)) {
		def->bridge.name = strdup(old->bridge.name);
		return def->bridge.name ? 0 : -ENOMEM;
	}
	return 0;
}

static int clash(const struct network *other, const struct net_def *def, struct nd_error *err)
{
	char uuid[ND_UUID_STRLEN];

	nd_uuid_format(&other->uuid, uuid);
	if (nd_streq(other->name, def->name))
		return nd_error_set(err, ND_ERR_OPERATION_FAILED,
				    "network '%s' already exists with uuid %s", other->name, uuid);
	return nd_error_set(err, ND_ERR_OPERATION_FAILED,
			    "network '%s' is already defined with uuid %s", other->name, uuid);
}

/* The network that the document is of, made (invisible) when it is new. A document without a uuid
 * is of the network of its name; libvirt fails there. */
static int target(struct netd *d, struct net_def *def, struct network **out, struct nd_error *err)
{
	struct network *net = registry_by_name(&d->networks, def->name), *other;
	int r;

	if (net && !def->has_uuid) {
		def->uuid = net->uuid;
		def->has_uuid = true;
	}
	other = def->has_uuid ? registry_by_uuid(&d->networks, &def->uuid) : NULL;
	if (other != net)
		return clash(net ? net : other, def, err);
	if (net && inherit(def, network_definition(net)) < 0)
		return nd_error_nomem(err);
	r = net_def_generate(def, err);
	if (r < 0)
		return r;
	if (!net)
		net = registry_add(&d->networks, def->name, &def->uuid);
	if (!net)
		return nd_error_nomem(err);
	*out = net;
	return 0;
}

/* Worker. */
static int define_make_leases(struct operation *op, struct nd_error *err)
{
	struct change *c = change_of(op);
	uid_t uid;

	if (!forward_mode_is_l3(c->def->forward.mode))
		return 0;
	return lease_dirs_make(c->netd->lease_dirs, &op->net->uuid, &uid, err);
}

static int define_unmake_leases(struct operation *op)
{
	struct nd_error err = { 0 };

	if (!network_visible(op->net) &&
	    lease_dirs_remove(change_of(op)->netd->lease_dirs, &op->net->uuid, &err) < 0)
		nd_log(LOG_WARNING, op->net->name, "%s", err.text);
	return OP_DONE;
}

static int define_write(struct operation *op, struct nd_error *err)
{
	struct change *c = change_of(op);

	return store_write_definition(c->netd->store, c->def, err);
}

static int define_commit(struct operation *op, struct nd_error *err)
{
	struct change *c = change_of(op);

	net_def_free(op->net->def);
	op->net->def = nd_take_ptr(&c->def);
	return 0;
}

static const struct op_step define_steps[] = {
	{ "reading the host", true, change_facts, NULL },
	{ "choosing the bridge", false, change_choose_bridge, NULL },
	{ "making the lease folder", true, define_make_leases, define_unmake_leases },
	{ "writing the definition", true, define_write, NULL },
	{ "committing", false, define_commit, NULL },
};

static void define_end(struct operation *op)
{
	op->net->reserved_bridge[0] = '\0';
	(void)change_end_saying(change_of(op), "defined", NET_DEFINED);
}

static int create_check(struct operation *op, struct nd_error *err)
{
	struct change *c = change_of(op);

	if (op->net->live)
		return nd_error_set(err, ND_ERR_OPERATION_INVALID, "network is already active as '%s'",
				    op->net->name);
	return compile_supported(c->def, err);
}

static const struct op_step create_steps[] = {
	{ "checking", false, create_check, NULL },
	{ "reading the host", true, change_facts, NULL },
	{ "choosing the bridge", false, change_choose_bridge, NULL },
	{ "making the lease folder", true, define_make_leases, define_unmake_leases },
	START_STEPS,
};

static void create_end(struct operation *op)
{
	struct network *net = op->net;

	net->reserved_bridge[0] = '\0';
	if (change_end_saying(change_of(op), "created", NET_STARTED))
		start_notes(net);
}

static int begin(struct netd *d, struct net_def *def_taken, const struct op_step *steps,
		 size_t n_steps, void (*end)(struct operation *op), change_done done, void *arg,
		 struct nd_error *err)
{
	ND_AUTO(net_def_free) struct net_def *def = def_taken;
	ND_AUTO(change_free) struct change *c = change_new(d, done, arg, err);
	struct network *net = NULL;
	int r;

	if (!c)
		return -ENOMEM;
	r = target(d, def, &net, err);
	if (r < 0)
		return r;
	c->def = nd_take_ptr(&def);
	change_start(nd_take_ptr(&c), net, steps, n_steps, end);
	return 0;
}

int lifecycle_define(struct netd *d, struct net_def *def, change_done done, void *arg,
		     struct nd_error *err)
{
	return begin(d, def, define_steps, ND_COUNT(define_steps), define_end, done, arg, err);
}

int lifecycle_create(struct netd *d, struct net_def *def, change_done done, void *arg,
		     struct nd_error *err)
{
	return begin(d, def, create_steps, ND_COUNT(create_steps), create_end, done, arg, err);
}

void lifecycle_idle(void *netd, struct network *net)
{
	struct netd *d = netd;

	if (net->detached)
		network_free(net);
	else if (!network_visible(net))
		registry_remove(&d->networks, net);
}
