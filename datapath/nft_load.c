/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nft_load.c -- reads netd's table from the kernel and judges whether anybody has edited it */
#include "datapath/nft_state.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libnftnl/chain.h>
#include <libnftnl/expr.h>
#include <libnftnl/set.h>
#include <libnftnl/table.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "datapath/nft_text.h"
#include "netd/base/array.h"
#include "netd/base/str.h"

enum { TRIES = 20 };

/* A chain of the table as the kernel has it. */
struct seen_chain {
	char name[64];
	struct nd_str text;		/* its hook and rules, to compare */
	struct plan_nft_chain own;	/* what its rules say, if it is a network's own */
	bool expected;
};

struct loader {
	struct nft_state *s;
	struct nft_wire *wire;
	struct seen_chain *chains;
	size_t n_chains;
	struct nft_set_id *sets;
	size_t n_sets;
	struct nft_set_id set;		/* whose elements are being read */
};

static void loader_fini(struct loader *l)
{
	for (size_t i = 0; i < l->n_chains; i++)
		nd_str_free(&l->chains[i].text);
	free(l->chains);
	free(l->sets);
}

static int take_table(const struct nlmsghdr *h, void *arg)
{
	struct loader *l = arg;
	struct nftnl_table *t = nftnl_table_alloc();
	const char *name;
	uint32_t owner = 0;

	if (!t)
		return -ENOMEM;
	if (nftnl_table_nlmsg_parse(h, t) < 0) {
		nftnl_table_free(t);
		return -EBADMSG;
	}
	name = nftnl_table_get_str(t, NFTNL_TABLE_NAME);
	if (nftnl_table_is_set(t, NFTNL_TABLE_OWNER))
		owner = nftnl_table_get_u32(t, NFTNL_TABLE_OWNER);
	if (nd_streq(name, NFT_TABLE)) {
		l->s->table = true;
		l->s->owner = owner;
		l->s->flags = nftnl_table_get_u32(t, NFTNL_TABLE_FLAGS);
		if (l->s->flags & NFT_TABLE_F_PERSIST)	/* an orphan shows only this one */
			l->s->flags |= NFT_TABLE_F_OWNER;
		if (!nft_text_comment_is(t, NFT_TABLE_COMMENT))
			l->s->sound = false;
	} else if (nd_streq(name, NFT_HOLD_TABLE)) {
		l->s->hold = owner == l->wire->portid;
	} else {
		owner = 0;
	}
	if (owner && owner != l->wire->portid)
		l->s->others = true;
	nftnl_table_free(t);
	return 0;
}

static int take_chain(const struct nlmsghdr *h, void *arg)
{
	struct loader *l = arg;
	struct nftnl_chain *c = nftnl_chain_alloc();
	struct seen_chain *seen;

	if (!c)
		return -ENOMEM;
	if (nftnl_chain_nlmsg_parse(h, c) < 0 ||
	    !nd_streq0(nftnl_chain_get_str(c, NFTNL_CHAIN_TABLE), NFT_TABLE)) {
		nftnl_chain_free(c);
		return 0;
	}
	seen = nd_array_add(l->chains, l->n_chains);
	if (seen) {
		snprintf(seen->name, sizeof(seen->name), "%s",
			 nftnl_chain_get_str(c, NFTNL_CHAIN_NAME));
		if (nftnl_chain_is_set(c, NFTNL_CHAIN_HOOKNUM))
			nft_text_hook(&seen->text, nftnl_chain_get_str(c, NFTNL_CHAIN_TYPE),
				      nftnl_chain_get_u32(c, NFTNL_CHAIN_HOOKNUM),
				      nftnl_chain_get_s32(c, NFTNL_CHAIN_PRIO),
				      nftnl_chain_get_u32(c, NFTNL_CHAIN_POLICY));
	}
	nftnl_chain_free(c);
	return seen ? 0 : -ENOMEM;
}

static struct seen_chain *find_chain(struct loader *l, const char *name)
{
	for (size_t i = 0; i < l->n_chains; i++)
		if (nd_streq(l->chains[i].name, name))
			return &l->chains[i];
	return NULL;
}

