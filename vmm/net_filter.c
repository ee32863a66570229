/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/net_filter.h"

#include <string.h>

#define TPID_8021Q 0x8100

void net_filter_reset(struct net_filter *f, const uint8_t *mac, bool by_vlan)
{
	*f = (struct net_filter){ .promisc = true, .by_vlan = by_vlan };
	memcpy(f->mac, mac, 6);
}

void net_filter_set_vlan(struct net_filter *f, unsigned vid, bool on)
{
	uint64_t bit = 1ull << (vid % 64);

	if (on)
		f->vlans[vid / 64] |= bit;
	else
		f->vlans[vid / 64] &= ~bit;
}

static bool vlan_wanted(const struct net_filter *f, const uint8_t *start, size_t len)
{
	unsigned vid;

	if (len < 16 || (start[12] << 8 | start[13]) != TPID_8021Q)
		return true;
	vid = (start[14] << 8 | start[15]) & 0xfff;
	/* VLAN 0 is a priority without a VLAN */
	return !vid || f->vlans[vid / 64] >> (vid % 64) & 1;
}

static bool listed(const uint8_t (*list)[6], unsigned n, const uint8_t *mac)
{
	for (unsigned i = 0; i < n; i++)
		if (memcmp(list[i], mac, 6) == 0)
			return true;
	return false;
}

static bool address_wanted(const struct net_filter *f, const uint8_t *mac)
{
	static const uint8_t broadcast[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

	if (f->promisc)
		return true;
	if (memcmp(mac, broadcast, 6) == 0)
		return !f->nobcast;
	if (mac[0] & 1)
		return !f->nomulti && (f->allmulti || f->multi_overflow ||
				       listed(f->multi, f->n_multi, mac));
	return !f->nouni && (f->alluni || f->uni_overflow || memcmp(mac, f->mac, 6) == 0 ||
			     listed(f->uni, f->n_uni, mac));
}

bool net_filter_wants(const struct net_filter *f, const uint8_t *start, size_t len)
{
	if (len < 14)
		return false;
	return address_wanted(f, start) && (!f->by_vlan || vlan_wanted(f, start, len));
}
