/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reconcile.h -- making the kernel what the files say: at the daemon's start, and when it drifts
 *
 * Both are the same: read what the kernel has of a network, compile what it should have, apply
 * the difference.
 */
#pragma once
#include "netd/daemon/netd.h"

/* What the kernel had when the daemon started, until all networks that ran are checked. */
struct boot {
	struct datapath_snapshot *snapshot;
	struct host_facts *facts;
	size_t n_checks;		/* not through yet */
};

/* Loads definitions, live state and ports into the registry. Before the loop runs. */
void reconcile_load(struct netd *d);
/*
 * Reads the kernel once, removes what an earlier netd left, and queues the check of every active
 * network, which adopts its server; then strays end and networks to be started at boot are
 * started. Before anything else may change networks.
 */
int reconcile_start(struct netd *d, struct nd_error *err);
void reconcile_end(struct netd *d);
/* HUP: definitions that were put on disk meanwhile; networks to be started that are not. */
void reconcile_reload(struct netd *d);

/* Queues a check of the network against the kernel, unless it is held, inactive, or one waits. */
void reconcile_check(struct netd *d, struct network *net);
/* The host's resolvers or names changed: every server is told, and may reach the new ones. */
void reconcile_follow_host(struct netd *d);
