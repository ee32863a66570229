/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/daemon/guest_filter.h"

#include <stdio.h>

#include "datapath/guest_link.h"
#include "netd/base/log.h"
#include "netd/base/str.h"
#include "netd/daemon/guest_change.h"
#include "netd/daemon/guest_nic.h"

struct filter_op {
	struct guest_change c;		/* first */
	struct vmm_nic_filter filter;
};

static const struct dom_nic *trusted_nic(const struct guest *g, const char *alias)
{
	for (size_t i = 0; g->live && i < g->live->n_nics; i++) {
		const struct dom_nic *nic = &g->live->nics[i];

		if (nd_streq0(nic->info.alias, alias) && nic->type == DOM_NIC_DIRECT &&
		    nic->trust_guest_rx_filters == TRI_YES)
			return nic;
	}
	return NULL;
}

/* Worker. */
static int filter_set(struct operation *op, struct nd_error *err)
{
	struct filter_op *f = (struct filter_op *)op;
	struct guest *g = f->c.guest;
	const struct dom_nic *nic = trusted_nic(g, f->filter.id);
	char alias[GUEST_ALIAS_SIZE];

	guest_nic_alias(g, alias);
	if (nic && datapath_guest_filter(f->c.netd->datapath, nic->target, alias, &f->filter.mac,
					 f->filter.multicast, err) < 0)
		nd_log(LOG_WARNING, g->name, "interface %s cannot receive what the guest asks for: %s",
		       f->filter.id, err->text);
	return OP_DONE;
}

/* The next one may come. */
static int filter_seen(struct operation *op, struct nd_error *err)
{
	struct filter_op *f = (struct filter_op *)op;
	struct guest *g = f->c.guest;

	if (g->vmm && !guest_vmm_is_gone(g->vmm))
		(void)guest_vmm_nic(g->vmm, VMM_NIC_FILTER_SEEN, f->filter.id, 0, NULL, NULL, NULL);
	return OP_DONE;
}

static const struct op_step filter_steps[] = {
	{ "setting what a device receives", true, filter_set, NULL },
	{ "asking for more", false, filter_seen, NULL },
};

static void filter_end(struct operation *op)
{
	guest_change_of(op)->guest->n_filters--;
	guest_change_end(guest_change_of(op));
}

void guest_filter_changed(struct guest *g, const struct vmm_nic_filter *filter)
{
	struct filter_op *f = NULL;

	/* One is under way for each NIC at most, or the process does not keep to the protocol. */
	if (trusted_nic(g, filter->id) && g->n_filters < g->live->n_nics)
		f = guest_change_new(g, sizeof(*f), NULL, NULL, NULL);
	if (!f)		/* not trusted: it is never asked again */
		return;
	g->n_filters++;
	f->filter = *filter;
	guest_change_start(&f->c, filter_steps, ND_COUNT(filter_steps), filter_end);
}
