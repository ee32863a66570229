/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "datapath/nft_commit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libnftnl/chain.h>
#include <libnftnl/set.h>
#include <libnftnl/table.h>
#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <string.h>

struct writer {
	struct nft_tx *tx;
	const struct nft_state *now;
	const struct nft_wishes *wishes;
	const struct nft_counts *have;	/* afterwards */
	bool fresh;			/* the table has nothing in it when the transaction starts */
	uint32_t changed;		/* bit per class: sets of it come or go */
	struct nlmsghdr *open;
};

/* nft(8)'s numbers for the types of keys; a concatenation has six bits for each. */
enum { TYPE_STRING = 5, TYPE_IPADDR = 7, TYPE_IP6ADDR = 8, TYPE_SERVICE = 13, TYPE_UID = 24,
       TYPE_IFNAME = 41 };
enum { BYTEORDER_NONE, BYTEORDER_HOST, BYTEORDER_BIG };

static bool same_elem(const struct plan_nft_elem *a, const struct plan_nft_elem *b)
{
	return a && strcmp(a->goto_chain, b->goto_chain) == 0;
}

static bool same_chain(const struct plan_nft_chain *a, const struct plan_nft_chain *b)
{
	return a && a->family == b->family && nd_ip_equal(&a->snat_start, &b->snat_start) &&
	       nd_ip_equal(&a->snat_end, &b->snat_end) && a->port_start == b->port_start &&
	       a->port_end == b->port_end;
}

bool nft_wishes_met(const struct nft_wishes *wishes, const struct nft_state *now)
{
	for (size_t i = 0; i < wishes->n_elems; i++) {
		const struct nft_wish *w = wishes->elems[i];
		const struct plan_nft_elem *have = nft_state_find(now, &w->elem);

		if (w->present ? !same_elem(have, &w->elem) : have != NULL)
			return false;
	}
	for (size_t i = 0; i < wishes->n_chains; i++) {
		const struct nft_chain_wish *w = &wishes->chains[i];
		const struct plan_nft_chain *have = nft_state_find_chain(now, w->chain.name);

		if (w->present ? !same_chain(have, &w->chain) : have != NULL)
			return false;
	}
	return true;
}

/* ---- messages ---- */

static void put_table(struct nft_tx *tx, const char *name, uint32_t flags, const char *comment)
{
	struct nlmsghdr *h = nft_tx_msg(tx, NFT_MSG_NEWTABLE, NFPROTO_INET, NLM_F_CREATE,
					(struct nft_label){ "cannot make or take over table",
							    name, .table = true });
	uint8_t udata[2 + 128] = { NFTNL_UDATA_TABLE_COMMENT, (uint8_t)(strlen(comment) + 1) };

	if (!h)
		return;
	strncpy((char *)udata + 2, comment, sizeof(udata) - 3);
	mnl_attr_put_strz(h, NFTA_TABLE_NAME, name);
	mnl_attr_put_u32(h, NFTA_TABLE_FLAGS, htonl(flags));
	mnl_attr_put(h, NFTA_TABLE_USERDATA, strlen(comment) + 3, udata);
	nft_tx_msg_end(tx, h);
}

static void drop_table(struct nft_tx *tx, const char *name)
{
	struct nlmsghdr *h = nft_tx_msg(tx, NFT_MSG_DELTABLE, NFPROTO_INET, 0,
					(struct nft_label){ "cannot delete table", name });

	if (!h)
		return;
	mnl_attr_put_strz(h, NFTA_TABLE_NAME, name);
	nft_tx_msg_end(tx, h);
}

static void put_chain(struct nft_tx *tx, const char *table, const char *name, const char *type,
		      uint32_t hook, int32_t priority)
{
	struct nlmsghdr *h = nft_tx_msg(tx, NFT_MSG_NEWCHAIN, NFPROTO_INET, NLM_F_CREATE,
					(struct nft_label){ "cannot add chain", name });
	struct nlattr *nest;

	if (!h)
		return;
	mnl_attr_put_strz(h, NFTA_CHAIN_TABLE, table);
	mnl_attr_put_strz(h, NFTA_CHAIN_NAME, name);
	if (type) {
		nest = mnl_attr_nest_start(h, NFTA_CHAIN_HOOK);
		mnl_attr_put_u32(h, NFTA_HOOK_HOOKNUM, htonl(hook));
		mnl_attr_put_u32(h, NFTA_HOOK_PRIORITY, htonl((uint32_t)priority));
		mnl_attr_nest_end(h, nest);
		mnl_attr_put_u32(h, NFTA_CHAIN_POLICY, htonl(NF_ACCEPT));
		mnl_attr_put_strz(h, NFTA_CHAIN_TYPE, type);
	}
	nft_tx_msg_end(tx, h);
}

