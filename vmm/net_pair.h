/* SPDX-License-Identifier: GPL-2.0-or-later */
/* net_pair.h -- frames between a pair of queues and one queue of a TAP, in user space
 *
 * A frame is moved by one readv() into the guest's buffers, or one writev() out of them: it is never
 * copied here, and nothing is allocated on the way. The TAP is watched edge-triggered, so no system
 * call changes what is waited for.
 *
 * Received frames may fill several buffers (mergeable buffers). How long a frame is, one knows only
 * when it is read; so as many buffers as the longest may need are kept ready in `chains`, taken from
 * the queue once. If the driver has put up less, the end of a long frame lands in `spill` and waits
 * there for more buffers.
 *
 * A guest that chooses queues by a frame's hash, or wants to see it, costs a copy: the frame has to be looked
 * at first, so it comes by way of `spill`.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "netd/base/error.h"
#include "vmm/loop.h"

struct net_ctrl;
struct virtio_device;

#define NET_FRAME_MAX (12 + 65535 + 18)		/* header, the longest IP packet, Ethernet with a tag */

enum net_pair_state {
	NET_PAIR_OFF,			/* the TAP's queue is not ours to read */
	NET_PAIR_DISCARD,		/* no driver, or no link: frames of both sides are thrown away */
	NET_PAIR_ON,
};

/* As the guest sees it: received is what went into its memory. */
struct net_counters {
	uint64_t rx_bytes, rx_packets, rx_errors, rx_dropped;
	uint64_t tx_bytes, tx_packets, tx_errors, tx_dropped;
};

struct rx_chain {
	uint16_t head, n_iov;
	uint32_t bytes;
};

struct net_pair {
	struct virtio_device *device;
	const struct net_ctrl *ctrl;		/* the NIC's */
	struct net_pair *first;			/* the NIC's pairs, an array */
	struct loop_watch watch;		/* of the TAP */
	bool watched;				/* else the frames pass elsewhere (vhost) */
	unsigned rx, tx;			/* the queues */
	unsigned queue_size;
	int tap_fd;
	enum net_pair_state state;
	bool mergeable;
	bool hashes;				/* see the head */
	unsigned header_bytes;			/* the guest's; the TAP's is NET_HEADER_BYTES */
	bool readable;				/* as far as one knows the TAP has more frames */
	bool tx_blocked;			/* the TAP takes no more for now */
	size_t frame_max;			/* header and all, by what was negotiated */

	struct rx_chain *chains;		/* taken from the queue, to be filled */
	unsigned chain_at, n_chains;
	struct iovec *iov;			/* their buffers */
	unsigned iov_at, n_iov;
	size_t room;				/* bytes in them */
	size_t spill_at, spilled;		/* a frame's place after which it goes on in spill */
	uint8_t *spill;
	struct iovec *tx_iov;			/* the first one is for tx_header */
	uint8_t tx_header[12];

	struct net_counters counters;
};

/* The index-th pair of the device, in an array of all. watch: frames come by the device's loop. */
int net_pair_init(struct net_pair *p, struct virtio_device *device, unsigned index, int tap_fd,
		  const struct net_ctrl *ctrl, bool watch, struct nd_error *err);
void net_pair_fini(struct net_pair *p);

/* The driver has started: by these features frames are moved. */
void net_pair_start(struct net_pair *p, uint64_t features);
void net_pair_set_state(struct net_pair *p, enum net_pair_state state);
/* Forgets the guest's buffers. */
void net_pair_reset(struct net_pair *p);
/* Frames that the TAP still holds are thrown away. */
void net_pair_drain(struct net_pair *p);
/* Moves what can be moved now, up to a fair share. */
void net_pair_receive(struct net_pair *p);
void net_pair_transmit(struct net_pair *p);
/* net_pair_transmit() will follow: until then the driver need not kick. */
void net_pair_transmit_later(struct net_pair *p);
