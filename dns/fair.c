/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dns/fair.h"

#include <stdlib.h>

#include "netd/base/hash.h"

struct dns_fair_client {
	struct nd_ip address;
	size_t bytes, active;
	struct dns_fair_item *first, *last;
	struct dns_fair_client *next, *prev;	/* the ring of those with a queue */
};

struct dns_fair {
	struct nd_hash *clients;
	struct dns_fair_client *turn;		/* in the ring; NULL: nobody waits */
	const struct dns_fair_limits *limits;
	size_t bytes, active;
};

struct dns_fair *dns_fair_new(const struct dns_fair_limits *limits)
{
	struct dns_fair *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->limits = limits;
	f->clients = nd_hash_new();
	if (!f->clients) {
		free(f);
		return NULL;
	}
	return f;
}

void dns_fair_free(struct dns_fair *f)
{
	size_t pos = 0;
	struct dns_fair_client *c;

	if (!f)
		return;
	while ((c = nd_hash_next(f->clients, &pos)))
		free(c);
	nd_hash_free(f->clients);
	free(f);
}

static struct dns_fair_client *client_get(struct dns_fair *f, const struct nd_ip *address)
{
	size_t len;
	const uint8_t *bytes = nd_ip_bytes(address, &len);
	struct dns_fair_client *c = nd_hash_find(f->clients, bytes, len);

	if (c)
		return c;
	c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	c->address = *address;
	bytes = nd_ip_bytes(&c->address, &len);
	if (nd_hash_set(f->clients, bytes, len, c) < 0) {
		free(c);
		return NULL;
	}
	return c;
}

static void client_forget(struct dns_fair *f, struct dns_fair_client *c)
{
	size_t len;
	const uint8_t *bytes = nd_ip_bytes(&c->address, &len);

	if (c->bytes)
		return;
	nd_hash_remove(f->clients, bytes, len);
	free(c);
}

/* What a client may have of something: as much as is free, and no less than always. */
static size_t share(size_t all, size_t used, size_t always)
{
	size_t left = all > used ? all - used : 0;

	return left > always ? left : always;
}

struct dns_fair_client *dns_fair_charge(struct dns_fair *f, const struct nd_ip *address,
					size_t bytes)
{
	const struct dns_fair_limits *l = f->limits;
	struct dns_fair_client *c = client_get(f, address);

	if (!c)
		return NULL;
	if (f->bytes + bytes > l->bytes_hard ||
	    c->bytes + bytes > share(l->bytes, f->bytes, l->client_bytes)) {
		client_forget(f, c);
		return NULL;
	}
	c->bytes += bytes;
	f->bytes += bytes;
	return c;
}

void dns_fair_release(struct dns_fair *f, struct dns_fair_client *client, size_t bytes)
{
	client->bytes -= bytes;
	f->bytes -= bytes;
	client_forget(f, client);
}

void dns_fair_push(struct dns_fair *f, struct dns_fair_client *client, struct dns_fair_item *item)
{
	item->client = client;
	item->queued = true;
	item->next = NULL;
	item->prev = client->last;
	*(client->last ? &client->last->next : &client->first) = item;
	client->last = item;
	if (item->prev)
		return;
	/* Its first: the client joins the ring, at the end of this round. */
	if (!f->turn) {
		f->turn = client->next = client->prev = client;
		return;
	}
	client->next = f->turn;
	client->prev = f->turn->prev;
	client->prev->next = client;
	f->turn->prev = client;
}

static void queue_remove(struct dns_fair *f, struct dns_fair_item *item)
{
	struct dns_fair_client *c = item->client;

	*(item->prev ? &item->prev->next : &c->first) = item->next;
	*(item->next ? &item->next->prev : &c->last) = item->prev;
	item->queued = false;
	if (c->first)
		return;
	if (f->turn == c)
		f->turn = c->next == c ? NULL : c->next;
	c->next->prev = c->prev;
	c->prev->next = c->next;
}

/* The next client in the ring that may have one more under way. */
static struct dns_fair_client *client_ready(const struct dns_fair *f)
{
	const struct dns_fair_limits *l = f->limits;
	struct dns_fair_client *c = f->turn;

	if (!c)
		return NULL;
	do {
		if (c->active < share(l->active, f->active, l->client_active))
			return c;
		c = c->next;
	} while (c != f->turn);
	return NULL;
}

bool dns_fair_ready(const struct dns_fair *f)
{
	return client_ready(f) != NULL;
}

struct dns_fair_item *dns_fair_next(struct dns_fair *f)
{
	struct dns_fair_client *c = client_ready(f);
	struct dns_fair_item *item;

	if (!c)
		return NULL;
	item = c->first;
	f->turn = c->next;
	queue_remove(f, item);
	item->active = true;
	c->active++;
	f->active++;
	return item;
}

void dns_fair_done(struct dns_fair *f, struct dns_fair_item *item)
{
	if (item->queued)
		queue_remove(f, item);
	if (item->active) {
		item->active = false;
		item->client->active--;
		f->active--;
	}
}
