/* SPDX-License-Identifier: GPL-2.0-or-later */
/* facts.h -- what a compile must know of the host, as data: collisions, free names, uplinks */
#pragma once
#include <net/if.h>
#include <stdbool.h>

#include "netd/base/addr.h"
#include "netd/base/auto.h"

struct link_fact {
	char name[IFNAMSIZ];
	int ifindex, master;
	char kind[16];
	char alias[64];
	struct nd_mac mac;
	uint32_t mtu_bytes, group;
	bool up;
	/* The kernel listens to router advertisements here as long as it does not forward. Not
	 * looked up for links that lead to no router: ports, TAPs, netd's own. */
	bool accepts_ra;
};

struct addr_fact {
	int ifindex;
	struct nd_prefix prefix;
};

struct route_fact {
	int oif;
	struct nd_prefix dst;
	bool ra;		/* learnt from a router advertisement */
};

struct host_facts {
	struct link_fact *links;
	size_t n_links;
	struct addr_fact *addrs;
	size_t n_addrs;
	struct route_fact *routes;		/* main table */
	size_t n_routes;
	bool default_accepts_ra;		/* as accepts_ra, for links to come */
	bool has_force_forwarding;		/* net.ipv6.conf.*.force_forwarding (Linux 6.17) */
	bool has_ipv6;
};

void host_facts_free(struct host_facts *f);
ND_DEFINE_AUTO(struct host_facts *, host_facts_free)
/* NULL when there is no such link. */
const struct link_fact *host_facts_link(const struct host_facts *f, const char *name);
