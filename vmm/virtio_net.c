/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/virtio_net.h"

#include <endian.h>
#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "netd/base/log.h"
#include "vmm/net_ctrl.h"
#include "vmm/net_offer.h"
#include "vmm/net_port.h"
#include "vmm/vhost_net.h"
#include "vmm/virtio.h"

#define BIT(feature) (1ull << (feature))
#define CTRL_SIZE 64			/* descriptors of the control queue */
#define CTRL_BUDGET 16			/* commands for each wake-up */

struct virtio_net {
	struct virtio_device device;
	const struct net_port_ops *port;
	char *name;
	uint8_t mac[6];
	uint16_t mtu_bytes, next_mtu_bytes;
	unsigned n_pairs;
	bool link_up, announce;
	bool started;
	unsigned offloads;		/* TUN_F_* that the TAP takes */
	void (*filter_changed)(void *arg);
	void *arg;
	struct net_ctrl ctrl;
	struct loop_watch tx_timer;	/* not ready: the guest's frames leave at once */
	unsigned tx_waiting;		/* bits: pairs that transmit when it ends */
	struct net_pair pairs[NET_PAIRS_MAX];
	int tap_fds[NET_PAIRS_MAX];
	bool attached[NET_PAIRS_MAX];
	struct vhost_pair {
		struct virtio_net *net;
		struct vhost_net *vhost;
		struct loop_watch watch;	/* of its errors */
	} vhosts[NET_PAIRS_MAX];	/* all or none */
	struct iovec ctrl_iov[VIRTQUEUE_SIZE_MAX];	/* without MQ the queue may be a long one */
};

static bool by_vhost(const struct virtio_net *n)
{
	return n->vhosts[0].vhost;
}

bool virtio_net_uses_vhost(const struct virtio_net *n)
{
	return by_vhost(n);
}

struct virtio_device *virtio_net_device(struct virtio_net *n)
{
	return &n->device;
}

static bool has(const struct virtio_net *n, unsigned feature)
{
	return virtio_has(&n->device, feature);
}

/* Without MQ and RSS the control queue follows the first pair (5.1.2). */
static unsigned ctrl_queue(const struct virtio_net *n)
{
	return has(n, VIRTIO_NET_F_MQ) || has(n, VIRTIO_NET_F_RSS) ? 2 * n->n_pairs : 2;
}

/* Rings' features in which vhost has a say are offered when all its queues have them. */
static void limit_to_vhost(struct virtio_net *n)
{
	for (unsigned i = 0; i < n->n_pairs && by_vhost(n); i++)
		n->device.offered &= ~vhost_net_says | vhost_net_features(n->vhosts[i].vhost);
}

/* Frames */

static void apply_filter(struct virtio_net *n)
{
	n->port->set_filter(n->tap_fds[0], &n->ctrl.filter);
	if (n->filter_changed)
		n->filter_changed(n->arg);
}

const struct net_filter *virtio_net_filter(const struct virtio_net *n)
{
	return &n->ctrl.filter;
}

static void apply_offloads(struct virtio_net *n)
{
	unsigned flags = net_offer_tap_flags(n->ctrl.offloads);

	if (n->port->set_offload(n->tap_fds[0], flags) < 0 && flags)
		nd_log(LOG_WARNING, n->name, "the TAP takes offloads %#x no more", flags);
}

static void pair_attach(struct virtio_net *n, unsigned i, bool attached)
{
	int r;

	if (n->n_pairs == 1 || n->attached[i] == attached)
		return;
	r = n->port->set_queue(n->tap_fds[i], attached);
	if (r < 0)
		nd_log(LOG_WARNING, n->name, "cannot %s the TAP's queue %u: %s",
		       attached ? "attach" : "detach", i, strerror(-r));
	else
		n->attached[i] = attached;
}

