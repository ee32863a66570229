/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nft.h -- the nftables engine: plan items of the kinds NFT_CHAIN and NFT_ELEM, one transaction
 *
 * The engine owns the table "inet netd". Its skeleton (base chains, sets, rules) is made in the same
 * transaction as the first item, and the table goes with the last one.
 * Undoing a committed batch is committing its inverse: the steps newest first, create and remove
 * exchanged, `was` and `want` exchanged.
 *
 * Used by one thread at a time.
 */
#pragma once
#include <stdbool.h>

#include "datapath/plan.h"

struct nft;
struct nft_batch;

/* A chain of another program drops what the bridge's guests send or get: in a sentence. */
typedef void (*nft_foreign_fn)(void *arg, const char *bridge, const char *sentence);

/* Opens the netlink socket that sends all batches. no_persist: take the path of kernels without
 * persistent owned tables (Linux before 6.9), whatever this kernel has. */
int nft_new(bool no_persist, struct nft **out, struct nd_error *err);
void nft_free(struct nft *nft);			/* NULL is fine; the tables stay */
ND_DEFINE_AUTO(struct nft *, nft_free)

/* The socket's port number, by which the kernel's notices name who made a transaction. */
uint32_t nft_portid(const struct nft *nft);

int nft_batch_begin(struct nft *nft, struct nft_batch **out, struct nd_error *err);
/* Adds one step. was: CHANGE and REMOVE; want: CREATE and CHANGE; else NULL. Borrowed for the
 * call only. The kinds are PLAN_NFT_CHAIN and PLAN_NFT_ELEM. */
int nft_batch_step(struct nft_batch *b, enum plan_op op, const struct plan_item *was,
		   const struct plan_item *want, struct nd_error *err);
/* Sends all steps as one transaction: all of it happens or nothing. Creating what exists already
 * and removing what is gone are not errors. */
int nft_batch_commit(struct nft_batch *b, struct nd_error *err);
void nft_batch_free(struct nft_batch *b);	/* NULL is fine; drops what was not committed */
ND_DEFINE_AUTO(struct nft_batch *, nft_batch_free)

/* Adds every NFT_CHAIN and NFT_ELEM item that the kernel has now in netd's tables to out; none
 * when somebody has edited the table so that its rules are not netd's any more. */
int nft_read(struct nft *nft, struct plan *out, struct nd_error *err);

/* Takes over a table that an earlier process left, and makes it anew where somebody has edited it,
 * in one transaction and without any change to what it holds. Nothing to do is no error. */
int nft_adopt(struct nft *nft, struct nd_error *err);

/* What makes a rule of libvirt's a network's: that it names its bridge, or one of its subnets. */
struct libvirt_rules {
	char bridge[IFNAMSIZ];
	int ifindex;			/* the bridge's; 0: not known */
	const struct nd_prefix *subnets;
	size_t n_subnets;
};

/* As datapath_remove_libvirt_rules(). */
int nft_remove_libvirt(struct nft *nft, const struct libvirt_rules *of, size_t *n_out,
		       struct nd_error *err);

/* As datapath_foreign_drops(). */
int nft_foreign_drops(struct nft *nft, const char *const *bridges, size_t n_bridges,
		      nft_foreign_fn found, void *arg, struct nd_error *err);
