/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/daemon/daemon.h"

#include <errno.h>
#include <stdlib.h>

#include "netd/base/log.h"
#include "netd/daemon/access.h"
#include "netd/daemon/calls.h"
#include "netd/daemon/drift.h"
#include "netd/daemon/foreign.h"
#include "netd/daemon/guest_life.h"
#include "netd/daemon/guest_nwfilter.h"
#include "netd/daemon/listen.h"
#include "netd/daemon/nwfilters.h"
#include "netd/daemon/load.h"
#include "netd/daemon/reconcile.h"
#include "netd/daemon/takeover.h"

static void on_host_names(void *arg)
{
	reconcile_follow_host(arg);
}

static void on_session_closed(void *context, struct rpc_session *session)
{
	struct netd *d = context;

	events_session_closed(d->events, session);
	access_session_closed(d, session);
}

static void on_server_died(void *arg, const struct nd_uuid *uuid, const char *why)
{
	struct netd *d = arg;
	const struct network *net = registry_by_uuid(&d->networks, uuid);

	nd_log(LOG_WARNING, net ? net->name : NULL, "its server ended (%s) and is started again", why);
}

static int new_servers(struct netd *d, struct nd_error *err)
{
	struct servers_options opt = {
		.event = d->event, .program = d->paths.serve, .run_dir = d->paths.servers,
		.lease_dir = d->paths.leases, .arg = d, .died = on_server_died,
	};

	return servers_new(&opt, &d->servers, err);
}

static int new_rpc(struct netd *d, struct nd_error *err)
{
	struct rpc_server_options opt = {
		.event = d->event, .context = d, .session_closed = on_session_closed,
		.needs_auth = access_needs_auth, .authorize = access_authorize,
		.max_sessions = d->config.max_clients,
		.max_unauthenticated = d->config.max_unauthenticated,
		.max_calls_per_session = d->config.max_calls_per_client,
		.max_message_bytes = d->config.max_message_kib * 1024,
		.auth_timeout_s = d->config.auth_timeout_s,
	};
	int r;

	d->calls = calloc(1, sizeof(*d->calls));
	if (!d->calls)
		return nd_error_nomem(err);
	r = access_new(d, &d->access, err);
	if (r == 0)
		r = calls_init(d->calls, err);
	if (r < 0)
		return r;
	opt.programs = d->calls->programs;
	opt.n_programs = ND_COUNT(d->calls->programs);
	return rpc_server_new(&opt, &d->rpc, err);
}

static int new_parts(struct netd *d, struct nd_error *err)
{
	struct datapath_options dp = { .run_dir = d->paths.run, .ovsdb = d->paths.ovsdb,
				       .sysfs = d->paths.sysfs,
				       .no_persist = !d->config.persist_nft };
	int r = registry_init(&d->networks, err);

	if (r == 0)
		r = guests_init(&d->guests, err);
	if (r == 0)
		r = nwfilters_new(&d->paths, &d->nwfilters, err);
	if (r == 0)
		r = store_new(&d->paths, &d->store, err);
	if (r == 0)
		r = guest_store_new(&d->paths, &d->guest_store, err);
	if (r == 0)
		r = lease_dirs_new(d->paths.leases, d->config.serve_uid_base, d->config.serve_uid_count,
				   &d->lease_dirs, err);
	if (r == 0)
		r = datapath_new(&dp, &d->datapath, err);
	if (r == 0)
		r = nic_filters_new(d->datapath, &d->nic_filters, err);
	if (r == 0)
		r = worker_new(d->event, &d->worker, err);
	if (r == 0)
		r = op_queue_new(d->event, d->worker, &d->operations, err);
	if (r < 0)
		return r;
	op_queue_on_idle(d->operations, lifecycle_idle, d);
	d->events = events_new();
	d->foreign = foreign_new(d);
	if (!d->events || !d->foreign)
		return nd_error_nomem(err);
	r = host_dns_new(d->event, &d->paths, on_host_names, d, &d->host_dns, err);
	if (r == 0)
		r = new_servers(d, err);
	return r < 0 ? r : new_rpc(d, err);
}

