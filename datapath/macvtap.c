/* SPDX-License-Identifier: GPL-2.0-or-later */
/* macvtap.c -- macvtaps of guests: a device of the host's that a guest shares, or has for itself */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <string.h>
#include <sys/ioctl.h>

#include "datapath/guest_link.h"
#include "datapath/private.h"
#include "datapath/vf_hold.h"
#include "netd/base/str.h"

static const struct { const char *name; uint32_t mode; } macvtap_modes[] = {
	{ "vepa", MACVLAN_MODE_VEPA }, { "bridge", MACVLAN_MODE_BRIDGE },
	{ "private", MACVLAN_MODE_PRIVATE }, { "passthrough", MACVLAN_MODE_PASSTHRU },
};

static uint32_t mode_of(const char *name)
{
	size_t i = 0;

	while (i + 1 < ND_COUNT(macvtap_modes) && !nd_streq(macvtap_modes[i].name, name))
		i++;
	return macvtap_modes[i].mode;
}

/* A pattern's name is the lowest number that is free; the kernel's own choice would not be told. */
static int pick_name(struct datapath *dp, const char *pattern, unsigned *at, char out[IFNAMSIZ],
		     struct nd_error *err)
{
	const char *percent = strstr(pattern, "%d");
	struct link_info link;
	int r = 0;

	if (!percent) {
		snprintf(out, IFNAMSIZ, "%s", pattern);
		return 0;
	}
	for (; *at < 100000; (*at)++) {
		snprintf(out, IFNAMSIZ, "%.*s%u", (int)(percent - pattern), pattern, *at);
		r = link_get(dp->nl, out, &link, err);
		if (r < 0)
			return r == -ENODEV ? 0 : r;
	}
	return nd_error_set(err, ND_ERR_OPERATION_FAILED, "no name like '%s' is free", pattern);
}

/* The kernel ignores an alias in the request that makes a link, and netd may be killed before the next one: by this
 * name a macvtap is known until it has its own and the alias. */
static void working_name(const char *alias, char out[IFNAMSIZ])
{
	size_t len = strlen(alias), digits = len < 12 ? len : 12;

	snprintf(out, IFNAMSIZ, "nd-%.12s", alias + len - digits);
}

static int request_macvtap(struct datapath *dp, const struct guest_link *want, int lower_ifindex,
			   struct nd_error *err)
{
	ND_AUTO(nl_batch_fini) struct nl_batch b = { 0 };
	struct ifinfomsg ifi = { 0 };
	struct nl_req *rq = nl_batch_add(&b, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &ifi,
					 sizeof(ifi), "make a macvtap on '%s'", want->lower);
	struct nlattr *info, *data;
	char name[IFNAMSIZ];

	working_name(want->alias, name);
	nl_put_str(rq, IFLA_IFNAME, name);
	nl_put_u32(rq, IFLA_LINK, (uint32_t)lower_ifindex);
	nl_put(rq, IFLA_ADDRESS, want->mac.bytes, sizeof(want->mac.bytes));
	nl_put_u32(rq, IFLA_NUM_TX_QUEUES, want->queues);
	nl_put_u32(rq, IFLA_NUM_RX_QUEUES, want->queues);
	info = nl_nest(rq, IFLA_LINKINFO);
	nl_put_str(rq, IFLA_INFO_KIND, "macvtap");
	data = nl_nest(rq, IFLA_INFO_DATA);
	nl_put_u32(rq, IFLA_MACVLAN_MODE, mode_of(want->mode));
	nl_nest_end(rq, data);
	nl_nest_end(rq, info);
	return nl_call(dp->nl, &b, err);
}

static int set_name(struct datapath *dp, int ifindex, const char *name, const char *alias, struct nd_error *err)
{
	ND_AUTO(nl_batch_fini) struct nl_batch b = { 0 };
	struct ifinfomsg ifi = { .ifi_index = ifindex };
	struct nl_req *rq = nl_batch_add(&b, RTM_NEWLINK, 0, &ifi, sizeof(ifi), "name a macvtap '%s'", name);

	nl_put_str(rq, IFLA_IFNAME, name);
	nl_put_str(rq, IFLA_IFALIAS, alias);
	return nl_call(dp->nl, &b, err);
}

static int give_name(struct datapath *dp, const struct guest_link *want, int ifindex, char out[IFNAMSIZ],
		     struct nd_error *err)
{
	unsigned at = 0;
	int r;

	do {	/* somebody may take the name meanwhile */
		r = pick_name(dp, want->name, &at, out, err);
		if (r == 0)
			r = set_name(dp, ifindex, out, want->alias, err);
	} while (r == -EEXIST && strstr(want->name, "%d"));
	return r;
}

/* The kernel's devtmpfs, or udev, makes the node; each open is a queue. */
#define NODE_TRIES 100
#define NODE_WAIT_US 10000

