/* SPDX-License-Identifier: GPL-2.0-or-later */
/* calls_domain_metadata.c -- libvirt's calls on guests' title, description and metadata */
#include <errno.h>

#include "netd/daemon/calls_domain.h"
#include "netd/daemon/guest_metadata.h"

static int get_metadata(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	const lv_domain_get_metadata_args *a = args;
	struct guest *g;
	bool live, config;
	int r = call_flags(a->flags, AFFECT_LIVE | AFFECT_CONFIG, "virDomainGetMetadata", err);

	if (r < 0)
		return r;
	g = call_guest(call, &a->dom, err);
	r = g ? guest_affected(g, a->flags, &live, &config, err) : -ENOENT;
	if (r < 0)
		return r;
	return guest_get_metadata(live ? g->live : g->def, a->type, a->uri ? *a->uri : NULL,
				  &((lv_str_ret *)ret)->value, err);
}

static int set_metadata(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	const lv_domain_set_metadata_args *a = args;
	struct guest_metadata_change what = {
		.type = a->type, .text = a->metadata ? *a->metadata : NULL, .key = a->key ? *a->key : NULL,
		.uri = a->uri ? *a->uri : NULL,
	};
	struct guest *g;
	int r = call_flags(a->flags, AFFECT_LIVE | AFFECT_CONFIG, "virDomainSetMetadata", err);

	if (r < 0)
		return r;
	g = call_guest(call, &a->dom, err);
	r = g ? guest_affected(g, a->flags, &what.live, &what.config, err) : -ENOENT;
	if (r == 0)
		r = guest_set_metadata(g, &what, reply_guest_done, call, err);
	return r < 0 ? r : RPC_PENDING;
}

const struct rpc_method domain_metadata_methods[] = {
	DOM(LV_PROC_DOMAIN_GET_METADATA, "virDomainGetMetadata", RPC_READ_ONLY,
	    lv_domain_get_metadata_args, lv_str_ret, get_metadata),
	DOM_ARGS(LV_PROC_DOMAIN_SET_METADATA, "virDomainSetMetadata", 0, lv_domain_set_metadata_args,
		 set_metadata),
};
const size_t n_domain_metadata_methods = ND_COUNT(domain_metadata_methods);
