/* SPDX-License-Identifier: GPL-2.0-or-later */
/* calls_network.c -- libvirt's calls on networks: lookup, lists, life cycle, leases, events */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "netd/base/array.h"
#include "netd/base/log.h"
#include "netd/base/str.h"
#include "netd/daemon/calls.h"
#include "netd/daemon/revise.h"

static int lookup_by_name(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	const lv_name_args *a = args;
	struct network *net = registry_by_name(&call_netd(call)->networks, a->name);

	if (!net || !network_visible(net))
		return nd_error_set(err, ND_ERR_NO_NETWORK, "no network with matching name '%.300s'",
				    a->name);
	return wire_net(&((lv_net_ret *)ret)->net, net) < 0 ? nd_error_nomem(err) : RPC_DONE;
}

static int lookup_by_uuid(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	char text[ND_UUID_STRLEN];
	struct network *net;
	struct nd_uuid uuid;

	memcpy(uuid.bytes, ((lv_uuid_args *)args)->uuid, sizeof(uuid.bytes));
	net = registry_by_uuid(&call_netd(call)->networks, &uuid);
	if (!net || !network_visible(net))
		return nd_error_set(err, ND_ERR_NO_NETWORK, "no network with matching uuid '%s'",
				    nd_uuid_format(&uuid, text));
	return wire_net(&((lv_net_ret *)ret)->net, net) < 0 ? nd_error_nomem(err) : RPC_DONE;
}

enum { LIST_INACTIVE = 1, LIST_ACTIVE = 2, LIST_PERSISTENT = 4, LIST_TRANSIENT = 8,
       LIST_AUTOSTART = 16, LIST_NO_AUTOSTART = 32, LIST_ALL_FLAGS = 63 };

/* Within a group of flags one must fit, every group that has a flag must. */
static bool group_fits(unsigned flags, unsigned yes, unsigned no, bool is)
{
	return !(flags & (yes | no)) || flags & (is ? yes : no);
}

static bool list_fits(const struct network *net, unsigned flags)
{
	return network_visible(net) && group_fits(flags, LIST_ACTIVE, LIST_INACTIVE, net->live) &&
	       group_fits(flags, LIST_PERSISTENT, LIST_TRANSIENT, net->def) &&
	       group_fits(flags, LIST_AUTOSTART, LIST_NO_AUTOSTART, net->autostart);
}

static unsigned count(const struct registry *networks, unsigned flags)
{
	struct network *net;
	unsigned n = 0;

	for (size_t pos = 0; (net = registry_next(networks, &pos));)
		n += list_fits(net, flags);
	return n;
}

static int list_all(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	const lv_list_all_args *a = args;
	lv_list_all_networks_ret *r = ret;
	struct registry *networks = &call_netd(call)->networks;
	struct network *net;

	if (call_flags(a->flags, LIST_ALL_FLAGS, "networkConnectListAllNetworks", err) < 0)
		return -EINVAL;
	r->ret = count(networks, a->flags);
	if (!a->need_results)
		return RPC_DONE;
	r->nets.nets_val = calloc(r->ret + 1, sizeof(*r->nets.nets_val));
	if (!r->nets.nets_val)
		return nd_error_nomem(err);
	for (size_t pos = 0; (net = registry_next(networks, &pos));) {
		if (!list_fits(net, a->flags) || r->nets.nets_len >= LV_NETWORK_LIST_MAX)
			continue;
		if (wire_net(&r->nets.nets_val[r->nets.nets_len], net) < 0)
			return nd_error_nomem(err);
		r->nets.nets_len++;
	}
	return RPC_DONE;
}

static int num_active(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	((lv_int_ret *)ret)->value = (int)count(&call_netd(call)->networks, LIST_ACTIVE);
	return RPC_DONE;
}

static int num_defined(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	((lv_int_ret *)ret)->value = (int)count(&call_netd(call)->networks, LIST_INACTIVE);
	return RPC_DONE;
}

static int names(struct rpc_call *call, const lv_names_args *a, lv_names_ret *r, unsigned flags,
		 struct nd_error *err)
{
	struct registry *networks = &call_netd(call)->networks;
	unsigned n = count(networks, flags);
	struct network *net;

