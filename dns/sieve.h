/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sieve.h -- a flood is thinned out before it is queued
 *
 * The quota (quota.h) drops what was read, and that needs a processor: while the server waits for
 * one, a flood fills the socket's queue and the kernel drops everybody's queries. So clients that
 * exceed their quota are named to the kernel, in a socket filter that lets a part of their packets
 * through, at random. What is dropped there costs only the flooder's time. The part halves as long
 * as too much comes through and doubles as long as little comes: the flood's end ends it, too.
 */
#pragma once
#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "netd/base/addr.h"

#define DNS_SIEVE_CLIENTS 8
#define DNS_SIEVE_CODE_MAX (2 + DNS_SIEVE_CLIENTS * 12)
#define DNS_SIEVE_TICK_MS 10

struct dns_sieve_client {
	struct nd_ip ip;
	unsigned seen;		/* since the last turn */
	uint8_t shift;		/* one of 2^shift packets comes through */
};

struct dns_sieve {
	struct dns_sieve_client clients[DNS_SIEVE_CLIENTS];
	unsigned n;
	uint64_t turned_ms;
};

/* A client exceeded its quota; when there are too many of them already, others are watched. */
void dns_sieve_add(struct dns_sieve *s, const struct nd_ip *client, uint64_t now_ms);
/* A query came through. */
void dns_sieve_seen(struct dns_sieve *s, const struct nd_ip *client);
/* When dns_sieve_turn() is due, UINT64_MAX: not at all. */
uint64_t dns_sieve_next_ms(const struct dns_sieve *s);
/* Judges by what came through. queued: and more of it waits in the sockets' queues. True when the
 * filter is another one now. */
bool dns_sieve_turn(struct dns_sieve *s, bool queued, uint64_t now_ms);

/* The filter for a UDP socket of this family: how many instructions, 0: none is needed. */
size_t dns_sieve_code(const struct dns_sieve *s, sa_family_t family,
		      struct sock_filter code[DNS_SIEVE_CODE_MAX]);
