/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "datapath/host_view.h"

#include <errno.h>
#include <linux/if_link.h>
#include <string.h>
#include <sys/socket.h>

#include "datapath/link.h"
#include "datapath/route.h"
#include "netd/base/cursor.h"
#include "netd/base/hash.h"

enum {
	ROOM = 2 * 1024 * 1024,		/* when it overflows, everything is dumped again */
	NOTICE_SIZE = 64 * 1024,
};

enum { PLACE_SIZE = 4 + 4 + 1 + 16 };	/* interface, metric, prefix length and address */

/* Entries stand in a table by their key. */
struct view_link {
	struct link_fact fact;		/* key: fact.ifindex */
};

struct view_addr {
	uint8_t key[PLACE_SIZE];
	size_t key_len;
	struct addr_fact fact;
};

struct view_route {
	uint8_t key[PLACE_SIZE];
	size_t key_len;
	struct kernel_route route;
};

struct host_view {
	int notices;
	bool current;			/* all that happened is in the tables or in the socket */
	bool failed;			/* out of memory */
	struct nd_hash *links, *addrs, *routes;
	uint8_t *buf;
};

static void table_clear(struct nd_hash **table)
{
	size_t pos = 0;
	void *entry;

	while (*table && (entry = nd_hash_next(*table, &pos)))
		free(entry);
	nd_hash_free(*table);
	*table = NULL;
}

static int view_reset(struct host_view *v)
{
	table_clear(&v->links);
	table_clear(&v->addrs);
	table_clear(&v->routes);
	v->links = nd_hash_new();
	v->addrs = nd_hash_new();
	v->routes = nd_hash_new();
	v->failed = !v->links || !v->addrs || !v->routes;
	return v->failed ? -ENOMEM : 0;
}

int host_view_new(struct host_view **out, struct nd_error *err)
{
	static const int groups[] = { RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR,
				      RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE };
	ND_AUTO(host_view_free) struct host_view *v = calloc(1, sizeof(*v));
	int r;

	if (!v)
		return nd_error_nomem(err);
	v->notices = -1;
	v->buf = malloc(NOTICE_SIZE);
	if (!v->buf || view_reset(v) < 0)
		return nd_error_nomem(err);
	r = nl_listen(NETLINK_ROUTE, groups, ND_COUNT(groups), ROOM, &v->notices, err);
	if (r < 0)
		return r;
	*out = nd_take_ptr(&v);
	return 0;
}

void host_view_free(struct host_view *v)
{
	if (!v)
		return;
	table_clear(&v->links);
	table_clear(&v->addrs);
	table_clear(&v->routes);
	if (v->notices >= 0)
		close(v->notices);
	free(v->buf);
	free(v);
}

/* Routes of an interface, or to a destination: those for which drop answers true. */
static void drop_routes(struct host_view *v,
			bool (*drop)(const struct kernel_route *route, const void *what),
			const void *what)
{
	struct view_route *route, *doomed;

	do {
		size_t pos = 0;

		/* The table must not change during a walk. */
		for (doomed = NULL; !doomed && (route = nd_hash_next(v->routes, &pos));)
			if (drop(&route->route, what))
				doomed = route;
		if (doomed) {
			nd_hash_remove(v->routes, doomed->key, doomed->key_len);
			free(doomed);
		}
	} while (doomed);
}

static bool route_is_through(const struct kernel_route *route, const void *ifindex)
{
	return route->oif == *(const int *)ifindex;
}

static bool route4_is_through(const struct kernel_route *route, const void *ifindex)
{
	return route->dst.addr.family == AF_INET && route_is_through(route, ifindex);
}

static bool route_is_replaced(const struct kernel_route *route, const void *by)
{
	const struct kernel_route *new = by;

	return route->metric == new->metric && route->dst.len == new->dst.len &&
	       nd_ip_equal(&route->dst.addr, &new->dst.addr);
}

static bool route_prefers(const struct kernel_route *route, const void *source)
{
	return nd_ip_equal(&route->prefsrc, source);
}

static void drop_addrs(struct host_view *v, int ifindex)
{
	struct view_addr *addr, *doomed;

	do {
		size_t pos = 0;

		for (doomed = NULL; !doomed && (addr = nd_hash_next(v->addrs, &pos));)
			if (addr->fact.ifindex == ifindex)
				doomed = addr;
		if (doomed) {
			nd_hash_remove(v->addrs, doomed->key, doomed->key_len);
			free(doomed);
		}
	} while (doomed);
}

