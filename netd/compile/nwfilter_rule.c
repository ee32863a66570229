/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nwfilter_rule.c -- one rule of a filter as tests of bytes
 *
 * A rule speaks of its own direction. Where it counts in the other one too, source and destination
 * change places.
 */
#include "netd/compile/nwfilter.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <stdlib.h>
#include <string.h>

/* Where a field is. Offsets in bytes; a length of 0 for what stands elsewhere in IPv6. */
struct place {
	enum filter_subject subject;
	uint16_t offset, len;
	uint16_t offset6, len6;
	bool partner;			/* a mask or an end of it may stand right after it */
	uint8_t bits[2];		/* of it, when not all: a mask */
	uint8_t shift;			/* the value's, to the left */
	bool mirrored;			/* `mirror` is the other direction's field */
	enum nwfilter_field mirror;
};

#define MIRROR(field) .mirrored = true, .mirror = (field)

/* Ethernet's header has 14 bytes; a BPDU stands behind three of LLC (IEEE 802.1D 9.3.1). */
static const struct place places[NWF_FIELDS] = {
	[NWF_SRC_MAC] = { FILTER_LINK, 6, 6, .partner = true, MIRROR(NWF_DST_MAC) },
	[NWF_DST_MAC] = { FILTER_LINK, 0, 6, .partner = true, MIRROR(NWF_SRC_MAC) },
	[NWF_ETHERTYPE] = { FILTER_LINK, 12, 2 },
	[NWF_VLAN_ID] = { FILTER_LINK, 14, 2, .bits = { 0x0f, 0xff } },
	[NWF_VLAN_PROTOCOL] = { FILTER_LINK, 16, 2 },
	[NWF_STP_TYPE] = { FILTER_LINK, 20, 1 },
	[NWF_STP_FLAGS] = { FILTER_LINK, 21, 1 },
	[NWF_STP_ROOT_PRIORITY] = { FILTER_LINK, 22, 2, .partner = true },
	[NWF_STP_ROOT_MAC] = { FILTER_LINK, 24, 6, .partner = true },
	[NWF_STP_ROOT_COST] = { FILTER_LINK, 30, 4, .partner = true },
	[NWF_STP_SENDER_PRIORITY] = { FILTER_LINK, 34, 2, .partner = true },
	[NWF_STP_SENDER_MAC] = { FILTER_LINK, 36, 6, .partner = true },
	[NWF_STP_PORT] = { FILTER_LINK, 42, 2, .partner = true },
	[NWF_STP_AGE] = { FILTER_LINK, 44, 2, .partner = true },
	[NWF_STP_MAX_AGE] = { FILTER_LINK, 46, 2, .partner = true },
	[NWF_STP_HELLO] = { FILTER_LINK, 48, 2, .partner = true },
	[NWF_STP_FORWARD_DELAY] = { FILTER_LINK, 50, 2, .partner = true },
	[NWF_ARP_HW_TYPE] = { FILTER_NETWORK, 0, 2 },
	[NWF_ARP_PROTOCOL] = { FILTER_NETWORK, 2, 2 },
	[NWF_ARP_OPCODE] = { FILTER_NETWORK, 6, 2 },
	[NWF_ARP_SRC_MAC] = { FILTER_NETWORK, 8, 6, MIRROR(NWF_ARP_DST_MAC) },
	[NWF_ARP_SRC_IP] = { FILTER_NETWORK, 14, 4, .partner = true, MIRROR(NWF_ARP_DST_IP) },
	[NWF_ARP_DST_MAC] = { FILTER_NETWORK, 18, 6, MIRROR(NWF_ARP_SRC_MAC) },
	[NWF_ARP_DST_IP] = { FILTER_NETWORK, 24, 4, .partner = true, MIRROR(NWF_ARP_SRC_IP) },
	[NWF_SRC_IP] = { FILTER_NETWORK, 12, 4, 8, 16, .partner = true, MIRROR(NWF_DST_IP) },
	[NWF_DST_IP] = { FILTER_NETWORK, 16, 4, 24, 16, .partner = true, MIRROR(NWF_SRC_IP) },
	[NWF_SRC_IP_FROM] = { FILTER_NETWORK, 12, 4, 8, 16, .partner = true, MIRROR(NWF_DST_IP_FROM) },
	[NWF_DST_IP_FROM] = { FILTER_NETWORK, 16, 4, 24, 16, .partner = true, MIRROR(NWF_SRC_IP_FROM) },
	[NWF_IP_PROTOCOL] = { FILTER_L4PROTO, 0, 1 },
	[NWF_DSCP] = { FILTER_NETWORK, 1, 1, 0, 2 },	/* the bits by family: see test_dscp() */
	[NWF_SRC_PORT] = { FILTER_TRANSPORT, 0, 2, .partner = true, MIRROR(NWF_DST_PORT) },
	[NWF_DST_PORT] = { FILTER_TRANSPORT, 2, 2, .partner = true, MIRROR(NWF_SRC_PORT) },
	[NWF_ICMP_TYPE] = { FILTER_TRANSPORT, 0, 1, .partner = true },
	[NWF_ICMP_CODE] = { FILTER_TRANSPORT, 1, 1, .partner = true },
	[NWF_TCP_FLAGS] = { FILTER_TRANSPORT, 13, 1 },
};

