/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/serve/service.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

#include "dhcp/dhcp4_service.h"
#include "dns/server.h"
#include "netd/base/log.h"
#include "netd/base/str.h"
#include "netd/serve/counters.h"
#include "netd/serve/fds.h"
#include "netd/serve/intake.h"
#include "netd/serve/message.h"

#define CHANNEL_MESSAGES_PER_TURN 16
#define EVENTS_QUEUE_BYTES (256 * 1024)	/* lease events that may wait for netd */
#define REST_AFTER_MS 5000

enum source { SOURCE_CHANNEL, SOURCE_LISTEN, SOURCE_PACKET, SOURCE_STORE };	/* others: DNS's */

struct service {
	struct serve_config *config;
	uint64_t config_digest;
	struct channel *channel;	/* NULL: netd is gone, its successor will connect */
	bool channel_writable_wanted;
	bool resync;			/* events were lost: all leases follow when there is room */
	bool loading;			/* leases come from disk: they are no events */
	bool quit;
	uint32_t quit_serial;
	bool packet;
	uid_t netd_uid;
	struct dhcp4_service *dhcp;	/* NULL: no DHCP here */
	struct dns_server *dns;		/* NULL: no DNS here */
	struct intake *intake;
	struct share *share;
	uint64_t busy_at_ms;		/* when frames last came */
	uint64_t packets_at_ms;		/* the next turn of a flood; 0: when the socket is readable */
	struct nd_log_limit reservation_lines;
};