/* type NFT_MSG_DELCHAIN, or NFT_MSG_DELRULE for all of its rules. */
static void drop_in_chain(struct nft_tx *tx, uint16_t type, const char *verb, const char *name)
{
	struct nlmsghdr *h = nft_tx_msg(tx, type, NFPROTO_INET, 0, (struct nft_label){ verb, name });

	if (!h)
		return;
	_Static_assert((int)NFTA_RULE_TABLE == NFTA_CHAIN_TABLE, "the same attribute");
	mnl_attr_put_strz(h, NFTA_RULE_TABLE, NFT_TABLE);
	mnl_attr_put_strz(h, type == NFT_MSG_DELRULE ? (int)NFTA_RULE_CHAIN : (int)NFTA_CHAIN_NAME,
			  name);
	nft_tx_msg_end(tx, h);
}

static int put_rule(const struct nftnl_rule *rule, void *arg)
{
	struct nft_tx *tx = arg;
	const char *chain = nftnl_rule_get_str(rule, NFTNL_RULE_CHAIN);
	struct nlmsghdr *h = nft_tx_msg(tx, NFT_MSG_NEWRULE, NFPROTO_INET,
					NLM_F_CREATE | NLM_F_APPEND,
					(struct nft_label){ "cannot add a rule to chain" });

	if (!h)
		return -ENOMEM;
	/* the rule's own string does not live long enough for the label */
	for (unsigned i = 0; i < NFT_CHAINS; i++)
		if (strcmp(nft_chains[i].name, chain) == 0)
			tx->labels[tx->n_labels - 1].name = nft_chains[i].name;
	if (!tx->labels[tx->n_labels - 1].name)
		tx->labels[tx->n_labels - 1].name = "of a network";
	nftnl_rule_nlmsg_build_payload(h, (struct nftnl_rule *)rule);
	nft_tx_msg_end(tx, h);
	return 0;
}

static uint32_t key_type(const struct nft_set_id *id, uint32_t *byteorder_out)
{
	const struct nft_class_desc *c = &nft_classes[id->class];
	uint32_t type = 0;

	*byteorder_out = BYTEORDER_HOST;
	for (unsigned i = 0; i < ND_COUNT(c->fields) && c->fields[i]; i++) {
		uint32_t t = c->fields[i] == NFT_FIELD_IFNAME ? TYPE_IFNAME :
			     c->fields[i] == NFT_FIELD_WAY_BACK ? TYPE_STRING :
			     c->fields[i] == NFT_FIELD_UID ? TYPE_UID :
			     c->fields[i] == NFT_FIELD_PORT ? TYPE_SERVICE :
			     id->v6 ? TYPE_IP6ADDR : TYPE_IPADDR;

		if (c->fields[i] == NFT_FIELD_ADDR)
			*byteorder_out = BYTEORDER_BIG;
		if (i)
			*byteorder_out = BYTEORDER_NONE;
		type = type << 6 | t;
	}
	return type;
}

/* A value of nft(8)'s own notes on a set, at `to`; returns what follows it. */
static uint8_t *put_note(uint8_t *to, uint8_t type, uint32_t value)
{
	*to++ = type;
	*to++ = sizeof(value);
	memcpy(to, &value, sizeof(value));
	return to + sizeof(value);
}

/* "typeof fib saddr oifname": nft(8) has no other way to say the type of such a key. */
static uint8_t *put_typeof_way_back(uint8_t *to)
{
	enum { EXPR_FIB = 26, NOTES_RESULT = 0, NOTES_FLAGS = 1, NOTE_LEN = 6 };

	*to++ = NFTNL_UDATA_SET_KEY_TYPEOF;
	*to++ = NOTE_LEN + 2 + 2 * NOTE_LEN;
	to = put_note(to, NFTNL_UDATA_SET_TYPEOF_EXPR, EXPR_FIB);
	*to++ = NFTNL_UDATA_SET_TYPEOF_DATA;
	*to++ = 2 * NOTE_LEN;
	to = put_note(to, NOTES_RESULT, NFT_FIB_RESULT_OIFNAME);
	return put_note(to, NOTES_FLAGS, NFTA_FIB_F_SADDR);
}

