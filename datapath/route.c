/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "datapath/route.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <string.h>

enum {
	DEFAULT_METRIC6 = 1024,		/* IP6_RT_PRIO_USER */
};

static void put_ip(struct nl_req *rq, int type, const struct nd_ip *ip)
{
	size_t len;
	const uint8_t *bytes = nd_ip_bytes(ip, &len);

	nl_put(rq, type, bytes, len);
}

/* False when the attribute does not hold an address of the family; *out is then unchanged. */
static bool get_ip(const struct nlattr *a, sa_family_t family, struct nd_ip *out)
{
	size_t len = family == AF_INET ? sizeof(out->v4) : sizeof(out->v6);

	if (!a || (family != AF_INET && family != AF_INET6) || (size_t)nla_len(a) < len)
		return false;
	memset(out, 0, sizeof(*out));
	out->family = family;
	if (family == AF_INET)
		nl_get_bytes(a, &out->v4, len);
	else
		nl_get_bytes(a, &out->v6, len);
	return true;
}

void addr_request(struct nl_batch *b, uint16_t type, int ifindex, const struct plan_addr *a)
{
	struct ifaddrmsg ifa = {
		.ifa_family = (uint8_t)a->prefix.addr.family,
		.ifa_prefixlen = a->prefix.len,
		.ifa_index = (uint32_t)ifindex,
	};
	bool add = type == RTM_NEWADDR;
	char text[ND_PREFIX_STRLEN];
	struct nl_req *rq = nl_batch_add(b, type, add ? NLM_F_CREATE | NLM_F_EXCL : 0, &ifa,
					 sizeof(ifa), "%s address %s %s '%s'", add ? "add" : "remove",
					 nd_prefix_format(&a->prefix, text), add ? "to" : "from",
					 a->ifname);

	put_ip(rq, IFA_LOCAL, &a->prefix.addr);
	put_ip(rq, IFA_ADDRESS, a->peer.family ? &a->peer : &a->prefix.addr);
	if (add && a->prefix.addr.family == AF_INET && a->broadcast.s_addr)
		nl_put(rq, IFA_BROADCAST, &a->broadcast, sizeof(a->broadcast));
	if (add && a->prefix.addr.family == AF_INET6)
		nl_put_u32(rq, IFA_FLAGS, IFA_F_NODAD);
}

void route_request(struct nl_batch *b, uint16_t type, uint16_t flags, int ifindex,
		   const struct plan_route *r)
{
	struct nd_prefix dst = nd_prefix_masked(&r->dst);
	struct rtmsg rtm = {
		.rtm_family = (uint8_t)dst.addr.family,
		.rtm_dst_len = dst.len,
		.rtm_table = RT_TABLE_MAIN,
		.rtm_protocol = RTPROT_BOOT,
		.rtm_scope = r->gateway.family ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK,
		.rtm_type = RTN_UNICAST,
	};
	bool add = type == RTM_NEWROUTE;
	char text[ND_PREFIX_STRLEN];
	struct nl_req *rq;

	if (!add) {	/* whoever made it, and however */
		rtm.rtm_protocol = RTPROT_UNSPEC;
		rtm.rtm_scope = RT_SCOPE_NOWHERE;
	}
	rq = nl_batch_add(b, type, add ? NLM_F_CREATE | flags : 0, &rtm, sizeof(rtm),
			  "%s route %s through '%s'", add ? "add" : "remove",
			  nd_prefix_format(&dst, text), r->ifname);
	put_ip(rq, RTA_DST, &dst.addr);
	nl_put_u32(rq, RTA_OIF, (uint32_t)ifindex);
	if (r->gateway.family)
		put_ip(rq, RTA_GATEWAY, &r->gateway);
	if (r->metric)
		nl_put_u32(rq, RTA_PRIORITY, r->metric);
}

bool addr_decode(const struct nlmsghdr *msg, struct kernel_addr *out)
{
	const struct ifaddrmsg *ifa = NLMSG_DATA(msg);
	struct nlattr *tb[IFA_MAX + 1];

	if ((msg->nlmsg_type != RTM_NEWADDR && msg->nlmsg_type != RTM_DELADDR) ||
	    !nl_parse(msg, sizeof(*ifa), tb, IFA_MAX))
		return false;
	memset(out, 0, sizeof(*out));
	out->ifindex = (int)ifa->ifa_index;
	out->prefix.len = ifa->ifa_prefixlen;
	/* IFA_LOCAL is ours; on a point-to-point link IFA_ADDRESS is the other end's. */
	return get_ip(tb[IFA_LOCAL], ifa->ifa_family, &out->prefix.addr) ||
	       get_ip(tb[IFA_ADDRESS], ifa->ifa_family, &out->prefix.addr);
}

static void decode_first_hop(const struct nlattr *multipath, sa_family_t family,
			     struct kernel_route *out)
{
	const struct rtnexthop *hop = nla_data(multipath);
	struct nlattr *tb[RTA_MAX + 1];

	if (!RTNH_OK(hop, nla_len(multipath)))
		return;
	out->oif = hop->rtnh_ifindex;
	nla_parse(tb, RTA_MAX, (struct nlattr *)RTNH_DATA(hop),
		  (int)(hop->rtnh_len - RTNH_LENGTH(0)), NULL);
	(void)get_ip(tb[RTA_GATEWAY], family, &out->gateway);	/* absent: on link */
}

