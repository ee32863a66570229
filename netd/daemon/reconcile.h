/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reconcile.h -- making the kernel what the files say: at the daemon's start, and when it drifts
 *
 * Both are the same: read what the kernel has of a network, compile what it should have, apply
 * the difference.
 */
#pragma once
#include "netd/daemon/netd.h"

/* Loads definitions, live state and ports into the registry. Before the loop runs. */
void reconcile_load(struct netd *d);
/*
 * Reads the kernel once, removes what an earlier netd left, and queues the check of every active
 * network, which adopts its server; then strays end and networks to be started at boot are
 * started. Before anything else may change networks.
 */
int reconcile_start(struct netd *d, struct nd_error *err);
/* HUP: definitions that were put on disk meanwhile; networks to be started that are not. */
void reconcile_reload(struct netd *d);

/* Queues a check of the network against the kernel, unless it is held, inactive, or one waits. */
void reconcile_check(struct netd *d, struct network *net);
/* The same without its rules, of whose changes the kernel tells by notices of their own (rules.h):
 * they are most of what there is to read. */
void reconcile_check_links(struct netd *d, struct network *net);
/* The same for all networks, with one look at the kernel. */
void reconcile_check_all(struct netd *d);
/* The host's resolvers or names changed: every server is told, and may reach the new ones. */
void reconcile_follow_host(struct netd *d);
