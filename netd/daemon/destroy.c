/* SPDX-License-Identifier: GPL-2.0-or-later */
/* destroy.c -- a network goes down; its definition goes; it is (not) started at boot */
#include <errno.h>
#include <stdlib.h>

#include "netd/base/log.h"
#include "netd/daemon/change.h"

static int destroy_check(struct operation *op, struct nd_error *err)
{
	struct change *c = change_of(op);

	if (!op->net->live)
		return nd_error_set(err, ND_ERR_OPERATION_INVALID, "network '%s' is not active",
				    op->net->name);
	c->transient = !op->net->def;
	return 0;
}

/* Worker. First of all: what a crash leaves after this is a leftover, and is removed. */
static int destroy_forget(struct operation *op, struct nd_error *err)
{
	return store_remove_live(change_of(op)->netd->store, op->net->name, err);
}

static int destroy_remember(struct operation *op)
{
	struct nd_error err = { 0 };

	if (store_write_live(change_of(op)->netd->store, op->net->live, &err) < 0)
		nd_log(LOG_ERR, op->net->name, "taking back a failed stop: %s", err.text);
	return OP_DONE;
}

static void server_stopped(void *arg, const struct nd_error *err)
{
	struct operation *op = arg;
	struct change *c = change_of(op);

	c->server_stopping = false;
	if (err)
		nd_log(LOG_WARNING, op->net->name, "stopping the server: %s", err->text);
	if (c->server_waiting)
		operation_resume(op, 0, NULL);
}

/* The server's end and the bridge's removal take their time side by side. */
static int destroy_stop_server(struct operation *op, struct nd_error *err)
{
	struct change *c = change_of(op);

	c->server_stopping = true;
	servers_stop(c->netd->servers, &op->net->uuid, server_stopped, op);
	return 0;
}

static int wait_for_server(struct change *c)
{
	c->server_waiting = c->server_stopping;
	return c->server_waiting ? OP_WAIT : OP_DONE;
}

static int nothing(struct operation *op, struct nd_error *err)
{
	return 0;
}

/* A server is started again only when the old one has ended. */
static int destroy_unasked(struct operation *op)
{
	return wait_for_server(change_of(op));
}

/* Worker. What the server is to be told when it is started again. */
static int destroy_recompile(struct operation *op)
{
	struct change *c = change_of(op);
	struct nd_error err = { 0 };

	if (change_facts(op, &err) < 0 || change_compile(c, op->net->live, &err) < 0)
		nd_log(LOG_ERR, op->net->name, "taking back a failed stop: %s", err.text);
	return OP_DONE;
}

static void server_back(void *arg, const struct nd_error *err)
{
	struct operation *op = arg;

	if (err)
		nd_log(LOG_ERR, op->net->name, "taking back a failed stop: %s", err->text);
	operation_resume(op, 0, NULL);
}

static int destroy_restart_server(struct operation *op)
{
	struct change *c = change_of(op);

	if (!c->serve)
		return OP_DONE;
	servers_start(c->netd->servers, nd_take_ptr(&c->serve), server_back, op);
	return OP_WAIT;
}

/* Worker. */
static int destroy_unmake(struct operation *op, struct nd_error *err)
{
	struct change *c = change_of(op);
	struct nd_error tap_err = { 0 };

	int r = change_apply(c, op->net->applied, NULL, err);

	for (size_t i = 0; r == 0 && i < op->net->n_ports; i++) {
		struct port *p = op->net->ports[i];

		if (p->plugged && p->ifname[0] &&
		    datapath_tap_delete(c->netd->datapath, p->ifname, &tap_err) < 0)
			nd_log(LOG_WARNING, op->net->name, "%s", tap_err.text);
	}
	return r;
}

static int destroy_wait(struct operation *op, struct nd_error *err)
{
	return wait_for_server(change_of(op));
}

static int remove_files(struct change *c, struct nd_error *err)
{
	struct network *net = c->op.net;
	int r = store_remove_ports(c->netd->store, &net->uuid, err);

	if (r == 0 && c->transient)
		r = lease_dirs_remove(c->netd->lease_dirs, &net->uuid, err);
	return r;
}

/* Worker. The network is down already: what cannot be removed, also at a second try, is a leftover
 * for the next start. */
static int destroy_clean(struct operation *op, struct nd_error *err)
{
	struct nd_error e = { 0 };

	if (remove_files(change_of(op), &e) < 0 && remove_files(change_of(op), &e) < 0)
		nd_log(LOG_WARNING, op->net->name, "%s", e.text);
	return 0;
}

static int destroy_commit(struct operation *op, struct nd_error *err)
{
	struct network *net = op->net;

	while (net->n_ports) {
		struct port *p = net->ports[0];

		network_take_port(net, p);
		port_free(p);
	}
	net_def_free(net->live);
	plan_free(net->applied);
	net->live = NULL;
	net->applied = NULL;
	net->bridge_ifindex = 0;
	return 0;
}

static const struct op_step destroy_steps[] = {
	{ "checking", false, destroy_check, NULL },
	{ "forgetting the live state", true, destroy_forget, destroy_remember },
	{ "stopping the server", false, destroy_stop_server, destroy_restart_server },
	{ "having asked it", false, nothing, destroy_unasked },
	{ "going on", true, nothing, destroy_recompile },
	{ "removing the kernel's objects", true, destroy_unmake, NULL },
	{ "waiting for the server", false, destroy_wait, NULL },
	{ "removing files", true, destroy_clean, NULL },
	{ "becoming inactive", false, destroy_commit, NULL },
};

static void destroy_end(struct operation *op)
{
	(void)change_end_saying(change_of(op), "stopped", NET_STOPPED);
}

int lifecycle_destroy(struct netd *d, struct network *net, change_done done, void *arg,
		      struct nd_error *err)
{
	struct change *c = change_new(d, done, arg, err);

	if (!c)
		return -ENOMEM;
	change_start(c, net, destroy_steps, ND_COUNT(destroy_steps), destroy_end);
	return 0;
}