static uint64_t clock_ms(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static uint64_t dhcp_now_ms(void)
{
	return clock_ms(CLOCK_BOOTTIME);
}

static uint64_t dns_now_ms(void)
{
	return clock_ms(CLOCK_MONOTONIC);
}

/* --- the channel --- */

/* netd went away (restart, upgrade): the network is served on, and FD_LISTEN waits. FD_CHANNEL
 * stays taken, or another socket would get that number and the rights and bans that go with it. */
static void channel_drop(struct service *s, const char *why)
{
	int fd;

	if (!s->channel)
		return;
	nd_log(LOG_DEBUG, s->config->network, "channel to netd closed: %s", why);
	fd = channel_take_fd(nd_take_ptr(&s->channel));
	s->resync = false;
	if (fd != FD_CHANNEL) {
		close(fd);
		return;
	}
	(void)epoll_ctl(FD_EPOLL, EPOLL_CTL_DEL, fd, NULL);	/* it is there */
	(void)shutdown(fd, SHUT_RDWR);	/* netd sees the end; it may be gone already */
}

static void channel_watch(struct service *s)
{
	bool want = channel_waiting(s->channel);
	struct epoll_event ev = { .events = EPOLLIN | (want ? EPOLLOUT : 0),
				  .data.u64 = SOURCE_CHANNEL };

	if (want == s->channel_writable_wanted)
		return;
	s->channel_writable_wanted = want;
	(void)epoll_ctl(FD_EPOLL, EPOLL_CTL_MOD, channel_fd(s->channel), &ev);	/* cannot fail */
}

static int send_message(struct service *s, uint16_t type, uint32_t serial,
			const void *body, size_t len)
{
	int r;

	if (!s->channel)
		return 0;
	r = channel_send(s->channel, type, serial, body, len, NULL, 0);
	if (r < 0 && r != -ENOBUFS) {
		channel_drop(s, strerror(-r));
		return r;
	}
	channel_watch(s);
	return r;
}

static void send_failed(struct service *s, uint32_t serial, const struct nd_error *err)
{
	(void)send_message(s, CHANNEL_FAILED, serial, err->text, strlen(err->text));
}

static void send_hello(struct service *s)
{
	uint8_t body[256];
	struct wr w = wr_init(body, sizeof(body));
	struct serve_hello hello = { .build = NETD_VERSION, .uuid = s->config->uuid,
				     .config_digest = s->config_digest,
				     .sockets_digest = serve_config_sockets_digest(s->config) };

	serve_hello_encode(&hello, &w);
	(void)send_message(s, CHANNEL_HELLO, 0, body, wr_len(&w));	/* a dead channel is dropped */
}

/* --- leases --- */

static uint64_t expiry_s(uint64_t expires_ms)
{
	struct timespec wall;
	uint64_t now_ms = dhcp_now_ms();

	if (expires_ms == LEASE_NEVER_MS)
		return 0;
	clock_gettime(CLOCK_REALTIME, &wall);
	return (uint64_t)wall.tv_sec + (expires_ms > now_ms ? (expires_ms - now_ms + 500) / 1000 : 0);
}

static void lease_describe(const struct service *s, const struct dhcp4_lease_info *from,
			   struct serve_lease *to)
{
	memset(to, 0, sizeof(*to));
	to->mac = from->mac;
	to->ip = nd_ip_from4(from->address);
	to->prefix_len = s->config->dhcp.prefix_len;
	to->expiry_s = expiry_s(from->expires_ms);
	strncpy(to->hostname, from->hostname, sizeof(to->hostname) - 1);
	if (from->client_id) {
		to->client_id_len = from->client_id_len;
		memcpy(to->client_id, from->client_id, from->client_id_len);
	}
}

struct lease_list {
	const struct service *service;
	struct nd_str bytes;
};

static void lease_collect(void *ctx, const struct dhcp4_lease_info *info)
{
	struct lease_list *list = ctx;
	uint8_t row[SERVE_LEASE_MAX_BYTES];
	struct wr w = wr_init(row, sizeof(row));
	struct serve_lease lease;

	lease_describe(list->service, info, &lease);
	serve_lease_encode(&lease, &w);
	nd_str_addn(&list->bytes, (const char *)row, wr_len(&w));
}

/* All of them: after START, to a new netd, and after events were lost. */
static void send_leases(struct service *s)
{
	struct lease_list list = { .service = s };

	if (s->dhcp)
		dhcp4_service_leases(s->dhcp, lease_collect, &list);
	s->resync = list.bytes.failed ||
		    send_message(s, CHANNEL_LEASES, 0, list.bytes.text, list.bytes.len) == -ENOBUFS;
	nd_str_free(&list.bytes);
}

static void lease_to_dns(struct service *s, bool removed, const struct dhcp4_lease_info *lease)
{
	struct nd_ip ip = nd_ip_from4(lease->address);

	if (!s->dns)
		return;
	if (removed || !lease->hostname[0])
		dns_server_lease_remove(s->dns, &ip);
	else
		(void)dns_server_lease_add(s->dns, lease->hostname, &ip,
					   lease->hostname_configured);	/* logs what it refuses */
}

static void on_lease(void *ctx, enum dhcp4_event event, const struct dhcp4_lease_info *info)
{
	static const enum serve_lease_change changes[] = {
		[DHCP4_EVENT_ADDED] = SERVE_LEASE_ADDED,
		[DHCP4_EVENT_CHANGED] = SERVE_LEASE_CHANGED,
		[DHCP4_EVENT_REMOVED] = SERVE_LEASE_REMOVED,
	};
	struct service *s = ctx;
	uint8_t body[SERVE_LEASE_MAX_BYTES + 1];
	struct wr w = wr_init(body, sizeof(body));
	struct serve_lease lease;

	lease_to_dns(s, event == DHCP4_EVENT_REMOVED, info);
	if (s->loading || s->resync || !s->channel)
		return;
	lease_describe(s, info, &lease);
	serve_lease_event_encode(changes[event], &lease, &w);
	if (send_message(s, CHANNEL_LEASE_EVENT, 0, body, wr_len(&w)) == -ENOBUFS)
		s->resync = true;
}

/* --- what netd asks --- */

static void on_store_rebuilt(void *ctx, const struct lease_store_report *report,
			     const struct nd_error *err)
{
	struct service *s = ctx;

	if (err)
		nd_log(LOG_ERR, s->config->network, "the lease database is damaged, and no lease "
		       "is given any more: %s", err->text);
	else
		nd_log(LOG_ERR, s->config->network, "the lease database was damaged: written anew "
		       "with %zu leases, the old file kept as '%s'", report->rows, report->aside);
}

static void tell_reservation(void *ctx, const struct dhcp_reservation *r, const char *why)
{
	struct service *s = ctx;
	struct nd_ip ip = nd_ip_from4(r->address);
	char buf[ND_IP_STRLEN];

	nd_log_limited(&s->reservation_lines, LOG_WARNING, s->config->network,
		       "the DHCP reservation of %s has no effect: %s", nd_ip_format(&ip, buf), why);
}

/* What is in force stays in force when this fails. */
static int config_apply(struct service *s, struct serve_config *c, struct nd_error *err)
{
	int r = 0;

	if (serve_config_sockets_digest(c) != serve_config_sockets_digest(s->config))
		return nd_error_set(err, ND_ERR_INTERNAL, "this change needs a new server");
	if (s->dns)
		r = dns_server_configure(s->dns, &c->dns, dns_now_ms(), err);
	if (r < 0)
		return r;
	r = share_set_ports(s->share, c->ports, c->n_ports);
	if (r == 0 && s->dhcp)
		r = dhcp4_service_set_ports(s->dhcp, c->ports, c->n_ports, dhcp_now_ms());
	/* Last, since from here on the DHCP service looks into c. */
	if (r == 0 && s->dhcp)
		r = dhcp4_service_configure(s->dhcp, &c->dhcp, dhcp_now_ms());
	return r < 0 ? nd_error_nomem(err) : 0;
}

static int on_config(struct service *s, struct rd *body, struct nd_error *err)
{
	uint64_t digest = serve_digest(body->at, rd_left(body));
	ND_AUTO(serve_config_free) struct serve_config *c = NULL, *old = NULL;
	int r = serve_config_decode(body, &c);

	if (r < 0)
		return nd_error_sys(err, -r, "cannot read the configuration");
	r = config_apply(s, c, err);
	if (r < 0)
		return r;
	old = s->config;
	s->config = nd_take_ptr(&c);
	s->config_digest = digest;
	if (s->dhcp)
		(void)dhcp4_service_check(s->dhcp, tell_reservation, s);
	return 0;
}

static int on_upstreams(struct service *s, struct rd *body, struct nd_error *err)
{
	ND_AUTO(free) struct dns_upstream *list = NULL;
	size_t n;

	if (serve_upstreams_decode(body, &list, &n) < 0)
		return nd_error_sys(err, EBADMSG, "cannot read the list of resolvers");
	return s->dns ? dns_server_set_upstreams(s->dns, list, n, err) : 0;
}

static int on_ports(struct service *s, struct rd *body, struct nd_error *err)
{
	ND_AUTO(free) struct nd_mac *list = NULL;
	size_t n;
	int r;

	if (serve_ports_decode(body, &list, &n) < 0)
		return nd_error_sys(err, EBADMSG, "cannot read the list of ports");
	r = share_set_ports(s->share, list, n);
	if (r == 0 && s->dhcp)
		r = dhcp4_service_set_ports(s->dhcp, list, n, dhcp_now_ms());
	return r < 0 ? nd_error_nomem(err) : 0;
}

static int on_stats(struct service *s, uint32_t serial, struct nd_error *err)
{
	struct serve_counter list[SERVE_COUNTERS_MAX];
	uint8_t body[SERVE_COUNTERS_MAX * 42 + 4];
	struct wr w = wr_init(body, sizeof(body));
	struct intake_counters intake;
	struct dns_counters dns;

	if (s->packet)
		intake_counters(s->intake, FD_PACKET, &intake);
	if (s->dns)
		dns_server_counters(s->dns, &dns);
	serve_counters_encode(list, counters_collect(s->packet ? &intake : NULL,
						     s->dhcp ? dhcp4_service_stats(s->dhcp) : NULL,
						     s->dns ? &dns : NULL, list), &w);
	(void)send_message(s, CHANNEL_STATS, serial, body, wr_len(&w));
	return 1;
}

/* 0: to be answered by DONE; 1: answered; negative: by FAILED. */
static int on_message(struct service *s, struct channel_message *m, struct nd_error *err)
{
	switch (m->type) {
	case CHANNEL_CONFIG:
		return on_config(s, &m->body, err);
	case CHANNEL_UPSTREAMS:
		return on_upstreams(s, &m->body, err);
	case CHANNEL_PORTS:
		return on_ports(s, &m->body, err);
	case CHANNEL_STATS_GET:
		return on_stats(s, m->serial, err);
	case CHANNEL_PING:
		(void)send_message(s, CHANNEL_PONG, m->serial, NULL, 0);
		return 1;
	case CHANNEL_QUIT:
		s->quit = true;
		s->quit_serial = m->serial;
		return 1;
	default:
		return nd_error_set(err, ND_ERR_INTERNAL, "message %u is not known", m->type);
	}
}

static void channel_turn(struct service *s)
{
	for (int i = 0; i < CHANNEL_MESSAGES_PER_TURN && s->channel && !s->quit; i++) {
		struct channel_message m;
		struct nd_error err = { 0 };
		int r = channel_receive(s->channel, &m);

		if (r == 0)
			continue;
		if (r == -EAGAIN)
			return;
		if (r < 0) {
			channel_drop(s, strerror(-r));
			return;
		}
		r = on_message(s, &m, &err);
		if (r == 0)
			(void)send_message(s, CHANNEL_DONE, m.serial, NULL, 0);
		else if (r < 0)
			send_failed(s, m.serial, &err);
	}
}

static void channel_flushed(struct service *s)
{
	int r = channel_flush(s->channel);

	if (r < 0) {
		channel_drop(s, strerror(-r));
		return;
	}
	channel_watch(s);
	if (s->resync && !channel_waiting(s->channel))
		send_leases(s);
}

/* A netd that was started anew. The last one to come is the one that counts. */
static void on_connect(struct service *s)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);
	struct epoll_event ev = { .events = EPOLLIN, .data.u64 = SOURCE_CHANNEL };
	ND_AUTO(close) int fd = accept4(FD_LISTEN, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct channel *channel;

	if (fd < 0)
		return;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 || peer.uid != s->netd_uid) {
		nd_log(LOG_WARNING, s->config->network, "refused a connection to the channel");
		return;
	}
	channel = serve_channel_new(fd);
	if (!channel)
		return;
	nd_take_fd(&fd);
	channel_drop(s, "another netd came");
	s->channel = channel;
	s->channel_writable_wanted = false;
	channel_set_queue_max(channel, EVENTS_QUEUE_BYTES);
	if (epoll_ctl(FD_EPOLL, EPOLL_CTL_ADD, channel_fd(channel), &ev) < 0) {
		channel_drop(s, strerror(errno));
		return;
	}
	send_hello(s);
	send_leases(s);
}

