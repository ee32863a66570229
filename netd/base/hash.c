/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/base/hash.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

struct slot {
	const void *key;
	void *value;		/* NULL: free */
	size_t key_len;
	uint64_t hash;
};

struct nd_hash {
	struct slot *slots;
	size_t n, size;		/* size is a power of two */
	uint64_t seed[2];
};

#define ROTL(x, b) ((x) << (b) | (x) >> (64 - (b)))

static inline void sip_round(uint64_t v[4])
{
	v[0] += v[1]; v[1] = ROTL(v[1], 13); v[1] ^= v[0]; v[0] = ROTL(v[0], 32);
	v[2] += v[3]; v[3] = ROTL(v[3], 16); v[3] ^= v[2];
	v[0] += v[3]; v[3] = ROTL(v[3], 21); v[3] ^= v[0];
	v[2] += v[1]; v[1] = ROTL(v[1], 17); v[1] ^= v[2]; v[2] = ROTL(v[2], 32);
}

/* SipHash-2-4 (Aumasson and Bernstein, 2012). */
static uint64_t siphash(const uint64_t seed[2], const uint8_t *in, size_t len)
{
	uint64_t v[4] = { seed[0] ^ 0x736f6d6570736575, seed[1] ^ 0x646f72616e646f6d,
			  seed[0] ^ 0x6c7967656e657261, seed[1] ^ 0x7465646279746573 };
	uint64_t last = (uint64_t)len << 56, m;

	for (; len >= 8; len -= 8, in += 8) {
		memcpy(&m, in, 8);
		v[3] ^= m;
		sip_round(v);
		sip_round(v);
		v[0] ^= m;
	}
	for (size_t i = 0; i < len; i++)
		last |= (uint64_t)in[i] << (8 * i);
	v[3] ^= last;
	sip_round(v);
	sip_round(v);
	v[0] ^= last;
	v[2] ^= 0xff;
	for (int i = 0; i < 4; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

struct nd_hash *nd_hash_new(void)
{
	struct nd_hash *h = calloc(1, sizeof(*h));

	if (h && getrandom(h->seed, sizeof(h->seed), 0) != sizeof(h->seed)) {
		free(h);
		return NULL;
	}
	return h;
}

void nd_hash_free(struct nd_hash *h)
{
	if (!h)
		return;
	free(h->slots);
	free(h);
}

/* The slot that holds the key, or the free one where it would go. */
static struct slot *slot_of(const struct nd_hash *h, uint64_t hash, const void *key, size_t key_len)
{
	for (size_t i = hash & (h->size - 1);; i = (i + 1) & (h->size - 1)) {
		struct slot *s = &h->slots[i];

		if (!s->value || (s->hash == hash && s->key_len == key_len &&
				  memcmp(s->key, key, key_len) == 0))
			return s;
	}
}

static int grow(struct nd_hash *h)
{
	struct nd_hash bigger = *h;

	bigger.size = h->size ? h->size * 2 : 8;
	bigger.slots = calloc(bigger.size, sizeof(*bigger.slots));
	if (!bigger.slots)
		return -ENOMEM;
	for (size_t i = 0; i < h->size; i++)
		if (h->slots[i].value)
			*slot_of(&bigger, h->slots[i].hash, h->slots[i].key, h->slots[i].key_len) =
				h->slots[i];
	free(h->slots);
	*h = bigger;
	return 0;
}

void *nd_hash_find(const struct nd_hash *h, const void *key, size_t key_len)
{
	if (!h->size)
		return NULL;
	return slot_of(h, siphash(h->seed, key, key_len), key, key_len)->value;
}

int nd_hash_set(struct nd_hash *h, const void *key, size_t key_len, void *value)
{
	uint64_t hash = siphash(h->seed, key, key_len);
	struct slot *s;

	if ((h->n + 1) * 4 > h->size * 3 && grow(h) < 0)
		return -ENOMEM;
	s = slot_of(h, hash, key, key_len);
	if (!s->value)
		h->n++;
	*s = (struct slot){ key, value, key_len, hash };
	return 0;
}

void *nd_hash_remove(struct nd_hash *h, const void *key, size_t key_len)
{
	struct slot *s;
	size_t hole, mask = h->size - 1;
	void *value;

	if (!h->size)
		return NULL;
	s = slot_of(h, siphash(h->seed, key, key_len), key, key_len);
	value = s->value;
	if (!value)
		return NULL;
	h->n--;
	/* Move later entries of the run back, so that no search stops at the hole. */
	hole = (size_t)(s - h->slots);
	for (size_t i = (hole + 1) & mask; h->slots[i].value; i = (i + 1) & mask) {
		size_t home = h->slots[i].hash & mask;

		if (((i - home) & mask) >= ((i - hole) & mask)) {
			h->slots[hole] = h->slots[i];
			hole = i;
		}
	}
	h->slots[hole].value = NULL;
	return value;
}

size_t nd_hash_count(const struct nd_hash *h)
{
	return h->n;
}

void *nd_hash_next(const struct nd_hash *h, size_t *pos)
{
	while (*pos < h->size) {
		void *value = h->slots[(*pos)++].value;

		if (value)
			return value;
	}
	return NULL;
}
