/* SPDX-License-Identifier: GPL-2.0-or-later */
/* route.h -- requests for addresses and routes, and what the kernel has of them */
#pragma once
#include "datapath/facts.h"
#include "datapath/nl.h"
#include "datapath/plan.h"

/* RTM_NEWADDR (fails with EEXIST when it is there) or RTM_DELADDR. IPv6 addresses skip duplicate
 * detection: a bridge has no carrier to detect on until its first port. */
void addr_request(struct nl_batch *b, uint16_t type, int ifindex, const struct plan_addr *a);

/* RTM_NEWROUTE or RTM_DELROUTE in the main table. flags: NLM_F_EXCL or NLM_F_REPLACE for NEW. */
void route_request(struct nl_batch *b, uint16_t type, uint16_t flags, int ifindex,
		   const struct plan_route *r);

struct kernel_addr {
	int ifindex;
	struct nd_prefix prefix;
};

/* RTM_NEWADDR or RTM_DELADDR; false when the message is neither. */
bool addr_decode(const struct nlmsghdr *msg, struct kernel_addr *out);

/* Reports every address of both families (see nl_req_dump()). */
int addr_dump(struct nl *nl, nl_reply_fn *reply, void *arg, struct nd_error *err);

struct kernel_route {
	int oif;			/* of a multipath route its first */
	struct nd_prefix dst;
	struct nd_ip gateway, prefsrc;
	uint32_t metric, table;
	uint8_t protocol, type;		/* RTPROT_*, RTN_* */
};

/* RTM_NEWROUTE or RTM_DELROUTE; false when the message is neither, or no IP route. */
bool route_decode(const struct nlmsghdr *msg, struct kernel_route *out);

/* What a compile needs to know of it. */
struct route_fact route_fact_of(const struct kernel_route *k);

/* The metric that the kernel gives the plan's route: 0 becomes 1024 in IPv6. */
uint32_t route_metric(const struct plan_route *r);
/* The kernel's route is this plan's, up to the gateway. */
bool route_matches(const struct kernel_route *k, int ifindex, const struct plan_route *r);

/* Reports the routes of a family in the main table (see nl_req_dump()). */
int route_dump(struct nl *nl, sa_family_t family, nl_reply_fn *reply, void *arg,
	       struct nd_error *err);

/* The interface has the plan's address or route. */
bool route_item_is_there(struct nl *nl, const struct plan_item *item, int ifindex);
