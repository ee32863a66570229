/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "datapath/nft_msg.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <string.h>

static struct nlmsghdr *begin(const struct nft_target *t, uint16_t type, uint16_t flags,
			      struct nft_label label)
{
	label.of = t->name;
	return nft_tx_msg(t->tx, type, t->family, flags, label);
}

void nft_msg_put_table(const struct nft_target *t, uint32_t flags, const char *comment)
{
	struct nlmsghdr *h = begin(t, NFT_MSG_NEWTABLE, NLM_F_CREATE,
				   (struct nft_label){ "cannot make or take over table", t->table,
						       .table = true, .needs = t->needs });
	uint8_t udata[2 + 128] = { NFTNL_UDATA_TABLE_COMMENT, (uint8_t)(strlen(comment) + 1) };

	if (!h)
		return;
	strncpy((char *)udata + 2, comment, sizeof(udata) - 3);
	mnl_attr_put_strz(h, NFTA_TABLE_NAME, t->table);
	mnl_attr_put_u32(h, NFTA_TABLE_FLAGS, htonl(flags));
	mnl_attr_put(h, NFTA_TABLE_USERDATA, strlen(comment) + 3, udata);
	nft_tx_msg_end(t->tx, h);
}

void nft_msg_drop_table(const struct nft_target *t)
{
	struct nlmsghdr *h = begin(t, NFT_MSG_DELTABLE, 0,
				   (struct nft_label){ "cannot delete table", t->table });

	if (!h)
		return;
	mnl_attr_put_strz(h, NFTA_TABLE_NAME, t->table);
	nft_tx_msg_end(t->tx, h);
}

void nft_msg_put_chain(const struct nft_target *t, const char *name, const char *type, uint32_t hook,
		       int32_t priority)
{
	struct nlmsghdr *h = begin(t, NFT_MSG_NEWCHAIN, NLM_F_CREATE,
				   (struct nft_label){ "cannot add chain", name,
						       .needs = type ? t->needs : NULL });
	struct nlattr *nest;

	if (!h)
		return;
	mnl_attr_put_strz(h, NFTA_CHAIN_TABLE, t->table);
	mnl_attr_put_strz(h, NFTA_CHAIN_NAME, name);
	if (type) {
		nest = mnl_attr_nest_start(h, NFTA_CHAIN_HOOK);
		mnl_attr_put_u32(h, NFTA_HOOK_HOOKNUM, htonl(hook));
		mnl_attr_put_u32(h, NFTA_HOOK_PRIORITY, htonl((uint32_t)priority));
		mnl_attr_nest_end(h, nest);
		mnl_attr_put_u32(h, NFTA_CHAIN_POLICY, htonl(NF_ACCEPT));
		mnl_attr_put_strz(h, NFTA_CHAIN_TYPE, type);
	}
	nft_tx_msg_end(t->tx, h);
}

/* type NFT_MSG_DELCHAIN, or NFT_MSG_DELRULE for all of its rules. */
static void drop_in_chain(const struct nft_target *t, uint16_t type, const char *verb, const char *name)
{
	struct nlmsghdr *h = begin(t, type, 0, (struct nft_label){ verb, name });

	if (!h)
		return;
	_Static_assert((int)NFTA_RULE_TABLE == NFTA_CHAIN_TABLE, "the same attribute");
	mnl_attr_put_strz(h, NFTA_RULE_TABLE, t->table);
	mnl_attr_put_strz(h, type == NFT_MSG_DELRULE ? (int)NFTA_RULE_CHAIN : (int)NFTA_CHAIN_NAME,
			  name);
	nft_tx_msg_end(t->tx, h);
}

void nft_msg_drop_chain(const struct nft_target *t, const char *name)
{
	drop_in_chain(t, NFT_MSG_DELCHAIN, "cannot delete chain", name);
}

void nft_msg_empty_chain(const struct nft_target *t, const char *name)
{
	drop_in_chain(t, NFT_MSG_DELRULE, "cannot empty chain", name);
}

