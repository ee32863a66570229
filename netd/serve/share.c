/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/serve/share.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* A booting guest sends a handful of frames; a whole rack of them boots behind one stranger's
 * bucket at worst. */
#define BURST 20u
#define PER_SECOND 20u
#define STRANGERS 512u			/* buckets, a power of two: 4 KiB */

struct bucket {
	uint32_t at_ms;			/* when it was last filled; wraps, which is harmless */
	uint32_t milli_tokens;
};

struct port {
	struct nd_mac mac;
	struct bucket bucket;
};

struct share {
	uint64_t seed;
	struct port *ports;		/* sorted by MAC */
	size_t n_ports;
	struct bucket strangers[STRANGERS];
};

struct share *share_new(void)
{
	struct share *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	if (getrandom(&s->seed, sizeof(s->seed), 0) != sizeof(s->seed)) {
		free(s);
		return NULL;
	}
	s->seed |= 1;
	return s;
}

void share_free(struct share *s)
{
	if (!s)
		return;
	free(s->ports);
	free(s);
}

static int port_compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct nd_mac));	/* the MAC comes first */
}

int share_set_ports(struct share *s, const struct nd_mac *macs, size_t n)
{
	struct port *ports = calloc(n ? n : 1, sizeof(*ports));

	if (!ports)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		ports[i] = (struct port){ .mac = macs[i], .bucket.milli_tokens = BURST * 1000 };
	qsort(ports, n, sizeof(*ports), port_compare);
	free(s->ports);
	s->ports = ports;
	s->n_ports = n;
	return 0;
}

static bool bucket_take(struct bucket *b, uint32_t now_ms)
{
	uint32_t passed_ms = now_ms - b->at_ms;
	uint64_t tokens = b->milli_tokens + (uint64_t)passed_ms * PER_SECOND;

	b->at_ms = now_ms;
	b->milli_tokens = tokens > BURST * 1000 ? BURST * 1000 : (uint32_t)tokens;
	if (b->milli_tokens < 1000)
		return false;
	b->milli_tokens -= 1000;
	return true;
}

enum share_of share_take(struct share *s, const struct nd_mac *mac, uint64_t now_ms)
{
	struct port *port = s->n_ports ? bsearch(mac, s->ports, s->n_ports, sizeof(*s->ports),
						 port_compare) : NULL;
	uint64_t key = 0;

	if (port)
		return bucket_take(&port->bucket, (uint32_t)now_ms) ? SHARE_GUEST : SHARE_NONE;
	memcpy(&key, mac->bytes, sizeof(mac->bytes));
	/* Multiplication by a secret odd number: good enough that a guest cannot aim at another's
	 * bucket without seeing the answers to thousands of tries. */
	return bucket_take(&s->strangers[key * s->seed >> 55], (uint32_t)now_ms) ? SHARE_STRANGERS :
		SHARE_NONE;
}
