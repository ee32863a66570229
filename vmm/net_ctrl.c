/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/net_ctrl.h"

#include <endian.h>
#include <linux/virtio_net.h>
#include <string.h>

#include "netd/base/auto.h"
#include "vmm/virtqueue.h"

/* The command's bytes, which lie in any number of buffers: each is copied once. The first read past
 * the end sticks. */
struct body {
	const struct vq_chain *chain;
	uint32_t at;
	bool bad;
};

static void body_read(struct body *b, void *to, uint32_t n)
{
	memset(to, 0, n);
	if (b->bad || n > b->chain->out_bytes - b->at) {
		b->bad = true;
		return;
	}
	(void)iov_read(b->chain->iov, b->chain->n_out, b->at, to, n);
	b->at += n;
}

/* All of the command was read, and nothing was missing. */
static bool body_ends(const struct body *b)
{
	return !b->bad && b->at == b->chain->out_bytes;
}

static uint8_t body_u8(struct body *b)
{
	uint8_t v;

	body_read(b, &v, sizeof(v));
	return v;
}

static uint16_t body_le16(struct body *b)
{
	uint16_t v;

	body_read(b, &v, sizeof(v));
	return le16toh(v);
}

static uint32_t body_le32(struct body *b)
{
	uint32_t v;

	body_read(b, &v, sizeof(v));
	return le32toh(v);
}

static unsigned run_rx_mode(struct net_ctrl *c, struct body *b, uint8_t command)
{
	static const size_t flags[] = {
		[VIRTIO_NET_CTRL_RX_PROMISC] = offsetof(struct net_filter, promisc),
		[VIRTIO_NET_CTRL_RX_ALLMULTI] = offsetof(struct net_filter, allmulti),
		[VIRTIO_NET_CTRL_RX_ALLUNI] = offsetof(struct net_filter, alluni),
		[VIRTIO_NET_CTRL_RX_NOMULTI] = offsetof(struct net_filter, nomulti),
		[VIRTIO_NET_CTRL_RX_NOUNI] = offsetof(struct net_filter, nouni),
		[VIRTIO_NET_CTRL_RX_NOBCAST] = offsetof(struct net_filter, nobcast),
	};
	uint8_t on = body_u8(b);

	if (command >= ND_COUNT(flags) || !body_ends(b))
		return 0;
	if (command > VIRTIO_NET_CTRL_RX_ALLMULTI &&
	    !(c->features >> VIRTIO_NET_F_CTRL_RX_EXTRA & 1))
		return 0;
	*(bool *)((uint8_t *)&c->filter + flags[command]) = on;
	return NET_CTRL_FILTER;
}

static unsigned run_mac_set(struct net_ctrl *c, struct body *b)
{
	static const uint8_t zero[6];
	uint8_t mac[6];

	body_read(b, mac, sizeof(mac));
	if (!body_ends(b) || mac[0] & 1 || memcmp(mac, zero, 6) == 0 ||
	    !(c->features >> VIRTIO_NET_F_CTRL_MAC_ADDR & 1))
		return 0;
	memcpy(c->filter.mac, mac, 6);
	return NET_CTRL_FILTER;
}

/* A count and as many addresses; more than fit are counted only. */
static bool read_macs(struct body *b, uint8_t (*to)[6], unsigned *n_out, bool *overflow_out)
{
	uint32_t n = body_le32(b);

	if (b->bad || n > (b->chain->out_bytes - b->at) / 6)
		return false;
	*overflow_out = n > NET_FILTER_MACS;
	*n_out = *overflow_out ? 0 : n;
	for (uint32_t i = 0; i < *n_out; i++)
		body_read(b, to[i], 6);
	b->at += (n - *n_out) * 6;
	return true;
}

static unsigned run_mac_table(struct net_ctrl *c, struct body *b)
{
	struct net_filter f = c->filter;

	if (!read_macs(b, f.uni, &f.n_uni, &f.uni_overflow) ||
	    !read_macs(b, f.multi, &f.n_multi, &f.multi_overflow) || !body_ends(b))
		return 0;
	c->filter = f;
	return NET_CTRL_FILTER;
}

static unsigned run_mac(struct net_ctrl *c, struct body *b, uint8_t command)
{
	switch (command) {
	case VIRTIO_NET_CTRL_MAC_ADDR_SET:
		return run_mac_set(c, b);
	case VIRTIO_NET_CTRL_MAC_TABLE_SET:
		return run_mac_table(c, b);
	}
	return 0;
}

static unsigned run_vlan(struct net_ctrl *c, struct body *b, uint8_t command)
{
	uint16_t vid = body_le16(b);

	if (!body_ends(b) || vid > 4095 || command > VIRTIO_NET_CTRL_VLAN_DEL)
		return 0;
	net_filter_set_vlan(&c->filter, vid, command == VIRTIO_NET_CTRL_VLAN_ADD);
	return NET_CTRL_FILTER;
}

