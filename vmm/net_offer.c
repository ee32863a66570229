/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/net_offer.h"

#include <linux/if_tun.h>
#include <linux/virtio_net.h>

#include "netd/base/auto.h"
#include "vmm/net_ctrl.h"
#include "vmm/net_port.h"

#define BIT(feature) (1ull << (feature))

/* Newer than the oldest headers that this is built with. */
#define F_GUEST_USO4 54
#define F_GUEST_USO6 55
#define F_HOST_USO 56

/* What the guest can be offered, what allows it, what the TAP must take for it, and what it is no use without (any of
 * them; 5.1.3.1). A row comes after those that it needs. */
static const struct {
	unsigned feature, allowed_by, flags;
	uint64_t needs;
} offloads[] = {
	{ VIRTIO_NET_F_CSUM, VMM_HOST_CSUM, 0, 0 },
	{ VIRTIO_NET_F_HOST_TSO4, VMM_HOST_TSO4, 0, BIT(VIRTIO_NET_F_CSUM) },
	{ VIRTIO_NET_F_HOST_TSO6, VMM_HOST_TSO6, 0, BIT(VIRTIO_NET_F_CSUM) },
	{ VIRTIO_NET_F_HOST_ECN, VMM_HOST_ECN, 0,
	  BIT(VIRTIO_NET_F_HOST_TSO4) | BIT(VIRTIO_NET_F_HOST_TSO6) },
	/* a TAP that takes them on the way in has them on the way out */
	{ VIRTIO_NET_F_HOST_UFO, VMM_HOST_UFO, TUN_F_UFO, BIT(VIRTIO_NET_F_CSUM) },
	{ F_HOST_USO, VMM_HOST_UFO, NET_PORT_USO, BIT(VIRTIO_NET_F_CSUM) },
	{ VIRTIO_NET_F_GUEST_CSUM, VMM_GUEST_CSUM, TUN_F_CSUM, 0 },
	{ VIRTIO_NET_F_GUEST_TSO4, VMM_GUEST_TSO4, TUN_F_TSO4, BIT(VIRTIO_NET_F_GUEST_CSUM) },
	{ VIRTIO_NET_F_GUEST_TSO6, VMM_GUEST_TSO6, TUN_F_TSO6, BIT(VIRTIO_NET_F_GUEST_CSUM) },
	{ VIRTIO_NET_F_GUEST_ECN, VMM_GUEST_ECN, TUN_F_TSO_ECN,
	  BIT(VIRTIO_NET_F_GUEST_TSO4) | BIT(VIRTIO_NET_F_GUEST_TSO6) },
	{ VIRTIO_NET_F_GUEST_UFO, VMM_GUEST_UFO, TUN_F_UFO, BIT(VIRTIO_NET_F_GUEST_CSUM) },
	{ F_GUEST_USO4, VMM_GUEST_UFO, NET_PORT_USO, BIT(VIRTIO_NET_F_GUEST_CSUM) },
	{ F_GUEST_USO6, VMM_GUEST_UFO, NET_PORT_USO, BIT(VIRTIO_NET_F_GUEST_CSUM) },
};

static uint64_t offload_features(unsigned allowed, unsigned tap_offloads)
{
	uint64_t f = 0;

	for (size_t i = 0; i < ND_COUNT(offloads); i++)
		if (allowed & offloads[i].allowed_by &&
		    (tap_offloads & offloads[i].flags) == offloads[i].flags &&
		    (!offloads[i].needs || f & offloads[i].needs))
			f |= BIT(offloads[i].feature);
	if (f & NET_CTRL_OFFLOAD_BITS)
		f |= BIT(VIRTIO_NET_F_CTRL_GUEST_OFFLOADS);
	return f;
}

unsigned net_offer_tap_flags(uint64_t features)
{
	unsigned flags = 0;

	if (!(features >> F_GUEST_USO4 & features >> F_GUEST_USO6 & 1))
		features &= ~(BIT(F_GUEST_USO4) | BIT(F_GUEST_USO6));	/* it knows both or none */
	for (size_t i = 0; i < ND_COUNT(offloads); i++)
		if (BIT(offloads[i].feature) & NET_CTRL_OFFLOAD_BITS & features)
			flags |= offloads[i].flags;
	return flags;
}

uint64_t net_offer(const struct virtio_net_spec *spec, unsigned tap_offloads, bool by_vhost)
{
	uint64_t f = BIT(VIRTIO_NET_F_MAC) | BIT(VIRTIO_NET_F_STATUS) |
		     BIT(VIRTIO_NET_F_CTRL_VQ) | BIT(VIRTIO_NET_F_CTRL_RX) |
		     BIT(VIRTIO_NET_F_CTRL_RX_EXTRA) | BIT(VIRTIO_NET_F_CTRL_MAC_ADDR) |
		     BIT(VIRTIO_NET_F_GUEST_ANNOUNCE);

	if (spec->mtu_bytes)
		f |= BIT(VIRTIO_NET_F_MTU);
	if (spec->n_pairs > 1)
		f |= BIT(VIRTIO_NET_F_MQ);
	if (!by_vhost)
		f |= BIT(VIRTIO_NET_F_CTRL_VLAN);	/* the kernel has no filter for it */
	if (!by_vhost && spec->features & VMM_RSS)
		f |= BIT(VIRTIO_NET_F_RSS);
	if (!by_vhost && spec->features & VMM_HASH_REPORT)
		f |= BIT(VIRTIO_NET_F_HASH_REPORT);
	if (spec->features & VMM_STANDBY)
		f |= BIT(VIRTIO_NET_F_STANDBY);	/* between driver and device: also by vhost */
	if (spec->features & VMM_MRG_RXBUF)
		f |= BIT(VIRTIO_NET_F_MRG_RXBUF);
	return f | offload_features(spec->features, tap_offloads);
}
