/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "datapath/nft_commit.h"

#include <errno.h>
#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <string.h>

#include "datapath/nft_msg.h"

struct writer {
	struct nft_target to;
	const struct nft_state *now;
	const struct nft_wishes *wishes;
	const struct nft_counts *have;	/* afterwards */
	bool fresh;			/* the table has nothing in it when the transaction starts */
	uint32_t changed;		/* bit per class: sets of it come or go */
	struct nlmsghdr *open;
};

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

static struct nft_target target(struct nft_tx *tx)
{
	return (struct nft_target){ tx, NFPROTO_INET, NFT_TABLE, "inet " NFT_TABLE };
}

static int put_rule(const struct nftnl_rule *rule, void *arg)
{
	const struct nft_target *t = arg;
	const char *chain = nftnl_rule_get_str(rule, NFTNL_RULE_CHAIN);
	struct nft_label label = { .name = "of a network" };

	/* the rule's own string does not live long enough for the label */
	for (unsigned i = 0; i < NFT_CHAINS; i++)
		if (strcmp(nft_chains[i].name, chain) == 0)
			label.name = nft_chains[i].name;
	return nft_msg_put_rule(t, rule, label);
}

static uint32_t key_type(const struct nft_set_id *id, uint32_t *byteorder_out)
{
	const struct nft_class_desc *c = &nft_classes[id->class];
	uint32_t type = 0;

	*byteorder_out = NFT_BYTEORDER_HOST;
	for (unsigned i = 0; i < ND_COUNT(c->fields) && c->fields[i]; i++) {
		uint32_t t = c->fields[i] == NFT_FIELD_IFNAME ? NFT_TYPE_IFNAME :
			     c->fields[i] == NFT_FIELD_WAY_BACK ? NFT_TYPE_STRING :
			     c->fields[i] == NFT_FIELD_UID ? NFT_TYPE_UID :
			     c->fields[i] == NFT_FIELD_PORT ? NFT_TYPE_SERVICE :
			     id->v6 ? NFT_TYPE_IP6ADDR : NFT_TYPE_IPADDR;

		if (c->fields[i] == NFT_FIELD_ADDR)
			*byteorder_out = NFT_BYTEORDER_BIG;
		if (i)
			*byteorder_out = NFT_BYTEORDER_NONE;
		type = type << 6 | t;
	}
	return type;
}

/* "typeof fib saddr oifname": nft(8) has no other way to say the type of such a key. */
static uint8_t *put_typeof_way_back(uint8_t *to)
{
	enum { EXPR_FIB = 26, NOTES_RESULT = 0, NOTES_FLAGS = 1, NOTE_LEN = 6 };

	*to++ = NFTNL_UDATA_SET_KEY_TYPEOF;
	*to++ = NOTE_LEN + 2 + 2 * NOTE_LEN;
	to = nft_note(to, NFTNL_UDATA_SET_TYPEOF_EXPR, EXPR_FIB);
	*to++ = NFTNL_UDATA_SET_TYPEOF_DATA;
	*to++ = 2 * NOTE_LEN;
	to = nft_note(to, NOTES_RESULT, NFT_FIB_RESULT_OIFNAME);
	return nft_note(to, NOTES_FLAGS, NFTA_FIB_F_SADDR);
}

static void put_set(const struct nft_target *t, const struct nft_set_id *id, uint32_t set_number)
{
	bool is_map = nft_classes[id->class].is_map;
	struct nft_set_desc set = { .flags = is_map ? NFT_SET_MAP : 0, .key_len = nft_set_key_len(id),
				    .number = set_number };
	uint8_t notes[64], *end;
	uint32_t byteorder;
	char name[32];

	set.name = nft_set_name(id, name);
	set.key_type = key_type(id, &byteorder);
	end = nft_note(notes, NFTNL_UDATA_SET_KEYBYTEORDER, byteorder);
	if (is_map)
		end = nft_note(end, NFTNL_UDATA_SET_DATABYTEORDER, 0);
	if (nft_classes[id->class].fields[0] == NFT_FIELD_WAY_BACK)
		end = put_typeof_way_back(end);
	set.notes = notes;
	set.notes_len = (size_t)(end - notes);
	nft_msg_put_set(t, &set, (struct nft_label){ .name = nft_classes[id->class].name });
}

static void drop_set(const struct nft_target *t, const struct nft_set_id *id)
{
	char name[32];

	nft_msg_drop_set(t, nft_set_name(id, name), (struct nft_label){ .name = nft_classes[id->class].name });
}

