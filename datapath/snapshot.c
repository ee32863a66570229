/* SPDX-License-Identifier: GPL-2.0-or-later */
/* snapshot.c -- the kernel's state in memory, and a plan's objects looked up in it */
#include <errno.h>
#include <linux/if_link.h>
#include <string.h>

#include "datapath/bridge.h"
#include "datapath/private.h"
#include "datapath/route.h"
#include "datapath/shape.h"
#include "netd/base/array.h"
#include "netd/base/cursor.h"
#include "netd/base/str.h"

/* What a table of the snapshot is searched by: an interface and a prefix. */
struct place_key {
	uint8_t bytes[32];
	size_t len;
};

struct datapath_snapshot {
	struct datapath *dp;
	struct link_info *links;
	size_t n_links;
	struct kernel_addr *addrs;
	size_t n_addrs;
	struct kernel_route *routes;
	size_t n_routes;
	struct plan *nft;
	struct shape_view *shapes;
	struct nd_hash *by_name, *by_alias;		/* links */
	size_t *next_alias;				/* by link: the next of its alias, or 0 */
	struct nd_hash *by_index;			/* links */
	uint32_t *least_port_mtu;			/* by link: of a bridge; 0: no ports */
	struct nd_hash *by_addr, *by_route, *by_nft;
	struct place_key *addr_keys, *route_keys;
	struct plan_key *nft_keys;
	bool failed;					/* out of memory during a dump */
};

void datapath_snapshot_free(struct datapath_snapshot *s)
{
	if (!s)
		return;
	nd_hash_free(s->by_name);
	nd_hash_free(s->by_alias);
	nd_hash_free(s->by_index);
	nd_hash_free(s->by_addr);
	nd_hash_free(s->by_route);
	nd_hash_free(s->by_nft);
	plan_free(s->nft);
	shape_view_free(s->shapes);
	free(s->links);
	free(s->addrs);
	free(s->routes);
	free(s->next_alias);
	free(s->least_port_mtu);
	free(s->addr_keys);
	free(s->route_keys);
	free(s->nft_keys);
	free(s);
}

static void take_link(void *arg, const struct nlmsghdr *msg)
{
	struct datapath_snapshot *s = arg;
	struct link_info *link;

	if (!msg) {
		s->n_links = 0;
		return;
	}
	link = nd_array_add(s->links, s->n_links);
	if (!link)
		s->failed = true;
	else if (!link_decode(msg, link))
		s->n_links--;
}

static void take_addr(void *arg, const struct nlmsghdr *msg)
{
	struct datapath_snapshot *s = arg;
	struct kernel_addr *addr;

	if (!msg) {
		s->n_addrs = 0;
		return;
	}
	addr = nd_array_add(s->addrs, s->n_addrs);
	if (!addr)
		s->failed = true;
	else if (!addr_decode(msg, addr))
		s->n_addrs--;
}

static void take_route(void *arg, const struct nlmsghdr *msg)
{
	struct datapath_snapshot *s = arg;
	struct kernel_route *route;

	if (!msg) {
		s->n_routes = 0;
		return;
	}
	route = nd_array_add(s->routes, s->n_routes);
	if (!route)
		s->failed = true;
	else if (!route_decode(msg, route) || route->table != RT_TABLE_MAIN ||
		 route->type != RTN_UNICAST)
		s->n_routes--;
}

/* One family after the other: an interrupted dump drops what it reported, so the first family's
 * routes are set aside while the second is dumped. */
static int dump_routes(struct datapath_snapshot *s, sa_family_t family, struct nd_error *err)
{
	struct datapath_snapshot part = { .dp = s->dp };
	int r = route_dump(s->dp->nl, family, take_route, &part, err);

	for (size_t i = 0; i < part.n_routes && !part.failed; i++) {
		struct kernel_route *route = nd_array_add(s->routes, s->n_routes);

		if (route)
			*route = part.routes[i];
		else
			part.failed = true;
	}
	s->failed |= part.failed;
	free(part.routes);
	return r;
}