static unsigned run_announce(struct net_ctrl *c, struct body *b, uint8_t command)
{
	if (command != VIRTIO_NET_CTRL_ANNOUNCE_ACK || !body_ends(b))
		return 0;
	c->announced = true;
	return NET_CTRL_ANNOUNCED;
}

static unsigned run_mq(struct net_ctrl *c, struct body *b, uint8_t command)
{
	uint16_t n = body_le16(b);

	if (command != VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET || !body_ends(b) || !n ||
	    n > c->n_pairs_max)
		return 0;
	c->n_pairs = n;
	c->rss.steers = false;
	return NET_CTRL_PAIRS;
}

/* The end of both commands below: a length and a key. */
static bool read_key(struct body *b, struct net_rss *r)
{
	uint8_t len = body_u8(b);

	if (len > NET_RSS_KEY_MAX)
		return false;
	body_read(b, r->key, len);
	return body_ends(b) && !(r->types & ~NET_RSS_TYPES);
}

/* struct virtio_net_rss_config */
static unsigned run_rss(struct net_ctrl *c, struct body *b, uint8_t command)
{
	struct net_rss r = { .steers = true, .types = body_le32(b) };
	uint32_t n = body_le16(b) + 1u;
	unsigned last, n_tx;

	last = r.unclassified = body_le16(b);
	if (command != VIRTIO_NET_CTRL_MQ_RSS_CONFIG || n > NET_RSS_TABLE_MAX || n & (n - 1))
		return 0;
	r.n_table = (uint16_t)n;
	for (uint32_t i = 0; i < n; i++) {
		r.table[i] = body_le16(b);
		last = r.table[i] > last ? r.table[i] : last;
	}
	n_tx = body_le16(b);
	if (!read_key(b, &r) || last >= c->n_pairs_max || !n_tx || n_tx > c->n_pairs_max)
		return 0;
	c->rss = r;
	c->n_pairs = n_tx > last ? n_tx : last + 1;
	return NET_CTRL_PAIRS | NET_CTRL_HASH;
}

/* struct virtio_net_hash_config: the hash is told, the queues are the TAP's choice. */
static unsigned run_hash(struct net_ctrl *c, struct body *b, uint8_t command)
{
	struct net_rss r = { .types = body_le32(b) };
	uint8_t reserved[8];

	body_read(b, reserved, sizeof(reserved));
	if (command != VIRTIO_NET_CTRL_MQ_HASH_CONFIG || !read_key(b, &r))
		return 0;
	c->rss = r;
	return NET_CTRL_HASH;
}

static unsigned run_offloads(struct net_ctrl *c, struct body *b, uint8_t command)
{
	uint64_t wanted;

	body_read(b, &wanted, sizeof(wanted));
	wanted = le64toh(wanted);
	if (command != VIRTIO_NET_CTRL_GUEST_OFFLOADS_SET || !body_ends(b) ||
	    wanted & ~(c->features & NET_CTRL_OFFLOAD_BITS))
		return 0;
	c->offloads = wanted;
	return NET_CTRL_OFFLOADS;
}

static const struct {
	uint8_t class, feature;
	unsigned (*run)(struct net_ctrl *c, struct body *b, uint8_t command);
} commands[] = {
	{ VIRTIO_NET_CTRL_RX, VIRTIO_NET_F_CTRL_RX, run_rx_mode },
	{ VIRTIO_NET_CTRL_MAC, VIRTIO_NET_F_CTRL_VQ, run_mac },
	{ VIRTIO_NET_CTRL_VLAN, VIRTIO_NET_F_CTRL_VLAN, run_vlan },
	{ VIRTIO_NET_CTRL_ANNOUNCE, VIRTIO_NET_F_GUEST_ANNOUNCE, run_announce },
	{ VIRTIO_NET_CTRL_MQ, VIRTIO_NET_F_MQ, run_mq },
	{ VIRTIO_NET_CTRL_MQ, VIRTIO_NET_F_RSS, run_rss },
	{ VIRTIO_NET_CTRL_MQ, VIRTIO_NET_F_HASH_REPORT, run_hash },
	{ VIRTIO_NET_CTRL_GUEST_OFFLOADS, VIRTIO_NET_F_CTRL_GUEST_OFFLOADS, run_offloads },
};

unsigned net_ctrl_run(struct net_ctrl *c, const struct vq_chain *chain, bool *ok_out)
{
	struct body b = { .chain = chain };
	uint8_t class = body_u8(&b), command = body_u8(&b);
	unsigned changed = 0;

	for (size_t i = 0; i < ND_COUNT(commands) && !b.bad && !changed; i++) {
		struct body rest = b;

		if (commands[i].class == class && c->features >> commands[i].feature & 1)
			changed = commands[i].run(c, &rest, command);
	}
	*ok_out = changed != 0;
	return changed;
}

uint32_t net_ctrl_answer(const struct vq_chain *chain, bool ok)
{
	uint8_t status = ok ? VIRTIO_NET_OK : VIRTIO_NET_ERR;

	return (uint32_t)iov_write(chain->iov + chain->n_out, chain->n_in, 0, &status, 1);
}
