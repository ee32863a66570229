/* SPDX-License-Identifier: GPL-2.0-or-later */
/* calls_domain_nic.c -- libvirt's calls on guests' NICs: counters, addresses and bandwidth */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "datapath/guest_link.h"
#include "netd/base/array.h"
#include "netd/base/str.h"
#include "netd/daemon/calls_domain.h"
#include "netd/daemon/guest_tune.h"

static struct dom_nic *live_nic(struct guest *g, const char *device, struct nd_error *err)
{
	struct dom_nic *nic;

	if (!g->live) {
		nd_error_set(err, ND_ERR_OPERATION_INVALID, "domain is not running");
		return NULL;
	}
	nic = dom_nic_named(g->live, device);
	if (!nic || !nic->target) {
		nd_error_set(err, ND_ERR_INVALID_ARG, "invalid path, '%.100s' is not a known interface",
			     device);
		return NULL;
	}
	return nic;
}

/* ---- counters ---- */

struct counters_job {
	struct worker_job job;		/* first */
	struct netd *netd;
	struct rpc_call *call;
	char name[IFNAMSIZ];
	bool swap;			/* what the host receives the guest has sent */
	struct link_counters counters;
	int result;
	struct nd_error err;
};

/* Worker. */
static void counters_read(struct worker_job *job)
{
	struct counters_job *j = (struct counters_job *)job;

	j->result = datapath_link_counters(j->netd->datapath, j->name, &j->counters, &j->err);
}

static void counters_done(struct worker_job *job)
{
	struct counters_job *j = (struct counters_job *)job;
	const struct link_counters *c = &j->counters;
	lv_domain_interface_stats_ret in = {
		.rx_bytes = (int64_t)c->rx_bytes, .rx_packets = (int64_t)c->rx_packets,
		.rx_errs = (int64_t)c->rx_errors, .rx_drop = (int64_t)c->rx_dropped,
		.tx_bytes = (int64_t)c->tx_bytes, .tx_packets = (int64_t)c->tx_packets,
		.tx_errs = (int64_t)c->tx_errors, .tx_drop = (int64_t)c->tx_dropped,
	};
	lv_domain_interface_stats_ret swapped = {
		.rx_bytes = in.tx_bytes, .rx_packets = in.tx_packets,
		.rx_errs = in.tx_errs, .rx_drop = in.tx_drop,
		.tx_bytes = in.rx_bytes, .tx_packets = in.rx_packets,
		.tx_errs = in.rx_errs, .tx_drop = in.rx_drop,
	};

	if (j->result < 0) {
		rpc_call_fail(j->call, &j->err);
	} else {
		*(lv_domain_interface_stats_ret *)rpc_call_ret(j->call) = j->swap ? swapped : in;
		rpc_call_reply(j->call);
	}
	free(j);
}

static int interface_stats(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	const lv_domain_interface_stats_args *a = args;
	struct guest *g = call_guest(call, &a->dom, err);
	struct dom_nic *nic = g ? live_nic(g, a->device, err) : NULL;
	struct counters_job *j;

	if (!nic)
		return -ENOENT;
	j = calloc(1, sizeof(*j));
	if (!j)
		return nd_error_nomem(err);
	*j = (struct counters_job){ .job = { counters_read, counters_done }, .netd = call_netd(call),
				    .call = call, .swap = nic->type != DOM_NIC_DIRECT };
	snprintf(j->name, sizeof(j->name), "%s", nic->target);
	worker_submit(call_netd(call)->worker, &j->job);
	return RPC_PENDING;
}

/* ---- addresses ---- */

struct address_list {
	lv_domain_interface *iface;
	uint64_t now_s;
	bool failed;
};

static void add_address(void *arg, const struct serve_lease *lease)
{
	struct address_list *list = arg;
	char ip[ND_IP_STRLEN];
	lv_ip_address *out;

	if ((lease->expiry_s && lease->expiry_s <= list->now_s) ||
	    list->iface->addrs.addrs_len >= LV_INTERFACES_MAX)
		return;
	out = nd_array_add(list->iface->addrs.addrs_val, list->iface->addrs.addrs_len);
	if (!out) {
		list->failed = true;
		return;
	}
	out->type = lease->ip.family == AF_INET6;
	out->prefix = lease->prefix_len;
	out->addr = strdup(nd_ip_format(&lease->ip, ip));
	list->failed |= !out->addr;
}

static int fill_interface(struct netd *d, const struct dom_nic *nic, const struct network *net,
			  lv_domain_interface *out)
{
	struct address_list list = { .iface = out, .now_s = (uint64_t)time(NULL) };
	char mac[ND_MAC_STRLEN];

	out->name = strdup(nic->target);
	out->hwaddr = malloc(sizeof(*out->hwaddr));
	if (!out->name || !out->hwaddr)
		return -ENOMEM;
	*out->hwaddr = strdup(nd_mac_format(&nic->mac, mac));
	if (!*out->hwaddr)
		return -ENOMEM;
	servers_leases(d->servers, &net->uuid, &nic->mac, add_address, &list);
	return list.failed ? -ENOMEM : 0;
}

enum { ADDRESS_LEASE = 0 };

