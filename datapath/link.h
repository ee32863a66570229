/* SPDX-License-Identifier: GPL-2.0-or-later */
/* link.h -- a network device as the kernel describes it */
#pragma once
#include "datapath/facts.h"
#include "datapath/nl.h"

struct link_info {
	struct link_fact fact;
	unsigned flags;			/* IFF_* */
	/* A bridge's own: */
	uint32_t forward_delay_cs;	/* hundredths of a second */
	bool stp, vlan_filtering;
	/* A VLAN device's: what it is on, and its tag. */
	int lower;
	uint16_t vlan;
	/* A bridge port's (fact.master is the bridge): */
	bool is_port, isolated, learning, unicast_flood;
};

/* Decodes RTM_NEWLINK and RTM_DELLINK. False when the message is not one. */
bool link_decode(const struct nlmsghdr *msg, struct link_info *out);

/* An RTM_GETLINK by name; *out is filled when the batch runs and the link exists. */
void link_request_get(struct nl_batch *b, const char *name, struct link_info *out);

/* The link of this name. 0, -ENODEV without text in err when there is none, or -errno. */
int link_get(struct nl *nl, const char *name, struct link_info *out, struct nd_error *err);

/* The same, by its index. */
int link_get_index(struct nl *nl, int ifindex, struct link_info *out, struct nd_error *err);

/* Reports every link (see nl_req_dump()). */
int link_dump(struct nl *nl, nl_reply_fn *reply, void *arg, struct nd_error *err);