	if (a->maxnames < 0 || a->maxnames > LV_NETWORK_LIST_MAX)
		return nd_error_set(err, ND_ERR_RPC, "too many remote networks: %d > %d", a->maxnames,
				    LV_NETWORK_LIST_MAX);
	r->names.names_val = calloc(n + 1, sizeof(*r->names.names_val));
	if (!r->names.names_val)
		return nd_error_nomem(err);
	for (size_t pos = 0; (net = registry_next(networks, &pos));) {
		if (!list_fits(net, flags) || r->names.names_len >= (unsigned)a->maxnames)
			continue;
		if (wire_str(&r->names.names_val[r->names.names_len], net->name, err) < 0)
			return -ENOMEM;
		r->names.names_len++;
	}
	return RPC_DONE;
}

static int list_active(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	return names(call, args, ret, LIST_ACTIVE, err);
}

static int list_defined(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	return names(call, args, ret, LIST_INACTIVE, err);
}

static int is_active(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	struct network *net = call_network(call, &((lv_net_args *)args)->net, err);

	if (!net)
		return -ENOENT;
	((lv_int_ret *)ret)->value = net->live != NULL;
	return RPC_DONE;
}

static int is_persistent(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	struct network *net = call_network(call, &((lv_net_args *)args)->net, err);

	if (!net)
		return -ENOENT;
	((lv_int_ret *)ret)->value = net->def != NULL;
	return RPC_DONE;
}

static int get_autostart(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	struct network *net = call_network(call, &((lv_net_args *)args)->net, err);

	if (!net)
		return -ENOENT;
	((lv_int_ret *)ret)->value = net->autostart;
	return RPC_DONE;
}

static int get_bridge_name(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	struct network *net = call_network(call, &((lv_net_args *)args)->net, err);
	const struct net_def *def;

	if (!net)
		return -ENOENT;
	def = network_current(net);
	if (!def->bridge.name)
		return nd_error_set(err, ND_ERR_INTERNAL, "network '%s' does not have a bridge name.",
				    net->name);
	return wire_str(&((lv_str_ret *)ret)->value, def->bridge.name, err);
}

static int get_xml(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	const lv_net_flags_args *a = args;
	lv_str_ret *r = ret;
	struct network *net;
	bool inactive = a->flags & 1;

	if (call_flags(a->flags, 1, "networkGetXMLDesc", err) < 0)
		return -EINVAL;
	net = call_network(call, &a->net, err);
	if (!net)
		return -ENOENT;
	r->value = inactive || !net->live
		   ? net_def_format(network_definition(net), NET_FORMAT_INACTIVE)
		   : net_def_format(net->live, 0);
	return r->value ? RPC_DONE : nd_error_nomem(err);
}

/* ---- life cycle ---- */

/* A change_done: replies with the network, or fails. */
static void reply_net(void *arg, struct network *net, const struct nd_error *err)
{
	struct nd_error nomem = { 0 };

	if (!err && wire_net(&((lv_net_ret *)rpc_call_ret(arg))->net, net) < 0) {
		nd_error_nomem(&nomem);
		err = &nomem;
	}
	reply_done(arg, net, err);
}

typedef int (*lifecycle_def)(struct netd *d, struct net_def *def, change_done done, void *arg,
			     struct nd_error *err);

static int with_document(struct rpc_call *call, const char *xml, unsigned flags,
			 const char *function, lifecycle_def change, struct nd_error *err)
{
	ND_AUTO(net_def_free) struct net_def *def = NULL;
	struct netd *d = call_netd(call);
	int r = call_flags(flags, 1, function, err);

	if (r == 0 && flags & 1)
		r = net_def_validate_schema(xml, strlen(xml), d->paths.schemas, err);
	if (r == 0)
		r = net_def_parse(xml, strlen(xml), &def, err);
	if (r == 0)
		r = net_def_validate(def, err);
	for (size_t i = 0; r == 0 && i < def->n_warnings; i++)
		nd_log(LOG_WARNING, def->name, "%s", def->warnings[i]);
	if (r == 0)
		r = change(d, nd_take_ptr(&def), reply_net, call, err);
	return r < 0 ? r : RPC_PENDING;
}

static int define_xml(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	return with_document(call, ((lv_xml_args *)args)->xml, 0, "networkDefineXMLFlags",
			     lifecycle_define, err);
}

