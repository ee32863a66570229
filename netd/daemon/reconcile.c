/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/daemon/reconcile.h"

#include <stdlib.h>
#include <string.h>

#include "netd/base/log.h"
#include "netd/base/str.h"
#include "netd/daemon/lifecycle.h"

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

	if (!net)
		return;
	net_def_free(net->def);
	net->def = nd_take_ptr(&def);
	net->autostart = autostart;
	complete_definition(d, net, had_all);
}

static void on_live(void *arg, struct net_def *def_taken)
{
	ND_AUTO(net_def_free) struct net_def *def = def_taken;
	struct network *net = network_for(arg, def);

	if (!net)
		return;
	net_def_free(net->live);
	net->live = nd_take_ptr(&def);
}

void reconcile_load(struct netd *d)
{
	struct store_loader loader = { d, on_definition, on_live };

	store_load(d->store, &loader);
}
