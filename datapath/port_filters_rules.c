/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "datapath/port_filters_rules.h"

#include <errno.h>
#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <string.h>

#include "datapath/nft_expr.h"
#include "netd/base/str.h"

/* After connection tracking's defragmentation and lookup (-200), before it confirms (the very last). */
const struct filter_hook filter_hooks[FILTER_STAGES] = {
	[FILTER_FRAMES_FROM] = { NF_INET_PRE_ROUTING, -160, NFT_META_IIFNAME },
	[FILTER_PACKETS_FROM] = { NF_INET_PRE_ROUTING, -150, NFT_META_IIFNAME },
	[FILTER_FRAMES_TO] = { NF_INET_POST_ROUTING, 100, NFT_META_OIFNAME },
	[FILTER_PACKETS_TO] = { NF_INET_POST_ROUTING, 110, NFT_META_OIFNAME },
};

/* ---- names ---- */

static bool plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
	       c == '-';
}

/* Other characters as "/2b": no interface's name has a slash. dot: leaves dots as they are. */
static void encode(const char *from, bool dot, char *to)
{
	for (; *from; from++)
		if (plain(*from) || (dot && *from == '.'))
			*to++ = *from;
		else
			to += sprintf(to, "/%02x", (unsigned char)*from);
	*to = '\0';
}

void filter_key(const char *ifname, char key[FILTER_KEY_SIZE])
{
	encode(ifname, true, key);
}

void filter_name(const char *what, const char *key, char name[FILTER_NAME_SIZE])
{
	char encoded[3 * sizeof(((struct filter_chain *)0)->name)];

	encode(what, false, encoded);
	snprintf(name, FILTER_NAME_SIZE, "%s.%s", encoded, key);
}

const char *filter_name_key(const char *name)
{
	const char *dot = strchr(name, '.');

	return dot && dot[1] && strlen(dot + 1) < FILTER_KEY_SIZE ? dot + 1 : NULL;
}

/* ---- what can be written ---- */

static bool is_payload(const struct filter_test *t)
{
	return t->subject <= FILTER_TRANSPORT;
}

static uint32_t test_len(const struct filter_test *t)
{
	return is_payload(t) ? t->len : t->subject == FILTER_CT_STATE ? 4 : 1;
}

static bool test_is_good(const struct port_filter *f, const struct filter_test *t)
{
	bool learned = t->op >= FILTER_LEARNED;

	if (t->subject == FILTER_CT_OVER || t->subject == FILTER_TCP_OPTION)
		return t->subject == FILTER_CT_OVER || t->count <= UINT8_MAX;
	if (t->subject > FILTER_TCP_OPTION || t->op > FILTER_LEARN)
		return false;
	if (learned && (!f->learns || !is_payload(t) || t->len != 4))
		return false;
	return test_len(t) >= 1 && test_len(t) <= sizeof(t->from);
}

static bool rule_is_good(const struct port_filter *f, const struct filter_rule *r)
{
	if (r->n_tests > FILTER_TESTS_MAX || r->verdict > FILTER_JUMP)
		return false;
	if (r->verdict == FILTER_JUMP && (r->jump < FILTER_STAGES || r->jump >= f->n_chains))
		return false;
	for (size_t i = 0; i < r->n_tests; i++)
		if (!test_is_good(f, &r->tests[i]))
			return false;
	return true;
}

static bool letter(char c)
{
	return plain(c) && c != '_' && c != '-' && !(c >= '0' && c <= '9');
}

static bool chain_is_good(const struct port_filter *f, size_t chain)
{
	const struct filter_chain *c = &f->chains[chain];

	if (!letter(c->name[0]) || (chain < FILTER_STAGES && !nd_streq(c->name, filter_stage_name(chain))))
		return false;
	for (size_t i = 0; i < chain; i++)
		if (nd_streq(f->chains[i].name, c->name))
			return false;
	return true;
}

int filter_check(const struct port_filter *f, struct nd_error *err)
{
	if (!f->ifname[0] || f->n_chains < FILTER_STAGES)
		return nd_error_set(err, ND_ERR_INTERNAL, "a port's filter has no name or lacks chains");
	for (size_t i = 0; i < f->n_chains; i++) {
		const struct filter_chain *c = &f->chains[i];

		if (!chain_is_good(f, i))
			return nd_error_set(err, ND_ERR_INTERNAL, "port '%s' cannot have a chain '%s' there",
					    f->ifname, c->name);
		for (size_t k = 0; k < c->n_rules; k++)
			if (!rule_is_good(f, &c->rules[k]))
				return nd_error_set(err, ND_ERR_INTERNAL, "rule %zu of chain '%s' of port "
						    "'%s' cannot be written", k + 1, c->name, f->ifname);
	}
	return 0;
}

/* ---- rules ---- */

int filter_stage_rule(enum filter_stage stage, nft_rule_fn fn, void *arg)
{
	struct nft_rule_writer w = { .family = NFPROTO_BRIDGE, .table = FILTER_TABLE,
				     .chain = filter_stage_name(stage), .fn = fn, .arg = arg };

	nft_rule_begin(&w);
	nft_put_meta(&w, filter_hooks[stage].ifname_key, REG_1);
	nft_put_lookup(&w, filter_stage_name(stage), true, false);
	nft_rule_end(&w);
	return w.result;
}

