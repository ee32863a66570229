/* SPDX-License-Identifier: GPL-2.0-or-later */
/* port_filter_fixture.h -- filters in few words, for the tests of port filters */
#pragma once
#include <linux/netfilter/nf_conntrack_common.h>
#include <net/if.h>

#include "datapath/port_filter.h"
#include "tests/netns/nft_fixture.h"

static struct nd_error err;

static inline struct port_filters *engine(bool no_persist)
{
	struct port_filters *pf = NULL;

	ck_assert_msg(port_filters_new(no_persist, &pf, &err) == 0, "%s", err.text);
	return pf;
}

static inline void apply(struct port_filters *pf, const struct port_filter *const *want, size_t n)
{
	ck_assert_msg(port_filters_apply(pf, want, n, &err) == 0, "%s", err.text);
}

static inline void apply_one(struct port_filters *pf, const struct port_filter *f)
{
	apply(pf, &f, 1);
}

/* ---- filters in few words ---- */

static inline void hex(uint8_t *to, const char *text)
{
	unsigned byte;

	for (; text && *text; text += 2) {
		ck_assert_int_eq(sscanf(text, "%2x", &byte), 1);
		*to++ = (uint8_t)byte;
	}
}

static inline struct filter_rule *rule(struct port_filter *f, size_t chain, enum filter_verdict verdict)
{
	struct filter_rule *r = filter_chain_add_rule(&f->chains[chain]);

	r->verdict = verdict;
	return r;
}

static inline struct filter_test *test(struct filter_rule *r, enum filter_subject subject, uint16_t offset,
				uint16_t len, enum filter_op op, const char *from)
{
	struct filter_test *t = filter_rule_add_test(r);

	*t = (struct filter_test){ .subject = subject, .offset = offset, .len = len, .op = op };
	hex(t->from, from);
	return t;
}

static inline void is_ethertype(struct filter_rule *r, const char *type)
{
	test(r, FILTER_LINK, 12, 2, FILTER_EQ, type);
}

static inline void ct_state(struct filter_rule *r, uint32_t bits)
{
	struct filter_test *t = test(r, FILTER_CT_STATE, 0, 4, FILTER_NEQ, NULL);

	t->has_mask = true;
	memcpy(t->mask, &bits, sizeof(bits));
}

static inline void comment(struct filter_rule *r, const char *text)
{
	r->comment = strdup(text);
}

/* As a compiler would make it of clean-traffic: ARP and IPv4 of one MAC and the first address only. */
static inline struct port_filter *clean_traffic(const char *ifname)
{
	struct port_filter *f = port_filter_new(ifname);
	size_t arp = f->n_chains;
	struct filter_rule *r;

	port_filter_add_chain(f, "frames_from_arp-x");
	f->learns = true;
	r = rule(f, FILTER_FRAMES_FROM, FILTER_JUMP);
	is_ethertype(r, "0806");
	r->jump = arp;
	r = rule(f, FILTER_FRAMES_FROM, FILTER_ACCEPT);
	is_ethertype(r, "0800");
	test(r, FILTER_NETWORK, 12, 4, FILTER_LEARN, NULL);
	comment(r, "no-ip-spoofing \"first\"");
	r = rule(f, FILTER_FRAMES_FROM, FILTER_DROP);
	is_ethertype(r, "0800");
	test(r, FILTER_NETWORK, 12, 4, FILTER_NOT_LEARNED, NULL);
	r = rule(f, arp, FILTER_DROP);
	test(r, FILTER_LINK, 6, 6, FILTER_NEQ, "02000000000a");
	r = rule(f, arp, FILTER_RETURN);
	is_ethertype(r, "0806");	/* or nft(8) cannot tell that it is an address, and not read its listing */
	test(r, FILTER_NETWORK, 14, 4, FILTER_LEARNED, NULL);
	rule(f, arp, FILTER_DROP);
	r = rule(f, FILTER_FRAMES_TO, FILTER_DROP);
	is_ethertype(r, "86dd");
	test(r, FILTER_L4PROTO, 0, 1, FILTER_EQ, "3a");
	return f;
}

static inline struct port_filter *tracked(const char *ifname)
{
	struct port_filter *f = port_filter_new(ifname);
	struct filter_rule *r;
	uint32_t state = NF_CT_STATE_INVALID_BIT;

	r = rule(f, FILTER_PACKETS_FROM, FILTER_ACCEPT);
	is_ethertype(r, "0800");
	test(r, FILTER_L4PROTO, 0, 1, FILTER_EQ, "11");
	ct_state(r, NF_CT_STATE_BIT(IP_CT_NEW) | NF_CT_STATE_BIT(IP_CT_ESTABLISHED));
	r = rule(f, FILTER_PACKETS_FROM, FILTER_DROP);
	is_ethertype(r, "0800");
	r = rule(f, FILTER_PACKETS_TO, FILTER_ACCEPT);
	is_ethertype(r, "0800");
	ct_state(r, NF_CT_STATE_BIT(IP_CT_ESTABLISHED));
	r = rule(f, FILTER_PACKETS_TO, FILTER_DROP);
	is_ethertype(r, "0800");
	r = rule(f, FILTER_PACKETS_TO, FILTER_ACCEPT);
	memcpy(test(r, FILTER_CT_STATE, 0, 4, FILTER_EQ, NULL)->from, &state, sizeof(state));
	return f;
}

static inline struct port_filter *limited(const char *ifname)
{
	struct port_filter *f = port_filter_new(ifname);
	struct filter_rule *r = rule(f, FILTER_PACKETS_FROM, FILTER_DROP);

	is_ethertype(r, "0800");
	ct_state(r, NF_CT_STATE_BIT(IP_CT_NEW));
	test(r, FILTER_CT_OVER, 0, 0, FILTER_EQ, NULL)->count = 1;
	return f;
}

static inline struct port_filter *rejecting(const char *ifname)
{
	struct port_filter *f = port_filter_new(ifname);

	is_ethertype(rule(f, FILTER_PACKETS_FROM, FILTER_REJECT), "0800");
	return f;
}

/* True when the kernel can do it; else it says why not in a plain sentence, and has changed nothing. */
static inline bool kernel_has(const struct port_filter *f, const char *what)
{
	struct port_filters *pf = engine(false);
	int r = port_filters_apply(pf, &f, 1, &err);

	if (r == 0)
		apply(pf, NULL, 0);
	port_filters_free(pf);
	assert_ruleset_empty();
	if (r == 0)
		return true;
	ck_assert_int_eq(err.kind, ND_ERR_CONFIG_UNSUPPORTED);
	ck_assert_msg(strstr(err.text, "this kernel has no ") == err.text && strstr(err.text, what), "%s",
		      err.text);
	printf("skipped: %s\n", err.text);
	return false;
}

static const struct {
	struct port_filter *(*make)(const char *ifname);
	const char *what;
} optional[] = {
	{ tracked, "connection tracking of bridged packets" },
	{ limited, "connection tracking of bridged packets" },
	{ rejecting, "reject for bridged packets" },
};
