/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nft_foreign.c -- other programs' chains that drop what netd's accept
 *
 * An accept is final only for its own table, so a host firewall with a drop policy, or with a
 * drop at its end, cuts guests off whatever netd's rules say. Only rules without a condition
 * are followed: what a condition means for a network cannot be told from here, except that a rule
 * with a bridge's name in it says that somebody has thought of that bridge. iptables-nft's rules
 * are in the same tables and are seen too.
 */
#include "datapath/nft_foreign.h"

#include <errno.h>
#include <libnftnl/chain.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <stdlib.h>
#include <string.h>

#include "datapath/nft_state.h"
#include "netd/base/array.h"
#include "netd/base/str.h"

enum { MAX_DEPTH = 16 };

struct foreign_chain {
	uint32_t family;
	char table[64], name[64];
	uint32_t hook, policy;
	bool base;
};

/* A rule that applies to every packet. */
struct foreign_rule {
	char chain[64], target[64];
	int verdict;			/* NF_DROP also for a reject */
};

struct survey {
	struct foreign_chain *chains;
	size_t n_chains;
	const struct nft_foreign_query *query;
	/* of the table being looked at */
	struct foreign_rule *rules;
	size_t n_rules;
	bool *named;			/* by bridge: a rule that lets packets pass names it */
};

static int take_chain(const struct nlmsghdr *h, void *arg)
{
	struct survey *s = arg;
	struct nftnl_chain *c = nftnl_chain_alloc();
	struct foreign_chain *mine;
	const char *table;

	if (!c)
		return -ENOMEM;
	if (nftnl_chain_nlmsg_parse(h, c) < 0) {
		nftnl_chain_free(c);
		return 0;
	}
	table = nftnl_chain_get_str(c, NFTNL_CHAIN_TABLE);
	if (nd_streq(table, NFT_TABLE) || nd_streq(table, NFT_HOLD_TABLE)) {
		nftnl_chain_free(c);
		return 0;
	}
	mine = nd_array_add(s->chains, s->n_chains);
	if (mine) {
		mine->family = nftnl_chain_get_u32(c, NFTNL_CHAIN_FAMILY);
		snprintf(mine->table, sizeof(mine->table), "%s", table);
		snprintf(mine->name, sizeof(mine->name), "%s",
			 nftnl_chain_get_str(c, NFTNL_CHAIN_NAME));
		mine->base = nftnl_chain_is_set(c, NFTNL_CHAIN_HOOKNUM);
		mine->hook = nftnl_chain_get_u32(c, NFTNL_CHAIN_HOOKNUM);
		mine->policy = nftnl_chain_get_u32(c, NFTNL_CHAIN_POLICY);
	}
	nftnl_chain_free(c);
	return mine ? 0 : -ENOMEM;
}

/* The verdict of one expression; false when it is a condition. */
static bool expr_verdict(const struct nftnl_expr *e, struct foreign_rule *out)
{
	const char *name = nftnl_expr_get_str(e, NFTNL_EXPR_NAME), *target;

	if (nd_streq(name, "counter") || nd_streq(name, "log"))
		return true;
	if (nd_streq(name, "reject")) {
		out->verdict = NF_DROP;
		return true;
	}
	if (nd_streq(name, "target")) {		/* of iptables-nft */
		target = nftnl_expr_get_str(e, NFTNL_EXPR_TG_NAME);
		if (target && (nd_streq(target, "REJECT") || nd_streq(target, "DROP")))
			out->verdict = NF_DROP;
		return true;
	}
	if (!nd_streq(name, "immediate") ||
	    nftnl_expr_get_u32(e, NFTNL_EXPR_IMM_DREG) != NFT_REG_VERDICT)
		return false;
	out->verdict = (int)nftnl_expr_get_u32(e, NFTNL_EXPR_IMM_VERDICT);
	target = nftnl_expr_get_str(e, NFTNL_EXPR_IMM_CHAIN);
	if (target)
		snprintf(out->target, sizeof(out->target), "%s", target);
	return true;
}

/* cmp with an interface's name; a shorter one is a prefix ("virbr*"). */
static void note_names(struct survey *s, struct nftnl_rule *r)
{
	struct nftnl_expr_iter *it = nftnl_expr_iter_create(r);
	struct nftnl_expr *e;

	while (it && (e = nftnl_expr_iter_next(it))) {
		uint32_t len = 0;
		const char *name;

		if (!nd_streq(nftnl_expr_get_str(e, NFTNL_EXPR_NAME), "cmp"))
			continue;
		name = nftnl_expr_get(e, NFTNL_EXPR_CMP_DATA, &len);
		/* addresses and numbers are shorter than any prefix worth a wildcard */
		for (size_t i = 0; name && len > 4 && i < s->query->n_bridges; i++)
			s->named[i] |= strncmp(s->query->bridges[i], name, len) == 0;
	}
	if (it)
		nftnl_expr_iter_destroy(it);
}