static void see_link(struct host_view *v, const struct nlmsghdr *msg)
{
	const struct ifinfomsg *ifi = NLMSG_DATA(msg);
	struct link_info info;
	struct view_link *link;

	if (ifi->ifi_family != AF_UNSPEC || !link_decode(msg, &info))
		return;
	link = nd_hash_find(v->links, &info.fact.ifindex, sizeof(info.fact.ifindex));
	/* The kernel removes the routes of a link that goes down without a word. */
	if (link && ((link->fact.up && !info.fact.up) || msg->nlmsg_type == RTM_DELLINK))
		drop_routes(v, route_is_through, &info.fact.ifindex);
	if (msg->nlmsg_type == RTM_DELLINK) {
		drop_addrs(v, info.fact.ifindex);
		free(nd_hash_remove(v->links, &info.fact.ifindex, sizeof(info.fact.ifindex)));
		return;
	}
	if (link) {
		link->fact = info.fact;
		return;
	}
	link = malloc(sizeof(*link));
	if (link)
		link->fact = info.fact;
	if (!link || nd_hash_set(v->links, &link->fact.ifindex, sizeof(link->fact.ifindex), link) < 0) {
		free(link);
		v->failed = true;
	}
}

static size_t place_key(uint8_t key[PLACE_SIZE], int ifindex, uint32_t metric,
			const struct nd_prefix *prefix)
{
	struct wr w = wr_init(key, PLACE_SIZE);
	size_t len;
	const uint8_t *bytes = nd_ip_bytes(&prefix->addr, &len);

	wr_u32(&w, (uint32_t)ifindex);
	wr_u32(&w, metric);
	wr_u8(&w, prefix->len);
	wr_bytes(&w, bytes, len);
	return wr_len(&w);
}

static bool has_addr4(const struct host_view *v, int ifindex)
{
	const struct view_addr *addr;
	size_t pos = 0;

	while ((addr = nd_hash_next(v->addrs, &pos)))
		if (addr->fact.ifindex == ifindex && addr->fact.prefix.addr.family == AF_INET)
			return true;
	return false;
}

static void lose_addr(struct host_view *v, const struct kernel_addr *gone, const uint8_t *key,
		      size_t key_len)
{
	free(nd_hash_remove(v->addrs, key, key_len));
	if (gone->prefix.addr.family != AF_INET)
		return;
	/* Without a word too: routes that prefer the address, and with the last one all. */
	drop_routes(v, route_prefers, &gone->prefix.addr);
	if (!has_addr4(v, gone->ifindex))
		drop_routes(v, route4_is_through, &gone->ifindex);
}

static void see_addr(struct host_view *v, const struct nlmsghdr *msg)
{
	struct kernel_addr seen;
	struct view_addr *addr;
	uint8_t key[PLACE_SIZE];
	size_t len;

	if (!addr_decode(msg, &seen))
		return;
	len = place_key(key, seen.ifindex, 0, &seen.prefix);
	if (msg->nlmsg_type == RTM_DELADDR) {
		lose_addr(v, &seen, key, len);
		return;
	}
	/* The notice of an IPv6 address can come after that of its link's end. */
	if (nd_hash_find(v->addrs, key, len) ||
	    !nd_hash_find(v->links, &seen.ifindex, sizeof(seen.ifindex)))
		return;
	addr = calloc(1, sizeof(*addr));
	if (addr) {
		memcpy(addr->key, key, len);
		addr->key_len = len;
		addr->fact = (struct addr_fact){ .ifindex = seen.ifindex, .prefix = seen.prefix };
	}
	if (!addr || nd_hash_set(v->addrs, addr->key, len, addr) < 0) {
		free(addr);
		v->failed = true;
	}
}

