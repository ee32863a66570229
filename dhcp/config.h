/* SPDX-License-Identifier: GPL-2.0-or-later */
/* config.h -- what a network's DHCPv4 server is told, as data
 *
 * Compiled from the network's XML by netd, sent to netd-serve over its channel. Strings are owned
 * by the struct.
 */
#pragma once
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "netd/base/addr.h"

#define DHCP_LEASE_TIME_DEFAULT_S 3600
#define DHCP_LEASE_TIME_INFINITE UINT32_MAX	/* RFC 2131 3.3 */

struct dhcp_pool {
	struct in_addr start, end;
	uint32_t lease_time_s;
};

/* A client that always gets the same address. At least one of mac, client_id, name is given. */
struct dhcp_reservation {
	bool has_mac;
	struct nd_mac mac;
	uint8_t client_id[255];
	uint8_t client_id_len;		/* 0: none */
	char name[64];			/* "": none */
	struct in_addr address;
	uint32_t lease_time_s;		/* 0: the server's default */
};

struct dhcp_config {
	bool enabled;
	struct in_addr server;		/* the bridge's address in the subnet */
	uint8_t prefix_len;
	uint32_t lease_time_s;		/* default */
	struct dhcp_pool *pools;
	size_t n_pools;
	struct dhcp_reservation *reservations;
	size_t n_reservations;
	struct in_addr router;		/* 0: none (isolated networks) */
	struct in_addr dns;		/* 0: none */
	char domain[256];		/* "": none */
	uint32_t mtu_bytes;		/* 0: none */
	char boot_file[128];		/* "": none */
	struct in_addr boot_server;	/* 0: the server itself */
	/* RFC 3442 routes of the network (from <route>), sent in option 121 with the default */
	struct dhcp_static_route {
		struct in_addr dst;
		uint8_t prefix_len;
		struct in_addr gateway;
	} *routes;
	size_t n_routes;
};

void dhcp_config_fini(struct dhcp_config *c);