/* A rule being written. */
struct writer {
	struct filter_rule *rule;
	const struct nwfilter_use *use;
	const struct nwfilter_element *element;
	bool reversed, v6;
	struct nd_error *err;
};

static bool stage_is_out(enum filter_stage stage)
{
	return stage == FILTER_FRAMES_FROM || stage == FILTER_PACKETS_FROM;
}

static bool stage_is_packets(enum filter_stage stage)
{
	return stage == FILTER_PACKETS_FROM || stage == FILTER_PACKETS_TO;
}

/* The direction of which the rule speaks; one for both speaks of what comes in. */
static bool speaks_of_out(const struct nwfilter_rule *rule)
{
	return rule->direction == NWFILTER_OUT;
}

static bool counts_in(const struct nwfilter_rule *rule, enum filter_stage stage)
{
	return rule->direction == NWFILTER_INOUT || speaks_of_out(rule) == stage_is_out(stage);
}

static const struct nwfilter_match *match_of(const struct nwfilter_element *e, enum nwfilter_field field)
{
	for (size_t i = 0; i < e->n_matches; i++)
		if (e->matches[i].attr->field == field)
			return &e->matches[i];
	return NULL;
}

static bool rule_has(const struct nwfilter_rule *rule, enum nwfilter_field field)
{
	for (size_t i = 0; i < rule->n_elements; i++)
		if (match_of(&rule->elements[i], field))
			return true;
	return false;
}

static bool accepts(const struct nwfilter_rule *rule)
{
	return rule->action == NWFILTER_ACCEPT || rule->action == NWFILTER_RETURN;
}

/* What is let through brings its answers; but an answer of ICMP is of another type. */
static bool lets_answers(const struct nwfilter_rule *rule)
{
	return accepts(rule) && !rule_has(rule, NWF_STATE) && !rule_has(rule, NWF_ICMP_TYPE) &&
	       !rule_has(rule, NWF_CONNLIMIT_ABOVE);
}

bool nwfilter_rule_speaks(const struct nwfilter_rule *rule, enum filter_stage stage)
{
	bool packets = nwfilter_proto_is_ip(rule->proto);

	if (packets != stage_is_packets(stage))
		return false;
	return counts_in(rule, stage) || (packets && lets_answers(rule));
}

/* ---- the protocol ---- */

static bool has_arp_address(const struct nwfilter_rule *rule)
{
	for (enum nwfilter_field f = NWF_ARP_SRC_MAC; f <= NWF_ARP_DST_IP_MASK; f++)
		if (rule_has(rule, f))
			return true;
	return false;
}

static int test_kind(struct writer *w)
{
	const struct nwfilter_rule *rule = w->use->rule;
	int r = nwfilter_test_kind(w->rule, rule->proto);

	if (r == 0)
		r = nwfilter_test_l4proto(w->rule, rule->proto);
	if (r == 0 && has_arp_address(rule))
		r = nwfilter_test_arp_format(w->rule);
	return r < 0 ? nd_error_nomem(w->err) : 0;
}

