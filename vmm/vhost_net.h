/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vhost_net.h -- a NIC's queue pair worked by the kernel: /dev/vhost-net
 *
 * The kernel reads and writes the guest's rings itself, woken by the guest's kicks (ioeventfd) and
 * interrupting it directly (irqfd); this process only says where everything lies. What the kernel
 * cannot do with the rings it reports through an eventfd of its own.
 */
#pragma once
#include <stdint.h>

#include "netd/base/auto.h"
#include "netd/base/error.h"

struct memory;
struct virtio_queue;
struct vhost_net;

/* Takes fd, an open /dev/vhost-net, also when it fails. The kernel may reach all of the guest's memory
 * and nothing else of ours. */
int vhost_net_new(int fd, const struct memory *memory, struct vhost_net **out, struct nd_error *err);
void vhost_net_free(struct vhost_net *h);
ND_DEFINE_AUTO(struct vhost_net *, vhost_net_free)

/* The virtio features that it works with, among those in which it has a say (VHOST_NET_FEATURES). */
uint64_t vhost_net_features(const struct vhost_net *h);
extern const uint64_t vhost_net_says;
/* Readable when the kernel found a ring that it cannot work on. */
int vhost_net_error_fd(const struct vhost_net *h);

/* Starts on the pair rx, tx (which must run, and are the kernel's until vhost_net_stop()) and the
 * TAP's descriptor. 0 or -errno; on failure it is stopped. */
int vhost_net_start(struct vhost_net *h, uint64_t features, struct virtio_queue *rx,
		    struct virtio_queue *tx, int tap_fd);
/* When this returns the kernel touches the guest's memory no more. What it has taken and given back
 * so far is kept in the queues, for another start. */
void vhost_net_stop(struct vhost_net *h);
/* The interrupt of queue 0 (rx) or 1 (tx) goes to call_fd, -1 nowhere. */
void vhost_net_set_call(struct vhost_net *h, unsigned queue, int call_fd);
