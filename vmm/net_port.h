/* SPDX-License-Identifier: GPL-2.0-or-later */
/* net_port.h -- the host's end of a NIC: what is asked of a TAP or macvtap beside its frames
 *
 * Each descriptor is one queue of the device. A frame that is read or written has the virtio-net
 * header of NET_HEADER_BYTES in front. The tests put another table in place of net_port_tap.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "netd/base/error.h"

struct net_filter;

#define NET_PORT_USO 0x60		/* TUN_F_USO4 and 6, from Linux 6.2: only together */
#define NET_HEADER_BYTES 12		/* struct virtio_net_hdr_mrg_rxbuf: with VERSION_1 always */

struct net_port_ops {
	/* Makes the descriptor fit: not blocking, header of NET_HEADER_BYTES. Stores which TUN_F_*
	 * offloads it takes; has none switched on afterwards. */
	int (*prepare)(int fd, unsigned *offloads_out, struct nd_error *err);
	/* The frames that it hands out may need what the TUN_F_* flags say. */
	int (*set_offload)(int fd, unsigned flags);
	/* One of several queues takes part in the device's traffic or not. 0 or -errno. */
	int (*set_queue)(int fd, bool attached);
	/* Frames that the filter does not want need not be handed out. NULL: no filter. It is a favour:
	 * a device that cannot hands out all. */
	void (*set_filter)(int fd, const struct net_filter *f);
};

extern const struct net_port_ops net_port_tap;
