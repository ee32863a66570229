/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/daemon/load.h"

#include "netd/base/auto.h"
#include "netd/base/log.h"
#include "netd/daemon/ports.h"

/* The network of a loaded document: found by uuid and name, or new. NULL, logged, when the two
 * belong to different networks. */
static struct network *network_for(struct netd *d, struct net_def *def)
{
	struct network *net = registry_by_name(&d->networks, def->name);
	struct nd_error err = { 0 };

	if (!def->has_uuid && net) {
		def->uuid = net->uuid;
		def->has_uuid = true;
	}
	if (net_def_generate(def, &err) < 0) {
		nd_log(LOG_ERR, def->name, "skipped: %s", err.text);
		return NULL;
	}
	if (net ? !nd_uuid_equal(&net->uuid, &def->uuid)
		: registry_by_uuid(&d->networks, &def->uuid) != NULL) {
		nd_log(LOG_ERR, def->name, "skipped: another network has its name or its UUID");
		return NULL;
	}
	if (!net)
		net = registry_add(&d->networks, def->name, &def->uuid);
	if (!net)
		nd_log(LOG_ERR, def->name, "skipped: out of memory");
	return net;
}

/* A file that was put there by hand may lack what define generates: written back once. */
static void complete_definition(struct netd *d, struct network *net, bool had_all)
{
	struct nd_error err = { 0 };

	if (!had_all && store_write_definition(d->store, net->def, &err) < 0)
		nd_log(LOG_WARNING, net->name, "%s", err.text);
}

static void on_definition(void *arg, struct net_def *def_taken, bool autostart)
{
	ND_AUTO(net_def_free) struct net_def *def = def_taken;
	struct netd *d = arg;
	bool had_all = def->has_uuid && (def->has_mac || !forward_mode_is_l3(def->forward.mode));
	struct network *net = network_for(d, def);

	if (!net || net->queue)		/* what is being changed is newer than the file */
		return;
	net_def_free(net->def);
	net->def = nd_take_ptr(&def);
	net->autostart = autostart;
	complete_definition(d, net, had_all);
}

static void on_port(void *arg, struct port_def *def, const struct port_state *state)
{
	struct network *net = arg;
	ND_AUTO(port_free) struct port *p = port_new(def, state->ifname, state->plugged);

	if (!p)
		port_def_free(def);
	else if (!network_port(net, &def->uuid) && network_add_port(net, p) == 0)
		p = NULL;
}

static void on_live(void *arg, struct net_def *def_taken)
{
	ND_AUTO(net_def_free) struct net_def *def = def_taken;
	struct netd *d = arg;
	struct network *net = network_for(d, def);

	if (!net || net->live)
		return;
	net->live = nd_take_ptr(&def);
	d->unread += store_load_ports(d->store, &net->uuid, on_port, net);
}

static bool is_known(void *arg, const struct nd_uuid *uuid)
{
	struct netd *d = arg;

	return registry_by_uuid(&d->networks, uuid) != NULL;
}

static bool runs(void *arg, const struct nd_uuid *uuid)
{
	struct netd *d = arg;
	struct network *net = registry_by_uuid(&d->networks, uuid);

	return net && net->live;
}

void load_all(struct netd *d)
{
	struct store_loader loader = { d, on_definition, on_live };

	store_sweep(d->store);
	d->unread = 0;
	d->unread += store_load(d->store, &loader);
	/* What cannot be read may have leases: then none go. */
	lease_dirs_sweep(d->lease_dirs, d->unread ? NULL : is_known, d);
	store_sweep_ports(d->store, runs, d);
}

void load_definitions(struct netd *d)
{
	struct store_loader loader = { d, on_definition, NULL };

	store_load(d->store, &loader);
}