static void pair_vhost_start(struct virtio_net *n, unsigned i)
{
	struct virtio_queue *rx = &n->device.queues[2 * i], *tx = rx + 1;
	int r;

	if (!virtqueue_running(&rx->vq) || !virtqueue_running(&tx->vq))
		return;
	r = vhost_net_start(n->vhosts[i].vhost, n->device.features, rx, tx, n->tap_fds[i]);
	if (r < 0) {
		nd_log(LOG_WARNING, n->name, "vhost-net does not start on pair %u: %s", i,
		       strerror(-r));
		virtio_needs_reset(&n->device, "the kernel cannot work on its queues");
	}
}

/* Each pair works when the driver has asked for it, the link is up and the driver is there. */
static void apply_pairs(struct virtio_net *n)
{
	for (unsigned i = 0; i < n->n_pairs; i++) {
		bool used = i < n->ctrl.n_pairs;
		bool on = used && n->started && n->link_up;

		if (by_vhost(n))	/* first: its thread has the TAP's queue in hand */
			vhost_net_stop(n->vhosts[i].vhost);
		pair_attach(n, i, used);
		net_pair_set_state(&n->pairs[i], on ? NET_PAIR_ON :
				   used ? NET_PAIR_DISCARD : NET_PAIR_OFF);
		if (by_vhost(n) && on)
			pair_vhost_start(n, i);
	}
}

static void ctrl_default(struct virtio_net *n)
{
	n->ctrl = (struct net_ctrl){ .features = n->device.features, .n_pairs_max = n->n_pairs,
				     .n_pairs = 1, .offloads = n->device.features };
	net_filter_reset(&n->ctrl.filter, n->mac, has(n, VIRTIO_NET_F_CTRL_VLAN));
}

static void net_start(void *self)
{
	struct virtio_net *n = self;

	ctrl_default(n);
	n->started = true;
	for (unsigned i = 0; i < n->n_pairs; i++)
		net_pair_start(&n->pairs[i], n->device.features);
	apply_offloads(n);
	apply_filter(n);
	apply_pairs(n);
}

static bool net_reset(void *self)
{
	struct virtio_net *n = self;

	n->started = false;
	n->announce = false;
	n->mtu_bytes = n->next_mtu_bytes;
	for (unsigned i = 0; i < n->n_pairs; i++)
		net_pair_reset(&n->pairs[i]);
	n->ctrl = (struct net_ctrl){ .n_pairs = 1 };
	net_filter_reset(&n->ctrl.filter, n->mac, false);
	/* before what is left in the TAP is thrown away, so that nothing comes after it that the next
	 * driver does not understand */
	apply_offloads(n);
	n->port->set_filter(n->tap_fds[0], NULL);
	if (n->filter_changed)
		n->filter_changed(n->arg);
	apply_pairs(n);
	return true;
}

/* The control queue */

static void ctrl_changed(struct virtio_net *n, unsigned changed)
{
	if (changed & NET_CTRL_FILTER)
		apply_filter(n);
	if (changed & NET_CTRL_OFFLOADS)
		apply_offloads(n);
	if (changed & NET_CTRL_PAIRS)
		apply_pairs(n);
	if (changed & NET_CTRL_ANNOUNCED)
		n->announce = false;
}

static void ctrl_kick(struct virtio_net *n, unsigned queue)
{
	struct virtqueue *q = &n->device.queues[queue].vq;
	struct vq_chain chain;
	unsigned i = 0;
	bool ok;

	while (i < CTRL_BUDGET && virtqueue_pop(q, n->ctrl_iov, &chain)) {
		ctrl_changed(n, net_ctrl_run(&n->ctrl, &chain, &ok));
		virtqueue_push(q, chain.head, net_ctrl_answer(&chain, ok));
		i++;
	}
	if (virtqueue_kicks_on(q))
		virtio_queue_again(&n->device, queue);
	virtio_queue_publish(&n->device, queue);
}

/* Only what a driver has put up already waits, and the timer is not moved: nothing waits longer. */
static void transmit_later(struct virtio_net *n, unsigned pair)
{
	const struct itimerspec wait = { .it_value.tv_nsec = VIRTIO_NET_TX_WAIT_NS };

	net_pair_transmit_later(&n->pairs[pair]);
	if (!n->tx_waiting)
		(void)timerfd_settime(n->tx_timer.fd, 0, &wait, NULL);	/* of ours, with a sane time */
	n->tx_waiting |= 1u << pair;
}

