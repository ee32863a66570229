/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/daemon/nic_filters.h"

#include <stdlib.h>
#include <string.h>

#include "datapath/datapath.h"
#include "datapath/port_filter.h"
#include "netd/base/str.h"

struct nic_filters {
	struct datapath *datapath;
	struct port_filter **items;
	size_t n;
};

int nic_filters_new(struct datapath *dp, struct nic_filters **out, struct nd_error *err)
{
	*out = calloc(1, sizeof(**out));
	if (!*out)
		return nd_error_nomem(err);
	(*out)->datapath = dp;
	return 0;
}

void nic_filters_free(struct nic_filters *f)
{
	if (!f)
		return;
	for (size_t i = 0; i < f->n; i++)
		port_filter_free(f->items[i]);
	free(f->items);
	free(f);
}

static const struct nic_filter_change *change_of(const struct nic_filter_change *changes, size_t n,
						 const char *ifname)
{
	for (size_t i = 0; i < n; i++)
		if (nd_streq(changes[i].ifname, ifname))
			return &changes[i];
	return NULL;
}

/* What there will be: those that stay, and the changed ones. Borrowed. */
static struct port_filter **merged(const struct nic_filters *f, const struct nic_filter_change *changes, size_t n,
				   size_t *n_out)
{
	struct port_filter **list = calloc(f->n + n + 1, sizeof(*list));

	*n_out = 0;
	for (size_t i = 0; list && i < f->n; i++)
		if (!change_of(changes, n, f->items[i]->ifname))
			list[(*n_out)++] = f->items[i];
	for (size_t i = 0; list && i < n; i++)
		if (changes[i].filter)
			list[(*n_out)++] = changes[i].filter;
	return list;
}

static struct port_filter *had(const struct nic_filters *f, const char *ifname)
{
	for (size_t i = 0; i < f->n; i++)
		if (nd_streq(f->items[i]->ifname, ifname))
			return f->items[i];
	return NULL;
}

/* Most guests have no filters: then nobody needs to ask the kernel. */
static bool is_nothing(const struct nic_filters *f, const struct nic_filter_change *changes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (changes[i].filter || had(f, changes[i].ifname))
			return false;
	return true;
}

int nic_filters_change(struct nic_filters *f, struct nic_filter_change *changes, size_t n, struct nd_error *err)
{
	struct port_filter **after;
	size_t n_after;
	int r;

	if (is_nothing(f, changes, n))
		return 0;
	after = merged(f, changes, n, &n_after);
	if (!after)
		return nd_error_nomem(err);
	r = datapath_filter_ports(f->datapath, (const struct port_filter *const *)after, n_after, err);
	if (r < 0) {
		free(after);
		return r;
	}
	for (size_t i = 0; i < n; i++)
		changes[i].filter = had(f, changes[i].ifname);
	free(f->items);
	f->items = after;
	f->n = n_after;
	return 0;
}

int nic_filters_replace(struct nic_filters *f, struct nic_filter_change *changes, size_t *n, struct nd_error *err)
{
	size_t kept = 0;

	for (size_t i = 0; i < *n; i++) {
		if (had(f, changes[i].ifname))
			changes[kept++] = changes[i];
		else
			port_filter_free(changes[i].filter);
	}
	*n = kept;
	return nic_filters_change(f, changes, *n, err);
}

int nic_filters_drop(struct nic_filters *f, const struct nic_filter_change *gone, size_t n, struct nd_error *err)
{
	size_t kept = 0;

	if (is_nothing(f, gone, n))
		return 0;
	for (size_t i = 0; i < f->n; i++) {
		if (change_of(gone, n, f->items[i]->ifname))
			port_filter_free(f->items[i]);
		else
			f->items[kept++] = f->items[i];
	}
	f->n = kept;
	return nic_filters_mend(f, err);
}

int nic_filters_adopt(struct nic_filters *f, struct nic_filter_change *all, size_t n, struct nd_error *err)
{
	size_t n_after;
	struct port_filter **after = merged(f, all, n, &n_after);

	if (!after)
		return nd_error_nomem(err);
	for (size_t i = 0; i < n; i++)
		all[i].filter = NULL;		/* the list's now */
	free(f->items);
	f->items = after;
	f->n = n_after;
	return nic_filters_mend(f, err);
}

int nic_filters_mend(struct nic_filters *f, struct nd_error *err)
{
	return datapath_filter_ports(f->datapath, (const struct port_filter *const *)f->items, f->n, err);
}
