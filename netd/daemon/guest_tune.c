/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/daemon/guest_tune.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "netd/base/log.h"
#include "netd/daemon/guest_nic.h"
#include "netd/daemon/ports.h"

/* ---- steps ---- */

/* The NIC whose bandwidth changes, if it is such a one; and as it was. */
static const struct dom_nic *changed(const struct guest_change *c, bool on_network,
				     const struct dom_nic **was)
{
	const struct dom_def *live = c->guest->live;

	for (size_t i = 0; c->live && live && i < live->n_nics; i++) {
		const struct dom_nic *now = &c->live->nics[i];

		*was = &live->nics[i];
		if ((now->type == DOM_NIC_NETWORK) == on_network &&
		    !bandwidth_def_equal(&now->bandwidth, &(*was)->bandwidth))
			return now;
	}
	return NULL;
}

static void on_tuned(void *arg, struct network *net, const struct nd_error *err)
{
	operation_resume(arg, err ? -err->code : 0, err);
}

static int set_port(struct operation *op, const struct dom_nic *nic, struct nd_error *err)
{
	struct netd *d = guest_change_of(op)->netd;
	struct network *net = registry_by_name(&d->networks, nic->network);
	int r;

	if (!net || !network_port(net, &nic->portid))
		return nd_error_set(err, ND_ERR_OPERATION_FAILED, "interface '%s' is not on network "
				    "'%.300s' any more", nic->target, nic->network);
	r = ports_set_bandwidth(d, net, &nic->portid, &nic->bandwidth, on_tuned, op, err);
	return r < 0 ? r : OP_WAIT;
}

int guest_tune_port(struct operation *op, struct nd_error *err)
{
	const struct dom_nic *was, *now = changed(guest_change_of(op), true, &was);

	return now ? set_port(op, now, err) : OP_DONE;
}

int guest_tune_port_undo(struct operation *op)
{
	struct guest_change *c = guest_change_of(op);
	const struct dom_nic *was;
	struct nd_error err = { 0 };
	int r = changed(c, true, &was) ? set_port(op, was, &err) : OP_DONE;

	if (r < 0)
		nd_log(LOG_ERR, c->guest->name, "taking back a failed change: %s", err.text);
	return r < 0 ? OP_DONE : r;
}

/* Worker. */
int guest_tune_link(struct operation *op, struct nd_error *err)
{
	struct guest_change *c = guest_change_of(op);
	const struct dom_nic *was, *now = changed(c, false, &was);

	return now ? guest_nic_shape(c->netd, now, &now->bandwidth, err) : OP_DONE;
}

int guest_tune_link_undo(struct operation *op)
{
	struct guest_change *c = guest_change_of(op);
	const struct dom_nic *was, *now = changed(c, false, &was);
	struct nd_error err = { 0 };

	if (now && guest_nic_shape(c->netd, now, &was->bandwidth, &err) < 0)
		nd_log(LOG_ERR, c->guest->name, "taking back a failed change: %s", err.text);
	return OP_DONE;
}

/* ---- after netd was killed ---- */

static bool follow_port(const struct guest_change *c, struct dom_nic *nic)
{
	const struct network *net = nic->type == DOM_NIC_NETWORK ?
				    registry_by_name(&c->netd->networks, nic->network) : NULL;
	const struct port *port = net ? network_port(net, &nic->portid) : NULL;

	if (!port || bandwidth_def_equal(&port->def->bandwidth, &nic->bandwidth))
		return false;
	nic->bandwidth = port->def->bandwidth;
	nic->bandwidth.class_id = 0;
	return true;
}

int guest_tune_follow_ports(struct operation *op, struct nd_error *err)
{
	struct guest_change *c = guest_change_of(op);
	struct dom_def *live = c->guest->live ? dom_def_copy(c->guest->live) : NULL;
	bool differs = false;

	for (size_t i = 0; live && i < live->n_nics; i++)
		differs |= follow_port(c, &live->nics[i]);
	if (differs)
		c->live = live;
	else
		dom_def_free(live);
	return OP_DONE;
}

int guest_tune_mend_links(struct operation *op, struct nd_error *err)
{
	struct guest_change *c = guest_change_of(op);
	const struct dom_def *live = c->guest->live;

	for (size_t i = 0; live && i < live->n_nics; i++) {
		const struct dom_nic *nic = &live->nics[i];
		struct nd_error why = { 0 };

		if (nic->type == DOM_NIC_NETWORK || !nic->target ||
		    (nic->target_managed == TRI_NO && !nic->bandwidth.given))
			continue;
		if (guest_nic_shape(c->netd, nic, &nic->bandwidth, &why) < 0)
			nd_log(LOG_ERR, c->guest->name, "%s", why.text);
	}
	return OP_DONE;
}

/* ---- domiftune ---- */

struct tune {
	struct guest_change c;		/* first */
	char *device;
	struct bandwidth_params params;
	bool live, config;
};

/* A name that the NIC has only while the guest runs means the NIC of that MAC in the definition. */
static int retune(const struct tune *t, struct dom_def *def, struct nd_error *err)
{
	const struct guest *g = t->c.guest;
	struct dom_nic *nic = dom_nic_named(def, t->device);
	const struct dom_nic *live = !nic && g->live ? dom_nic_named(g->live, t->device) : NULL;
	char mac[ND_MAC_STRLEN];

	if (live)
		nic = dom_nic_named(def, nd_mac_format(&live->mac, mac));
	if (!nic)
		return nd_error_set(err, ND_ERR_INVALID_ARG, "invalid argument: '%.100s' is not a known "
				    "interface", t->device);
	if (t->params.in)
		nic->bandwidth.in = t->params.to.in;
	if (t->params.out)
		nic->bandwidth.out = t->params.to.out;
	if (nic->bandwidth.in.floor && nic->type != DOM_NIC_NETWORK)
		return nd_error_set(err, ND_ERR_CONFIG_UNSUPPORTED,
				    "a floor is only possible for an interface of type 'network'");
	return bandwidth_def_complete(&nic->bandwidth, err);
}

static int tune_check(struct operation *op, struct nd_error *err)
{
	struct tune *t = (struct tune *)op;
	struct guest_change *c = &t->c;
	int r = guest_change_copy(c, t->live, t->config, err);

	if (r == 0 && c->def)
		r = retune(t, c->def, err);
	if (r == 0 && c->live)
		r = retune(t, c->live, err);
	return r;
}

static const struct op_step tune_steps[] = {
	{ "checking", false, tune_check, NULL },
	{ "writing the definition", true, guest_change_write_config, guest_change_restore_config },
	GUEST_TUNE_STEPS,
	{ "recording the live state", true, guest_change_record_live, NULL },
	{ "committing", false, guest_change_commit, NULL },
};

static void tune_end(struct operation *op)
{
	struct tune *t = (struct tune *)op;

	free(t->device);
	guest_change_end(&t->c);
}

int guest_tune(struct guest *g, const char *device, const struct bandwidth_params *params,
	       bool live, bool config, guest_done done, void *arg, struct nd_error *err)
{
	struct tune *t = guest_change_new(g, sizeof(*t), done, arg, err);

	if (!t)
		return -ENOMEM;
	t->device = strdup(device);
	if (!t->device) {
		guest_change_free(&t->c);
		return nd_error_nomem(err);
	}
	t->params = *params;
	t->live = live;
	t->config = config;
	guest_change_start(&t->c, tune_steps, ND_COUNT(tune_steps), tune_end);
	return 0;
}