static void handle_tx_timer(struct loop_watch *w, uint32_t events)
{
	struct virtio_net *n = loop_owner(w, struct virtio_net, tx_timer);
	unsigned waiting = n->tx_waiting;
	uint64_t count;

	(void)!read(w->fd, &count, sizeof(count));
	n->tx_waiting = 0;
	for (unsigned i = 0; i < n->n_pairs; i++)
		if (waiting >> i & 1)
			net_pair_transmit(&n->pairs[i]);
}

static void transmit(struct virtio_net *n, unsigned pair)
{
	if (n->tx_timer.ready)
		transmit_later(n, pair);
	else
		net_pair_transmit(&n->pairs[pair]);
}

static void net_kick(void *self, unsigned queue)
{
	struct virtio_net *n = self;

	if (queue == ctrl_queue(n)) {
		if (has(n, VIRTIO_NET_F_CTRL_VQ))
			ctrl_kick(n, queue);
	} else if (queue / 2 < n->n_pairs) {
		if (queue % 2)
			transmit(n, queue / 2);
		else
			net_pair_receive(&n->pairs[queue / 2]);
	}
}

static void net_call_moved(void *self, unsigned queue)
{
	struct virtio_net *n = self;

	if (by_vhost(n) && queue / 2 < n->n_pairs && queue != ctrl_queue(n))
		vhost_net_set_call(n->vhosts[queue / 2].vhost, queue % 2,
				   n->device.queues[queue].call_fd);
}

/* Configuration */

static void net_config_read(void *self, unsigned offset, void *to, unsigned len)
{
	struct virtio_net *n = self;
	struct virtio_net_config c = {
		.status = htole16((n->link_up ? VIRTIO_NET_S_LINK_UP : 0) |
				  (n->announce ? VIRTIO_NET_S_ANNOUNCE : 0)),
		.max_virtqueue_pairs = htole16((uint16_t)n->n_pairs),
		.mtu = htole16(n->mtu_bytes),
		.rss_max_key_size = NET_RSS_KEY_MAX,
		.rss_max_indirection_table_length = htole16(NET_RSS_TABLE_MAX),
		.supported_hash_types = htole32(NET_RSS_TYPES),
	};

	memcpy(c.mac, n->ctrl.filter.mac, sizeof(c.mac));
	memcpy(to, (const uint8_t *)&c + offset, len);
}

static const struct virtio_ops net_ops = {
	.config_read = net_config_read,
	.start = net_start,
	.kick = net_kick,
	.reset = net_reset,
	.call_moved = net_call_moved,
};

/* vhost */

static void handle_vhost_error(struct loop_watch *w, uint32_t events)
{
	struct vhost_pair *p = loop_owner(w, struct vhost_pair, watch);
	uint64_t count;

	(void)!read(w->fd, &count, sizeof(count));
	vhost_net_stop(p->vhost);
	if (p->net->started)
		virtio_needs_reset(&p->net->device, "the kernel found a broken queue");
}

static void vhosts_free(struct virtio_net *n)
{
	for (unsigned i = 0; i < NET_PAIRS_MAX; i++) {
		loop_remove(n->device.loop, &n->vhosts[i].watch);
		vhost_net_free(n->vhosts[i].vhost);
		n->vhosts[i].vhost = NULL;
	}
}

/* All pairs or none: the log says why none. */
static void vhosts_new(struct virtio_net *n, int *fds)
{
	struct nd_error err = { 0 };

	for (unsigned i = 0; i < n->n_pairs; i++) {
		if (vhost_net_new(nd_take_fd(&fds[i]), n->device.memory, &n->vhosts[i].vhost,
				  &err) == 0)
			continue;
		nd_log(LOG_WARNING, n->name, "%s: frames pass in user space", err.text);
		vhosts_free(n);
		return;
	}
}

