/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "datapath/nft_expr.h"

#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <netinet/in.h>
#include <string.h>

void nft_rule_begin(struct nft_rule_writer *w)
{
	if (w->result)
		return;
	w->rule = nftnl_rule_alloc();
	if (!w->rule) {
		w->result = -ENOMEM;
		return;
	}
	nftnl_rule_set_u32(w->rule, NFTNL_RULE_FAMILY, w->family);
	if (nftnl_rule_set_str(w->rule, NFTNL_RULE_TABLE, w->table) < 0 ||
	    nftnl_rule_set_str(w->rule, NFTNL_RULE_CHAIN, w->chain) < 0)
		w->result = -ENOMEM;
}

void nft_rule_end(struct nft_rule_writer *w)
{
	if (!w->result)
		w->result = w->fn(w->rule, w->arg);
	if (w->rule)
		nftnl_rule_free(w->rule);
	w->rule = NULL;
}

/* NULL once something failed; the expression belongs to the rule. */
struct nftnl_expr *nft_expr_add(struct nft_rule_writer *w, const char *name)
{
	struct nftnl_expr *e;

	if (w->result)
		return NULL;
	e = nftnl_expr_alloc(name);
	if (!e) {
		w->result = -ENOMEM;
		return NULL;
	}
	nftnl_rule_add_expr(w->rule, e);
	return e;
}

static void set_data(struct nft_rule_writer *w, struct nftnl_expr *e, uint16_t attr,
		     const void *data, uint32_t len)
{
	if (nftnl_expr_set(e, attr, data, len) < 0)
		w->result = -ENOMEM;
}

void nft_put_meta(struct nft_rule_writer *w, uint32_t key, uint32_t reg)
{
	struct nftnl_expr *e = nft_expr_add(w, "meta");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_META_KEY, key);
	nftnl_expr_set_u32(e, NFTNL_EXPR_META_DREG, reg);
}

void nft_put_cmp(struct nft_rule_writer *w, uint32_t op, const void *data, uint32_t len)
{
	struct nftnl_expr *e = nft_expr_add(w, "cmp");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_SREG, REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_OP, op);
	set_data(w, e, NFTNL_EXPR_CMP_DATA, data, len);
}

void nft_put_payload(struct nft_rule_writer *w, uint32_t base, uint32_t offset, uint32_t len,
		     uint32_t reg)
{
	struct nftnl_expr *e = nft_expr_add(w, "payload");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_BASE, base);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_OFFSET, offset);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_LEN, len);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_DREG, reg);
}

void nft_put_bitwise(struct nft_rule_writer *w, uint32_t reg, const void *mask, uint32_t len)
{
	static const uint8_t zero[16];
	struct nftnl_expr *e = nft_expr_add(w, "bitwise");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_SREG, reg);
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_DREG, reg);
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_LEN, len);
	set_data(w, e, NFTNL_EXPR_BITWISE_MASK, mask, len);
	set_data(w, e, NFTNL_EXPR_BITWISE_XOR, zero, len);
}

void nft_put_lookup(struct nft_rule_writer *w, const char *set, bool is_map, bool not)
{
	struct nftnl_expr *e = nft_expr_add(w, "lookup");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_SREG, REG_1);
	if (nftnl_expr_set_str(e, NFTNL_EXPR_LOOKUP_SET, set) < 0)
		w->result = -ENOMEM;
	if (is_map)
		nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_DREG, NFT_REG_VERDICT);
	/* the kernel's dumps always have the flags, and rules are compared with dumps */
	nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_FLAGS, not ? NFT_LOOKUP_F_INV : 0);
}

void nft_put_set(struct nft_rule_writer *w, enum nft_class class, unsigned prefix_len, bool not)
{
	struct nft_set_id id = { class, w->v6 && nft_classes[class].by_family, (uint8_t)prefix_len };
	char name[32];

	nft_put_lookup(w, nft_set_name(&id, name), nft_classes[class].is_map, not);
}

void nft_put_remember(struct nft_rule_writer *w, const char *set)
{
	struct nftnl_expr *e = nft_expr_add(w, "dynset");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_DYNSET_SREG_KEY, REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_DYNSET_OP, NFT_DYNSET_OP_ADD);
	if (nftnl_expr_set_str(e, NFTNL_EXPR_DYNSET_SET_NAME, set) < 0)
		w->result = -ENOMEM;
}

void nft_put_range(struct nft_rule_writer *w, const void *from, const void *to, uint32_t len, bool not)
{
	struct nftnl_expr *e;

	if (!not) {		/* as nft(8) writes it */
		nft_put_cmp(w, NFT_CMP_GTE, from, len);
		nft_put_cmp(w, NFT_CMP_LTE, to, len);
		return;
	}
	e = nft_expr_add(w, "range");
	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_RANGE_SREG, REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_RANGE_OP, NFT_RANGE_NEQ);
	set_data(w, e, NFTNL_EXPR_RANGE_FROM_DATA, from, len);
	set_data(w, e, NFTNL_EXPR_RANGE_TO_DATA, to, len);
}

