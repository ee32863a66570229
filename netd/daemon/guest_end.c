/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest_end.c -- a guest's process is dead, or shall be: its ports, devices and files go with it
 *
 * The process goes first; after that nothing fails any more, only gets logged. The live file goes
 * last: what it names is found and cleared away by the next netd if this one is killed.
 */
#include <errno.h>
#include <stdlib.h>

#include "netd/base/log.h"
#include "netd/daemon/guest_change.h"
#include "netd/daemon/guest_console.h"
#include "netd/daemon/guest_nic.h"
#include "netd/daemon/guest_nwfilter.h"
#include "netd/daemon/guest_profile.h"
#include "netd/daemon/guest_script.h"
#include "netd/daemon/ports.h"

struct end {
	struct guest_change c;		/* first; c.live is what ran */
	struct guest_end how;
	struct guest_unplug_walk walk;
	struct guest_script_walk scripts;
};

static struct end *end_of(struct operation *op)
{
	return (struct end *)op;
}

/* ---- ports and devices ---- */

static bool names_port(const struct dom_def *def, const struct nd_uuid *port)
{
	for (size_t i = 0; def && i < def->n_nics; i++)
		if (def->nics[i].has_portid && nd_uuid_equal(&def->nics[i].portid, port))
			return true;
	return false;
}

/* The next port that is to go, and its network. */
static struct port *next_port(const struct guest_unplug_walk *w, struct network **net_out)
{
	struct registry *networks = &w->guest->netd->networks;
	size_t n = w->skip;
	struct network *net;

	for (size_t pos = 0; (net = registry_next(networks, &pos));) {
		for (size_t i = 0; i < net->n_ports; i++) {
			struct port *p = net->ports[i];

			if (!p->plugged || !nd_uuid_equal(&p->def->owner_uuid, &w->guest->uuid) ||
			    names_port(w->but, &p->def->uuid) || n-- > 0)
				continue;
			*net_out = net;
			return p;
		}
	}
	return NULL;
}

static void on_unplugged(void *arg, struct network *net, const struct nd_error *err)
{
	struct guest_unplug_walk *w = arg;

	if (err) {
		nd_log(LOG_ERR, w->guest->name, "a port stays on network '%s': %s", net->name, err->text);
		w->skip++;
	}
	if (guest_unplug_all(w) == OP_DONE)
		operation_resume(w->op, 0, NULL);
}

int guest_unplug_all(struct guest_unplug_walk *w)
{
	struct network *net;
	struct port *p;

	while ((p = next_port(w, &net))) {
		struct nd_error err = { 0 };

		if (ports_delete(w->guest->netd, net, &p->def->uuid, on_unplugged, w, &err) == 0)
			return OP_WAIT;
		nd_log(LOG_ERR, w->guest->name, "a port stays on network '%s': %s", net->name, err.text);
		w->skip++;
	}
	return OP_DONE;
}

void guest_unmake_nics(struct guest *g, const struct dom_nic *nics, size_t n)
{
	struct nd_error err = { 0 };

	for (size_t i = 0; i < n; i++)
		if (guest_nic_unmake(g->netd, g, &nics[i], &err) < 0)
			nd_log(LOG_ERR, g->name, "device '%s' stays: %s", nics[i].target, err.text);
}

/* ---- the end ---- */

static int end_check(struct operation *op, struct nd_error *err)
{
	struct guest *g = guest_change_of(op)->guest;

	if (!g->live)
		return nd_error_set(err, ND_ERR_OPERATION_INVALID, "domain is not running");
	g->ending = true;
	return OP_DONE;
}

static int end_process(struct operation *op, struct nd_error *err)
{
	struct guest *g = guest_change_of(op)->guest;

	if (!g->vmm || guest_vmm_is_gone(g->vmm))
		return OP_DONE;
	guest_vmm_kill(g->vmm);
	return OP_WAIT;		/* guest_run.c's gone() resumes it */
}

