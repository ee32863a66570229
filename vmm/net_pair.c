/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/net_pair.h"

#include <endian.h>
#include <errno.h>
#include <linux/virtio_net.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/net_ctrl.h"
#include "vmm/net_port.h"
#include "vmm/virtio.h"

#define BUDGET 64			/* frames for each wake-up, then others have their turn */
#define PUBLISH_EVERY 16		/* received frames that may wait until the guest hears of them */
#define DRAIN_MAX 4096
#define IOV_WINDOW (2 * VIRTQUEUE_SIZE_MAX)
#define IOV_READ_MAX (VIRTQUEUE_SIZE_MAX - 1)	/* beside the spill */
#define RX_PIECES_MAX 256		/* descriptors of one receive buffer */

static struct virtqueue *rx_queue(const struct net_pair *p)
{
	return &p->device->queues[p->rx].vq;
}

static struct virtqueue *tx_queue(const struct net_pair *p)
{
	return &p->device->queues[p->tx].vq;
}

static void handle_tap(struct loop_watch *w, uint32_t events)
{
	struct net_pair *p = loop_owner(w, struct net_pair, watch);

	if (events & (EPOLLIN | EPOLLERR | EPOLLHUP)) {
		p->readable = true;
		net_pair_receive(p);
	}
	if (events & EPOLLOUT && p->tx_blocked)
		net_pair_transmit(p);
}

int net_pair_init(struct net_pair *p, struct virtio_device *device, unsigned index, int tap_fd,
		  const struct net_ctrl *ctrl, bool watch, struct nd_error *err)
{
	int r;

	*p = (struct net_pair){ .device = device, .ctrl = ctrl, .first = p - index, .tap_fd = tap_fd,
				.rx = 2 * index, .tx = 2 * index + 1, .readable = true,
				.header_bytes = NET_HEADER_BYTES,
				.watch = { .fd = tap_fd, .ready = handle_tap } };
	p->spill = malloc(NET_FRAME_MAX);
	if (!p->spill)
		return nd_error_nomem(err);
	if (!watch)
		return 0;
	p->queue_size = rx_queue(p)->size_max;
	p->chains = calloc(p->queue_size, sizeof(*p->chains));
	p->iov = calloc(IOV_WINDOW, sizeof(*p->iov));
	p->tx_iov = calloc(VIRTQUEUE_SIZE_MAX + 1, sizeof(*p->tx_iov));
	if (!p->chains || !p->iov || !p->tx_iov)
		return nd_error_nomem(err);
	r = loop_add(device->loop, &p->watch, EPOLLIN | EPOLLOUT | EPOLLET);
	p->watched = r >= 0;
	return r < 0 ? nd_error_sys(err, -r, "cannot wait for frames") : 0;
}

void net_pair_fini(struct net_pair *p)
{
	if (!p->device)
		return;
	if (p->watched)
		loop_remove(p->device->loop, &p->watch);
	free(p->chains);
	free(p->iov);
	free(p->tx_iov);
	free(p->spill);
}

void net_pair_start(struct net_pair *p, uint64_t features)
{
	uint64_t long_frames = NET_CTRL_OFFLOAD_BITS & ~(1ull << VIRTIO_NET_F_GUEST_CSUM);

	bool report = features >> VIRTIO_NET_F_HASH_REPORT & 1;

	p->mergeable = features >> VIRTIO_NET_F_MRG_RXBUF & 1;
	p->hashes = report || features >> VIRTIO_NET_F_RSS & 1;
	p->header_bytes = report ? sizeof(struct virtio_net_hdr_v1_hash) : NET_HEADER_BYTES;
	/* without them frames have the MTU's length; a jumbo frame may spill, too */
	p->frame_max = features & long_frames ? NET_FRAME_MAX : NET_HEADER_BYTES + 18 + 1500;
}

void net_pair_reset(struct net_pair *p)
{
	p->chain_at = p->n_chains = 0;
	p->iov_at = p->n_iov = 0;
	p->room = p->spilled = 0;
	p->tx_blocked = false;
}

void net_pair_drain(struct net_pair *p)
{
	for (unsigned i = 0; i < DRAIN_MAX; i++) {
		if (read(p->tap_fd, p->spill, NET_FRAME_MAX) <= 0)
			return;
		p->counters.rx_dropped++;
	}
}

