/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nft_rules.h -- the rules of table "inet netd", as a function of which sets have elements
 *
 * Private to the nft engine.
 */
#pragma once
#include <libnftnl/rule.h>
#include <stdbool.h>
#include <stdint.h>

#include "datapath/nft_layout.h"

#define NFT_TABLE "netd"

/* How many elements each set of the layout has. */
struct nft_counts {
	uint32_t n[NFT_CLASSES][2][129];	/* [class][v6][prefix length] */
	uint32_t sum[NFT_CLASSES][2];
};

static inline uint32_t *nft_count(struct nft_counts *c, const struct nft_set_id *id)
{
	return &c->n[id->class][id->v6][id->prefix_len];
}

struct nft_rule_writer;

/* A chain that is not a network's own. */
struct nft_chain_desc {
	const char *name;
	const char *type;		/* NULL: no base chain */
	uint32_t hook;
	int32_t priority;
	bool v6;
	uint32_t uses;			/* bit (1 << class): its rules depend on those sets */
	bool (*wanted)(const struct nft_counts *have, bool v6);
	void (*rules)(struct nft_rule_writer *w);
};

enum { NFT_CHAINS = 13 };
extern const struct nft_chain_desc nft_chains[NFT_CHAINS];

/* Called with each rule, borrowed; not 0 ends the walk with that result. */
typedef int (*nft_rule_fn)(const struct nftnl_rule *rule, void *arg);

/* Hands out the rules of a chain in order. -ENOMEM, or what fn returned. */
int nft_chain_rules(const struct nft_chain_desc *chain, const struct nft_counts *have,
		    nft_rule_fn fn, void *arg);
/* The same for a network's own chain. */
int nft_own_chain_rules(const struct plan_nft_chain *chain, nft_rule_fn fn, void *arg);
/* The one rule of the chain "hold" that keeps connection tracking on. */
int nft_hold_rules(const char *table, nft_rule_fn fn, void *arg);
