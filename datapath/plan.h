/* SPDX-License-Identifier: GPL-2.0-or-later */
/* plan.h -- kernel objects as plain data: what a network wants to be true, or what is
 *
 * A plan is a list of objects, each with a key (what it is) and attributes (how it is). Start,
 * live update, stop, restart and repair are all: diff an actual plan against a wanted one and
 * apply the steps. Everything in this header is pure: no system calls, no clock.
 */
#pragma once
#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "netd/base/addr.h"
#include "netd/base/auto.h"
#include "netd/base/error.h"

/* In the order in which objects are made. They are removed in the reverse order, except that a
 * bridge goes before nft objects and sysctls: no frame may pass a bridge whose rules are gone. */
enum plan_kind {
	PLAN_BRIDGE,		/* key: name */
	PLAN_SYSCTL,		/* key: path below /proc/sys */
	PLAN_NFT_CHAIN,		/* key: table family + chain name; a network's own, rare rules */
	PLAN_NFT_ELEM,		/* key: set + key bytes */
	PLAN_ADDR,		/* key: ifname + address/len */
	PLAN_LINK_UP,		/* key: ifname */
	PLAN_ROUTE,		/* key: destination, metric, ifname */
	PLAN_PORT,		/* key: ifname; a bridge port (TAP) of the network */
	PLAN_SHAPER,		/* key: ifname; what leaves through it waits: HTB */
	PLAN_FLOOR,		/* key: ifname + class; a guest's own share of a shaper */
	PLAN_POLICER,		/* key: ifname; what comes in too fast is dropped */
	PLAN_KINDS
};

struct plan_bridge {
	char name[IFNAMSIZ];
	char alias[64];			/* "netd:UUID" */
	struct nd_mac mac;
	uint32_t mtu_bytes;		/* 0: leave the kernel's 1500 */
	uint32_t group;			/* IFLA_GROUP */
	uint32_t forward_delay_s;
	bool stp;			/* kernel STP wanted now */
	bool vlan_filtering;
};

struct plan_sysctl {
	char path[128];			/* "net/ipv4/conf/virbr0/forwarding" */
	char value[16];
	/* shared: several networks may want it; the first saves what was there, the last puts it
	 * back. Not shared: dies with its interface, nothing is put back. */
	bool shared;
};

enum { PLAN_NFT_KEY_MAX = 64, PLAN_NFT_DATA_MAX = 64 };

/*
 * An element of one of the fixed sets of table "inet netd" (see nft_layout.h for the sets). The
 * set is made with the first element that needs it, with the rules that look it up.
 */
struct plan_nft_elem {
	char set[32];
	uint8_t key[PLAN_NFT_KEY_MAX];	/* as the kernel stores it: each field padded to 4 bytes */
	uint8_t key_len;
	char goto_chain[64];		/* verdict maps only; "" for sets */
};

/* A network's own NAT chain: only for what the shared rules cannot say. */
struct plan_nft_chain {
	char name[64];			/* 'n' + UUID without dashes + suffix */
	sa_family_t family;
	struct nd_ip snat_start, snat_end;	/* family 0: masquerade */
	uint16_t port_start, port_end;		/* 0: 1024-65535 */
};

struct plan_addr {
	char ifname[IFNAMSIZ];
	struct nd_prefix prefix;
	struct nd_ip peer;		/* family 0: none; else the prefix is the peer's. Not compared */
	/* IPv4 only; 0: none. Not compared: the kernel cannot change it, and taking an interface's
	 * last address away for it would cost the routes through it. */
	struct in_addr broadcast;
};

struct plan_route {
	char ifname[IFNAMSIZ];
	struct nd_prefix dst;
	struct nd_ip gateway;
	uint32_t metric;
};

struct plan_link_up {
	char ifname[IFNAMSIZ];
};

