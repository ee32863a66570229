/* SPDX-License-Identifier: GPL-2.0-or-later */
/* net_rss.h -- the hash of a received frame, and which queue the guest wants it in (virtio 1.2, 5.1.6.4.3)
 *
 * IPv6 extension headers are passed over; the hash types that look into them are not offered.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NET_RSS_KEY_MAX 40		/* bytes: two IPv6 addresses, two ports and 4 */
#define NET_RSS_TABLE_MAX 128
#define NET_RSS_TYPES 0x3fu		/* VIRTIO_NET_RSS_HASH_TYPE_*: IP, TCP and UDP of IPv4 and IPv6 */

struct net_rss {
	bool steers;			/* by the table; else the hash is only told */
	uint32_t types;			/* what is hashed */
	uint16_t n_table;		/* a power of two */
	uint16_t unclassified;		/* the pair for frames without a hash */
	uint16_t table[NET_RSS_TABLE_MAX];	/* pairs */
	uint8_t key[NET_RSS_KEY_MAX];	/* what the guest left out is 0 */
};

struct net_hash {
	uint32_t value;
	uint16_t report;		/* VIRTIO_NET_HASH_REPORT_*: what was hashed */
};

/* frame: without its virtio-net header. */
struct net_hash net_rss_hash(const struct net_rss *r, const uint8_t *frame, size_t len);
/* The pair for a frame with this hash; steers is on. */
unsigned net_rss_pair(const struct net_rss *r, const struct net_hash *h);