static int take_rule(const struct nlmsghdr *h, void *arg)
{
	struct survey *s = arg;
	struct foreign_rule rule = { .verdict = NFT_CONTINUE }, *mine = NULL;
	struct nftnl_rule *r = nftnl_rule_alloc();
	struct nftnl_expr_iter *it;
	struct nftnl_expr *e;
	bool always = true;

	if (!r)
		return -ENOMEM;
	if (nftnl_rule_nlmsg_parse(h, r) < 0) {
		nftnl_rule_free(r);
		return 0;
	}
	snprintf(rule.chain, sizeof(rule.chain), "%s", nftnl_rule_get_str(r, NFTNL_RULE_CHAIN));
	it = nftnl_expr_iter_create(r);
	while (it && (e = nftnl_expr_iter_next(it)))
		always &= expr_verdict(e, &rule);
	if (it)
		nftnl_expr_iter_destroy(it);
	if (!always && rule.verdict != NF_DROP)
		note_names(s, r);
	nftnl_rule_free(r);
	if (!it)
		return -ENOMEM;
	if (!always || rule.verdict == NFT_CONTINUE)
		return 0;
	mine = nd_array_add(s->rules, s->n_rules);
	if (!mine)
		return -ENOMEM;
	*mine = rule;
	return 0;
}

/* What every packet comes to in the chain: NF_DROP, NF_ACCEPT, or NFT_RETURN at its end. */
static int chain_verdict(const struct survey *s, const char *chain, int depth)
{
	for (size_t i = 0; i < s->n_rules && depth < MAX_DEPTH; i++) {
		const struct foreign_rule *r = &s->rules[i];
		int verdict;

		if (!nd_streq(r->chain, chain))
			continue;
		if (r->verdict != NFT_JUMP && r->verdict != NFT_GOTO)
			return r->verdict;
		verdict = chain_verdict(s, r->target, depth + 1);
		if (verdict != NFT_RETURN || r->verdict == NFT_GOTO)
			return verdict;
	}
	return NFT_RETURN;
}

static const char *family_name(uint32_t family)
{
	return family == NFPROTO_IPV4 ? "ip" : family == NFPROTO_IPV6 ? "ip6" : "inet";
}

static void judge(struct survey *s, const struct foreign_chain *c)
{
	int verdict = chain_verdict(s, c->name, 0);
	char text[512];

	if (verdict == NFT_RETURN && c->policy != NF_DROP)
		return;
	if (verdict != NFT_RETURN && verdict != NF_DROP)
		return;
	snprintf(text, sizeof(text), "chain '%s' of nft table '%s %s' drops %s unless one of its rules "
		 "accepts it (%s)", c->name, family_name(c->family), c->table,
		 c->hook == NF_INET_FORWARD ? "the traffic that this host forwards for guests"
					    : "what guests send to this host (DNS)",
		 verdict == NF_DROP ? "a drop or reject without condition" : "policy drop");
	for (size_t i = 0; i < s->query->n_bridges; i++)
		if (!s->named[i])
			s->query->found(s->query->arg, s->query->bridges[i], text);
}

static bool concerns_guests(const struct foreign_chain *c)
{
	return c->base && (c->hook == NF_INET_FORWARD || c->hook == NF_INET_LOCAL_IN) &&
	       (c->family == NFPROTO_IPV4 || c->family == NFPROTO_IPV6 ||
		c->family == NFPROTO_INET);
}

static int look_at(struct survey *s, struct nft_wire *w, const struct foreign_chain *c)
{
	struct nft_query q = { .type = NFT_MSG_GETRULE, .family = (uint8_t)c->family, .dump = true,
			       .table = c->table };
	int r;

	free(s->rules);
	s->rules = NULL;
	s->n_rules = 0;
	memset(s->named, 0, s->query->n_bridges * sizeof(*s->named));
	r = nft_wire_query(w, &q, take_rule, s);
	if (r == 0)
		judge(s, c);
	return r;
}

int nft_foreign_survey(struct nft_wire *w, const struct nft_foreign_query *query)
{
	struct nft_query q = { .type = NFT_MSG_GETCHAIN, .dump = true };
	struct survey s = { .query = query, .named = calloc(query->n_bridges + 1, sizeof(bool)) };
	int r = s.named ? nft_wire_query(w, &q, take_chain, &s) : -ENOMEM;

	for (size_t i = 0; r == 0 && i < s.n_chains; i++)
		if (concerns_guests(&s.chains[i]))
			r = look_at(&s, w, &s.chains[i]);
	free(s.chains);
	free(s.rules);
	free(s.named);
	return r;
}