static void put_set(struct nft_tx *tx, const struct nft_set_id *id, uint32_t set_number)
{
	struct nlmsghdr *h = nft_tx_msg(tx, NFT_MSG_NEWSET, NFPROTO_INET, NLM_F_CREATE,
					(struct nft_label){ "cannot add set",
							    nft_classes[id->class].name });
	uint32_t byteorder, type = key_type(id, &byteorder);
	bool is_map = nft_classes[id->class].is_map;
	uint8_t notes[64], *end = put_note(notes, NFTNL_UDATA_SET_KEYBYTEORDER, byteorder);
	char name[32];

	if (!h)
		return;
	if (is_map)
		end = put_note(end, NFTNL_UDATA_SET_DATABYTEORDER, 0);
	if (nft_classes[id->class].fields[0] == NFT_FIELD_WAY_BACK)
		end = put_typeof_way_back(end);
	mnl_attr_put_strz(h, NFTA_SET_TABLE, NFT_TABLE);
	mnl_attr_put_strz(h, NFTA_SET_NAME, nft_set_name(id, name));
	mnl_attr_put_u32(h, NFTA_SET_FLAGS, htonl(is_map ? NFT_SET_MAP : 0));
	mnl_attr_put_u32(h, NFTA_SET_KEY_TYPE, htonl(type));
	mnl_attr_put_u32(h, NFTA_SET_KEY_LEN, htonl(nft_set_key_len(id)));
	if (is_map)
		mnl_attr_put_u32(h, NFTA_SET_DATA_TYPE, htonl(NFT_DATA_VERDICT));
	mnl_attr_put_u32(h, NFTA_SET_ID, htonl(set_number));
	mnl_attr_put(h, NFTA_SET_USERDATA, (size_t)(end - notes), notes);
	nft_tx_msg_end(tx, h);
}

static void drop_set(struct nft_tx *tx, const struct nft_set_id *id)
{
	struct nlmsghdr *h = nft_tx_msg(tx, NFT_MSG_DELSET, NFPROTO_INET, 0,
					(struct nft_label){ "cannot delete set",
							    nft_classes[id->class].name });
	char name[32];

	if (!h)
		return;
	mnl_attr_put_strz(h, NFTA_SET_TABLE, NFT_TABLE);
	mnl_attr_put_strz(h, NFTA_SET_NAME, nft_set_name(id, name));
	nft_tx_msg_end(tx, h);
}

static void put_verdict(struct nlmsghdr *h, const char *chain)
{
	struct nlattr *data = mnl_attr_nest_start(h, NFTA_SET_ELEM_DATA);
	struct nlattr *verdict = mnl_attr_nest_start(h, NFTA_DATA_VERDICT);

	mnl_attr_put_u32(h, NFTA_VERDICT_CODE, htonl((uint32_t)NFT_GOTO));
	mnl_attr_put_strz(h, NFTA_VERDICT_CHAIN, chain);
	mnl_attr_nest_end(h, verdict);
	mnl_attr_nest_end(h, data);
}

/* add: NFT_MSG_NEWSETELEM, else NFT_MSG_DELSETELEM. */
static void put_elem(struct nft_tx *tx, const struct plan_nft_elem *e, bool add)
{
	struct nft_label label = { add ? "cannot add element" : "cannot delete element", NULL, e };
	struct nlmsghdr *h = nft_tx_msg(tx, add ? NFT_MSG_NEWSETELEM : NFT_MSG_DELSETELEM,
					NFPROTO_INET, add ? NLM_F_CREATE : 0, label);
	struct nlattr *list, *elem, *key;

	if (!h)
		return;
	mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_TABLE, NFT_TABLE);
	mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_SET, e->set);
	list = mnl_attr_nest_start(h, NFTA_SET_ELEM_LIST_ELEMENTS);
	elem = mnl_attr_nest_start(h, NFTA_LIST_ELEM);
	key = mnl_attr_nest_start(h, NFTA_SET_ELEM_KEY);
	mnl_attr_put(h, NFTA_DATA_VALUE, e->key_len, e->key);
	mnl_attr_nest_end(h, key);
	if (add && e->goto_chain[0])
		put_verdict(h, e->goto_chain);
	mnl_attr_nest_end(h, elem);
	mnl_attr_nest_end(h, list);
	nft_tx_msg_end(tx, h);
}

/* ---- the order of things ---- */

static void count(struct nft_counts *c, const struct plan_nft_elem *e, int by)
{
	struct nft_set_id id;

	if (!nft_set_id_parse(e->set, &id))
		return;
	*nft_count(c, &id) += (uint32_t)by;
	c->sum[id.class][id.v6] += (uint32_t)by;
}

