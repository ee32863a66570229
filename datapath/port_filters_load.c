/* SPDX-License-Identifier: GPL-2.0-or-later */
/* port_filters_load.c -- reads table "bridge netd" from the kernel */
#include "datapath/port_filters_table.h"

#include <errno.h>
#include <libnftnl/chain.h>
#include <libnftnl/set.h>
#include <linux/netfilter.h>
#include <stdlib.h>
#include <string.h>

#include "datapath/nft_text.h"
#include "netd/base/array.h"

enum { TRIES = 20 };

struct loader {
	struct filter_table *t;
	struct nft_wire *wire;
	struct nd_hash *chains;		/* name -> struct filter_table_chain */
	struct filter_table_port *rest;	/* chains of no port */
	bool maps[FILTER_STAGES];	/* are there */
	enum filter_stage stage;	/* whose map is being read */
};

static int take_table(const struct nlmsghdr *h, void *arg)
{
	struct loader *l = arg;
	struct nftnl_table *t = nftnl_table_alloc();

	if (!t)
		return -ENOMEM;
	if (nftnl_table_nlmsg_parse(h, t) >= 0 &&
	    nd_streq0(nftnl_table_get_str(t, NFTNL_TABLE_NAME), FILTER_TABLE)) {
		l->t->there = true;
		if (nftnl_table_is_set(t, NFTNL_TABLE_OWNER))
			l->t->owner = nftnl_table_get_u32(t, NFTNL_TABLE_OWNER);
		l->t->flags = nftnl_table_get_u32(t, NFTNL_TABLE_FLAGS);
		if (l->t->flags & NFT_TABLE_F_PERSIST)	/* an orphan shows only this one */
			l->t->flags |= NFT_TABLE_F_OWNER;
		l->t->others = l->t->owner && l->t->owner != l->wire->portid;
		if (!nft_text_comment_is(t, FILTER_TABLE_COMMENT))
			l->t->sound = false;
	}
	nftnl_table_free(t);
	return 0;
}

static struct filter_table_chain *add_chain(struct loader *l, const char *name)
{
	const char *key = filter_name_key(name);
	struct filter_table_port *p = key ? filter_table_get(l->t, key) : l->rest;
	struct filter_table_chain *c = p ? filter_port_add_chain(p, name) : NULL;

	if (c && nd_hash_set(l->chains, c->name, strlen(c->name), c) < 0)
		return NULL;		/* it stays in its port, which is freed with the table */
	return c;
}

static int take_chain(const struct nlmsghdr *h, void *arg)
{
	struct loader *l = arg;
	struct nftnl_chain *c = nftnl_chain_alloc();
	struct filter_table_chain *mine = NULL;
	const char *name;
	int result = 0;

	if (!c)
		return -ENOMEM;
	if (nftnl_chain_nlmsg_parse(h, c) >= 0 &&
	    nd_streq0(nftnl_chain_get_str(c, NFTNL_CHAIN_TABLE), FILTER_TABLE)) {
		name = nftnl_chain_get_str(c, NFTNL_CHAIN_NAME);
		if (strlen(name) >= FILTER_NAME_SIZE)
			l->t->sound = false;
		mine = add_chain(l, name);
		result = mine ? 0 : -ENOMEM;
	}
	if (mine && nftnl_chain_is_set(c, NFTNL_CHAIN_HOOKNUM))
		nft_text_hook(&mine->text, nftnl_chain_get_str(c, NFTNL_CHAIN_TYPE),
			      nftnl_chain_get_u32(c, NFTNL_CHAIN_HOOKNUM),
			      nftnl_chain_get_s32(c, NFTNL_CHAIN_PRIO),
			      nftnl_chain_get_u32(c, NFTNL_CHAIN_POLICY));
	nftnl_chain_free(c);
	return result;
}

