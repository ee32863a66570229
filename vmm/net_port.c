/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/net_port.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>

#include "netd/base/auto.h"
#include "vmm/net_filter.h"

#define KERNEL_EXACT 8			/* the kernel's filter compares so many addresses */

static int tap_set_offload(int fd, unsigned flags)
{
	return ioctl(fd, TUNSETOFFLOAD, (unsigned long)flags) < 0 ? -errno : 0;
}

/* Kernels know more offloads from release to release: what is refused is not offered. */
static unsigned probe_offloads(int fd)
{
	static const unsigned wanted[] = { TUN_F_TSO4, TUN_F_TSO6, TUN_F_TSO_ECN | TUN_F_TSO4,
					   TUN_F_UFO, NET_PORT_USO };
	unsigned have = 0;

	if (tap_set_offload(fd, TUN_F_CSUM) < 0)
		return 0;
	for (size_t i = 0; i < ND_COUNT(wanted); i++)
		if (tap_set_offload(fd, TUN_F_CSUM | wanted[i]) == 0)
			have |= TUN_F_CSUM | wanted[i];
	return have | TUN_F_CSUM;
}

static int tap_prepare(int fd, unsigned *offloads_out, struct nd_error *err)
{
	int flags = fcntl(fd, F_GETFL), header = NET_HEADER_BYTES;
	struct ifreq ifr = { 0 };

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return nd_error_sys(err, errno, "cannot use the TAP's descriptor");
	if (ioctl(fd, TUNGETIFF, &ifr) < 0)
		return nd_error_sys(err, errno, "the NIC's descriptor is no TAP");
	if (!(ifr.ifr_flags & IFF_TAP) || !(ifr.ifr_flags & IFF_NO_PI) ||
	    !(ifr.ifr_flags & IFF_VNET_HDR))
		return nd_error_set(err, ND_ERR_CONFIG_UNSUPPORTED,
				    "TAP '%.16s' was not opened with IFF_VNET_HDR and IFF_NO_PI",
				    ifr.ifr_name);
	if (ioctl(fd, TUNSETVNETHDRSZ, &header) < 0)
		return nd_error_sys(err, errno, "TAP '%.16s' takes no header of %d bytes",
				    ifr.ifr_name, header);
	*offloads_out = probe_offloads(fd);
	(void)tap_set_offload(fd, 0);	/* none is always taken */
	return 0;
}

static int tap_set_queue(int fd, bool attached)
{
	struct ifreq ifr = { .ifr_flags = attached ? IFF_ATTACH_QUEUE : IFF_DETACH_QUEUE };

	return ioctl(fd, TUNSETQUEUE, &ifr) < 0 ? -errno : 0;
}

/* struct tun_filter with its addresses. */
struct tap_filter {
	uint16_t flags, count;
	uint8_t addrs[2 + 2 * NET_FILTER_MACS][6];
};

static void filter_add(struct tap_filter *t, const uint8_t *mac)
{
	memcpy(t->addrs[t->count++], mac, 6);
}

/*
 * The kernel's filter is coarser than ours: eight addresses exactly, the multicast ones behind
 * them by a hash. What it cannot say it must let pass.
 */
static void filter_translate(const struct net_filter *f, struct tap_filter *t)
{
	static const uint8_t broadcast[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

	if (f->promisc || f->alluni || f->uni_overflow || f->n_uni > KERNEL_EXACT - 2)
		return;
	filter_add(t, f->mac);
	if (!f->nobcast)
		filter_add(t, broadcast);
	for (unsigned i = 0; i < f->n_uni && !f->nouni; i++)
		filter_add(t, f->uni[i]);
	if (f->nomulti)
		return;
	if (f->allmulti || f->multi_overflow) {
		t->flags = TUN_FLT_ALLMULTI;
		return;
	}
	for (unsigned i = 0; i < f->n_multi; i++)
		filter_add(t, f->multi[i]);
}

static void tap_set_filter(int fd, const struct net_filter *f)
{
	struct tap_filter t = { 0 };

	if (f)
		filter_translate(f, &t);
	(void)ioctl(fd, TUNSETTXFILTER, &t);	/* a macvtap has none; what passes is filtered here */
}

const struct net_port_ops net_port_tap = {
	.prepare = tap_prepare,
	.set_offload = tap_set_offload,
	.set_queue = tap_set_queue,
	.set_filter = tap_set_filter,
};