static int vhosts_watch(struct virtio_net *n, struct nd_error *err)
{
	int r = 0;

	for (unsigned i = 0; i < n->n_pairs && by_vhost(n) && r == 0; i++) {
		struct vhost_pair *p = &n->vhosts[i];

		p->net = n;
		p->watch.fd = vhost_net_error_fd(p->vhost);
		p->watch.ready = handle_vhost_error;
		r = loop_add(n->device.loop, &p->watch, EPOLLIN);
		virtio_queue_unwatch(&n->device, 2 * i + 1);
		/* without MQ it may be the control queue's: two listeners do no harm */
		if (i != 1)
			virtio_queue_unwatch(&n->device, 2 * i);
	}
	return r < 0 ? nd_error_sys(err, -r, "cannot wait for vhost") : 0;
}

/* Life */

static void fds_close(const struct virtio_net_spec *spec, int *vhost_fds)
{
	for (unsigned i = 0; i < spec->n_pairs && i < NET_PAIRS_MAX; i++)
		if (vhost_fds[i] >= 0)
			close(vhost_fds[i]);
}

static int pairs_init(struct virtio_net *n, struct nd_error *err)
{
	int r = 0;

	for (unsigned i = 0; i < n->n_pairs && r == 0; i++)
		r = net_pair_init(&n->pairs[i], &n->device, i, n->tap_fds[i], &n->ctrl,
				  !by_vhost(n), err);
	return r;
}

static int tx_timer_new(struct virtio_net *n, struct nd_error *err)
{
	int r;

	n->tx_timer.fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (n->tx_timer.fd < 0)
		return nd_error_sys(err, errno, "cannot make a timer");
	n->tx_timer.ready = handle_tx_timer;
	r = loop_add(n->device.loop, &n->tx_timer, EPOLLIN);
	return r < 0 ? nd_error_sys(err, -r, "cannot wait for time") : 0;
}

static int prepare_taps(struct virtio_net *n, struct nd_error *err)
{
	unsigned all = ~0u, takes;

	for (unsigned i = 0; i < n->n_pairs; i++) {
		int r = n->port->prepare(n->tap_fds[i], &takes, err);

		if (r < 0)
			return r;
		all &= takes;
	}
	n->offloads = all;
	return 0;
}

static int device_init(struct virtio_net *n, const struct virtio_net_spec *spec, struct nd_error *err)
{
	uint16_t sizes[VIRTIO_QUEUES_MAX];
	int r;

	n->device.ops = &net_ops;
	n->device.self = n;
	n->device.name = n->name;
	n->device.type = VIRTIO_ID_NET;
	n->device.offered = net_offer(spec, n->offloads, by_vhost(n));
	n->device.config_bytes = n->device.offered & (BIT(VIRTIO_NET_F_RSS) | BIT(VIRTIO_NET_F_HASH_REPORT)) ?
				 sizeof(struct virtio_net_config) : offsetof(struct virtio_net_config, speed);
	n->device.n_queues = 2 * n->n_pairs + 1;
	n->device.kicks_by_exit = spec->features & VMM_NO_IOEVENTFD;
	for (unsigned i = 0; i < 2 * n->n_pairs; i++)
		sizes[i] = i % 2 ? spec->tx_queue_size : spec->rx_queue_size;
	sizes[2 * n->n_pairs] = CTRL_SIZE;
	r = virtio_init(&n->device, sizes, err);
	if (!(spec->features & VMM_EVENT_IDX))
		n->device.offered &= ~BIT(VIRTIO_RING_F_EVENT_IDX);
	return r;
}

static int net_init(struct virtio_net *n, const struct virtio_net_spec *spec, int *vhost_fds,
		    struct nd_error *err)
{
	bool vhost = true;
	int r = prepare_taps(n, err);

	if (r < 0)
		return r;
	for (unsigned i = 0; i < n->n_pairs; i++) {
		n->attached[i] = true;
		vhost = vhost && vhost_fds[i] >= 0;
	}
	if (vhost)
		vhosts_new(n, vhost_fds);
	r = device_init(n, spec, err);
	if (r < 0) {
		n->device.n_queues = 0;
		return r;
	}
	limit_to_vhost(n);
	r = vhosts_watch(n, err);
	if (r == 0)
		r = pairs_init(n, err);
	if (r == 0 && spec->features & VMM_TX_TIMER && !by_vhost(n))
		r = tx_timer_new(n, err);
	if (r == 0)
		(void)net_reset(n);	/* as a driver's reset leaves it */
	return r;
}

