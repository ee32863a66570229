/* SPDX-License-Identifier: GPL-2.0-or-later */
/* serve.c -- what a network's server is told, beside DHCP and DNS themselves */
#include <stdio.h>

#include "netd/base/array.h"
#include "netd/compile/subnet.h"

static int add_all(const struct compile_input *in, struct serve_config *c)
{
	const struct net_def *def = in->def;
	const struct link_fact *bridge = host_facts_link(in->facts, def->bridge.name);

	snprintf(c->network, sizeof(c->network), "%s", def->name);
	snprintf(c->bridge, sizeof(c->bridge), "%s", def->bridge.name);
	c->uuid = def->uuid;
	c->ifindex = bridge ? bridge->ifindex : 0;
	c->mac = def->mac;
	c->uid = in->serve_uid;
	for (size_t i = 0; i < def->n_ips; i++) {
		struct nd_ip *a = nd_array_add(c->addresses, c->n_addresses);

		if (!a)
			return -ENOMEM;
		*a = def->ips[i].address;
	}
	for (size_t i = 0; i < in->n_ports; i++) {
		struct nd_mac *mac = nd_array_add(c->ports, c->n_ports);

		if (!mac)
			return -ENOMEM;
		*mac = in->ports[i].def->mac;
	}
	if (compile_dhcp(in, &c->dhcp) < 0 || compile_dns(in, &c->dns) < 0)
		return -ENOMEM;
	return 0;
}

int compile_serve(const struct compile_input *in, struct serve_config **out, struct nd_error *err)
{
	ND_AUTO(serve_config_free) struct serve_config *c = serve_config_new();

	if (!c || add_all(in, c) < 0)
		return nd_error_nomem(err);
	*out = nd_take_ptr(&c);
	return 0;
}
