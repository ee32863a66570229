/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The life of a lease: offered, asked for, bound, ended. */
#include <stdlib.h>
#include <string.h>

#include "dhcp/dhcp4_lease_private.h"
#include "dhcp/hostname.h"

/* A client that asks again this soon is told what is left instead of being written again. */
#define ASK_AGAIN_MS 5000

static uint64_t ticket_of(const struct lease *l)
{
	return (uint64_t)l->generation << 32 | ntohl(l->address.s_addr);
}

void store_later(struct dhcp4_leases *t, struct lease *l, enum lease_row_state state)
{
	(void)lease_store(t, l, state, &l->is, 0);
}

/* A record that is PAST now: kept while the client may want the address back. */
static void keep_or_forget(struct dhcp4_leases *t, struct lease *l)
{
	if (l->client->main == l && address_is_configured(t, l->address))
		return;
	if (l->stored)
		store_later(t, l, LEASE_ROW_GONE);
	lease_forget(t, l);
}

void lease_revert(struct dhcp4_leases *t, struct lease *l)
{
	l->start_ms = l->before_start_ms;
	if (l->before == DHCP4_LEASE_BOUND) {
		lease_enter(t, l, DHCP4_LEASE_BOUND, l->before_expires_ms);
	} else if (l->before == DHCP4_LEASE_PAST) {
		lease_enter(t, l, DHCP4_LEASE_PAST, l->before_expires_ms);
		keep_or_forget(t, l);
	} else {
		lease_forget(t, l);
	}
}

void lease_end(struct dhcp4_leases *t, struct lease *l, uint64_t ended_ms, bool tell_store)
{
	bool kept = l->client->main == l && address_is_configured(t, l->address);

	lease_event(t, l, DHCP4_EVENT_REMOVED);
	name_unregister(t, l);
	lease_enter(t, l, DHCP4_LEASE_PAST, ended_ms);
	if (kept && tell_store)
		store_later(t, l, LEASE_ROW_RELEASED);
	keep_or_forget(t, l);
}

/* Nobody uses an address that was left. */
static void left_free(struct dhcp4_leases *t, struct lease *l)
{
	store_later(t, l, LEASE_ROW_GONE);
	lease_forget(t, l);
}

void dhcp4_lease_confirm(struct dhcp4_leases *t, const struct nd_mac *mac, struct in_addr address)
{
	struct client *c = client_find(t, mac);

	if (c && c->left && c->main && c->main->state == DHCP4_LEASE_BOUND &&
	    c->main->address.s_addr == address.s_addr)
		left_free(t, c->left);
}

void lease_leave(struct dhcp4_leases *t, struct lease *l)
{
	struct client *c = l->client;

	name_unregister(t, l);
	if (c->left)
		left_free(t, c->left);
	if (c->main == l)
		c->main = NULL;
	c->left = l;
	/* The store's row may stay: it says until when the address is taken, and by whom. */
	lease_enter(t, l, DHCP4_LEASE_LEFT, l->expires_ms);
}

/* --- offer --- */

/* An offer to the client of another address than the one that it is getting. */
static void revert_offer(struct dhcp4_leases *t, struct lease *offer, const struct lease *getting)
{
	if (offer && offer != getting && offer->state == DHCP4_LEASE_OFFERED)
		lease_revert(t, offer);
}

/* The record of an address for a client that may have it: its own, one taken over, or a new
 * one. Whatever else was on offer to the client is withdrawn. */
static struct lease *lease_take(struct dhcp4_leases *t, const struct nd_mac *mac,
				struct in_addr address)
{
	struct client *c = client_get(t, mac);
	struct lease *l = lease_at(t, address), *other;

	if (!c)
		return NULL;
	other = c->other;
	if (!l || l->client != c) {
		if (l && l->state == DHCP4_LEASE_OFFERED)
			lease_revert(t, l);
		l = lease_at(t, address);
		if (l)
			lease_forget(t, l);
		l = lease_new(t, c, address);
		if (!l) {
			client_drop_unused(t, c);
			return NULL;
		}
		if (c->main)
			c->other = l;
		else
			c->main = l;
	}
	revert_offer(t, other, l);
	revert_offer(t, c->main, l);	/* if it goes altogether, l takes its place */
	return l;
}