int virtio_net_new(const struct virtio_net_spec *spec, const struct net_port_ops *port,
		   const struct memory *memory, struct loop *loop, struct virtio_net **out,
		   struct nd_error *err)
{
	ND_AUTO(virtio_net_free) struct virtio_net *n = calloc(1, sizeof(*n));
	int vhost_fds[NET_PAIRS_MAX];
	int r;

	if (spec->n_pairs < 1 || spec->n_pairs > NET_PAIRS_MAX)
		return nd_error_set(err, ND_ERR_CONFIG_UNSUPPORTED,
				    "NIC %s: %u queue pairs, where 1 to %d can be", spec->name,
				    spec->n_pairs, NET_PAIRS_MAX);
	memcpy(vhost_fds, spec->vhost_fds, sizeof(vhost_fds));
	if (!n || !(n->name = strdup(spec->name))) {
		for (unsigned i = 0; i < spec->n_pairs; i++)
			close(spec->tap_fds[i]);
		r = nd_error_nomem(err);
	} else {
		n->port = port;
		n->device.memory = memory;
		n->device.loop = loop;
		n->n_pairs = spec->n_pairs;
		memcpy(n->tap_fds, spec->tap_fds, sizeof(n->tap_fds));
		memcpy(n->mac, spec->mac, sizeof(n->mac));
		n->mtu_bytes = n->next_mtu_bytes = spec->mtu_bytes;
		n->link_up = spec->link_up;
		n->filter_changed = spec->filter_changed;
		n->arg = spec->arg;
		r = net_init(n, spec, vhost_fds, err);
	}
	fds_close(spec, vhost_fds);
	if (r < 0)
		return nd_error_prefix(err, "NIC %s", spec->name);
	*out = nd_take_ptr(&n);
	return 0;
}

void virtio_net_free(struct virtio_net *n)
{
	if (!n)
		return;
	vhosts_free(n);
	loop_remove(n->device.loop, &n->tx_timer);
	if (n->tx_timer.ready)
		close(n->tx_timer.fd);
	for (unsigned i = 0; i < n->n_pairs; i++)
		net_pair_fini(&n->pairs[i]);
	if (n->device.n_queues)
		virtio_fini(&n->device);
	for (unsigned i = 0; i < n->n_pairs; i++)
		close(n->tap_fds[i]);
	free(n->name);
	free(n);
}

/* Requests from outside */

void virtio_net_set_link(struct virtio_net *n, bool up)
{
	if (n->link_up != up) {
		n->link_up = up;
		apply_pairs(n);
		virtio_config_changed(&n->device);
	}
}

void virtio_net_announce(struct virtio_net *n)
{
	if (n->started && n->link_up && has(n, VIRTIO_NET_F_GUEST_ANNOUNCE) &&
	    has(n, VIRTIO_NET_F_CTRL_VQ)) {
		n->announce = true;
		virtio_config_changed(&n->device);
	}
}

void virtio_net_set_mtu(struct virtio_net *n, uint16_t mtu_bytes)
{
	n->next_mtu_bytes = mtu_bytes;
	if (!n->device.status)
		n->mtu_bytes = mtu_bytes;
}

bool virtio_net_count(struct virtio_net *n, struct net_counters *out)
{
	if (by_vhost(n))
		return false;
	*out = (struct net_counters){ 0 };
	for (unsigned i = 0; i < n->n_pairs; i++) {
		const struct net_counters *c = &n->pairs[i].counters;

		out->rx_bytes += c->rx_bytes;
		out->rx_packets += c->rx_packets;
		out->rx_errors += c->rx_errors;
		out->rx_dropped += c->rx_dropped;
		out->tx_bytes += c->tx_bytes;
		out->tx_packets += c->tx_packets;
		out->tx_errors += c->tx_errors;
		out->tx_dropped += c->tx_dropped;
	}
	return true;
}