/* ---- values ---- */

static int value_of(struct writer *w, const struct nwfilter_match *m, struct nwfilter_value *out, bool *learned)
{
	struct nwfilter_text filled = w->use->fill(w->use->arg, m->text);

	*learned = filled.learned;
	return filled.learned ? 0 : nwfilter_value_parse(m->attr, filled.text, out, w->err);
}

static void put_value(const struct nwfilter_attr *attr, const struct nwfilter_value *v, const struct place *place,
		      uint8_t *to, unsigned len)
{
	uint32_t number = htonl(v->number << place->shift);

	switch (attr->kind) {
	case NWFILTER_MAC_ADDR:
	case NWFILTER_MAC_MASK:
		memcpy(to, &v->mac, len);
		break;
	case NWFILTER_IPV4_ADDR:
	case NWFILTER_IPV4_MASK:
	case NWFILTER_IPV6_ADDR:
	case NWFILTER_IPV6_MASK:
		memcpy(to, &v->ip.v6, len);
		break;
	default:
		memcpy(to, (uint8_t *)&number + sizeof(number) - len, len);
	}
}

static void set_mask(struct filter_test *t, const uint8_t *mask)
{
	t->has_mask = true;
	memcpy(t->mask, mask, t->len);
	for (unsigned i = 0; i < t->len; i++)
		t->from[i] &= mask[i];
}

/* The attribute that stands right after the field's: its mask or its end. */
static int put_partner(struct writer *w, const struct place *place, enum nwfilter_field field, struct filter_test *t)
{
	const struct nwfilter_match *m = match_of(w->element, field + 1);
	struct nwfilter_value v = { 0 };
	uint8_t bytes[16] = { 0 };
	bool learned;
	int r;

	if (!m)
		return 0;
	r = value_of(w, m, &v, &learned);
	if (r < 0)
		return r;
	put_value(m->attr, &v, place, bytes, t->len);
	if (m->attr->role == NWFILTER_MASK) {
		set_mask(t, bytes);
		return 0;
	}
	if (memcmp(t->from, bytes, t->len) > 0)
		return nd_error_set(w->err, ND_ERR_CONFIG_UNSUPPORTED, "'%s' is below where the range begins",
				    m->attr->name);
	memcpy(t->to, bytes, t->len);
	t->op = t->op == FILTER_NEQ ? FILTER_NOT_RANGE : FILTER_RANGE;
	return 0;
}

static int test_place(struct writer *w, const struct nwfilter_match *m)
{
	const struct place *value_place = &places[m->attr->field], *place = value_place;
	struct filter_test *t = filter_rule_add_test(w->rule);
	struct nwfilter_value v = { 0 };
	bool learned;
	int r;

	if (!t)
		return nd_error_nomem(w->err);
	if (w->reversed && place->mirrored)
		place = &places[place->mirror];
	t->subject = place->subject;
	t->offset = w->v6 && place->len6 ? place->offset6 : place->offset;
	t->len = w->v6 && place->len6 ? place->len6 : place->len;
	t->op = w->element->negated ? FILTER_NEQ : FILTER_EQ;
	r = value_of(w, m, &v, &learned);
	if (r < 0)
		return r;
	if (learned) {
		t->op = w->element->negated ? FILTER_NOT_LEARNED : FILTER_LEARNED;
		return 0;
	}
	put_value(m->attr, &v, place, t->from, t->len);
	if (place->bits[0])
		set_mask(t, place->bits);
	return !value_place->partner ? 0 : put_partner(w, value_place, m->attr->field, t);
}