static int take_rule(const struct nlmsghdr *h, void *arg)
{
	struct loader *l = arg;
	struct nftnl_rule *r = nftnl_rule_alloc();
	struct filter_table_chain *c;
	const char *name;
	int result = 0;

	if (!r)
		return -ENOMEM;
	if (nftnl_rule_nlmsg_parse(h, r) >= 0 &&
	    nd_streq0(nftnl_rule_get_str(r, NFTNL_RULE_TABLE), FILTER_TABLE)) {
		name = nftnl_rule_get_str(r, NFTNL_RULE_CHAIN);
		c = nd_hash_find(l->chains, name, strlen(name));
		if (c)
			result = nft_text_rule(r, &c->text);
		else if (strlen(name) < FILTER_NAME_SIZE)
			result = -EINTR;	/* it came meanwhile */
	}
	nftnl_rule_free(r);
	return result;
}

/* ---- sets ---- */

static bool is_stage_map(const struct nftnl_set *set, struct loader *l)
{
	for (unsigned i = 0; i < FILTER_STAGES; i++)
		if (nd_streq(nftnl_set_get_str(set, NFTNL_SET_NAME), filter_stage_name(i)) &&
		    nftnl_set_get_u32(set, NFTNL_SET_FLAGS) == NFT_SET_MAP &&
		    nftnl_set_get_u32(set, NFTNL_SET_KEY_LEN) == IFNAMSIZ)
			return l->maps[i] = true;
	return false;
}

static int take_learned(const struct nftnl_set *set, struct loader *l)
{
	const char *name = nftnl_set_get_str(set, NFTNL_SET_NAME), *key = filter_name_key(name);
	struct filter_table_port *p;
	uint32_t size;

	if (!key || strncmp(name, "learned.", 8) != 0) {
		l->t->sound = false;
		return 0;
	}
	p = filter_table_get(l->t, key);
	if (!p)
		return -ENOMEM;
	size = nftnl_set_get_u32(set, NFTNL_SET_DESC_SIZE);
	p->set_size = size ? size : 1;		/* one without is not ours */
	p->bad_set = !size || nftnl_set_get_u32(set, NFTNL_SET_FLAGS) != NFT_SET_EVAL ||
		     nftnl_set_get_u32(set, NFTNL_SET_KEY_LEN) != 4;
	return 0;
}

static int take_set(const struct nlmsghdr *h, void *arg)
{
	struct loader *l = arg;
	struct nftnl_set *set = nftnl_set_alloc();
	int r = 0;

	if (!set)
		return -ENOMEM;
	if (nftnl_set_nlmsg_parse(h, set) >= 0 &&
	    nd_streq0(nftnl_set_get_str(set, NFTNL_SET_TABLE), FILTER_TABLE) && !is_stage_map(set, l))
		r = take_learned(set, l);
	nftnl_set_free(set);
	return r;
}

static int take_elem(struct nftnl_set_elem *e, void *arg)
{
	struct loader *l = arg;
	char ifname[IFNAMSIZ] = "", key[FILTER_KEY_SIZE], want[FILTER_NAME_SIZE];
	struct filter_table_port *p;
	uint32_t len = 0;
	const char *data = nftnl_set_elem_get(e, NFTNL_SET_ELEM_KEY, &len), *chain;

	if (!data || len != IFNAMSIZ || !data[0] || data[IFNAMSIZ - 1]) {
		l->t->sound = false;
		return 0;
	}
	strncpy(ifname, data, sizeof(ifname) - 1);
	if (memcmp(ifname, data, IFNAMSIZ) != 0)	/* something behind the name's end */
		l->t->sound = false;
	filter_key(ifname, key);
	p = filter_table_get(l->t, key);
	if (!p)
		return -ENOMEM;
	memcpy(p->ifname, ifname, sizeof(p->ifname));
	p->elems |= (uint8_t)(1U << l->stage);
	filter_name(filter_stage_name(l->stage), key, want);
	chain = nftnl_set_elem_get_str(e, NFTNL_SET_ELEM_CHAIN);
	if (nftnl_set_elem_get_u32(e, NFTNL_SET_ELEM_VERDICT) != (uint32_t)NFT_GOTO ||
	    !nd_streq0(chain, want))
		p->bad_elems |= (uint8_t)(1U << l->stage);
	return 0;
}

