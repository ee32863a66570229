/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the lease table learns from outside: plugged ports, and the rows of the last run. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dhcp/dhcp4_lease_private.h"
#include "dhcp/hostname.h"

/* The port is gone, and with it whoever used the lease. */
static void lease_unplug(struct dhcp4_leases *t, struct lease *l, uint64_t now_ms)
{
	if (l->state == DHCP4_LEASE_PENDING) {
		/* Its row is on the way: undo it behind it. Its ticket finds nothing. */
		store_later(t, l, LEASE_ROW_GONE);
		labels_free(&l->asked);
		l->stored = l->before == DHCP4_LEASE_BOUND;
		if (l->before != DHCP4_LEASE_BOUND) {
			lease_revert(t, l);
			return;
		}
		lease_revert(t, l);
	}
	if (l->state == DHCP4_LEASE_BOUND)
		lease_end(t, l, now_ms, true);
	else if (l->state == DHCP4_LEASE_OFFERED)
		lease_revert(t, l);
}

static void client_unplug(struct dhcp4_leases *t, struct client *c, uint64_t now_ms)
{
	/* While it counts as plugged, the client outlives its leases. */
	if (c->left) {
		store_later(t, c->left, LEASE_ROW_GONE);
		lease_forget(t, c->left);
	}
	if (c->other)
		lease_unplug(t, c->other, now_ms);
	if (c->main)
		lease_unplug(t, c->main, now_ms);
	c->plugged = false;
	if (c->main)
		lease_enter(t, c->main, c->main->state, c->main->expires_ms);
	client_recount(t, c);
	client_drop_unused(t, c);
}

static void client_plug(struct dhcp4_leases *t, struct client *c)
{
	struct lease *leases[2] = { c->main, c->other };

	if (c->plugged)
		return;
	c->plugged = true;
	for (int i = 0; i < 2; i++) {
		if (!leases[i])
			continue;
		lease_enter(t, leases[i], leases[i]->state, leases[i]->expires_ms);
		if (leases[i]->state == DHCP4_LEASE_BOUND)
			store_later(t, leases[i], LEASE_ROW_BOUND);
	}
	client_recount(t, c);
}

int dhcp4_leases_set_ports(struct dhcp4_leases *t, const struct nd_mac *macs, size_t n,
			   uint64_t now_ms)
{
	ND_AUTO(free) struct client **gone = NULL;
	struct client *c;
	size_t n_gone = 0;

	gone = calloc(nd_hash_count(t->clients) + n + 1, sizeof(struct client *));
	if (!gone)
		return -ENOMEM;
	t->ports_round++;
	for (size_t i = 0; i < n; i++) {
		c = client_get(t, &macs[i]);
		if (!c)
			return -ENOMEM;
		c->ports_round = t->ports_round;
		client_plug(t, c);
	}
	for (size_t pos = 0; (c = nd_hash_next(t->clients, &pos));)
		if (c->plugged && c->ports_round != t->ports_round)
			gone[n_gone++] = c;
	for (size_t i = 0; i < n_gone; i++)
		client_unplug(t, gone[i], now_ms);
	return 0;
}

/* --- rows of the last run --- */

/* A wall clock that went back while nobody looked may not make a lease longer than it was. */
static uint64_t row_expiry(const struct lease_row *row, uint64_t now_ms)
{
	uint64_t left, whole;

	if (row->expires_ms == LEASE_NEVER_MS || row->expires_ms <= now_ms)
		return row->expires_ms;
	left = row->expires_ms - now_ms;
	whole = (uint64_t)((int64_t)row->expires_ms - row->start_ms);
	return now_ms + (row->start_ms < (int64_t)row->expires_ms && left > whole ? whole : left);
}

/* Of two rows of one client a running lease counts more than a memory, then the later one. */
static bool outranks(const struct lease_row *row, bool bound, const struct lease *l)
{
	bool l_bound = l->state == DHCP4_LEASE_BOUND;

	return bound != l_bound ? bound : row->start_ms > l->start_ms;
}

/* It may be in use until it ends, and will end. */
static bool is_running(const struct lease *l)
{
	return l->state == DHCP4_LEASE_BOUND && l->expires_ms != LEASE_NEVER_MS;
}

static int load_labels(struct dhcp4_leases *t, struct lease *l, const struct lease_row *row,
		       bool bound)
{
	const char *name = row->hostname;
	char lower[HOSTNAME_SIZE];

	hostname_lower(name, lower);
	if (bound && nd_hash_find(t->by_name, lower, strlen(lower)))
		name = "";		/* taken over, and this row did not get to know */
	if (!labels_set(&l->is, row->client_id, row->client_id_len, name, row->name_configured))
		return -ENOMEM;
	if (bound)
		name_register(t, l);
	return 0;
}

int dhcp4_leases_load(struct dhcp4_leases *t, const struct lease_row *row, uint64_t now_ms)
{
	uint64_t expires_ms = row_expiry(row, now_ms);
	bool bound = row->state == LEASE_ROW_BOUND && expires_ms > now_ms;
	bool declined = row->state == LEASE_ROW_DECLINED && expires_ms > now_ms;
	bool left = false;
	struct client *c;
	struct lease *l;

	if (lease_at(t, row->address) ||
	    (!bound && !declined && !address_is_configured(t, row->address)))
		return 0;
	c = client_find(t, &row->mac);
	if (!declined && c && c->main) {
		bool later = outranks(row, bound, c->main), both = bound && is_running(c->main);

		left = both && !later && !c->left && expires_ms != LEASE_NEVER_MS;
		if (!later && !left)
			return 0;
		if (later && both)
			lease_leave(t, c->main);
		else if (later)
			lease_forget(t, c->main);
	}
	c = client_get(t, &row->mac);
	l = c ? lease_new(t, c, row->address) : NULL;
	if (!l) {
		if (c)
			client_drop_unused(t, c);
		return -ENOMEM;
	}
	c->n_declined += declined;
	if (left) {
		c->left = l;
	} else if (!declined) {
		c->main = l;
		c->plugged = row->plugged && bound;	/* until the list of ports comes */
	}
	l->stored = true;
	l->start_ms = row->start_ms;
	lease_enter(t, l, declined ? DHCP4_LEASE_DECLINED : left ? DHCP4_LEASE_LEFT :
		    bound ? DHCP4_LEASE_BOUND : DHCP4_LEASE_PAST, expires_ms);
	return load_labels(t, l, row, bound && !left);
}