struct plan_port {
	char ifname[IFNAMSIZ];
	char bridge[IFNAMSIZ];
	char alias[64];			/* "netd:PORT-UUID"; "": not ours */
	bool isolated, learning, unicast_flood;
	bool up;			/* ours to keep up; else its owner's business */
	uint32_t mtu_bytes;		/* 0: as the bridge */
	struct nd_mac fdb;		/* static FDB entry for macTableManager='libvirt'; 0: none */
};

/* Rates are bytes a second. A burst is what may pass at once after a pause. */
struct plan_shaper {
	char ifname[IFNAMSIZ];
	uint64_t rate, peak;		/* peak: what may be borrowed; at least the rate */
	uint64_t burst_bytes;
	uint64_t pool;			/* what no floor claims, where there may be floors; else 0 */
	bool outbound;			/* seen from the guest (macvtap); for messages, not compared */
};

struct plan_floor {
	char ifname[IFNAMSIZ];
	uint16_t class_id;		/* 3 and up: 1 is all traffic, 2 the pool */
	struct nd_mac mac;		/* whose frames */
	uint64_t rate, peak;
};

struct plan_policer {
	char ifname[IFNAMSIZ];
	uint64_t rate, burst_bytes;
	bool inbound;			/* as plan_shaper's outbound */
};

/* Also what the plan's bursts may be at most: what one u32 of the kernel holds at any rate. */
#define PLAN_BURST_MAX_BYTES (UINT64_C(1) << 32)
/* For a shaper that was not told any: 10 ms of its rate, but a frame at least. */
uint64_t plan_default_burst(uint64_t rate);

struct plan_item {
	enum plan_kind kind;
	union {
		struct plan_bridge bridge;
		struct plan_sysctl sysctl;
		struct plan_nft_chain nft_chain;
		struct plan_nft_elem nft_elem;
		struct plan_addr addr;
		struct plan_link_up link_up;
		struct plan_route route;
		struct plan_port port;
		struct plan_shaper shaper;
		struct plan_floor floor;
		struct plan_policer policer;
	};
};

struct plan {
	struct plan_item *items;
	size_t n;
};

struct plan *plan_new(void);
void plan_free(struct plan *p);
ND_DEFINE_AUTO(struct plan *, plan_free)

/* Appends a zeroed item of the kind to fill in; NULL when out of memory. */
struct plan_item *plan_add(struct plan *p, enum plan_kind kind);
struct plan *plan_copy(const struct plan *p);

/* Bytes that name the object: equal for the same object, whatever its attributes. */
struct plan_key {
	uint8_t bytes[160];
	size_t len;
};
void plan_item_key(const struct plan_item *item, struct plan_key *out);

/* Same key: the same object, whatever its attributes. */
bool plan_item_same(const struct plan_item *a, const struct plan_item *b);
bool plan_item_equal(const struct plan_item *a, const struct plan_item *b);

enum plan_op { PLAN_CREATE, PLAN_CHANGE, PLAN_REMOVE };

struct plan_step {
	enum plan_op op;
	struct plan_item was;	/* CHANGE, REMOVE */
	struct plan_item want;	/* CREATE, CHANGE */
};

struct plan_diff {
	struct plan_step *steps;
	size_t n;
};

/*
 * Steps from `was` to `want`, in an order that can be applied: removals (see enum plan_kind),
 * then changes and creations oldest kind first; within a kind creations keep the order of `want`
 * and removals reverse that of `was`. An IPv4 address whose interface gets another one is removed
 * right after that has come. Takes time proportional to the number of items. 0 or
 * -ENOMEM. Caller frees with plan_diff_free().
 */
int plan_diff(const struct plan *was, const struct plan *want, struct plan_diff **out);
void plan_diff_free(struct plan_diff *d);
ND_DEFINE_AUTO(struct plan_diff *, plan_diff_free)

/*
 * One line per item or step; caller frees, NULL when out of memory. Steps start with '+', '-' or
 * '~': "+ bridge virbr0 mac 52:54:00:00:00:01 mtu 1500"; '~' shows both sides: "~ A -> B".
 */
char *plan_format(const struct plan *p);
char *plan_diff_format(const struct plan_diff *d);
