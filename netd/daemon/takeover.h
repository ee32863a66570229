/* SPDX-License-Identifier: GPL-2.0-or-later */
/* takeover.h -- libvirt's networks become netd's: definitions, autostart links, running bridges
 *
 *	looked at -> leases and definition written -> its dnsmasq ended -> live file, bridge
 *	  | refused, or a write failed                       | (from here on it is netd's)
 *	  v                                                  v
 *	as libvirt left it                    checked as every network that ran before; once its
 *	                                      rules are in and its server answers, libvirt's rules
 *	                                      and live state go
 *
 * Everything may be done twice: what a crash left is gone on with at the next start. Definitions in
 * /etc/libvirt are only read.
 */
#pragma once
#include "netd/daemon/netd.h"

struct takeover;

/* After reconcile_load(), before the kernel is compared; only where netd.conf asks for it. Each
 * network that cannot be taken is left as it is, with a line in the log. */
void takeover_load(struct netd *d);
/* libvirt still has something of the network: takeover_finish() is to come. */
bool takeover_is_new(struct netd *d, const struct network *net);
/* Worker: the network is as netd wants it, so what libvirt still has of it goes. */
void takeover_finish(struct netd *d, const struct network *net);
void takeover_free(struct takeover *t);		/* NULL is fine */

/* netd --import-libvirt: puts the definitions of a folder like /etc/libvirt/qemu/networks beside
 * netd's own, with their autostart links, while no netd runs. What is there already stays. Prints
 * a line for each to stdout; fails when one could not be taken. */
int takeover_import(const struct paths *paths, const char *dir, struct nd_error *err);
