/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sysctl.c -- what a bridge's stack may do, and turning forwarding on, for as few interfaces as the kernel allows
 *
 * IPv4 forwards what comes in on an interface whose own switch is on. With a forward device, that
 * device and the bridge suffice; without one, guests may leave by any interface and answers may
 * come back by any, so it is the switch for all.
 *
 * IPv6 forwards only if the switch for all is on, which makes the host stop listening to router
 * advertisements, unless accept_ra is 2. From Linux 6.17 on there is force_forwarding for one
 * interface, which leaves the others as they are. The bridge gets its own `forwarding` too:
 * it makes the host a router there (the R flag of neighbour advertisements, without which guests
 * drop a default route by RFC 4861 7.2.5).
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "netd/base/str.h"
#include "netd/compile/subnet.h"

static int add(struct plan *p, bool shared, const char *value, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* The same sysctl twice in a plan is one. */
static int add(struct plan *p, bool shared, const char *value, const char *fmt, ...)
{
	struct plan_item *item = plan_add(p, PLAN_SYSCTL);
	va_list ap;

	if (!item)
		return -ENOMEM;
	va_start(ap, fmt);
	vsnprintf(item->sysctl.path, sizeof(item->sysctl.path), fmt, ap);
	va_end(ap);
	snprintf(item->sysctl.value, sizeof(item->sysctl.value), "%s", value);
	item->sysctl.shared = shared;
	for (size_t i = 0; i + 1 < p->n; i++)
		if (plan_item_same(&p->items[i], item)) {
			p->n--;
			break;
		}
	return 0;
}

static int bridge_v6(const struct net_def *def, struct plan *p)
{
	const char *b = def->bridge.name;
	bool on = has_family(def, AF_INET6);
	int r = add(p, false, on ? "0" : "1", "net/ipv6/conf/%s/disable_ipv6", b);

	if (r == 0)
		r = add(p, false, "0", "net/ipv6/conf/%s/accept_ra", b);
	if (r == 0)
		r = add(p, false, "0", "net/ipv6/conf/%s/autoconf", b);
	/* The link-local address is checked only once a guest gives the bridge a carrier, and until
	 * then neighbours are not solicited: guests' first second without IPv6. */
	if (r == 0 && on)
		r = add(p, false, "0", "net/ipv6/conf/%s/accept_dad", b);
	return r;
}

/* What the host sends to guests who do not answer ARP waits, and counts against the sender's
 * buffer meanwhile: with the kernel's 208 KiB for each of them, a guest that forges a few addresses
 * would silence the DNS server. A few packets are enough for those who are there. */
static int neighbours(const struct net_def *def, bool has_ipv6, struct plan *p)
{
	const char *b = def->bridge.name;
	int r = 0;

	if (has_family(def, AF_INET))
		r = add(p, false, "8192", "net/ipv4/neigh/%s/unres_qlen_bytes", b);
	if (r == 0 && has_ipv6 && has_family(def, AF_INET6))
		r = add(p, false, "8192", "net/ipv6/neigh/%s/unres_qlen_bytes", b);
	return r;
}

/* No IPv4 source but the network's own. That guests use no other network's, of either family, the rules see to. */
static int sources_v4(const struct net_def *def, struct plan *p)
{
	if (!has_family(def, AF_INET) || def->forward.mode == FORWARD_OPEN)
		return 0;
	return add(p, false, "1", "net/ipv4/conf/%s/rp_filter", def->bridge.name);
}

/* The forward device need not exist yet; a plan compiled once it does has its sysctls. */
static bool exists(const struct compile_input *in, const char *dev)
{
	return host_facts_link(in->facts, dev);
}

static int forward_v4(const struct compile_input *in, struct plan *p)
{
	const char *dev = uplink_dev(in->def);
	int r;

	if (!dev)
		return add(p, true, "1", "net/ipv4/ip_forward");
	r = add(p, false, "1", "net/ipv4/conf/%s/forwarding", in->def->bridge.name);
	if (r < 0 || !exists(in, dev))
		return r;
	return add(p, true, "1", "net/ipv4/conf/%s/forwarding", dev);
}

static const struct link_fact *link_of(const struct host_facts *facts, int ifindex)
{
	for (size_t i = 0; i < facts->n_links; i++)
		if (facts->links[i].ifindex == ifindex)
			return &facts->links[i];
	return NULL;
}

static bool is_netds(const struct link_fact *link)
{
	return strncmp(link->alias, "netd:", 5) == 0;
}

/* Where guests' IPv6 packets may go, and so answers may come from: what has a route. */
static bool leads_outside(const struct route_fact *route, const struct link_fact *link,
			  const char *bridge)
{
	const uint8_t *a = route->dst.addr.v6.s6_addr;

	if (route->dst.addr.family != AF_INET6 || !link)
		return false;
	if (nd_streq(link->name, "lo") || nd_streq(link->name, bridge) || is_netds(link))
		return false;
	return !(route->dst.len && (a[0] == 0xff || (a[0] == 0xfe && (a[1] & 0xc0) == 0x80)));
}

/* Turning `forwarding` on anywhere, for one interface too, drops the default routes that the kernel
 * learnt, except where accept_ra is 2. A route made by a program (accept_ra is 0 there) stays. */
static int keep_learnt_routes(const struct compile_input *in, struct plan *p)
{
	int r = 0;

	for (size_t i = 0; i < in->facts->n_routes && r == 0; i++) {
		const struct route_fact *route = &in->facts->routes[i];
		const struct link_fact *link = link_of(in->facts, route->oif);

		if (route->ra && leads_outside(route, link, in->def->bridge.name) &&
		    link->accepts_ra)
			r = add(p, true, "2", "net/ipv6/conf/%s/accept_ra", link->name);
	}
	return r;
}

/* The switch for all stops all interfaces from listening: also those where no router has spoken
 * yet, and those to come. */
static int forward_all_v6(const struct compile_input *in, struct plan *p)
{
	int r = 0;

	for (size_t i = 0; i < in->facts->n_links && r == 0; i++) {
		const struct link_fact *link = &in->facts->links[i];

		if (link->accepts_ra && !nd_streq(link->name, in->def->bridge.name))
			r = add(p, true, "2", "net/ipv6/conf/%s/accept_ra", link->name);
	}
	if (r == 0 && in->facts->default_accepts_ra)
		r = add(p, true, "2", "net/ipv6/conf/default/accept_ra");
	return r < 0 ? r : add(p, true, "1", "net/ipv6/conf/all/forwarding");
}

static int force_v6(const struct compile_input *in, struct plan *p)
{
	const char *bridge = in->def->bridge.name, *dev = uplink_dev(in->def);
	int r = keep_learnt_routes(in, p);

	if (r == 0)
		r = add(p, false, "1", "net/ipv6/conf/%s/forwarding", bridge);
	if (r == 0)
		r = add(p, false, "1", "net/ipv6/conf/%s/force_forwarding", bridge);
	if (r < 0 || (dev && !exists(in, dev)))
		return r;
	if (dev)
		return add(p, true, "1", "net/ipv6/conf/%s/force_forwarding", dev);
	for (size_t i = 0; i < in->facts->n_routes && r == 0; i++) {
		const struct route_fact *route = &in->facts->routes[i];
		const struct link_fact *link = link_of(in->facts, route->oif);

		if (leads_outside(route, link, bridge))
			r = add(p, true, "1", "net/ipv6/conf/%s/force_forwarding", link->name);
	}
	return r;
}

int compile_sysctls(const struct compile_input *in, struct plan *p)
{
	const struct net_def *def = in->def;
	int r = in->facts->has_ipv6 ? bridge_v6(def, p) : 0;

	if (r == 0)
		r = neighbours(def, in->facts->has_ipv6, p);
	if (r == 0)
		r = sources_v4(def, p);
	/* So that the rules decide, and a guest is refused at once instead of left waiting, as it is
	 * where another network turned forwarding on for all. */
	if (r == 0 && is_isolated(def) && has_family(def, AF_INET6) && in->facts->has_ipv6 &&
	    in->facts->has_force_forwarding)
		return add(p, false, "1", "net/ipv6/conf/%s/force_forwarding", def->bridge.name);
	if (r < 0 || is_isolated(def))
		return r;
	if (has_family(def, AF_INET))
		r = forward_v4(in, p);
	if (r < 0 || !has_family(def, AF_INET6) || !in->facts->has_ipv6)
		return r;
	return in->facts->has_force_forwarding ? force_v6(in, p) : forward_all_v6(in, p);
}

bool compile_uses_uplink(const struct net_def *def, const char *ifname)
{
	const char *dev = uplink_dev(def);

	if (!forward_mode_is_l3(def->forward.mode) || is_isolated(def))
		return false;
	return dev ? nd_streq(dev, ifname) : has_family(def, AF_INET6);
}
