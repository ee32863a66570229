/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "datapath/bridge.h"

#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <net/if.h>
#include <string.h>

#include "netd/base/str.h"

enum {
	DEFAULT_MTU = 1500,
	LEAST_STP_DELAY_S = 2,	/* BR_MIN_FORWARD_DELAY: the kernel's while STP runs */
	CS_PER_S = 100,		/* the kernel counts delays in USER_HZ */
};

static uint32_t effective_delay_s(const struct plan_bridge *b)
{
	return b->stp && b->forward_delay_s < LEAST_STP_DELAY_S ? LEAST_STP_DELAY_S
								 : b->forward_delay_s;
}

/* The delay comes first in the kernel's order, so it is judged by the STP state before the request:
 * where that goes off the least one stays, which has no effect then. */
static uint32_t possible_delay_s(const struct plan_bridge *was, const struct plan_bridge *want)
{
	return was && was->stp && want->forward_delay_s < LEAST_STP_DELAY_S ? LEAST_STP_DELAY_S
									    : effective_delay_s(want);
}

/* The bridge's own options, as far as they differ. */
static void put_options(struct nl_req *rq, const struct plan_bridge *was,
			const struct plan_bridge *want)
{
	struct nlattr *info, *data;
	bool delay = !was || effective_delay_s(was) != possible_delay_s(was, want);
	bool stp = !was || was->stp != want->stp;
	bool vlan = was ? was->vlan_filtering != want->vlan_filtering : want->vlan_filtering;

	if (was && !delay && !stp && !vlan)
		return;
	info = nl_nest(rq, IFLA_LINKINFO);
	nl_put_str(rq, IFLA_INFO_KIND, "bridge");
	data = nl_nest(rq, IFLA_INFO_DATA);
	if (delay)
		nl_put_u32(rq, IFLA_BR_FORWARD_DELAY, possible_delay_s(was, want) * CS_PER_S);
	if (stp)
		nl_put_u32(rq, IFLA_BR_STP_STATE, want->stp);
	if (vlan)	/* a kernel without VLAN filtering refuses the attribute, also for 0 */
		nl_put_u8(rq, IFLA_BR_VLAN_FILTERING, want->vlan_filtering);
	nl_nest_end(rq, data);
	nl_nest_end(rq, info);
}

void bridge_request_create(struct nl_batch *b, const struct plan_bridge *want)
{
	struct ifinfomsg ifi = { 0 };
	struct nl_req *rq = nl_batch_add(b, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &ifi,
					 sizeof(ifi), "create bridge '%s'", want->name);

	nl_put_str(rq, IFLA_IFNAME, want->name);
	if (!nd_mac_is_zero(&want->mac))
		nl_put(rq, IFLA_ADDRESS, want->mac.bytes, sizeof(want->mac.bytes));
	/* The MTU comes with the alias: only one that changes an existing bridge's counts as the
	 * user's, and is not adjusted to its ports. So there must be something to change. */
	if (want->mtu_bytes == DEFAULT_MTU)
		nl_put_u32(rq, IFLA_MTU, DEFAULT_MTU - 1);
	if (want->group)
		nl_put_u32(rq, IFLA_GROUP, want->group);
	put_options(rq, NULL, want);
}

void bridge_request_change(struct nl_batch *b, int ifindex, const struct plan_bridge *was,
			   const struct plan_bridge *want)
{
	struct ifinfomsg ifi = { .ifi_index = ifindex };
	struct nl_req *rq = nl_batch_add(b, RTM_NEWLINK, 0, &ifi, sizeof(ifi),
					 "change bridge '%s'", want->name);

	if ((!was || !nd_mac_equal(&was->mac, &want->mac)) && !nd_mac_is_zero(&want->mac))
		nl_put(rq, IFLA_ADDRESS, want->mac.bytes, sizeof(want->mac.bytes));
	if (!was || was->mtu_bytes != want->mtu_bytes)
		nl_put_u32(rq, IFLA_MTU, want->mtu_bytes ? want->mtu_bytes : DEFAULT_MTU);
	if (!was || was->group != want->group)
		nl_put_u32(rq, IFLA_GROUP, want->group);
	if (!was || !nd_streq(was->alias, want->alias))
		nl_put_str(rq, IFLA_IFALIAS, want->alias);
	put_options(rq, was, want);
}

void link_request_delete(struct nl_batch *b, int ifindex, const char *name)
{
	struct ifinfomsg ifi = { .ifi_index = ifindex };

	nl_batch_add(b, RTM_DELLINK, 0, &ifi, sizeof(ifi), "delete interface '%s'", name);
}

