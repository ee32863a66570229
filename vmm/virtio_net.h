/* SPDX-License-Identifier: GPL-2.0-or-later */
/* virtio_net.h -- the network device (virtio 1.2, 5.1)
 *
 *	virtio_net.c	what is offered, start and reset, link, configuration
 *	net_ctrl.c	the control queue's commands
 *	net_filter.c	which frames the guest wants
 *	net_port.c	what is asked of the TAP
 *	net_pair.c	frames, in user space       (driver name='qemu')
 *	vhost_net.c	frames, in the kernel        (driver name='vhost')
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "netd/base/auto.h"
#include "netd/base/error.h"
#include "vmm/config.h"
#include "vmm/net_pair.h"
#include "vmm/virtqueue.h"

struct loop;
struct memory;
struct net_port_ops;
struct virtio_device;
struct virtio_net;

#define NET_PAIRS_MAX VMM_QUEUE_PAIRS_MAX
#define NET_QUEUE_SIZE_MAX VIRTQUEUE_SIZE_MAX

/* VMM_TX_TIMER: so long waits what the guest sends, for more to go with it (as QEMU's txmode 'timer'). */
#define VIRTIO_NET_TX_WAIT_NS 150000

struct virtio_net_spec {
	const char *name;		/* for the log, copied */
	uint8_t mac[6];
	uint16_t mtu_bytes;		/* 0: not told to the guest */
	uint16_t rx_queue_size, tx_queue_size;	/* powers of 2 */
	unsigned n_pairs;		/* 1 to NET_PAIRS_MAX */
	int tap_fds[NET_PAIRS_MAX];	/* taken */
	int vhost_fds[NET_PAIRS_MAX];	/* taken; -1 (any of them): in user space */
	bool link_up;
	unsigned features;		/* enum vmm_nic_feature: what may be offered, and how it works */
	/* The guest wants to see other frames than before (virtio_net_filter()). NULL: nobody asks. */
	void (*filter_changed)(void *arg);
	void *arg;
};

struct net_filter;

/* Takes the descriptors of spec, also when it fails. port: &net_port_tap. Where vhost does not work
 * it says so in the log and works in user space. */
int virtio_net_new(const struct virtio_net_spec *spec, const struct net_port_ops *port,
		   const struct memory *memory, struct loop *loop, struct virtio_net **out,
		   struct nd_error *err);
void virtio_net_free(struct virtio_net *n);
ND_DEFINE_AUTO(struct virtio_net *, virtio_net_free)

/* For the transport. */
struct virtio_device *virtio_net_device(struct virtio_net *n);

/* From outside. */
const struct net_filter *virtio_net_filter(const struct virtio_net *n);
void virtio_net_set_link(struct virtio_net *n, bool up);
/* Asks the guest to make itself known to the switches (gratuitous ARP); does nothing when its driver
 * cannot. */
void virtio_net_announce(struct virtio_net *n);
/* The guest sees it after its next reset: the specification forbids to change it under a driver. */
void virtio_net_set_mtu(struct virtio_net *n, uint16_t mtu_bytes);
/* False: the frames pass in the kernel (vhost), only the TAP has counted them. */
bool virtio_net_count(struct virtio_net *n, struct net_counters *out);
bool virtio_net_uses_vhost(const struct virtio_net *n);
