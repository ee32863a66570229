/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/daemon/ports.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "netd/base/log.h"
#include "netd/base/str.h"
#include "netd/daemon/change.h"
#include "netd/daemon/floors.h"

struct plug {
	struct change change;	/* first */
	plug_done done;
	void *arg;
};

static int active(const struct network *net, struct nd_error *err)
{
	if (net->live)
		return 0;
	return nd_error_set(err, ND_ERR_OPERATION_INVALID, "network '%s' is not active", net->name);
}

static int no_port(const struct nd_uuid *uuid, struct nd_error *err)
{
	char text[ND_UUID_STRLEN];

	return nd_error_set(err, ND_ERR_NO_NETWORK_PORT, "Network port with UUID %s does not exist",
			    nd_uuid_format(uuid, text));
}

void ports_announce(struct netd *d, const struct network *net)
{
	struct nd_mac *list = calloc(net->n_ports + 1, sizeof(*list));

	if (!list)
		return;		/* the server keeps no addresses for the newest guest: it still serves it */
	for (size_t i = 0; i < net->n_ports; i++)
		list[i] = net->ports[i]->def->mac;
	servers_set_ports(d->servers, &net->uuid, list, net->n_ports);
	free(list);
}

static void log_port(const struct network *net, const struct port *p, const char *what)
{
	char uuid[ND_UUID_STRLEN], mac[ND_MAC_STRLEN];

	nd_log(LOG_INFO, net->name, "port %s%s%s (%s) %s", nd_uuid_format(&p->def->uuid, uuid),
	       p->ifname[0] ? " on " : "", p->ifname, nd_mac_format(&p->def->mac, mac), what);
}

/* ---- create ---- */

static int create_check(struct operation *op, struct nd_error *err)
{
	struct change *c = change_of(op);
	struct port_def *port = c->add->def;
	char text[ND_UUID_STRLEN];
	int r = active(op->net, err);

	if (r < 0)
		return r;
	if (network_port(op->net, &port->uuid))
		return nd_error_set(err, ND_ERR_NETWORK_PORT_EXIST, "network port %s exists already",
				    nd_uuid_format(&port->uuid, text));
	r = c->on ? 0 : port_def_merge(port, op->net->live, err);
	return r < 0 ? r : floors_claim(op->net, NULL, c->on, &port->bandwidth, err);
}

/* Worker. The TAP is its VMM's business, also how it is shaped; a floor is the bridge's. */
static int create_replan(struct operation *op, struct nd_error *err)
{
	return change_of(op)->add->def->bandwidth.class_id ? change_replan(op, err) : 0;
}

static int replan_undo(struct operation *op)
{
	return change_of(op)->plan ? change_replan_undo(op) : OP_DONE;
}

/* Worker. */
static int create_write(struct operation *op, struct nd_error *err)
{
	struct change *c = change_of(op);
	struct port_state state = { .plugged = c->add->plugged };

	strcpy(state.ifname, c->add->ifname);
	return store_write_port(c->netd->store, &op->net->uuid, c->add->def, &state, err);
}

static int create_unwrite(struct operation *op)
{
	struct change *c = change_of(op);
	struct nd_error err = { 0 };

	if (store_remove_port(c->netd->store, &op->net->uuid, &c->add->def->uuid, &err) < 0)
		nd_log(LOG_ERR, op->net->name, "taking back a failed port: %s", err.text);
	return OP_DONE;
}

static int create_commit(struct operation *op, struct nd_error *err)
{
	struct change *c = change_of(op);

	if (network_add_port(op->net, c->add) < 0)
		return nd_error_nomem(err);
	log_port(op->net, c->add, "added");
	c->add = NULL;
	if (c->plan)
		change_replan_commit(c);
	ports_announce(c->netd, op->net);
	return 0;
}