static int open_node(int ifindex, const char *name, int *fd_out, struct nd_error *err)
{
	int features = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE;
	struct ifreq ifr = { .ifr_flags = (short)features };
	char path[32];
	int fd = -1;

	snprintf(path, sizeof(path), "/dev/tap%d", ifindex);
	for (int i = 0; i < NODE_TRIES && fd < 0; i++) {
		fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
		if (fd < 0 && errno != ENOENT && errno != EACCES && errno != ENXIO)
			break;
		if (fd < 0)
			usleep(NODE_WAIT_US);
	}
	if (fd < 0)
		return nd_error_sys(err, errno, "cannot open %s, the device of macvtap '%s'", path, name);
	if (ioctl(fd, TUNSETIFF, &ifr) < 0) {
		int code = errno;

		close(fd);
		return nd_error_sys(err, code, "cannot set up %s, the device of macvtap '%s'", path,
				    name);
	}
	*fd_out = fd;
	return 0;
}

static int set_mac(struct datapath *dp, int ifindex, const char *name, const struct nd_mac *mac, struct nd_error *err)
{
	ND_AUTO(nl_batch_fini) struct nl_batch b = { 0 };
	struct ifinfomsg ifi = { .ifi_index = ifindex };
	struct nl_req *rq = nl_batch_add(&b, RTM_NEWLINK, 0, &ifi, sizeof(ifi), "set the MAC of '%s'", name);

	nl_put(rq, IFLA_ADDRESS, mac->bytes, sizeof(mac->bytes));
	return nl_call(dp->nl, &b, err);
}

/* A virtual function gets frames for its own MAC only, whatever the macvtap on it wants: in passthrough the two have
 * one and the same, which the physical function must allow first. */
static int hold_vf(struct datapath *dp, const struct guest_link *want, int ifindex, const char *name,
		   struct nd_error *err)
{
	const struct vf_wanted vf = { .ifname = want->lower, .owner = want->alias, .mac = want->mac,
				      .has_vlan = want->has_vf_vlan, .vlan = want->vf_vlan };
	int r = want->holds_vf ? datapath_vf_hold(dp, &vf, err) : 0;

	if (r <= 0 || !nd_streq(want->mode, "passthrough"))
		return r < 0 ? r : 0;
	return set_mac(dp, ifindex, name, &want->mac, err);
}

static int finish_macvtap(struct datapath *dp, const struct guest_link *want, int ifindex, char name[IFNAMSIZ],
			  int *fds_out, struct nd_error *err)
{
	unsigned n = 0;
	int r = give_name(dp, want, ifindex, name, err);

	if (r == 0)
		r = hold_vf(dp, want, ifindex, name, err);
	while (r == 0 && n < want->queues) {
		r = open_node(ifindex, name, &fds_out[n], err);
		n += r == 0;
	}
	if (r == 0 && !want->down)
		r = datapath_guest_set_up(dp, name, want->mtu_bytes, err);
	if (r < 0)
		guest_queues_close(fds_out, n);
	return r;
}

int datapath_guest_macvtap(struct datapath *dp, const struct guest_link *want,
			   char name_out[IFNAMSIZ], int *fds_out, struct nd_error *err)
{
	char name[IFNAMSIZ];
	struct link_info link;
	int r = link_get(dp->nl, want->lower, &link, err);

	if (r == -ENODEV)
		return nd_error_set(err, ND_ERR_OPERATION_FAILED, "there is no device '%s'",
				    want->lower);
	if (r == 0)
		r = request_macvtap(dp, want, link.fact.ifindex, err);
	if (r < 0)
		return r;
	working_name(want->alias, name);
	r = link_get(dp->nl, name, &link, err);
	if (r < 0)
		return r;
	r = finish_macvtap(dp, want, link.fact.ifindex, name, fds_out, err);
	if (r < 0) {	/* the error in hand says more */
		(void)datapath_vf_release(dp, want->lower, want->alias, NULL);
		(void)guest_link_delete(dp, &link, NULL);
		return r;
	}
	memcpy(name_out, name, IFNAMSIZ);
	return 0;
}

int datapath_guest_macvtap_delete_unnamed(struct datapath *dp, const char *alias, struct nd_error *err)
{
	struct link_info link;
	char name[IFNAMSIZ];
	int r;

	working_name(alias, name);
	r = link_get(dp->nl, name, &link, err);
	if (r < 0)
		return r == -ENODEV ? 0 : r;
	return nd_streq(link.fact.kind, "macvtap") ? guest_link_delete(dp, &link, err) : 0;
}

/* The VF first: it may have its old MAC again when the kernel gives it that, with the macvtap's end. */
int datapath_guest_macvtap_delete(struct datapath *dp, const char *name, const char *alias, const char *lower,
				  struct nd_error *err)
{
	int released = datapath_vf_release(dp, lower, alias, err);
	int deleted = datapath_guest_delete(dp, name, alias, released < 0 ? NULL : err);

	return released < 0 ? released : deleted;
}