/* --- DHCP --- */

static void on_dhcp_send(void *ctx, const uint8_t *frame, size_t len)
{
	/* A full socket drops a reply as a full cable would: the client asks again. */
	ssize_t n = send(FD_PACKET, frame, len, MSG_DONTWAIT);

	(void)n;
}

static void on_frame(void *arg, const void *frame, size_t len, bool csum_partial)
{
	struct service *s = arg;

	dhcp4_service_frame(s->dhcp, frame, len, csum_partial, dhcp_now_ms());
}

/* While a flood lasts, the socket's being readable is no news: the clock says when to read it. */
static void packet_turn(struct service *s)
{
	bool flooded = intake_turn(s->intake, FD_PACKET, s->share, on_frame, s);
	struct epoll_event ev = { .events = flooded ? 0 : EPOLLIN, .data.u64 = SOURCE_PACKET };

	s->busy_at_ms = dns_now_ms();
	if (flooded != (s->packets_at_ms != 0))
		(void)epoll_ctl(FD_EPOLL, EPOLL_CTL_MOD, FD_PACKET, &ev);	/* cannot fail */
	s->packets_at_ms = flooded ? s->busy_at_ms + INTAKE_PAUSE_MS : 0;
}

/* --- life --- */

static int watch(int fd, enum source source, struct nd_error *err)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u64 = source };

	if (epoll_ctl(FD_EPOLL, EPOLL_CTL_ADD, fd, &ev) < 0)
		return nd_error_sys(err, errno, "cannot watch a descriptor");
	return 0;
}