/* The upper six bits of IPv4's second byte; in IPv6 they lie across the first two. */
static int test_dscp(struct writer *w, const struct nwfilter_match *m)
{
	static const uint8_t bits4 = 0xfc, bits6[2] = { 0x0f, 0xc0 };
	struct filter_test *t;
	struct nwfilter_value v = { 0 };
	bool learned;
	int r = value_of(w, m, &v, &learned);
	uint16_t wire = htons((uint16_t)(v.number << 6));
	uint8_t byte = (uint8_t)(v.number << 2);
	enum filter_op op = w->element->negated ? FILTER_NEQ : FILTER_EQ;

	if (r < 0)
		return r;
	r = w->v6 ? nwfilter_test_bytes(w->rule, FILTER_NETWORK, 0, 2, op, &wire)
		  : nwfilter_test_bytes(w->rule, FILTER_NETWORK, 1, 1, op, &byte);
	if (r < 0)
		return nd_error_nomem(w->err);
	t = &w->rule->tests[w->rule->n_tests - 1];
	set_mask(t, w->v6 ? bits6 : &bits4);
	return 0;
}

static int test_tcp_flags(struct writer *w, const struct nwfilter_match *m)
{
	struct nwfilter_value v = { 0 };
	bool learned;
	int r = value_of(w, m, &v, &learned);

	if (r < 0)
		return r;
	if (nwfilter_test_bytes(w->rule, FILTER_TRANSPORT, 13, 1, w->element->negated ? FILTER_NEQ : FILTER_EQ,
		       &v.tcp_set) < 0)
		return nd_error_nomem(w->err);
	set_mask(&w->rule->tests[w->rule->n_tests - 1], &v.tcp_mask);
	return 0;
}

static int test_state_bits(struct filter_rule *rule, uint32_t bits)
{
	uint32_t none = 0;
	int r = nwfilter_test_bytes(rule, FILTER_CT_STATE, 0, sizeof(none), FILTER_NEQ, &none);

	if (r == 0)
		set_mask(&rule->tests[rule->n_tests - 1], (const uint8_t *)&bits);
	return r;
}

/* Those without a comparison: a count of connections, an option's number. */
static int test_count(struct writer *w, const struct nwfilter_match *m, enum filter_subject subject)
{
	struct nwfilter_value v = { 0 };
	struct filter_test *t;
	bool learned;
	int r = value_of(w, m, &v, &learned);

	if (r < 0)
		return r;
	/* only what begins a connection is counted, or what goes on would be judged by it too */
	if (subject == FILTER_CT_OVER && test_state_bits(w->rule, NF_CT_STATE_BIT(IP_CT_NEW)) < 0)
		return nd_error_nomem(w->err);
	t = filter_rule_add_test(w->rule);
	if (!t)
		return nd_error_nomem(w->err);
	t->subject = subject;
	t->count = v.number;
	t->op = w->element->negated ? FILTER_NEQ : FILTER_EQ;
	return 0;
}

static int test_states(struct writer *w, const struct nwfilter_match *m)
{
	static const struct { enum nwfilter_state state; uint32_t bit; } bits[] = {
		{ NWFILTER_STATE_NEW, NF_CT_STATE_BIT(IP_CT_NEW) },
		{ NWFILTER_STATE_ESTABLISHED, NF_CT_STATE_BIT(IP_CT_ESTABLISHED) },
		{ NWFILTER_STATE_RELATED, NF_CT_STATE_BIT(IP_CT_RELATED) },
		{ NWFILTER_STATE_INVALID, NF_CT_STATE_INVALID_BIT },
	};
	struct nwfilter_value v = { 0 };
	uint32_t wanted = 0;
	bool learned;
	int r = value_of(w, m, &v, &learned);

	if (r < 0)
		return r;
	for (size_t i = 0; i < ND_COUNT(bits); i++)
		if (v.number & bits[i].state)
			wanted |= bits[i].bit;
	if (!wanted)		/* NONE: whatever the state */
		return 0;
	return test_state_bits(w->rule, wanted) < 0 ? nd_error_nomem(w->err) : 0;
}

