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

struct datapath_options {
	const char *run_dir;		/* where held sysctls and intents are recorded; borrowed */
	bool no_persist;		/* take the path of kernels without persistent nft tables */
};

int datapath_new(const struct datapath_options *opt, struct datapath **out, struct nd_error *err);
void datapath_free(struct datapath *dp);
ND_DEFINE_AUTO(struct datapath *, datapath_free)

/* Applies steps; on error the finished ones are undone, newest first. All nft steps go in one
 * transaction. owner is the network's UUID text, for intents and aliases. */
int datapath_apply(struct datapath *dp, const struct plan_diff *steps, const char *owner,
		   struct nd_error *err);

/* What the kernel has of the objects that `scope` names, and of objects that carry the owner's
 * alias: the `was` of a diff. */
int datapath_read(struct datapath *dp, const struct plan *scope, const char *owner,
		  struct plan **out, struct nd_error *err);

int datapath_facts(struct datapath *dp, struct host_facts **out, struct nd_error *err);

/* Foreign nft base chains (forward, input hooks) with policy drop or a drop verdict that could
 * hit the network: calls back with a sentence for each. */
int datapath_foreign_drops(struct datapath *dp, void (*found)(void *arg, const char *sentence),
			   void *arg, struct nd_error *err);

/*
 * Makes a TAP (persistent, so that it outlives this descriptor until the VMM has it) or opens an
 * existing one. queues descriptors are written to fds_out; owner_uid (uid_t)-1: root.
 */
struct tap_options {
	const char *name;		/* may hold one %d */
	struct nd_mac mac;		/* the host side's; see tap_host_mac() */
	uid_t owner_uid;
	unsigned queues;
	bool vnet_hdr, persist;
};

int datapath_tap_create(struct datapath *dp, const struct tap_options *opt, char name_out[IFNAMSIZ],
			int *fds_out, struct nd_error *err);
int datapath_tap_delete(struct datapath *dp, const char *name, struct nd_error *err);
/* The guest's MAC with the first byte FE (FA where it is FE already), as libvirt does. */
struct nd_mac tap_host_mac(const struct nd_mac *guest);