static bool is_pending(const struct client *c)
{
	return c && ((c->main && c->main->state == DHCP4_LEASE_PENDING) ||
		     (c->other && c->other->state == DHCP4_LEASE_PENDING));
}

/* Notes what the lease goes back to when nothing comes of the offer or the asking. */
static void note_before(struct lease *l)
{
	if (l->state == DHCP4_LEASE_OFFERED)
		return;			/* noted when it was offered */
	l->before = l->state;
	if (l->state == DHCP4_LEASE_PAST && !l->start_ms && !l->expires_ms)
		l->before = NOT_BEFORE;	/* made a moment ago */
	l->before_start_ms = l->start_ms;
	l->before_expires_ms = l->expires_ms;
}

enum dhcp4_verdict dhcp4_lease_offer(struct dhcp4_leases *t, const struct dhcp4_who *who,
				     struct in_addr address, uint64_t now_ms)
{
	struct lease *l;

	if (is_pending(client_find(t, &who->mac)))
		return DHCP4_BUSY;
	l = lease_take(t, &who->mac, address);
	if (!l)
		return DHCP4_NOMEM;
	if (l->state == DHCP4_LEASE_BOUND)
		return DHCP4_OK;
	note_before(l);
	lease_enter(t, l, DHCP4_LEASE_OFFERED, now_ms + DHCP4_OFFER_MS);
	return DHCP4_OK;
}

void dhcp4_lease_withdraw(struct dhcp4_leases *t, const struct nd_mac *mac)
{
	struct client *c = client_find(t, mac);

	if (c && c->other)
		revert_offer(t, c->other, NULL);
	else if (c)
		revert_offer(t, c->main, NULL);
}

/* --- ask and settle --- */

void dhcp4_lease_name(const struct dhcp4_leases *t, const struct dhcp4_who *who,
		      struct dhcp4_grant *out)
{
	const struct dhcp_reservation *owner;

	out->hostname[0] = '\0';
	if (who->host)
		hostname_legalise(who->host->name, strlen(who->host->name), out->hostname);
	out->hostname_configured = out->hostname[0];
	if (!out->hostname_configured && who->hostname[0]) {
		owner = dhcp4_hosts_of_name(t->hosts, who->hostname);
		if (!owner || owner == who->host)
			memcpy(out->hostname, who->hostname, sizeof(out->hostname));
	}
}

static bool labels_equal(const struct labels *labels, const struct dhcp4_who *who,
			 const struct dhcp4_grant *grant)
{
	return labels->client_id_len == who->client_id_len &&
		(!who->client_id_len ||
		 memcmp(labels->client_id, who->client_id, who->client_id_len) == 0) &&
		strcmp(labels->name ? labels->name : "", grant->hostname) == 0 &&
		labels->name_configured == grant->hostname_configured;
}

/* The client has just been given this lease: what is left of it, 0 if it must be written. */
static uint32_t lease_left_s(const struct lease *l, const struct dhcp4_who *who, uint32_t lease_s,
			     const struct dhcp4_grant *grant, uint64_t now_ms)
{
	uint64_t left_s;

	if (l->state != DHCP4_LEASE_BOUND || !labels_equal(&l->is, who, grant) ||
	    (int64_t)now_ms - l->start_ms >= ASK_AGAIN_MS || l->expires_ms <= now_ms)
		return 0;
	if (l->expires_ms == LEASE_NEVER_MS)
		return lease_s;
	left_s = (l->expires_ms - now_ms) / 1000;
	/* More than a little is missing: the configuration changed meanwhile. */
	if (lease_s == DHCP_LEASE_TIME_INFINITE || left_s + ASK_AGAIN_MS / 1000 < lease_s)
		return 0;
	return left_s < lease_s ? (uint32_t)left_s : lease_s;
}

