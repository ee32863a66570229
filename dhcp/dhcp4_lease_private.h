/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dhcp4_lease_private.h -- the lease table's insides, for its own files
 *
 * dhcp4_lease.c	the records, their indexes and the one function that changes a state
 * dhcp4_choice.c	which address a client may have (changes nothing but evicts offers)
 * dhcp4_life.c		offer, ask, settle, release, decline, expiry
 * dhcp4_ports.c	plugged ports, and loading
 */
#pragma once
#include <sys/queue.h>

#include "dhcp/dhcp4_hosts.h"
#include "dhcp/dhcp4_lease.h"
#include "dhcp/dhcp4_pool.h"
#include "netd/base/hash.h"

#define HEAP_NONE SIZE_MAX
#define NOT_BEFORE ((enum dhcp4_lease_state)-1)	/* there was no lease before */

struct client {
	struct nd_mac mac;
	bool plugged;
	bool waiting;			/* counted in n_waiting */
	uint32_t n_declined;
	uint64_t ports_round;		/* of the last list of ports that had the MAC */
	struct lease *main;		/* BOUND or PAST, or on the way from there or nothing */
	struct lease *other;		/* OFFERED or PENDING at another address than main's */
	struct lease *left;		/* LEFT: where it was before main */
};

/* What a lease says of its client. */
struct labels {
	uint8_t *client_id;		/* NULL: none */
	uint8_t client_id_len;
	bool name_configured;
	char *name;			/* NULL: none; behind its NUL stands name_lower */
	const char *name_lower;
};

struct lease {
	struct in_addr address;
	struct client *client;
	enum dhcp4_lease_state state;
	enum dhcp4_lease_state before;	/* of OFFERED and PENDING: PAST, BOUND or NOT_BEFORE */
	bool listed;			/* on one of the table's lists */
	bool unknown;			/* counted in n_unknown */
	bool stored;			/* the store has a row */
	int64_t start_ms;
	uint64_t expires_ms;		/* of the offer, the binding or the rest */
	int64_t before_start_ms;	/* what PENDING goes back to */
	uint64_t before_expires_ms;
	uint32_t generation;		/* of the last ask */
	size_t heap_at;
	struct labels is, asked;
	TAILQ_ENTRY(lease) link;
};

TAILQ_HEAD(lease_list, lease);

struct dhcp4_leases {
	const struct dhcp_config *config;
	struct dhcp4_hosts *hosts;
	struct dhcp4_pool *pool;
	struct dhcp4_lease_hooks hooks;
	struct nd_hash *clients;	/* by MAC */
	struct nd_hash *by_address;
	struct nd_hash *by_name;	/* BOUND leases, by lower case name */
	struct lease **heap;		/* by expires_ms: all that will expire */
	size_t n_heap, heap_size;
	struct lease_list past;		/* free for others, longest first */
	struct lease_list offers;	/* to unknown MACs in the pool, oldest first */
	size_t n_past;			/* in past */
	size_t n_unknown;		/* addresses of the pool that unknown MACs use */
	size_t n_waiting;		/* plugged clients that may still need one */
	uint32_t generation;
	uint64_t ports_round;
};

static inline bool lease_is_active(const struct lease *l)
{
	return l->state != DHCP4_LEASE_PAST;
}

/* Acknowledged and on disk; perhaps a renewal waits for the disk. */
static inline bool lease_is_bound(const struct lease *l)
{
	return l->state == DHCP4_LEASE_BOUND ||
		(l->state == DHCP4_LEASE_PENDING && l->before == DHCP4_LEASE_BOUND);
}

/* dhcp4_lease.c */
struct client *client_find(const struct dhcp4_leases *t, const struct nd_mac *mac);
struct client *client_get(struct dhcp4_leases *t, const struct nd_mac *mac);	/* NULL: no memory */
void client_recount(struct dhcp4_leases *t, struct client *c);
void client_drop_unused(struct dhcp4_leases *t, struct client *c);
struct lease *lease_at(const struct dhcp4_leases *t, struct in_addr address);
/* A new record without a place in its client, state PAST, expired. NULL: no memory. */
struct lease *lease_new(struct dhcp4_leases *t, struct client *c, struct in_addr address);
/* The only way a state or an expiry changes: keeps lists, counts, heap and bitmap right. */
void lease_enter(struct dhcp4_leases *t, struct lease *l, enum dhcp4_lease_state state,
		 uint64_t expires_ms);
/* Takes the record out of everything and frees it; may free its client. */
void lease_forget(struct dhcp4_leases *t, struct lease *l);
void lease_info(const struct lease *l, struct dhcp4_lease_info *out);
bool lease_store(struct dhcp4_leases *t, struct lease *l, enum lease_row_state state,
		 const struct labels *labels, uint64_t ticket);
void lease_event(struct dhcp4_leases *t, const struct lease *l, enum dhcp4_event event);
bool labels_set(struct labels *labels, const uint8_t *client_id, size_t client_id_len,
		const char *name, bool name_configured);
void labels_free(struct labels *labels);
/* Moves the lease's name in or out of the index by name. */
void name_register(struct dhcp4_leases *t, struct lease *l);
void name_unregister(struct dhcp4_leases *t, struct lease *l);

/* dhcp4_choice.c */
/* The address is somebody's to get: reserved, or in a range and a guest's. */
bool address_is_configured(const struct dhcp4_leases *t, struct in_addr address);
/* Anybody may be given it: in a range, a guest's, not reserved. */
bool address_is_dynamic(const struct dhcp4_leases *t, struct in_addr address);
/* Never chosen though in the pool: .0 and .255 of what looks like a class C network. */
bool address_is_avoided(struct in_addr address);

/* Unknown MACs may use one address more now, if need be because the oldest offer to one goes. */
bool quota_make_room(struct dhcp4_leases *t);

/* dhcp4_life.c */
/* Rows whose loss costs nothing but memory of the past: a full queue may drop them. */
void store_later(struct dhcp4_leases *t, struct lease *l, enum lease_row_state state);
/* An offer, or what waited for the disk, comes to nothing: the lease is what it was before. */
void lease_revert(struct dhcp4_leases *t, struct lease *l);
/* A BOUND lease that is its client's no more, but may be in use: LEFT. Was one left before, that is free. */
void lease_leave(struct dhcp4_leases *t, struct lease *l);
/* A BOUND lease ends: its name goes, the record stays for its client if it may. tell_store: the
 * row would say otherwise. */
void lease_end(struct dhcp4_leases *t, struct lease *l, uint64_t ended_ms, bool tell_store);