static int define_xml_flags(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	const lv_xml_flags_args *a = args;

	return with_document(call, a->xml, a->flags, "networkDefineXMLFlags", lifecycle_define, err);
}

static int create_xml(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	return with_document(call, ((lv_xml_args *)args)->xml, 0, "networkCreateXMLFlags",
			     lifecycle_create, err);
}

static int create_xml_flags(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	const lv_xml_flags_args *a = args;

	return with_document(call, a->xml, a->flags, "networkCreateXMLFlags", lifecycle_create, err);
}

typedef int (*lifecycle_net)(struct netd *d, struct network *net, change_done done, void *arg,
			     struct nd_error *err);

static int with_network(struct rpc_call *call, const lv_net_args *a, lifecycle_net change,
			struct nd_error *err)
{
	struct network *net = call_network(call, &a->net, err);
	int r = net ? change(call_netd(call), net, reply_done, call, err) : -ENOENT;

	return r < 0 ? r : RPC_PENDING;
}

static int create(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	return with_network(call, args, lifecycle_start, err);
}

static int destroy(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	return with_network(call, args, lifecycle_destroy, err);
}

static int undefine(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	return with_network(call, args, lifecycle_undefine, err);
}

static int set_autostart(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	const lv_network_set_autostart_args *a = args;
	struct network *net = call_network(call, &a->net, err);
	int r = net ? lifecycle_autostart(call_netd(call), net, a->autostart != 0, reply_done, call, err)
		    : -ENOENT;

	return r < 0 ? r : RPC_PENDING;
}

/* ---- leases ---- */

struct lease_list {
	lv_network_get_dhcp_leases_ret *ret;
	const char *bridge;
	bool failed, need_results;
	uint64_t now_s;
};

static char *hex(const uint8_t *bytes, size_t n)
{
	char *text = malloc(n * 3 + 1);

	for (size_t i = 0; text && i < n; i++)
		sprintf(text + i * 3, i + 1 < n ? "%02x:" : "%02x", bytes[i]);
	return text;
}

/* An optional string of the wire: a pointer of its own to the text. */
static bool set_optional(lv_opt_str *out, char *text)
{
	*out = text ? malloc(sizeof(**out)) : NULL;
	if (!*out) {
		free(text);
		return false;
	}
	**out = text;
	return true;
}

static bool fill_lease(lv_lease *out, const struct serve_lease *l, const char *bridge)
{
	char mac[ND_MAC_STRLEN], ip[ND_IP_STRLEN], iaid[16];
	bool v6 = l->ip.family == AF_INET6, ok = true;

	snprintf(iaid, sizeof(iaid), "%u", l->iaid);
	out->iface = strdup(bridge);
	out->ipaddr = strdup(nd_ip_format(&l->ip, ip));
	out->expiry_s = (int64_t)l->expiry_s;
	out->type = v6;
	out->prefix = l->prefix_len;
	ok &= set_optional(&out->mac, strdup(nd_mac_format(&l->mac, mac)));
	if (v6)
		ok &= set_optional(&out->iaid, strdup(iaid));
	if (l->hostname[0])
		ok &= set_optional(&out->hostname, strdup(l->hostname));
	if (l->client_id_len)
		ok &= set_optional(&out->clientid, hex(l->client_id, l->client_id_len));
	return ok && out->iface && out->ipaddr;
}

static void add_lease(void *arg, const struct serve_lease *lease)
{
	struct lease_list *list = arg;
	lv_network_get_dhcp_leases_ret *r = list->ret;
	lv_lease *out;

	if ((lease->expiry_s && lease->expiry_s <= list->now_s) || list->failed ||
	    r->ret >= LV_LEASE_LIST_MAX)
		return;
	r->ret++;
	if (!list->need_results)
		return;
	out = nd_array_add(r->leases.leases_val, r->leases.leases_len);
	if (!out || !fill_lease(out, lease, list->bridge))
		list->failed = true;
}

