/* SPDX-License-Identifier: GPL-2.0-or-later */
/* calls_nwfilter.c -- libvirt's calls on network filters, and on bindings: NICs that have one */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "netd/base/array.h"
#include "netd/base/str.h"
#include "netd/daemon/calls.h"
#include "netd/daemon/nwfilters.h"

/* ---- filters ---- */

static int wire_filter(lv_net *out, const struct nwfilter_def *def, struct nd_error *err)
{
	memcpy(out->uuid, def->uuid.bytes, sizeof(out->uuid));
	return wire_str(&out->name, def->name, err);
}

static int reply_filter(const struct nwfilter_def *def, void *ret, struct nd_error *err)
{
	return wire_filter(&((lv_net_ret *)ret)->net, def, err) < 0 ? -ENOMEM : RPC_DONE;
}

static int lookup_by_name(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	const lv_name_args *a = args;
	const struct nwfilter_def *def = nwfilters_find(call_netd(call)->nwfilters, a->name);

	if (!def)
		return nd_error_set(err, ND_ERR_NO_NWFILTER, "no nwfilter with matching name '%.300s'", a->name);
	return reply_filter(def, ret, err);
}

static const struct nwfilter_def *by_uuid(struct rpc_call *call, const char *bytes, struct nd_error *err)
{
	const struct nwfilter_def *def;
	char text[ND_UUID_STRLEN];
	struct nd_uuid uuid;

	memcpy(uuid.bytes, bytes, sizeof(uuid.bytes));
	def = nwfilters_find_uuid(call_netd(call)->nwfilters, &uuid);
	if (!def)
		nd_error_set(err, ND_ERR_NO_NWFILTER, "no nwfilter with matching uuid '%s'", nd_uuid_format(&uuid, text));
	return def;
}

static int lookup_by_uuid(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	const struct nwfilter_def *def = by_uuid(call, ((lv_uuid_args *)args)->uuid, err);

	return def ? reply_filter(def, ret, err) : -ENOENT;
}

static unsigned count(const struct nwfilters *f)
{
	unsigned n = 0;

	while (nwfilters_at(f, n))
		n++;
	return n;
}

static int num_of(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	((lv_int_ret *)ret)->value = (int)count(call_netd(call)->nwfilters);
	return RPC_DONE;
}

static int list_names(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	const struct nwfilters *f = call_netd(call)->nwfilters;
	const lv_names_args *a = args;
	lv_names_ret *r = ret;
	const struct nwfilter_def *def;

	if (a->maxnames < 0 || a->maxnames > LV_NETWORK_LIST_MAX)
		return nd_error_set(err, ND_ERR_RPC, "too many remote nwfilters: %d > %d", a->maxnames,
				    LV_NETWORK_LIST_MAX);
	r->names.names_val = calloc(count(f) + 1, sizeof(*r->names.names_val));
	if (!r->names.names_val)
		return nd_error_nomem(err);
	for (unsigned i = 0; i < (unsigned)a->maxnames && (def = nwfilters_at(f, i)); i++) {
		if (wire_str(&r->names.names_val[i], def->name, err) < 0)
			return -ENOMEM;
		r->names.names_len++;
	}
	return RPC_DONE;
}

static int list_all(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	const struct nwfilters *f = call_netd(call)->nwfilters;
	const lv_list_all_args *a = args;
	lv_list_all_networks_ret *r = ret;
	const struct nwfilter_def *def;

	if (call_flags(a->flags, 0, "nwfilterConnectListAllNWFilters", err) < 0)
		return -EINVAL;
	r->ret = count(f);
	if (!a->need_results)
		return RPC_DONE;
	r->nets.nets_val = calloc(r->ret + 1, sizeof(*r->nets.nets_val));
	if (!r->nets.nets_val)
		return nd_error_nomem(err);
	for (unsigned i = 0; i < LV_NETWORK_LIST_MAX && (def = nwfilters_at(f, i)); i++) {
		if (wire_filter(&r->nets.nets_val[i], def, err) < 0)
			return -ENOMEM;
		r->nets.nets_len++;
	}
	return RPC_DONE;
}

static int get_xml(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	const lv_net_flags_args *a = args;
	const struct nwfilter_def *def;

	if (call_flags(a->flags, 0, "nwfilterGetXMLDesc", err) < 0)
		return -EINVAL;
	def = by_uuid(call, a->net.uuid, err);
	if (!def)
		return -ENOENT;
	((lv_str_ret *)ret)->value = nwfilter_def_format(def);
	return ((lv_str_ret *)ret)->value ? RPC_DONE : nd_error_nomem(err);
}

