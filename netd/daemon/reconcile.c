/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/daemon/reconcile.h"

#include <malloc.h>

#include "netd/base/log.h"
#include "netd/daemon/change.h"
#include "netd/daemon/check.h"
#include "netd/daemon/guest_life.h"
#include "netd/daemon/load.h"
#include "netd/daemon/nwfilters.h"
#include "netd/daemon/round.h"

/* ---- following the host's resolvers and names ---- */

static int follow_wanted(struct operation *op, struct nd_error *err)
{
	return op->net->live ? 0 : nd_error_set(err, ND_ERR_OPERATION_INVALID, "not active");
}

static int follow_server(struct operation *op, struct nd_error *err)
{
	struct change *c = change_of(op);

	servers_update(c->netd->servers, nd_take_ptr(&c->serve), change_server_told, op);
	return OP_WAIT;
}

static const struct op_step follow_steps[] = {
	{ "checking", false, follow_wanted, NULL },
	{ "changing rules", true, change_replan, change_replan_undo },
	{ "telling the server", false, follow_server, NULL },
	{ "committing", false, change_commit, NULL },
};

static void follow_end(struct operation *op)
{
	if (op->result < 0 && op->err.kind != ND_ERR_OPERATION_INVALID)
		nd_log(LOG_ERR, op->net->name, "cannot follow the host's resolvers: %s", op->err.text);
	change_end(change_of(op));
}

void reconcile_follow_host(struct netd *d)
{
	struct network *net;

	for (size_t pos = 0; (net = registry_next(&d->networks, &pos));) {
		struct change *c = net->live ? change_new(d, NULL, NULL, NULL) : NULL;

		if (c)
			change_start(c, net, follow_steps, ND_COUNT(follow_steps), follow_end);
	}
}

/* ---- start and reload ---- */

/* Only then it is noted: a netd that is killed amid the starts leaves the others to the next. */
static void autostart_ended(struct netd *d)
{
	if (--d->autostarting || !d->first_of_boot)
		return;
	(void)malloc_trim(0);		/* what the starts needed meanwhile */
	d->first_of_boot = false;
	store_note_autostarted(d->store);
}

static void log_autostart(const char *name, const struct nd_error *err)
{
	char message[1200];

	if (!err)
		return;
	nd_error_format(err, message, sizeof(message));
	nd_log(LOG_ERR, name, "autostart failed: %s", message);
}

static void network_autostarted(void *arg, struct network *net, const struct nd_error *err)
{
	log_autostart(net->name, err);
	autostart_ended(arg);
}

static void guest_autostarted(void *arg, struct guest *g, const struct nd_error *err)
{
	log_autostart(g->name, err);
	autostart_ended(arg);
}

/* Networks, and behind them guests. */
static void autostart_all(struct netd *d)
{
	struct network *net;

	d->autostarting++;
	for (size_t pos = 0; (net = registry_next(&d->networks, &pos));) {
		if (net->autostart && net->def && !net->live && !net->stays_stopped &&
		    lifecycle_start(d, net, network_autostarted, d, NULL) == 0)	/* else -ENOMEM */
			d->autostarting++;
		net->stays_stopped = false;
	}
	d->autostarting += guest_autostart_all(d, guest_autostarted, d);
	autostart_ended(d);
}

/* When the last network that ran before is checked. */
static void boot_through(struct netd *d)
{
	servers_end_strays(d->servers);
	d->first_of_boot = d->config.autostart && !store_has_autostarted(d->store);
	if (d->first_of_boot)
		autostart_all(d);
}

int reconcile_start(struct netd *d, struct nd_error *err)
{
	struct round *round = round_new(d);
	int r;

	if (!round)
		return nd_error_nomem(err);
	r = datapath_adopt_rules(d->datapath, err);
	if (r == 0 && (r = round_look(round)) < 0 && err)
		*err = round->err;
	if (r == 0)
		r = check_at_start(d, round, err);
	if (r == 0)
		round->through = boot_through;
	if (r == 0 && round->refs > 1)
		nd_log(LOG_INFO, NULL, "networks that run already: %u", round->refs - 1);
	round_unref(round);
	return r;
}

void reconcile_reload(struct netd *d)
{
	(void)nwfilters_load(d->nwfilters);
	nwfilters_enforce(d);
	load_definitions(d);
	(void)guest_load(d, true);		/* what is skipped is in the log */
	if (d->config.autostart)
		autostart_all(d);
}