static void count_wishes(struct nft_counts *c, const struct nft_state *now,
			 const struct nft_wishes *wishes)
{
	*c = *now->have;
	for (size_t i = 0; i < wishes->n_elems; i++) {
		const struct nft_wish *w = wishes->elems[i];

		count(c, &w->elem, (int)w->present - (nft_state_find(now, &w->elem) != NULL));
	}
}

static bool any(const struct nft_counts *c)
{
	for (unsigned i = 0; i < NFT_CLASSES; i++)
		if (c->sum[i][0] || c->sum[i][1])
			return true;
	return false;
}

/* Calls for each set that comes (or, coming false, goes). */
static void walk_sets(struct writer *w, bool coming)
{
	static const struct nft_counts nothing;
	const struct nft_counts *before = w->fresh ? &nothing : w->now->have;
	const struct nft_counts *from = coming ? before : w->have;
	const struct nft_counts *to = coming ? w->have : before;
	uint32_t number = 0;

	for (unsigned class = 0; class < NFT_CLASSES; class++)
		for (unsigned v6 = 0; v6 < 2; v6++)
			for (unsigned len = 0; len <= 128 && to->sum[class][v6]; len++) {
				struct nft_set_id id = { class, v6, (uint8_t)len };

				if (!to->n[class][v6][len] || from->n[class][v6][len])
					continue;
				w->changed |= 1U << class;
				if (coming)
					put_set(w->tx, &id, ++number);
				else
					drop_set(w->tx, &id);
			}
}

/* Marks the classes of which sets go, before the rules are written. */
static void mark_going(struct writer *w)
{
	if (w->fresh)
		return;
	for (unsigned class = 0; class < NFT_CLASSES; class++)
		for (unsigned v6 = 0; v6 < 2; v6++)
			for (unsigned len = 0; len <= 128 && w->now->have->sum[class][v6]; len++)
				if (w->now->have->n[class][v6][len] && !w->have->n[class][v6][len])
					w->changed |= 1U << class;
}

static bool chain_was(const struct writer *w, const struct nft_chain_desc *c)
{
	return !w->fresh && c->wanted(w->now->have, c->v6);
}

/* Base chains last, so that no packet meets half of the rules (it would not anyway: one
 * transaction), and chains before the rules that jump to them. */
static void put_chains(struct writer *w)
{
	for (unsigned i = 0; i < NFT_CHAINS; i++) {
		const struct nft_chain_desc *c = &nft_chains[i];

		if (c->wanted(w->have, c->v6) && !chain_was(w, c))
			put_chain(w->tx, NFT_TABLE, c->name, c->type, c->hook, c->priority);
	}
}

static int put_rules(struct writer *w)
{
	for (unsigned i = 0; i < NFT_CHAINS; i++)
		if ((nft_chains[i].uses & w->changed) && chain_was(w, &nft_chains[i]))
			drop_in_chain(w->tx, NFT_MSG_DELRULE, "cannot empty chain",
				      nft_chains[i].name);
	for (unsigned i = 0; i < NFT_CHAINS; i++) {
		const struct nft_chain_desc *c = &nft_chains[i];
		int r;

		if (!(c->uses & w->changed) || !c->wanted(w->have, c->v6))
			continue;
		r = nft_chain_rules(c, w->have, put_rule, w->tx);
		if (r < 0)
			return r;
	}
	return 0;
}

static void drop_chains(struct writer *w)
{
	for (unsigned i = 0; i < NFT_CHAINS; i++) {
		const struct nft_chain_desc *c = &nft_chains[i];

		if (!c->wanted(w->have, c->v6) && chain_was(w, c))
			drop_in_chain(w->tx, NFT_MSG_DELCHAIN, "cannot delete chain", c->name);
	}
}

/* replaces: the chain is there with other rules. */
static int put_own_chain(struct writer *w, const struct plan_nft_chain *c, bool replaces)
{
	if (replaces)
		drop_in_chain(w->tx, NFT_MSG_DELRULE, "cannot empty chain", c->name);
	else
		put_chain(w->tx, NFT_TABLE, c->name, NULL, 0, 0);
	return nft_own_chain_rules(c, put_rule, w->tx);
}

static const struct nft_chain_wish *chain_wish(const struct writer *w, const char *name)
{
	for (size_t i = 0; i < w->wishes->n_chains; i++)
		if (strcmp(w->wishes->chains[i].chain.name, name) == 0)
			return &w->wishes->chains[i];
	return NULL;
}

