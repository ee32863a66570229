/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/daemon/lease_cache.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "netd/base/hash.h"

/* A lease as long as its texts, not as long as they could be. */
struct entry {
	struct nd_ip ip;		/* its bytes are the key */
	struct nd_mac mac;
	uint8_t prefix_len, client_id_len;
	uint32_t iaid, round;		/* the last whole list that it was in */
	uint64_t expiry_s;
	char text[];			/* host name with its NUL, then the client-id */
};

struct lease_cache {
	struct nd_hash *by_ip;
	uint32_t round;
};

struct lease_cache *lease_cache_new(void)
{
	struct lease_cache *c = calloc(1, sizeof(*c));

	if (c)
		c->by_ip = nd_hash_new();
	if (c && !c->by_ip) {
		free(c);
		return NULL;
	}
	return c;
}

void lease_cache_free(struct lease_cache *c)
{
	struct entry *e;
	size_t pos = 0;

	if (!c)
		return;
	while ((e = nd_hash_next(c->by_ip, &pos)))
		free(e);
	nd_hash_free(c->by_ip);
	free(c);
}

static struct entry *entry_find(const struct lease_cache *c, const struct nd_ip *ip)
{
	size_t len;
	const uint8_t *key = nd_ip_bytes(ip, &len);

	return nd_hash_find(c->by_ip, key, len);
}

static struct entry *entry_new(const struct serve_lease *l)
{
	size_t name = strlen(l->hostname) + 1;
	struct entry *e = malloc(sizeof(*e) + name + l->client_id_len);

	if (!e)
		return NULL;
	memset(e, 0, sizeof(*e));
	e->ip = l->ip;
	e->mac = l->mac;
	e->prefix_len = l->prefix_len;
	e->iaid = l->iaid;
	e->expiry_s = l->expiry_s;
	e->client_id_len = l->client_id_len;
	memcpy(e->text, l->hostname, name);
	memcpy(e->text + name, l->client_id, l->client_id_len);
	return e;
}

static void entry_show(const struct entry *e, struct serve_lease *out)
{
	memset(out, 0, sizeof(*out));
	out->mac = e->mac;
	out->ip = e->ip;
	out->prefix_len = e->prefix_len;
	out->expiry_s = e->expiry_s;
	out->iaid = e->iaid;
	out->client_id_len = e->client_id_len;
	strcpy(out->hostname, e->text);
	memcpy(out->client_id, e->text + strlen(e->text) + 1, e->client_id_len);
}

static void tell(lease_cache_changed changed, void *arg, enum serve_lease_change change,
		 const struct serve_lease *lease)
{
	if (changed)
		changed(arg, change, lease);
}

static void remove_entry(struct lease_cache *c, struct entry *e, lease_cache_changed changed,
			 void *arg)
{
	struct serve_lease lease;
	size_t len;
	const uint8_t *key = nd_ip_bytes(&e->ip, &len);

	entry_show(e, &lease);
	nd_hash_remove(c->by_ip, key, len);
	free(e);
	tell(changed, arg, SERVE_LEASE_REMOVED, &lease);
}

static bool entry_same(const struct entry *e, const struct serve_lease *l)
{
	struct serve_lease old;

	entry_show(e, &old);
	return nd_mac_equal(&old.mac, &l->mac) && old.expiry_s == l->expiry_s &&
	       old.iaid == l->iaid && old.prefix_len == l->prefix_len &&
	       strcmp(old.hostname, l->hostname) == 0 && old.client_id_len == l->client_id_len &&
	       memcmp(old.client_id, l->client_id, l->client_id_len) == 0;
}

static int put(struct lease_cache *c, const struct serve_lease *lease, lease_cache_changed changed,
	       void *arg)
{
	struct entry *old = entry_find(c, &lease->ip), *e;
	enum serve_lease_change change = old ? SERVE_LEASE_CHANGED : SERVE_LEASE_ADDED;
	size_t len;
	const uint8_t *key;

	if (old && entry_same(old, lease)) {
		old->round = c->round;
		return 0;
	}
	if (!old && nd_hash_count(c->by_ip) >= LEASE_CACHE_MAX)
		return -E2BIG;
	e = entry_new(lease);
	if (!e)
		return -ENOMEM;
	e->round = c->round;
	key = nd_ip_bytes(&e->ip, &len);
	if (nd_hash_set(c->by_ip, key, len, e) < 0) {
		free(e);
		return -ENOMEM;
	}
	free(old);
	tell(changed, arg, change, lease);
	return 0;
}

int lease_cache_event(struct lease_cache *c, enum serve_lease_change change,
		      const struct serve_lease *lease, lease_cache_changed changed, void *arg)
{
	struct entry *e;

	if (change != SERVE_LEASE_REMOVED)
		return put(c, lease, changed, arg);
	e = entry_find(c, &lease->ip);
	if (e)
		remove_entry(c, e, changed, arg);
	return 0;
}

/* Removal upsets the walk of a hash table: so those that were not in the list are gathered first. */
static int sweep(struct lease_cache *c, lease_cache_changed changed, void *arg)
{
	ND_AUTO(free) struct entry **old = calloc(nd_hash_count(c->by_ip) + 1, sizeof(struct entry *));
	struct entry *e;
	size_t pos = 0, n = 0;

	if (!old)
		return -ENOMEM;
	while ((e = nd_hash_next(c->by_ip, &pos)))
		if (e->round != c->round)
			old[n++] = e;
	for (size_t i = 0; i < n; i++)
		remove_entry(c, old[i], changed, arg);
	return 0;
}

int lease_cache_replace(struct lease_cache *c, struct rd *body, lease_cache_changed changed,
			void *arg)
{
	struct serve_lease lease;

	c->round++;
	while (rd_more(body)) {
		int r = serve_lease_decode(body, &lease);

		if (r == 0)
			r = put(c, &lease, changed, arg);
		if (r < 0)
			return r;
	}
	return body->bad ? -EBADMSG : sweep(c, changed, arg);
}

static int by_address(const void *a, const void *b)
{
	return nd_ip_compare(&(*(struct entry *const *)a)->ip, &(*(struct entry *const *)b)->ip);
}

size_t lease_cache_each(const struct lease_cache *c, const struct nd_mac *mac,
			void (*each)(void *arg, const struct serve_lease *lease), void *arg)
{
	ND_AUTO(free) struct entry **list = calloc(nd_hash_count(c->by_ip) + 1, sizeof(struct entry *));
	struct serve_lease lease;
	struct entry *e;
	size_t pos = 0, n = 0;

	if (!list)
		return 0;
	while ((e = nd_hash_next(c->by_ip, &pos)))
		if (!mac || nd_mac_equal(&e->mac, mac))
			list[n++] = e;
	qsort(list, n, sizeof(struct entry *), by_address);
	for (size_t i = 0; i < n; i++) {
		entry_show(list[i], &lease);
		each(arg, &lease);
	}
	return n;
}