/* Values that a rule has loaded so far, by register, while it is read. */
struct immediates {
	uint8_t value[8][16];
	uint32_t len[8];
};

static void read_ip(const struct immediates *im, uint32_t reg, struct nd_ip *out)
{
	if (reg >= 8 || (im->len[reg] != 4 && im->len[reg] != 16))
		return;
	out->family = im->len[reg] == 16 ? AF_INET6 : AF_INET;
	memcpy(&out->v6, im->value[reg], im->len[reg]);
}

static uint16_t read_port(const struct immediates *im, uint32_t reg)
{
	return reg < 8 && im->len[reg] >= 2 ? (uint16_t)(im->value[reg][0] << 8 | im->value[reg][1])
					    : 0;
}

static void own_expr(struct plan_nft_chain *c, struct immediates *im, const struct nftnl_expr *e)
{
	const char *name = nftnl_expr_get_str(e, NFTNL_EXPR_NAME);
	uint32_t reg, len = 0;
	const void *data;

	if (nd_streq(name, "immediate")) {
		reg = nftnl_expr_get_u32(e, NFTNL_EXPR_IMM_DREG);
		data = nftnl_expr_get(e, NFTNL_EXPR_IMM_DATA, &len);
		if (reg < 8 && data && len <= 16) {
			memcpy(im->value[reg], data, len);
			im->len[reg] = len;
		}
	} else if (nd_streq(name, "cmp")) {
		data = nftnl_expr_get(e, NFTNL_EXPR_CMP_DATA, &len);
		if (!c->family && data && len == 1)	/* the first one: meta nfproto */
			c->family = *(const uint8_t *)data == NFPROTO_IPV6 ? AF_INET6 : AF_INET;
	} else if (nd_streq(name, "nat")) {
		uint32_t min = nftnl_expr_get_u32(e, NFTNL_EXPR_NAT_REG_ADDR_MIN);

		read_ip(im, min, &c->snat_start);
		read_ip(im, nftnl_expr_is_set(e, NFTNL_EXPR_NAT_REG_ADDR_MAX) ?
			    nftnl_expr_get_u32(e, NFTNL_EXPR_NAT_REG_ADDR_MAX) : min, &c->snat_end);
		c->port_start = read_port(im, nftnl_expr_get_u32(e, NFTNL_EXPR_NAT_REG_PROTO_MIN));
		c->port_end = read_port(im, nftnl_expr_get_u32(e, NFTNL_EXPR_NAT_REG_PROTO_MAX));
	} else if (nd_streq(name, "masq")) {
		c->port_start = read_port(im, nftnl_expr_get_u32(e, NFTNL_EXPR_MASQ_REG_PROTO_MIN));
		c->port_end = read_port(im, nftnl_expr_get_u32(e, NFTNL_EXPR_MASQ_REG_PROTO_MAX));
	}
}

/* The first rule of a network's own chain (tcp) has all of its attributes. */
static void own_read(struct seen_chain *seen, const struct nftnl_rule *rule)
{
	struct nftnl_expr_iter *it = nftnl_expr_iter_create(rule);
	struct immediates im = { 0 };
	struct nftnl_expr *e;

	if (!it)
		return;
	snprintf(seen->own.name, sizeof(seen->own.name), "%s", seen->name);
	while ((e = nftnl_expr_iter_next(it)))
		own_expr(&seen->own, &im, e);
	nftnl_expr_iter_destroy(it);
	if (seen->own.port_start == 1024 && seen->own.port_end == 65535)
		seen->own.port_start = seen->own.port_end = 0;
}

