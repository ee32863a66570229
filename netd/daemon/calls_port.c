/* SPDX-License-Identifier: GPL-2.0-or-later */
/* calls_port.c -- libvirt's calls on network ports */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "netd/base/str.h"
#include "netd/daemon/bandwidth_params.h"
#include "netd/daemon/calls.h"
#include "netd/daemon/ports.h"

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

	if (call_flags(a->flags, 0, "networkListAllPorts", err) < 0)
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

static struct port *call_port(struct network *net, const lv_uuid wire, struct nd_error *err)
{
	char text[ND_UUID_STRLEN];
	struct nd_uuid uuid;
	struct port *port;

	memcpy(uuid.bytes, wire, sizeof(uuid.bytes));
	port = network_port(net, &uuid);
	if (!port)
		nd_error_set(err, ND_ERR_NO_NETWORK_PORT, "Network port with UUID %s does not exist",
			     nd_uuid_format(&uuid, text));
	return port;
}

static int lookup_port(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	const lv_network_port_lookup_by_uuid_args *a = args;
	struct network *net = call_network(call, &a->net, err);
	struct port *port = net ? call_port(net, a->uuid, err) : NULL;

	if (!port)
		return -ENOENT;
	return wire_port(&((lv_port_ret *)ret)->port, net, port) < 0 ? nd_error_nomem(err) : RPC_DONE;
}

static int get_port_xml(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	const lv_port_flags_args *a = args;
	lv_str_ret *r = ret;
	struct network *net;
	struct port *port;

	if (call_flags(a->flags, 0, "networkPortGetXMLDesc", err) < 0)
		return -EINVAL;
	net = call_network(call, &a->port.net, err);
	port = net ? call_port(net, a->port.uuid, err) : NULL;
	if (!port)
		return -ENOENT;
	r->value = port_def_format(port->def);
	return r->value ? RPC_DONE : nd_error_nomem(err);
}

/* The port's uuid is the client's own choice: kept in the reply from the start. */
static void reply_port(void *arg, struct network *net, const struct nd_error *err)
{
	struct nd_error nomem = { 0 };

	if (!err && wire_net(&((lv_port_ret *)rpc_call_ret(arg))->port.net, net) < 0) {
		nd_error_nomem(&nomem);
		err = &nomem;
	}
	reply_done(arg, net, err);
}

enum { PORT_RECLAIM = 1, PORT_VALIDATE = 2 };

static int create_port(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	const lv_network_port_create_xml_args *a = args;
	struct netd *d = call_netd(call);
	ND_AUTO(port_def_free) struct port_def *def = NULL;
	size_t len = strlen(a->xml);
	struct network *net;
	int r = call_flags(a->flags, PORT_RECLAIM | PORT_VALIDATE, "networkPortCreateXML", err);

	if (r < 0)
		return r;
	net = call_network(call, &a->net, err);
	if (!net)
		return -ENOENT;
	if (a->flags & PORT_VALIDATE)
		r = port_def_validate_schema(a->xml, len, d->paths.schemas, err);
	if (r == 0)
		r = port_def_parse(a->xml, len, &def, err);
	if (r < 0)
		return r;
	memcpy(((lv_port_ret *)ret)->port.uuid, def->uuid.bytes, sizeof(lv_uuid));
	r = ports_create(d, net, nd_take_ptr(&def), a->flags & PORT_RECLAIM, reply_port, call, err);
	return r < 0 ? r : RPC_PENDING;
}

static int delete_port(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	const lv_port_flags_args *a = args;
	struct network *net;
	struct port *port;
	int r = call_flags(a->flags, 0, "networkPortDelete", err);

	if (r < 0)
		return r;
	net = call_network(call, &a->port.net, err);
	port = net ? call_port(net, a->port.uuid, err) : NULL;
	if (!port)
		return -ENOENT;
	r = ports_delete(call_netd(call), net, &port->def->uuid, reply_done, call, err);
	return r < 0 ? r : RPC_PENDING;
}

/* ---- parameters ---- */

/* All seven, zero where the port has none: a client can then set each of them. */
static int get_port_params(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	const lv_network_port_get_parameters_args *a = args;
	lv_network_port_get_parameters_ret *r = ret;
	struct network *net = call_network(call, &a->port.net, err);
	struct port *port = net ? call_port(net, a->port.uuid, err) : NULL;

	if (!port)
		return -ENOENT;
	return bandwidth_params_fill(&port->def->bandwidth, &r->params.params_val, &r->params.params_len,
				     err);
}

static int set_port_params(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	const lv_network_port_set_parameters_args *a = args;
	struct bandwidth_params params;
	struct network *net = call_network(call, &a->port.net, err);
	struct port *port = net ? call_port(net, a->port.uuid, err) : NULL;
	int r;

	if (!port)
		return -ENOENT;
	r = bandwidth_params_parse(a->params.params_val, a->params.params_len, &params, err);
	if (r == 0)
		r = ports_set_bandwidth(call_netd(call), net, &port->def->uuid, &params.to, reply_done,
					call, err);
	return r < 0 ? r : RPC_PENDING;
}

const struct rpc_method port_methods[] = {
	CALL(LV_PROC_NETWORK_LIST_ALL_PORTS, "virNetworkListAllPorts", RPC_READ_ONLY,
	     lv_network_list_all_ports_args, lv_network_list_all_ports_ret, list_ports),
	CALL(LV_PROC_NETWORK_PORT_LOOKUP_BY_UUID, "virNetworkPortLookupByUUID", RPC_READ_ONLY,
	     lv_network_port_lookup_by_uuid_args, lv_port_ret, lookup_port),
	CALL(LV_PROC_NETWORK_PORT_CREATE_XML, "virNetworkPortCreateXML", 0,
	     lv_network_port_create_xml_args, lv_port_ret, create_port),
	CALL(LV_PROC_NETWORK_PORT_GET_XML_DESC, "virNetworkPortGetXMLDesc", RPC_READ_ONLY,
	     lv_port_flags_args, lv_str_ret, get_port_xml),
	CALL_ARGS(LV_PROC_NETWORK_PORT_DELETE, "virNetworkPortDelete", 0, lv_port_flags_args,
		  delete_port),
	CALL(LV_PROC_NETWORK_PORT_GET_PARAMETERS, "virNetworkPortGetParameters", RPC_READ_ONLY,
	     lv_network_port_get_parameters_args, lv_network_port_get_parameters_ret, get_port_params),
	CALL_ARGS(LV_PROC_NETWORK_PORT_SET_PARAMETERS, "virNetworkPortSetParameters", 0,
		  lv_network_port_set_parameters_args, set_port_params),
};
const size_t n_port_methods = ND_COUNT(port_methods);
