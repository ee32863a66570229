/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/daemon/drift.h"

#include <errno.h>
#include <linux/netconf.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "datapath/monitor.h"
#include "netd/base/array.h"
#include "netd/base/log.h"
#include "netd/base/str.h"
#include "netd/compile/compile.h"
#include "netd/daemon/check.h"
#include "netd/daemon/rules.h"

#define LOOK_EVERY_US (25 * 1000000ULL)
#define MTU_DEFAULT 1500

/* A link on one of netd's bridges. */
struct member {
	int ifindex;
	char name[IFNAMSIZ];
	struct nd_uuid net;
	bool lost;		/* off its bridge: by its owner, or because the bridge went */
	uint64_t lost_ms;
};

struct drift {
	struct netd *netd;
	struct monitor *monitor;
	struct rules *rules;
	sd_event_source *source, *timer;
	struct member *members;
	size_t n_members;
};

static struct network *by_ifindex(struct drift *w, int ifindex)
{
	struct network *net;

	for (size_t pos = 0; (net = registry_next(&w->netd->networks, &pos));)
		if (net->live && net->bridge_ifindex == ifindex && ifindex)
			return net;
	return NULL;
}

static struct network *by_bridge(struct drift *w, const char *name)
{
	struct network *net;

	for (size_t pos = 0; (net = registry_next(&w->netd->networks, &pos));)
		if (net->live && net->applied && net->live->bridge.name &&
		    nd_streq(net->live->bridge.name, name))
			return net;
	return NULL;
}

static struct network *by_port(struct drift *w, const char *name, struct port **port_out)
{
	struct network *net;

	for (size_t pos = 0; (net = registry_next(&w->netd->networks, &pos));) {
		for (size_t i = 0; net->live && i < net->n_ports; i++) {
			if (nd_streq(net->ports[i]->ifname, name)) {
				*port_out = net->ports[i];
				return net;
			}
		}
	}
	return NULL;
}

/* ---- links ---- */

static bool bridge_fits(const struct network *net, const struct link_info *link)
{
	for (size_t i = 0; i < net->applied->n; i++) {
		const struct plan_bridge *b = &net->applied->items[i].bridge;

		if (net->applied->items[i].kind != PLAN_BRIDGE || !nd_streq(b->name, link->fact.name))
			continue;
		return nd_mac_equal(&b->mac, &link->fact.mac) && nd_streq(b->alias, link->fact.alias) &&
		       link->fact.mtu_bytes == (b->mtu_bytes ? b->mtu_bytes : MTU_DEFAULT) &&
		       b->stp == link->stp && b->vlan_filtering == link->vlan_filtering &&
		       link->flags & IFF_UP;
	}
	return true;		/* somebody else's bridge that the network only uses */
}

static void put_members_back(struct drift *w, struct network *net)
{
	for (size_t i = w->n_members; i-- > 0;) {
		struct member *m = &w->members[i];
		char (*slot)[IFNAMSIZ];

		if (!m->lost || !nd_uuid_equal(&m->net, &net->uuid))
			continue;
		slot = monotonic_ms() - m->lost_ms < BRIDGE_GOING_MS ?
		       nd_array_add(net->put_back, net->n_put_back) : NULL;
		if (slot)
			strcpy(*slot, m->name);
		nd_array_remove(w->members, w->n_members, i);
	}
}

static void on_bridge(struct drift *w, struct network *net, bool removed,
		      const struct link_info *link)
{
	if (removed) {
		net->bridge_ifindex = 0;
		put_members_back(w, net);
	} else {
		net->bridge_ifindex = link->fact.ifindex;
	}
	if (removed || !bridge_fits(net, link))
		check_links(w->netd, net);
}

static bool port_fits(const struct network *net, const struct port *port,
		      const struct link_info *link)
{
	if (link->fact.master != net->bridge_ifindex)
		return false;
	return !port->plugged || link->flags & IFF_UP;
}

static struct member *member_of(struct drift *w, int ifindex)
{
	for (size_t i = 0; i < w->n_members; i++)
		if (w->members[i].ifindex == ifindex)
			return &w->members[i];
	return NULL;
}

/* A TAP that an operation in hand makes: what becomes of it the operation knows best. */
static bool being_plugged(const struct network *net, const struct link_info *link)
{
	return net->queue && nd_streq(link->fact.kind, "tun") &&
	       strncmp(link->fact.alias, "netd:", 5) == 0;
}

/* A link that is no known port of ours came on one of our bridges or went: it may be the TAP that
 * a port waits for, and STP depends on it. */
