/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "datapath/guest_link.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <string.h>
#include <sys/ioctl.h>

#include "datapath/bridge.h"
#include "datapath/private.h"
#include "datapath/route.h"
#include "datapath/shape.h"
#include "netd/base/effect.h"
#include "netd/base/str.h"

void guest_queues_close(int *fds, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		close(fds[i]);
		fds[i] = -1;
	}
}

int datapath_guest_set_up(struct datapath *dp, const char *name, uint32_t mtu_bytes, struct nd_error *err)
{
	ND_AUTO(nl_batch_fini) struct nl_batch b = { 0 };
	struct ifinfomsg ifi = { .ifi_flags = IFF_UP, .ifi_change = IFF_UP };
	struct nl_req *rq = nl_batch_add(&b, RTM_NEWLINK, 0, &ifi, sizeof(ifi), "set up '%s'", name);

	nl_put_str(rq, IFLA_IFNAME, name);
	if (mtu_bytes)
		nl_put_u32(rq, IFLA_MTU, mtu_bytes);
	return nl_call(dp->nl, &b, err);
}

static int run_all(struct datapath *dp, struct nl_batch *b, struct nd_error *err)
{
	int r = nl_batch_run(dp->nl, b, 0);

	for (size_t i = 0; i < b->n && r < 0; i++)
		if (b->reqs[i].result < 0)
			return nl_req_error(&b->reqs[i], err);
	return r < 0 ? nd_error_nomem(err) : 0;
}

/* The port is down still: it must not see a frame of another VLAN. */
static int set_vlans(struct datapath *dp, const struct guest_link *want, int ifindex, const char *name,
		     struct nd_error *err)
{
	ND_AUTO(nl_batch_fini) struct nl_batch clear = { 0 };
	ND_AUTO(nl_batch_fini) struct nl_batch b = { 0 };
	int r;

	port_request_no_vlans(&clear, ifindex, name);
	r = run_all(dp, &clear, err);
	if (r < 0)
		return r;
	port_request_vlans(&b, ifindex, name, want->vlans, want->n_vlans);
	r = run_all(dp, &b, err);
	return r < 0 ? r : datapath_guest_set_up(dp, name, 0, err);
}

static int put_on_bridge(struct datapath *dp, const struct guest_link *want, const char *name,
			 struct nd_error *err)
{
	ND_AUTO(nl_batch_fini) struct nl_batch b = { 0 };
	struct plan_port port = { .isolated = want->isolated, .learning = true, .unicast_flood = true,
				  .up = want->n_vlans == 0 };
	struct link_info bridge, tap;
	int r = link_get(dp->nl, want->bridge, &bridge, err);

	if (r == -ENODEV)
		return nd_error_set(err, ND_ERR_OPERATION_FAILED, "there is no bridge '%s'",
				    want->bridge);
	if (r == 0)
		r = link_get(dp->nl, name, &tap, err);
	if (r < 0)
		return r;
	if (!nd_streq(bridge.fact.kind, "bridge"))
		return nd_error_set(err, ND_ERR_OPERATION_FAILED, "'%s' is not a bridge", want->bridge);
	if (want->n_vlans && !bridge.vlan_filtering)
		return nd_error_set(err, ND_ERR_CONFIG_UNSUPPORTED, "<vlan>: bridge '%s' does not look at "
				    "VLANs (vlan_filtering is off)", want->bridge);
	strcpy(port.ifname, name);
	strcpy(port.bridge, bridge.fact.name);
	port_request_attach(&b, tap.fact.ifindex, bridge.fact.ifindex,
			    want->mtu_bytes ? want->mtu_bytes : bridge.fact.mtu_bytes, &port);
	r = run_all(dp, &b, err);
	return r < 0 || !want->n_vlans ? r : set_vlans(dp, want, tap.fact.ifindex, name, err);
}

static int put_on_ovs(struct datapath *dp, const struct guest_link *want, const char *name,
		      struct nd_error *err)
{
	struct ovs_port port = *want->ovs;

	port.ifname = name;
	return ovsdb_port_add(dp->ovsdb, &port, err);
}

int datapath_guest_ovs_remove(struct datapath *dp, const struct nd_uuid *guest,
			      bool (*keep)(void *arg, const char *ifname), void *arg, struct nd_error *err)
{
	return ovsdb_ports_remove(dp->ovsdb, guest, keep, arg, err);
}

