/* SPDX-License-Identifier: GPL-2.0-or-later */
/* shape.c -- <bandwidth> becomes shapers, floors and policers
 *
 * What a guest receives leaves through the host's device and can wait there; what it sends comes in
 * and can only be dropped. A macvtap has the guest's own view, so there it is the other way round.
 */
#include <errno.h>
#include <stdio.h>

#include "netd/compile/subnet.h"

enum {
	KILOBYTE = 1000, KIB = 1024,
	/* A guest's frame that is yet to be segmented has up to 64 KiB: less would drop all of them. */
	POLICE_BURST_MIN = 128 * KIB,
};

static uint64_t peak_of(const struct bandwidth_rate *r)
{
	return (r->peak > r->average ? r->peak : r->average) * KILOBYTE;
}

static struct plan_shaper *add_shaper(const struct bandwidth_rate *r, const char *ifname,
				      bool outbound, struct plan *p)
{
	struct plan_item *item = plan_add(p, PLAN_SHAPER);

	if (!item)
		return NULL;
	snprintf(item->shaper.ifname, IFNAMSIZ, "%s", ifname);
	item->shaper.rate = r->average * KILOBYTE;
	item->shaper.peak = peak_of(r);
	item->shaper.burst_bytes = r->burst ? r->burst * KIB : plan_default_burst(item->shaper.rate);
	item->shaper.outbound = outbound;
	return &item->shaper;
}

/* Without a burst: what comes in a second, as libvirt has it. */
static int add_policer(const struct bandwidth_rate *r, const char *ifname, bool inbound,
		       struct plan *p)
{
	struct plan_item *item = plan_add(p, PLAN_POLICER);
	uint64_t burst = (r->burst ? r->burst : r->average) * KIB;

	if (!item)
		return -ENOMEM;
	if (!r->burst && burst < POLICE_BURST_MIN)
		burst = POLICE_BURST_MIN;
	if (r->average > PLAN_BURST_MAX_BYTES / KIB || burst > PLAN_BURST_MAX_BYTES)
		burst = PLAN_BURST_MAX_BYTES;
	snprintf(item->policer.ifname, IFNAMSIZ, "%s", ifname);
	item->policer.rate = r->average * KILOBYTE;
	item->policer.burst_bytes = burst;
	item->policer.inbound = inbound;
	return 0;
}

int compile_link_shape(const struct bandwidth_def *b, const char *ifname, bool macvtap,
		       struct plan *p)
{
	const struct bandwidth_rate *leaves = macvtap ? &b->out : &b->in;
	const struct bandwidth_rate *comes = macvtap ? &b->in : &b->out;

	if (leaves->average && !add_shaper(leaves, ifname, macvtap, p))
		return -ENOMEM;
	return comes->average ? add_policer(comes, ifname, macvtap, p) : 0;
}

static bool has_floor(const struct compile_port *port)
{
	return port->def->bandwidth.class_id && port->def->bandwidth.in.floor;
}

static int add_floor(const struct net_def *def, const struct compile_port *port, struct plan *p)
{
	struct plan_item *item = plan_add(p, PLAN_FLOOR);
	struct plan_floor *f;

	if (!item)
		return -ENOMEM;
	f = &item->floor;
	snprintf(f->ifname, IFNAMSIZ, "%s", def->bridge.name);
	f->class_id = (uint16_t)port->def->bandwidth.class_id;
	f->mac = port->def->mac;
	f->peak = peak_of(&def->bandwidth.in);
	f->rate = port->def->bandwidth.in.floor * KILOBYTE;
	if (f->rate > f->peak)
		f->rate = f->peak;
	return 0;
}

/* The bridge's shaper, with the floors of all ports: what they leave over is the others' pool. */
static int add_tree(const struct compile_input *in, struct plan *p)
{
	const struct net_def *def = in->def;
	struct plan_shaper *s = add_shaper(&def->bandwidth.in, def->bridge.name, false, p);
	uint64_t floors = 0, pool;

	if (!s)
		return -ENOMEM;
	for (size_t i = 0; i < in->n_ports; i++)
		if (has_floor(&in->ports[i]))
			floors += in->ports[i].def->bandwidth.in.floor * KILOBYTE;
	pool = s->peak > floors ? s->peak - floors : 0;
	s->pool = !floors ? s->rate : pool > KILOBYTE ? pool : KILOBYTE;
	for (size_t i = 0; i < in->n_ports; i++)
		if (has_floor(&in->ports[i]) && add_floor(def, &in->ports[i], p) < 0)
			return -ENOMEM;
	return 0;
}

int compile_shape(const struct compile_input *in, struct plan *p)
{
	const struct bandwidth_def *b = &in->def->bandwidth;
	int r = b->in.average ? add_tree(in, p) : 0;

	if (r == 0 && b->out.average)
		r = add_policer(&b->out, in->def->bridge.name, false, p);
	for (size_t i = 0; i < in->n_ports && r == 0; i++)
		if (in->ports[i].ours && in->ports[i].ifname[0])
			r = compile_link_shape(&in->ports[i].def->bandwidth, in->ports[i].ifname,
					       false, p);
	return r;
}
