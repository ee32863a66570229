/* SPDX-License-Identifier: GPL-2.0-or-later */
/* virtio.h -- what joins a virtio device (net, blk, rng) and its transport (virtio_pci)
 *
 *	device --- struct virtio_ops ---> struct virtio_device <--- virtio_*() --- transport
 *
 * The device says what it offers and what happens at start, kick and reset. The transport shows this
 * to the guest: it negotiates features, walks the status, fills in the queues' addresses and where
 * their interrupts go. Neither knows the other.
 *
 * vCPUs come through the transport, kicks and everything else through the I/O thread's loop: all of it,
 * the calls of struct virtio_ops too, under the loop's lock.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "netd/base/error.h"
#include "netd/base/log.h"
#include "vmm/loop.h"
#include "vmm/virtqueue.h"

struct memory;
struct virtio_device;

#define VIRTIO_QUEUES_MAX 17		/* 8 pairs and the control queue of a NIC */

struct virtio_ops {
	/* Bytes of the device's configuration; offset and len are within config_bytes. */
	void (*config_read)(void *self, unsigned offset, void *to, unsigned len);
	void (*config_write)(void *self, unsigned offset, const void *from, unsigned len);	/* or NULL */
	/* The driver is ready: v->features is fixed and the queues that it enabled run. */
	void (*start)(void *self);
	/* The driver has put something into a queue that runs. */
	void (*kick)(void *self, unsigned queue);
	/* Stop at once: after this no queue is touched. True when nothing is under way any more that
	 * touches the guest's memory; otherwise virtio_reset_done() follows. */
	bool (*reset)(void *self);
	/* Waits until nothing is under way after a reset, for a guest whose memory goes; or NULL. */
	void (*drain)(void *self);
	/* The queue's interrupt goes elsewhere now (v->queues[queue].call_fd); or NULL. */
	void (*call_moved)(void *self, unsigned queue);
};

struct virtio_queue {
	struct virtqueue vq;
	int kick_fd;			/* eventfd: the guest has something for the queue */
	int call_fd;			/* the transport's: write to interrupt, -1: nowhere */
	bool enabled;			/* by the driver */
	struct virtio_device *device;
	struct loop_watch watch;	/* of kick_fd */
};

struct virtio_device {
	const struct virtio_ops *ops;
	void *self;
	const char *name;		/* for the log, borrowed */
	const struct memory *memory;
	struct loop *loop;
	uint16_t type;			/* VIRTIO_ID_* */
	uint64_t offered, features;	/* what the device offers; what the driver took */
	unsigned config_bytes;
	bool kicks_by_exit;		/* for the transport: kicks need no eventfd in the hypervisor */
	unsigned n_queues;
	struct virtio_queue queues[VIRTIO_QUEUES_MAX];

	uint8_t status;			/* VIRTIO_CONFIG_S_*, as the driver sees it */
	uint8_t generation;		/* of the configuration (4.1.4.3.1) */
	uint8_t isr;			/* bit 0: a queue, bit 1: the configuration */
	bool resetting;			/* the driver wrote 0 to the status, something is under way */
	int config_fd;			/* the transport's: write to say that the configuration changed */
	struct nd_log_limit broken_limit;
};

/* For the device: fills in v, whose first block the caller has set (ops to n_queues, sizes below),
 * and listens for kicks. queue_sizes has n_queues items. 0 or -errno; on failure nothing is left. */
int virtio_init(struct virtio_device *v, const uint16_t *queue_sizes, struct nd_error *err);
void virtio_fini(struct virtio_device *v);
/* Another listens to this queue's kicks from now on: vhost. */
void virtio_queue_unwatch(struct virtio_device *v, unsigned queue);
/* Makes queue work again later, when its budget was used up, or after its chains could not be sent. */
void virtio_queue_again(struct virtio_device *v, unsigned queue);
/* The driver is past DRIVER_OK and the queue neither stopped nor broken. */
bool virtio_queue_live(const struct virtio_device *v, unsigned queue);
/* Ends every piece of work on the queue: shows the guest what was pushed, and interrupts it if it wants
 * that. If the queue broke meanwhile, the guest is told DEVICE_NEEDS_RESET instead. */
void virtio_queue_publish(struct virtio_device *v, unsigned queue);
/* The device as a whole cannot go on (2.1.2): says so to the guest, and to the log as `why`. */
void virtio_needs_reset(struct virtio_device *v, const char *why);
/* The configuration has changed: next generation and an interrupt. */
void virtio_config_changed(struct virtio_device *v);
/* What was under way at the reset is done. */
void virtio_reset_done(struct virtio_device *v);

/* For the transport. */
void virtio_set_features(struct virtio_device *v, uint64_t wanted);
/* The driver writes its status; 0 resets. */
void virtio_set_status(struct virtio_device *v, uint8_t status);
/* Writes 1 to an eventfd that interrupts; -1 is fine. */
void virtio_signal(int fd);

static inline bool virtio_has(const struct virtio_device *v, unsigned feature)
{
	return v->features >> feature & 1;
}