/*
 * When the lease will end. Never before the client may think: if it does not hear that its lease
 * is shorter now, it counts on the old one. (Only one that never ended is cut without regard,
 * or it would stay for ever.)
 */
static uint64_t expiry(const struct lease *l, uint32_t lease_s, uint64_t now_ms)
{
	uint64_t expires_ms = now_ms + (uint64_t)lease_s * 1000;

	if (lease_s == DHCP_LEASE_TIME_INFINITE)
		return LEASE_NEVER_MS;
	if (l->before == DHCP4_LEASE_BOUND && l->before_expires_ms != LEASE_NEVER_MS &&
	    l->before_expires_ms > expires_ms)
		return l->before_expires_ms;
	return expires_ms;
}

/* When it starts. The store knows seconds, and must be able to tell where a client is now from where
 * it was. */
static int64_t start_of(const struct lease *l, uint64_t now_ms)
{
	const struct lease *main = l->client->main;

	if (main != l && main->state == DHCP4_LEASE_BOUND && main->start_ms + 1000 > (int64_t)now_ms)
		return main->start_ms + 1000;
	return (int64_t)now_ms;
}

/* Asks the store. On failure the lease is what it was. */
static enum dhcp4_verdict lease_put(struct dhcp4_leases *t, struct lease *l,
				    const struct dhcp4_who *who, uint32_t lease_s,
				    uint64_t now_ms, struct dhcp4_grant *out)
{
	bool labelled = labels_set(&l->asked, who->client_id, who->client_id_len, out->hostname,
				   out->hostname_configured);

	note_before(l);
	l->start_ms = start_of(l, now_ms);
	l->generation = ++t->generation;
	lease_enter(t, l, DHCP4_LEASE_PENDING, expiry(l, lease_s, (uint64_t)l->start_ms));
	out->lease_s = lease_s;
	out->ticket = ticket_of(l);
	if (labelled && lease_store(t, l, LEASE_ROW_BOUND, &l->asked, out->ticket))
		return DHCP4_OK;
	labels_free(&l->asked);
	lease_revert(t, l);
	return labelled ? DHCP4_BUSY : DHCP4_NOMEM;
}

enum dhcp4_verdict dhcp4_lease_ask(struct dhcp4_leases *t, const struct dhcp4_who *who,
				   struct in_addr address, uint32_t lease_s, uint64_t now_ms,
				   struct dhcp4_grant *out)
{
	enum dhcp4_verdict verdict = dhcp4_lease_allowed(t, who, address);
	struct lease *l;

	if (is_pending(client_find(t, &who->mac)))
		return DHCP4_BUSY;
	if (verdict == DHCP4_QUOTA && !quota_make_room(t))
		return DHCP4_QUOTA;
	if (verdict == DHCP4_REFUSED)
		return verdict;
	dhcp4_lease_name(t, who, out);
	l = lease_take(t, &who->mac, address);
	if (!l)
		return DHCP4_NOMEM;
	out->lease_s = lease_left_s(l, who, lease_s, out, now_ms);
	out->ticket = 0;
	if (out->lease_s)
		return DHCP4_OK;
	return lease_put(t, l, who, lease_s, now_ms, out);
}

/* A later claim takes a name over. */
static void name_take(struct dhcp4_leases *t, const struct labels *labels)
{
	struct lease *owner;

	if (!labels->name)
		return;
	owner = nd_hash_find(t->by_name, labels->name_lower, strlen(labels->name_lower));
	if (!owner)
		return;
	name_unregister(t, owner);
	free(owner->is.name);
	owner->is.name = NULL;
	owner->is.name_configured = false;
	if (owner->state == DHCP4_LEASE_BOUND)
		store_later(t, owner, LEASE_ROW_BOUND);
	lease_event(t, owner, DHCP4_EVENT_CHANGED);
}