static int get_leases(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	const lv_network_get_dhcp_leases_args *a = args;
	struct network *net;
	struct nd_mac mac;
	struct lease_list list = { .ret = ret, .need_results = a->need_results != 0,
				   .now_s = (uint64_t)time(NULL) };

	if (call_flags(a->flags, 0, "networkGetDHCPLeases", err) < 0)
		return -EINVAL;
	net = call_network(call, &a->net, err);
	if (!net)
		return -ENOENT;
	if (a->mac && !nd_mac_parse(*a->mac, &mac))
		return nd_error_set(err, ND_ERR_INVALID_MAC, "%.100s", *a->mac);
	if (!net->live || !net->live->bridge.name)
		return RPC_DONE;
	list.bridge = net->live->bridge.name;
	servers_leases(call_netd(call)->servers, &net->uuid, a->mac ? &mac : NULL, add_lease, &list);
	return list.failed ? nd_error_nomem(err) : RPC_DONE;
}

/* ---- updates ---- */

static int update(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	const lv_network_update_args *a = args;
	struct network *net;
	struct entry_revision e = {
		.command = (int)a->command, .section = (int)a->section,
		.parent_index = a->parent_index, .xml = a->xml, .flags = a->flags,
	};
	int r = call_flags(a->flags, AFFECT_LIVE | AFFECT_CONFIG, "networkUpdate", err);

	if (r < 0)
		return r;
	net = call_network(call, &a->net, err);
	r = net ? revise_entry(call_netd(call), net, &e, reply_done, call, err) : -ENOENT;
	return r < 0 ? r : RPC_PENDING;
}

static int set_metadata(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	const lv_network_set_metadata_args *a = args;
	struct network *net;
	struct metadata_revision m = {
		.type = a->type, .text = a->metadata ? *a->metadata : NULL, .key = a->key ? *a->key : NULL,
		.uri = a->uri ? *a->uri : NULL, .flags = a->flags,
	};
	int r = call_flags(a->flags, AFFECT_LIVE | AFFECT_CONFIG, "networkSetMetadata", err);

	if (r < 0)
		return r;
	net = call_network(call, &a->net, err);
	r = net ? revise_metadata(call_netd(call), net, &m, reply_done, call, err) : -ENOENT;
	return r < 0 ? r : RPC_PENDING;
}

static int get_metadata(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	const lv_network_get_metadata_args *a = args;
	struct network *net;
	bool live, config;
	int r = call_flags(a->flags, AFFECT_LIVE | AFFECT_CONFIG, "networkGetMetadata", err);

	if (r < 0)
		return r;
	if (a->flags == (AFFECT_LIVE | AFFECT_CONFIG))
		return nd_error_set(err, ND_ERR_INVALID_ARG, "flags 'VIR_NETWORK_UPDATE_AFFECT_LIVE' and "
				    "'VIR_NETWORK_UPDATE_AFFECT_CONFIG' in function "
				    "'virNetworkGetMetadata' are mutually exclusive");
	net = call_network(call, &a->net, err);
	if (!net)
		return -ENOENT;
	r = affected(net, a->flags, &live, &config, err);
	if (r < 0)
		return r;
	return net_def_get_metadata(live ? net->live : net->def, a->type, a->uri ? *a->uri : NULL,
				    &((lv_str_ret *)ret)->value, err);
}

/* ---- events ---- */

static int event_register(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	const lv_network_event_register_any_args *a = args;
	struct nd_uuid uuid;
	int id;

	if (a->net)
		memcpy(uuid.bytes, a->net->uuid, sizeof(uuid.bytes));
	id = events_register(call_netd(call)->events, rpc_call_session(call), a->event_id,
			     a->net ? &uuid : NULL, err);
	if (id < 0)
		return id;
	((lv_int_ret *)ret)->value = id;
	return RPC_DONE;
}

static int event_deregister(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	return events_deregister(call_netd(call)->events, rpc_call_session(call),
				 ((lv_callback_args *)args)->callback_id, err);
}

#define RO RPC_READ_ONLY

