/* SPDX-License-Identifier: GPL-2.0-or-later */
/* link_address.c -- <ip> and <route> of a guest's interface become addresses and routes of the host's end */
#include <errno.h>
#include <stdio.h>

#include "netd/compile/subnet.h"

static int add_address(const struct dom_ip *ip, const char *ifname, struct plan *p)
{
	struct plan_item *item = plan_add(p, PLAN_ADDR);
	struct plan_addr *a;

	if (!item)
		return -ENOMEM;
	a = &item->addr;
	snprintf(a->ifname, IFNAMSIZ, "%s", ifname);
	a->prefix = dom_ip_prefix(ip);
	a->peer = ip->peer;
	/* RFC 3021: none in a /31; nor is there one between two ends */
	if (a->prefix.addr.family == AF_INET && a->prefix.len < 31 && !a->peer.family)
		a->broadcast = nd_prefix_broadcast(&a->prefix);
	return 0;
}

static int add_route(const struct route_def *r, const char *ifname, struct plan *p)
{
	struct plan_item *item = plan_add(p, PLAN_ROUTE);
	struct nd_prefix dst = route_def_prefix(r);

	if (!item)
		return -ENOMEM;
	snprintf(item->route.ifname, IFNAMSIZ, "%s", ifname);
	item->route.dst = nd_prefix_masked(&dst);
	item->route.gateway = r->gateway;
	item->route.metric = r->metric ? r->metric : ROUTE_METRIC_DEFAULT;
	return 0;
}

int compile_link_addresses(const struct dom_nic *nic, struct plan *p)
{
	int r = 0;

	for (size_t i = 0; i < nic->n_ips && r == 0; i++)
		r = add_address(&nic->ips[i], nic->target, p);
	for (size_t i = 0; i < nic->n_routes && r == 0; i++)
		r = add_route(&nic->routes[i], nic->target, p);
	return r;
}
