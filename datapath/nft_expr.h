/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nft_expr.h -- writes rules expression by expression
 *
 *	nft_rule_begin(w);
 *	nft_put_meta(w, NFT_META_IIFNAME, REG_1);
 *	nft_put_set(w, NFT_JUDGED, 0, false);
 *	nft_put_verdict(w, NF_ACCEPT, NULL);
 *	nft_rule_end(w);
 *
 * Comparisons look at REG_1. The first failure sticks in w->result, and what follows does nothing.
 * Private to the nft engine.
 */
#pragma once
#include <stdio.h>		/* which libnftnl/expr.h forgets */

#include <libnftnl/expr.h>
#include <linux/netfilter/nf_tables.h>

#include "datapath/nft_rules.h"

/* Registers as nft(8) hands them out, so that it can print the rules: keys start in REG_1 and go
 * on in REG_2 after an interface name (16 bytes), else in 32-bit registers. */
enum { REG_1 = NFT_REG_1, REG_2 = NFT_REG_2, REG_3 = NFT_REG_3, REG_4 = NFT_REG_4 };

struct nft_rule_writer {
	const struct nft_counts *have;
	uint32_t family;		/* of the table: NFPROTO_... */
	const char *table, *chain;
	bool v6;
	struct nftnl_rule *rule;
	nft_rule_fn fn;
	void *arg;
	int result;			/* the first failure: sticks */
};

void nft_rule_begin(struct nft_rule_writer *w);
/* Hands the rule to w->fn. */
void nft_rule_end(struct nft_rule_writer *w);
/* An empty expression of the name, which belongs to the rule; NULL once something failed. */
struct nftnl_expr *nft_expr_add(struct nft_rule_writer *w, const char *name);

void nft_put_meta(struct nft_rule_writer *w, uint32_t key, uint32_t reg);
void nft_put_payload(struct nft_rule_writer *w, uint32_t base, uint32_t offset, uint32_t len,
		     uint32_t reg);
void nft_put_bitwise(struct nft_rule_writer *w, uint32_t reg, const void *mask, uint32_t len);
void nft_put_cmp(struct nft_rule_writer *w, uint32_t op, const void *data, uint32_t len);
void nft_put_immediate(struct nft_rule_writer *w, uint32_t reg, const void *data, uint32_t len);
/* Looks REG_1 up in the class' set; not: goes on when it is not there. A map gives the verdict. */
void nft_put_set(struct nft_rule_writer *w, enum nft_class class, unsigned prefix_len, bool not);
/* The same for any set or map. */
void nft_put_lookup(struct nft_rule_writer *w, const char *set, bool is_map, bool not);
/* Adds REG_1 to the set, or goes on when it is there; ends the rule when the set is full. */
void nft_put_remember(struct nft_rule_writer *w, const char *set);
/* Goes on when REG_1 is inside (not: outside) of from to to, both included. */
void nft_put_range(struct nft_rule_writer *w, const void *from, const void *to, uint32_t len, bool not);
/* key: NFT_CT_STATE (host order) or NFT_CT_DIRECTION, to REG_1. */
void nft_put_ct(struct nft_rule_writer *w, uint32_t key);
/* Goes on when more connections than count have come by. */
void nft_put_connections_over(struct nft_rule_writer *w, uint32_t count);
/* To REG_1, one byte: 1 when the TCP header has the option. */
void nft_put_tcp_option(struct nft_rule_writer *w, uint8_t kind);
/* chain: of a jump or goto. */
void nft_put_verdict(struct nft_rule_writer *w, int verdict, const char *chain);
void nft_put_counter(struct nft_rule_writer *w);
/* Port unreachable, in the packet's own family. */
void nft_put_reject(struct nft_rule_writer *w);

/* Goes on for packets of w's family only; for a protocol only; for answers only. */
void nft_put_family(struct nft_rule_writer *w);
void nft_put_l4proto(struct nft_rule_writer *w, uint8_t protocol);
void nft_put_replies_only(struct nft_rule_writer *w);

enum side { SOURCE, DESTINATION };

/* Loads the packet's address, masked. */
void nft_put_address(struct nft_rule_writer *w, enum side side, unsigned prefix_len, uint32_t reg);
/* The register that follows an address in REG_1. */
uint32_t nft_after_address(const struct nft_rule_writer *w);
