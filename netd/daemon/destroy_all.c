/* SPDX-License-Identifier: GPL-2.0-or-later */
/* destroy_all.c -- every active network goes, the bridges in groups
 *
 * The kernel waits for each deletion of a bridge, so the bridges go first and together; then each
 * network is destroyed as ever, and finds its bridge gone. Until then nobody repairs.
 */
#include "netd/daemon/destroy_all.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "netd/base/array.h"
#include "netd/base/log.h"
#include "netd/daemon/check.h"

struct destroy_all {
	struct worker_job job;
	struct netd *netd;
	struct rpc_call *call;
	bool progress;
	struct plan_bridge *bridges;
	struct nd_uuid *networks;
	size_t n_bridges, n_networks, n_ended;
	struct nd_error err;		/* of the first that failed */
};

static void all_free(struct destroy_all *a)
{
	free(a->bridges);
	free(a->networks);
	free(a);
}

static void tell_progress(struct destroy_all *a, const char *name)
{
	struct rpc_session *session = rpc_call_session(a->call);
	netd_progress_event e = { .done = (unsigned)a->n_ended, .total = (unsigned)a->n_networks,
				  .what = (char *)name };

	if (a->progress && session)
		rpc_session_send_event(session, NETD_PROGRAM, NETD_PROC_EVENT_PROGRESS,
				       (xdrproc_t)xdr_netd_progress_event, &e);
}

static void finish(struct destroy_all *a)
{
	((lv_int_ret *)rpc_call_ret(a->call))->value = (int)a->n_networks;
	if (a->err.kind)
		rpc_call_fail(a->call, &a->err);
	else
		rpc_call_reply(a->call);
	all_free(a);
}

static void one_ended(void *arg, struct network *net, const struct nd_error *err)
{
	struct destroy_all *a = arg;

	net->held = false;
	a->n_ended++;
	if (err && err->kind != ND_ERR_OPERATION_INVALID) {	/* else it was not active any more */
		if (!a->err.kind) {
			a->err = *err;
			(void)nd_error_prefix(&a->err, "network '%s'", net->name);
		}
		check_network(a->netd, net);
	}
	tell_progress(a, net->name);
	if (a->n_ended == a->n_networks)
		finish(a);
}

/* Worker. What fails here is tried again, network by network. */
static void run_bridges(struct worker_job *job)
{
	struct destroy_all *a = (struct destroy_all *)job;
	struct nd_error err = { 0 };

	if (datapath_delete_bridges(a->netd->datapath, a->bridges, a->n_bridges, &err) < 0)
		nd_log(LOG_WARNING, NULL, "deleting bridges together: %s", err.text);
}

static void bridges_gone(struct worker_job *job)
{
	struct destroy_all *a = (struct destroy_all *)job;
	size_t n = a->n_networks;

	a->n_networks = 0;
	for (size_t i = 0; i < n; i++) {
		struct network *net = registry_by_uuid(&a->netd->networks, &a->networks[i]);

		if (net && lifecycle_destroy(a->netd, net, one_ended, a, &a->err) == 0)
			a->n_networks++;
	}
	if (!a->n_networks)
		finish(a);
}

/* Takes down the network's bridge's name; networks without one of their own just end. */
static int add(struct destroy_all *a, const struct network *net)
{
	struct nd_uuid *uuid = nd_array_add(a->networks, a->n_networks);

	if (!uuid)
		return -ENOMEM;
	*uuid = net->uuid;
	for (size_t i = 0; net->applied && i < net->applied->n; i++) {
		struct plan_bridge *b;

		if (net->applied->items[i].kind != PLAN_BRIDGE)
			continue;
		b = nd_array_add(a->bridges, a->n_bridges);
		if (!b)
			return -ENOMEM;
		*b = net->applied->items[i].bridge;
	}
	return 0;
}

int destroy_all_call(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	unsigned flags = ((lv_flags_args *)args)->flags;
	struct netd *d = call_netd(call);
	struct destroy_all *a;
	struct network *net;
	int r = call_flags(flags, NETD_DESTROY_ALL_PROGRESS, "netdNetworkDestroyAll", err);

	if (r < 0)
		return r;
	a = calloc(1, sizeof(*a));
	if (!a)
		return nd_error_nomem(err);
	*a = (struct destroy_all){ .netd = d, .call = call, .progress = flags & NETD_DESTROY_ALL_PROGRESS };
	for (size_t pos = 0; (net = registry_next(&d->networks, &pos));) {
		if (net->live && add(a, net) < 0) {
			all_free(a);
			return nd_error_nomem(err);
		}
	}
	if (!a->n_networks) {
		all_free(a);
		return RPC_DONE;
	}
	for (size_t i = 0; i < a->n_networks; i++)
		registry_by_uuid(&d->networks, &a->networks[i])->held = true;
	a->job = (struct worker_job){ run_bridges, bridges_gone, NULL };
	worker_submit(d->worker, &a->job);
	return RPC_PENDING;
}
