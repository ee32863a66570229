/* SPDX-License-Identifier: GPL-2.0-or-later */
/* plan.c -- a network's kernel objects */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "netd/compile/subnet.h"

/* While STP runs the kernel takes no other delays (IEEE 802.1D table 8-3). */
enum { STP_DELAY_MIN_S = 2, STP_DELAY_MAX_S = 30 };

static void copy_name(char to[IFNAMSIZ], const char *from)
{
	snprintf(to, IFNAMSIZ, "%s", from);
}

static int add_bridge(const struct compile_input *in, struct plan *p)
{
	const struct net_def *def = in->def;
	struct plan_item *item = plan_add(p, PLAN_BRIDGE);
	struct plan_bridge *b;

	if (!item)
		return -ENOMEM;
	b = &item->bridge;
	copy_name(b->name, def->bridge.name);
	uuid_alias(&def->uuid, b->alias);
	b->mac = def->mac;
	b->mtu_bytes = def->mtu_bytes;
	b->forward_delay_s = def->bridge.delay_s;
	/* A TAP of ours leads to one guest and cannot close a loop: without STP its port forwards
	 * at once. A foreign port may lead anywhere. */
	b->stp = !def->bridge.stp_off && in->foreign_port;
	if (b->stp && b->forward_delay_s < STP_DELAY_MIN_S)
		b->forward_delay_s = STP_DELAY_MIN_S;
	if (b->stp && b->forward_delay_s > STP_DELAY_MAX_S)
		b->forward_delay_s = STP_DELAY_MAX_S;
	b->vlan_filtering = def->bridge.mac_table_manager == MAC_TABLE_LIBVIRT;
	return 0;
}

static int add_addresses(const struct net_def *def, struct plan *p)
{
	int r = 0;

	for (size_t i = 0; i < def->n_ips && r == 0; i++)
		r = compile_address(ip_def_prefix(&def->ips[i]), NULL, def->bridge.name, p);
	return r;
}

static int add_routes(const struct net_def *def, struct plan *p)
{
	int r = 0;

	for (size_t i = 0; i < def->n_routes && r == 0; i++)
		r = compile_route(&def->routes[i], def->bridge.name, p);
	return r;
}

static int add_port(const struct compile_input *in, const struct compile_port *port,
		    struct plan *p)
{
	const struct net_def *def = in->def;
	bool by_netd = def->bridge.mac_table_manager == MAC_TABLE_LIBVIRT;
	struct plan_item *item;
	struct plan_port *o;

	if (!port->ifname[0])
		return 0;
	item = plan_add(p, PLAN_PORT);
	if (!item)
		return -ENOMEM;
	o = &item->port;
	copy_name(o->ifname, port->ifname);
	copy_name(o->bridge, def->bridge.name);
	uuid_alias(&port->def->uuid, o->alias);
	o->isolated = port->def->isolated == TRI_YES ||
		      (port->def->isolated == TRI_ABSENT && def->port_isolated == TRI_YES);
	o->learning = o->unicast_flood = !by_netd;
	o->up = true;
	o->mtu_bytes = def->mtu_bytes;
	if (by_netd)
		o->fdb = port->def->mac;
	return 0;
}

static int add_all(const struct compile_input *in, struct plan *p)
{
	struct plan_item *item;
	int r = add_bridge(in, p);

	if (r == 0)
		r = compile_sysctls(in, p);
	if (r == 0)
		r = compile_rules(in, p);
	if (r == 0)
		r = add_addresses(in->def, p);
	if (r < 0)
		return r;
	item = plan_add(p, PLAN_LINK_UP);
	if (!item)
		return -ENOMEM;
	copy_name(item->link_up.ifname, in->def->bridge.name);
	r = add_routes(in->def, p);
	for (size_t i = 0; i < in->n_ports && r == 0; i++)
		r = add_port(in, &in->ports[i], p);
	return r < 0 ? r : compile_shape(in, p);
}

int compile_plan(const struct compile_input *in, struct plan **out, struct nd_error *err)
{
	ND_AUTO(plan_free) struct plan *p = plan_new();

	if (!forward_mode_is_l3(in->def->forward.mode) || !in->def->bridge.name)
		return nd_error_set(err, ND_ERR_INTERNAL,
				    "network '%s' has no bridge of its own to plan", in->def->name);
	if (!p || add_all(in, p) < 0)
		return nd_error_nomem(err);
	*out = nd_take_ptr(&p);
	return 0;
}