static int read_config(struct netd *d, const struct daemon_options *opt, struct nd_error *err)
{
	int r = netd_config_init(&d->config, opt->root, err);

	if (r == 0)
		r = netd_config_load(&d->config, opt->config ? opt->config : d->paths.config_file,
				     opt->config != NULL, err);
	if (r < 0)
		return r;
	if (opt->log_level >= 0)
		d->config.log_level = opt->log_level;
	if (opt->no_persist_nft)
		d->config.persist_nft = false;
	nd_log_init("netd", d->config.log_level);
	return 0;
}

int daemon_new(const struct daemon_options *opt, struct netd **out, struct nd_error *err)
{
	ND_AUTO(daemon_free) struct netd *d = calloc(1, sizeof(*d));
	int r;

	if (!d)
		return nd_error_nomem(err);
	r = paths_init(&d->paths, opt->root, opt->serve, opt->schemas, err);
	if (r == 0)
		r = read_config(d, opt, err);
	if (r == 0)
		r = paths_make(&d->paths, err);
	if (r < 0)
		return r;
	r = sd_event_new(&d->event);
	if (r < 0)
		return nd_error_sys(err, -r, "cannot make the event loop");
	r = new_parts(d, err);
	if (r < 0)
		return r;
	*out = nd_take_ptr(&d);
	return 0;
}

int daemon_import(const struct daemon_options *opt, struct nd_error *err)
{
	ND_AUTO(daemon_free) struct netd *d = calloc(1, sizeof(*d));
	int r;

	if (!d)
		return nd_error_nomem(err);
	r = paths_init(&d->paths, opt->root, opt->serve, opt->schemas, err);
	if (r == 0)
		r = read_config(d, opt, err);
	if (r == 0)
		r = listen_unanswered(d, err);
	if (r == 0)
		r = paths_make(&d->paths, err);
	return r < 0 ? r : takeover_import(&d->paths, opt->import_libvirt, err);
}

void daemon_free(struct netd *d)
{
	if (!d)
		return;
	if (d->rpc)
		listen_end(d);
	rpc_server_free(d->rpc);
	access_free(d->access);
	if (d->calls)
		calls_fini(d->calls);
	free(d->calls);
	worker_free(d->worker);		/* before anything that its job may use */
	drift_free(d->drift);
	foreign_free(d->foreign);
	takeover_free(d->takeover);
	servers_free(d->servers);
	host_dns_free(d->host_dns);
	events_free(d->events);
	op_queue_free(d->operations);
	nic_filters_free(d->nic_filters);
	datapath_free(d->datapath);
	lease_dirs_free(d->lease_dirs);
	store_free(d->store);
	guest_store_free(d->guest_store);
	nwfilters_free(d->nwfilters);
	guests_fini(&d->guests);
	registry_fini(&d->networks);
	sd_event_unref(d->event);
	netd_config_fini(&d->config);
	paths_fini(&d->paths);
	free(d);
}

/* Before anything else can come onto the worker. */
static void adopt_nic_filters(struct netd *d)
{
	struct nd_error err = { 0 };

	if (guest_nwfilter_adopt_all(d, &err) < 0)
		nd_log(LOG_ERR, NULL, "filters of guests' interfaces cannot be made as they should be: %s", err.text);
}

int daemon_start(struct netd *d, struct nd_error *err)
{
	int r = 0;

	d->unread += nwfilters_load(d->nwfilters);
	load_all(d);
	d->unread += guest_load(d, false);
	takeover_load(d);
	r = listen_all(d, err);		/* first, since nothing has to be taken back; none is answered yet */
	if (r == 0 && d->config.repair)	/* before the look at the kernel, so that nothing falls in between */
		r = drift_new(d, &d->drift, err);
	if (r == 0)
		adopt_nic_filters(d);
	if (r == 0)
		r = reconcile_start(d, err);
	if (r == 0)
		guest_adopt_all(d);
	return r;
}

void daemon_reload(struct netd *d)
{
	nd_log(LOG_INFO, NULL, "reloading");
	reconcile_reload(d);
}