bool route_decode(const struct nlmsghdr *msg, struct kernel_route *out)
{
	const struct rtmsg *rtm = NLMSG_DATA(msg);
	struct nlattr *tb[RTA_MAX + 1];

	if ((msg->nlmsg_type != RTM_NEWROUTE && msg->nlmsg_type != RTM_DELROUTE) ||
	    !nl_parse(msg, sizeof(*rtm), tb, RTA_MAX) ||
	    (rtm->rtm_family != AF_INET && rtm->rtm_family != AF_INET6))
		return false;
	memset(out, 0, sizeof(*out));
	out->dst.len = rtm->rtm_dst_len;
	if (!get_ip(tb[RTA_DST], rtm->rtm_family, &out->dst.addr))
		out->dst.addr.family = rtm->rtm_family;		/* the default route */
	(void)get_ip(tb[RTA_GATEWAY], rtm->rtm_family, &out->gateway);
	(void)get_ip(tb[RTA_PREFSRC], rtm->rtm_family, &out->prefsrc);
	out->oif = (int)nl_get_u32(tb[RTA_OIF]);
	out->metric = nl_get_u32(tb[RTA_PRIORITY]);
	out->table = tb[RTA_TABLE] ? nl_get_u32(tb[RTA_TABLE]) : rtm->rtm_table;
	out->protocol = rtm->rtm_protocol;
	out->type = rtm->rtm_type;
	if (tb[RTA_MULTIPATH])
		decode_first_hop(tb[RTA_MULTIPATH], rtm->rtm_family, out);
	return true;
}

struct route_fact route_fact_of(const struct kernel_route *k)
{
	return (struct route_fact){ .oif = k->oif, .dst = k->dst, .ra = k->protocol == RTPROT_RA };
}

uint32_t route_metric(const struct plan_route *r)
{
	return r->metric || r->dst.addr.family != AF_INET6 ? r->metric : DEFAULT_METRIC6;
}

bool route_matches(const struct kernel_route *k, int ifindex, const struct plan_route *r)
{
	struct nd_prefix dst = nd_prefix_masked(&r->dst);

	return k->table == RT_TABLE_MAIN && k->type == RTN_UNICAST && k->oif == ifindex &&
	       k->metric == route_metric(r) && k->dst.len == dst.len &&
	       nd_ip_equal(&k->dst.addr, &dst.addr);
}

int addr_dump(struct nl *nl, nl_reply_fn *reply, void *arg, struct nd_error *err)
{
	struct ifaddrmsg ifa = { 0 };

	return nl_req_dump(nl, RTM_GETADDR, &ifa, sizeof(ifa), 0, 0, reply, arg, err);
}

int route_dump(struct nl *nl, sa_family_t family, nl_reply_fn *reply, void *arg,
	       struct nd_error *err)
{
	struct rtmsg rtm = { .rtm_family = (uint8_t)family };
	struct nd_error why = { 0 };
	int r = nl_req_dump(nl, RTM_GETROUTE, &rtm, sizeof(rtm), RTA_TABLE, RT_TABLE_MAIN, reply,
			    arg, &why);

	if (r == -ENOENT)	/* a new namespace has no main table until its first address */
		return 0;
	if (r < 0 && err)
		*err = why;
	return r;
}

struct search {
	const struct plan_item *item;
	int ifindex;
	bool found;
};

static void match_addr(struct search *search, const struct nlmsghdr *msg)
{
	const struct plan_addr *want = &search->item->addr;
	struct kernel_addr k;

	if (addr_decode(msg, &k) && k.ifindex == search->ifindex &&
	    k.prefix.len == want->prefix.len && nd_ip_equal(&k.prefix.addr, &want->prefix.addr))
		search->found = true;
}

static void match_route(struct search *search, const struct nlmsghdr *msg)
{
	const struct plan_route *want = &search->item->route;
	struct kernel_route k;

	if (route_decode(msg, &k) && route_matches(&k, search->ifindex, want) &&
	    nd_ip_equal(&k.gateway, &want->gateway))
		search->found = true;
}

static void match(void *arg, const struct nlmsghdr *msg)
{
	struct search *search = arg;

	if (!msg)
		search->found = false;
	else if (search->item->kind == PLAN_ADDR)
		match_addr(search, msg);
	else
		match_route(search, msg);
}

bool route_item_is_there(struct nl *nl, const struct plan_item *item, int ifindex)
{
	struct rtmsg rtm = { .rtm_family = (uint8_t)item->route.dst.addr.family };
	struct ifaddrmsg ifa = { .ifa_family = (uint8_t)item->addr.prefix.addr.family };
	struct search search = { .item = item, .ifindex = ifindex };
	bool addr = item->kind == PLAN_ADDR;

	return nl_req_dump(nl, addr ? RTM_GETADDR : RTM_GETROUTE, addr ? (void *)&ifa : &rtm,
			   addr ? sizeof(ifa) : sizeof(rtm), 0, 0, match, &search, NULL) == 0 &&
	       search.found;
}
