/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which address a client may have. Only eviction of offers changes anything here. */
#include "dhcp/dhcp4_lease_private.h"

/*
 * Unknown MACs get at most three quarters of a pool that is large enough to be divided: the rest
 * is for guests that will be plugged. Below that size only the plugged ones' own are kept back.
 */
#define QUOTA_FROM_SIZE 16

bool address_is_avoided(struct in_addr address)
{
	uint32_t a = ntohl(address.s_addr);

	/* Some clients take these for the network or for broadcast, whatever the netmask. */
	return a >> 29 == 6 && ((a & 0xff) == 0 || (a & 0xff) == 0xff);
}

bool address_is_dynamic(const struct dhcp4_leases *t, struct in_addr address)
{
	return dhcp4_pool_index(t->pool, address) != DHCP4_POOL_NONE &&
		!dhcp4_hosts_of_address(t->hosts, address) && dhcp4_host_address(t->config, address);
}

bool address_is_configured(const struct dhcp4_leases *t, struct in_addr address)
{
	return dhcp4_hosts_of_address(t->hosts, address) || address_is_dynamic(t, address);
}

static bool is_mine(const struct lease *l, const struct nd_mac *mac)
{
	return nd_mac_equal(&l->client->mac, mac);
}

/* Somebody has the address, or nobody can have it for now. An offer to an unknown MAC does not
 * stand against a plugged one's request. */
static bool is_held(const struct dhcp4_leases *t, const struct lease *l, const struct dhcp4_who *who)
{
	if (!l || !lease_is_active(l))
		return false;
	if (l->state == DHCP4_LEASE_DECLINED || l->state == DHCP4_LEASE_LEFT)
		return true;
	if (is_mine(l, &who->mac))
		return false;
	return !(l->state == DHCP4_LEASE_OFFERED && l->listed &&
		 dhcp4_leases_is_plugged(t, &who->mac));
}

/* The client's reservation can be honoured now. */
static bool host_usable(const struct dhcp4_leases *t, const struct dhcp4_who *who)
{
	return who->host && dhcp4_host_address(t->config, who->host->address) &&
		dhcp4_hosts_of_address(t->hosts, who->host->address) == who->host &&
		!is_held(t, lease_at(t, who->host->address), who);
}

/* May have the address, its quota aside. */
static bool fits(const struct dhcp4_leases *t, const struct dhcp4_who *who, struct in_addr address)
{
	if (host_usable(t, who))
		return who->host->address.s_addr == address.s_addr;
	return address_is_dynamic(t, address) && !is_held(t, lease_at(t, address), who);
}

/* The client has an address of the pool already, so that another one for it is no more. */
static bool has_slot(const struct client *c)
{
	return c && ((c->main && c->main->unknown) || (c->other && c->other->unknown));
}

static bool quota_left(const struct dhcp4_leases *t)
{
	size_t size = dhcp4_pool_size(t->pool);
	size_t quota = size < QUOTA_FROM_SIZE ? size : size - size / 4;

	return t->n_unknown < quota &&
		dhcp4_pool_n_untaken(t->pool) + t->n_past > t->n_waiting;
}

bool quota_make_room(struct dhcp4_leases *t)
{
	if (!quota_left(t) && !TAILQ_EMPTY(&t->offers))
		lease_revert(t, TAILQ_FIRST(&t->offers));
	return quota_left(t);
}

static bool needs_quota(const struct dhcp4_leases *t, const struct dhcp4_who *who,
			struct in_addr address)
{
	const struct client *c = client_find(t, &who->mac);

	return !(c && c->plugged) && !has_slot(c) && address_is_dynamic(t, address);
}

/* The client has another address, and keeps it. */
static bool is_elsewhere(const struct dhcp4_leases *t, const struct dhcp4_who *who,
			 struct in_addr address)
{
	const struct client *c = client_find(t, &who->mac);

	return c && c->main && lease_is_bound(c->main) && c->main->address.s_addr != address.s_addr &&
		fits(t, who, c->main->address);
}

enum dhcp4_verdict dhcp4_lease_allowed(const struct dhcp4_leases *t, const struct dhcp4_who *who,
				       struct in_addr address)
{
	if (!fits(t, who, address) || is_elsewhere(t, who, address))
		return DHCP4_REFUSED;
	return needs_quota(t, who, address) && !quota_left(t) ? DHCP4_QUOTA : DHCP4_OK;
}

/* SDBM over the MAC's bytes, mixed so that neighbours spread over a small pool too. */
static size_t mac_hash(const struct nd_mac *mac)
{
	uint32_t h = 0;

	for (size_t i = 0; i < sizeof(mac->bytes); i++)
		h = mac->bytes[i] + (h << 6) + (h << 16) - h;
	h ^= h >> 15;
	return h;
}

/* An address that the client has no claim to. */
static enum dhcp4_verdict choose_any(struct dhcp4_leases *t, const struct dhcp4_who *who,
				     struct in_addr *out)
{
	size_t size = dhcp4_pool_size(t->pool), index;

	index = dhcp4_pool_find_untaken(t->pool, mac_hash(&who->mac) % size);
	if (index != DHCP4_POOL_NONE)
		*out = dhcp4_pool_address(t->pool, index);
	else if (!TAILQ_EMPTY(&t->past))
		*out = TAILQ_FIRST(&t->past)->address;
	else if (!TAILQ_EMPTY(&t->offers) && dhcp4_leases_is_plugged(t, &who->mac))
		*out = TAILQ_FIRST(&t->offers)->address;
	else
		return DHCP4_REFUSED;
	return DHCP4_OK;
}

enum dhcp4_verdict dhcp4_lease_choose(struct dhcp4_leases *t, const struct dhcp4_who *who,
				      struct in_addr requested, struct in_addr *out)
{
	const struct client *c = client_find(t, &who->mac);
	const struct lease *had[2] = { c ? c->main : NULL, c ? c->other : NULL };

	if (host_usable(t, who)) {
		*out = who->host->address;
		return DHCP4_OK;
	}
	if (dhcp4_pool_size(t->pool) == 0)
		return DHCP4_REFUSED;
	for (int i = 0; i < 2; i++)
		if (had[i] && lease_is_active(had[i]) && fits(t, who, had[i]->address)) {
			*out = had[i]->address;
			return DHCP4_OK;
		}
	if (!(c && c->plugged) && !has_slot(c) && !quota_left(t)) {
		if (!quota_make_room(t))
			return DHCP4_QUOTA;
		c = client_find(t, &who->mac);
		had[0] = c ? c->main : NULL;
	}
	if (had[0] && fits(t, who, had[0]->address))
		*out = had[0]->address;
	else if (requested.s_addr && fits(t, who, requested))
		*out = requested;
	else
		return choose_any(t, who, out);
	return DHCP4_OK;
}

uint32_t dhcp4_lease_time_s(const struct dhcp4_leases *t, const struct dhcp4_who *who,
			    struct in_addr address)
{
	size_t index = dhcp4_pool_index(t->pool, address);
	uint32_t time_s = 0;

	if (who->host && who->host->address.s_addr == address.s_addr)
		time_s = who->host->lease_time_s;
	if (!time_s && index != DHCP4_POOL_NONE)
		time_s = dhcp4_pool_lease_time_s(t->pool, index);
	if (!time_s)
		time_s = t->config->lease_time_s;
	return time_s ? time_s : DHCP_LEASE_TIME_DEFAULT_S;
}