static void on_other(struct drift *w, bool removed, const struct link_info *link)
{
	struct member *m = member_of(w, link->fact.ifindex);
	struct network *now = removed ? NULL : by_ifindex(w, link->fact.master);
	struct network *was = m && !m->lost ? registry_by_uuid(&w->netd->networks, &m->net) : NULL;

	if (now == was)
		return;
	if (m && removed) {
		nd_array_remove(w->members, w->n_members, (size_t)(m - w->members));
	} else if (m && !now) {
		m->lost = true;
		m->lost_ms = monotonic_ms();
	}
	if (now && !m)
		m = nd_array_add(w->members, w->n_members);
	if (now && m) {
		*m = (struct member){ .ifindex = link->fact.ifindex, .net = now->uuid };
		memcpy(m->name, link->fact.name, sizeof(m->name));
	}
	if (now && !being_plugged(now, link))
		check_links(w->netd, now);
	if (was && !nd_streq(link->fact.kind, "tun"))
		check_links(w->netd, was);
}

static bool has_sysctl_of(const struct plan *plan, const char *ifname)
{
	char v4[64], v6[64];

	snprintf(v4, sizeof(v4), "net/ipv4/conf/%s/", ifname);
	snprintf(v6, sizeof(v6), "net/ipv6/conf/%s/", ifname);
	for (size_t i = 0; i < plan->n; i++)
		if (plan->items[i].kind == PLAN_SYSCTL &&
		    (strncmp(plan->items[i].sysctl.path, v4, strlen(v4)) == 0 ||
		     strncmp(plan->items[i].sysctl.path, v6, strlen(v6)) == 0))
			return true;
	return false;
}

/* A forward device has appeared, or a way out: netd may be up before the host's network is. */
static void on_uplink(struct drift *w, const char *ifname, bool by_route)
{
	struct network *net;

	for (size_t pos = 0; (net = registry_next(&w->netd->networks, &pos));)
		if (net->live && net->applied && compile_uses_uplink(net->live, ifname) &&
		    (by_route || net->live->forward.n_interfaces) &&
		    !has_sysctl_of(net->applied, ifname))
			check_links(w->netd, net);
}

static void on_link(void *arg, bool removed, const struct link_info *link)
{
	struct drift *w = arg;
	struct port *port = NULL;
	struct network *net = by_bridge(w, link->fact.name);

	if (net) {
		on_bridge(w, net, removed, link);
		return;
	}
	if (!removed && !link->fact.master)
		on_uplink(w, link->fact.name, false);
	net = by_port(w, link->fact.name, &port);
	if (!net)
		on_other(w, removed, link);
	else if (removed || !port_fits(net, port, link))
		check_links(w->netd, net);
}

/* ---- addresses, routes, sysctls ---- */

static void on_addr(void *arg, bool removed, const struct kernel_addr *addr)
{
	struct drift *w = arg;
	struct network *net = removed ? by_ifindex(w, addr->ifindex) : NULL;

	for (size_t i = 0; net && net->applied && i < net->applied->n; i++) {
		const struct plan_item *item = &net->applied->items[i];

		if (item->kind == PLAN_ADDR && item->addr.prefix.len == addr->prefix.len &&
		    nd_ip_equal(&item->addr.prefix.addr, &addr->prefix.addr)) {
			check_links(w->netd, net);
			return;
		}
	}
}

static void on_route(void *arg, bool removed, const struct kernel_route *route)
{
	struct drift *w = arg;
	struct network *net = removed ? by_ifindex(w, route->oif) : NULL;
	char ifname[IFNAMSIZ];

	if (!removed && route->dst.addr.family == AF_INET6 && route->dst.len == 0 &&
	    if_indextoname((unsigned)route->oif, ifname))
		on_uplink(w, ifname, true);
	for (size_t i = 0; net && net->applied && i < net->applied->n; i++) {
		const struct plan_item *item = &net->applied->items[i];

		if (item->kind == PLAN_ROUTE && route_matches(route, route->oif, &item->route)) {
			check_links(w->netd, net);
			return;
		}
	}
}

/* The plan's setting at the path has another value than the notice tells. */
static bool contradicts(const struct plan *plan, const char *path, int value)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", value);
	for (size_t i = 0; i < plan->n; i++) {
		const struct plan_sysctl *s = &plan->items[i].sysctl;

		if (plan->items[i].kind == PLAN_SYSCTL && nd_streq(s->path, path))
			return !nd_streq(s->value, text);
	}
	return false;
}

static bool netconf_contradicts(const struct plan *plan, const struct netconf_event *e,
				const char *forwarding, const char *rp_filter)
{
	if (e->forwarding >= 0 && contradicts(plan, forwarding, e->forwarding))
		return true;
	if (e->forwarding >= 0 && e->ifindex == NETCONFA_IFINDEX_ALL && e->family == AF_INET &&
	    contradicts(plan, "net/ipv4/ip_forward", e->forwarding))
		return true;
	return e->rp_filter >= 0 && contradicts(plan, rp_filter, e->rp_filter);
}