static int test_match(struct writer *w, const struct nwfilter_match *m)
{
	switch (m->attr->field) {
	case NWF_DSCP:
		return test_dscp(w, m);
	case NWF_TCP_FLAGS:
		return test_tcp_flags(w, m);
	case NWF_TCP_OPTION:
		return test_count(w, m, FILTER_TCP_OPTION);
	case NWF_STATE:
		return test_states(w, m);
	case NWF_CONNLIMIT_ABOVE:	/* the last one: see test_limits() */
	case NWF_COMMENT:
		return 0;
	case NWF_ARP_GRATUITOUS:
		return nd_error_set(w->err, ND_ERR_CONFIG_UNSUPPORTED,
				    "'gratuitous' is not supported: nftables cannot compare two fields of a packet");
	default:
		return m->attr->role == NWFILTER_VALUE ? test_place(w, m) : 0;	/* a partner goes with its value */
	}
}

/* ---- rules ---- */

/* Answers to what was let through; and what is let through begins something, or goes on. */
static int test_connection(struct writer *w)
{
	const struct nwfilter_rule *rule = w->use->rule;
	uint32_t bits = NF_CT_STATE_BIT(IP_CT_ESTABLISHED);

	if (!nwfilter_proto_is_ip(rule->proto) || !accepts(rule) || rule->stateless ||
	    rule->direction == NWFILTER_INOUT || rule_has(rule, NWF_STATE) || rule_has(rule, NWF_CONNLIMIT_ABOVE))
		return 0;
	if (!w->reversed)
		bits |= NF_CT_STATE_BIT(IP_CT_NEW);
	return test_state_bits(w->rule, bits) < 0 ? nd_error_nomem(w->err) : 0;
}

static enum filter_verdict verdict_of(const struct nwfilter_rule *rule, enum filter_stage stage)
{
	switch (rule->action) {
	case NWFILTER_ACCEPT:
		return FILTER_ACCEPT;
	case NWFILTER_RETURN:
		return FILTER_RETURN;
	case NWFILTER_CONTINUE:
		return FILTER_CONTINUE;
	case NWFILTER_REJECT:	/* the kernel answers only to what came from the guest, and to IP */
		return stage == FILTER_PACKETS_FROM ? FILTER_REJECT : FILTER_DROP;
	default:
		return FILTER_DROP;
	}
}

static int put_comment(struct writer *w)
{
	const struct nwfilter_match *m = match_of(w->element, NWF_COMMENT);

	if (!m || w->rule->comment)
		return 0;
	w->rule->comment = strdup(m->text);
	return w->rule->comment ? 0 : nd_error_nomem(w->err);
}

static int write_elements(struct writer *w)
{
	const struct nwfilter_rule *rule = w->use->rule;
	int r = 0;

	for (size_t i = 0; i < rule->n_elements && r == 0; i++) {
		w->element = &rule->elements[i];
		for (size_t k = 0; k < w->element->n_matches && r == 0; k++)
			r = test_match(w, &w->element->matches[k]);
		if (r == 0)
			r = put_comment(w);
	}
	return r;
}

/* Connections are counted of which all else is true. */
static int test_limits(struct writer *w)
{
	const struct nwfilter_rule *rule = w->use->rule;
	int r = 0;

	for (size_t i = 0; i < rule->n_elements && r == 0; i++) {
		const struct nwfilter_match *m = match_of(&rule->elements[i], NWF_CONNLIMIT_ABOVE);

		w->element = &rule->elements[i];
		r = m ? test_count(w, m, FILTER_CT_OVER) : 0;
	}
	return r;
}

int nwfilter_rule_write(struct filter_chain *chain, const struct nwfilter_use *use, struct nd_error *err)
{
	struct writer w = {
		.rule = filter_chain_add_rule(chain), .use = use,
		.reversed = speaks_of_out(use->rule) != stage_is_out(use->stage),
		.v6 = nwfilter_is_ipv6(use->rule->proto), .err = err,
	};
	int r;

	if (!w.rule)
		return nd_error_nomem(err);
	w.rule->verdict = verdict_of(use->rule, use->stage);
	r = test_kind(&w);
	if (r == 0)
		r = write_elements(&w);
	if (r == 0)
		r = test_connection(&w);
	if (r == 0)
		r = test_limits(&w);
	if (r == 0 && w.rule->n_tests > FILTER_TESTS_MAX)
		r = nd_error_set(err, ND_ERR_CONFIG_UNSUPPORTED, "it has more than %d conditions", FILTER_TESTS_MAX);
	return r;
}
