/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "datapath/port_filters_commit.h"

#include <errno.h>
#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <string.h>

#include "datapath/nft_msg.h"

static const char family_needed[] = "rules for bridged packets (nftables' bridge family)";

struct rule_arg {
	const struct nft_target *to;
	struct nft_label label;
};

static int put_rule(const struct nftnl_rule *rule, void *arg)
{
	const struct rule_arg *a = arg;

	return nft_msg_put_rule(a->to, rule, a->label);
}

/* ---- the table ---- */

static void put_map(const struct nft_target *to, enum filter_stage stage)
{
	struct nft_set_desc map = { .name = filter_stage_name(stage), .flags = NFT_SET_MAP,
				    .key_type = NFT_TYPE_IFNAME, .key_len = IFNAMSIZ, .number = stage + 1 };
	uint8_t notes[2 * NFT_NOTE_BYTES], *end;

	end = nft_note(notes, NFTNL_UDATA_SET_KEYBYTEORDER, NFT_BYTEORDER_HOST);
	end = nft_note(end, NFTNL_UDATA_SET_DATABYTEORDER, NFT_BYTEORDER_NONE);
	map.notes = notes;
	map.notes_len = (size_t)(end - notes);
	nft_msg_put_set(to, &map, (struct nft_label){ .name = map.name });
}

static int put_skeleton(const struct nft_target *to, bool persist)
{
	nft_msg_put_table(to, persist ? NFT_PERSIST_FLAGS : 0, FILTER_TABLE_COMMENT);
	for (unsigned i = 0; i < FILTER_STAGES; i++) {
		const struct filter_hook *hook = &filter_hooks[i];
		struct rule_arg a = { to, { .name = filter_stage_name(i), .needs = family_needed } };
		int r;

		put_map(to, i);
		nft_msg_put_chain(to, filter_stage_name(i), "filter", hook->hook, hook->priority);
		r = filter_stage_rule(i, put_rule, &a);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- ports ---- */

static void put_elems(const struct nft_target *to, const struct filter_table_port *p, uint8_t stages, bool add)
{
	char chain[FILTER_NAME_SIZE];

	for (unsigned i = 0; i < FILTER_STAGES; i++) {
		struct nft_elem_desc e = { filter_stage_name(i), p->ifname, IFNAMSIZ, chain };

		if (!(stages & 1U << i))
			continue;
		filter_name(filter_stage_name(i), p->key, chain);
		nft_msg_elem(to, &e, add, (struct nft_label){ .name = p->ifname });
	}
}

/* Stages of which the port's element is the same before and after. */
static uint8_t kept_elems(const struct filter_change *c)
{
	return c->was && c->now ? c->was->elems & c->now->elems & (uint8_t)~c->was->bad_elems : 0;
}

static bool kept_set(const struct filter_change *c)
{
	return c->was && c->now && c->was->set_size && !c->was->bad_set && c->was->set_size == c->now->set_size;
}

static bool has_chain(const struct filter_table_port *p, const char *name)
{
	return p && filter_port_find_chain(p, name);
}

/* Nothing leads to the port's chains any more, and they lead nowhere. */
static void empty_port(const struct nft_target *to, const struct filter_change *c)
{
	const struct filter_table_port *p = c->was;

	if (!p)
		return;
	put_elems(to, p, p->elems & (uint8_t)~kept_elems(c), false);
	for (size_t i = 0; i < p->n_chains; i++)
		nft_msg_empty_chain(to, p->chains[i]->name);
}

static void drop_rest(const struct nft_target *to, const struct filter_change *c)
{
	const struct filter_table_port *p = c->was;
	char name[FILTER_NAME_SIZE];

	for (size_t i = 0; p && i < p->n_chains; i++)
		if (!has_chain(c->now, p->chains[i]->name))
			nft_msg_drop_chain(to, p->chains[i]->name);
	if (!p || !p->set_size || kept_set(c))
		return;
	filter_name("learned", p->key, name);
	nft_msg_drop_set(to, name, (struct nft_label){ .name = "learned" });
}

/* The kernel forgets no address while its set stays. */
static void put_learned_set(const struct nft_target *to, const struct filter_table_port *p, uint32_t number)
{
	struct nft_set_desc set = { .flags = NFT_SET_EVAL, .key_type = NFT_TYPE_IPADDR, .key_len = 4,
				    .size = p->set_size, .number = number };
	char name[FILTER_NAME_SIZE];
	uint8_t notes[NFT_NOTE_BYTES];

	filter_name("learned", p->key, name);
	nft_note(notes, NFTNL_UDATA_SET_KEYBYTEORDER, NFT_BYTEORDER_BIG);
	set.name = name;
	set.notes = notes;
	set.notes_len = sizeof(notes);
	nft_msg_put_set(to, &set, (struct nft_label){ .name = p->ifname });
}

static void put_chains(const struct nft_target *to, const struct filter_change *c, uint32_t number)
{
	const struct filter_table_port *p = c->now;

	if (!p)
		return;
	for (size_t i = 0; i < p->n_chains; i++)
		if (!has_chain(c->was, p->chains[i]->name))
			nft_msg_put_chain(to, p->chains[i]->name, NULL, 0, 0);
	if (p->set_size && !kept_set(c))
		put_learned_set(to, p, number);
}

static int put_rules(const struct nft_target *to, const struct filter_table_port *p)
{
	size_t at = 0;		/* of p->chains, which has those chains of the filter that are made */

	for (size_t i = 0; i < p->made->n_chains; i++) {
		const struct filter_chain *c = &p->made->chains[i];
		struct rule_arg a = { .to = to };

		if (i < FILTER_STAGES && !c->n_rules)
			continue;
		a.label.name = p->chains[at++]->name;
		for (size_t k = 0; k < c->n_rules; k++) {
			int r;

			a.label.needs = filter_rule_needs(&c->rules[k]);
			r = filter_write_rule(p->made, p->key, c, &c->rules[k], put_rule, &a);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

/* In the kernel's eyes each step is done before the next: nothing is deleted that something leads to,
 * and nothing leads to what is not there yet. */
static int put_ports(const struct nft_target *to, const struct filter_changes *c)
{
	for (size_t i = 0; i < c->n; i++)
		empty_port(to, &c->items[i]);
	for (size_t i = 0; i < c->n; i++)
		drop_rest(to, &c->items[i]);
	for (size_t i = 0; i < c->n; i++)
		put_chains(to, &c->items[i], (uint32_t)i + FILTER_STAGES + 1);
	for (size_t i = 0; i < c->n; i++) {
		int r = c->items[i].now ? put_rules(to, c->items[i].now) : 0;

		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < c->n; i++)
		if (c->items[i].now)
			put_elems(to, c->items[i].now,
				  c->items[i].now->elems & (uint8_t)~kept_elems(&c->items[i]), true);
	return 0;
}

int filter_transition(struct nft_tx *tx, const struct filter_table *t, const struct filter_changes *c,
		      bool persist)
{
	const struct nft_target to = { tx, NFPROTO_BRIDGE, FILTER_TABLE, FILTER_TABLE_NAME, family_needed };
	int r = 0;

	if (t->there)
		nft_msg_put_table(&to, t->flags, FILTER_TABLE_COMMENT);
	if (t->there && (c->rebuild || !c->n_ports))
		nft_msg_drop_table(&to);
	if (!c->n_ports)
		return tx->failed ? -ENOMEM : 0;
	if (!t->there || c->rebuild)
		r = put_skeleton(&to, persist);
	if (r == 0)
		r = put_ports(&to, c);
	return tx->failed ? -ENOMEM : r;
}