void net_pair_set_state(struct net_pair *p, enum net_pair_state state)
{
	if (state == p->state)
		return;
	/* what came while nobody listened is stale */
	if (state == NET_PAIR_DISCARD || p->state == NET_PAIR_DISCARD)
		net_pair_drain(p);
	p->state = state;
	p->spilled = 0;
	p->readable = true;
	if (!p->watched || state == NET_PAIR_OFF)
		return;
	if (virtio_queue_live(p->device, p->rx))
		virtio_queue_again(p->device, p->rx);
	if (virtio_queue_live(p->device, p->tx))
		virtio_queue_again(p->device, p->tx);
}

/* Receiving */

/* Room for one more chain behind those that wait: moves them to the front when need be. */
static bool iov_make_room(struct net_pair *p)
{
	if (p->n_iov + RX_PIECES_MAX > IOV_READ_MAX || p->n_chains >= rx_queue(p)->size)
		return false;
	if (p->iov_at + p->n_iov + p->queue_size + 1 > IOV_WINDOW) {
		memmove(p->iov, p->iov + p->iov_at, p->n_iov * sizeof(*p->iov));
		p->iov_at = 0;
	}
	if (p->chain_at + p->n_chains == p->queue_size) {
		memmove(p->chains, p->chains + p->chain_at, p->n_chains * sizeof(*p->chains));
		p->chain_at = 0;
	}
	return true;
}

static bool chain_take(struct net_pair *p)
{
	struct virtqueue *q = rx_queue(p);
	struct vq_chain c;

	if (!iov_make_room(p) || !virtqueue_pop(q, p->iov + p->iov_at + p->n_iov, &c))
		return false;
	if (c.n_out)
		return virtqueue_break(q, "a receive buffer is not for writing");
	if (c.in_bytes < p->header_bytes)
		return virtqueue_break(q, "a receive buffer is shorter than the header");
	if (c.n_in > RX_PIECES_MAX)
		return virtqueue_break(q, "a receive buffer is in too many pieces");
	p->chains[p->chain_at + p->n_chains++] = (struct rx_chain){ c.head, c.n_in, c.in_bytes };
	p->n_iov += c.n_in;
	p->room += c.in_bytes;
	return true;
}

/* Buffers for the frame that comes next: as many as the longest needs, if the driver has them.
 * False: not even enough to begin with. */
static bool chains_ready(struct net_pair *p)
{
	size_t wanted = p->spilled ? p->spill_at + p->spilled : p->frame_max;

	while (p->room < wanted && (p->mergeable || !p->n_chains) && chain_take(p))
		;
	return virtqueue_running(rx_queue(p)) && p->n_chains && (!p->spilled || p->room >= wanted);
}

/* No buffers: whether it is worth trying again, or a kick will follow. */
static bool chains_missing(struct net_pair *p)
{
	if (p->spilled && p->n_chains && !iov_make_room(p)) {
		/* the driver cuts its buffers so small that the frame never fits */
		p->spilled = 0;
		p->counters.rx_dropped++;
		return true;
	}
	if (!virtqueue_kicks_on(rx_queue(p)))
		return false;
	virtqueue_kicks_off(rx_queue(p));
	return true;
}

/* The frame of len bytes that fills the first chains goes to the guest. */
static void frame_deliver(struct net_pair *p, size_t len)
{
	struct virtqueue *q = rx_queue(p);
	size_t left = len;
	uint16_t n = 0, n_le;

	for (size_t sum = 0; sum < len; n++)
		sum += p->chains[p->chain_at + n].bytes;
	n_le = htole16(n);
	(void)iov_write(p->iov + p->iov_at, p->n_iov,
			offsetof(struct virtio_net_hdr_mrg_rxbuf, num_buffers), &n_le, 2);
	for (uint16_t i = 0; i < n; i++) {
		struct rx_chain *c = &p->chains[p->chain_at++];
		uint32_t part = left < c->bytes ? (uint32_t)left : c->bytes;

		virtqueue_push(q, c->head, part);
		left -= part;
		p->n_chains--;
		p->iov_at += c->n_iov;
		p->n_iov -= c->n_iov;
		p->room -= c->bytes;
	}
	p->counters.rx_packets++;
	p->counters.rx_bytes += len - p->header_bytes;
}

static bool frame_wanted(const struct net_pair *p, size_t len)
{
	uint8_t start[NET_FILTER_FRAME];
	size_t n;

	if (net_filter_open(&p->ctrl->filter))
		return true;
	n = iov_read(p->iov + p->iov_at, p->n_iov, NET_HEADER_BYTES, start,
		     len - NET_HEADER_BYTES < sizeof(start) ? len - NET_HEADER_BYTES : sizeof(start));
	return net_filter_wants(&p->ctrl->filter, start, n);
}

