/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dns/sieve.h"

#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <string.h>

#define QUERIES_PER_TICK 256	/* of all clients in the sieve together: a quarter of a processor */
#define SHIFT_MAX 12

static struct dns_sieve_client *find(struct dns_sieve *s, const struct nd_ip *client)
{
	for (unsigned i = 0; i < s->n; i++)
		if (nd_ip_equal(&s->clients[i].ip, client))
			return &s->clients[i];
	return NULL;
}

void dns_sieve_add(struct dns_sieve *s, const struct nd_ip *client, uint64_t now_ms)
{
	if (s->n == DNS_SIEVE_CLIENTS || find(s, client))
		return;
	if (!s->n)
		s->turned_ms = now_ms;
	s->clients[s->n++] = (struct dns_sieve_client){ .ip = *client, .seen = 1 };
}

void dns_sieve_seen(struct dns_sieve *s, const struct nd_ip *client)
{
	struct dns_sieve_client *c = find(s, client);

	if (c)
		c->seen++;
}

uint64_t dns_sieve_next_ms(const struct dns_sieve *s)
{
	return s->n ? s->turned_ms + DNS_SIEVE_TICK_MS : UINT64_MAX;
}

/* True when its part is another one now. */
static bool client_turn(struct dns_sieve_client *c, bool queued, unsigned ticks, unsigned wanted)
{
	unsigned seen = c->seen / ticks;
	uint8_t before = c->shift;

	c->seen = 0;
	for (; seen > wanted && c->shift < SHIFT_MAX; seen /= 2)
		c->shift++;
	/* A server that hardly gets a processor sees little of the flood: its queue tells. */
	if (queued && c->shift == before && c->shift < SHIFT_MAX)
		c->shift++;
	for (; !queued && seen < wanted / 4 && c->shift > 0 && ticks > 0; ticks--, seen *= 2)
		c->shift--;
	return c->shift != before;
}

bool dns_sieve_turn(struct dns_sieve *s, bool queued, uint64_t now_ms)
{
	unsigned wanted = s->n ? QUERIES_PER_TICK / s->n : 0, kept = 0;
	bool changed = false;

	if (now_ms < dns_sieve_next_ms(s))
		return false;
	for (unsigned i = 0; i < s->n; i++) {
		uint64_t ticks = (now_ms - s->turned_ms) / DNS_SIEVE_TICK_MS;

		changed |= client_turn(&s->clients[i], queued,
				       ticks < 1000 ? (unsigned)ticks : 1000, wanted);
		if (s->clients[i].shift > 0)
			s->clients[kept++] = s->clients[i];
	}
	s->n = kept;
	s->turned_ms = now_ms;
	return changed;
}

static size_t put(struct sock_filter *to, size_t n, uint16_t what, uint32_t k, uint8_t yes, uint8_t no)
{
	to[n] = (struct sock_filter){ what, yes, no, k };
	return n + 1;
}

/* Lets a part of this client's packets through; others fall out at its end. With IPv4 the address
 * is loaded already, and still is then. */
static size_t put_client(struct sock_filter *to, size_t n, const struct dns_sieve_client *c)
{
	size_t words = c->ip.family == AF_INET ? 1 : 4;
	uint32_t from = SKF_NET_OFF + (uint32_t)offsetof(struct ip6_hdr, ip6_src);
	uint32_t word[4] = { 0 };
	size_t len;
	const uint8_t *bytes = nd_ip_bytes(&c->ip, &len);

	memcpy(word, bytes, len);
	for (size_t i = 0; i < words; i++) {
		size_t left = 4 + 2 * (words - 1 - i);	/* instructions behind the comparison */

		if (words > 1)
			n = put(to, n, BPF_LD | BPF_W | BPF_ABS, from + 4 * (uint32_t)i, 0, 0);
		n = put(to, n, BPF_JMP | BPF_JEQ | BPF_K, ntohl(word[i]), 0, (uint8_t)left);
	}
	n = put(to, n, BPF_LD | BPF_W | BPF_ABS, (uint32_t)SKF_AD_OFF + SKF_AD_RANDOM, 0, 0);
	n = put(to, n, BPF_JMP | BPF_JGT | BPF_K, UINT32_MAX >> c->shift, 0, 1);
	n = put(to, n, BPF_RET | BPF_K, 0, 0, 0);
	return put(to, n, BPF_RET | BPF_K, UINT32_MAX, 0, 0);
}

size_t dns_sieve_code(const struct dns_sieve *s, sa_family_t family,
		      struct sock_filter code[DNS_SIEVE_CODE_MAX])
{
	const uint32_t source4 = SKF_NET_OFF + (uint32_t)offsetof(struct iphdr, saddr);
	size_t n = 0, empty;

	if (family == AF_INET)
		n = put(code, n, BPF_LD | BPF_W | BPF_ABS, source4, 0, 0);
	empty = n;
	for (unsigned i = 0; i < s->n; i++)
		if (s->clients[i].ip.family == family && s->clients[i].shift)
			n = put_client(code, n, &s->clients[i]);
	return n == empty ? 0 : put(code, n, BPF_RET | BPF_K, UINT32_MAX, 0, 0);
}