static void see_route(struct host_view *v, const struct nlmsghdr *msg)
{
	struct kernel_route seen;
	struct view_route *route;
	uint8_t key[PLACE_SIZE];
	size_t len;

	if (!route_decode(msg, &seen) || seen.table != RT_TABLE_MAIN || seen.type != RTN_UNICAST)
		return;
	len = place_key(key, seen.oif, seen.metric, &seen.dst);
	if (msg->nlmsg_type == RTM_NEWROUTE && msg->nlmsg_flags & NLM_F_REPLACE)
		drop_routes(v, route_is_replaced, &seen);
	free(nd_hash_remove(v->routes, key, len));
	if (msg->nlmsg_type == RTM_DELROUTE)
		return;
	route = calloc(1, sizeof(*route));
	if (route) {
		memcpy(route->key, key, len);
		route->key_len = len;
		route->route = seen;
	}
	if (!route || nd_hash_set(v->routes, route->key, len, route) < 0) {
		free(route);
		v->failed = true;
	}
}

/* A message of a dump, or a notice: what it says of the past is made good by what follows. */
static void see(void *arg, const struct nlmsghdr *msg)
{
	struct host_view *v = arg;

	if (!msg)	/* a dump starts again: what it told twice is the same */
		return;
	switch (msg->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
		see_link(v, msg);
		break;
	case RTM_NEWADDR:
	case RTM_DELADDR:
		see_addr(v, msg);
		break;
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		see_route(v, msg);
		break;
	}
}

/* Reads the notices at hand. with: handles them; else they are older than what will be dumped. */
static int read_notices(struct host_view *v, bool with, struct nd_error *err)
{
	for (;;) {
		ssize_t n = recv(v->notices, v->buf, NOTICE_SIZE, MSG_TRUNC);
		int len = (int)n;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return 0;
		if (n > NOTICE_SIZE || (n < 0 && errno == ENOBUFS)) {
			v->current = false;	/* some are lost */
			continue;
		}
		if (n < 0)
			return nd_error_sys(err, errno, "cannot read the kernel's notices");
		for (struct nlmsghdr *msg = (struct nlmsghdr *)v->buf; with && NLMSG_OK(msg, len);
		     msg = NLMSG_NEXT(msg, len))
			see(v, msg);
	}
}

/* Dumps everything. What changes meanwhile is told by notices that the dump is followed by. */
static int load(struct host_view *v, struct nl *nl, struct nd_error *err)
{
	int r = read_notices(v, false, err);

	if (r == 0 && view_reset(v) < 0)
		return nd_error_nomem(err);
	v->current = true;
	if (r == 0)
		r = link_dump(nl, see, v, err);
	if (r == 0)
		r = addr_dump(nl, see, v, err);
	if (r == 0)
		r = route_dump(nl, AF_INET, see, v, err);
	if (r == 0)
		r = route_dump(nl, AF_INET6, see, v, err);
	if (r < 0)
		v->current = false;
	return r;
}

static int catch_up(struct host_view *v, struct nl *nl, struct nd_error *err)
{
	int r = read_notices(v, v->current, err);

	if (r == 0 && (!v->current || v->failed))
		r = load(v, nl, err);
	if (r == 0)
		r = read_notices(v, true, err);
	if (r == 0 && v->failed)
		return nd_error_nomem(err);
	/* Notices that were lost during the dump are made good at the next call. */
	return r;
}

static int copy(const struct host_view *v, struct host_facts *f)
{
	const struct view_link *link;
	const struct view_addr *addr;
	const struct view_route *route;
	size_t pos = 0;

	f->links = calloc(nd_hash_count(v->links) + 1, sizeof(*f->links));
	f->addrs = calloc(nd_hash_count(v->addrs) + 1, sizeof(*f->addrs));
	f->routes = calloc(nd_hash_count(v->routes) + 1, sizeof(*f->routes));
	if (!f->links || !f->addrs || !f->routes)
		return -ENOMEM;
	while ((link = nd_hash_next(v->links, &pos)))
		f->links[f->n_links++] = link->fact;
	for (pos = 0; (addr = nd_hash_next(v->addrs, &pos));)
		f->addrs[f->n_addrs++] = addr->fact;
	for (pos = 0; (route = nd_hash_next(v->routes, &pos));)
		f->routes[f->n_routes++] = route_fact_of(&route->route);
	return 0;
}

int host_view_facts(struct host_view *v, struct nl *nl, struct host_facts **out,
		    struct nd_error *err)
{
	ND_AUTO(host_facts_free) struct host_facts *f = calloc(1, sizeof(*f));
	int r = f ? catch_up(v, nl, err) : nd_error_nomem(err);

	if (r < 0)
		return r;
	if (copy(v, f) < 0)
		return nd_error_nomem(err);
	*out = nd_take_ptr(&f);
	return 0;
}
