/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/net_rss.h"

#include <linux/virtio_net.h>
#include <string.h>

#define ETHERNET 14
#define TAG 4
#define TYPE_IPV4 0x0800
#define TYPE_IPV6 0x86dd
#define TYPE_VLAN 0x8100
#define PROTO_TCP 6
#define PROTO_UDP 17
#define EXTENSIONS_MAX 8		/* IPv6 headers that are passed over */
#define INPUT_MAX (2 * 16 + 2 * 2)

/* What of a frame may be hashed. */
struct flow {
	const uint8_t *addresses, *ports;	/* source and destination; NULL: it has none */
	size_t address_bytes;		/* of one */
	uint8_t protocol;
};

static uint16_t be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static void find_ports(struct flow *f, const uint8_t *at, size_t len, uint8_t protocol)
{
	if ((protocol != PROTO_TCP && protocol != PROTO_UDP) || len < 4)
		return;
	f->protocol = protocol;
	f->ports = at;
}

static void look_at_ipv4(struct flow *f, const uint8_t *ip, size_t len)
{
	size_t header = len ? (ip[0] & 0xfu) * 4 : 0;

	if (len < 20 || header < 20 || header > len)
		return;
	f->addresses = ip + 12;
	f->address_bytes = 4;
	if (!(be16(ip + 6) & 0x3fff))	/* no fragment */
		find_ports(f, ip + header, len - header, ip[9]);
}

static bool is_passed_over(uint8_t header)
{
	return header == 0 || header == 43 || header == 60;	/* hop-by-hop, routing, destination options */
}

static void look_at_ipv6(struct flow *f, const uint8_t *ip, size_t len)
{
	size_t at = 40;
	uint8_t next;

	if (len < 40)
		return;
	f->addresses = ip + 8;
	f->address_bytes = 16;
	next = ip[6];
	for (unsigned i = 0; i < EXTENSIONS_MAX && is_passed_over(next); i++) {
		if (len - at < 8)
			return;
		next = ip[at];
		if ((ip[at + 1] + 1u) * 8 > len - at)
			return;
		at += (ip[at + 1] + 1u) * 8;
	}
	find_ports(f, ip + at, len - at, next);
}

static struct flow flow_of(const uint8_t *frame, size_t len)
{
	struct flow f = { 0 };
	size_t at = ETHERNET;

	if (len >= ETHERNET + TAG && be16(frame + 12) == TYPE_VLAN)
		at += TAG;
	if (len < at)
		return f;
	if (be16(frame + at - 2) == TYPE_IPV4)
		look_at_ipv4(&f, frame + at, len - at);
	else if (be16(frame + at - 2) == TYPE_IPV6)
		look_at_ipv6(&f, frame + at, len - at);
	return f;
}

/* Toeplitz: the key's 32 bits that begin at each bit of the input which is set. */
static uint32_t toeplitz(const uint8_t *key, const uint8_t *input, size_t len)
{
	uint32_t hash = 0, window = (uint32_t)key[0] << 24 | (uint32_t)key[1] << 16 | (uint32_t)key[2] << 8 | key[3];

	for (size_t i = 0; i < len; i++)
		for (unsigned bit = 8; bit-- > 0;) {
			if (input[i] >> bit & 1)
				hash ^= window;
			window = window << 1 | (key[i + 4] >> bit & 1);
		}
	return hash;
}

struct net_hash net_rss_hash(const struct net_rss *r, const uint8_t *frame, size_t len)
{
	struct flow f = flow_of(frame, len);
	unsigned ipv6 = f.address_bytes == 16;
	/* in the order of VIRTIO_NET_RSS_HASH_TYPE_*: IP, TCP, UDP of IPv4, then of IPv6 */
	unsigned l4 = f.protocol == PROTO_TCP ? 1 : 2;
	struct net_hash h = { 0, VIRTIO_NET_HASH_REPORT_NONE };
	uint8_t input[INPUT_MAX];
	size_t n = 2 * f.address_bytes;

	if (!f.addresses)
		return h;
	memcpy(input, f.addresses, n);
	if (f.ports && r->types >> (3 * ipv6 + l4) & 1) {
		memcpy(input + n, f.ports, 4);
		n += 4;
		h.report = (uint16_t)(VIRTIO_NET_HASH_REPORT_IPv4 + 3 * ipv6 + l4);
	} else if (r->types >> (3 * ipv6) & 1) {
		h.report = (uint16_t)(VIRTIO_NET_HASH_REPORT_IPv4 + 3 * ipv6);
	} else {
		return h;
	}
	h.value = toeplitz(r->key, input, n);
	return h;
}

unsigned net_rss_pair(const struct net_rss *r, const struct net_hash *h)
{
	return h->report == VIRTIO_NET_HASH_REPORT_NONE ? r->unclassified : r->table[h->value & (r->n_table - 1u)];
}