void nft_put_ct(struct nft_rule_writer *w, uint32_t key)
{
	struct nftnl_expr *e = nft_expr_add(w, "ct");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_CT_KEY, key);
	nftnl_expr_set_u32(e, NFTNL_EXPR_CT_DREG, REG_1);
}

void nft_put_connections_over(struct nft_rule_writer *w, uint32_t count)
{
	struct nftnl_expr *e = nft_expr_add(w, "connlimit");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_CONNLIMIT_COUNT, count);
	nftnl_expr_set_u32(e, NFTNL_EXPR_CONNLIMIT_FLAGS, NFT_CONNLIMIT_F_INV);
}

void nft_put_tcp_option(struct nft_rule_writer *w, uint8_t kind)
{
	struct nftnl_expr *e = nft_expr_add(w, "exthdr");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_EXTHDR_DREG, REG_1);
	nftnl_expr_set_u8(e, NFTNL_EXPR_EXTHDR_TYPE, kind);
	nftnl_expr_set_u32(e, NFTNL_EXPR_EXTHDR_OFFSET, 0);
	nftnl_expr_set_u32(e, NFTNL_EXPR_EXTHDR_LEN, 1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_EXTHDR_FLAGS, NFT_EXTHDR_F_PRESENT);
	nftnl_expr_set_u32(e, NFTNL_EXPR_EXTHDR_OP, NFT_EXTHDR_OP_TCPOPT);
}

void nft_put_immediate(struct nft_rule_writer *w, uint32_t reg, const void *data, uint32_t len)
{
	struct nftnl_expr *e = nft_expr_add(w, "immediate");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_DREG, reg);
	set_data(w, e, NFTNL_EXPR_IMM_DATA, data, len);
}

void nft_put_verdict(struct nft_rule_writer *w, int verdict, const char *chain)
{
	struct nftnl_expr *e = nft_expr_add(w, "immediate");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
	nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_VERDICT, (uint32_t)verdict);
	if (chain && nftnl_expr_set_str(e, NFTNL_EXPR_IMM_CHAIN, chain) < 0)
		w->result = -ENOMEM;
}

void nft_put_counter(struct nft_rule_writer *w)
{
	(void)nft_expr_add(w, "counter");
}

void nft_put_reject(struct nft_rule_writer *w)
{
	struct nftnl_expr *e = nft_expr_add(w, "reject");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_REJECT_TYPE, NFT_REJECT_ICMPX_UNREACH);
	nftnl_expr_set_u8(e, NFTNL_EXPR_REJECT_CODE, NFT_REJECT_ICMPX_PORT_UNREACH);
}

void nft_put_family(struct nft_rule_writer *w)
{
	uint8_t family = w->v6 ? NFPROTO_IPV6 : NFPROTO_IPV4;

	nft_put_meta(w, NFT_META_NFPROTO, REG_1);
	nft_put_cmp(w, NFT_CMP_EQ, &family, sizeof(family));
}

void nft_put_l4proto(struct nft_rule_writer *w, uint8_t protocol)
{
	nft_put_meta(w, NFT_META_L4PROTO, REG_1);
	nft_put_cmp(w, NFT_CMP_EQ, &protocol, sizeof(protocol));
}

void nft_put_replies_only(struct nft_rule_writer *w)
{
	/* ct state is loaded in host order */
	uint32_t mask = NF_CT_STATE_BIT(IP_CT_ESTABLISHED) | NF_CT_STATE_BIT(IP_CT_RELATED);
	uint32_t zero = 0;

	nft_put_ct(w, NFT_CT_STATE);
	nft_put_bitwise(w, REG_1, &mask, sizeof(mask));
	nft_put_cmp(w, NFT_CMP_NEQ, &zero, sizeof(zero));
}

void nft_put_address(struct nft_rule_writer *w, enum side side, unsigned prefix_len, uint32_t reg)
{
	uint32_t len = w->v6 ? 16 : 4, at = (w->v6 ? 8 : 12) + (side == DESTINATION ? len : 0);
	struct nd_prefix ones = { .len = (uint8_t)prefix_len };

	nft_put_payload(w, NFT_PAYLOAD_NETWORK_HEADER, at, len, reg);
	if (prefix_len >= len * 8)
		return;
	ones.addr.family = w->v6 ? AF_INET6 : AF_INET;
	memset(&ones.addr.v6, 0xff, sizeof(ones.addr.v6));
	ones = nd_prefix_masked(&ones);
	nft_put_bitwise(w, reg, &ones.addr.v6, len);
}

uint32_t nft_after_address(const struct nft_rule_writer *w)
{
	return w->v6 ? REG_2 : NFT_REG32_01;
}
