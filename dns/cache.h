/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cache.h -- answers of upstreams, kept while their TTLs last, in bounded memory
 *
 * Both "yes" and "no" (RFC 2308). The least recently used answer makes room for a new one.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dns/message.h"
#include "dns/response.h"

struct dns_cache;

/* NULL when memory runs out. */
struct dns_cache *dns_cache_new(size_t max_bytes);
void dns_cache_free(struct dns_cache *c);	/* NULL is fine */

/* True when there is a live answer; *out (rcode, counts, records, age) then borrows from the
 * cache until it next changes. */
bool dns_cache_find(struct dns_cache *c, const struct dns_question *q, uint64_t now_ms,
		    struct dns_body *out);

/* Keeps an answer for response->ttl_s; body has response->len bytes. One that is not cacheable,
 * too large, or finds no memory is left out. */
void dns_cache_add(struct dns_cache *c, const struct dns_question *q,
		   const struct dns_response *response, const uint8_t *body, uint64_t now_ms);

/* Forgets everything, when the upstreams changed. */
void dns_cache_clear(struct dns_cache *c);

size_t dns_cache_entries(const struct dns_cache *c);
size_t dns_cache_bytes(const struct dns_cache *c);