static int end_unplug(struct operation *op, struct nd_error *err)
{
	struct end *e = end_of(op);

	e->walk = (struct guest_unplug_walk){ .op = op, .guest = e->c.guest };
	return guest_unplug_all(&e->walk);
}

static int end_scripts(struct operation *op, struct nd_error *err)
{
	struct end *e = end_of(op);
	const struct guest *g = e->c.guest;
	const struct dom_def *live = g->live;

	if (g->cut_off && !g->devices_named)	/* also the devices of these names may be somebody else's */
		return OP_DONE;
	e->scripts = (struct guest_script_walk){ .op = op, .guest = e->c.guest, .nics = live->nics,
						 .n = live->n_nics, .down = true };
	return guest_scripts_run(&e->scripts, NULL);
}

/* Worker. */
static int end_clear(struct operation *op, struct nd_error *err)
{
	struct end *e = end_of(op);
	struct guest *g = e->c.guest;

	if (!g->cut_off || g->devices_named)
		guest_profiles_end(g, g->live->nics, g->live->n_nics);
	guest_unmake_nics(g, g->live->nics, g->live->n_nics);
	guest_nwfilter_drop(g, g->live->nics, g->live->n_nics);
	if (g->cut_off)
		guest_nic_unmake_strays(g->netd, g, NULL);
	guest_vmm_unlisten(&g->netd->paths, &g->uuid);
	if (guest_store_remove_live(g->netd->guest_store, g->name, err) < 0)
		nd_log(LOG_ERR, g->name, "%s", err->text);
	return OP_DONE;
}

static int end_commit(struct operation *op, struct nd_error *err)
{
	struct end *e = end_of(op);
	struct guest *g = e->c.guest;

	e->c.live = nd_take_ptr(&g->live);
	guest_console_end(g);
	guest_vmm_free(g->vmm);
	g->vmm = NULL;
	g->uid = 0;
	g->ending = g->rebooting = g->booted = false;
	g->state = GUEST_SHUT_OFF;
	g->reason = e->how.reason;
	return OP_DONE;
}

static const struct op_step end_steps[] = {
	{ "checking", false, end_check, NULL },
	{ "ending its process", false, end_process, NULL },
	{ "unplugging it from networks", false, end_unplug, NULL },
	{ "running the downscripts", false, end_scripts, NULL },
	{ "clearing away", true, end_clear, NULL },
	{ "becoming inactive", false, end_commit, NULL },
};

static void end_end(struct operation *op)
{
	struct end *e = end_of(op);
	struct guest *g = e->c.guest;
	struct guest_end how = e->how;
	bool ok = op->result == 0;
	bool cut_off = g->cut_off;
	struct dom_def *live = how.again && ok ? nd_take_ptr(&e->c.live) : NULL;

	guest_change_end(&e->c);
	if (!ok)
		return;
	nd_log(LOG_INFO, g->name, "guest ended");
	if (!how.quiet) {
		if (how.reason == GUEST_SHUT_OFF_DESTROYED)
			events_domain_lifecycle(g->netd->events, g, DOM_SHUTDOWN, DOM_SHUTDOWN_HOST);
		events_domain_lifecycle(g->netd->events, g, DOM_STOPPED, how.detail);
	}
	if (live)
		(void)guest_start_again(g, live);
	if (cut_off)
		guest_cut_off_over(g);
}

int guest_end(struct guest *g, const struct guest_end *how, guest_done done, void *arg,
	      struct nd_error *err)
{
	struct end *e = guest_change_new(g, sizeof(*e), done, arg, err);

	if (!e)
		return -ENOMEM;
	e->how = *how;
	guest_change_start(&e->c, end_steps, ND_COUNT(end_steps), end_end);
	return 0;
}

int guest_destroy(struct guest *g, guest_done done, void *arg, struct nd_error *err)
{
	const struct guest_end how = { .reason = GUEST_SHUT_OFF_DESTROYED,
				       .detail = DOM_STOPPED_DESTROYED };

	return guest_end(g, &how, done, arg, err);
}