static int dns_start(struct service *s, const struct service_setup *setup, struct nd_error *err)
{
	size_t udp = 0, tcp = 0;
	int r = 0;

	if (s->config->dns.enabled)
		r = dns_server_new(s->config->network, &s->config->dns, FD_EPOLL, dns_now_ms(),
				   &s->dns, err);
	while (s->dns && r == 0 && udp < setup->n_udp)
		r = dns_server_add_udp(s->dns, setup->udp[udp++], err);
	while (s->dns && r == 0 && tcp < setup->n_tcp)
		r = dns_server_add_tcp(s->dns, setup->tcp[tcp++], err);
	while (udp < setup->n_udp)
		close(setup->udp[udp++]);
	while (tcp < setup->n_tcp)
		close(setup->tcp[tcp++]);
	return r;
}

static int dhcp_start(struct service *s, const struct service_setup *setup, struct nd_error *err)
{
	const struct dhcp4_service_setup dhcp = {
		.config = &s->config->dhcp, .mac = s->config->mac,
		.ports = s->config->ports, .n_ports = s->config->n_ports,
		.hooks = { .ctx = s, .send = on_dhcp_send, .event = on_lease,
			   .rebuilt = on_store_rebuilt },
		.store_path = LEASE_STORE_FILE, .boot_id = setup->boot_id,
		.wall_s = time(NULL), .now_ms = dhcp_now_ms(),
	};
	struct lease_store_report report = { 0 };
	int r;

	if (!s->config->dhcp.enabled || !s->packet)
		return 0;
	s->loading = true;
	r = dhcp4_service_new(&dhcp, &s->dhcp, &report, err);
	s->loading = false;
	if (r < 0)
		return r;
	if (report.damaged)
		nd_log(LOG_ERR, s->config->network, "the lease database was damaged (%s): rebuilt "
		       "with %zu leases, the old file kept as '%s'", report.why.text, report.rows,
		       report.aside);
	(void)dhcp4_service_check(s->dhcp, tell_reservation, s);
	if (dhcp4_service_fd(s->dhcp) >= 0)
		r = watch(dhcp4_service_fd(s->dhcp), SOURCE_STORE, err);
	return r < 0 ? r : watch(FD_PACKET, SOURCE_PACKET, err);
}

