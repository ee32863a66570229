/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nft_commit.h -- the one transaction that leads from a state of the table to the next
 *
 * Private to the nft engine.
 */
#pragma once
#include "datapath/nft_state.h"

/* What a batch comes to: for each element and chain that it names, how it shall be in the end. */
struct nft_wish {
	struct plan_nft_elem elem;
	bool present;
};

struct nft_chain_wish {
	struct plan_nft_chain chain;
	bool present;
};

struct nft_wishes {
	struct nft_wish **elems;
	size_t n_elems;
	struct nd_hash *index;		/* of the elements, by nft_elem_hash_key_len() */
	struct nft_chain_wish *chains;
	size_t n_chains;
};

/* True when `now` has all of it already. */
bool nft_wishes_met(const struct nft_wishes *wishes, const struct nft_state *now);

/*
 * Writes the transaction that makes the wishes true. rebuild: delete the table and make it anew
 * with everything that `now` knows. persist: with the flags owner and persist, else with the
 * second table. *counts_out: how many elements each set has afterwards. The labels in tx borrow
 * from wishes and now. 0 or -ENOMEM.
 */
int nft_transition(struct nft_tx *tx, const struct nft_state *now, const struct nft_wishes *wishes,
		   bool rebuild, bool persist, struct nft_counts *counts_out);

/* Whether the kernel has owned tables that persist (Linux 6.9), found by a transaction that it
 * must refuse either way. */
bool nft_kernel_persists(struct nft_wire *w);