bool dhcp4_lease_settle(struct dhcp4_leases *t, uint64_t ticket, bool stored, uint64_t now_ms)
{
	struct lease *l = lease_at(t, (struct in_addr){ htonl((uint32_t)ticket) }), *old = NULL;
	enum dhcp4_lease_state before;

	if (!l || l->state != DHCP4_LEASE_PENDING || ticket_of(l) != ticket)
		return false;
	/* Over already: the disk took longer than the lease, and the client heard of none of it. */
	if (!stored || l->expires_ms <= now_ms) {
		labels_free(&l->asked);
		lease_revert(t, l);
		return false;
	}
	before = l->before;
	name_unregister(t, l);
	labels_free(&l->is);
	l->is = l->asked;
	memset(&l->asked, 0, sizeof(l->asked));
	l->before = NOT_BEFORE;
	lease_enter(t, l, DHCP4_LEASE_BOUND, l->expires_ms);
	if (l->client->other == l) {
		old = l->client->main;
		l->client->main = l;
		l->client->other = NULL;
	}
	/* One that never ends is not kept, or it would be for ever. */
	if (old && old->state == DHCP4_LEASE_BOUND && old->expires_ms != LEASE_NEVER_MS) {
		lease_event(t, old, DHCP4_EVENT_REMOVED);
		lease_leave(t, old);
	} else if (old && old->state == DHCP4_LEASE_BOUND)
		lease_end(t, old, now_ms, true);
	else if (old)
		keep_or_forget(t, old);
	name_take(t, &l->is);
	name_register(t, l);
	lease_event(t, l, before == DHCP4_LEASE_BOUND ? DHCP4_EVENT_CHANGED : DHCP4_EVENT_ADDED);
	return true;
}

/* --- the end --- */

static struct lease *bound_lease(const struct dhcp4_leases *t, const struct nd_mac *mac,
				 struct in_addr address)
{
	struct lease *l = lease_at(t, address);

	return l && l->state == DHCP4_LEASE_BOUND && nd_mac_equal(&l->client->mac, mac) ? l : NULL;
}

bool dhcp4_lease_release(struct dhcp4_leases *t, const struct nd_mac *mac, struct in_addr address,
			 uint64_t now_ms)
{
	struct lease *l = bound_lease(t, mac, address);
	struct client *c = client_find(t, mac);

	if (l)
		lease_end(t, l, now_ms, true);
	else if (c && c->left && c->left->address.s_addr == address.s_addr)
		left_free(t, c->left);	/* it never heard that it was moved */
	return l != NULL;
}

bool dhcp4_lease_decline(struct dhcp4_leases *t, const struct nd_mac *mac, struct in_addr address,
			 uint64_t now_ms)
{
	struct lease *l = bound_lease(t, mac, address);
	struct client *c = l ? l->client : NULL;

	if (!l)
		return false;
	if (c->n_declined >= DHCP4_DECLINES_MAX) {
		lease_end(t, l, now_ms, true);
		return true;
	}
	lease_event(t, l, DHCP4_EVENT_REMOVED);
	name_unregister(t, l);
	c->n_declined++;
	c->main = c->other;
	c->other = NULL;
	lease_enter(t, l, DHCP4_LEASE_DECLINED, now_ms + DHCP4_DECLINED_MS);
	store_later(t, l, LEASE_ROW_DECLINED);
	return true;
}

uint64_t dhcp4_leases_next_ms(const struct dhcp4_leases *t)
{
	return t->n_heap ? t->heap[0]->expires_ms : UINT64_MAX;
}

void dhcp4_leases_tick(struct dhcp4_leases *t, uint64_t now_ms)
{
	while (t->n_heap && t->heap[0]->expires_ms <= now_ms) {
		struct lease *l = t->heap[0];

		if (l->state == DHCP4_LEASE_OFFERED) {
			lease_revert(t, l);
		} else if (l->state == DHCP4_LEASE_BOUND) {
			/* The row says itself that it is over. */
			lease_end(t, l, l->expires_ms, false);
		} else {
			store_later(t, l, LEASE_ROW_GONE);
			lease_forget(t, l);
		}
	}
}
