/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest_tune.h -- the bandwidth of a guest's NIC changes, while it runs and in its definition */
#pragma once
#include "netd/daemon/bandwidth_params.h"
#include "netd/daemon/guest_change.h"

/* By name or MAC; a direction that the parameters do not tell stays. live, config: as for
 * guest_update(). */
int guest_tune(struct guest *g, const char *device, const struct bandwidth_params *params,
	       bool live, bool config, guest_done done, void *arg, struct nd_error *err);

/* Steps of changes that leave c->live its NICs: the bandwidth of the one that has another becomes
 * true. Without c->live, or when all have the same, they do nothing. */
#define GUEST_TUNE_STEPS \
	{ "shaping its port", false, guest_tune_port, guest_tune_port_undo }, \
	{ "shaping its device", true, guest_tune_link, guest_tune_link_undo }
int guest_tune_port(struct operation *op, struct nd_error *err);
int guest_tune_port_undo(struct operation *op);
int guest_tune_link(struct operation *op, struct nd_error *err);
int guest_tune_link_undo(struct operation *op);

/* For a guest that is found again: netd may have been killed amid a change. What its ports have is
 * what it has (c->live, if that is news), and its own devices get what is written down. */
int guest_tune_follow_ports(struct operation *op, struct nd_error *err);
int guest_tune_mend_links(struct operation *op, struct nd_error *err);		/* worker */
