/* SPDX-License-Identifier: GPL-2.0-or-later */
/* config.h -- what a network's DNS server is told, as data
 *
 * Names are text without the final dot, already checked to be encodable.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "netd/base/addr.h"

struct dns_host_record {	/* A or AAAA for each name, PTR for the first */
	struct nd_ip ip;
	char **names;
	size_t n_names;
};

struct dns_txt_record {
	char *name, *value;	/* commas in value part the strings */
};

struct dns_srv_record {
	char *owner, *target;	/* owner is complete; target "" : none */
	uint16_t port, priority, weight;
};

struct dns_forward_rule {
	char *domain;		/* NULL: everything */
	struct nd_ip addr;	/* family 0: the standard upstreams */
	uint16_t port;
};

struct dns_upstream {
	struct nd_ip addr;
	uint16_t port;
};

struct dns_config {
	bool enabled;
	char *domain;			/* NULL: none; suffix of leases' and hosts' short names */
	bool local_only;		/* unknown names below domain: NXDOMAIN */
	bool forward_plain_names;
	bool use_host_resolvers;	/* not on isolated networks, nor with an addr-only rule */
	struct dns_host_record *hosts;
	size_t n_hosts;
	struct dns_txt_record *txts;
	size_t n_txts;
	struct dns_srv_record *srvs;
	size_t n_srvs;
	struct dns_forward_rule *rules;
	size_t n_rules;
	struct nd_prefix *local_ptr;	/* reverse zones answered locally only */
	size_t n_local_ptr;
	struct dns_upstream *upstreams;	/* the host's resolvers, kept current by netd */
	size_t n_upstreams;
	struct nd_prefix *subnets;	/* of the bridge: who may ask */
	size_t n_subnets;
};

void dns_config_fini(struct dns_config *c);
