/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/daemon/floors.h"

enum { CLASS_FIRST = 3, CLASS_LAST = 0xfffd };	/* 1 and 2 are the network's own */

static bool is_taken(const struct network *net, const struct port *except, uint32_t id)
{
	for (size_t i = 0; i < net->n_ports; i++)
		if (net->ports[i] != except && net->ports[i]->def->bandwidth.class_id == id)
			return true;
	return false;
}

static int choose(const struct network *net, const struct port *except, uint32_t *id,
		  struct nd_error *err)
{
	uint32_t c = *id;

	if (c >= CLASS_FIRST && c <= CLASS_LAST && !is_taken(net, except, c))
		return 0;
	for (c = CLASS_FIRST; c <= CLASS_LAST && is_taken(net, except, c);)
		c++;
	if (c > CLASS_LAST)
		return nd_error_set(err, ND_ERR_OPERATION_INVALID,
				    "network '%s' has no room for another floor", net->name);
	*id = c;
	return 0;
}

static int check_sum(const struct network *net, const struct port *except, uint64_t floor,
		     struct nd_error *err)
{
	const struct bandwidth_rate *in = &net->live->bandwidth.in;
	uint64_t limit = in->peak ? in->peak : in->average, sum = floor;

	for (size_t i = 0; i < net->n_ports; i++)
		if (net->ports[i] != except && net->ports[i]->def->bandwidth.class_id)
			sum += net->ports[i]->def->bandwidth.in.floor;
	if (sum <= limit && floor <= limit)
		return 0;
	return nd_error_set(err, ND_ERR_OPERATION_INVALID, "a floor of %llu kilobytes a second is too "
			    "much for network '%s': all floors would be %llu, and its <inbound> is %llu",
			    (unsigned long long)floor, net->name, (unsigned long long)sum,
			    (unsigned long long)limit);
}

int floors_claim(const struct network *net, const struct port *except, bool announced,
		 struct bandwidth_def *b, struct nd_error *err)
{
	bool possible = net->live->bandwidth.in.average != 0;
	int r = 0;

	if (!b->in.floor || (announced && !possible)) {
		b->class_id = 0;
		return 0;
	}
	if (!possible)
		return nd_error_set(err, ND_ERR_OPERATION_UNSUPPORTED, "network '%s': 'floor' needs "
				    "<bandwidth><inbound> in the network", net->name);
	if (!announced)
		r = check_sum(net, except, b->in.floor, err);
	return r < 0 ? r : choose(net, except, &b->class_id, err);
}
