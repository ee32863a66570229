/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/virtio.h"

#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <sys/eventfd.h>
#include <unistd.h>

void virtio_signal(int fd)
{
	uint64_t one = 1;

	/* an eventfd at its limit (EAGAIN) has been written to, which is all that is wanted */
	if (fd >= 0)
		(void)!write(fd, &one, sizeof(one));
}

bool virtio_queue_live(const struct virtio_device *v, unsigned queue)
{
	return v->status & VIRTIO_CONFIG_S_DRIVER_OK && !v->resetting &&
	       virtqueue_running(&v->queues[queue].vq);
}

static unsigned queue_index(const struct virtio_queue *q)
{
	return (unsigned)(q - q->device->queues);
}

static void handle_kick(struct loop_watch *w, uint32_t events)
{
	struct virtio_queue *q = loop_owner(w, struct virtio_queue, watch);
	struct virtio_device *v = q->device;
	uint64_t n;

	/* a spurious wake-up finds nothing, and does no harm */
	(void)!read(q->kick_fd, &n, sizeof(n));
	if (virtio_queue_live(v, queue_index(q)))
		v->ops->kick(v->self, queue_index(q));
}

static int queue_init(struct virtio_device *v, unsigned i, uint16_t size_max, struct nd_error *err)
{
	struct virtio_queue *q = &v->queues[i];
	int r;

	*q = (struct virtio_queue){ .device = v, .call_fd = -1 };
	virtqueue_init(&q->vq, v->memory, size_max);
	q->kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	q->watch = (struct loop_watch){ .fd = q->kick_fd, .ready = handle_kick };
	if (q->kick_fd < 0)
		return nd_error_sys(err, errno, "cannot make an eventfd");
	r = loop_add(v->loop, &q->watch, EPOLLIN);
	return r < 0 ? nd_error_sys(err, -r, "cannot wait for kicks") : 0;
}

void virtio_queue_unwatch(struct virtio_device *v, unsigned queue)
{
	loop_remove(v->loop, &v->queues[queue].watch);
}

static void queues_fini(struct virtio_device *v, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		virtio_queue_unwatch(v, i);
		if (v->queues[i].kick_fd >= 0)
			close(v->queues[i].kick_fd);
	}
}

int virtio_init(struct virtio_device *v, const uint16_t *queue_sizes, struct nd_error *err)
{
	v->offered |= 1ull << VIRTIO_F_VERSION_1 | 1ull << VIRTIO_RING_F_EVENT_IDX |
		      1ull << VIRTIO_RING_F_INDIRECT_DESC;
	v->config_fd = -1;
	v->broken_limit = (struct nd_log_limit){ .interval_s = 60, .burst = 3 };
	for (unsigned i = 0; i < v->n_queues; i++) {
		int r = queue_init(v, i, queue_sizes[i], err);

		if (r < 0) {
			queues_fini(v, i + 1);
			return r;
		}
	}
	return 0;
}

void virtio_fini(struct virtio_device *v)
{
	queues_fini(v, v->n_queues);
}

void virtio_queue_again(struct virtio_device *v, unsigned queue)
{
	virtio_signal(v->queues[queue].kick_fd);
}

static void config_signal(struct virtio_device *v)
{
	if (v->config_fd < 0)
		v->isr |= 2;
	virtio_signal(v->config_fd);
}

void virtio_config_changed(struct virtio_device *v)
{
	v->generation++;
	if (v->status & VIRTIO_CONFIG_S_DRIVER_OK)
		config_signal(v);
}

void virtio_needs_reset(struct virtio_device *v, const char *why)
{
	if (v->status & VIRTIO_CONFIG_S_NEEDS_RESET)
		return;
	nd_log_limited(&v->broken_limit, LOG_WARNING, v->name, "the guest's driver broke the device: %s",
		       why);
	v->status |= VIRTIO_CONFIG_S_NEEDS_RESET;
	if (v->status & VIRTIO_CONFIG_S_DRIVER_OK)
		config_signal(v);
}

static void queue_check(struct virtio_device *v, const struct virtqueue *q)
{
	if (q->broken)
		virtio_needs_reset(v, q->why);
}

void virtio_queue_publish(struct virtio_device *v, unsigned queue)
{
	struct virtio_queue *q = &v->queues[queue];

	if (virtqueue_publish(&q->vq)) {
		/* with MSI-X the driver does not look at it; without, it is all there is */
		if (q->call_fd < 0)
			v->isr |= 1;
		virtio_signal(q->call_fd);
	}
	queue_check(v, &q->vq);
}

void virtio_set_features(struct virtio_device *v, uint64_t wanted)
{
	if (!(v->status & VIRTIO_CONFIG_S_FEATURES_OK) && !v->resetting)
		v->features = wanted;
}

/* The driver's choice stands when it is a part of the offer and not that of a driver from before 1.0. */
static bool features_fit(const struct virtio_device *v)
{
	return !(v->features & ~v->offered) && virtio_has(v, VIRTIO_F_VERSION_1);
}

static void start(struct virtio_device *v)
{
	for (unsigned i = 0; i < v->n_queues; i++) {
		struct virtio_queue *q = &v->queues[i];

		if (!q->enabled)
			continue;
		(void)virtqueue_start(&q->vq, virtio_has(v, VIRTIO_RING_F_EVENT_IDX),
				      virtio_has(v, VIRTIO_RING_F_INDIRECT_DESC));
		queue_check(v, &q->vq);
	}
	v->ops->start(v->self);
}

static void reset_finish(struct virtio_device *v)
{
	for (unsigned i = 0; i < v->n_queues; i++) {
		virtqueue_reset(&v->queues[i].vq);
		v->queues[i].enabled = false;
	}
	v->features = 0;
	v->isr = 0;
	v->status = 0;
	v->resetting = false;
}

void virtio_reset_done(struct virtio_device *v)
{
	if (v->resetting)
		reset_finish(v);
}

/* 2.4: the driver sees another status than 0 until nothing touches its memory any more. */
static void reset(struct virtio_device *v)
{
	if (v->resetting)
		return;
	v->resetting = true;
	if (v->ops->reset(v->self))
		reset_finish(v);
}

void virtio_set_status(struct virtio_device *v, uint8_t status)
{
	uint8_t added = status & ~v->status;

	if (!status) {
		reset(v);
		return;
	}
	if (v->resetting)
		return;
	if (added & VIRTIO_CONFIG_S_FEATURES_OK && !features_fit(v))
		added &= ~VIRTIO_CONFIG_S_FEATURES_OK;
	v->status |= added & (VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER |
			      VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_FAILED);
	if (added & VIRTIO_CONFIG_S_DRIVER_OK && v->status & VIRTIO_CONFIG_S_FEATURES_OK) {
		v->status |= VIRTIO_CONFIG_S_DRIVER_OK;
		start(v);
	}
}
