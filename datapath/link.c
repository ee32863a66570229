/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "datapath/link.h"

#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <string.h>

#include "netd/base/str.h"

static void decode_bridge(const struct nlattr *data, struct link_info *out)
{
	struct nlattr *tb[IFLA_BR_MAX + 1];

	nl_parse_nested(data, tb, IFLA_BR_MAX);
	out->forward_delay_cs = nl_get_u32(tb[IFLA_BR_FORWARD_DELAY]);
	out->stp = nl_get_u32(tb[IFLA_BR_STP_STATE]) != 0;
	out->vlan_filtering = nl_get_u8(tb[IFLA_BR_VLAN_FILTERING]) != 0;
}

static void decode_vlan(const struct nlattr *data, const struct nlattr *lower, struct link_info *out)
{
	struct nlattr *tb[IFLA_VLAN_MAX + 1];

	nl_parse_nested(data, tb, IFLA_VLAN_MAX);
	nl_get_bytes(tb[IFLA_VLAN_ID], &out->vlan, sizeof(out->vlan));
	out->lower = (int)nl_get_u32(lower);
}

static void decode_port(const struct nlattr *data, struct link_info *out)
{
	struct nlattr *tb[IFLA_BRPORT_MAX + 1];

	nl_parse_nested(data, tb, IFLA_BRPORT_MAX);
	out->is_port = true;
	out->isolated = nl_get_u8(tb[IFLA_BRPORT_ISOLATED]) != 0;
	out->learning = nl_get_u8(tb[IFLA_BRPORT_LEARNING]) != 0;
	out->unicast_flood = nl_get_u8(tb[IFLA_BRPORT_UNICAST_FLOOD]) != 0;
}

bool link_decode(const struct nlmsghdr *msg, struct link_info *out)
{
	const struct ifinfomsg *ifi = NLMSG_DATA(msg);
	struct nlattr *tb[IFLA_MAX + 1], *info[IFLA_INFO_MAX + 1];
	char slave_kind[16];

	if ((msg->nlmsg_type != RTM_NEWLINK && msg->nlmsg_type != RTM_DELLINK) ||
	    !nl_parse(msg, sizeof(*ifi), tb, IFLA_MAX))
		return false;
	memset(out, 0, sizeof(*out));
	out->fact.ifindex = ifi->ifi_index;
	out->flags = ifi->ifi_flags;
	out->fact.up = (ifi->ifi_flags & IFF_UP) != 0;
	out->fact.master = (int)nl_get_u32(tb[IFLA_MASTER]);
	out->fact.mtu_bytes = nl_get_u32(tb[IFLA_MTU]);
	out->fact.group = nl_get_u32(tb[IFLA_GROUP]);
	nl_get_str(tb[IFLA_IFNAME], out->fact.name, sizeof(out->fact.name));
	nl_get_str(tb[IFLA_IFALIAS], out->fact.alias, sizeof(out->fact.alias));
	nl_get_bytes(tb[IFLA_ADDRESS], out->fact.mac.bytes, sizeof(out->fact.mac.bytes));
	nl_parse_nested(tb[IFLA_LINKINFO], info, IFLA_INFO_MAX);
	nl_get_str(info[IFLA_INFO_KIND], out->fact.kind, sizeof(out->fact.kind));
	nl_get_str(info[IFLA_INFO_SLAVE_KIND], slave_kind, sizeof(slave_kind));
	if (nd_streq(out->fact.kind, "bridge"))
		decode_bridge(info[IFLA_INFO_DATA], out);
	if (nd_streq(out->fact.kind, "vlan") && !tb[IFLA_LINK_NETNSID])	/* else the index is another namespace's */
		decode_vlan(info[IFLA_INFO_DATA], tb[IFLA_LINK], out);
	if (nd_streq(slave_kind, "bridge"))
		decode_port(info[IFLA_INFO_SLAVE_DATA], out);
	return true;
}

static void take_link(void *arg, const struct nlmsghdr *msg)
{
	if (msg)
		(void)link_decode(msg, arg);	/* what is no link leaves the zeros: not found */
}

static struct nl_req *request_get(struct nl_batch *b, int ifindex, struct link_info *out, const char *what)
{
	const struct ifinfomsg ifi = { .ifi_index = ifindex };
	struct nl_req *rq = nl_batch_add(b, RTM_GETLINK, 0, &ifi, sizeof(ifi), "read interface %s", what);

	memset(out, 0, sizeof(*out));
	nl_put_u32(rq, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	rq->reply = take_link;
	rq->arg = out;
	return rq;
}

void link_request_get(struct nl_batch *b, const char *name, struct link_info *out)
{
	char what[64];

	snprintf(what, sizeof(what), "'%s'", name);
	nl_put_str(request_get(b, 0, out, what), IFLA_IFNAME, name);
}

static int run_get(struct nl *nl, struct nl_batch *b, struct nd_error *err)
{
	int r = nl_batch_run(nl, b, 0);

	if (b->failed)
		return nd_error_nomem(err);
	return r < 0 && r != -ENODEV ? nl_req_error(&b->reqs[0], err) : r;
}

int link_get(struct nl *nl, const char *name, struct link_info *out, struct nd_error *err)
{
	ND_AUTO(nl_batch_fini) struct nl_batch b = { 0 };

	link_request_get(&b, name, out);
	return run_get(nl, &b, err);
}

int link_get_index(struct nl *nl, int ifindex, struct link_info *out, struct nd_error *err)
{
	ND_AUTO(nl_batch_fini) struct nl_batch b = { 0 };
	char what[16];

	snprintf(what, sizeof(what), "%d", ifindex);
	(void)request_get(&b, ifindex, out, what);
	return run_get(nl, &b, err);
}

int link_dump(struct nl *nl, nl_reply_fn *reply, void *arg, struct nd_error *err)
{
	struct ifinfomsg ifi = { 0 };

	return nl_req_dump(nl, RTM_GETLINK, &ifi, sizeof(ifi), IFLA_EXT_MASK,
			   RTEXT_FILTER_SKIP_STATS, reply, arg, err);
}