static int take_rule(const struct nlmsghdr *h, void *arg)
{
	struct loader *l = arg;
	struct nftnl_rule *r = nftnl_rule_alloc();
	struct seen_chain *seen;
	int result = 0;

	if (!r)
		return -ENOMEM;
	if (nftnl_rule_nlmsg_parse(h, r) >= 0 &&
	    nd_streq0(nftnl_rule_get_str(r, NFTNL_RULE_TABLE), NFT_TABLE)) {
		seen = find_chain(l, nftnl_rule_get_str(r, NFTNL_RULE_CHAIN));
		if (seen && !seen->own.name[0])
			own_read(seen, r);
		result = seen ? nft_text_rule(r, &seen->text) : -EINTR;
	}
	nftnl_rule_free(r);
	return result;
}

static int take_set(const struct nlmsghdr *h, void *arg)
{
	struct loader *l = arg;
	struct nftnl_set *set = nftnl_set_alloc();
	struct nft_set_id id, *slot;
	bool known;

	if (!set)
		return -ENOMEM;
	if (nftnl_set_nlmsg_parse(h, set) < 0 ||
	    !nd_streq0(nftnl_set_get_str(set, NFTNL_SET_TABLE), NFT_TABLE)) {
		nftnl_set_free(set);
		return 0;
	}
	known = nft_set_id_parse(nftnl_set_get_str(set, NFTNL_SET_NAME), &id) &&
		nftnl_set_get_u32(set, NFTNL_SET_KEY_LEN) == nft_set_key_len(&id) &&
		nftnl_set_get_u32(set, NFTNL_SET_FLAGS) ==
			(nft_classes[id.class].is_map ? NFT_SET_MAP : 0U);
	nftnl_set_free(set);
	if (!known) {
		l->s->sound = false;
		return 0;
	}
	slot = nd_array_add(l->sets, l->n_sets);
	if (!slot)
		return -ENOMEM;
	*slot = id;
	return 0;
}

static void read_verdict(const struct nlattr *data, struct plan_nft_elem *e)
{
	const struct nlattr *verdict, *attr;

	mnl_attr_for_each_nested(verdict, data) {
		if (mnl_attr_get_type(verdict) != NFTA_DATA_VERDICT)
			continue;
		mnl_attr_for_each_nested(attr, verdict)
			if (mnl_attr_get_type(attr) == NFTA_VERDICT_CHAIN)
				snprintf(e->goto_chain, sizeof(e->goto_chain), "%s",
					 mnl_attr_get_str(attr));
	}
}

static int take_elem(struct loader *l, const struct nlattr *nest)
{
	const struct nlattr *attr, *value;
	struct plan_nft_elem e = { 0 };

	nft_set_name(&l->set, e.set);
	mnl_attr_for_each_nested(attr, nest) {
		if (mnl_attr_get_type(attr) == NFTA_SET_ELEM_DATA)
			read_verdict(attr, &e);
		if (mnl_attr_get_type(attr) != NFTA_SET_ELEM_KEY)
			continue;
		mnl_attr_for_each_nested(value, attr) {
			if (mnl_attr_get_payload_len(value) > sizeof(e.key))
				return -EBADMSG;
			e.key_len = (uint8_t)mnl_attr_get_payload_len(value);
			memcpy(e.key, mnl_attr_get_payload(value), e.key_len);
		}
	}
	return nft_state_put(l->s, &e);
}

