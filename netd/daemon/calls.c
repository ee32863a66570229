/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/daemon/calls_domain.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>


int calls_init(struct calls *c, struct nd_error *err)
{
	const struct { const struct rpc_method *rows; size_t n; } parts[] = {
		{ connect_methods, n_connect_methods },
		{ network_methods, n_network_methods },
		{ port_methods, n_port_methods },
		{ node_methods, n_node_methods },
		{ nwfilter_methods, n_nwfilter_methods },
		{ domain_methods, n_domain_methods },
		{ domain_life_methods, n_domain_life_methods },
		{ domain_nic_methods, n_domain_nic_methods },
		{ domain_stats_methods, n_domain_stats_methods },
		{ domain_metadata_methods, n_domain_metadata_methods },
		{ capabilities_methods, n_capabilities_methods },
		{ missing_methods, n_missing_methods },
	};
	size_t n = 0;

	for (size_t i = 0; i < ND_COUNT(parts); i++)
		n += parts[i].n;
	*c = (struct calls){ .methods = calloc(n, sizeof(*c->methods)) };
	if (!c->methods)
		return nd_error_nomem(err);
	c->remote = (struct rpc_program){ LV_PROGRAM, LV_VERSION, c->methods, 0 };
	for (size_t i = 0; i < ND_COUNT(parts); i++) {
		memcpy(c->methods + c->remote.n_methods, parts[i].rows, parts[i].n * sizeof(*c->methods));
		c->remote.n_methods += parts[i].n;
	}
	c->netd = (struct rpc_program){ NETD_PROGRAM, NETD_VERSION, netd_methods, n_netd_methods };
	c->programs[0] = &c->remote;
	c->programs[1] = &c->netd;
	return 0;
}

void calls_fini(struct calls *c)
{
	free(c->methods);
	c->methods = NULL;
}

struct network *call_network(struct rpc_call *call, const lv_net *wire, struct nd_error *err)
{
	struct nd_uuid uuid;
	struct network *net;
	char text[ND_UUID_STRLEN];

	memcpy(uuid.bytes, wire->uuid, sizeof(uuid.bytes));
	net = registry_by_uuid(&call_netd(call)->networks, &uuid);
	if (net && network_visible(net))
		return net;
	nd_error_set(err, ND_ERR_NO_NETWORK, "no network with matching uuid '%s' (%.200s)",
		     nd_uuid_format(&uuid, text), wire->name);
	return NULL;
}

int call_flags(unsigned flags, unsigned known, const char *function, struct nd_error *err)
{
	if (!(flags & ~known))
		return 0;
	return nd_error_set(err, ND_ERR_INVALID_ARG, "unsupported flags (0x%x) in function %s",
			    flags & ~known, function);
}

int wire_str(char **out, const char *text, struct nd_error *err)
{
	*out = strdup(text);
	return *out ? 0 : nd_error_nomem(err);
}

int wire_net(lv_net *out, const struct network *net)
{
	memcpy(out->uuid, net->uuid.bytes, sizeof(out->uuid));
	out->name = strdup(net->name);
	return out->name ? 0 : -ENOMEM;
}

void reply_done(void *arg, struct network *net, const struct nd_error *err)
{
	if (err)
		rpc_call_fail(arg, err);
	else
		rpc_call_reply(arg);
}