static int put_own_chains(struct writer *w)
{
	for (size_t i = 0; w->fresh && i < w->now->n_chains; i++) {
		int r = 0;

		if (!chain_wish(w, w->now->chains[i].name))
			r = put_own_chain(w, &w->now->chains[i], false);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < w->wishes->n_chains; i++) {
		const struct nft_chain_wish *c = &w->wishes->chains[i];
		const struct plan_nft_chain *have =
			w->fresh ? NULL : nft_state_find_chain(w->now, c->chain.name);
		int r = 0;

		if (c->present && !same_chain(have, &c->chain))
			r = put_own_chain(w, &c->chain, have != NULL);
		if (r < 0)
			return r;
	}
	return 0;
}

static void drop_own_chains(struct writer *w)
{
	for (size_t i = 0; !w->fresh && i < w->wishes->n_chains; i++) {
		const struct nft_chain_wish *c = &w->wishes->chains[i];

		if (!c->present && nft_state_find_chain(w->now, c->chain.name))
			drop_in_chain(w->tx, NFT_MSG_DELCHAIN, "cannot delete chain", c->chain.name);
	}
}

static void put_elems(struct writer *w)
{
	const struct plan_nft_elem *e;
	size_t pos = 0;

	while (w->fresh && (e = nd_hash_next(w->now->elems, &pos)))
		if (!w->wishes->index ||
		    !nd_hash_find(w->wishes->index, e, nft_elem_hash_key_len(e)))
			put_elem(w->tx, e, true);
	for (size_t i = 0; i < w->wishes->n_elems; i++) {
		const struct nft_wish *x = w->wishes->elems[i];
		const struct plan_nft_elem *have = w->fresh ? NULL : nft_state_find(w->now, &x->elem);

		if (have && !(x->present && same_elem(have, &x->elem)))
			put_elem(w->tx, have, false);
		if (x->present && !same_elem(have, &x->elem))
			put_elem(w->tx, &x->elem, true);
	}
}

static int put_hold(struct nft_tx *tx)
{
	put_table(tx, NFT_HOLD_TABLE, NFT_TABLE_F_OWNER, "made by netd: keeps NAT connections alive");
	put_chain(tx, NFT_HOLD_TABLE, "hold", NULL, 0, 0);
	put_chain(tx, NFT_HOLD_TABLE, "postrouting", "nat", NF_INET_POST_ROUTING, 101);
	return nft_hold_rules(NFT_HOLD_TABLE, put_rule, tx);
}

int nft_transition(struct nft_tx *tx, const struct nft_state *now, const struct nft_wishes *wishes,
		   bool rebuild, bool persist, struct nft_counts *counts_out)
{
	struct writer w = { .tx = tx, .now = now, .wishes = wishes, .have = counts_out,
			    .fresh = rebuild || !now->table };
	int r;

	count_wishes(counts_out, now, wishes);
	if (now->table)
		put_table(tx, NFT_TABLE, now->flags, NFT_TABLE_COMMENT);
	if (now->table && (rebuild || !any(counts_out)))
		drop_table(tx, NFT_TABLE);
	if (now->hold && !any(counts_out))
		drop_table(tx, NFT_HOLD_TABLE);
	if (!any(counts_out))
		return tx->failed ? -ENOMEM : 0;
	if (w.fresh)
		put_table(tx, NFT_TABLE, persist ? NFT_PERSIST_FLAGS : 0, NFT_TABLE_COMMENT);
	if (!persist && !now->hold) {
		r = put_hold(tx);
		if (r < 0)
			return r;
	}
	mark_going(&w);
	walk_sets(&w, true);
	put_chains(&w);
	r = put_own_chains(&w);
	if (r == 0)
		r = put_rules(&w);
	if (r < 0)
		return r;
	put_elems(&w);
	drop_own_chains(&w);
	drop_chains(&w);
	walk_sets(&w, false);
	return tx->failed ? -ENOMEM : 0;
}

bool nft_kernel_persists(struct nft_wire *w)
{
	struct nft_tx tx;
	bool persists;

	nft_tx_begin(&tx, w, 0);
	put_table(&tx, "netd_probe", NFT_PERSIST_FLAGS, "never made");
	drop_table(&tx, "netd_never_there");
	persists = nft_tx_send(&tx, w, NULL) == -ENOENT && !tx.table_refused;
	nft_tx_fini(&tx);
	return persists;
}
