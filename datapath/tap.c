/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tap.c -- TAP devices: the host's end of a guest's NIC */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <string.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "datapath/bridge.h"
#include "datapath/private.h"
#include "netd/base/effect.h"
#include "netd/base/str.h"

enum { MAX_QUEUES = 256 };	/* the kernel's MAX_TAP_QUEUES */

struct nd_mac tap_host_mac(const struct nd_mac *guest)
{
	struct nd_mac mac = *guest;

	/* Above all other ports', so that a bridge without a MAC of its own never takes it. */
	mac.bytes[0] = mac.bytes[0] == 0xfe ? 0xfa : 0xfe;
	return mac;
}

int tap_device_open(const char *path, struct nd_error *err)
{
	const char *device = path ? path : "/dev/net/tun";
	int fd = open(device, O_RDWR | O_CLOEXEC);

	return fd < 0 ? nd_error_sys(err, errno, "cannot open %s", device) : fd;
}

static int may(const char *verb, const char *name)
{
	char what[64];

	snprintf(what, sizeof(what), "%s tap %s", verb, name);
	return nd_effect(ND_EFFECT_IOCTL, what);
}

/* One queue of the TAP; makes the TAP when `first`. name is a pattern then, and the name after. */
static int open_queue(const struct tap_options *opt, bool first, char name[IFNAMSIZ], int *fd_out,
		      struct nd_error *err)
{
	ND_AUTO(close) int fd = -1;
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI };
	int r;

	if (first)
		ifr.ifr_flags |= (short)IFF_TUN_EXCL;
	if (opt->vnet_hdr)
		ifr.ifr_flags |= IFF_VNET_HDR;
	if (opt->queues > 1)
		ifr.ifr_flags |= IFF_MULTI_QUEUE;
	r = may("open", name);
	if (r < 0)
		return nd_error_sys(err, -r, "cannot create TAP '%s'", name);
	fd = tap_device_open(opt->device, err);
	if (fd < 0)
		return fd;
	memcpy(ifr.ifr_name, name, IFNAMSIZ);
	if (ioctl(fd, TUNSETIFF, &ifr) < 0) {
		r = errno == EBUSY && first ? EEXIST : errno;
		return nd_error_sys(err, r, "cannot create TAP '%s'", name);
	}
	memcpy(name, ifr.ifr_name, IFNAMSIZ);
	*fd_out = nd_take_fd(&fd);
	return 0;
}

