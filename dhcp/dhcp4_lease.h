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
 *	LEFT <-- the client was given another address -- BOUND
 *
 * A client whose lease runs and is still allowed gets no other address: one that asks for another is
 * refused (RFC 2131 4.3.2) and learns its own by DISCOVER. Only a new configuration moves a client.
 * It may never hear that it was moved, and count on its old lease: that address stays LEFT, nobody's
 * to get, until the lease would have ended or the client uses the new one.
 *
 * All operations are O(1) or O(log n) in the number of leases. There is at most one lease per
 * address of a pool or reservation, which bounds the memory.
 *
 * MACs that nobody plugged share a quota of the pool, and every plugged MAC without an address
 * has one kept back, so that a guest that makes up MACs starves only others that do. Offers to
 * them are the first to go when room is needed.
 *
 * The table does no input or output: rows for the store and events go through hooks. Times are
 * milliseconds of CLOCK_BOOTTIME.
 */
#pragma once
#include "dhcp/config.h"
#include "dhcp/lease_store.h"

#define DHCP4_OFFER_MS 60000		/* an offer holds its address */
#define DHCP4_DECLINED_MS 600000	/* a declined address rests */
#define DHCP4_DECLINES_MAX 4		/* addresses that one client may put to rest at a time */

enum dhcp4_lease_state {
	DHCP4_LEASE_PAST,
	DHCP4_LEASE_OFFERED,
	DHCP4_LEASE_PENDING,
	DHCP4_LEASE_BOUND,
	DHCP4_LEASE_DECLINED,
	DHCP4_LEASE_LEFT,
};