static int take_elems(const struct nlmsghdr *h, void *arg)
{
	const struct nlattr *attr, *elem;
	int r;

	mnl_attr_for_each(attr, h, sizeof(struct nfgenmsg)) {
		if (mnl_attr_get_type(attr) != NFTA_SET_ELEM_LIST_ELEMENTS)
			continue;
		mnl_attr_for_each_nested(elem, attr) {
			r = take_elem(arg, elem);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

static int load_table(struct loader *l)
{
	struct nft_query q = { .family = NFPROTO_INET, .dump = true };
	int r;

	q.type = NFT_MSG_GETTABLE;
	r = nft_wire_query(l->wire, &q, take_table, l);
	if (r < 0 || !l->s->table)
		return r;
	q.type = NFT_MSG_GETCHAIN;
	r = nft_wire_query(l->wire, &q, take_chain, l);
	if (r < 0)
		return r;
	q.table = NFT_TABLE;
	q.type = NFT_MSG_GETRULE;
	r = nft_wire_query(l->wire, &q, take_rule, l);
	if (r < 0)
		return r;
	q.type = NFT_MSG_GETSET;
	r = nft_wire_query(l->wire, &q, take_set, l);
	for (size_t i = 0; r == 0 && i < l->n_sets; i++) {
		char name[32];

		l->set = l->sets[i];
		q.type = NFT_MSG_GETSETELEM;
		q.set = nft_set_name(&l->set, name);
		r = nft_wire_query(l->wire, &q, take_elems, l);
		if (r == 0 && !*nft_count(l->s->have, &l->set))
			l->s->sound = false;
	}
	return r;
}

/* True when the chain is there with this text. */
static bool chain_agrees(struct loader *l, const char *name, const struct nd_str *want)
{
	struct seen_chain *seen = find_chain(l, name);

	if (!seen)
		return false;
	seen->expected = true;
	return nft_text_equal(&seen->text, want);
}

static int judge_static_chains(struct loader *l)
{
	for (unsigned i = 0; i < NFT_CHAINS; i++) {
		const struct nft_chain_desc *c = &nft_chains[i];
		ND_AUTO(nd_str_free) struct nd_str want = { 0 };
		int r;

		if (!c->wanted(l->s->have, c->v6))
			continue;
		if (c->type)
			nft_text_hook(&want, c->type, c->hook, c->priority, NF_ACCEPT);
		r = nft_chain_rules(c, l->s->have, nft_text_rule, &want);
		if (r < 0)
			return r;
		if (!chain_agrees(l, c->name, &want))
			l->s->sound = false;
	}
	return 0;
}

/* Whatever else starts with 'n' is a network's own chain, if its rules agree with themselves. */
static int judge_own_chains(struct loader *l)
{
	for (size_t i = 0; i < l->n_chains; i++) {
		struct seen_chain *seen = &l->chains[i];
		ND_AUTO(nd_str_free) struct nd_str want = { 0 };
		int r;

		if (seen->expected)
			continue;
		r = seen->own.name[0] ? nft_own_chain_rules(&seen->own, nft_text_rule, &want) : 0;
		if (r < 0)
			return r;
		if (want.len && chain_agrees(l, seen->name, &want))
			r = nft_state_put_chain(l->s, &seen->own);
		else
			l->s->sound = false;
		if (r < 0)
			return r;
	}
	return 0;
}

/* An element that leads to a chain of which nothing sensible is left cannot be made again. */
static void drop_dangling(struct loader *l)
{
	const struct plan_nft_elem *e;
	size_t pos = 0;

	while ((e = nd_hash_next(l->s->elems, &pos)))
		if (e->goto_chain[0] && !nft_state_find_chain(l->s, e->goto_chain)) {
			nft_state_drop(l->s, e);
			l->s->sound = false;
			pos = 0;
		}
}

static int load_once(struct nft_state *s, struct nft_wire *w)
{
	struct loader l = { .s = s, .wire = w };
	uint32_t before = 0, after = 0;
	int r;

	r = nft_wire_genid(w, &before);
	if (r == 0)
		r = load_table(&l);
	if (r == 0)
		r = judge_static_chains(&l);
	if (r == 0)
		r = judge_own_chains(&l);
	drop_dangling(&l);
	if (r == 0)
		r = nft_wire_genid(w, &after);
	loader_fini(&l);
	s->genid = after;
	return r == 0 && before != after ? -EINTR : r;
}

int nft_state_load(struct nft_state *s, struct nft_wire *w, struct nd_error *err)
{
	int r;

	for (int i = 0; i < TRIES; i++) {
		r = load_once(s, w);
		if (r != -EINTR && r != -ENOENT && r != -EBUSY)
			break;
		/* somebody changed rules meanwhile: from the start */
		nft_state_fini(s);
		if (nft_state_init(s) < 0)
			return nd_error_nomem(err);
	}
	return r < 0 ? nd_error_sys(err, -r, "cannot read nft table 'inet %s'", NFT_TABLE) : 0;
}
