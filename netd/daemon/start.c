/* SPDX-License-Identifier: GPL-2.0-or-later */
/* start.c -- a network comes up: kernel objects, the file that says so, server */
#include <errno.h>
#include <stdlib.h>

#include "netd/base/log.h"
#include "netd/daemon/change.h"
#include "netd/daemon/foreign.h"

static int start_check(struct operation *op, struct nd_error *err)
{
	struct change *c = change_of(op);

	if (op->net->live)
		return nd_error_set(err, ND_ERR_OPERATION_INVALID, "network is already active");
	if (!op->net->def && !c->def)
		return nd_error_set(err, ND_ERR_NO_NETWORK, "no network with matching name '%s'",
				    op->net->name);
	return compile_supported(c->def ? c->def : op->net->def, err);
}

static struct plan *bridge_of(const struct plan *plan)
{
	ND_AUTO(plan_free) struct plan *part = plan_new();

	for (size_t i = 0; part && i < plan->n; i++) {
		struct plan_item *item;

		if (plan->items[i].kind != PLAN_BRIDGE)
			continue;
		item = plan_add(part, PLAN_BRIDGE);
		if (!item)
			return NULL;
		*item = plan->items[i];
	}
	return nd_take_ptr(&part);
}

/* Worker. Only the bridge, which is down: the server, whose sockets need it, then starts beside what else
 * there is to make. It comes up last, so that no guest is heard before the rules are there. */
int start_bridge(struct operation *op, struct nd_error *err)
{
	struct change *c = change_of(op);
	const struct net_def *def = c->def ? c->def : op->net->def;
	int r = change_facts(op, err);

	if (r == 0)
		r = compile_collisions(def, c->facts, err);
	if (r < 0)
		return r;
	c->live = compile_live_def(def);
	if (!c->live)
		return nd_error_nomem(err);
	r = change_compile(c, c->live, err);
	if (r < 0)
		return r;
	c->bridge = bridge_of(c->plan);
	if (!c->bridge)
		return nd_error_nomem(err);
	r = change_apply(c, NULL, c->bridge, err);
	if (r == 0 && c->serve->bridge[0])
		c->serve->ifindex = c->bridge_ifindex = (int)if_nametoindex(c->serve->bridge);
	return r;
}

static int take_back(struct change *c, const struct plan *was)
{
	struct nd_error err = { 0 };

	if (was && change_apply(c, was, NULL, &err) < 0)
		nd_log(LOG_ERR, c->op.net->name, "taking back a failed start: %s", err.text);
	return OP_DONE;
}

int start_unbridge(struct operation *op)
{
	return take_back(change_of(op), change_of(op)->bridge);
}

/* Worker. */
int start_make(struct operation *op, struct nd_error *err)
{
	struct change *c = change_of(op);

	return change_apply(c, c->bridge, c->plan, err);
}

/* All of it, and the bridge first: no frame may pass one whose rules are gone. */
int start_unmake(struct operation *op)
{
	struct change *c = change_of(op);

	plan_free(nd_take_ptr(&c->bridge));
	return take_back(c, c->plan);
}

static void server_started(void *arg, const struct nd_error *err)
{
	struct operation *op = arg;
	struct change *c = change_of(op);

	c->server_starting = false;
	if (err)
		c->server_err = *err;
	if (!c->server_waiting)
		return;
	c->server_waiting = false;
	operation_resume(op, err ? -err->code : 0, err);
}

int start_server(struct operation *op, struct nd_error *err)
{
	struct change *c = change_of(op);

	c->server_starting = true;
	servers_start(c->netd->servers, nd_take_ptr(&c->serve), server_started, op);
	return OP_DONE;
}

int start_await_server(struct operation *op, struct nd_error *err)
{
	struct change *c = change_of(op);

	if (!c->server_starting) {
		*err = c->server_err;
		return c->server_err.code ? -c->server_err.code : OP_DONE;
	}
	c->server_waiting = true;
	return OP_WAIT;
}

static void server_stopped(void *arg, const struct nd_error *err)
{
	operation_resume(arg, 0, NULL);
}

int start_unserve(struct operation *op)
{
	servers_stop(change_of(op)->netd->servers, &op->net->uuid, server_stopped, op);
	return OP_WAIT;
}

/* Worker, and at once after the kernel's part, which saves the way there and back: from here on the network runs,
 * whatever happens to netd. The next one starts the server that this one did not come to. */
int start_record(struct operation *op, struct nd_error *err)
{
	struct change *c = change_of(op);

	return store_write_live(c->netd->store, c->live, err);
}

int start_unrecord(struct operation *op)
{
	struct nd_error err = { 0 };

	if (store_remove_live(change_of(op)->netd->store, op->net->name, &err) < 0)
		nd_log(LOG_ERR, op->net->name, "taking back a failed start: %s", err.text);
	return OP_DONE;
}

int start_commit(struct operation *op, struct nd_error *err)
{
	struct change *c = change_of(op);

	op->net->live = nd_take_ptr(&c->live);
	op->net->applied = nd_take_ptr(&c->plan);
	op->net->bridge_ifindex = c->bridge_ifindex;
	foreign_look(c->netd->foreign, op->net);
	return 0;
}

static const struct op_step start_steps[] = {
	{ "checking", false, start_check, NULL },
	START_STEPS,
};

void start_notes(const struct network *net)
{
	const struct net_def *def = net->live;

	for (size_t i = 0; i < def->n_ips; i++)
		if (def->ips[i].address.family == AF_INET6)
			nd_log(LOG_NOTICE, net->name, "<ip> (line %d): IPv6 guests get no router "
			       "advertisements yet: they need addresses set by hand", def->ips[i].line);
}

static void start_end(struct operation *op)
{
	struct change *c = change_of(op);
	struct network *net = op->net;
	struct netd *d = c->netd;

	if (op->result < 0) {
		change_end(c);
		return;
	}
	nd_log(LOG_INFO, net->name, "started%s%s", net->live->bridge.name ? " on bridge " : "",
	       net->live->bridge.name ? net->live->bridge.name : "");
	change_end(c);
	events_lifecycle(d->events, net, NET_STARTED);
	start_notes(net);
}

int lifecycle_start(struct netd *d, struct network *net, change_done done, void *arg,
		    struct nd_error *err)
{
	struct change *c = change_new(d, done, arg, err);

	if (!c)
		return -ENOMEM;
	change_start(c, net, start_steps, ND_COUNT(start_steps), start_end);
	return 0;
}