static int interface_addresses(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	const lv_domain_interface_addresses_args *a = args;
	lv_domain_interface_addresses_ret *r = ret;
	struct netd *d = call_netd(call);
	struct guest *g;

	if (call_flags(a->flags, 0, "virDomainInterfaceAddresses", err) < 0)
		return -EINVAL;
	if (a->source != ADDRESS_LEASE)
		return nd_error_set(err, ND_ERR_ARGUMENT_UNSUPPORTED, "addresses are known from leases only, "
				    "not from source %u", a->source);
	g = call_guest(call, &a->dom, err);
	if (!g)
		return -ENOENT;
	if (!g->live)
		return nd_error_set(err, ND_ERR_OPERATION_INVALID, "domain is not running");
	for (size_t i = 0; i < g->live->n_nics; i++) {
		const struct dom_nic *nic = &g->live->nics[i];
		const struct network *net = nic->network ? registry_by_name(&d->networks, nic->network)
							 : NULL;
		lv_domain_interface *out;

		if (!net || !nic->target)
			continue;
		out = nd_array_add(r->ifaces.ifaces_val, r->ifaces.ifaces_len);
		if (!out || fill_interface(d, nic, net, out) < 0)
			return nd_error_nomem(err);
		if (out->addrs.addrs_len)
			continue;
		xdr_free((xdrproc_t)xdr_lv_domain_interface, (char *)out);	/* no lease: not listed */
		r->ifaces.ifaces_len--;
	}
	return RPC_DONE;
}

/* ---- bandwidth ---- */

static int set_interface_parameters(struct rpc_call *call, void *args, void *ret,
				    struct nd_error *err)
{
	const lv_domain_set_interface_parameters_args *a = args;
	struct bandwidth_params params;
	bool live, config;
	struct guest *g;
	int r = call_flags(a->flags, AFFECT_LIVE | AFFECT_CONFIG, "virDomainSetInterfaceParameters", err);

	if (r == 0)
		r = bandwidth_params_parse(a->params.params_val, a->params.params_len, &params, err);
	if (r < 0)
		return r;
	g = call_guest(call, &a->dom, err);
	if (!g)
		return -ENOENT;
	r = guest_affected(g, a->flags, &live, &config, err);
	if (r == 0)
		r = guest_tune(g, a->device, &params, live, config, reply_guest_done, call, err);
	return r < 0 ? r : RPC_PENDING;
}

enum { TYPED_STRING_OKAY = 4 };		/* VIR_TYPED_PARAM_STRING_OKAY */

static int get_interface_parameters(struct rpc_call *call, void *args, void *ret,
				    struct nd_error *err)
{
	const lv_domain_get_interface_parameters_args *a = args;
	lv_domain_get_interface_parameters_ret *out = ret;
	unsigned flags = a->flags & ~(unsigned)TYPED_STRING_OKAY;
	const struct dom_nic *nic;
	bool live, config;
	struct guest *g;

	if (call_flags(flags, AFFECT_LIVE | AFFECT_CONFIG, "virDomainGetInterfaceParameters", err) < 0)
		return -EINVAL;
	if (flags == (AFFECT_LIVE | AFFECT_CONFIG))
		return nd_error_set(err, ND_ERR_INVALID_ARG, "invalid argument: only one of the running "
				    "guest and its definition can be asked");
	g = call_guest(call, &a->dom, err);
	if (!g || guest_affected(g, flags, &live, &config, err) < 0)
		return -ENOENT;
	nic = dom_nic_named(live ? g->live : g->def, a->device);
	if (!nic)
		return nd_error_set(err, ND_ERR_INVALID_ARG, "invalid argument: '%.100s' is not a known "
				    "interface", a->device);
	out->nparams = BANDWIDTH_PARAMS;
	if (!a->nparams)	/* only asks how many there are */
		return RPC_DONE;
	return bandwidth_params_fill(&nic->bandwidth, &out->params.params_val, &out->params.params_len,
				     err) < 0 ? -ENOMEM : RPC_DONE;
}

#define RO RPC_READ_ONLY

const struct rpc_method domain_nic_methods[] = {
	DOM(LV_PROC_DOMAIN_INTERFACE_STATS, "virDomainInterfaceStats", RO,
	    lv_domain_interface_stats_args, lv_domain_interface_stats_ret, interface_stats),
	DOM(LV_PROC_DOMAIN_INTERFACE_ADDRESSES, "virDomainInterfaceAddresses", RO,
	    lv_domain_interface_addresses_args, lv_domain_interface_addresses_ret,
	    interface_addresses),
	DOM_ARGS(LV_PROC_DOMAIN_SET_INTERFACE_PARAMETERS, "virDomainSetInterfaceParameters", 0,
		 lv_domain_set_interface_parameters_args, set_interface_parameters),
	DOM(LV_PROC_DOMAIN_GET_INTERFACE_PARAMETERS, "virDomainGetInterfaceParameters", RO,
	    lv_domain_get_interface_parameters_args, lv_domain_get_interface_parameters_ret,
	    get_interface_parameters),
};
const size_t n_domain_nic_methods = ND_COUNT(domain_nic_methods);