int nft_msg_put_rule(const struct nft_target *t, const struct nftnl_rule *rule, struct nft_label label)
{
	struct nlmsghdr *h;

	label.verb = "cannot add a rule to chain";
	h = begin(t, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, label);
	if (!h)
		return -ENOMEM;
	nftnl_rule_nlmsg_build_payload(h, (struct nftnl_rule *)rule);
	nft_tx_msg_end(t->tx, h);
	return 0;
}

uint8_t *nft_note(uint8_t *to, uint8_t type, uint32_t value)
{
	*to++ = type;
	*to++ = sizeof(value);
	memcpy(to, &value, sizeof(value));
	return to + sizeof(value);
}

void nft_msg_put_set(const struct nft_target *t, const struct nft_set_desc *set, struct nft_label label)
{
	struct nlmsghdr *h;
	struct nlattr *nest;

	label.verb = "cannot add set";
	h = begin(t, NFT_MSG_NEWSET, NLM_F_CREATE, label);
	if (!h)
		return;
	mnl_attr_put_strz(h, NFTA_SET_TABLE, t->table);
	mnl_attr_put_strz(h, NFTA_SET_NAME, set->name);
	mnl_attr_put_u32(h, NFTA_SET_FLAGS, htonl(set->flags));
	mnl_attr_put_u32(h, NFTA_SET_KEY_TYPE, htonl(set->key_type));
	mnl_attr_put_u32(h, NFTA_SET_KEY_LEN, htonl(set->key_len));
	if (set->flags & NFT_SET_MAP)
		mnl_attr_put_u32(h, NFTA_SET_DATA_TYPE, htonl(NFT_DATA_VERDICT));
	if (set->size) {
		nest = mnl_attr_nest_start(h, NFTA_SET_DESC);
		mnl_attr_put_u32(h, NFTA_SET_DESC_SIZE, htonl(set->size));
		mnl_attr_nest_end(h, nest);
	}
	mnl_attr_put_u32(h, NFTA_SET_ID, htonl(set->number));
	mnl_attr_put(h, NFTA_SET_USERDATA, set->notes_len, set->notes);
	nft_tx_msg_end(t->tx, h);
}

void nft_msg_drop_set(const struct nft_target *t, const char *name, struct nft_label label)
{
	struct nlmsghdr *h;

	label.verb = "cannot delete set";
	h = begin(t, NFT_MSG_DELSET, 0, label);
	if (!h)
		return;
	mnl_attr_put_strz(h, NFTA_SET_TABLE, t->table);
	mnl_attr_put_strz(h, NFTA_SET_NAME, name);
	nft_tx_msg_end(t->tx, h);
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

void nft_msg_elem(const struct nft_target *t, const struct nft_elem_desc *e, bool add,
		  struct nft_label label)
{
	struct nlattr *list, *elem, *key;
	struct nlmsghdr *h;

	label.verb = add ? "cannot add element" : "cannot delete element";
	h = begin(t, add ? NFT_MSG_NEWSETELEM : NFT_MSG_DELSETELEM, add ? NLM_F_CREATE : 0, label);
	if (!h)
		return;
	mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_TABLE, t->table);
	mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_SET, e->set);
	list = mnl_attr_nest_start(h, NFTA_SET_ELEM_LIST_ELEMENTS);
	elem = mnl_attr_nest_start(h, NFTA_LIST_ELEM);
	key = mnl_attr_nest_start(h, NFTA_SET_ELEM_KEY);
	mnl_attr_put(h, NFTA_DATA_VALUE, (size_t)e->key_len, e->key);
	mnl_attr_nest_end(h, key);
	if (add && e->goto_chain[0])
		put_verdict(h, e->goto_chain);
	mnl_attr_nest_end(h, elem);
	mnl_attr_nest_end(h, list);
	nft_tx_msg_end(t->tx, h);
}
