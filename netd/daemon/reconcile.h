/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reconcile.h -- making the kernel what the files say: at the daemon's start, at a reload, and when the host's names change */
#pragma once
#include "netd/daemon/netd.h"

/*
 * Reads the kernel once, removes what an earlier netd left, and queues the check of every active
 * network, which adopts its server; then strays end and networks to be started at boot are
 * started. Before anything else may change networks.
 */
int reconcile_start(struct netd *d, struct nd_error *err);
/* HUP: definitions that were put on disk meanwhile; networks to be started that are not. */
void reconcile_reload(struct netd *d);

/* The host's resolvers or names changed: every server is told, and may reach the new ones. */
void reconcile_follow_host(struct netd *d);
