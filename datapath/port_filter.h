/* SPDX-License-Identifier: GPL-2.0-or-later */
/* port_filter.h -- what the ports of bridges may send and receive: table "bridge netd"
 *
 * Each filtered port has chains of its own, found by its name in verdict maps, so that a frame costs
 * the same however many ports there are. The whole table is one value: port_filters_apply() makes
 * the kernel's equal to the filters that it is given, in one transaction, and starts, changes, ends,
 * restarts and repairs are all this one call. Ports whose rules are right already are not touched,
 * so that what was learned of them stays.
 *
 *	chain frames_from   prerouting,  iifname: goto the port's chain	  accept ends this stage only
 *	chain packets_from  prerouting,  the same, after it
 *	chain frames_to     postrouting, oifname
 *	chain packets_to    postrouting
 */
#pragma once
#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "netd/base/auto.h"
#include "netd/base/error.h"

/* What is looked at. Payload of the three layers: offset and len; the others have their own size. */
enum filter_subject {
	FILTER_LINK, FILTER_NETWORK, FILTER_TRANSPORT,
	FILTER_L4PROTO,			/* 1 byte: the protocol above IP, behind extension headers */
	FILTER_CT_STATE,		/* 4 bytes, host order: NF_CT_STATE bits; with mask and NEQ 0: any of them */
	/* No comparison: more than `count` connections came by here. Behind a test for new connections only:
	 * the kernel goes on counting one that was dropped until the next new one comes by. */
	FILTER_CT_OVER,
	FILTER_TCP_OPTION,		/* no comparison: the TCP option `count` is there */
};

enum filter_op {
	FILTER_EQ, FILTER_NEQ, FILTER_RANGE, FILTER_NOT_RANGE,
	/* Of payload with len 4: the port's learned IPv4 addresses. */
	FILTER_LEARNED, FILTER_NOT_LEARNED,
	FILTER_LEARN,			/* becomes one of them while there is room; goes on when it is one */
};

struct filter_test {
	enum filter_subject subject;
	uint16_t offset, len;		/* bytes of the payload; len at most 16 */
	enum filter_op op;
	bool has_mask;
	uint8_t mask[16], from[16], to[16];	/* in the packet's order; `to` for ranges */
	uint32_t count;
};

enum filter_verdict { FILTER_ACCEPT, FILTER_DROP, FILTER_REJECT, FILTER_RETURN, FILTER_CONTINUE, FILTER_JUMP };

enum { FILTER_TESTS_MAX = 32 };		/* of one rule */

struct filter_rule {
	struct filter_test *tests;	/* all of them hold */
	size_t n_tests;
	enum filter_verdict verdict;
	size_t jump;			/* the index of a chain of the same filter, none of the stages' */
	char *comment;			/* NULL: none; nft list shows up to 127 bytes of it */
};

struct filter_chain {
	char name[48];			/* of this port only: "frames_from", "frames_from_arp"; starts with a letter */
	struct filter_rule *rules;
	size_t n_rules;
};

enum filter_stage { FILTER_FRAMES_FROM, FILTER_PACKETS_FROM, FILTER_FRAMES_TO, FILTER_PACKETS_TO, FILTER_STAGES };

struct port_filter {
	char ifname[IFNAMSIZ];
	struct filter_chain *chains;	/* the first FILTER_STAGES are the stages', perhaps without rules */
	size_t n_chains;
	uint32_t learns;		/* so many IPv4 addresses at most; 0: none */
};

/* What a stage's chain is called in every filter: "frames_from". */
const char *filter_stage_name(enum filter_stage stage);

struct port_filter *port_filter_new(const char *ifname);	/* with the stages' chains; NULL: no memory */
void port_filter_free(struct port_filter *f);			/* NULL is fine */
ND_DEFINE_AUTO(struct port_filter *, port_filter_free)
/* All three: NULL when out of memory; what they return is good until the next one is added. */
struct filter_chain *port_filter_add_chain(struct port_filter *f, const char *name);
struct filter_rule *filter_chain_add_rule(struct filter_chain *c);
struct filter_test *filter_rule_add_test(struct filter_rule *r);

struct port_filter *port_filter_copy(const struct port_filter *f);	/* NULL: no memory */
bool port_filter_equal(const struct port_filter *a, const struct port_filter *b);
/* No stage has a rule: everything passes, and the port has nothing in the table. */
bool port_filter_is_empty(const struct port_filter *f);

/* One line per rule, for dry runs and tests: "frames_from: link+12:2 == 0806 -> jump frames_from_arp".
 * Caller frees; NULL: out of memory. */
char *port_filter_format(const struct port_filter *f);

struct port_filters;

/* Opens a netlink socket of its own. no_persist: as nft_new()'s. */
int port_filters_new(bool no_persist, struct port_filters **out, struct nd_error *err);
void port_filters_free(struct port_filters *pf);		/* NULL is fine; the table stays */
ND_DEFINE_AUTO(struct port_filters *, port_filters_free)
/* For telling own transactions from other programs' (see nft_portid()). */
uint32_t port_filters_portid(const struct port_filters *pf);

/*
 * The table holds exactly these filters afterwards, or what it held before. None: the table goes.
 * Names of ports are different; that they exist is not needed. Nothing is sent when all is so already.
 * A table that an earlier netd left is taken over; one of another netd that runs is refused.
 * ND_ERR_CONFIG_UNSUPPORTED and a sentence where the kernel has no such rules (the bridge family, or
 * its connection tracking).
 */
int port_filters_apply(struct port_filters *pf, const struct port_filter *const *want, size_t n,
		       struct nd_error *err);