/* A frame of len bytes was read into the chains and, where they end, the spill. */
static void frame_arrived(struct net_pair *p, size_t len)
{
	if (len <= NET_HEADER_BYTES) {
		p->counters.rx_errors++;
		return;
	}
	if (!frame_wanted(p, len))
		return;
	if (len <= p->room) {
		frame_deliver(p, len);
		return;
	}
	if (!p->mergeable || len > NET_FRAME_MAX) {
		p->counters.rx_dropped++;	/* it fits no buffer of this driver */
		return;
	}
	p->spill_at = p->room;
	p->spilled = len - p->room;
}

/* One frame from the TAP. False: it has none. */
static bool frame_read(struct net_pair *p)
{
	struct iovec *iov = p->iov + p->iov_at;
	ssize_t n;

	iov[p->n_iov] = (struct iovec){ p->spill, NET_FRAME_MAX };
	n = readv(p->tap_fd, iov, (int)p->n_iov + 1);
	if (n > 0) {
		frame_arrived(p, (size_t)n);
		return true;
	}
	if (n < 0 && errno == EINTR)
		return true;
	if (n < 0 && errno != EAGAIN)
		p->counters.rx_errors++;	/* the TAP is gone, or one of its queues */
	return p->readable = false;
}

static void spill_finish(struct net_pair *p)
{
	size_t len = p->spill_at + p->spilled;

	(void)iov_write(p->iov + p->iov_at, p->n_iov, p->spill_at, p->spill, p->spilled);
	p->spilled = 0;
	frame_deliver(p, len);
}

/* ---- by hash: the frame of len bytes lies in a pair's spill, with the TAP's header ---- */

static void hash_deliver(struct net_pair *p, const uint8_t *from, size_t len, const struct net_hash *h)
{
	const struct virtio_net_hdr_v1_hash hash = { .hash_value = htole32(h->value),
						     .hash_report = htole16(h->report) };
	size_t whole = len - NET_HEADER_BYTES + p->header_bytes;
	struct iovec *iov;

	while (p->room < whole && (p->mergeable || !p->n_chains) && chain_take(p))
		;
	if (p->room < whole) {	/* as a card does whose ring is empty */
		p->counters.rx_dropped++;
		return;
	}
	iov = p->iov + p->iov_at;
	(void)iov_write(iov, p->n_iov, 0, from, NET_HEADER_BYTES);
	(void)iov_write(iov, p->n_iov, NET_HEADER_BYTES, &hash.hash_value, p->header_bytes - NET_HEADER_BYTES);
	(void)iov_write(iov, p->n_iov, p->header_bytes, from + NET_HEADER_BYTES, len - NET_HEADER_BYTES);
	frame_deliver(p, whole);
}

/* The pair that it went to; NULL: none. */
static struct net_pair *hash_arrived(struct net_pair *p, size_t len)
{
	const struct net_rss *rss = &p->ctrl->rss;
	const uint8_t *frame = p->spill + NET_HEADER_BYTES;
	struct net_hash h;
	struct net_pair *to;

	if (len <= NET_HEADER_BYTES) {
		p->counters.rx_errors++;
		return NULL;
	}
	len -= NET_HEADER_BYTES;
	if (!net_filter_open(&p->ctrl->filter) && !net_filter_wants(&p->ctrl->filter, frame, len))
		return NULL;
	h = net_rss_hash(rss, frame, len);
	to = rss->steers ? p->first + net_rss_pair(rss, &h) : p;
	if (to->state != NET_PAIR_ON || !virtio_queue_live(to->device, to->rx)) {
		p->counters.rx_dropped++;
		return NULL;
	}
	virtqueue_kicks_off(rx_queue(to));	/* nothing waits for buffers */
	hash_deliver(to, p->spill, len + NET_HEADER_BYTES, &h);
	return to;
}

