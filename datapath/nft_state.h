/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nft_state.h -- what netd's nftables table holds: read from the kernel, or kept up to date by commits
 *
 * Private to the nft engine.
 */
#pragma once
#include <linux/netfilter/nf_tables.h>

#include "datapath/nft_rules.h"
#include "datapath/nft_wire.h"
#include "netd/base/hash.h"

#define NFT_TABLE_COMMENT "made by netd, layout 1; changes are undone"
/* Beside a table without the persist flag: see nft.c. */
#define NFT_HOLD_TABLE "netd_hold"

#ifndef NFT_TABLE_F_PERSIST		/* Linux 6.9 */
#define NFT_TABLE_F_PERSIST 0x4
#endif
enum { NFT_PERSIST_FLAGS = NFT_TABLE_F_OWNER | NFT_TABLE_F_PERSIST };

struct nft_state {
	bool table;			/* it is there */
	uint32_t flags, owner;		/* owner: netlink port, 0: nobody */
	bool hold;			/* the second table is there and ours */
	bool others;			/* one of the tables is another process's */
	bool sound;			/* chains, sets and rules are just as they should be */
	struct nft_counts *have;
	struct nd_hash *elems;		/* set name and key -> struct plan_nft_elem */
	struct plan_nft_chain *chains;
	size_t n_chains;
	uint32_t genid;
};

int nft_state_init(struct nft_state *s);
void nft_state_fini(struct nft_state *s);

/* The hash key of an element starts where the element does. Bytes behind the set's name and the
 * target's must be 0: nft_elem_normalise() makes such a copy. */
size_t nft_elem_hash_key_len(const struct plan_nft_elem *e);
void nft_elem_normalise(struct plan_nft_elem *to, const struct plan_nft_elem *from);

struct plan_nft_elem *nft_state_find(const struct nft_state *s, const struct plan_nft_elem *e);
const struct plan_nft_chain *nft_state_find_chain(const struct nft_state *s, const char *name);
/* Adds a copy, or replaces the equal key's target. 0 or -ENOMEM; -EINVAL: no set of the layout. */
int nft_state_put(struct nft_state *s, const struct plan_nft_elem *e);
void nft_state_drop(struct nft_state *s, const struct plan_nft_elem *e);
int nft_state_put_chain(struct nft_state *s, const struct plan_nft_chain *c);
void nft_state_drop_chain(struct nft_state *s, const char *name);

/* Fills an init'ed state from the kernel, consistently; s is undefined after an error. */
int nft_state_load(struct nft_state *s, struct nft_wire *w, struct nd_error *err);