int service_new(const struct service_setup *setup, struct service **out, struct nd_error *err)
{
	ND_AUTO(service_free) struct service *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return nd_error_nomem(err);
	s->config = setup->config;
	s->config_digest = setup->config_digest;
	s->channel = setup->channel;
	s->packet = setup->packet;
	s->netd_uid = setup->netd_uid;
	s->reservation_lines = (struct nd_log_limit){ .interval_s = 60, .burst = 20 };
	s->intake = intake_new();
	s->share = share_new();
	r = dns_start(s, setup, err);
	if (!s->intake || !s->share ||
	    share_set_ports(s->share, s->config->ports, s->config->n_ports) < 0)
		r = nd_error_nomem(err);
	if (r == 0)
		r = dhcp_start(s, setup, err);
	if (r == 0)
		r = watch(channel_fd(s->channel), SOURCE_CHANNEL, err);
	if (r == 0)
		r = watch(FD_LISTEN, SOURCE_LISTEN, err);
	if (r < 0) {
		send_failed(s, setup->start_serial, err);
		return r;
	}
	channel_set_queue_max(s->channel, EVENTS_QUEUE_BYTES);
	(void)send_message(s, CHANNEL_STARTED, setup->start_serial, NULL, 0);
	send_leases(s);
	*out = nd_take_ptr(&s);
	return 0;
}

void service_free(struct service *s)
{
	if (!s)
		return;
	dhcp4_service_free(s->dhcp);
	dns_server_free(s->dns);
	intake_free(s->intake);
	share_free(s->share);
	channel_free(s->channel);
	serve_config_free(s->config);
	free(s);
}

static void drop_send(void *ctx, const uint8_t *frame, size_t len)
{
}

static void drop_event(void *ctx, enum dhcp4_event event, const struct dhcp4_lease_info *lease)
{
}

