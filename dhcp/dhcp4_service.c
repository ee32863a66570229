/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dhcp/dhcp4_service.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "dhcp/dhcp4_hosts.h"

/* A reply that waits for its lease to be on disk. */
struct waiting {
	STAILQ_ENTRY(waiting) link;
	uint64_t ticket;
	size_t len;
	uint8_t frame[];
};

STAILQ_HEAD(waiting_list, waiting);

struct dhcp4_service {
	struct dhcp4_server *server;
	struct lease_store *store;	/* NULL: leases live in memory only */
	struct dhcp4_service_hooks hooks;
	struct waiting_list waiting;	/* in the order of the store's puts */
	uint64_t now_ms;		/* of the call that is running */
	int64_t wall_ms;		/* wall clock minus boot clock, when the service was made */
	bool damaged;			/* the store said so */
	struct dhcp4_reply reply;
};

static bool put_row(void *ctx, const struct lease_row *row, uint64_t ticket)
{
	struct dhcp4_service *s = ctx;

	return !s->store || lease_store_put(s->store, row, ticket) == 0;
}

static void tell_event(void *ctx, enum dhcp4_event event, const struct dhcp4_lease_info *lease)
{
	struct dhcp4_service *s = ctx;

	if (s->hooks.event)
		s->hooks.event(s->hooks.ctx, event, lease);
}

struct loading {
	struct dhcp4_leases *leases;
	uint64_t now_ms;
	bool failed;
};

static void load_row(void *ctx, const struct lease_row *row)
{
	struct loading *l = ctx;

	if (dhcp4_leases_load(l->leases, row, l->now_ms) < 0)
		l->failed = true;
}

static int open_store(struct dhcp4_service *s, const struct dhcp4_service_setup *setup,
		      struct lease_store_report *report, struct nd_error *err)
{
	struct loading loading = { .leases = dhcp4_server_leases(s->server),
				   .now_ms = setup->now_ms };
	struct lease_store_setup store = { .path = setup->store_path, .boot_id = setup->boot_id,
					   .boottime_ms = setup->now_ms,
					   .wall_s = setup->wall_s, .load = load_row,
					   .ctx = &loading };
	int r = lease_store_open(&store, &s->store, report, err);

	if (r == 0 && loading.failed)
		return nd_error_nomem(err);
	return r;
}

static void tell_loaded(void *ctx, const struct dhcp4_lease_info *lease)
{
	tell_event(ctx, DHCP4_EVENT_ADDED, lease);
}

int dhcp4_service_new(const struct dhcp4_service_setup *setup, struct dhcp4_service **out,
		      struct lease_store_report *report, struct nd_error *err)
{
	ND_AUTO(dhcp4_service_free) struct dhcp4_service *s = calloc(1, sizeof(*s));
	struct dhcp4_lease_hooks hooks = { .ctx = s, .store = put_row };
	int r;

	if (!s)
		return nd_error_nomem(err);
	STAILQ_INIT(&s->waiting);
	hooks.event = tell_event;
	s->wall_ms = setup->wall_s * 1000 - (int64_t)setup->now_ms;
	s->server = dhcp4_server_new(setup->config, &setup->mac, &hooks);
	if (!s->server)
		return nd_error_nomem(err);
	if (setup->store_path) {
		r = open_store(s, setup, report, err);
		if (r < 0)
			return r;
	}
	if (dhcp4_leases_set_ports(dhcp4_server_leases(s->server), setup->ports, setup->n_ports,
				   setup->now_ms) < 0)
		return nd_error_nomem(err);
	s->hooks = setup->hooks;	/* from now on there is something to tell */
	dhcp4_leases_each(dhcp4_server_leases(s->server), tell_loaded, s);
	*out = nd_take_ptr(&s);
	return 0;
}

void dhcp4_service_free(struct dhcp4_service *s)
{
	struct waiting *w;

	if (!s)
		return;
	lease_store_close(s->store);
	dhcp4_server_free(s->server);
	while ((w = STAILQ_FIRST(&s->waiting))) {
		STAILQ_REMOVE_HEAD(&s->waiting, link);
		free(w);
	}
	free(s);
}

static void wait_for_disk(struct dhcp4_service *s, const struct dhcp4_reply *reply)
{
	struct waiting *w = malloc(sizeof(*w) + reply->len);

	if (!w)
		return;			/* the lease is written, the client asks again */
	w->ticket = reply->ticket;
	w->len = reply->len;
	memcpy(w->frame, reply->frame, reply->len);
	STAILQ_INSERT_TAIL(&s->waiting, w, link);
}

