/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dhcp4_server.h -- the DHCPv4 server's rules: a message in, at most one message out
 *
 * Authoritative for its subnet (RFC 2131 4.3.2): a client that asks for an address which it
 * cannot have is told so at once. Nothing is probed with ICMP before it is offered: the subnet
 * is netd's own, and a client that finds the address in use says DECLINE.
 *
 * Messages are ignored that are not addressed to this server, whose hardware address is not
 * Ethernet's, that name another MAC than they come from (unless a relay in the subnet sent them,
 * and even then for the MAC of a plugged guest), or that come through a relay of another subnet.
 *
 * Pure: no socket, no clock, no file; see the hooks of dhcp4_lease.h.
 */
#pragma once
#include "dhcp/dhcp4_lease.h"
#include "dhcp/frame.h"

struct dhcp4_stats {
	uint64_t received, malformed;
	uint64_t ignored;		/* whole, but not for this server */
	uint64_t spoofed;		/* with another MAC's name on it */
	uint64_t discover, request, decline, release, inform, bootp;
	uint64_t offer, ack, nak;
	uint64_t no_address;		/* unanswered: no address is left for the client */
	uint64_t quota;			/* refused: the unknown MACs have had their share */
	uint64_t store_failed;		/* unanswered: the lease could not be written */
	uint64_t store_busy;		/* unanswered: the client's lease, or too many, wait */
};

struct dhcp4_reply {
	size_t len;			/* 0: nothing is said */
	uint64_t ticket;		/* send it once dhcp4_server_settle() agrees; 0: at once */
	uint8_t frame[DHCP_FRAME_MAX];
};

struct dhcp4_server;

/* config is borrowed until the next dhcp4_server_configure(). mac: the source of all frames.
 * NULL when out of memory. */
struct dhcp4_server *dhcp4_server_new(const struct dhcp_config *config, const struct nd_mac *mac,
				      const struct dhcp4_lease_hooks *hooks);
void dhcp4_server_free(struct dhcp4_server *s);		/* NULL is fine */
ND_DEFINE_AUTO(struct dhcp4_server *, dhcp4_server_free)

int dhcp4_server_configure(struct dhcp4_server *s, const struct dhcp_config *config);
const struct dhcp_config *dhcp4_server_config(const struct dhcp4_server *s);
struct dhcp4_leases *dhcp4_server_leases(struct dhcp4_server *s);
struct dhcp4_stats *dhcp4_server_stats(struct dhcp4_server *s);

void dhcp4_server_handle(struct dhcp4_server *s, const struct dhcp_frame *in, uint64_t now_ms,
			 struct dhcp4_reply *out);

/* The store's answer about a reply's ticket: true when the reply may be sent. */
bool dhcp4_server_settle(struct dhcp4_server *s, uint64_t ticket, bool stored, uint64_t now_ms);