static void reply_defined(void *arg, const struct nwfilter_def *def, const struct nd_error *err)
{
	struct nd_error nomem = { 0 };

	if (!err && def && wire_filter(&((lv_net_ret *)rpc_call_ret(arg))->net, def, &nomem) < 0)
		err = &nomem;
	if (err)
		rpc_call_fail(arg, err);
	else
		rpc_call_reply(arg);
}

static void reply_undefined(void *arg, const struct nwfilter_def *def, const struct nd_error *err)
{
	if (err)
		rpc_call_fail(arg, err);
	else
		rpc_call_reply(arg);
}

static int define(struct rpc_call *call, const char *xml, unsigned flags, struct nd_error *err)
{
	enum { VALIDATE = 1 };
	struct netd *d = call_netd(call);
	struct nwfilter_def *def = NULL;
	int r = call_flags(flags, VALIDATE, "nwfilterDefineXMLFlags", err);

	if (r == 0 && flags & VALIDATE)
		r = nwfilter_def_validate_schema(xml, strlen(xml), d->paths.schemas, err);
	if (r == 0)
		r = nwfilter_def_parse(xml, strlen(xml), &def, err);
	if (r == 0)
		r = nwfilter_define(d, def, reply_defined, call, err);
	return r < 0 ? r : RPC_PENDING;
}

static int define_xml(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	return define(call, ((lv_xml_args *)args)->xml, 0, err);
}

static int define_xml_flags(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	const lv_xml_flags_args *a = args;

	return define(call, a->xml, a->flags, err);
}

static int undefine(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	const struct nwfilter_def *def = by_uuid(call, ((lv_net_args *)args)->net.uuid, err);
	int r = def ? nwfilter_undefine(call_netd(call), def->name, reply_undefined, call, err) : -ENOENT;

	return r < 0 ? r : RPC_PENDING;
}

/* ---- bindings ---- */

/* A NIC of a guest that runs, with a filter. */
struct binding {
	const struct guest *guest;
	const struct dom_nic *nic;
};

/* Calls each for all of them until it returns false. */
static void each_binding(const struct netd *d, bool (*each)(void *arg, const struct binding *b), void *arg)
{
	struct guest *g;

	for (size_t pos = 0; (g = guests_next(&d->guests, &pos));)
		for (size_t i = 0; g->live && i < g->live->n_nics; i++) {
			const struct binding b = { g, &g->live->nics[i] };

			if (b.nic->filter.filter && b.nic->target && !each(arg, &b))
				return;
		}
}

struct search {
	const char *device;
	struct binding found;
};

static bool is_searched(void *arg, const struct binding *b)
{
	struct search *s = arg;

	if (!nd_streq(b->nic->target, s->device))
		return true;
	s->found = *b;
	return false;
}

static int find_binding(struct rpc_call *call, const char *device, struct binding *out, struct nd_error *err)
{
	struct search s = { .device = device };

	each_binding(call_netd(call), is_searched, &s);
	*out = s.found;
	return s.found.nic ? 0 : nd_error_set(err, ND_ERR_NO_NWFILTER_BINDING,
					      "no nwfilter binding for port dev '%.100s'", device);
}

static int wire_binding(lv_nwfilter_binding *out, const struct binding *b, struct nd_error *err)
{
	int r = wire_str(&out->device, b->nic->target, err);

	return r < 0 ? r : wire_str(&out->filter, b->nic->filter.filter, err);
}

static int lookup_binding(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	struct binding b;
	int r = find_binding(call, ((lv_name_args *)args)->name, &b, err);

	if (r == 0)
		r = wire_binding(&((lv_nwfilter_binding_ret *)ret)->binding, &b, err);
	return r < 0 ? r : RPC_DONE;
}

struct listing {
	lv_list_all_nwfilter_bindings_ret *ret;
	bool need_results, failed;
	struct nd_error *err;
};

static bool list_one(void *arg, const struct binding *b)
{
	struct listing *l = arg;
	unsigned *n = &l->ret->bindings.bindings_len;

	l->ret->ret++;
	if (!l->need_results || *n >= LV_NETWORK_LIST_MAX)
		return true;
	l->failed = nd_array_grow((void **)&l->ret->bindings.bindings_val, *n, sizeof(lv_nwfilter_binding)) < 0;
	if (l->failed) {
		nd_error_nomem(l->err);
		return false;
	}
	memset(&l->ret->bindings.bindings_val[*n], 0, sizeof(lv_nwfilter_binding));
	l->failed = wire_binding(&l->ret->bindings.bindings_val[(*n)++], b, l->err) < 0;
	return !l->failed;
}