enum dhcp4_event {
	DHCP4_EVENT_ADDED,		/* bound and on disk; the ACK leaves right after the event */
	DHCP4_EVENT_CHANGED,		/* renewed, or its name or client-id changed */
	DHCP4_EVENT_REMOVED,		/* expired, released, declined, unplugged */
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

struct dhcp4_lease_hooks {
	void *ctx;
	/* A row for the store; ticket as in lease_store_put(). False: it could not be queued. */
	bool (*store)(void *ctx, const struct lease_row *row, uint64_t ticket);
	void (*event)(void *ctx, enum dhcp4_event event, const struct dhcp4_lease_info *lease);
};

/* Who asks. All borrowed. */
struct dhcp4_who {
	struct nd_mac mac;
	const uint8_t *client_id;
	uint8_t client_id_len;		/* 0: none */
	const struct dhcp_reservation *host;	/* NULL: none */
	char hostname[64];		/* legal, "": none */
};

enum dhcp4_verdict {
	DHCP4_OK,
	DHCP4_REFUSED,			/* this client cannot have this address, or there is none */
	DHCP4_QUOTA,			/* the unknown MACs have had their share */
	DHCP4_BUSY,			/* its lease is being written, or the store's queue is full */
	DHCP4_NOMEM,
};

struct dhcp4_hosts;
struct dhcp4_leases;

/* config is borrowed until the next dhcp4_leases_configure(). NULL when out of memory. */
struct dhcp4_leases *dhcp4_leases_new(const struct dhcp_config *config,
				      const struct dhcp4_lease_hooks *hooks);
void dhcp4_leases_free(struct dhcp4_leases *t);		/* NULL is fine */
ND_DEFINE_AUTO(struct dhcp4_leases *, dhcp4_leases_free)

/* Leases stay; addresses are judged by the new configuration from now on. 0 or -ENOMEM (then
 * nothing has changed). */
int dhcp4_leases_configure(struct dhcp4_leases *t, const struct dhcp_config *config);
const struct dhcp4_hosts *dhcp4_leases_hosts(const struct dhcp4_leases *t);

/* A row of the store, before the first client comes. No events. 0 or -ENOMEM. */
int dhcp4_leases_load(struct dhcp4_leases *t, const struct lease_row *row, uint64_t now_ms);

/* The MACs of the plugged ports. A MAC that was one of them (also by a loaded row) and is no
 * longer loses its lease. 0 or -ENOMEM. */
int dhcp4_leases_set_ports(struct dhcp4_leases *t, const struct nd_mac *macs, size_t n,
			   uint64_t now_ms);
bool dhcp4_leases_is_plugged(const struct dhcp4_leases *t, const struct nd_mac *mac);

/*
 * The address to offer: the reservation's, else what the client has, had, or asks for, else one
 * that nobody ever had, found from the MAC's hash on, else the one that is free for longest.
 * requested: 0.0.0.0 for none. DHCP4_OK with out, DHCP4_REFUSED (none is left), DHCP4_QUOTA.
 */
enum dhcp4_verdict dhcp4_lease_choose(struct dhcp4_leases *t, const struct dhcp4_who *who,
				      struct in_addr requested, struct in_addr *out);

/* Holds an address that was chosen for the client. Nothing changes if it has it already. */
enum dhcp4_verdict dhcp4_lease_offer(struct dhcp4_leases *t, const struct dhcp4_who *who,
				     struct in_addr address, uint64_t now_ms);
/* The client took another server's offer: what is on offer to it is free again. */
void dhcp4_lease_withdraw(struct dhcp4_leases *t, const struct nd_mac *mac);

/* May this client have this address now, if it asks for it by REQUEST? */
enum dhcp4_verdict dhcp4_lease_allowed(const struct dhcp4_leases *t, const struct dhcp4_who *who,
				       struct in_addr address);

struct dhcp4_grant {
	uint64_t ticket;		/* settle it; 0: the lease is on disk already */
	uint32_t lease_s;		/* what may be promised */
	char hostname[64];		/* that the lease will have, "": none */
	bool hostname_configured;
};

/* The name that the client's lease would have: the reservation's, else the client's own unless
 * another reservation has it. Fills hostname and hostname_configured. */
void dhcp4_lease_name(const struct dhcp4_leases *t, const struct dhcp4_who *who,
		      struct dhcp4_grant *out);

/*
 * Binds an address to the client once the store has its row, for lease_s from now
 * (DHCP_LEASE_TIME_INFINITE: for ever). A client that comes again within seconds gets what is
 * left, without a write. Other verdicts than DHCP4_OK change nothing.
 */
enum dhcp4_verdict dhcp4_lease_ask(struct dhcp4_leases *t, const struct dhcp4_who *who,
				   struct in_addr address, uint32_t lease_s, uint64_t now_ms,
				   struct dhcp4_grant *out);
/* The store's answer. True: the lease is bound, the acknowledgement may leave. On false it must
 * not; the lease is what it was before it was asked for. */
bool dhcp4_lease_settle(struct dhcp4_leases *t, uint64_t ticket, bool stored, uint64_t now_ms);

/* The client says that it uses this address: if it is its lease, what it held before is free. */
void dhcp4_lease_confirm(struct dhcp4_leases *t, const struct nd_mac *mac, struct in_addr address);

/* What the client says about a lease of its own; false: it has no such lease. */
bool dhcp4_lease_release(struct dhcp4_leases *t, const struct nd_mac *mac, struct in_addr address,
			 uint64_t now_ms);
bool dhcp4_lease_decline(struct dhcp4_leases *t, const struct nd_mac *mac, struct in_addr address,
			 uint64_t now_ms);

uint64_t dhcp4_leases_next_ms(const struct dhcp4_leases *t);	/* UINT64_MAX: never */
void dhcp4_leases_tick(struct dhcp4_leases *t, uint64_t now_ms);

/* The lease time configured for a client at an address, in seconds. */
uint32_t dhcp4_lease_time_s(const struct dhcp4_leases *t, const struct dhcp4_who *who,
			    struct in_addr address);

/* Hands over a row for everything that the store should have, for a store that lost it. */
void dhcp4_leases_rows(struct dhcp4_leases *t, void (*put)(void *arg, const struct lease_row *row),
		       void *arg);

/* Calls each for every bound lease, in no order. */
void dhcp4_leases_each(const struct dhcp4_leases *t,
		       void (*each)(void *ctx, const struct dhcp4_lease_info *lease), void *ctx);
/* The bound lease of an address; false when there is none. */
bool dhcp4_lease_find(const struct dhcp4_leases *t, struct in_addr address,
		      struct dhcp4_lease_info *out);
/* The bound lease of a client; false when it has none. */
bool dhcp4_lease_of(const struct dhcp4_leases *t, const struct nd_mac *mac,
		    struct dhcp4_lease_info *out);
/* Leases of any state that are kept in memory. */
size_t dhcp4_leases_count(const struct dhcp4_leases *t);