int datapath_guest_tap(struct datapath *dp, const struct guest_link *want, char name_out[IFNAMSIZ],
		       int *fds_out, struct nd_error *err)
{
	struct tap_options opt = {
		.name = want->name, .alias = want->alias, .mac = tap_host_mac(&want->mac),
		.owner_uid = (uid_t)-1, .queues = want->queues, .vnet_hdr = true, .persist = true,
		.device = want->device,
	};
	char name[IFNAMSIZ];
	int r = datapath_tap_create(dp, &opt, name, fds_out, err);

	if (r < 0)
		return r;
	if (want->bridge[0] && !want->ovs)
		r = put_on_bridge(dp, want, name, err);
	else
		r = datapath_guest_set_up(dp, name, want->mtu_bytes, err);
	if (r == 0 && want->ovs)
		r = put_on_ovs(dp, want, name, err);
	if (r < 0) {
		guest_queues_close(fds_out, want->queues);
		(void)datapath_tap_delete(dp, name, NULL);	/* the error in hand says more */
		return r;
	}
	memcpy(name_out, name, IFNAMSIZ);
	return 0;
}

static int open_queue(const struct guest_link *want, int *fd_out, struct nd_error *err)
{
	ND_AUTO(close) int fd = tap_device_open(want->device, err);
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };

	if (fd < 0)
		return fd;
	if (want->queues > 1)
		ifr.ifr_flags |= IFF_MULTI_QUEUE;
	strncpy(ifr.ifr_name, want->name, IFNAMSIZ - 1);
	if (ioctl(fd, TUNSETIFF, &ifr) < 0)
		return nd_error_sys(err, errno, "cannot open TAP '%s' with %u queues", want->name,
				    want->queues);
	*fd_out = nd_take_fd(&fd);
	return 0;
}

int datapath_guest_tap_open(struct datapath *dp, const struct guest_link *want, int *fds_out,
			    struct nd_error *err)
{
	struct link_info link;
	unsigned n = 0;
	int r = link_get(dp->nl, want->name, &link, err);	/* TUNSETIFF would make one */

	if (r == -ENODEV)
		return nd_error_set(err, ND_ERR_OPERATION_FAILED, "there is no TAP '%s'", want->name);
	if (r == 0 && !nd_streq(link.fact.kind, "tun"))
		r = nd_error_set(err, ND_ERR_OPERATION_FAILED, "'%s' is not a TAP", want->name);
	while (r == 0 && n < want->queues) {
		r = open_queue(want, &fds_out[n], err);
		n += r == 0;
	}
	if (r < 0)
		guest_queues_close(fds_out, n);
	return r;
}

/* ---- the end ---- */

int guest_link_delete(struct datapath *dp, const struct link_info *link, struct nd_error *err)
{
	ND_AUTO(nl_batch_fini) struct nl_batch b = { 0 };
	int r;

	link_request_delete(&b, link->fact.ifindex, link->fact.name);
	r = remover_run(dp->remover, &b, &link->fact.ifindex, 1, err);
	return r == -ENODEV ? 0 : r;
}

int datapath_guest_delete(struct datapath *dp, const char *name, const char *alias,
			  struct nd_error *err)
{
	struct link_info link;
	int r = link_get(dp->nl, name, &link, err);

	if (r < 0)
		return r == -ENODEV ? 0 : r;
	return nd_streq(link.fact.alias, alias) ? guest_link_delete(dp, &link, err) : 0;
}

/* ---- addresses ---- */

int datapath_guest_addresses_free(struct datapath *dp, const char *name, const struct plan *want,
				  struct nd_error *err)
{
	struct link_info link;
	int r = want->n ? link_get(dp->nl, name, &link, err) : 0;

	for (size_t i = 0; r == 0 && i < want->n; i++) {
		const struct plan_item *item = &want->items[i];
		bool addr = item->kind == PLAN_ADDR;
		char text[ND_PREFIX_STRLEN];

		if (route_item_is_there(dp->nl, item, link.fact.ifindex))
			r = nd_error_set(err, ND_ERR_OPERATION_FAILED, "'%s' has %s %s already", name,
					 addr ? "the address" : "a route to",
					 nd_prefix_format(addr ? &item->addr.prefix : &item->route.dst, text));
	}
	return r;
}

/* What takes an address away, be it to undo a step, makes the device promote secondary ones: not for longer. */
static int apply_addresses(struct datapath *dp, const char *name, const struct plan *was, const struct plan *want,
			   struct nd_error *err)
{
	ND_AUTO(plan_diff_free) struct plan_diff *diff = NULL;
	char path[64], promote[SYSCTL_VALUE_MAX];
	bool known;
	int r;

	if (plan_diff(was, want, &diff) < 0)
		return nd_error_nomem(err);
	if (!diff->n)
		return 0;
	snprintf(path, sizeof(path), "net/ipv4/conf/%s/promote_secondaries", name);
	known = sysctl_read(dp->sysctls, path, promote) == 0;
	r = datapath_apply(dp, diff, "", err);
	if (known && strcmp(promote, "1") != 0)
		(void)sysctl_write(dp->sysctls, path, promote, NULL);	/* fails when the device has gone */
	return r;
}

