/* SPDX-License-Identifier: GPL-2.0-or-later */
/* check.h -- a network against the kernel: read what is there, compile what should be, apply the difference */
#pragma once
#include "netd/daemon/netd.h"

struct round;

/* Queues a check of the network against the kernel, unless it is held, inactive, or one waits. */
void check_network(struct netd *d, struct network *net);
/* The same without its rules, of whose changes the kernel tells by notices of their own (rules.h):
 * they are most of what there is to read. */
void check_links(struct netd *d, struct network *net);
/* The same for all networks, with one look at the kernel. */
void check_all(struct netd *d);

/*
 * At the daemon's start: queues the checks of all networks that ran, against a look that has been had, once what
 * none of them wants, a leftover, is gone; unless some file could not be read or some network compiled: then
 * nobody knows. The checks adopt the servers, and hold the round. 0 or a negative errno with nothing queued.
 */
int check_at_start(struct netd *d, struct round *round, struct nd_error *err);
