/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dhcp/dhcp4_lease.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dhcp/dhcp4_lease_private.h"
#include "dhcp/hostname.h"

/* --- the heap of what expires --- */

static void heap_put(struct dhcp4_leases *t, size_t at, struct lease *l)
{
	t->heap[at] = l;
	l->heap_at = at;
}

static void heap_sift(struct dhcp4_leases *t, size_t at)
{
	struct lease *l = t->heap[at];

	while (at > 0 && t->heap[(at - 1) / 2]->expires_ms > l->expires_ms) {
		heap_put(t, at, t->heap[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
	for (;;) {
		size_t child = 2 * at + 1;

		if (child + 1 < t->n_heap &&
		    t->heap[child + 1]->expires_ms < t->heap[child]->expires_ms)
			child++;
		if (child >= t->n_heap || t->heap[child]->expires_ms >= l->expires_ms)
			break;
		heap_put(t, at, t->heap[child]);
		at = child;
	}
	heap_put(t, at, l);
}

static void heap_remove(struct dhcp4_leases *t, struct lease *l)
{
	size_t at = l->heap_at;
	struct lease *last;

	if (at == HEAP_NONE)
		return;
	l->heap_at = HEAP_NONE;
	last = t->heap[--t->n_heap];
	if (last == l)
		return;
	heap_put(t, at, last);
	heap_sift(t, at);
}

/* Room for one more was made when the lease was. */
static void heap_add(struct dhcp4_leases *t, struct lease *l)
{
	heap_put(t, t->n_heap++, l);
	heap_sift(t, l->heap_at);
}

static bool heap_reserve(struct dhcp4_leases *t, size_t n)
{
	size_t size = t->heap_size ? t->heap_size : 16;
	struct lease **heap;

	while (size < n)
		size *= 2;
	if (size == t->heap_size)
		return true;
	heap = reallocarray(t->heap, size, sizeof(struct lease *));
	if (!heap)
		return false;
	t->heap = heap;
	t->heap_size = size;
	return true;
}

/* --- clients --- */

struct client *client_find(const struct dhcp4_leases *t, const struct nd_mac *mac)
{
	return nd_hash_find(t->clients, mac->bytes, sizeof(mac->bytes));
}

static bool needs_pool(const struct dhcp4_leases *t, const struct client *c)
{
	if (!c->plugged || dhcp4_hosts_has_mac(t->hosts, &c->mac))
		return false;
	return !(c->main && lease_is_active(c->main)) && !c->other;
}

void client_recount(struct dhcp4_leases *t, struct client *c)
{
	bool waiting = needs_pool(t, c);

	if (waiting != c->waiting)
		t->n_waiting += waiting ? 1 : (size_t)-1;
	c->waiting = waiting;
}

struct client *client_get(struct dhcp4_leases *t, const struct nd_mac *mac)
{
	struct client *c = client_find(t, mac);

	if (c || !(c = calloc(1, sizeof(*c))))
		return c;
	c->mac = *mac;
	if (nd_hash_set(t->clients, c->mac.bytes, sizeof(c->mac.bytes), c) < 0) {
		free(c);
		return NULL;
	}
	return c;
}

void client_drop_unused(struct dhcp4_leases *t, struct client *c)
{
	if (c->plugged || c->main || c->other || c->left || c->n_declined)
		return;
	nd_hash_remove(t->clients, c->mac.bytes, sizeof(c->mac.bytes));
	free(c);
}

/* --- labels and names --- */

void labels_free(struct labels *labels)
{
	free(labels->client_id);
	free(labels->name);
	memset(labels, 0, sizeof(*labels));
}

bool labels_set(struct labels *labels, const uint8_t *client_id, size_t client_id_len,
		const char *name, bool name_configured)
{
	struct labels l = { .client_id_len = client_id_len, .name_configured = name_configured };

	if (client_id_len) {
		l.client_id = malloc(client_id_len);
		if (l.client_id)
			memcpy(l.client_id, client_id, client_id_len);
	}
	if (name[0]) {
		size_t size = strnlen(name, HOSTNAME_SIZE - 1) + 1;

		l.name = calloc(2, size);
		if (l.name) {
			memcpy(l.name, name, size - 1);
			hostname_lower(l.name, l.name + size);
			l.name_lower = l.name + size;
		}
	}
	if ((client_id_len && !l.client_id) || (name[0] && !l.name)) {
		labels_free(&l);
		return false;
	}
	labels_free(labels);
	*labels = l;
	return true;
}

void name_register(struct dhcp4_leases *t, struct lease *l)
{
	/* Without memory the name is not taken over from the next one that claims it. */
	if (l->is.name)
		(void)nd_hash_set(t->by_name, l->is.name_lower, strlen(l->is.name_lower), l);
}

void name_unregister(struct dhcp4_leases *t, struct lease *l)
{
	if (l->is.name &&
	    nd_hash_find(t->by_name, l->is.name_lower, strlen(l->is.name_lower)) == l)
		nd_hash_remove(t->by_name, l->is.name_lower, strlen(l->is.name_lower));
}

/* --- leases --- */

struct lease *lease_at(const struct dhcp4_leases *t, struct in_addr address)
{
	return nd_hash_find(t->by_address, &address, sizeof(address));
}

/* Takes the lease out of the lists and counts that depend on its state. */
static void lease_uncount(struct dhcp4_leases *t, struct lease *l)
{
	if (l->listed && l->state == DHCP4_LEASE_PAST) {
		TAILQ_REMOVE(&t->past, l, link);
		t->n_past--;
	} else if (l->listed) {
		TAILQ_REMOVE(&t->offers, l, link);
	}
	l->listed = false;
	t->n_unknown -= l->unknown;
	l->unknown = false;
	heap_remove(t, l);
}

static void lease_count(struct dhcp4_leases *t, struct lease *l)
{
	bool dynamic = address_is_dynamic(t, l->address);

	if (l->state == DHCP4_LEASE_PAST && dynamic && !address_is_avoided(l->address)) {
		TAILQ_INSERT_TAIL(&t->past, l, link);
		t->n_past++;
		l->listed = true;
	} else if (l->state == DHCP4_LEASE_OFFERED && dynamic && !l->client->plugged) {
		TAILQ_INSERT_TAIL(&t->offers, l, link);
		l->listed = true;
	}
	l->unknown = dynamic && lease_is_active(l) && !l->client->plugged;
	t->n_unknown += l->unknown;
	if (lease_is_active(l) && l->state != DHCP4_LEASE_PENDING &&
	    l->expires_ms != LEASE_NEVER_MS)
		heap_add(t, l);
}

/* The bitmap's bit: an address that is recorded, reserved or avoided is not chosen blindly. */
static void mark_address(struct dhcp4_leases *t, struct in_addr address)
{
	size_t index = dhcp4_pool_index(t->pool, address);

	if (index != DHCP4_POOL_NONE)
		dhcp4_pool_set_taken(t->pool, index, lease_at(t, address) ||
				     !address_is_dynamic(t, address) || address_is_avoided(address));
}

struct lease *lease_new(struct dhcp4_leases *t, struct client *c, struct in_addr address)
{
	struct lease *l;

	if (!heap_reserve(t, nd_hash_count(t->by_address) + 1) || !(l = calloc(1, sizeof(*l))))
		return NULL;
	l->address = address;
	l->client = c;
	l->before = NOT_BEFORE;
	l->heap_at = HEAP_NONE;
	if (nd_hash_set(t->by_address, &l->address, sizeof(l->address), l) < 0) {
		free(l);
		return NULL;
	}
	mark_address(t, address);
	lease_count(t, l);
	return l;
}

void lease_enter(struct dhcp4_leases *t, struct lease *l, enum dhcp4_lease_state state,
		 uint64_t expires_ms)
{
	lease_uncount(t, l);
	l->state = state;
	l->expires_ms = expires_ms;
	lease_count(t, l);
	client_recount(t, l->client);
}

void lease_forget(struct dhcp4_leases *t, struct lease *l)
{
	struct client *c = l->client;

	lease_uncount(t, l);
	name_unregister(t, l);
	nd_hash_remove(t->by_address, &l->address, sizeof(l->address));
	mark_address(t, l->address);
	if (l->state == DHCP4_LEASE_DECLINED)
		c->n_declined--;
	if (c->main == l) {
		c->main = c->other;
		c->other = NULL;
	} else if (c->other == l) {
		c->other = NULL;
	} else if (c->left == l) {
		c->left = NULL;
	}
	labels_free(&l->is);
	labels_free(&l->asked);
	free(l);
	client_recount(t, c);
	client_drop_unused(t, c);
}

void lease_info(const struct lease *l, struct dhcp4_lease_info *out)
{
	*out = (struct dhcp4_lease_info){
		.address = l->address,
		.mac = l->client->mac,
		.client_id = l->is.client_id,
		.client_id_len = l->is.client_id_len,
		.hostname = l->is.name ? l->is.name : "",
		.hostname_configured = l->is.name_configured,
		.expires_ms = l->state == DHCP4_LEASE_PENDING ? l->before_expires_ms : l->expires_ms,
	};
}

/* The row of a lease in one of the states that rows have. LEFT's is as it was when it was BOUND: of a
 * client's two, the one that started later is where it is now. */
static enum lease_row_state row_state(enum dhcp4_lease_state state)
{
	return state == DHCP4_LEASE_PAST ? LEASE_ROW_RELEASED :
		state == DHCP4_LEASE_DECLINED ? LEASE_ROW_DECLINED : LEASE_ROW_BOUND;
}

static struct lease_row lease_row(const struct lease *l, enum lease_row_state state,
				  const struct labels *labels)
{
	struct lease_row row = {
		.address = l->address,
		.mac = l->client->mac,
		.state = state,
		.plugged = l->client->plugged,
		.name_configured = labels->name_configured,
		.client_id_len = labels->client_id_len,
		.start_ms = l->start_ms,
		.expires_ms = l->expires_ms,
	};

	if (labels->client_id)
		memcpy(row.client_id, labels->client_id, labels->client_id_len);
	if (labels->name)
		memcpy(row.hostname, labels->name, strlen(labels->name) + 1);
	return row;
}

bool lease_store(struct dhcp4_leases *t, struct lease *l, enum lease_row_state state,
		 const struct labels *labels, uint64_t ticket)
{
	struct lease_row row = lease_row(l, state, labels);

	if (!t->hooks.store(t->hooks.ctx, &row, ticket))
		return false;
	l->stored = state != LEASE_ROW_GONE;
	return true;
}

void dhcp4_leases_rows(struct dhcp4_leases *t, void (*put)(void *arg, const struct lease_row *row),
		       void *arg)
{
	struct lease_row row;
	struct lease *l;

	for (size_t pos = 0; (l = nd_hash_next(t->by_address, &pos));) {
		enum dhcp4_lease_state state = l->state;
		bool before = state == DHCP4_LEASE_PENDING || state == DHCP4_LEASE_OFFERED;

		/* What is on the way is not there yet. */
		if (before)
			state = l->before;
		l->stored = state != NOT_BEFORE;
		if (!l->stored)
			continue;
		row = lease_row(l, row_state(state), &l->is);
		if (before) {
			row.start_ms = l->before_start_ms;
			row.expires_ms = l->before_expires_ms;
		}
		put(arg, &row);
	}
}

void lease_event(struct dhcp4_leases *t, const struct lease *l, enum dhcp4_event event)
{
	struct dhcp4_lease_info info;

	if (!t->hooks.event)
		return;
	lease_info(l, &info);
	t->hooks.event(t->hooks.ctx, event, &info);
}

/* --- the table --- */

struct dhcp4_leases *dhcp4_leases_new(const struct dhcp_config *config,
				      const struct dhcp4_lease_hooks *hooks)
{
	ND_AUTO(dhcp4_leases_free) struct dhcp4_leases *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->hooks = *hooks;
	TAILQ_INIT(&t->past);
	TAILQ_INIT(&t->offers);
	t->clients = nd_hash_new();
	t->by_address = nd_hash_new();
	t->by_name = nd_hash_new();
	if (!t->clients || !t->by_address || !t->by_name || !heap_reserve(t, 1) ||
	    dhcp4_leases_configure(t, config) < 0)
		return NULL;
	return nd_take_ptr(&t);
}

void dhcp4_leases_free(struct dhcp4_leases *t)
{
	struct client *c;
	struct lease *l;

	if (!t)
		return;
	for (size_t pos = 0; t->by_address && (l = nd_hash_next(t->by_address, &pos));) {
		labels_free(&l->is);
		labels_free(&l->asked);
		free(l);
	}
	for (size_t pos = 0; t->clients && (c = nd_hash_next(t->clients, &pos));)
		free(c);
	nd_hash_free(t->clients);
	nd_hash_free(t->by_address);
	nd_hash_free(t->by_name);
	dhcp4_hosts_free(t->hosts);
	dhcp4_pool_free(t->pool);
	free(t->heap);
	free(t);
}

/* Marks what no client may be given without a record saying so. */
static void mark_all(struct dhcp4_leases *t)
{
	size_t size = dhcp4_pool_size(t->pool);

	for (size_t i = 0; i < t->config->n_reservations; i++)
		mark_address(t, t->config->reservations[i].address);
	mark_address(t, t->config->server);
	mark_address(t, t->config->router);
	for (size_t i = 0; i < size; i++) {
		struct in_addr a = dhcp4_pool_address(t->pool, i);

		if ((ntohl(a.s_addr) + 1) % 256 <= 1 || !dhcp4_host_address(t->config, a))
			mark_address(t, a);
	}
}

int dhcp4_leases_configure(struct dhcp4_leases *t, const struct dhcp_config *config)
{
	struct dhcp4_hosts *hosts = dhcp4_hosts_new(config);
	struct dhcp4_pool *pool = dhcp4_pool_new(config);
	struct client *c;
	struct lease *l;

	if (!hosts || !pool) {
		dhcp4_hosts_free(hosts);
		dhcp4_pool_free(pool);
		return -ENOMEM;
	}
	/* Counts depend on the configuration: out by the old one, in by the new. */
	for (size_t pos = 0; (l = nd_hash_next(t->by_address, &pos));)
		lease_uncount(t, l);
	dhcp4_hosts_free(t->hosts);
	dhcp4_pool_free(t->pool);
	t->hosts = hosts;
	t->pool = pool;
	t->config = config;
	mark_all(t);
	for (size_t pos = 0; (l = nd_hash_next(t->by_address, &pos));) {
		mark_address(t, l->address);
		lease_count(t, l);
	}
	for (size_t pos = 0; (c = nd_hash_next(t->clients, &pos));)
		client_recount(t, c);
	return 0;
}

const struct dhcp4_hosts *dhcp4_leases_hosts(const struct dhcp4_leases *t)
{
	return t->hosts;
}

bool dhcp4_leases_is_plugged(const struct dhcp4_leases *t, const struct nd_mac *mac)
{
	const struct client *c = client_find(t, mac);

	return c && c->plugged;
}

void dhcp4_leases_each(const struct dhcp4_leases *t,
		       void (*each)(void *ctx, const struct dhcp4_lease_info *lease), void *ctx)
{
	struct dhcp4_lease_info info;
	const struct lease *l;

	for (size_t pos = 0; (l = nd_hash_next(t->by_address, &pos));) {
		if (!lease_is_bound(l))
			continue;
		lease_info(l, &info);
		each(ctx, &info);
	}
}

bool dhcp4_lease_find(const struct dhcp4_leases *t, struct in_addr address,
		      struct dhcp4_lease_info *out)
{
	const struct lease *l = lease_at(t, address);

	if (!l || !lease_is_bound(l))
		return false;
	lease_info(l, out);
	return true;
}

size_t dhcp4_leases_count(const struct dhcp4_leases *t)
{
	return nd_hash_count(t->by_address);
}

bool dhcp4_lease_of(const struct dhcp4_leases *t, const struct nd_mac *mac,
		    struct dhcp4_lease_info *out)
{
	const struct client *c = client_find(t, mac);

	if (!c || !c->main || !lease_is_bound(c->main))
		return false;
	lease_info(c->main, out);
	return true;
}
