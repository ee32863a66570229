/* SPDX-License-Identifier: GPL-2.0-or-later */
/* collisions.c -- whether what a network wants is taken by something else on the host
 *
 * A subnet collides with a route or an address inside it (packets for those would go to the
 * bridge), and with a directly connected network that it lies in (hosts there would be cut off).
 * Inside a route that only leads somewhere, a more specific subnet is ordinary routing.
 */
#include <errno.h>
#include <string.h>

#include "netd/base/str.h"
#include "netd/compile/subnet.h"

/* The network's bridge, as far as one can tell: by its alias or, before that is set, by its MAC. */
static bool is_own_bridge(const struct net_def *def, const struct link_fact *link)
{
	char alias[64];

	if (!nd_streq(link->kind, "bridge"))
		return false;
	if (link->alias[0])
		return nd_streq(link->alias, uuid_alias(&def->uuid, alias));
	return nd_mac_equal(&link->mac, &def->mac);
}

static int check_bridge(const struct net_def *def, const struct host_facts *facts, int *own_out,
			struct nd_error *err)
{
	const struct link_fact *link = host_facts_link(facts, def->bridge.name);

	if (!link)
		return 0;
	if (is_own_bridge(def, link)) {
		*own_out = link->ifindex;
		return 0;
	}
	return nd_error_sys(err, EEXIST, "<bridge> (line %d): there is a device '%s' that is not of "
			    "network '%s'", def->bridge.line, def->bridge.name, def->name);
}

static const char *link_name(const struct host_facts *facts, int ifindex)
{
	for (size_t i = 0; i < facts->n_links; i++)
		if (facts->links[i].ifindex == ifindex)
			return facts->links[i].name;
	return "a device that is gone";
}

static bool same_prefix(const struct nd_prefix *a, const struct nd_prefix *b)
{
	return a->len == b->len && nd_ip_equal(&a->addr, &b->addr);
}

/* On every link, so they mean nothing. */
static bool is_per_link(const struct nd_prefix *p)
{
	const uint8_t *a = p->addr.v6.s6_addr;

	return p->addr.family == AF_INET6 &&
	       (a[0] == 0xff || (a[0] == 0xfe && (a[1] & 0xc0) == 0x80));
}

static int taken(const char *element, int line, const struct nd_prefix *mine, const char *what,
		 const struct nd_prefix *theirs, const char *dev, struct nd_error *err)
{
	char a[ND_PREFIX_STRLEN], b[ND_PREFIX_STRLEN];

	return refuse(err, ND_ERR_INTERNAL, element, line,
		      "network %s is already in use by interface %s: it has the %s %s",
		      nd_prefix_format(mine, a), dev, what, nd_prefix_format(theirs, b));
}

static int check_subnet(const struct ip_def *ip, const struct host_facts *facts, int own,
			struct nd_error *err)
{
	struct nd_prefix mine = subnet_of(ip);

	if (is_per_link(&mine))
		return 0;
	for (size_t i = 0; i < facts->n_addrs; i++) {
		const struct addr_fact *a = &facts->addrs[i];

		if (a->ifindex == own || a->prefix.addr.family != mine.addr.family)
			continue;
		if (nd_prefix_contains(&mine, &a->prefix.addr) ||
		    nd_prefix_contains(&a->prefix, &mine.addr))
			return taken("ip", ip->line, &mine, "address", &a->prefix,
				     link_name(facts, a->ifindex), err);
	}
	for (size_t i = 0; i < facts->n_routes; i++) {
		const struct route_fact *r = &facts->routes[i];

		if (r->oif == own || r->dst.len == 0 || r->dst.addr.family != mine.addr.family)
			continue;
		if (r->dst.len >= mine.len && nd_prefix_contains(&mine, &r->dst.addr))
			return taken("ip", ip->line, &mine, "route", &r->dst,
				     link_name(facts, r->oif), err);
	}
	return 0;
}

static int check_route(const struct route_def *route, const struct host_facts *facts, int own,
		       struct nd_error *err)
{
	struct nd_prefix mine = route_def_prefix(route);

	mine = nd_prefix_masked(&mine);
	for (size_t i = 0; i < facts->n_routes; i++)
		if (facts->routes[i].oif != own && same_prefix(&facts->routes[i].dst, &mine))
			return taken("route", route->line, &mine, "route", &facts->routes[i].dst,
				     link_name(facts, facts->routes[i].oif), err);
	return 0;
}

int compile_collisions(const struct net_def *def, const struct host_facts *facts,
		       struct nd_error *err)
{
	int own = -1, r = 0;

	if (def->bridge.name)
		r = check_bridge(def, facts, &own, err);
	for (size_t i = 0; i < def->n_ips && r == 0; i++)
		r = check_subnet(&def->ips[i], facts, own, err);
	for (size_t i = 0; i < def->n_routes && r == 0; i++)
		r = check_route(&def->routes[i], facts, own, err);
	return r;
}
