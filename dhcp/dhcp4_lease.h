/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dhcp4_lease.h -- who holds which IPv4 address, until when
 *
 * A client is its MAC address: two clones with one client-id are two clients, a guest that boots
 * through a PXE ROM, a boot loader and an OS with three client-ids is one. A client holds at most
 * one address; a second one may be on offer to it, or wait for the disk:
 *
 *	           offer            commit asked          on disk
 *	(nothing) -------> OFFERED -------------> PENDING ---------> BOUND
 *	    ^                 | timeout, evicted     | disk full       | expiry, RELEASE, unplugged
 *	    |                 v                      v                 v
 *	    +------------- as it was before ---------+               PAST  (remembered for its
 *	                                                               |    client, free for others)
 *	DECLINED for 600 s <-- DECLINE -- BOUND                        +--> reused by another client
 *
 * All operations are O(1) or O(log n) in the number of leases. There is at most one lease per
 * address of a pool or reservation, which bounds the memory.
 */
#pragma once
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "netd/base/addr.h"

enum dhcp4_lease_state {
	DHCP4_LEASE_PAST,
	DHCP4_LEASE_OFFERED,
	DHCP4_LEASE_PENDING,
	DHCP4_LEASE_BOUND,
	DHCP4_LEASE_DECLINED,
};

/* One lease as others see it; borrowed, valid during the call that shows it. */
struct dhcp4_lease_info {
	struct in_addr address;
	struct nd_mac mac;
	const uint8_t *client_id;	/* NULL: none */
	uint8_t client_id_len;
	const char *hostname;		/* one legal label, "": none */
	bool hostname_configured;	/* by a reservation, not by the client */
	uint64_t expires_ms;		/* CLOCK_BOOTTIME; LEASE_NEVER_MS: never */
};