static void on_netconf(void *arg, const struct netconf_event *e)
{
	struct drift *w = arg;
	bool untold = e->forwarding < 0 && e->rp_filter < 0;
	char interface[IFNAMSIZ] = "all", forwarding[64], rp_filter[64];
	struct network *owner = by_ifindex(w, e->ifindex), *net;
	int version = e->family == AF_INET6 ? 6 : 4;

	if (e->ifindex == NETCONFA_IFINDEX_DEFAULT)
		return;
	if (e->ifindex != NETCONFA_IFINDEX_ALL && !if_indextoname((unsigned)e->ifindex, interface))
		return;		/* gone already */
	snprintf(forwarding, sizeof(forwarding), "net/ipv%d/conf/%s/forwarding", version, interface);
	snprintf(rp_filter, sizeof(rp_filter), "net/ipv%d/conf/%s/rp_filter", version, interface);
	/* A bridge's settings are its own network's only; an uplink's may be those of many. */
	for (size_t pos = 0; (net = owner ? owner : registry_next(&w->netd->networks, &pos));) {
		if (net->live && net->applied &&
		    ((untold && net == owner) ||
		     netconf_contradicts(net->applied, e, forwarding, rp_filter)))
			check_links(w->netd, net);
		if (owner)
			break;
	}
}

/* ---- traffic control ---- */

static void on_tc(void *arg, int ifindex)
{
	struct drift *w = arg;
	struct network *net = by_ifindex(w, ifindex);
	char ifname[IFNAMSIZ];
	struct port *port;

	if (!net && if_indextoname((unsigned)ifindex, ifname)) {
		net = by_port(w, ifname, &port);
		if (net && !port->plugged)
			return;		/* its owner's */
	}
	if (net)
		check_links(w->netd, net);
}

/* ---- rules ---- */

static void on_nft(void *arg, const struct nft_event *e)
{
	struct drift *w = arg;
	char by[40] = "";

	if (!e->netd_table || e->own)
		return;
	if (e->pid)
		snprintf(by, sizeof(by), "%s (pid %d)", e->process[0] ? e->process : "a process",
			 (int)e->pid);
	rules_check(w->rules, by);
}

static void look_at_all(struct drift *w)
{
	rules_check(w->rules, "");
	check_all(w->netd);
}

static void on_resync(void *arg)
{
	struct drift *w = arg;

	nd_log(LOG_NOTICE, NULL, "the kernel dropped notices: looking at everything again");
	look_at_all(w);
}

/* ---- the loop ---- */

static int on_readable(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	struct drift *w = arg;
	struct nd_error err = { 0 };

	if (monitor_dispatch(w->monitor, &err) < 0)
		nd_log(LOG_ERR, NULL, "reading the kernel's notices: %s", err.text);
	return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *arg)
{
	struct drift *w = arg;

	look_at_all(w);
	(void)sd_event_source_set_time_relative(source, LOOK_EVERY_US);	/* cannot fail: it is a timer */
	(void)sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	return 0;
}

int drift_new(struct netd *d, struct drift **out, struct nd_error *err)
{
	static const struct monitor_events events = {
		.tc = on_tc, .link = on_link, .addr = on_addr, .route = on_route, .netconf = on_netconf,
		.nft = on_nft, .resync = on_resync,
	};
	ND_AUTO(drift_free) struct drift *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return nd_error_nomem(err);
	w->netd = d;
	r = rules_new(d, &w->rules, err);
	if (r == 0)
		r = monitor_new(&events, w, &w->monitor, err);
	if (r < 0)
		return r;
	monitor_set_own(w->monitor, &(struct monitor_own){
		.nft_portid = datapath_nft_portid(d->datapath),
		.filter_portid = datapath_filter_portid(d->datapath),
		.route_portid = datapath_route_portid(d->datapath),
	});
	r = sd_event_add_io(d->event, &w->source, monitor_fd(w->monitor), EPOLLIN, on_readable, w);
	if (r >= 0)
		r = sd_event_add_time_relative(d->event, &w->timer, CLOCK_MONOTONIC, LOOK_EVERY_US, 0,
					       on_timer, w);
	if (r < 0)
		return nd_error_sys(err, -r, "cannot watch the kernel's notices");
	*out = nd_take_ptr(&w);
	return 0;
}

void drift_free(struct drift *w)
{
	if (!w)
		return;
	sd_event_source_disable_unref(w->source);
	sd_event_source_disable_unref(w->timer);
	monitor_free(w->monitor);
	rules_free(w->rules);
	free(w->members);
	free(w);
}