static void place(struct place_key *key, int ifindex, uint32_t metric,
		  const struct nd_prefix *prefix)
{
	struct wr w = wr_init(key->bytes, sizeof(key->bytes));
	size_t len;
	const uint8_t *bytes = nd_ip_bytes(&prefix->addr, &len);

	wr_u32(&w, (uint32_t)ifindex);
	wr_u32(&w, metric);
	wr_u8(&w, prefix->len);
	wr_bytes(&w, bytes, len);
	key->len = wr_len(&w);
}

static int index_links(struct datapath_snapshot *s)
{
	s->by_name = nd_hash_new();
	s->by_alias = nd_hash_new();
	s->next_alias = calloc(s->n_links + 1, sizeof(*s->next_alias));
	if (!s->by_name || !s->by_alias || !s->next_alias)
		return -ENOMEM;
	for (size_t i = 0; i < s->n_links; i++) {
		struct link_fact *f = &s->links[i].fact;
		struct link_info *same;

		if (nd_hash_set(s->by_name, f->name, strlen(f->name), &s->links[i]) < 0)
			return -ENOMEM;
		if (!f->alias[0])
			continue;
		same = nd_hash_find(s->by_alias, f->alias, strlen(f->alias));
		s->next_alias[i] = same ? (size_t)(same - s->links) + 1 : 0;
		if (nd_hash_set(s->by_alias, f->alias, strlen(f->alias), &s->links[i]) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int index_ports(struct datapath_snapshot *s)
{
	s->by_index = nd_hash_new();
	s->least_port_mtu = calloc(s->n_links + 1, sizeof(*s->least_port_mtu));
	if (!s->by_index || !s->least_port_mtu)
		return -ENOMEM;
	for (size_t i = 0; i < s->n_links; i++) {
		int *ifindex = &s->links[i].fact.ifindex;

		if (nd_hash_set(s->by_index, ifindex, sizeof(*ifindex), &s->links[i]) < 0)
			return -ENOMEM;
	}
	for (size_t i = 0; i < s->n_links; i++) {
		const struct link_fact *f = &s->links[i].fact;
		const struct link_info *bridge;
		uint32_t *least;

		if (!s->links[i].is_port)
			continue;
		bridge = nd_hash_find(s->by_index, &f->master, sizeof(f->master));
		if (!bridge)
			continue;
		least = &s->least_port_mtu[bridge - s->links];
		if (!*least || f->mtu_bytes < *least)
			*least = f->mtu_bytes;
	}
	return 0;
}

static int index_addrs(struct datapath_snapshot *s)
{
	s->by_addr = nd_hash_new();
	s->addr_keys = calloc(s->n_addrs + 1, sizeof(*s->addr_keys));
	if (!s->by_addr || !s->addr_keys)
		return -ENOMEM;
	for (size_t i = 0; i < s->n_addrs; i++) {
		struct place_key *k = &s->addr_keys[i];

		place(k, s->addrs[i].ifindex, 0, &s->addrs[i].prefix);
		if (nd_hash_set(s->by_addr, k->bytes, k->len, &s->addrs[i]) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int index_routes(struct datapath_snapshot *s)
{
	s->by_route = nd_hash_new();
	s->route_keys = calloc(s->n_routes + 1, sizeof(*s->route_keys));
	if (!s->by_route || !s->route_keys)
		return -ENOMEM;
	for (size_t i = 0; i < s->n_routes; i++) {
		struct place_key *k = &s->route_keys[i];

		place(k, s->routes[i].oif, s->routes[i].metric, &s->routes[i].dst);
		if (nd_hash_set(s->by_route, k->bytes, k->len, &s->routes[i]) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int index_nft(struct datapath_snapshot *s)
{
	s->by_nft = nd_hash_new();
	s->nft_keys = calloc(s->nft->n + 1, sizeof(*s->nft_keys));
	if (!s->by_nft || !s->nft_keys)
		return -ENOMEM;
	for (size_t i = 0; i < s->nft->n; i++) {
		struct plan_key *k = &s->nft_keys[i];

		plan_item_key(&s->nft->items[i], k);
		if (nd_hash_set(s->by_nft, k->bytes, k->len, &s->nft->items[i]) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int read_links(struct datapath_snapshot *s, struct nd_error *err)
{
	int r = link_dump(s->dp->nl, take_link, s, err);

	if (r == 0)
		r = addr_dump(s->dp->nl, take_addr, s, err);
	if (r == 0)
		r = dump_routes(s, AF_INET, err);
	if (r == 0)
		r = dump_routes(s, AF_INET6, err);
	if (r < 0)
		return r;
	return s->failed || index_links(s) < 0 || index_ports(s) < 0 ? nd_error_nomem(err) : 0;
}

int datapath_snapshot_new(struct datapath *dp, struct datapath_snapshot **out,
			  struct nd_error *err)
{
	ND_AUTO(datapath_snapshot_free) struct datapath_snapshot *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return nd_error_nomem(err);
	s->dp = dp;
	s->nft = plan_new();
	if (!s->nft)
		return nd_error_nomem(err);
	r = read_links(s, err);
	if (r == 0)
		r = shape_view_new(dp->nl, &s->shapes, err);
	if (r == 0)
		r = nft_read(dp->nft, s->nft, err);
	if (r < 0)
		return r;
	if (index_addrs(s) < 0 || index_routes(s) < 0 || index_nft(s) < 0)
		return nd_error_nomem(err);
	*out = nd_take_ptr(&s);
	return 0;
}

static struct link_info *find_link(const struct datapath_snapshot *s, const char *name)
{
	return nd_hash_find(s->by_name, name, strlen(name));
}

static bool read_bridge(struct datapath_snapshot *s, const struct plan_item *want,
			struct plan_item *out)
{
	const struct link_info *link = find_link(s, want->bridge.name);

	if (!link || !datapath_owns(s->dp, &want->bridge, link))
		return false;
	out->bridge = bridge_from_link(link, s->least_port_mtu[link - s->links], &want->bridge);
	return true;
}

static bool read_sysctl(struct datapath_snapshot *s, const struct plan_item *want,
			const char *owner, struct plan_item *out)
{
	const struct plan_sysctl *x = &want->sysctl;
	char value[SYSCTL_VALUE_MAX];

	if (x->shared && !sysctl_is_held(s->dp->sysctls, x->path, owner))
		return false;
	if (sysctl_read(s->dp->sysctls, x->path, value) < 0)
		return false;
	if (!x->shared && nd_streq(value, x->value))
		(void)sysctl_note(s->dp->sysctls, x->path, value);	/* only a repair is lost */
	out->sysctl = *x;
	snprintf(out->sysctl.value, sizeof(out->sysctl.value), "%.15s", value);
	return true;
}

static bool read_addr(struct datapath_snapshot *s, const struct plan_item *want,
		      struct plan_item *out)
{
	const struct link_info *link = find_link(s, want->addr.ifname);
	struct place_key key;

	if (!link)
		return false;
	place(&key, link->fact.ifindex, 0, &want->addr.prefix);
	out->addr = want->addr;
	return nd_hash_find(s->by_addr, key.bytes, key.len) != NULL;
}

static bool read_route(struct datapath_snapshot *s, const struct plan_item *want,
		       struct plan_item *out)
{
	const struct link_info *link = find_link(s, want->route.ifname);
	const struct nd_prefix dst = nd_prefix_masked(&want->route.dst);
	const struct kernel_route *route;
	struct place_key key;

	if (!link)
		return false;
	place(&key, link->fact.ifindex, route_metric(&want->route), &dst);
	route = nd_hash_find(s->by_route, key.bytes, key.len);
	if (!route)
		return false;
	out->route = want->route;
	out->route.gateway = route->gateway;
	return true;
}

static bool read_up(struct datapath_snapshot *s, const struct plan_item *want,
		    struct plan_item *out)
{
	const struct link_info *link = find_link(s, want->link_up.ifname);

	out->link_up = want->link_up;
	return link && link->fact.up;
}

static bool read_port(struct datapath_snapshot *s, const struct plan_item *item,
		      struct plan_item *out)
{
	const struct plan_port *want = &item->port;
	const struct link_info *link = find_link(s, want->ifname);
	const struct link_info *bridge = find_link(s, want->bridge);
	struct plan_port *port = &out->port;

	if (!link || !bridge || !link->is_port || link->fact.master != bridge->fact.ifindex)
		return false;
	*port = *want;
	port->isolated = link->isolated;
	port->learning = link->learning;
	port->unicast_flood = link->unicast_flood;
	port->up = want->up && link->fact.up;
	if (want->mtu_bytes || link->fact.mtu_bytes != bridge->fact.mtu_bytes)
		port->mtu_bytes = link->fact.mtu_bytes;
	if (want->alias[0])
		memcpy(port->alias, link->fact.alias, sizeof(port->alias));
	if (!nd_mac_is_zero(&want->fdb) && !port_has_fdb(s->dp->nl, link, &want->fdb))
		port->fdb = (struct nd_mac){ 0 };
	return true;
}

static bool read_nft(struct datapath_snapshot *s, const struct plan_item *want,
		     struct plan_item *out)
{
	const struct plan_item *item;
	struct plan_key key;

	plan_item_key(want, &key);
	item = nd_hash_find(s->by_nft, key.bytes, key.len);
	if (item)
		*out = *item;
	return item != NULL;
}

static bool read_shape(struct datapath_snapshot *s, const struct plan_item *want,
		       const char *ifname, struct plan_item *out)
{
	const struct link_info *link = find_link(s, ifname);

	return link && shape_view_read(s->shapes, link->fact.ifindex, want, out);
}

/* False when the kernel does not have the object. */
static bool read_item(struct datapath_snapshot *s, const struct plan_item *want,
		      const char *owner, struct plan_item *out)
{
	*out = (struct plan_item){ .kind = want->kind };
	switch (want->kind) {
	case PLAN_BRIDGE:
		return read_bridge(s, want, out);
	case PLAN_SYSCTL:
		return read_sysctl(s, want, owner, out);
	case PLAN_NFT_CHAIN:
	case PLAN_NFT_ELEM:
		return read_nft(s, want, out);
	case PLAN_ADDR:
		return read_addr(s, want, out);
	case PLAN_LINK_UP:
		return read_up(s, want, out);
	case PLAN_ROUTE:
		return read_route(s, want, out);
	case PLAN_PORT:
		return read_port(s, want, out);
	case PLAN_SHAPER:
		return read_shape(s, want, want->shaper.ifname, out);
	case PLAN_FLOOR:
		return read_shape(s, want, want->floor.ifname, out);
	case PLAN_POLICER:
		return read_shape(s, want, want->policer.ifname, out);
	case PLAN_KINDS:
		break;
	}
	return false;
}

static bool names_bridge(const struct plan *scope, const char *name)
{
	for (size_t i = 0; i < scope->n; i++)
		if (scope->items[i].kind == PLAN_BRIDGE &&
		    nd_streq(scope->items[i].bridge.name, name))
			return true;
	return false;
}

/* Bridges with the owner's alias that the scope does not name: left by an earlier definition. */
static int add_leftovers(struct datapath_snapshot *s, const struct plan *scope, const char *owner,
			 struct plan *out)
{
	struct plan_bridge any = { 0 };
	const struct link_info *link;

	snprintf(any.alias, sizeof(any.alias), "netd:%s", owner);
	link = nd_hash_find(s->by_alias, any.alias, strlen(any.alias));
	while (link) {
		size_t next = s->next_alias[link - s->links];

		if (nd_streq(link->fact.kind, "bridge") && !names_bridge(scope, link->fact.name)) {
			struct plan_item *item = plan_add(out, PLAN_BRIDGE);

			if (!item)
				return -ENOMEM;
			any.mac = link->fact.mac;
			item->bridge = bridge_from_link(link, s->least_port_mtu[link - s->links],
							&any);
		}
		link = next ? &s->links[next - 1] : NULL;
	}
	return 0;
}

/* Traffic control that the scope does not name, on those of its devices that are netd's. */
static int add_shape_leftovers(struct datapath_snapshot *s, const struct plan *scope,
			       struct plan *out)
{
	int r = 0;

	for (size_t i = 0; i < scope->n && r == 0; i++) {
		const struct plan_item *item = &scope->items[i];
		const struct link_info *link = NULL;

		if (item->kind == PLAN_BRIDGE) {
			link = find_link(s, item->bridge.name);
			if (link && !datapath_owns(s->dp, &item->bridge, link))
				link = NULL;
		} else if (item->kind == PLAN_PORT && item->port.alias[0]) {
			link = find_link(s, item->port.ifname);
		}
		if (link)
			r = shape_view_leftovers(s->shapes, link->fact.ifindex, link->fact.name, scope,
						 out);
	}
	return r;
}

int datapath_snapshot_read(struct datapath_snapshot *s, const struct plan *scope,
			   const char *owner, struct plan **out, struct nd_error *err)
{
	ND_AUTO(plan_free) struct plan *p = plan_new();

	if (!p)
		return nd_error_nomem(err);
	for (size_t i = 0; i < scope->n; i++) {
		struct plan_item found, *item;

		if (!read_item(s, &scope->items[i], owner, &found))
			continue;
		item = plan_add(p, found.kind);
		if (!item)
			return nd_error_nomem(err);
		*item = found;
	}
	if (add_leftovers(s, scope, owner, p) < 0 || add_shape_leftovers(s, scope, p) < 0)
		return nd_error_nomem(err);
	*out = nd_take_ptr(&p);
	return 0;
}

int datapath_read(struct datapath *dp, const struct plan *scope, const char *owner,
		  struct plan **out, struct nd_error *err)
{
	ND_AUTO(datapath_snapshot_free) struct datapath_snapshot *s = NULL;
	int r = datapath_snapshot_new(dp, &s, err);

	return r < 0 ? r : datapath_snapshot_read(s, scope, owner, out, err);
}

static int copy_facts(const struct datapath_snapshot *s, struct host_facts *f)
{
	f->links = calloc(s->n_links + 1, sizeof(*f->links));
	f->addrs = calloc(s->n_addrs + 1, sizeof(*f->addrs));
	f->routes = calloc(s->n_routes + 1, sizeof(*f->routes));
	if (!f->links || !f->addrs || !f->routes)
		return -ENOMEM;
	for (size_t i = 0; i < s->n_links; i++)
		f->links[f->n_links++] = s->links[i].fact;
	for (size_t i = 0; i < s->n_addrs; i++)
		f->addrs[f->n_addrs++] = (struct addr_fact){ .ifindex = s->addrs[i].ifindex,
							     .prefix = s->addrs[i].prefix };
	for (size_t i = 0; i < s->n_routes; i++)
		f->routes[f->n_routes++] = route_fact_of(&s->routes[i]);
	return 0;
}

const struct plan *datapath_snapshot_nft(const struct datapath_snapshot *s)
{
	return s->nft;
}

static bool accepts_ra(const struct datapath *dp, const char *conf)
{
	char path[128], value[SYSCTL_VALUE_MAX];

	snprintf(path, sizeof(path), "net/ipv6/conf/%s/accept_ra", conf);
	return sysctl_read(dp->sysctls, path, value) == 0 && !nd_streq(value, "0");
}

static bool may_be_uplink(const struct link_fact *link)
{
	return !link->master && !nd_streq(link->kind, "tun") && !nd_streq(link->name, "lo") &&
	       strncmp(link->alias, "netd:", 5) != 0;
}

static void add_sysctl_facts(const struct datapath *dp, struct host_facts *f)
{
	char value[SYSCTL_VALUE_MAX];

	for (size_t i = 0; i < f->n_links; i++)
		f->links[i].accepts_ra = may_be_uplink(&f->links[i]) &&
					 accepts_ra(dp, f->links[i].name);
	f->default_accepts_ra = accepts_ra(dp, "default");
	f->has_ipv6 = sysctl_read(dp->sysctls, "net/ipv6/conf/all/disable_ipv6", value) == 0;
	f->has_force_forwarding =
		sysctl_read(dp->sysctls, "net/ipv6/conf/all/force_forwarding", value) == 0;
}

int datapath_snapshot_facts(const struct datapath_snapshot *s, struct host_facts **out,
			    struct nd_error *err)
{
	ND_AUTO(host_facts_free) struct host_facts *f = calloc(1, sizeof(*f));

	if (!f || copy_facts(s, f) < 0)
		return nd_error_nomem(err);
	add_sysctl_facts(s->dp, f);
	*out = nd_take_ptr(&f);
	return 0;
}

int datapath_facts(struct datapath *dp, struct host_facts **out, struct nd_error *err)
{
	int r = host_view_facts(dp->view, dp->nl, out, err);

	if (r == 0)
		add_sysctl_facts(dp, *out);
	return r;
}
