/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/daemon/plan_call.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "netd/base/str.h"
#include "netd/daemon/change.h"

struct plan_look {
	struct change change;	/* first */
	struct rpc_call *call;
	struct plan *now;
	bool json;
};

static int look_choose(struct operation *op, struct nd_error *err)
{
	struct change *c = change_of(op);
	int r = c->def ? change_choose_bridge(op, err) : 0;

	op->net->reserved_bridge[0] = '\0';
	return r;
}

/* Worker. A network that does not run is compiled as it would start. */
static int look(struct operation *op, struct nd_error *err)
{
	struct plan_look *p = (struct plan_look *)op;
	struct change *c = &p->change;
	const struct net_def *def = c->def ? c->def : network_current(op->net);
	char owner[ND_UUID_STRLEN];
	int r = compile_supported(def, err);

	if (r < 0)
		return r;
	c->dry = c->def != NULL;
	c->live = compile_live_def(def);
	if (!c->live)
		return nd_error_nomem(err);
	r = change_compile(c, c->live, err);
	if (r == 0)
		r = datapath_read(c->netd->datapath, c->plan, nd_uuid_format(&op->net->uuid, owner),
				  &p->now, err);
	return r;
}

static const struct op_step look_steps[] = {
	{ "reading the host", true, change_facts, NULL },
	{ "choosing the bridge", false, look_choose, NULL },
	{ "compiling", true, look, NULL },
};

/* A JSON list of the text's lines; takes text. */
static char *lines_as_json(char *text)
{
	json_t *list = json_array();
	char *rest = text, *line, *out;

	while (list && (line = strsep(&rest, "\n")))
		if (*line)
			json_array_append_new(list, json_string(line));
	out = list ? json_dumps(list, JSON_COMPACT) : NULL;
	json_decref(list);
	free(text);
	return out;
}

static int fill(struct plan_look *p, netd_network_plan_ret *ret, struct nd_error *err)
{
	ND_AUTO(plan_diff_free) struct plan_diff *diff = NULL;

	if (plan_diff(p->now, p->change.plan, &diff) < 0)
		return nd_error_nomem(err);
	ret->plan = plan_format(p->change.plan);
	ret->difference = plan_diff_format(diff);
	if (ret->plan && p->json)
		ret->plan = lines_as_json(ret->plan);
	if (ret->difference && p->json)
		ret->difference = lines_as_json(ret->difference);
	return ret->plan && ret->difference ? 0 : nd_error_nomem(err);
}

static void look_end(struct operation *op)
{
	struct plan_look *p = (struct plan_look *)op;

	if (op->result == 0)
		op->result = fill(p, rpc_call_ret(p->call), &op->err);
	reply_done(p->call, op->net, op->result < 0 ? &op->err : NULL);
	plan_free(p->now);
	change_end(&p->change);
}

/* The document, and a network that stands for it: the one that has its name already, so that its
 * own objects do not count as somebody else's. */
static int from_xml(struct netd *d, const char *xml, struct net_def **def_out, struct network **out,
		    struct nd_error *err)
{
	ND_AUTO(net_def_free) struct net_def *def = NULL;
	struct network *net;
	int r = net_def_parse(xml, strlen(xml), &def, err);

	if (r == 0)
		r = net_def_validate(def, err);
	if (r < 0)
		return r;
	net = registry_by_name(&d->networks, def->name);
	if (net && !def->has_uuid) {
		def->uuid = net->uuid;
		def->has_uuid = true;
	}
	r = net_def_generate(def, err);
	if (r < 0)
		return r;
	*out = network_new_detached(&def->uuid, def->name);
	if (!*out)
		return nd_error_nomem(err);
	*def_out = nd_take_ptr(&def);
	return 0;
}

int plan_call(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	const netd_network_plan_args *a = args;
	struct netd *d = call_netd(call);
	ND_AUTO(net_def_free) struct net_def *def = NULL;
	struct network *net = NULL;
	struct plan_look *p;
	int r = call_flags(a->flags, NETD_PLAN_JSON, "netdNetworkPlan", err);

	if (r < 0)
		return r;
	if (!a->name == !a->xml)
		return nd_error_set(err, ND_ERR_INVALID_ARG, "either a name or a document must be given");
	if (a->xml)
		r = from_xml(d, *a->xml, &def, &net, err);
	else
		net = registry_by_name(&d->networks, *a->name);
	if (r < 0)
		return r;
	if (!net || (!net->detached && !network_visible(net)))
		return nd_error_set(err, ND_ERR_NO_NETWORK, "no network with matching name '%.300s'",
				    *a->name);
	p = change_new_sized(d, sizeof(*p), NULL, NULL, err);
	if (!p) {
		lifecycle_idle(d, net);
		return -ENOMEM;
	}
	p->call = call;
	p->json = a->flags & NETD_PLAN_JSON;
	p->change.def = nd_take_ptr(&def);
	change_start(&p->change, net, look_steps, ND_COUNT(look_steps), look_end);
	return RPC_PENDING;
}
