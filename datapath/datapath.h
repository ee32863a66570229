/* SPDX-License-Identifier: GPL-2.0-or-later */
/* datapath.h -- the effects: the kernel's side of a plan
 *
 * A struct datapath holds the netlink sockets and is used by one thread at a time (the daemon's
 * worker). Every function either happens or leaves no trace, and says in err what the kernel said.
 */
#pragma once
#include "datapath/facts.h"
#include "datapath/plan.h"

struct datapath;
struct port_filter;

struct datapath_options {
	const char *run_dir;		/* where held sysctls and intents are recorded; borrowed */
	const char *ovsdb;		/* the socket of Open vSwitch's database; borrowed until the end */
	const char *sysfs;		/* NULL: /sys; borrowed until the end */
	bool no_persist;		/* take the path of kernels without persistent nft tables */
};

int datapath_new(const struct datapath_options *opt, struct datapath **out, struct nd_error *err);
void datapath_free(struct datapath *dp);
ND_DEFINE_AUTO(struct datapath *, datapath_free)

/* Applies steps, of which each may be done already (a killed predecessor's work); on error the finished ones are undone, newest first. All nft steps go in one
 * transaction. owner is the network's UUID text, for intents and aliases. */
int datapath_apply(struct datapath *dp, const struct plan_diff *steps, const char *owner,
		   struct nd_error *err);

/*
 * Everything the kernel has, dumped once: a restart with many networks compares each of them
 * with the same snapshot. Later changes do not show in it.
 */
struct datapath_snapshot;

int datapath_snapshot_new(struct datapath *dp, struct datapath_snapshot **out,
			  struct nd_error *err);
void datapath_snapshot_free(struct datapath_snapshot *s);		/* NULL is fine */
ND_DEFINE_AUTO(struct datapath_snapshot *, datapath_snapshot_free)
/* As datapath_read(), from the snapshot. Sysctls are read now. */
int datapath_snapshot_read(struct datapath_snapshot *s, const struct plan *scope,
			   const char *owner, struct plan **out, struct nd_error *err);
/* All that is in netd's tables, borrowed. */
const struct plan *datapath_snapshot_nft(const struct datapath_snapshot *s);
/* All that is in netd's tables now; nothing when somebody has edited them so that the next
 * transaction makes them anew. */
int datapath_read_rules(struct datapath *dp, struct plan **out, struct nd_error *err);
/* Removes what an earlier netd made and `wanted`, the plans of all networks that run, does not
 * have: rules, bridges, TAPs, holds on sysctls. removed is told of each. */
int datapath_sweep(struct datapath *dp, struct datapath_snapshot *s, const struct plan *wanted,
		   void (*removed)(void *arg, const char *what), void *arg, struct nd_error *err);
int datapath_snapshot_facts(const struct datapath_snapshot *s, struct host_facts **out,
			    struct nd_error *err);

/* Takes over the rules that an earlier netd left, before anything is read: without it anybody may
 * flush them. Where somebody has edited them meanwhile, they are made anew in one transaction. Fails
 * while another netd runs in the network namespace. */
int datapath_adopt_rules(struct datapath *dp, struct nd_error *err);

/* What the kernel has of the objects that `scope` names, and bridges that carry the owner's alias
 * under other names: the `was` of a diff. A bridge of that name that is not netd's counts as
 * absent, and so does a shared sysctl that owner does not hold. */
int datapath_read(struct datapath *dp, const struct plan *scope, const char *owner,
		  struct plan **out, struct nd_error *err);

/* The netlink ports of netd's nft transactions, of those about port filters and of its other changes, for
 * monitor_set_own(). */
uint32_t datapath_nft_portid(const struct datapath *dp);
uint32_t datapath_filter_portid(const struct datapath *dp);
uint32_t datapath_route_portid(const struct datapath *dp);

/* The ports of bridges have exactly these filters afterwards, others none; see port_filters_apply(). */
int datapath_filter_ports(struct datapath *dp, const struct port_filter *const *want, size_t n,
			  struct nd_error *err);

/* Of the host, from memory that follows the kernel's notices: cheap however much there is. */
int datapath_facts(struct datapath *dp, struct host_facts **out, struct nd_error *err);

/*
 * Other programs' nft base chains (forward and input hooks) that drop, by policy or by a rule
 * without condition, what netd's rules accept: found is called with a sentence for each bridge
 * and chain. A chain that names a bridge in a rule of its own counts as made for that bridge.
 */
int datapath_foreign_drops(struct datapath *dp, const char *const *bridges, size_t n_bridges,
			   void (*found)(void *arg, const char *bridge, const char *sentence),
			   void *arg, struct nd_error *err);

/*
 * Removes the rules that libvirt made for a network that is netd's now, in one transaction: those in
 * its nftables tables and in the chains LIBVIRT_* of iptables-nft that name the bridge or one of the
 * subnets. n_out: how many. What iptables-legacy keeps is not reached: see
 * datapath_legacy_iptables().
 */
int datapath_remove_libvirt_rules(struct datapath *dp, const char *bridge,
				  const struct nd_prefix *subnets, size_t n_subnets, size_t *n_out,
				  struct nd_error *err);
/* Whether the network namespace has rules of iptables-legacy in its filter table. */
bool datapath_legacy_iptables(void);

/* A bridge that somebody else made (libvirt, for a network that netd takes over) becomes netd's:
 * it gets the plan's alias, provided it is a bridge of that name and MAC without another owner's
 * alias. */
int datapath_adopt_bridge(struct datapath *dp, const struct plan_bridge *bridge,
			  struct nd_error *err);

/* Bridges that are to go together, with less waiting than one after the other: by groups of eight,
 * so that no other user of rtnetlink on the machine waits longer than a group takes (0.2 s).
 * Names that are gone, or not netd's (the alias), are skipped. What the plans have on the bridges
 * goes with them; rules and sysctls do not. */
int datapath_delete_bridges(struct datapath *dp, const struct plan_bridge *bridges, size_t n,
			    struct nd_error *err);

/*
 * Makes a TAP (persistent, so that it outlives its descriptors until the VMM has it). It is down,
 * on no bridge, and gets no IPv6 address of its own. queues descriptors (at least 1) are written
 * to fds_out; the caller closes them. Fails when an interface of that name exists.
 */
struct tap_options {
	const char *name;		/* may hold one %d */
	const char *alias;		/* "netd:PORT-UUID"; NULL: none */
	struct nd_mac mac;		/* the host side's; see tap_host_mac(). Zero: the kernel's */
	uid_t owner_uid;		/* may open it without privileges; (uid_t)-1: only root */
	unsigned queues;		/* 1 to 256; more than one makes a multi-queue TAP */
	bool vnet_hdr, persist;
	const char *device;		/* NULL: /dev/net/tun */
};

int datapath_tap_create(struct datapath *dp, const struct tap_options *opt, char name_out[IFNAMSIZ],
			int *fds_out, struct nd_error *err);
/* How much of what a guest sends may wait in the host for each queue; 0: no limit. */
int datapath_tap_set_sndbuf(int fd, const char *name, uint32_t bytes, struct nd_error *err);
/* How many frames of the guest's the kernel takes in at once, where they come together. */
int datapath_tap_set_coalesce(const char *name, uint32_t rx_frames, struct nd_error *err);
/* No error when there is none. Refuses what is not a TAP. */
int datapath_tap_delete(struct datapath *dp, const char *name, struct nd_error *err);
/* The guest's MAC with the first byte FE (FA where it is FE already), as libvirt does. */
struct nd_mac tap_host_mac(const struct nd_mac *guest);
