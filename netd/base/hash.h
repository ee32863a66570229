/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hash.h -- a hash table from byte strings to pointers
 *
 * Keys from guests are hashed with a random seed per table (SipHash-2-4), so that nobody can aim
 * for collisions. Open addressing, no allocation per entry; the key's bytes are borrowed and must
 * live (normally inside the value) as long as the entry.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "netd/base/auto.h"

struct nd_hash;

struct nd_hash *nd_hash_new(void);
void nd_hash_free(struct nd_hash *h);		/* NULL is fine; values are the caller's */
ND_DEFINE_AUTO(struct nd_hash *, nd_hash_free)

/* NULL when there is none. */
void *nd_hash_find(const struct nd_hash *h, const void *key, size_t key_len);
/* Replaces the value (and the borrowed key) of an equal key. 0 or -ENOMEM. */
int nd_hash_set(struct nd_hash *h, const void *key, size_t key_len, void *value);
/* The value that was there, or NULL. */
void *nd_hash_remove(struct nd_hash *h, const void *key, size_t key_len);
size_t nd_hash_count(const struct nd_hash *h);

/* Walks all values in no order: `size_t pos = 0; while ((v = nd_hash_next(h, &pos)))`.
 * The table must not change meanwhile. */
void *nd_hash_next(const struct nd_hash *h, size_t *pos);
