/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/vhost_net.h"

#include <errno.h>
#include <linux/vhost.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>

#include "vmm/memory.h"
#include "vmm/virtio.h"

#define REGIONS_MAX 8

struct vhost_net {
	int fd, error_fd;
	uint64_t features;
	struct virtio_queue *queues[2];		/* NULL: stopped */
};

const uint64_t vhost_net_says = 1ull << VIRTIO_RING_F_INDIRECT_DESC |
				1ull << VIRTIO_RING_F_EVENT_IDX | 1ull << VIRTIO_F_VERSION_1 |
				1ull << VIRTIO_NET_F_MRG_RXBUF;

static int call(struct vhost_net *h, unsigned long request, const void *arg, const char *what,
		struct nd_error *err)
{
	if (ioctl(h->fd, request, arg) < 0)
		return nd_error_sys(err, errno, "vhost-net: %s", what);
	return 0;
}

static int share_memory(struct vhost_net *h, const struct memory *memory, struct nd_error *err)
{
	const struct memory_region *regions;
	size_t n = memory_regions(memory, &regions);
	/* struct vhost_memory with its regions */
	struct {
		uint32_t n_regions, padding;
		struct vhost_memory_region regions[REGIONS_MAX];
	} table = { .n_regions = (uint32_t)n };

	if (n > REGIONS_MAX)
		return nd_error_set(err, ND_ERR_INTERNAL, "guest memory has %zu regions", n);
	for (size_t i = 0; i < n; i++)
		table.regions[i] = (struct vhost_memory_region){
			.guest_phys_addr = regions[i].gpa,
			.memory_size = regions[i].len_bytes,
			.userspace_addr = (uintptr_t)regions[i].host,
		};
	return call(h, VHOST_SET_MEM_TABLE, &table, "cannot share the guest's memory", err);
}

int vhost_net_new(int fd, const struct memory *memory, struct vhost_net **out, struct nd_error *err)
{
	ND_AUTO(close) int owned = fd;
	ND_AUTO(vhost_net_free) struct vhost_net *h = calloc(1, sizeof(*h));
	int r;

	if (!h)
		return nd_error_nomem(err);
	h->fd = nd_take_fd(&owned);
	h->error_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (h->error_fd < 0)
		return nd_error_sys(err, errno, "cannot make an eventfd");
	r = call(h, VHOST_SET_OWNER, NULL, "cannot own the descriptor", err);
	if (r == 0)
		r = call(h, VHOST_GET_FEATURES, &h->features, "cannot read the features", err);
	if (r == 0)
		r = share_memory(h, memory, err);
	if (r < 0)
		return r;
	if (!(h->features >> VIRTIO_F_VERSION_1 & 1))
		return nd_error_set(err, ND_ERR_NO_SUPPORT, "vhost-net: the kernel's is from before virtio 1.0");
	*out = nd_take_ptr(&h);
	return 0;
}

void vhost_net_free(struct vhost_net *h)
{
	if (!h)
		return;
	vhost_net_stop(h);
	if (h->error_fd >= 0)
		close(h->error_fd);
	close(h->fd);
	free(h);
}

uint64_t vhost_net_features(const struct vhost_net *h)
{
	return h->features & vhost_net_says;
}

int vhost_net_error_fd(const struct vhost_net *h)
{
	return h->error_fd;
}

static int set_backend(struct vhost_net *h, unsigned queue, int tap_fd)
{
	struct vhost_vring_file f = { .index = queue, .fd = tap_fd };

	return ioctl(h->fd, VHOST_NET_SET_BACKEND, &f) < 0 ? -errno : 0;
}

static int set_fd(struct vhost_net *h, unsigned long request, unsigned queue, int fd)
{
	struct vhost_vring_file f = { .index = queue, .fd = fd };

	return ioctl(h->fd, request, &f) < 0 ? -errno : 0;
}

void vhost_net_set_call(struct vhost_net *h, unsigned queue, int call_fd)
{
	if (h->queues[queue])
		(void)set_fd(h, VHOST_SET_VRING_CALL, queue, call_fd);	/* of ours: cannot fail */
}

static int ring_start(struct vhost_net *h, unsigned i, struct virtio_queue *q, int tap_fd)
{
	struct vhost_vring_state size = { .index = i, .num = q->vq.size };
	struct vhost_vring_state base = { .index = i, .num = q->vq.next_avail };
	struct vhost_vring_addr addr = {
		.index = i,
		.desc_user_addr = (uintptr_t)q->vq.desc,
		.avail_user_addr = (uintptr_t)q->vq.avail,
		.used_user_addr = (uintptr_t)q->vq.used,
	};
	int r;

	if (ioctl(h->fd, VHOST_SET_VRING_NUM, &size) < 0 ||
	    ioctl(h->fd, VHOST_SET_VRING_BASE, &base) < 0 ||
	    ioctl(h->fd, VHOST_SET_VRING_ADDR, &addr) < 0)
		return -errno;
	r = set_fd(h, VHOST_SET_VRING_ERR, i, h->error_fd);
	if (r == 0)
		r = set_fd(h, VHOST_SET_VRING_CALL, i, q->call_fd);
	if (r == 0)
		r = set_fd(h, VHOST_SET_VRING_KICK, i, q->kick_fd);
	if (r == 0)
		r = set_backend(h, i, tap_fd);
	if (r == 0)
		h->queues[i] = q;
	return r;
}

int vhost_net_start(struct vhost_net *h, uint64_t features, struct virtio_queue *rx,
		    struct virtio_queue *tx, int tap_fd)
{
	uint64_t taken = features & vhost_net_says;
	int r;

	if (ioctl(h->fd, VHOST_SET_FEATURES, &taken) < 0)
		return -errno;
	r = ring_start(h, 0, rx, tap_fd);
	if (r == 0)
		r = ring_start(h, 1, tx, tap_fd);
	if (r < 0) {
		vhost_net_stop(h);
		return r;
	}
	/* what the guest put up before anybody listened */
	virtio_signal(rx->kick_fd);
	virtio_signal(tx->kick_fd);
	return 0;
}

static void ring_stop(struct vhost_net *h, unsigned i)
{
	struct vhost_vring_state base = { .index = i };
	struct virtqueue *q = &h->queues[i]->vq;

	/* neither can fail on a ring that runs; if one did, the kernel would let go at the close */
	(void)set_backend(h, i, -1);
	(void)set_fd(h, VHOST_SET_VRING_KICK, i, -1);
	if (ioctl(h->fd, VHOST_GET_VRING_BASE, &base) == 0)
		q->next_avail = (uint16_t)base.num;
	h->queues[i] = NULL;
}

void vhost_net_stop(struct vhost_net *h)
{
	for (unsigned i = 0; i < 2; i++)
		if (h->queues[i])
			ring_stop(h, i);
}