static int list_bindings(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	const lv_list_all_args *a = args;
	struct listing l = { .ret = ret, .need_results = a->need_results, .err = err };

	if (call_flags(a->flags, 0, "nwfilterConnectListAllNWFilterBindings", err) < 0)
		return -EINVAL;
	each_binding(call_netd(call), list_one, &l);
	return l.failed ? -ENOMEM : RPC_DONE;
}

static int binding_xml(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	const lv_nwfilter_binding_get_xml_desc_args *a = args;
	struct nwfilter_binding shown = { 0 };
	struct binding b;
	int r = call_flags(a->flags, 0, "nwfilterBindingGetXMLDesc", err);

	if (r == 0)
		r = find_binding(call, a->binding.device, &b, err);
	if (r < 0)
		return r;
	shown.owner_name = b.guest->name;
	shown.owner_uuid = b.guest->uuid;
	shown.device = b.nic->target;
	shown.mac = b.nic->mac;
	shown.ref = &b.nic->filter;
	((lv_str_ret *)ret)->value = nwfilter_binding_format(&shown);
	return ((lv_str_ret *)ret)->value ? RPC_DONE : nd_error_nomem(err);
}

#define RO RPC_READ_ONLY
#define FILTER(number, api_, flags_, args_type, ret_type, handler) \
	{ .proc = number, .api = api_, .domain = FROM_NWFILTER, .flags = flags_, \
	  .args = (xdrproc_t)xdr_##args_type, .args_size = sizeof(args_type), \
	  .ret = (xdrproc_t)xdr_##ret_type, .ret_size = sizeof(ret_type), .handle = handler }

const struct rpc_method nwfilter_methods[] = {
	FILTER(LV_PROC_NWFILTER_LOOKUP_BY_NAME, "virNWFilterLookupByName", RO, lv_name_args, lv_net_ret, lookup_by_name),
	FILTER(LV_PROC_NWFILTER_LOOKUP_BY_UUID, "virNWFilterLookupByUUID", RO, lv_uuid_args, lv_net_ret, lookup_by_uuid),
	FILTER(LV_PROC_NWFILTER_GET_XML_DESC, "virNWFilterGetXMLDesc", RO, lv_net_flags_args, lv_str_ret, get_xml),
	{ .proc = LV_PROC_CONNECT_NUM_OF_NWFILTERS, .api = "virConnectNumOfNWFilters", .domain = FROM_NWFILTER, .flags = RO,
	  .ret = (xdrproc_t)xdr_lv_int_ret, .ret_size = sizeof(lv_int_ret), .handle = num_of },
	FILTER(LV_PROC_CONNECT_LIST_NWFILTERS, "virConnectListNWFilters", RO, lv_names_args, lv_names_ret, list_names),
	FILTER(LV_PROC_CONNECT_LIST_ALL_NWFILTERS, "virConnectListAllNWFilters", RO, lv_list_all_args,
	       lv_list_all_networks_ret, list_all),
	FILTER(LV_PROC_NWFILTER_DEFINE_XML, "virNWFilterDefineXML", 0, lv_xml_args, lv_net_ret, define_xml),
	FILTER(LV_PROC_NWFILTER_DEFINE_XML_FLAGS, "virNWFilterDefineXMLFlags", 0, lv_xml_flags_args, lv_net_ret,
	       define_xml_flags),
	{ .proc = LV_PROC_NWFILTER_UNDEFINE, .api = "virNWFilterUndefine", .domain = FROM_NWFILTER,
	  .args = (xdrproc_t)xdr_lv_net_args, .args_size = sizeof(lv_net_args), .handle = undefine },
	FILTER(LV_PROC_NWFILTER_BINDING_LOOKUP_BY_PORT_DEV, "virNWFilterBindingLookupByPortDev", RO, lv_name_args,
	       lv_nwfilter_binding_ret, lookup_binding),
	FILTER(LV_PROC_NWFILTER_BINDING_GET_XML_DESC, "virNWFilterBindingGetXMLDesc", RO,
	       lv_nwfilter_binding_get_xml_desc_args, lv_str_ret, binding_xml),
	FILTER(LV_PROC_CONNECT_LIST_ALL_NWFILTER_BINDINGS, "virConnectListAllNWFilterBindings", RO, lv_list_all_args,
	       lv_list_all_nwfilter_bindings_ret, list_bindings),
};
const size_t n_nwfilter_methods = ND_COUNT(nwfilter_methods);