void link_request_up(struct nl_batch *b, int ifindex, const char *name, bool up)
{
	struct ifinfomsg ifi = {
		.ifi_index = ifindex,
		.ifi_flags = up ? IFF_UP : 0,
		.ifi_change = IFF_UP,
	};

	nl_batch_add(b, RTM_NEWLINK, 0, &ifi, sizeof(ifi), "set interface '%s' %s", name,
		     up ? "up" : "down");
}

struct plan_bridge bridge_from_link(const struct link_info *link, uint32_t least_port_mtu,
				    const struct plan_bridge *like)
{
	struct plan_bridge b = {
		.mac = link->fact.mac,
		.mtu_bytes = link->fact.mtu_bytes,
		.group = link->fact.group,
		.forward_delay_s = link->forward_delay_cs / CS_PER_S,
		.stp = link->stp,
		.vlan_filtering = link->vlan_filtering,
	};

	memcpy(b.name, link->fact.name, sizeof(b.name));
	memcpy(b.alias, link->fact.alias, sizeof(b.alias));
	if (!like->mtu_bytes && (b.mtu_bytes == DEFAULT_MTU || b.mtu_bytes == least_port_mtu))
		b.mtu_bytes = 0;
	if (nd_mac_is_zero(&like->mac))
		b.mac = like->mac;
	if ((b.stp && b.forward_delay_s == effective_delay_s(like)) ||
	    (!b.stp && b.forward_delay_s == possible_delay_s(&(struct plan_bridge){ .stp = true }, like)))
		b.forward_delay_s = like->forward_delay_s;
	return b;
}

/* Attributes of the port itself need a request of their own: the kernel looks for the master
 * that takes them before it looks at IFLA_MASTER. */
static void request_port_options(struct nl_batch *b, int ifindex, const struct plan_port *want)
{
	struct ifinfomsg ifi = { .ifi_index = ifindex };
	struct nl_req *rq = nl_batch_add(b, RTM_NEWLINK, 0, &ifi, sizeof(ifi),
					 "set the bridge port options of '%s'", want->ifname);
	struct nlattr *info = nl_nest(rq, IFLA_LINKINFO), *data;

	nl_put_str(rq, IFLA_INFO_SLAVE_KIND, "bridge");
	data = nl_nest(rq, IFLA_INFO_SLAVE_DATA);
	nl_put_u8(rq, IFLA_BRPORT_ISOLATED, want->isolated);
	nl_put_u8(rq, IFLA_BRPORT_LEARNING, want->learning);
	nl_put_u8(rq, IFLA_BRPORT_UNICAST_FLOOD, want->unicast_flood);
	nl_nest_end(rq, data);
	nl_nest_end(rq, info);
}

void port_request_attach(struct nl_batch *b, int ifindex, int bridge_ifindex, uint32_t mtu_bytes,
			 const struct plan_port *want)
{
	struct ifinfomsg ifi = { .ifi_index = ifindex };
	struct nl_req *rq;

	if (want->up) {
		ifi.ifi_flags = IFF_UP;
		ifi.ifi_change = IFF_UP;
	}
	rq = nl_batch_add(b, RTM_NEWLINK, 0, &ifi, sizeof(ifi), "put '%s' on bridge '%s'",
			  want->ifname, want->bridge);
	if (mtu_bytes)
		nl_put_u32(rq, IFLA_MTU, mtu_bytes);
	if (want->alias[0])
		nl_put_str(rq, IFLA_IFALIAS, want->alias);
	nl_put_u32(rq, IFLA_MASTER, (uint32_t)bridge_ifindex);
	request_port_options(b, ifindex, want);
	if (!nd_mac_is_zero(&want->fdb))
		(void)port_request_fdb(b, RTM_NEWNEIGH, ifindex, want->ifname, &want->fdb);
}

void port_request_detach(struct nl_batch *b, int ifindex, uint32_t mtu_bytes,
			 const struct plan_port *was)
{
	struct ifinfomsg ifi = { .ifi_index = ifindex };
	struct nl_req *rq = nl_batch_add(b, RTM_NEWLINK, 0, &ifi, sizeof(ifi),
					 "take '%s' off bridge '%s'", was->ifname, was->bridge);

	nl_put_u32(rq, IFLA_MASTER, 0);
	if (!mtu_bytes)
		return;
	/* Afterwards: the MTU of a port can change its bridge's. */
	rq = nl_batch_add(b, RTM_NEWLINK, 0, &ifi, sizeof(ifi), "put the MTU of '%s' back",
			  was->ifname);
	nl_put_u32(rq, IFLA_MTU, mtu_bytes);
}

