/* SPDX-License-Identifier: GPL-2.0-or-later */
/* net_filter.h -- which frames the guest wants to see (virtio 1.2, 5.1.6.5.1 to 5.1.6.5.3) */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NET_FILTER_MACS 64		/* of each kind; a guest that lists more gets all of that kind */
#define NET_FILTER_FRAME 18		/* so much of a frame's start decides: addresses and a VLAN tag */

struct net_filter {
	uint8_t mac[6];
	bool promisc, allmulti, alluni, nomulti, nouni, nobcast;
	bool uni_overflow, multi_overflow;
	bool by_vlan;			/* tagged frames pass only when their VLAN is in the table */
	unsigned n_uni, n_multi;
	uint8_t uni[NET_FILTER_MACS][6], multi[NET_FILTER_MACS][6];
	uint64_t vlans[4096 / 64];
};

/* A driver that has not said anything gets everything. */
void net_filter_reset(struct net_filter *f, const uint8_t *mac, bool by_vlan);
/* Nothing needs to be looked at. */
static inline bool net_filter_open(const struct net_filter *f)
{
	return f->promisc && !f->by_vlan;
}
/* start: the first bytes of a frame, len at least 14 when it is one. */
bool net_filter_wants(const struct net_filter *f, const uint8_t *start, size_t len);
void net_filter_set_vlan(struct net_filter *f, unsigned vid, bool on);
