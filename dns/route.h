/* SPDX-License-Identifier: GPL-2.0-or-later */
/* route.h -- which upstreams a name is asked of, what is known of them and where they may lead */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dns/config.h"
#include "dns/inside.h"
#include "dns/name.h"
#include "netd/base/auto.h"
#include "netd/base/error.h"

#define DNS_CASE_MISSES_MAX 3

/* One upstream, as seen through the answers that came or did not come. */
struct dns_peer {
	struct dns_upstream where;
	uint32_t rtt_ms;		/* smoothed; 0: unknown */
	unsigned failures;		/* in a row */
	uint64_t probe_ms;		/* when one that fails is to be tried again */
	unsigned case_misses;		/* answers in other letter cases, at most that many */
	uint64_t edns_again_ms;		/* it answered FORMERR or NOTIMP to EDNS: not until then */
};

/* Upstreams that are asked for the same names, best first as configured. Counted, since questions
 * under way outlive a change of configuration. */
struct dns_peers {
	unsigned refs;
	size_t n;
	struct dns_peer items[];
};

struct dns_peers *dns_peers_ref(struct dns_peers *p);
void dns_peers_unref(struct dns_peers *p);	/* NULL is fine */

struct dns_routes;

/* old: routes whose knowledge of upstreams is taken over, or NULL. */
int dns_routes_new(const struct dns_config *config, const struct dns_routes *old,
		   struct dns_routes **out, struct nd_error *err);
void dns_routes_free(struct dns_routes *r);	/* NULL is fine */
ND_DEFINE_AUTO(struct dns_routes *, dns_routes_free)

/* Replaces the host's resolvers. *changed_out: the routes are others now. 0 or -ENOMEM. */
int dns_routes_set_upstreams(struct dns_routes *r, const struct dns_upstream *upstreams, size_t n,
			     bool *changed_out);

/* The upstreams for a name: those of the longest domain that it is in (network-wide ones at last).
 * NULL when there are none. Borrowed. */
struct dns_peers *dns_routes_find(const struct dns_routes *r, const struct dns_name *name);

/* The network's subnets (borrowed): where answers of outside may not lead. */
struct dns_inside dns_routes_inside(const struct dns_routes *r);
/* The name is in a domain that has a rule of its own: who wrote it knows what the names there are,
 * and its answers may lead inside. */
bool dns_routes_trusts(const struct dns_routes *r, const struct dns_name *name);

bool dns_routes_equal(const struct dns_routes *a, const struct dns_routes *b);