const struct rpc_method network_methods[] = {
	CALL(LV_PROC_NETWORK_LOOKUP_BY_NAME, "virNetworkLookupByName", RO, lv_name_args, lv_net_ret,
	     lookup_by_name),
	CALL(LV_PROC_NETWORK_LOOKUP_BY_UUID, "virNetworkLookupByUUID", RO, lv_uuid_args, lv_net_ret,
	     lookup_by_uuid),
	CALL(LV_PROC_CONNECT_LIST_ALL_NETWORKS, "virConnectListAllNetworks", RO, lv_list_all_args,
	     lv_list_all_networks_ret, list_all),
	CALL_RET(LV_PROC_CONNECT_NUM_OF_NETWORKS, "virConnectNumOfNetworks", RO, lv_int_ret,
		 num_active),
	CALL_RET(LV_PROC_CONNECT_NUM_OF_DEFINED_NETWORKS, "virConnectNumOfDefinedNetworks", RO,
		 lv_int_ret, num_defined),
	CALL(LV_PROC_CONNECT_LIST_NETWORKS, "virConnectListNetworks", RO, lv_names_args, lv_names_ret,
	     list_active),
	CALL(LV_PROC_CONNECT_LIST_DEFINED_NETWORKS, "virConnectListDefinedNetworks", RO,
	     lv_names_args, lv_names_ret, list_defined),
	CALL(LV_PROC_NETWORK_IS_ACTIVE, "virNetworkIsActive", RO, lv_net_args, lv_int_ret, is_active),
	CALL(LV_PROC_NETWORK_IS_PERSISTENT, "virNetworkIsPersistent", RO, lv_net_args, lv_int_ret,
	     is_persistent),
	CALL(LV_PROC_NETWORK_GET_AUTOSTART, "virNetworkGetAutostart", RO, lv_net_args, lv_int_ret,
	     get_autostart),
	CALL(LV_PROC_NETWORK_GET_BRIDGE_NAME, "virNetworkGetBridgeName", RO, lv_net_args, lv_str_ret,
	     get_bridge_name),
	CALL(LV_PROC_NETWORK_GET_XML_DESC, "virNetworkGetXMLDesc", RO, lv_net_flags_args, lv_str_ret,
	     get_xml),
	CALL(LV_PROC_NETWORK_DEFINE_XML, "virNetworkDefineXML", 0, lv_xml_args, lv_net_ret,
	     define_xml),
	CALL(LV_PROC_NETWORK_DEFINE_XML_FLAGS, "virNetworkDefineXMLFlags", 0, lv_xml_flags_args,
	     lv_net_ret, define_xml_flags),
	CALL(LV_PROC_NETWORK_CREATE_XML, "virNetworkCreateXML", 0, lv_xml_args, lv_net_ret,
	     create_xml),
	CALL(LV_PROC_NETWORK_CREATE_XML_FLAGS, "virNetworkCreateXMLFlags", 0, lv_xml_flags_args,
	     lv_net_ret, create_xml_flags),
	CALL_ARGS(LV_PROC_NETWORK_CREATE, "virNetworkCreate", 0, lv_net_args, create),
	CALL_ARGS(LV_PROC_NETWORK_DESTROY, "virNetworkDestroy", 0, lv_net_args, destroy),
	CALL_ARGS(LV_PROC_NETWORK_UNDEFINE, "virNetworkUndefine", 0, lv_net_args, undefine),
	CALL_ARGS(LV_PROC_NETWORK_SET_AUTOSTART, "virNetworkSetAutostart", 0,
		  lv_network_set_autostart_args, set_autostart),
	CALL(LV_PROC_NETWORK_GET_DHCP_LEASES, "virNetworkGetDHCPLeases", RO,
	     lv_network_get_dhcp_leases_args, lv_network_get_dhcp_leases_ret, get_leases),
	CALL_ARGS(LV_PROC_NETWORK_UPDATE, "virNetworkUpdate", 0, lv_network_update_args, update),
	CALL_ARGS(LV_PROC_NETWORK_SET_METADATA, "virNetworkSetMetadata", 0,
		  lv_network_set_metadata_args, set_metadata),
	CALL(LV_PROC_NETWORK_GET_METADATA, "virNetworkGetMetadata", RO, lv_network_get_metadata_args,
	     lv_str_ret, get_metadata),
	CALL(LV_PROC_CONNECT_NETWORK_EVENT_REGISTER_ANY, "virConnectNetworkEventRegisterAny", RO,
	     lv_network_event_register_any_args, lv_int_ret, event_register),
	CALL_ARGS(LV_PROC_CONNECT_NETWORK_EVENT_DEREGISTER_ANY, "virConnectNetworkEventDeregisterAny",
		  RO, lv_callback_args, event_deregister),
};
const size_t n_network_methods = ND_COUNT(network_methods);