struct nl_req *port_request_fdb(struct nl_batch *b, uint16_t type, int ifindex, const char *ifname,
				const struct nd_mac *mac)
{
	struct ndmsg ndm = {
		.ndm_family = PF_BRIDGE,
		.ndm_ifindex = ifindex,
		.ndm_flags = NTF_MASTER,
		/* Static, as `bridge fdb add ... master static`; a GET must not name a state. */
		.ndm_state = type == RTM_GETNEIGH ? 0 : NUD_REACHABLE | NUD_NOARP,
	};
	char text[ND_MAC_STRLEN];
	struct nl_req *rq;

	rq = nl_batch_add(b, type, type == RTM_NEWNEIGH ? NLM_F_CREATE | NLM_F_REPLACE : 0, &ndm,
			  sizeof(ndm), "%s the forwarding entry of %s on '%s'",
			  type == RTM_NEWNEIGH ? "set" : type == RTM_GETNEIGH ? "read" : "remove",
			  nd_mac_format(mac, text), ifname);
	nl_put(rq, NDA_LLADDR, mac->bytes, sizeof(mac->bytes));
	return rq;
}

static struct nl_req *request_vlans(struct nl_batch *b, uint16_t type, int ifindex, const char *what,
				    const char *ifname, struct nlattr **nest)
{
	struct ifinfomsg ifi = { .ifi_family = PF_BRIDGE, .ifi_index = ifindex };
	struct nl_req *rq = nl_batch_add(b, type, 0, &ifi, sizeof(ifi), "%s '%s'", what, ifname);

	*nest = nl_nest(rq, IFLA_AF_SPEC);
	return rq;
}

static void put_vlan(struct nl_req *rq, uint16_t id, unsigned flags)
{
	struct bridge_vlan_info info = { .flags = (uint16_t)flags, .vid = id };

	nl_put(rq, IFLA_BRIDGE_VLAN_INFO, &info, sizeof(info));
}

void port_request_no_vlans(struct nl_batch *b, int ifindex, const char *ifname)
{
	struct nlattr *nest;
	struct nl_req *rq = request_vlans(b, RTM_DELLINK, ifindex, "clear the VLANs of", ifname, &nest);

	put_vlan(rq, PORT_VLAN_FIRST, BRIDGE_VLAN_INFO_RANGE_BEGIN);
	put_vlan(rq, PORT_VLAN_LAST, BRIDGE_VLAN_INFO_RANGE_END);
	nl_nest_end(rq, nest);
}

void port_request_vlans(struct nl_batch *b, int ifindex, const char *ifname,
			const struct port_vlan *vlans, size_t n)
{
	/* One at a time: a message has room for a few dozen. */
	for (size_t i = 0; i < n; i++) {
		struct nlattr *nest;
		struct nl_req *rq = request_vlans(b, RTM_SETLINK, ifindex, "set a VLAN of", ifname, &nest);

		put_vlan(rq, vlans[i].id, (vlans[i].native ? BRIDGE_VLAN_INFO_PVID : 0) |
			 (vlans[i].untagged ? BRIDGE_VLAN_INFO_UNTAGGED : 0));
		nl_nest_end(rq, nest);
	}
}

struct fdb_answer {
	int ifindex;
	bool is_static;
};

static void take_fdb(void *arg, const struct nlmsghdr *msg)
{
	struct fdb_answer *answer = arg;
	const struct ndmsg *ndm = NLMSG_DATA(msg);

	if (msg->nlmsg_type != RTM_NEWNEIGH || msg->nlmsg_len < NLMSG_LENGTH(sizeof(*ndm)))
		return;
	answer->ifindex = ndm->ndm_ifindex;
	answer->is_static = (ndm->ndm_state & NUD_NOARP) != 0;
}

bool port_has_fdb(struct nl *nl, const struct link_info *link, const struct nd_mac *mac)
{
	ND_AUTO(nl_batch_fini) struct nl_batch b = { 0 };
	struct fdb_answer answer = { 0 };
	struct nl_req *rq = port_request_fdb(&b, RTM_GETNEIGH, link->fact.ifindex,
					     link->fact.name, mac);

	rq->reply = take_fdb;
	rq->arg = &answer;
	return nl_batch_run(nl, &b, 0) == 0 && answer.is_static &&
	       answer.ifindex == link->fact.ifindex;
}
