/* SPDX-License-Identifier: GPL-2.0-or-later */
/* apply_link.c -- addresses, routes, ports and link states become requests of the run's batch */
#include <stdio.h>
#include <string.h>

#include "datapath/bridge.h"
#include "datapath/route.h"
#include "datapath/run.h"

/* The interface of a step. */
static const char *step_ifname(const struct plan_step *s)
{
	const struct plan_item *item = step_item(s);

	switch (item->kind) {
	case PLAN_ADDR:
		return item->addr.ifname;
	case PLAN_LINK_UP:
		return item->link_up.ifname;
	case PLAN_ROUTE:
		return item->route.ifname;
	case PLAN_SHAPER:
		return item->shaper.ifname;
	case PLAN_FLOOR:
		return item->floor.ifname;
	case PLAN_POLICER:
		return item->policer.ifname;
	default:
		return item->port.bridge;
	}
}

static bool is_doomed(const struct run *a, const struct plan_step *s)
{
	const char *name = step_ifname(s);

	return s->op == PLAN_REMOVE && nd_hash_find(a->doomed, name, strlen(name));
}

/* An address goes only once its successor has surely come, and the kernel must not remove its
 * younger siblings in its subnet with it: with the last one go the routes. */
static int before_addr_goes(struct run *a, const struct plan_addr *addr)
{
	char path[128];
	int r = run_flush(a);

	if (r < 0 || addr->prefix.addr.family != AF_INET)
		return r;
	snprintf(path, sizeof(path), "net/ipv4/conf/%s/promote_secondaries", addr->ifname);
	return sysctl_write(a->dp->sysctls, path, "1", a->err);
}

static void request_addr(struct run *a, const struct plan_step *s, int ifindex)
{
	addr_request(&a->batch, s->op == PLAN_REMOVE ? RTM_DELADDR : RTM_NEWADDR, ifindex,
		     &step_item(s)->addr);
}

static void request_route(struct run *a, const struct plan_step *s, int ifindex)
{
	if (s->op == PLAN_REMOVE)
		route_request(&a->batch, RTM_DELROUTE, 0, ifindex, &s->was.route);
	else
		route_request(&a->batch, RTM_NEWROUTE,
			      s->op == PLAN_CREATE ? NLM_F_EXCL : NLM_F_REPLACE, ifindex,
			      &s->want.route);
}

static void attach_port(struct run *a, size_t i, const struct link_info *link,
		       const struct link_info *bridge)
{
	const struct plan_step *s = &a->d->steps[i];
	const struct plan_port *want = &s->want.port;
	uint32_t mtu = want->mtu_bytes ? want->mtu_bytes : bridge->fact.mtu_bytes;

	a->old_mtu[i] = link->fact.mtu_bytes;
	if (s->op == PLAN_CHANGE && !nd_mac_is_zero(&s->was.port.fdb) &&
	    !nd_mac_equal(&s->was.port.fdb, &want->fdb))
		(void)port_request_fdb(&a->batch, RTM_DELNEIGH, link->fact.ifindex, want->ifname,
				       &s->was.port.fdb);
	port_request_attach(&a->batch, link->fact.ifindex, bridge->fact.ifindex,
			    mtu == link->fact.mtu_bytes ? 0 : mtu, want);
}

static int do_port(struct run *a, size_t i)
{
	const struct plan_step *s = &a->d->steps[i];
	const struct plan_port *port = &step_item(s)->port;
	struct link_info *link, *bridge;
	size_t from = a->batch.n;
	int r;

	if (s->op != PLAN_REMOVE) {
		link = run_find_link(a, port->ifname);
		bridge = link ? run_find_link(a, port->bridge) : NULL;
		if (!bridge)
			return -a->err->code;
		attach_port(a, i, link, bridge);
		return run_claim_requests(a, from, i);
	}
	r = run_find_link_if_any(a, port->ifname, &link);
	if (r == 0)
		r = run_find_link_if_any(a, port->bridge, &bridge);
	if (r < 0)
		return r;
	if (link && bridge && link->fact.master == bridge->fact.ifindex)
		port_request_detach(&a->batch, link->fact.ifindex, s->want.port.mtu_bytes, port);
	else
		run_finish(a, i, 0);	/* gone, or its owner has moved it */
	return run_claim_requests(a, from, i);
}

/* Addresses, routes, ports and links: into the batch. Traffic control: at once. */
int apply_link_step(struct run *a, size_t i)
{
	const struct plan_step *s = &a->d->steps[i];
	enum plan_kind kind = step_item(s)->kind;
	struct link_info *link = NULL;
	size_t from;
	int r = 0;

	if (is_doomed(a, s)) {
		a->state[i] = STEP_SKIPPED;
		return 0;
	}
	if (kind == PLAN_PORT)
		return do_port(a, i);
	if (s->op == PLAN_REMOVE)
		r = run_find_link_if_any(a, step_ifname(s), &link);
	else
		link = run_find_link(a, step_ifname(s));
	if (r < 0)
		return r;
	if (!link && s->op != PLAN_REMOVE)
		return -a->err->code;
	if (!link) {	/* gone with its interface */
		run_finish(a, i, 0);
		return 0;
	}
	if (kind == PLAN_SHAPER || kind == PLAN_FLOOR || kind == PLAN_POLICER)
		return apply_shape_step(a, i, link->fact.ifindex);
	if (s->op == PLAN_REMOVE && kind == PLAN_ADDR)
		r = before_addr_goes(a, &s->was.addr);
	if (r < 0)
		return r;
	from = a->batch.n;
	if (kind == PLAN_ADDR)
		request_addr(a, s, link->fact.ifindex);
	else if (kind == PLAN_ROUTE)
		request_route(a, s, link->fact.ifindex);
	else
		link_request_up(&a->batch, link->fact.ifindex, link->fact.name,
				s->op != PLAN_REMOVE);
	return run_claim_requests(a, from, i);
}
