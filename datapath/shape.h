/* SPDX-License-Identifier: GPL-2.0-or-later */
/* shape.h -- traffic control on a link: the requests that make it, and what there is
 *
 *	root 1: htb --- 1:1 all -+- 1:2 the pool (default)
 *	                         +- 1:3 ... floors, each with a u32 filter for its guest's MAC,
 *	                                    whose preference is the class's number
 *	ffff: ingress, u32 filter of preference 1 for everything, with a police action
 *
 * Where the kernel has it, each class that sends has sfq, so that no flow keeps others waiting.
 * A shaper without floors has only 1:1. All as libvirt lays it out, but that a floor is for every
 * frame to the guest and not for IPv4 only.
 */
#pragma once
#include <linux/pkt_cls.h>

#include "datapath/nl.h"
#include "datapath/plan.h"

/* What a u32 filter selects, with room for two keys behind it. */
union shape_sel {
	struct tc_u32_sel u32;
	uint8_t bytes[sizeof(struct tc_u32_sel) + 2 * sizeof(struct tc_u32_key)];
};

enum { SHAPE_ALL = 1, SHAPE_POOL = 2, SHAPE_FIRST_FLOOR = 3 };

/* From nothing: what is there goes first, and in a batch of its own, since a request that the kernel
 * was too busy for is tried again behind the others. */
void shaper_request_create(struct nl_batch *b, int ifindex, const struct plan_shaper *want);
void floor_request_create(struct nl_batch *b, int ifindex, const struct plan_floor *want);
void policer_request_create(struct nl_batch *b, int ifindex, const struct plan_policer *want);
/* A shaper's classes get other rates; what waits in them stays. */
void shaper_request_change(struct nl_batch *b, int ifindex, const struct plan_shaper *want);
/* Removals fail with ENOENT or EINVAL where there is nothing. Without `any` only netd's own root
 * goes. */
void shaper_request_remove(struct nl_batch *b, int ifindex, const char *ifname, bool any);
void floor_request_remove(struct nl_batch *b, int ifindex, const struct plan_floor *was);
void policer_request_remove(struct nl_batch *b, int ifindex, const char *ifname);

/* The request makes something better that works without. */
bool shape_request_optional(const struct nl_req *rq);

/* How long sending so much takes, in the kernel's ticks, as its bursts are counted. */
uint32_t shape_ticks(uint64_t rate, uint64_t bytes);
/* The burst at the peak that goes with the shaper's. */
uint64_t shape_peak_burst(const struct plan_shaper *s);

/* What the kernel has, read once: qdiscs of all links, the rest per link when asked for. */
struct shape_view;

int shape_view_new(struct nl *nl, struct shape_view **out, struct nd_error *err);
void shape_view_free(struct shape_view *v);		/* NULL is fine */
ND_DEFINE_AUTO(struct shape_view *, shape_view_free)
/* The wanted shaper, floor or policer as the link has it; false when it has none, or only a part. */
bool shape_view_read(struct shape_view *v, int ifindex, const struct plan_item *want,
		     struct plan_item *out);
/* Adds what the link has and the scope does not name: left by a netd that was killed. -ENOMEM. */
int shape_view_leftovers(struct shape_view *v, int ifindex, const char *ifname,
			 const struct plan *scope, struct plan *out);
