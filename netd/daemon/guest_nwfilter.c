/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/daemon/guest_nwfilter.h"

#include <stdlib.h>
#include <string.h>

#include "datapath/datapath.h"
#include "netd/base/array.h"
#include "netd/base/log.h"
#include "netd/base/str.h"
#include "netd/compile/nwfilter.h"
#include "netd/daemon/nwfilters.h"

/* Where the documents of filters come from, but for one that is about to be another. */
struct source {
	const struct netd *netd;
	const struct nwfilter_def *instead;
};

static const struct nwfilter_def *find(void *arg, const char *name)
{
	const struct source *s = arg;

	if (s->instead && nd_streq(s->instead->name, name))
		return s->instead;
	return nwfilters_find(s->netd->nwfilters, name);
}

/* Frames of the NIC pass a bridge of the kernel's, where they are judged; for type ethernet see
 * check_bridged(). */
static int check_port(const struct netd *d, const struct dom_nic *nic, struct nd_error *err)
{
	const struct network *net = nic->type == DOM_NIC_NETWORK ? registry_by_name(&d->networks, nic->network) : NULL;
	const struct port *port = net && nic->has_portid ? network_port(net, &nic->portid) : NULL;

	if (nic->type == DOM_NIC_ETHERNET)
		return 0;
	if (nic->bridge && !(port && port->def->virtualport.type == VIRTUALPORT_OPENVSWITCH))
		return 0;
	return nd_error_set(err, ND_ERR_CONFIG_UNSUPPORTED, "<filterref> (line %d): ports of network '%.300s' are on "
			    "no bridge of the kernel's, where they could be filtered", nic->filter.line, nic->network);
}

static int compile(const struct source *from, const struct dom_nic *nic, struct port_filter **out,
		   struct nd_error *err)
{
	const struct nic_filter what = { .ifname = nic->target, .mac = nic->mac, .ref = &nic->filter };
	int r = check_port(from->netd, nic, err);

	return r < 0 ? r : compile_port_filter(&what, find, (void *)from, out, err);
}

/* ---- changes ---- */

struct changes {
	struct nic_filter_change *items;
	size_t n;
};

void nic_filter_changes_free(struct nic_filter_change *changes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		port_filter_free(changes[i].filter);
	free(changes);
}

static struct nic_filter_change *change_of(struct changes *c, const char *ifname)
{
	struct nic_filter_change *change;

	for (size_t i = 0; i < c->n; i++)
		if (nd_streq(c->items[i].ifname, ifname))
			return &c->items[i];
	change = nd_array_add(c->items, c->n);
	if (change)
		snprintf(change->ifname, sizeof(change->ifname), "%s", ifname);
	return change;
}

static bool is_filtered(const struct dom_nic *nic)
{
	return nic->filter.filter && nic->target;
}

/* Without a filter until one is compiled: also where none is known, since a name may have been another's. */
static int add_ports(struct changes *c, const struct dom_nic *nics, size_t n, struct nd_error *err)
{
	for (size_t i = 0; i < n; i++)
		if (nics[i].target && !change_of(c, nics[i].target))
			return nd_error_nomem(err);
	return 0;
}

static int add_compiled(struct changes *c, const struct source *from, const struct dom_def *def, struct nd_error *err)
{
	int r = 0;

	for (size_t i = 0; i < def->n_nics && r == 0; i++) {
		struct nic_filter_change *change = is_filtered(&def->nics[i]) ?
						   change_of(c, def->nics[i].target) : NULL;

		if (change)
			r = compile(from, &def->nics[i], &change->filter, err);
		else if (is_filtered(&def->nics[i]))
			r = nd_error_nomem(err);
	}
	return r;
}

/* Nothing passes. */
static struct port_filter *closed(const char *ifname)
{
	ND_AUTO(port_filter_free) struct port_filter *f = port_filter_new(ifname);

	for (enum filter_stage s = 0; f && s < FILTER_STAGES; s++) {
		struct filter_rule *rule = filter_chain_add_rule(&f->chains[s]);

		if (!rule)
			return NULL;
		rule->verdict = FILTER_DROP;
	}
	return nd_take_ptr(&f);
}

static bool can_compile(const struct netd *d, const struct dom_nic *nic)
{
	ND_AUTO(port_filter_free) struct port_filter *f = NULL;
	const struct source from = { d, NULL };

	return compile(&from, nic, &f, NULL) == 0;
}

/* Of a guest that runs: it was to be guarded, so a filter that cannot be had lets nothing pass. That the
 * document which is to come is what is wrong is an error. */
static int compile_running(const struct source *from, const struct guest *g, const struct dom_nic *nic,
			   struct port_filter **out, struct nd_error *err)
{
	struct nd_error why = { 0 };
	int r = compile(from, nic, out, &why);

	if (r == 0)
		return 0;
	if (from->instead && can_compile(from->netd, nic)) {
		if (err)
			*err = why;
		return nd_error_prefix(err, "guest '%s'", g->name);
	}
	nd_log(LOG_ERR, g->name, "its interface '%s' is cut off until this is mended: %s", nic->target, why.text);
	*out = closed(nic->target);
	return *out ? 0 : nd_error_nomem(err);
}