static void put_no_ipv6_address(struct nl_req *rq)
{
	struct nlattr *spec = nl_nest(rq, IFLA_AF_SPEC), *inet6 = nl_nest(rq, AF_INET6);

	nl_put_u8(rq, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
	nl_nest_end(rq, inet6);
	nl_nest_end(rq, spec);
}

/* Before the TAP becomes persistent, so that one left behind by a killed netd has its alias. */
static int dress(struct datapath *dp, const struct tap_options *opt, const char *name,
		 struct nd_error *err)
{
	ND_AUTO(nl_batch_fini) struct nl_batch b = { 0 };
	struct ifinfomsg ifi = { 0 };
	char value[SYSCTL_VALUE_MAX];
	struct nl_req *rq = nl_batch_add(&b, RTM_NEWLINK, 0, &ifi, sizeof(ifi), "set up TAP '%s'",
					 name);

	nl_put_str(rq, IFLA_IFNAME, name);
	if (!nd_mac_is_zero(&opt->mac))
		nl_put(rq, IFLA_ADDRESS, opt->mac.bytes, sizeof(opt->mac.bytes));
	if (opt->alias)
		nl_put_str(rq, IFLA_IFALIAS, opt->alias);
	/* What the host sends from the TAP itself only disturbs the guest. */
	if (sysctl_read(dp->sysctls, "net/ipv6/conf/all/disable_ipv6", value) == 0)
		put_no_ipv6_address(rq);
	return nl_call(dp->nl, &b, err);
}

static int hand_over(const struct tap_options *opt, const char *name, int fd,
		     struct nd_error *err)
{
	int r = 0;

	if (opt->owner_uid != (uid_t)-1) {
		r = may("give", name);
		if (r == 0 && ioctl(fd, TUNSETOWNER, (unsigned long)opt->owner_uid) < 0)
			r = -errno;
		if (r < 0)
			return nd_error_sys(err, -r, "cannot give TAP '%s' to user %u", name,
					    opt->owner_uid);
	}
	if (opt->persist) {
		r = may("persist", name);
		if (r == 0 && ioctl(fd, TUNSETPERSIST, 1UL) < 0)
			r = -errno;
		if (r < 0)
			return nd_error_sys(err, -r, "cannot keep TAP '%s'", name);
	}
	return 0;
}

static int check_options(const struct tap_options *opt, struct nd_error *err)
{
	if (strlen(opt->name) >= IFNAMSIZ)
		return nd_error_set(err, ND_ERR_INVALID_ARG,
				    "TAP name '%s' is longer than %d characters", opt->name,
				    IFNAMSIZ - 1);
	if (opt->queues < 1 || opt->queues > MAX_QUEUES)
		return nd_error_set(err, ND_ERR_INVALID_ARG,
				    "a TAP has 1 to %d queues, not %u", MAX_QUEUES, opt->queues);
	return 0;
}

int datapath_tap_create(struct datapath *dp, const struct tap_options *opt, char name_out[IFNAMSIZ],
			int *fds_out, struct nd_error *err)
{
	char name[IFNAMSIZ] = "";
	int fds[MAX_QUEUES];
	unsigned n = 0;
	int r = check_options(opt, err);

	if (r == 0)
		memcpy(name, opt->name, strlen(opt->name));
	while (r == 0 && n < opt->queues) {
		r = open_queue(opt, n == 0, name, &fds[n], err);
		if (r == 0)
			n++;
	}
	if (r == 0)
		r = dress(dp, opt, name, err);
	if (r == 0)
		r = hand_over(opt, name, fds[0], err);
	if (r < 0) {
		while (n > 0)	/* with its last descriptor the TAP goes too */
			close(fds[--n]);
		return r;
	}
	memcpy(fds_out, fds, n * sizeof(*fds));
	memcpy(name_out, name, IFNAMSIZ);
	return 0;
}

int datapath_tap_set_sndbuf(int fd, const char *name, uint32_t bytes, struct nd_error *err)
{
	int sndbuf = bytes ? (int)bytes : INT_MAX;
	int r = may("set the send buffer of", name);

	if (r == 0 && ioctl(fd, TUNSETSNDBUF, &sndbuf) < 0)
		r = -errno;
	return r < 0 ? nd_error_sys(err, -r, "cannot give '%s' a send buffer of %u bytes", name, bytes) : 0;
}

static int set_coalesce(int fd, const char *name, uint32_t rx_frames)
{
	struct ethtool_coalesce c = { .cmd = ETHTOOL_GCOALESCE };
	struct ifreq ifr = { .ifr_data = (char *)&c };

	strncpy(ifr.ifr_name, name, IFNAMSIZ - 1);
	if (ioctl(fd, SIOCETHTOOL, &ifr) < 0)
		return -errno;
	c.cmd = ETHTOOL_SCOALESCE;
	c.rx_max_coalesced_frames = rx_frames;
	return ioctl(fd, SIOCETHTOOL, &ifr) < 0 ? -errno : 0;
}

int datapath_tap_set_coalesce(const char *name, uint32_t rx_frames, struct nd_error *err)
{
	ND_AUTO(close) int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int r = may("coalesce", name);

	if (r == 0)
		r = fd < 0 ? -errno : set_coalesce(fd, name, rx_frames);
	return r < 0 ? nd_error_sys(err, -r, "cannot have '%s' take %u frames at once", name, rx_frames) : 0;
}

int datapath_tap_delete(struct datapath *dp, const char *name, struct nd_error *err)
{
	ND_AUTO(nl_batch_fini) struct nl_batch b = { 0 };
	struct link_info link;
	int r = link_get(dp->nl, name, &link, err);

	if (r < 0)
		return r == -ENODEV ? 0 : r;
	if (!nd_streq(link.fact.kind, "tun"))
		return nd_error_set(err, ND_ERR_OPERATION_FAILED, "interface '%s' is not a TAP",
				    name);
	link_request_delete(&b, link.fact.ifindex, name);
	r = remover_run(dp->remover, &b, &link.fact.ifindex, 1, err);
	return r == -ENODEV ? 0 : r;
}