static const struct op_step create_steps[] = {
	{ "checking", false, create_check, NULL },
	{ "keeping its share free", true, create_replan, replan_undo },
	{ "writing the port", true, create_write, create_unwrite },
	{ "committing", false, create_commit, NULL },
};

static void plain_end(struct operation *op)
{
	change_end(change_of(op));
}

int ports_create(struct netd *d, struct network *net, struct port_def *port_taken, bool reclaim,
		 change_done done, void *arg, struct nd_error *err)
{
	ND_AUTO(port_def_free) struct port_def *port = port_taken;
	ND_AUTO(change_free) struct change *c = change_new(d, done, arg, err);

	if (!c)
		return -ENOMEM;
	if (reclaim && port->plug == PORT_PLUG_NONE)
		return nd_error_set(err, ND_ERR_INVALID_ARG, "invalid argument: "
				    "Port reclaim requested but plug type is none");
	if (!reclaim && port->plug != PORT_PLUG_NONE)
		return nd_error_set(err, ND_ERR_INVALID_ARG,
				    "invalid argument: "
				    "Port reclaim not requested but plug type is not none");
	c->add = port_new(port, "", false);
	if (!c->add)
		return nd_error_nomem(err);
	port = NULL;
	c->on = reclaim;
	change_start(nd_take_ptr(&c), net, create_steps, ND_COUNT(create_steps), plain_end);
	return 0;
}

/* ---- plug ---- */

/* Worker. */
static int plug_make_tap(struct operation *op, struct nd_error *err)
{
	struct change *c = change_of(op);
	int r = datapath_tap_create(c->netd->datapath, &c->tap, c->add->ifname, c->tap_fds, err);

	if (r == 0)
		c->n_tap_fds = c->tap.queues;
	return r;
}

static int plug_unmake_tap(struct operation *op)
{
	struct change *c = change_of(op);
	struct nd_error err = { 0 };

	if (datapath_tap_delete(c->netd->datapath, c->add->ifname, &err) < 0)
		nd_log(LOG_ERR, op->net->name, "taking back a failed plug: %s", err.text);
	return OP_DONE;
}

static const struct op_step plug_steps[] = {
	{ "checking", false, create_check, NULL },
	{ "making the TAP", true, plug_make_tap, plug_unmake_tap },
	{ "putting it on the bridge", true, change_replan, change_replan_undo },
	{ "writing the port", true, create_write, create_unwrite },
	{ "committing", false, create_commit, NULL },
};

static void plug_end(struct operation *op)
{
	struct plug *p = (struct plug *)op;
	struct network *net = op->net;

	if (op->result < 0)
		p->done(p->arg, net, NULL, NULL, 0, &op->err);
	else	/* the newest */
		p->done(p->arg, net, net->ports[net->n_ports - 1], p->change.tap_fds,
			p->change.n_tap_fds, NULL);
	change_end(&p->change);
}

/* Names as the kernel takes them, less what would need quoting somewhere. */
static int check_ifname(const char *name, struct nd_error *err)
{
	if (strlen(name) >= IFNAMSIZ)
		return nd_error_set(err, ND_ERR_INVALID_ARG,
				    "interface name '%.64s' is longer than %d characters", name, IFNAMSIZ - 1);
	for (const char *c = name; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr("._-+@", *c))
			return nd_error_set(err, ND_ERR_INVALID_ARG, "interface name '%s' has characters "
					    "other than letters, digits and . _ - + @", name);
	if (nd_streq(name, ".") || nd_streq(name, ".."))
		return nd_error_set(err, ND_ERR_INVALID_ARG, "'%s' is no interface name", name);
	return 0;
}

static struct port_def *plug_document(const struct plug_options *opt, struct nd_error *err)
{
	static const struct nd_mac none;
	ND_AUTO(port_def_free) struct port_def *def = opt->def ? port_def_copy(opt->def)
							       : calloc(1, sizeof(*def));