static int add_running(struct changes *c, const struct source *from, const struct guest *g, struct nd_error *err)
{
	int r = 0;

	for (size_t i = 0; i < g->live->n_nics && r == 0; i++) {
		const struct dom_nic *nic = &g->live->nics[i];
		struct nic_filter_change *change = is_filtered(nic) ? change_of(c, nic->target) : NULL;

		if (change)
			r = compile_running(from, g, nic, &change->filter, err);
		else if (is_filtered(nic))
			r = nd_error_nomem(err);
	}
	return r;
}

int guest_nwfilter_changes(struct netd *d, const struct nwfilter_def *instead, struct nic_filter_change **out,
			   size_t *n_out, struct nd_error *err)
{
	const struct source from = { d, instead };
	struct changes c = { 0 };
	struct guest *g;
	int r = 0;

	for (size_t pos = 0; r == 0 && (g = guests_next(&d->guests, &pos));)
		r = g->live ? add_running(&c, &from, g, err) : 0;
	if (r < 0) {
		nic_filter_changes_free(c.items, c.n);
		return r;
	}
	*out = c.items;
	*n_out = c.n;
	return 0;
}

/* ---- steps ---- */

int guest_nwfilter_compile(struct operation *op, struct nd_error *err)
{
	struct guest_change *c = guest_change_of(op);
	const struct source from = { c->netd, NULL };
	const struct dom_def *before = c->guest->live;
	struct changes changes = { 0 };
	int r = before && c->live ? add_ports(&changes, before->nics, before->n_nics, err) : 0;

	if (r == 0 && c->live)
		r = add_ports(&changes, c->live->nics, c->live->n_nics, err);
	if (r == 0 && c->live)
		r = add_compiled(&changes, &from, c->live, err);
	c->filters = changes.items;
	c->n_filters = changes.n;
	c->filters_of = nwfilters_generation(c->netd->nwfilters);
	return r;
}

static bool is_bridge(const struct host_facts *facts, int ifindex)
{
	for (size_t i = 0; i < facts->n_links; i++)
		if (facts->links[i].ifindex == ifindex)
			return nd_streq(facts->links[i].kind, "bridge");
	return false;
}

/* A TAP on its own is on a bridge where its <script> has put it on one. */
static int check_bridged(struct guest_change *c, struct nd_error *err)
{
	ND_AUTO(host_facts_free) struct host_facts *facts = NULL;

	for (size_t i = 0; c->live && i < c->live->n_nics; i++) {
		const struct dom_nic *nic = &c->live->nics[i];
		const struct link_fact *link;

		if (nic->type != DOM_NIC_ETHERNET || !is_filtered(nic))
			continue;
		if (!facts && datapath_facts(c->netd->datapath, &facts, err) < 0)
			return -err->code;
		link = host_facts_link(facts, nic->target);
		if (!link || !is_bridge(facts, link->master))
			return nd_error_set(err, ND_ERR_CONFIG_UNSUPPORTED,
					    "<filterref> (line %d): '%s' is on no bridge of the kernel's, where it could be "
					    "filtered; its <script> could put it on one", nic->filter.line, nic->target);
	}
	return 0;
}

int guest_nwfilter_apply(struct operation *op, struct nd_error *err)
{
	struct guest_change *c = guest_change_of(op);
	int r = check_bridged(c, err);

	return r < 0 ? r : nic_filters_change(c->netd->nic_filters, c->filters, c->n_filters, err);
}

int guest_nwfilter_undo(struct operation *op)
{
	struct guest_change *c = guest_change_of(op);
	struct nd_error err = { 0 };

	if (nic_filters_change(c->netd->nic_filters, c->filters, c->n_filters, &err) < 0)
		nd_log(LOG_ERR, c->guest->name, "taking back a failed change: %s", err.text);
	return OP_DONE;
}

void guest_nwfilter_drop(struct guest *g, const struct dom_nic *nics, size_t n)
{
	struct changes c = { 0 };
	struct nd_error err = { 0 };
	int r = add_ports(&c, nics, n, &err);

	if (r == 0)
		r = nic_filters_drop(g->netd->nic_filters, c.items, c.n, &err);
	if (r < 0)
		nd_log(LOG_ERR, g->name, "filters of its devices stay for now: %s", err.text);
	nic_filter_changes_free(c.items, c.n);
}

void guest_nwfilter_committed(struct guest_change *c)
{
	if (c->n_filters && c->filters_of != nwfilters_generation(c->netd->nwfilters))
		nwfilters_enforce(c->netd);
}

int guest_nwfilter_adopt_all(struct netd *d, struct nd_error *err)
{
	struct nic_filter_change *changes = NULL;
	size_t n = 0;
	int r = guest_nwfilter_changes(d, NULL, &changes, &n, err);

	if (r == 0)
		r = nic_filters_adopt(d->nic_filters, changes, n, err);
	nic_filter_changes_free(changes, n);
	return r;
}