static void put_load(struct nft_rule_writer *w, const struct filter_test *t)
{
	static const uint32_t bases[] = {
		[FILTER_LINK] = NFT_PAYLOAD_LL_HEADER,
		[FILTER_NETWORK] = NFT_PAYLOAD_NETWORK_HEADER,
		[FILTER_TRANSPORT] = NFT_PAYLOAD_TRANSPORT_HEADER,
	};

	if (is_payload(t))
		nft_put_payload(w, bases[t->subject], t->offset, t->len, REG_1);
	else if (t->subject == FILTER_L4PROTO)
		nft_put_meta(w, NFT_META_L4PROTO, REG_1);
	else
		nft_put_ct(w, NFT_CT_STATE);
}

static void put_comparison(struct nft_rule_writer *w, const struct filter_test *t, const char *learned)
{
	uint32_t len = test_len(t);

	put_load(w, t);
	if (t->has_mask)
		nft_put_bitwise(w, REG_1, t->mask, len);
	switch (t->op) {
	case FILTER_EQ:
	case FILTER_NEQ:
		nft_put_cmp(w, t->op == FILTER_EQ ? NFT_CMP_EQ : NFT_CMP_NEQ, t->from, len);
		break;
	case FILTER_RANGE:
	case FILTER_NOT_RANGE:
		nft_put_range(w, t->from, t->to, len, t->op == FILTER_NOT_RANGE);
		break;
	case FILTER_LEARNED:
	case FILTER_NOT_LEARNED:
		nft_put_lookup(w, learned, false, t->op == FILTER_NOT_LEARNED);
		break;
	case FILTER_LEARN:
		nft_put_remember(w, learned);
		break;
	}
}

static void put_test(struct nft_rule_writer *w, const struct filter_test *t, const char *learned)
{
	static const uint8_t present = 1;

	if (t->subject == FILTER_CT_OVER) {
		nft_put_connections_over(w, t->count);
	} else if (t->subject == FILTER_TCP_OPTION) {
		nft_put_tcp_option(w, (uint8_t)t->count);
		nft_put_cmp(w, NFT_CMP_EQ, &present, sizeof(present));
	} else {
		put_comparison(w, t, learned);
	}
}

static void put_verdict(struct nft_rule_writer *w, const struct port_filter *f, const char *key,
			const struct filter_rule *r)
{
	char target[FILTER_NAME_SIZE];

	switch (r->verdict) {
	case FILTER_ACCEPT:
		nft_put_verdict(w, NF_ACCEPT, NULL);
		break;
	case FILTER_DROP:
		nft_put_verdict(w, NF_DROP, NULL);
		break;
	case FILTER_REJECT:
		nft_put_reject(w);
		break;
	case FILTER_RETURN:
		nft_put_verdict(w, NFT_RETURN, NULL);
		break;
	case FILTER_JUMP:
		filter_name(f->chains[r->jump].name, key, target);
		nft_put_verdict(w, NFT_JUMP, target);
		break;
	case FILTER_CONTINUE:
		break;
	}
}

/* What nft(8) shows between double quotes and reads again. */
static void put_comment(struct nft_rule_writer *w, const char *comment)
{
	uint8_t udata[2 + 128] = { NFTNL_UDATA_RULE_COMMENT };
	size_t len = 0;

	if (w->result || !comment)
		return;
	for (; comment[len] && len < 127; len++)
		udata[2 + len] = comment[len] == '"' ? '\'' :
				 (unsigned char)comment[len] < ' ' ? ' ' : (uint8_t)comment[len];
	while (len && ((unsigned char)comment[len] & 0xc0) == 0x80)
		udata[2 + --len] = '\0';	/* no half of a character */
	udata[1] = (uint8_t)(len + 1);
	if (nftnl_rule_set_data(w->rule, NFTNL_RULE_USERDATA, udata, (uint32_t)len + 3) < 0)
		w->result = -ENOMEM;
}

int filter_write_rule(const struct port_filter *f, const char *key, const struct filter_chain *c,
		      const struct filter_rule *r, nft_rule_fn fn, void *arg)
{
	char chain[FILTER_NAME_SIZE], learned[FILTER_NAME_SIZE];
	struct nft_rule_writer w = { .family = NFPROTO_BRIDGE, .table = FILTER_TABLE, .chain = chain,
				     .fn = fn, .arg = arg };

	filter_name(c->name, key, chain);
	filter_name("learned", key, learned);
	nft_rule_begin(&w);
	for (size_t i = 0; i < r->n_tests; i++)
		put_test(&w, &r->tests[i], learned);
	put_verdict(&w, f, key, r);
	put_comment(&w, r->comment);
	nft_rule_end(&w);
	return w.result;
}

const char *filter_rule_needs(const struct filter_rule *r)
{
	bool ct = false;

	for (size_t i = 0; i < r->n_tests; i++)
		ct |= r->tests[i].subject >= FILTER_CT_STATE && r->tests[i].subject <= FILTER_CT_OVER;
	if (ct && r->verdict == FILTER_REJECT)
		return "connection tracking and reject for bridged packets (nf_conntrack_bridge, nft_reject_bridge)";
	if (ct)
		return "connection tracking of bridged packets (nf_conntrack_bridge)";
	return r->verdict == FILTER_REJECT ? "reject for bridged packets (nft_reject_bridge)" : NULL;
}
