/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/daemon/change.h"

#include <stdlib.h>
#include <string.h>

#include "netd/base/log.h"
#include "netd/base/str.h"

struct change *change_new(struct netd *d, change_done done, void *arg, struct nd_error *err)
{
	return change_new_sized(d, sizeof(struct change), done, arg, err);
}

void *change_new_sized(struct netd *d, size_t size, change_done done, void *arg,
		       struct nd_error *err)
{
	struct change *c = calloc(1, size);

	if (!c) {
		nd_error_nomem(err);
		return NULL;
	}
	*c = (struct change){ .netd = d, .done = done, .arg = arg };
	c->names = host_dns_get(d->host_dns);
	return c;
}

void change_free(struct change *c)
{
	if (!c)
		return;
	net_def_free(c->def);
	net_def_free(c->live);
	if (!c->facts_shared)
		host_facts_free(c->facts);
	host_names_unref(c->names);
	port_free(c->add);
	for (size_t i = 0; i < c->n_tap_fds; i++)
		close(c->tap_fds[i]);
	net_def_free(c->old_live);
	plan_free(c->plan);
	plan_free(c->bridge);
	serve_config_free(c->serve);
	free(c);
}

void change_start(struct change *c, struct network *net, const struct op_step *steps,
		  size_t n_steps, void (*end)(struct operation *op))
{
	c->op.net = net;
	c->op.steps = steps;
	c->op.n_steps = n_steps;
	c->op.end = end;
	operation_start(c->netd->operations, &c->op);
}

void change_end(struct change *c)
{
	if (c->done)
		c->done(c->arg, c->op.net, c->op.result < 0 ? &c->op.err : NULL);
	change_free(c);
}

bool change_end_saying(struct change *c, const char *what, enum lifecycle_event event)
{
	struct network *net = c->op.net;
	struct netd *d = c->netd;
	bool ok = c->op.result == 0;

	change_end(c);
	if (!ok)
		return false;
	nd_log(LOG_INFO, net->name, "%s", what);
	events_lifecycle(d->events, net, event);
	return true;
}

int change_facts(struct operation *op, struct nd_error *err)
{
	struct change *c = change_of(op);

	return c->facts ? 0 : datapath_facts(c->netd->datapath, &c->facts, err);
}

static int pick_bridge(struct change *c, const char *template, struct nd_error *err)
{
	char name[IFNAMSIZ], *copy;
	size_t n;
	const char **taken = registry_bridges(&c->netd->networks, c->op.net, &n);
	int r = taken ? compile_bridge_name(template, taken, n, c->facts, name, err)
		      : nd_error_nomem(err);

	free(taken);
	if (r < 0)
		return r;
	copy = strdup(name);
	if (!copy)
		return nd_error_nomem(err);
	free(c->def->bridge.name);
	c->def->bridge.name = copy;
	return 0;
}

int change_choose_bridge(struct operation *op, struct nd_error *err)
{
	struct change *c = change_of(op);
	const char *template = net_def_bridge_template(c->def);
	int r = 0;

	if (!forward_mode_is_l3(c->def->forward.mode))
		return 0;
	if (template)
		r = pick_bridge(c, template, err);
	else if (registry_by_bridge(&c->netd->networks, c->def->bridge.name, op->net))
		r = nd_error_set(err, ND_ERR_INTERNAL, "bridge name '%s' already in use.",
				 c->def->bridge.name);
	if (r == 0)
		snprintf(op->net->reserved_bridge, sizeof(op->net->reserved_bridge), "%s",
			 c->def->bridge.name);
	return r;
}

/* A device that is gone cannot be put on a bridge, nor shaped: its port goes soon. */
static struct compile_port compile_port_of(const struct change *c, const struct port *p)
{
	struct compile_port out = { .def = p->def, .ours = p->plugged };

	if (!p->off_since_ms && host_facts_link(c->facts, p->ifname))
		strcpy(out.ifname, p->ifname);
	return out;
}

/* A TAP that is its VMM's own keeps its alias, and is up or down as its owner likes. */
static void leave_foreign(struct plan *plan, const struct network *net)
{
	for (size_t i = 0; i < plan->n; i++) {
		struct plan_item *item = &plan->items[i];
		const struct port *p = item->kind == PLAN_PORT ?
				       network_port_named(net, item->port.ifname) : NULL;

		if (p && !p->plugged) {
			item->port.alias[0] = '\0';
			item->port.up = false;
		}
	}
}

int change_compile(struct change *c, const struct net_def *def, struct nd_error *err)
{
	struct network *net = c->op.net;
	ND_AUTO(free) struct compile_port *ports = calloc(net->n_ports + 1, sizeof(*ports));
	struct compile_input in = {
		.def = def, .facts = c->facts, .ports = ports,
		.upstreams = c->names->upstreams, .n_upstreams = c->names->n_upstreams,
		.host_records = c->names->records, .n_host_records = c->names->n_records,
		.serve_uid = c->netd->config.serve_uid_base, .foreign_port = c->foreign_port,
	};
	int r = 0;

	if (!ports)
		return nd_error_nomem(err);
	for (size_t i = 0; i < net->n_ports; i++)
		if (net->ports[i] != c->without)
			ports[in.n_ports++] = compile_port_of(c, net->ports[i]);
	if (c->add)
		ports[in.n_ports++] = compile_port_of(c, c->add);
	if (forward_mode_is_l3(def->forward.mode) && !c->dry)
		r = lease_dirs_make(c->netd->lease_dirs, &net->uuid, &in.serve_uid, err);
	if (r == 0)
		r = compile_plan(&in, &c->plan, err);
	if (r == 0)
		leave_foreign(c->plan, net);
	if (r == 0)
		r = compile_serve(&in, &c->serve, err);
	if (r == 0 && c->serve->bridge[0])
		c->serve->ifindex = c->bridge_ifindex = (int)if_nametoindex(c->serve->bridge);
	return r;
}

int change_apply(struct change *c, const struct plan *was, const struct plan *want,
		 struct nd_error *err)
{
	static const struct plan nothing;
	ND_AUTO(plan_diff_free) struct plan_diff *diff = NULL;
	char owner[ND_UUID_STRLEN];

	if (plan_diff(was ? was : &nothing, want ? want : &nothing, &diff) < 0)
		return nd_error_nomem(err);
	return datapath_apply(c->netd->datapath, diff, nd_uuid_format(&c->op.net->uuid, owner), err);
}

int change_replan(struct operation *op, struct nd_error *err)
{
	struct change *c = change_of(op);
	int r = change_facts(op, err);

	if (r == 0)
		r = change_compile(c, c->live ? c->live : op->net->live, err);
	if (r == 0)
		r = change_apply(c, op->net->applied, c->plan, err);
	return r;
}

int change_replan_undo(struct operation *op)
{
	struct change *c = change_of(op);
	struct nd_error err = { 0 };

	if (change_apply(c, c->plan, op->net->applied, &err) < 0)
		nd_log(LOG_ERR, op->net->name, "taking back a failed change: %s", err.text);
	return OP_DONE;
}

int change_commit(struct operation *op, struct nd_error *err)
{
	change_replan_commit(change_of(op));
	return 0;
}

void change_server_told(void *arg, const struct nd_error *err)
{
	operation_resume(arg, err ? -err->code : 0, err);
}

void change_replan_commit(struct change *c)
{
	plan_free(c->op.net->applied);
	c->op.net->applied = nd_take_ptr(&c->plan);
	c->op.net->bridge_ifindex = c->bridge_ifindex;
}
