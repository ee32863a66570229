/* SPDX-License-Identifier: GPL-2.0-or-later */
/* link_address.c -- <ip> and <route>, of a network's bridge or the host's end of a guest's TAP, become kernel objects */
#include <errno.h>
#include <stdio.h>

#include "netd/compile/subnet.h"

enum { ROUTE_METRIC_DEFAULT = 1 };	/* as libvirt */

int compile_address(struct nd_prefix prefix, const struct nd_ip *peer, const char *ifname, struct plan *p)
{
	struct plan_item *item = plan_add(p, PLAN_ADDR);
	struct plan_addr *a;

	if (!item)
		return -ENOMEM;
	a = &item->addr;
	snprintf(a->ifname, IFNAMSIZ, "%s", ifname);
	a->prefix = prefix;
	if (peer)
		a->peer = *peer;
	/* RFC 3021: none in a /31; nor is there one between two ends */
	if (prefix.addr.family == AF_INET && prefix.len < 31 && !a->peer.family)
		a->broadcast = nd_prefix_broadcast(&prefix);
	return 0;
}

int compile_route(const struct route_def *r, const char *ifname, struct plan *p)
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
		r = compile_address(dom_ip_prefix(&nic->ips[i]), &nic->ips[i].peer, nic->target, p);
	for (size_t i = 0; i < nic->n_routes && r == 0; i++)
		r = compile_route(&nic->routes[i], nic->target, p);
	return r;
}
