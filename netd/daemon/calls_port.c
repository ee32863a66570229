/* SPDX-License-Identifier: GPL-2.0-or-later */
/* calls_port.c -- libvirt's calls on network ports */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "netd/base/str.h"
#include "netd/daemon/calls.h"

static int wire_port(lv_port *out, const struct network *net, const struct port *port)
{
	memcpy(out->uuid, port->def->uuid.bytes, sizeof(out->uuid));
	return wire_net(&out->net, net);
}

static int list_ports(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	const lv_network_list_all_ports_args *a = args;
	lv_network_list_all_ports_ret *r = ret;
	struct network *net;

	if (call_flags(a->flags, 0, "virNetworkObjPortListExport", err) < 0)
		return -EINVAL;
	net = call_network(call, &a->net, err);
	if (!net)
		return -ENOENT;
	if (!net->live)
		return nd_error_set(err, ND_ERR_OPERATION_INVALID, "network '%s' is not active", net->name);
	r->ret = (unsigned)net->n_ports;
	if (!a->need_results)
		return RPC_DONE;
	r->ports.ports_val = calloc(net->n_ports + 1, sizeof(*r->ports.ports_val));
	if (!r->ports.ports_val)
		return nd_error_nomem(err);
	for (size_t i = 0; i < net->n_ports && i < LV_PORT_LIST_MAX; i++) {
		if (wire_port(&r->ports.ports_val[i], net, net->ports[i]) < 0)
			return nd_error_nomem(err);
		r->ports.ports_len++;
	}
	return RPC_DONE;
}

const struct rpc_method port_methods[] = {
	CALL(LV_PROC_NETWORK_LIST_ALL_PORTS, "virNetworkListAllPorts", RPC_READ_ONLY,
	     lv_network_list_all_ports_args, lv_network_list_all_ports_ret, list_ports),
};
const size_t n_port_methods = ND_COUNT(port_methods);