void dhcp4_service_frame(struct dhcp4_service *s, const void *frame, size_t len,
			 bool csum_partial, uint64_t now_ms)
{
	struct dhcp_frame in;
	struct dhcp4_reply *reply = &s->reply;

	if (!dhcp_frame_decode(frame, len, csum_partial, &in)) {
		dhcp4_server_stats(s->server)->malformed++;
		return;
	}
	dhcp4_server_handle(s->server, &in, now_ms, reply);
	if (!reply->len)
		return;
	if (reply->ticket && s->store)
		wait_for_disk(s, reply);
	else if (!reply->ticket ||
		 dhcp4_server_settle(s->server, reply->ticket, true, now_ms))
		s->hooks.send(s->hooks.ctx, reply->frame, reply->len);
}

int dhcp4_service_fd(const struct dhcp4_service *s)
{
	return s->store ? lease_store_fd(s->store) : -1;
}

static void stored(void *ctx, uint64_t ticket, int error)
{
	struct dhcp4_service *s = ctx;
	struct waiting *w = STAILQ_FIRST(&s->waiting);
	bool bound = dhcp4_server_settle(s->server, ticket, error == 0, s->now_ms);

	s->damaged |= error == -EUCLEAN;
	if (!w || w->ticket != ticket)
		return;
	STAILQ_REMOVE_HEAD(&s->waiting, link);
	if (bound)
		s->hooks.send(s->hooks.ctx, w->frame, w->len);
	free(w);
}

static void hand_rows(void *ctx, lease_store_putter put, void *arg)
{
	struct dhcp4_service *s = ctx;

	dhcp4_leases_rows(dhcp4_server_leases(s->server), put, arg);
}

/* Memory has every lease that was acknowledged: a damaged database is no loss. */
static void rebuild(struct dhcp4_service *s)
{
	struct lease_store_report report;
	struct nd_error err = { 0 };
	int r = lease_store_rebuild(s->store, s->now_ms,
				    ((int64_t)s->now_ms + s->wall_ms) / 1000, hand_rows, s, &report,
				    &err);

	lease_store_drain(s->store, stored, s);	/* what failed with the old one */
	s->damaged = false;
	if (s->hooks.rebuilt)
		s->hooks.rebuilt(s->hooks.ctx, &report, r < 0 ? &err : NULL);
}

void dhcp4_service_drain(struct dhcp4_service *s, uint64_t now_ms)
{
	s->now_ms = now_ms;
	if (s->store)
		lease_store_drain(s->store, stored, s);
	if (s->damaged)
		rebuild(s);
}

uint64_t dhcp4_service_next_ms(const struct dhcp4_service *s)
{
	return dhcp4_leases_next_ms(dhcp4_server_leases(s->server));
}

void dhcp4_service_tick(struct dhcp4_service *s, uint64_t now_ms)
{
	dhcp4_leases_tick(dhcp4_server_leases(s->server), now_ms);
}

int dhcp4_service_configure(struct dhcp4_service *s, const struct dhcp_config *config,
			    uint64_t now_ms)
{
	dhcp4_leases_tick(dhcp4_server_leases(s->server), now_ms);
	return dhcp4_server_configure(s->server, config);
}

size_t dhcp4_service_check(const struct dhcp4_service *s,
			   void (*tell)(void *ctx, const struct dhcp_reservation *r,
					const char *why), void *ctx)
{
	return dhcp4_hosts_check(dhcp4_server_config(s->server),
				 dhcp4_leases_hosts(dhcp4_server_leases(s->server)), tell, ctx);
}

int dhcp4_service_set_ports(struct dhcp4_service *s, const struct nd_mac *macs, size_t n,
			    uint64_t now_ms)
{
	dhcp4_leases_tick(dhcp4_server_leases(s->server), now_ms);
	return dhcp4_leases_set_ports(dhcp4_server_leases(s->server), macs, n, now_ms);
}

void dhcp4_service_leases(const struct dhcp4_service *s,
			  void (*each)(void *ctx, const struct dhcp4_lease_info *lease), void *ctx)
{
	dhcp4_leases_each(dhcp4_server_leases(s->server), each, ctx);
}

const struct dhcp4_stats *dhcp4_service_stats(const struct dhcp4_service *s)
{
	return dhcp4_server_stats(s->server);
}
