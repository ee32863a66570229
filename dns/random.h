/* SPDX-License-Identifier: GPL-2.0-or-later */
/* random.h -- unguessable numbers for ids and letter cases, fetched many at a time */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct dns_random {
	size_t left;
	uint8_t bytes[512];
};

/* Fills out, n at most 512; aborts the process when the kernel gives no random bytes, since an id
 * that can be guessed is worse than no server. */
void dns_random_bytes(struct dns_random *r, void *out, size_t n);

static inline uint16_t dns_random_u16(struct dns_random *r)
{
	uint16_t v;

	dns_random_bytes(r, &v, sizeof(v));
	return v;
}