static void put_elem(const struct nft_target *t, const struct plan_nft_elem *e, bool add)
{
	nft_msg_elem(t, &(struct nft_elem_desc){ e->set, e->key, e->key_len, e->goto_chain }, add,
		     (struct nft_label){ .elem = e });
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
					put_set(&w->to, &id, ++number);
				else
					drop_set(&w->to, &id);
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
			nft_msg_put_chain(&w->to, c->name, c->type, c->hook, c->priority);
	}
}

static int put_rules(struct writer *w)
{
	for (unsigned i = 0; i < NFT_CHAINS; i++)
		if ((nft_chains[i].uses & w->changed) && chain_was(w, &nft_chains[i]))
			nft_msg_empty_chain(&w->to, nft_chains[i].name);
	for (unsigned i = 0; i < NFT_CHAINS; i++) {
		const struct nft_chain_desc *c = &nft_chains[i];
		int r;

		if (!(c->uses & w->changed) || !c->wanted(w->have, c->v6))
			continue;
		r = nft_chain_rules(c, w->have, put_rule, &w->to);
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
			nft_msg_drop_chain(&w->to, c->name);
	}
}

/* replaces: the chain is there with other rules. */
static int put_own_chain(struct writer *w, const struct plan_nft_chain *c, bool replaces)
{
	if (replaces)
		nft_msg_empty_chain(&w->to, c->name);
	else
		nft_msg_put_chain(&w->to, c->name, NULL, 0, 0);
	return nft_own_chain_rules(c, put_rule, &w->to);
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
			nft_msg_drop_chain(&w->to, c->chain.name);
	}
}

static void put_elems(struct writer *w)
{
	const struct plan_nft_elem *e;
	size_t pos = 0;

	while (w->fresh && (e = nd_hash_next(w->now->elems, &pos)))
		if (!w->wishes->index ||
		    !nd_hash_find(w->wishes->index, e, nft_elem_hash_key_len(e)))
			put_elem(&w->to, e, true);
	for (size_t i = 0; i < w->wishes->n_elems; i++) {
		const struct nft_wish *x = w->wishes->elems[i];
		const struct plan_nft_elem *have = w->fresh ? NULL : nft_state_find(w->now, &x->elem);

		if (have && !(x->present && same_elem(have, &x->elem)))
			put_elem(&w->to, have, false);
		if (x->present && !same_elem(have, &x->elem))
			put_elem(&w->to, &x->elem, true);
	}
}

static struct nft_target hold_target(struct nft_tx *tx)
{
	return (struct nft_target){ tx, NFPROTO_INET, NFT_HOLD_TABLE, "inet " NFT_HOLD_TABLE };
}

static int put_hold(struct nft_tx *tx)
{
	struct nft_target t = hold_target(tx);

	nft_msg_put_table(&t, NFT_TABLE_F_OWNER, "made by netd: keeps NAT connections alive");
	nft_msg_put_chain(&t, "hold", NULL, 0, 0);
	nft_msg_put_chain(&t, "postrouting", "nat", NF_INET_POST_ROUTING, 101);
	return nft_hold_rules(NFT_HOLD_TABLE, put_rule, &t);
}

int nft_transition(struct nft_tx *tx, const struct nft_state *now, const struct nft_wishes *wishes,
		   bool rebuild, bool persist, struct nft_counts *counts_out)
{
	struct writer w = { .to = target(tx), .now = now, .wishes = wishes, .have = counts_out,
			    .fresh = rebuild || !now->table };
	struct nft_target hold = hold_target(tx);
	int r;

	count_wishes(counts_out, now, wishes);
	if (now->table)
		nft_msg_put_table(&w.to, now->flags, NFT_TABLE_COMMENT);
	if (now->table && (rebuild || !any(counts_out)))
		nft_msg_drop_table(&w.to);
	if (now->hold && !any(counts_out))
		nft_msg_drop_table(&hold);
	if (!any(counts_out))
		return tx->failed ? -ENOMEM : 0;
	if (w.fresh)
		nft_msg_put_table(&w.to, persist ? NFT_PERSIST_FLAGS : 0, NFT_TABLE_COMMENT);
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
	const struct nft_target probe = { &tx, NFPROTO_INET, "netd_probe", "inet netd_probe" };
	const struct nft_target nothing = { &tx, NFPROTO_INET, "netd_never_there", "inet netd_never_there" };
	bool persists;

	nft_tx_begin(&tx, w, 0);
	nft_msg_put_table(&probe, NFT_PERSIST_FLAGS, "never made");
	nft_msg_drop_table(&nothing);
	persists = nft_tx_send(&tx, w, NULL) == -ENOENT && !tx.table_refused;
	nft_tx_fini(&tx);
	return persists;
}