/* As receive_some(). */
static bool hash_receive_some(struct net_pair *p)
{
	uint32_t shown = 0;
	bool more = true;

	for (unsigned i = 0; i < BUDGET && more; i++) {
		ssize_t n = read(p->tap_fd, p->spill, NET_FRAME_MAX);
		struct net_pair *to = n > 0 ? hash_arrived(p, (size_t)n) : NULL;

		if (n < 0 && errno != EAGAIN && errno != EINTR)
			p->counters.rx_errors++;
		more = n > 0 || (n < 0 && errno == EINTR);
		shown |= to ? 1u << (to - p->first) : 0;
	}
	p->readable = more;
	for (unsigned i = 0; shown >> i; i++)
		if (shown >> i & 1)
			virtio_queue_publish(p->device, p->first[i].rx);
	return more;
}

/* Up to a share of frames; true: there may be more. */
static bool receive_some(struct net_pair *p)
{
	for (unsigned i = 0; i < BUDGET; i++) {
		if (i % PUBLISH_EVERY == PUBLISH_EVERY - 1)
			virtio_queue_publish(p->device, p->rx);
		if (!chains_ready(p)) {
			if (!chains_missing(p))
				return false;
			continue;
		}
		if (p->spilled)
			spill_finish(p);
		else if (!p->readable || !frame_read(p))
			return false;
	}
	return true;
}

void net_pair_receive(struct net_pair *p)
{
	bool more;

	if (p->state == NET_PAIR_OFF || !p->watched)
		return;
	if (p->state == NET_PAIR_DISCARD || !virtio_queue_live(p->device, p->rx)) {
		net_pair_drain(p);
		return;
	}
	virtqueue_kicks_off(rx_queue(p));
	more = p->hashes ? hash_receive_some(p) : receive_some(p);
	virtio_queue_publish(p->device, p->rx);
	if (more)
		virtio_queue_again(p->device, p->rx);
}

/* Transmitting */

/* The guest's header is longer than the TAP's: its end goes. */
static void shorten_header(struct net_pair *p, struct vq_chain *c)
{
	unsigned n = c->n_out;

	(void)iov_read(c->iov, n, 0, p->tx_header, sizeof(p->tx_header));
	iov_skip(&c->iov, &n, p->header_bytes);
	*--c->iov = (struct iovec){ p->tx_header, sizeof(p->tx_header) };
	c->n_out = (uint16_t)(n + 1);
	c->out_bytes -= p->header_bytes - NET_HEADER_BYTES;
}

/* False: the TAP takes nothing now, the chain is to come again. */
static bool frame_write(struct net_pair *p, struct vq_chain *c)
{
	ssize_t n;

	if (p->state != NET_PAIR_ON) {
		p->counters.tx_dropped++;
		return true;
	}
	if (c->out_bytes <= p->header_bytes) {
		p->counters.tx_errors++;
		return true;
	}
	if (p->header_bytes > NET_HEADER_BYTES)
		shorten_header(p, c);
	do
		n = writev(p->tap_fd, c->iov, c->n_out);
	while (n < 0 && errno == EINTR);
	if (n >= 0) {
		p->counters.tx_packets++;
		p->counters.tx_bytes += c->out_bytes - NET_HEADER_BYTES;
		return true;
	}
	if (errno == EAGAIN)
		return false;
	/* the frame makes no sense (EINVAL), or the TAP is down (EIO) */
	p->counters.tx_errors++;
	return true;
}

/* Up to a share of frames; true: there may be more. */
static bool transmit_some(struct net_pair *p)
{
	struct virtqueue *q = tx_queue(p);
	struct vq_chain c;

	for (unsigned i = 0; i < BUDGET; i++) {
		if (!virtqueue_pop(q, p->tx_iov + 1, &c)) {
			if (!virtqueue_kicks_on(q))
				return false;
			virtqueue_kicks_off(q);
			continue;
		}
		if (!frame_write(p, &c)) {
			virtqueue_unpop(q, 1);
			p->tx_blocked = true;
			return false;
		}
		virtqueue_push(q, c.head, 0);
		/* at once: a guest's TCP sends no more before it sees that what it sent has left */
		virtio_queue_publish(p->device, p->tx);
	}
	return true;
}

void net_pair_transmit_later(struct net_pair *p)
{
	if (p->watched && virtio_queue_live(p->device, p->tx))
		virtqueue_kicks_off(tx_queue(p));
}

void net_pair_transmit(struct net_pair *p)
{
	bool more;

	if (!p->watched || !virtio_queue_live(p->device, p->tx))
		return;
	p->tx_blocked = false;
	virtqueue_kicks_off(tx_queue(p));
	more = transmit_some(p);
	virtio_queue_publish(p->device, p->tx);
	if (more)
		virtio_queue_again(p->device, p->tx);
}
