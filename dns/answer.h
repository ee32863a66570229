/* SPDX-License-Identifier: GPL-2.0-or-later */
/* answer.h -- what becomes of one query: refused, answered from the zone or the cache, or asked
 * upstream
 *
 * No sockets here: bytes in, bytes out.
 */
#pragma once
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

#include "dns/cache.h"
#include "dns/config.h"
#include "dns/message.h"
#include "dns/server.h"
#include "dns/zone.h"

/* Who sent a query, and how the reply gets there. */
struct dns_asker {
	struct nd_ip client;
	void *channel;		/* the socket or connection; means something to the server only */
	size_t stream_limit;	/* longest reply over TCP; 0: a datagram, see the query */
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} address;		/* of datagrams */
	socklen_t address_len;
};

static inline size_t dns_reply_limit(const struct dns_asker *asker, const struct dns_query *q)
{
	return asker->stream_limit ? asker->stream_limit : dns_udp_limit(q);
}

struct dns_forwarder;

struct dns_answerer {
	const char *network;		/* for log lines */
	struct dns_zone *zone;
	struct dns_cache *cache;
	struct dns_forwarder *forwarder;
	struct nd_prefix *subnets;	/* masked; who may ask */
	size_t n_subnets;
	struct dns_counters *counters;
	uint64_t strangers_s;		/* in this second, */
	unsigned n_strangers;		/* so many from outside the subnets were told no */
};

enum dns_outcome {
	DNS_REPLY,	/* *len is the length of the reply that now stands in packet */
	DNS_LATER,	/* the forwarder has the query */
	DNS_SILENCE,	/* the query deserves no reply */
};

/* Handles the query of *len bytes in packet, which has room for DNS_UDP_MAX bytes, or for
 * asker->stream_limit. */
enum dns_outcome dns_answer(struct dns_answerer *a, uint8_t *packet, size_t *len,
			    const struct dns_asker *asker, uint64_t now_ms);