	if (def && opt->def && nd_uuid_random(&def->uuid) == 0) {
		def->has_uuid = true;
		return nd_take_ptr(&def);
	}
	if (def && !opt->def)
		def->owner_name = strdup(opt->owner_name);
	if (!def || !def->owner_name || nd_uuid_random(&def->uuid) < 0) {
		nd_error_nomem(err);
		return NULL;
	}
	def->owner_uuid = def->uuid;
	def->has_uuid = def->has_owner_uuid = def->has_mac = true;
	def->mac = opt->mac;
	if (nd_mac_equal(&def->mac, &none) && nd_mac_random(&def->mac) < 0) {
		nd_error_sys(err, errno, "cannot make a MAC");
		return NULL;
	}
	return nd_take_ptr(&def);
}

int ports_plug(struct netd *d, struct network *net, const struct plug_options *opt, plug_done done,
	       void *arg, struct nd_error *err)
{
	ND_AUTO(port_def_free) struct port_def *def = NULL;
	char uuid[ND_UUID_STRLEN];
	struct plug *p;
	int r = check_ifname(opt->ifname, err);

	if (r < 0)
		return r;
	if (opt->queues < 1 || opt->queues > PLUG_QUEUES_MAX)
		return nd_error_set(err, ND_ERR_INVALID_ARG, "%u queues: it must be 1 to %d", opt->queues,
				    PLUG_QUEUES_MAX);
	if (!opt->def && nd_mac_is_multicast(&opt->mac))
		return nd_error_set(err, ND_ERR_INVALID_ARG, "a guest's MAC cannot be a multicast one");
	def = plug_document(opt, err);
	p = def ? change_new_sized(d, sizeof(*p), NULL, NULL, err) : NULL;
	if (!p)
		return -ENOMEM;
	p->done = done;
	p->arg = arg;
	p->change.add = port_new(def, "", true);
	if (!p->change.add) {
		change_free(&p->change);
		return nd_error_nomem(err);
	}
	strcpy(p->change.tap_name, opt->ifname[0] ? opt->ifname : "vnet%d");
	snprintf(p->change.tap_alias, sizeof(p->change.tap_alias), "netd:%s",
		 nd_uuid_format(&def->uuid, uuid));
	p->change.tap = (struct tap_options){
		.name = p->change.tap_name, .alias = p->change.tap_alias, .mac = tap_host_mac(&def->mac), .owner_uid = opt->owner_uid,
		.queues = opt->queues, .vnet_hdr = !opt->no_vnet_hdr, .persist = !opt->temporary,
		.device = opt->device,
	};
	def = NULL;
	change_start(&p->change, net, plug_steps, ND_COUNT(plug_steps), plug_end);
	return 0;
}

/* ---- delete ---- */

static int delete_check(struct operation *op, struct nd_error *err)
{
	struct change *c = change_of(op);

	c->without = network_port(op->net, &c->port_uuid);
	return c->without ? 0 : no_port(&c->port_uuid, err);
}

/* Worker. The file first: what a crash leaves after this is a leftover. */
static int delete_unwrite(struct operation *op, struct nd_error *err)
{
	struct change *c = change_of(op);

	return store_remove_port(c->netd->store, &op->net->uuid, &c->port_uuid, err);
}

static int delete_rewrite(struct operation *op)
{
	struct change *c = change_of(op);
	struct port_state state = { .plugged = c->without->plugged };
	struct nd_error err = { 0 };

	strcpy(state.ifname, c->without->ifname);
	if (store_write_port(c->netd->store, &op->net->uuid, c->without->def, &state, &err) < 0)
		nd_log(LOG_ERR, op->net->name, "taking back a failed removal: %s", err.text);
	return OP_DONE;
}

/* Worker. */
static int delete_replan(struct operation *op, struct nd_error *err)
{
	const struct change *c = change_of(op);
	bool concerned = c->without->ifname[0] || c->without->def->bandwidth.class_id ||
			 (c->add && c->add->def->bandwidth.class_id);

	return op->net->live && concerned ? change_replan(op, err) : 0;
}