int datapath_guest_addresses_add(struct datapath *dp, const char *name, const struct plan *want,
				 struct nd_error *err)
{
	static const struct plan none;

	return apply_addresses(dp, name, &none, want, err);
}

int datapath_guest_addresses_remove(struct datapath *dp, const char *name, const struct plan *had,
				    struct nd_error *err)
{
	static const struct plan none;

	return apply_addresses(dp, name, had, &none, err);
}

/* ---- bandwidth ---- */

/* What the device has of the plan, and what it has besides. */
static int read_shape(struct shape_view *v, const struct link_fact *link, const struct plan *want,
		      struct plan *actual)
{
	for (size_t i = 0; i < want->n; i++) {
		struct plan_item found = { .kind = want->items[i].kind }, *item;

		if (!shape_view_read(v, link->ifindex, &want->items[i], &found))
			continue;
		item = plan_add(actual, found.kind);
		if (!item)
			return -ENOMEM;
		*item = found;
	}
	return shape_view_leftovers(v, link->ifindex, link->name, want, actual);
}

int datapath_guest_shape(struct datapath *dp, const char *name, const struct plan *want,
			 struct nd_error *err)
{
	ND_AUTO(shape_view_free) struct shape_view *v = NULL;
	ND_AUTO(plan_free) struct plan *actual = plan_new();
	ND_AUTO(plan_diff_free) struct plan_diff *diff = NULL;
	struct link_info link;
	int r = link_get(dp->nl, name, &link, err);

	if (r == -ENODEV)
		return want->n ? nd_error_set(err, ND_ERR_OPERATION_FAILED, "there is no device '%s'",
					      name) : 0;
	if (r == 0)
		r = shape_view_new(dp->nl, &v, err);
	if (r < 0)
		return r;
	if (!actual || read_shape(v, &link.fact, want, actual) < 0 ||
	    plan_diff(actual, want, &diff) < 0)
		return nd_error_nomem(err);
	return diff->n ? datapath_apply(dp, diff, "", err) : 0;
}

/* ---- filters ---- */

int datapath_guest_filter(struct datapath *dp, const char *name, const char *alias, const struct nd_mac *mac,
			  bool multicast, struct nd_error *err)
{
	ND_AUTO(nl_batch_fini) struct nl_batch b = { 0 };
	struct ifinfomsg ifi = { .ifi_flags = multicast ? IFF_ALLMULTI : 0, .ifi_change = IFF_ALLMULTI };
	struct link_info link;
	struct nl_req *rq;
	int r = link_get(dp->nl, name, &link, err);

	if (r < 0 || !nd_streq(link.fact.alias, alias))
		return r;
	ifi.ifi_index = link.fact.ifindex;
	rq = nl_batch_add(&b, RTM_NEWLINK, 0, &ifi, sizeof(ifi), "set what '%s' receives", name);
	if (!nd_mac_equal(&link.fact.mac, mac))
		nl_put(rq, IFLA_ADDRESS, mac->bytes, sizeof(mac->bytes));
	return nl_call(dp->nl, &b, err);
}

/* ---- counters ---- */

static void read_counters(void *arg, const struct nlmsghdr *msg)
{
	struct nlattr *tb[IFLA_MAX + 1];
	struct rtnl_link_stats64 s = { 0 };
	struct link_counters *out = arg;

	if (!msg || msg->nlmsg_type != RTM_NEWLINK ||
	    !nl_parse(msg, sizeof(struct ifinfomsg), tb, IFLA_MAX))
		return;
	nl_get_bytes(tb[IFLA_STATS64], &s, sizeof(s));
	*out = (struct link_counters){
		.rx_bytes = s.rx_bytes, .rx_packets = s.rx_packets,
		.rx_errors = s.rx_errors, .rx_dropped = s.rx_dropped,
		.tx_bytes = s.tx_bytes, .tx_packets = s.tx_packets,
		.tx_errors = s.tx_errors, .tx_dropped = s.tx_dropped,
	};
}

int datapath_link_counters(struct datapath *dp, const char *name, struct link_counters *out,
			   struct nd_error *err)
{
	ND_AUTO(nl_batch_fini) struct nl_batch b = { 0 };
	struct ifinfomsg ifi = { 0 };
	struct nl_req *rq = nl_batch_add(&b, RTM_GETLINK, 0, &ifi, sizeof(ifi), "read '%s'", name);

	*out = (struct link_counters){ 0 };
	nl_put_str(rq, IFLA_IFNAME, name);
	rq->reply = read_counters;
	rq->arg = out;
	return nl_call(dp->nl, &b, err);
}
