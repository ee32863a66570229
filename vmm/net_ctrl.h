/* SPDX-License-Identifier: GPL-2.0-or-later */
/* net_ctrl.h -- the commands of a NIC's control queue (virtio 1.2, 5.1.6.5) */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "vmm/net_filter.h"
#include "vmm/net_rss.h"

struct vq_chain;

/* VIRTIO_NET_F_GUEST_*: CSUM, TSO4, TSO6, ECN, UFO, USO4, USO6. */
#define NET_CTRL_OFFLOAD_BITS (1ull << 1 | 0xfull << 7 | 3ull << 54)

/* What commands act on. */
struct net_ctrl {
	uint64_t features;		/* negotiated: a command without its feature is refused */
	unsigned n_pairs_max;
	struct net_filter filter;
	struct net_rss rss;
	unsigned n_pairs;		/* in use */
	uint64_t offloads;		/* bits of VIRTIO_NET_F_GUEST_* that the guest wants */
	bool announced;			/* the guest has announced itself */
};

/* What a command changed: the caller makes it true. */
enum {
	NET_CTRL_FILTER = 1,
	NET_CTRL_PAIRS = 2,
	NET_CTRL_OFFLOADS = 4,
	NET_CTRL_ANNOUNCED = 8,
	NET_CTRL_HASH = 16,		/* rss, which is looked at with each frame */
};

/* Runs the command of a chain and returns a set of NET_CTRL_*, 0 when nothing changed or the command
 * was refused: *ok_out says which, for net_ctrl_answer(). The state changes whole or not at all. */
unsigned net_ctrl_run(struct net_ctrl *c, const struct vq_chain *chain, bool *ok_out);
/* Puts the result into the chain; how many bytes were written. */
uint32_t net_ctrl_answer(const struct vq_chain *chain, bool ok);
