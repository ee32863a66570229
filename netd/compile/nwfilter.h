/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nwfilter.h -- what a NIC's <filterref> means: rules of its port on the bridge
 *
 * Pure. nwfilter.c walks the filters and fills in the variables, nwfilter_rule.c writes one rule of tests
 * (nwfilter_test.c), and nwfilter_learn.c those that find out what $IP is.
 */
#pragma once
#include "datapath/port_filter.h"
#include "netd/model/nwfilter.h"

/* A NIC that is filtered; all borrowed. */
struct nic_filter {
	const char *ifname;
	struct nd_mac mac;		/* the guest's: $MAC */
	const struct nwfilter_ref *ref;
};

/* The filter of that name, borrowed until the compilation ends; NULL: there is none. */
typedef const struct nwfilter_def *(*nwfilter_find_fn)(void *arg, const char *name);

/*
 * The port's rules. ND_ERR_NO_NWFILTER where a filter is not there, ND_ERR_CONFIG_UNSUPPORTED where
 * variables have no values, or no good ones, and for what nftables cannot do. The caller frees *out.
 */
int compile_port_filter(const struct nic_filter *nic, nwfilter_find_fn find, void *arg, struct port_filter **out,
			struct nd_error *err);

/* ---- between these files ---- */

/* A value with its variable filled in. */
struct nwfilter_text {
	const char *text;
	bool learned;			/* instead: what the port turns out to have */
};

/* One use of a rule: in which stage, and with which values. */
struct nwfilter_use {
	const struct nwfilter_rule *rule;
	enum filter_stage stage;
	/* The text of a match, with this use's values. */
	struct nwfilter_text (*fill)(void *arg, const char *text);
	void *arg;
};

/* True when the rule has something to say in the stage. */
bool nwfilter_rule_speaks(const struct nwfilter_rule *rule, enum filter_stage stage);
/* Appends it to the chain. */
int nwfilter_rule_write(struct filter_chain *chain, const struct nwfilter_use *use, struct nd_error *err);
/* Appends a test that a frame is of the protocol's kind, or its packet is of the protocol: where the protocol
 * says so much. 0 or -ENOMEM, as all of these. */
int nwfilter_test_kind(struct filter_rule *rule, enum nwfilter_proto proto);
int nwfilter_test_l4proto(struct filter_rule *rule, enum nwfilter_proto proto);
int nwfilter_test_bytes(struct filter_rule *rule, enum filter_subject subject, unsigned offset, unsigned len,
			enum filter_op op, const void *value);
int nwfilter_test_u8(struct filter_rule *rule, enum filter_subject subject, unsigned offset, uint8_t value);
int nwfilter_test_arp_format(struct filter_rule *rule);
bool nwfilter_is_ipv6(enum nwfilter_proto proto);

/* Learns the IPv4 address that the guest with the MAC names first: of what it sends. 0 or -ENOMEM. */
int nwfilter_learn_any(struct filter_chain *from, const struct nd_mac *mac);
/* Learns what DHCP gives to the guest with the MAC: of what it receives. server: NULL: any; else "10.0.0.1".
 * 0, -ENOMEM, or ND_ERR_CONFIG_UNSUPPORTED where that is no address. */
int nwfilter_learn_dhcp(struct filter_chain *to, const struct nd_mac *mac, const char *server, struct nd_error *err);
