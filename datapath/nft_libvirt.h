/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nft_libvirt.h -- finds and removes the rules that libvirt made for one network
 *
 * Private to the nft engine.
 */
#pragma once
#include "datapath/nft.h"
#include "datapath/nft_wire.h"

/* Removes them in one transaction, provided that the namespace's rules are still those that were
 * looked at: else -ESTALE, -EINTR or -ENOENT, and the caller looks again. */
int nft_libvirt_remove(struct nft_wire *w, const struct libvirt_rules *of, size_t *n_out,
		       struct nd_error *err);
