/* SPDX-License-Identifier: GPL-2.0-or-later */
/* config.h -- everything that one netd-serve is told about its network, as data
 *
 * Compiled by netd (compile/), encoded onto the channel, decoded by netd-serve with the cursor.
 */
#pragma once
#include <net/if.h>
#include <sys/types.h>

#include "dhcp/config.h"
#include "dns/config.h"
#include "netd/base/addr.h"
#include "netd/base/auto.h"
#include "netd/base/cursor.h"

struct serve_config {
	char network[256];		/* for log lines */
	struct nd_uuid uuid;
	char bridge[IFNAMSIZ];
	int ifindex;			/* of the bridge; filled in once it exists */
	struct nd_mac mac;		/* of the bridge */
	uid_t uid;			/* the server's own, from the configured range */
	struct nd_ip *addresses;	/* of the bridge: where DNS listens, UDP and TCP */
	size_t n_addresses;
	struct nd_mac *ports;		/* MACs of plugged guests: addresses are kept for them */
	size_t n_ports;
	struct dhcp_config dhcp;
	struct dns_config dns;
};

struct serve_config *serve_config_new(void);
void serve_config_free(struct serve_config *c);
ND_DEFINE_AUTO(struct serve_config *, serve_config_free)

/* A server is needed at all: DHCP or DNS is on. */
bool serve_config_wanted(const struct serve_config *c);
bool serve_config_equal(const struct serve_config *a, const struct serve_config *b);

#define SERVE_CONFIG_MAX_BYTES (64u << 20)

/* The encoded configuration in memory of its own; the caller frees it. 0, -ENOMEM or -E2BIG. */
int serve_config_bytes(const struct serve_config *c, uint8_t **bytes_out, size_t *len_out);

/* Of what the server's sockets and identity were made from: two configurations with the same
 * digest can follow each other in one server, others need a fresh one. */
uint64_t serve_config_sockets_digest(const struct serve_config *c);

void serve_config_encode(const struct serve_config *c, struct wr *w);
/* Bounded; -EBADMSG when r is not one whole configuration. */
int serve_config_decode(struct rd *r, struct serve_config **out);