static int take_elems(const struct nlmsghdr *h, void *arg)
{
	struct nftnl_set *set = nftnl_set_alloc();
	int r = 0;

	if (!set)
		return -ENOMEM;
	if (nftnl_set_elems_nlmsg_parse(h, set) >= 0)
		r = nftnl_set_elem_foreach(set, take_elem, arg);
	nftnl_set_free(set);
	return r;
}

static int load_maps(struct loader *l)
{
	struct nft_query q = { .type = NFT_MSG_GETSETELEM, .family = NFPROTO_BRIDGE, .dump = true,
			       .table = FILTER_TABLE };
	int r = 0;

	for (unsigned i = 0; r == 0 && i < FILTER_STAGES; i++) {
		l->stage = i;
		q.set = filter_stage_name(i);
		if (l->maps[i])
			r = nft_wire_query(l->wire, &q, take_elems, l);
		else
			l->t->sound = false;
	}
	return r;
}

static int load_table(struct loader *l)
{
	struct nft_query q = { .family = NFPROTO_BRIDGE, .dump = true };
	int r;

	q.type = NFT_MSG_GETTABLE;
	r = nft_wire_query(l->wire, &q, take_table, l);
	if (r < 0 || !l->t->there)
		return r;
	q.type = NFT_MSG_GETCHAIN;
	r = nft_wire_query(l->wire, &q, take_chain, l);
	if (r < 0)
		return r;
	q.table = FILTER_TABLE;
	q.type = NFT_MSG_GETRULE;
	r = nft_wire_query(l->wire, &q, take_rule, l);
	if (r < 0)
		return r;
	q.type = NFT_MSG_GETSET;
	r = nft_wire_query(l->wire, &q, take_set, l);
	return r < 0 ? r : load_maps(l);
}

static int judge_base_chains(struct loader *l)
{
	if (l->rest->n_chains != FILTER_STAGES)
		l->t->sound = false;
	for (unsigned i = 0; l->t->sound && i < FILTER_STAGES; i++) {
		const struct filter_table_chain *have = filter_port_find_chain(l->rest, filter_stage_name(i));
		ND_AUTO(nd_str_free) struct nd_str want = { 0 };
		int r;

		nft_text_hook(&want, "filter", filter_hooks[i].hook, filter_hooks[i].priority, NF_ACCEPT);
		r = filter_stage_rule(i, nft_text_rule, &want);
		if (r < 0)
			return r;
		l->t->sound = have && nft_text_equal(&have->text, &want);
	}
	return 0;
}

static int load_once(struct filter_table *t, struct nft_wire *w)
{
	ND_AUTO(nd_hash_free) struct nd_hash *chains = nd_hash_new();
	ND_AUTO(filter_port_free) struct filter_table_port *rest = calloc(1, sizeof(*rest));
	struct loader l = { .t = t, .wire = w, .chains = chains, .rest = rest };
	uint32_t before = 0;
	int r;

	if (!chains || !rest)
		return -ENOMEM;
	r = nft_wire_genid(w, &before);
	if (r == 0)
		r = load_table(&l);
	if (r == 0 && t->there)
		r = judge_base_chains(&l);
	if (r == 0)
		r = nft_wire_genid(w, &t->genid);
	return r == 0 && before != t->genid ? -EINTR : r;
}

int filter_table_load(struct filter_table *t, struct nft_wire *w, struct nd_error *err)
{
	int r;

	for (int i = 0; i < TRIES; i++) {
		r = load_once(t, w);
		if (r != -EINTR && r != -ENOENT && r != -EBUSY)
			break;
		/* somebody changed rules meanwhile: from the start */
		filter_table_fini(t);
		if (filter_table_init(t) < 0)
			return nd_error_nomem(err);
	}
	return r < 0 ? nd_error_sys(err, -r, "cannot read nft table '%s'", FILTER_TABLE_NAME) : 0;
}
