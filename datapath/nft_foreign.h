/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nft_foreign.h -- looks for other programs' chains that drop guests' traffic
 *
 * Private to the nft engine.
 */
#pragma once
#include "datapath/nft.h"
#include "datapath/nft_wire.h"

struct nft_foreign_query {
	const char *const *bridges;
	size_t n_bridges;
	nft_foreign_fn found;
	void *arg;
};

/* Calls q->found for each bridge and chain. 0 or a negative errno; -EINTR, -ENOENT: rules were
 * changed meanwhile, and what was found may not be all. */
int nft_foreign_survey(struct nft_wire *w, const struct nft_foreign_query *q);