void service_warm_up(void)
{
	struct dhcp_pool pool = { .lease_time_s = 1 };
	const struct dhcp_config dhcp_config = { .enabled = true, .prefix_len = 24,
						 .pools = &pool, .n_pools = 1 };
	const struct dns_config dns_config = { .enabled = true };
	const struct dhcp4_service_setup setup = {
		.config = &dhcp_config, .hooks = { .send = drop_send, .event = drop_event },
		.store_path = ":memory:", .boot_id = "", .wall_s = time(NULL),
		.now_ms = dhcp_now_ms(),
	};
	ND_AUTO(dhcp4_service_free) struct dhcp4_service *dhcp = NULL;
	ND_AUTO(dns_server_free) struct dns_server *dns = NULL;

	/* When these fail, the real ones will say why. */
	(void)dhcp4_service_new(&setup, &dhcp, NULL, NULL);
	(void)dns_server_new("", &dns_config, FD_EPOLL, dns_now_ms(), &dns, NULL);
}

/* How long the loop may sleep; -1: until something comes. */
static int sleep_ms(const struct service *s)
{
	uint64_t next_ms = s->dhcp ? dhcp4_service_next_ms(s->dhcp) : UINT64_MAX;
	uint64_t now_ms = dhcp_now_ms(), left_ms = UINT64_MAX;
	int dns_ms = s->dns ? dns_server_timeout_ms(s->dns, dns_now_ms()) : -1;

	if (next_ms != UINT64_MAX)
		left_ms = next_ms > now_ms ? next_ms - now_ms : 0;
	if (dns_ms >= 0 && (uint64_t)dns_ms < left_ms)
		left_ms = (uint64_t)dns_ms;
	if (s->busy_at_ms && left_ms > REST_AFTER_MS)
		left_ms = REST_AFTER_MS;
	if (s->packets_at_ms && left_ms > INTAKE_PAUSE_MS)
		left_ms = INTAKE_PAUSE_MS;
	if (left_ms == UINT64_MAX)
		return -1;
	/* The boot clock goes on while the machine sleeps and epoll's does not: look now and then. */
	return left_ms > 600000 ? 600000 : (int)left_ms;
}

static void handle(struct service *s, const struct epoll_event *ev)
{
	if (s->dns && dns_server_owns(ev)) {
		dns_server_event(s->dns, ev, dns_now_ms());
		return;
	}
	switch (ev->data.u64) {
	case SOURCE_CHANNEL:
		if (s->channel && (ev->events & EPOLLOUT))
			channel_flushed(s);
		if (s->channel && (ev->events & ~(uint32_t)EPOLLOUT))
			channel_turn(s);
		break;
	case SOURCE_LISTEN:
		on_connect(s);
		break;
	case SOURCE_PACKET:
		packet_turn(s);
		break;
	case SOURCE_STORE:
		dhcp4_service_drain(s->dhcp, dhcp_now_ms());
		break;
	}
}

void service_run(struct service *s)
{
	struct epoll_event events[64];

	while (!s->quit) {
		int n = epoll_wait(FD_EPOLL, events, ND_COUNT(events), sleep_ms(s));

		for (int i = 0; i < n && !s->quit; i++)
			handle(s, &events[i]);
		if (s->packets_at_ms && s->packets_at_ms <= dns_now_ms())
			packet_turn(s);
		if (s->dhcp && dhcp4_service_next_ms(s->dhcp) <= dhcp_now_ms())
			dhcp4_service_tick(s->dhcp, dhcp_now_ms());
		if (s->dns)
			dns_server_turn(s->dns, dns_now_ms());
		if (s->busy_at_ms && dns_now_ms() - s->busy_at_ms >= REST_AFTER_MS) {
			intake_rest(s->intake);
			s->busy_at_ms = 0;
		}
	}
	/* Sockets first, then the database: whoever hears GONE may start another server. */
	dns_server_free(s->dns);
	s->dns = NULL;
	dhcp4_service_free(s->dhcp);
	s->dhcp = NULL;
	(void)send_message(s, CHANNEL_GONE, s->quit_serial, NULL, 0);
}
