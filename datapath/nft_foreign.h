/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nft_foreign.h -- looks for other programs' chains that drop guests' traffic
 *
 * Private to the nft engine.
 */
#pragma once
#include "datapath/nft_wire.h"

/* Calls found with a sentence for each such chain. 0 or a negative errno; -EINTR: try again. */
int nft_foreign_survey(struct nft_wire *w, void (*found)(void *arg, const char *sentence),
		       void *arg);
