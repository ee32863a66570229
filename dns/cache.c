/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dns/cache.h"

#include <stdlib.h>

#include "netd/base/hash.h"

#define ENTRY_MAX 8192		/* bytes of one body */
#define SLOT_BYTES 64		/* what an entry costs in the hash table, at its fullest */

struct entry {
	struct entry *newer, *older;	/* by last use */
	uint64_t stored_ms, expires_ms;
	uint32_t size;			/* all that it takes */
	uint16_t n_answers, n_authority;
	uint16_t body_len;
	uint16_t key_len;
	uint8_t rcode;
	uint8_t bytes[];		/* key, body */
};

struct dns_cache {
	struct nd_hash *entries;
	struct entry *newest, *oldest;
	size_t bytes, max_bytes;
};

struct dns_cache *dns_cache_new(size_t max_bytes)
{
	struct dns_cache *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->max_bytes = max_bytes;
	c->entries = nd_hash_new();
	if (!c->entries) {
		free(c);
		return NULL;
	}
	return c;
}

void dns_cache_free(struct dns_cache *c)
{
	if (!c)
		return;
	dns_cache_clear(c);
	nd_hash_free(c->entries);
	free(c);
}

static void unlink_entry(struct dns_cache *c, struct entry *e)
{
	*(e->newer ? &e->newer->older : &c->newest) = e->older;
	*(e->older ? &e->older->newer : &c->oldest) = e->newer;
}

static void link_newest(struct dns_cache *c, struct entry *e)
{
	e->newer = NULL;
	e->older = c->newest;
	*(c->newest ? &c->newest->newer : &c->oldest) = e;
	c->newest = e;
}

static void drop(struct dns_cache *c, struct entry *e)
{
	unlink_entry(c, e);
	nd_hash_remove(c->entries, e->bytes, e->key_len);
	c->bytes -= e->size;
	free(e);
}

bool dns_cache_find(struct dns_cache *c, const struct dns_question *q, uint64_t now_ms,
		    struct dns_body *out)
{
	uint8_t key[DNS_KEY_MAX];
	size_t key_len = dns_question_key(q, key);
	struct entry *e = nd_hash_find(c->entries, key, key_len);

	if (!e)
		return false;
	if (now_ms >= e->expires_ms) {
		drop(c, e);
		return false;
	}
	if (e != c->newest) {
		unlink_entry(c, e);
		link_newest(c, e);
	}
	*out = (struct dns_body){ .rcode = e->rcode,
				  .n_answers = e->n_answers, .n_authority = e->n_authority,
				  .wire = e->bytes + e->key_len, .len = e->body_len,
				  .age_s = (uint32_t)((now_ms - e->stored_ms) / 1000) };
	return true;
}

void dns_cache_add(struct dns_cache *c, const struct dns_question *q,
		   const struct dns_response *response, const uint8_t *body, uint64_t now_ms)
{
	uint8_t key[DNS_KEY_MAX];
	size_t key_len = dns_question_key(q, key), size;
	struct entry *e;

	size = sizeof(*e) + key_len + response->len + SLOT_BYTES;
	if (response->ttl_s == 0 || response->len > ENTRY_MAX || size > c->max_bytes)
		return;
	e = nd_hash_find(c->entries, key, key_len);
	if (e)
		drop(c, e);
	while (c->bytes + size > c->max_bytes)
		drop(c, c->oldest);
	e = malloc(sizeof(*e) + key_len + response->len);
	if (!e)
		return;
	*e = (struct entry){ .stored_ms = now_ms,
			     .expires_ms = now_ms + (uint64_t)response->ttl_s * 1000,
			     .size = (uint32_t)size, .rcode = response->rcode,
			     .n_answers = response->n_answers,
			     .n_authority = response->n_authority,
			     .body_len = (uint16_t)response->len, .key_len = (uint16_t)key_len };
	memcpy(e->bytes, key, key_len);
	memcpy(e->bytes + key_len, body, response->len);
	if (nd_hash_set(c->entries, e->bytes, e->key_len, e) < 0) {
		free(e);
		return;
	}
	link_newest(c, e);
	c->bytes += size;
}

void dns_cache_clear(struct dns_cache *c)
{
	while (c->oldest)
		drop(c, c->oldest);
}

size_t dns_cache_entries(const struct dns_cache *c)
{
	return nd_hash_count(c->entries);
}

size_t dns_cache_bytes(const struct dns_cache *c)
{
	return c->bytes;
}
