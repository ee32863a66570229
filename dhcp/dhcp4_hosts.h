/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dhcp4_hosts.h -- finding the reservation that a client or an address belongs to */
#pragma once
#include "dhcp/config.h"
#include "netd/base/auto.h"

struct dhcp4_hosts;

/*
 * Indexes the configuration's reservations, which are borrowed. An address that is not one of
 * the subnet's hosts, or is the server's own, reserves nothing; of entries with one address, MAC,
 * client-id or name the first counts. NULL when out of memory.
 */
struct dhcp4_hosts *dhcp4_hosts_new(const struct dhcp_config *config);
void dhcp4_hosts_free(struct dhcp4_hosts *h);		/* NULL is fine */
ND_DEFINE_AUTO(struct dhcp4_hosts *, dhcp4_hosts_free)

#define DHCP4_FLAWS_TOLD 8

/* Tells of the first entries that have no effect and why; returns how many there are. */
size_t dhcp4_hosts_check(const struct dhcp_config *config, const struct dhcp4_hosts *h,
			 void (*tell)(void *ctx, const struct dhcp_reservation *r, const char *why),
			 void *ctx);

/*
 * The client's reservation or NULL: by client-id, by MAC, then by the name that it sent (""
 * for none). An entry with a MAC belongs to that MAC alone, whoever sends its client-id; one
 * with a client-id is not found by name.
 */
const struct dhcp_reservation *dhcp4_hosts_find(const struct dhcp4_hosts *h,
						const struct nd_mac *mac,
						const uint8_t *client_id, size_t client_id_len,
						const char *name);
/* An entry names this MAC. */
bool dhcp4_hosts_has_mac(const struct dhcp4_hosts *h, const struct nd_mac *mac);
const struct dhcp_reservation *dhcp4_hosts_of_address(const struct dhcp4_hosts *h,
						      struct in_addr address);
const struct dhcp_reservation *dhcp4_hosts_of_name(const struct dhcp4_hosts *h,
						   const char *name);

/* An address of the configuration's subnet that a guest can have: not the network's, not the
 * broadcast address, not the server's or the router's. */
bool dhcp4_host_address(const struct dhcp_config *config, struct in_addr address);