/* Worker. */
static int delete_tap(struct operation *op, struct nd_error *err)
{
	struct change *c = change_of(op);

	return c->without->plugged && c->without->ifname[0] ?
	       datapath_tap_delete(c->netd->datapath, c->without->ifname, err) : 0;
}

static int delete_commit(struct operation *op, struct nd_error *err)
{
	struct change *c = change_of(op);

	if (c->plan)
		change_replan_commit(c);
	network_take_port(op->net, c->without);
	log_port(op->net, c->without, "removed");
	ports_announce(c->netd, op->net);
	servers_release_mac(c->netd->servers, &op->net->uuid, &c->without->def->mac);
	port_free(c->without);
	return 0;
}

static const struct op_step delete_steps[] = {
	{ "checking", false, delete_check, NULL },
	{ "removing the port's file", true, delete_unwrite, delete_rewrite },
	{ "taking it off the bridge", true, delete_replan, replan_undo },
	{ "removing the TAP", true, delete_tap, NULL },
	{ "committing", false, delete_commit, NULL },
};

int ports_delete(struct netd *d, struct network *net, const struct nd_uuid *uuid,
		 change_done done, void *arg, struct nd_error *err)
{
	struct change *c = change_new(d, done, arg, err);

	if (!c)
		return -ENOMEM;
	c->port_uuid = *uuid;
	change_start(c, net, delete_steps, ND_COUNT(delete_steps), plain_end);
	return 0;
}

/* ---- bandwidth ---- */

/* The port's document with other bandwidth. */
static struct port *with_bandwidth(const struct port *old, const struct bandwidth_def *bandwidth,
				   struct nd_error *err)
{
	ND_AUTO(free) char *xml = port_def_format(old->def);
	struct port_def *def = NULL;
	struct port *port;

	if (!xml || port_def_parse(xml, strlen(xml), &def, err) < 0)
		return NULL;
	def->bandwidth.given = bandwidth->given;
	def->bandwidth.in = bandwidth->in;
	def->bandwidth.out = bandwidth->out;
	port = port_new(def, old->ifname, old->plugged);
	if (!port)
		port_def_free(def);
	else
		port->off_since_ms = old->off_since_ms;
	return port;
}

static int bandwidth_check(struct operation *op, struct nd_error *err)
{
	struct change *c = change_of(op);
	int r = active(op->net, err);

	if (r == 0)
		r = delete_check(op, err);
	if (r < 0)
		return r;
	c->add = with_bandwidth(c->without, &c->bandwidth, err);
	return !c->add ? nd_error_nomem(err)
	       : floors_claim(op->net, c->without, false, &c->add->def->bandwidth, err);
}

static int bandwidth_commit(struct operation *op, struct nd_error *err)
{
	struct change *c = change_of(op);
	struct port_def *old = c->without->def;

	c->without->def = c->add->def;
	c->add->def = old;
	if (c->plan)
		change_replan_commit(c);
	return 0;
}

static const struct op_step bandwidth_steps[] = {
	{ "checking", false, bandwidth_check, NULL },
	{ "writing the port", true, create_write, delete_rewrite },
	{ "shaping it", true, delete_replan, replan_undo },
	{ "committing", false, bandwidth_commit, NULL },
};

int ports_set_bandwidth(struct netd *d, struct network *net, const struct nd_uuid *uuid,
			const struct bandwidth_def *bandwidth, change_done done, void *arg,
			struct nd_error *err)
{
	struct change *c = change_new(d, done, arg, err);

	if (!c)
		return -ENOMEM;
	c->port_uuid = *uuid;
	c->bandwidth = *bandwidth;
	change_start(c, net, bandwidth_steps, ND_COUNT(bandwidth_steps), plain_end);
	return 0;
}
