/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dns/server.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dns/answer.h"
#include "dns/batch.h"
#include "dns/forwarder.h"
#include "dns/loop.h"
#include "dns/quota.h"
#include "dns/random.h"
#include "dns/sieve.h"
#include "dns/tcp.h"
#include "netd/base/log.h"

#define CACHE_BYTES (1024 * 1024)
#define BATCHES_PER_ROUND 8	/* of one socket, then the others have their turn */
#define RECORDS_PER_STEP 256	/* of a new configuration, then queries have their turn */

struct udp_socket {
	struct dns_watch watch;
	struct dns_server *server;
	struct udp_socket *next;
	struct dns_queue queue;
	int family;
	bool no_segments;
	bool sieved;		/* it has a filter, which drops packets, too */
};

struct dns_server {
	char *network;
	struct dns_loop loop;
	struct dns_answerer answerer;
	struct dns_counters counters;
	struct dns_cache *cache;
	struct dns_forwarder *forwarder;
	struct dns_tcp *tcp;
	struct udp_socket *udp;
	struct dns_random random;
	struct dns_quota quota;
	struct dns_sieve sieve;
	uint64_t now_ms;	/* of the present or last call */
	struct dns_batch *batch;
	uint8_t *scratch;	/* DNS_MESSAGE_MAX bytes: replies over TCP, late replies */
};

static bool is_udp_channel(const struct dns_asker *asker)
{
	return asker->stream_limit == 0;
}

/* A late reply: the forwarder has the answer. */
static void forward_done(void *context, const struct dns_waiter *w, const struct dns_body *body)
{
	struct dns_server *s = context;
	const struct udp_socket *u = w->asker.channel;
	size_t len = 0;

	if (body) {
		memcpy(s->scratch, w->packet, w->query.question_end);
		len = dns_reply_write(s->scratch, dns_reply_limit(&w->asker, &w->query),
				      &w->query, body);
		if (s->scratch[2] & DNS_TC >> 8)
			s->counters.truncated++;
	}
	if (!is_udp_channel(&w->asker))
		dns_tcp_reply(s->tcp, w->asker.channel, body ? s->scratch : NULL, len, s->now_ms);
	else if (body && sendto(u->watch.fd, s->scratch, len, MSG_DONTWAIT, &w->asker.address.any,
				w->asker.address_len) < 0)
		s->counters.send_failed++;
}

/* Puts the reply in the query's place; len 0: there is none. */
static void handle_datagram(struct udp_socket *u, struct dns_datagram *d, uint64_t now_ms)
{
	struct dns_server *s = u->server;
	struct dns_asker asker;

	asker.channel = u;
	asker.stream_limit = 0;
	asker.address_len = d->from_len;
	if (d->from.any.sa_family == AF_INET) {
		asker.client = nd_ip_from4(d->from.v4.sin_addr);
		asker.address.v4 = d->from.v4;
	} else {
		asker.client = nd_ip_from6(d->from.v6.sin6_addr);
		asker.address.v6 = d->from.v6;
	}
	s->counters.queries_udp++;
	if (s->sieve.n)
		dns_sieve_seen(&s->sieve, &asker.client);
	if (!dns_quota_take(&s->quota, &u->queue, &asker.client, now_ms)) {
		s->counters.dropped_share++;
		dns_sieve_add(&s->sieve, &asker.client, now_ms);
		d->len = 0;
	} else if (d->cut) {
		s->counters.malformed++;
		d->len = 0;
	} else if (dns_answer(&s->answerer, d->packet, &d->len, &asker, now_ms) != DNS_REPLY) {
		d->len = 0;
	}
}

/* After a batch: is there a flood behind it? */
static void queue_look(struct udp_socket *u, bool full, uint64_t now_ms)
{
	uint32_t info[SK_MEMINFO_VARS] = { 0 };
	socklen_t len = sizeof(info);

	if (full && getsockopt(u->watch.fd, SOL_SOCKET, SO_MEMINFO, info, &len) < 0)
		return;		/* Linux before 4.12: no quota, then */
	if (full || u->queue.bytes)
		dns_quota_look(&u->server->quota, &u->queue, info[SK_MEMINFO_RMEM_ALLOC],
			       u->sieved ? 0 : info[SK_MEMINFO_DROPS], now_ms);
}

/* False when the socket had less than a whole batch. */
static bool batch_handle(struct udp_socket *u, uint64_t now_ms)
{
	struct dns_server *s = u->server;
	unsigned n = dns_batch_receive(s->batch, u->watch.fd);

	for (unsigned i = 0; i < n; i++)
		handle_datagram(u, dns_batch_at(s->batch, i), now_ms);
	s->counters.send_failed += dns_batch_send(s->batch, u->watch.fd, &u->no_segments);
	queue_look(u, n == DNS_BATCH, now_ms);
	return n == DNS_BATCH;
}

static void udp_ready(struct dns_watch *w, uint32_t events, uint64_t now_ms)
{
	struct udp_socket *u = (struct udp_socket *)w;

	for (int i = 0; i < BATCHES_PER_ROUND; i++)
		if (!batch_handle(u, now_ms))
			return;
}

static bool is_queued(const struct dns_server *s)
{
	for (const struct udp_socket *u = s->udp; u; u = u->next)
		if (!dns_queue_is_short(&u->queue))
			return true;
	return false;
}

/* Without the filter the quota is all there is: harmless. */
static void sieve_apply(struct dns_server *s)
{
	struct sock_filter code[DNS_SIEVE_CODE_MAX];

	for (struct udp_socket *u = s->udp; u; u = u->next) {
		size_t n = dns_sieve_code(&s->sieve, u->family, code);
		struct sock_fprog filter = { (unsigned short)n, code };

		if (n)
			u->sieved |= setsockopt(u->watch.fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter,
						sizeof(filter)) == 0;
		else if (u->sieved)
			u->sieved = setsockopt(u->watch.fd, SOL_SOCKET, SO_DETACH_FILTER, &n,
					       sizeof(n)) < 0;
	}
}

/* So that questions are never sent to ourselves. */
static int own_address_add(struct dns_server *s, int fd)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	struct dns_upstream own;

	if (getsockname(fd, (struct sockaddr *)&ss, &len) < 0)
		return -errno;
	if (ss.ss_family == AF_INET) {
		const struct sockaddr_in *sin = (const struct sockaddr_in *)&ss;

		own = (struct dns_upstream){ nd_ip_from4(sin->sin_addr), ntohs(sin->sin_port) };
	} else {
		const struct sockaddr_in6 *sin6 = (const struct sockaddr_in6 *)&ss;

		own = (struct dns_upstream){ nd_ip_from6(sin6->sin6_addr), ntohs(sin6->sin6_port) };
	}
	return dns_forwarder_add_own(s->forwarder, &own);
}

int dns_server_add_udp(struct dns_server *s, int fd, struct nd_error *err)
{
	struct udp_socket *u = calloc(1, sizeof(*u));
	socklen_t len = sizeof(u->family);
	int r;

	if (!u) {
		close(fd);
		return nd_error_nomem(err);
	}
	u->watch.fd = fd;
	u->watch.ready = udp_ready;
	u->server = s;
	r = own_address_add(s, fd);
	if (r == 0 && getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &u->family, &len) < 0)
		r = -errno;
	if (r == 0)
		r = dns_loop_add(&s->loop, &u->watch, EPOLLIN);
	if (r < 0) {
		close(fd);
		free(u);
		return nd_error_sys(err, -r, "cannot watch the DNS server's UDP socket");
	}
	u->next = s->udp;
	s->udp = u;
	return 0;
}

int dns_server_add_tcp(struct dns_server *s, int fd, struct nd_error *err)
{
	int r = own_address_add(s, fd);

	if (r < 0)
		close(fd);
	else
		r = dns_tcp_listen(s->tcp, fd);
	if (r < 0)
		return nd_error_sys(err, -r, "cannot watch the DNS server's TCP socket");
	return 0;
}

int dns_server_new(const char *network, const struct dns_config *config, int epoll_fd,
		   uint64_t now_ms, struct dns_server **out, struct nd_error *err)
{
	ND_AUTO(dns_server_free) struct dns_server *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return nd_error_nomem(err);
	s->now_ms = now_ms;
	s->loop.epoll_fd = epoll_fd;
	s->quota.random = &s->random;
	s->network = strdup(network);
	s->cache = dns_cache_new(CACHE_BYTES);
	s->batch = dns_batch_new();
	s->scratch = malloc(DNS_MESSAGE_MAX);	/* not cleared: no memory yet */
	s->tcp = dns_tcp_new(&s->loop, &s->answerer, s->scratch);
	if (!s->network || !s->cache || !s->batch || !s->scratch || !s->tcp)
		return nd_error_nomem(err);
	s->forwarder = dns_forwarder_new(s->network, &s->loop, s->cache, &s->counters,
					 forward_done, s);
	if (!s->forwarder)
		return nd_error_nomem(err);
	s->answerer = (struct dns_answerer){ .network = s->network, .cache = s->cache,
					     .forwarder = s->forwarder, .counters = &s->counters };
	r = dns_server_configure(s, config, now_ms, err);
	if (r < 0)
		return r;
	*out = nd_take_ptr(&s);
	return 0;
}

void dns_server_free(struct dns_server *s)
{
	if (!s)
		return;
	dns_forwarder_free(s->forwarder);
	dns_tcp_free(s->tcp);
	while (s->udp) {
		struct udp_socket *u = s->udp;

		s->udp = u->next;
		dns_loop_drop(&s->loop, &u->watch);
	}
	dns_loop_bury(&s->loop);
	dns_cache_free(s->cache);
	dns_zone_free(s->answerer.zone);
	free(s->answerer.subnets);
	dns_batch_free(s->batch);
	free(s->scratch);
	free(s->network);
	free(s);
}

static int subnets_copy(const struct dns_config *c, struct nd_prefix **out)
{
	struct nd_prefix *p = calloc(c->n_subnets ? c->n_subnets : 1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	for (size_t i = 0; i < c->n_subnets; i++)
		p[i] = nd_prefix_masked(&c->subnets[i]);
	*out = p;
	return 0;
}

/* Queries that came while a configuration was at work: the zone in force answers them. */
static void breathe(struct dns_server *s, uint64_t now_ms)
{
	for (struct udp_socket *u = s->udp; u; u = u->next)
		udp_ready(&u->watch, EPOLLIN, now_ms);
}

/* The zone of a configuration with the present leases, made while queries are answered. */
static int zone_build(struct dns_server *s, const struct dns_config *config, uint64_t now_ms,
		      struct dns_zone **out, struct nd_error *err)
{
	ND_AUTO(dns_zone_free) struct dns_zone *zone = NULL;
	size_t at = 0;
	int r = dns_zone_begin(config, &zone, err);

	if (r < 0)
		return r;
	while ((r = dns_zone_fill(zone, config, &at, RECORDS_PER_STEP, err)) > 0)
		breathe(s, now_ms);
	if (r < 0)
		return r;
	while (s->answerer.zone &&
	       (r = dns_zone_lease_copy(zone, s->answerer.zone, RECORDS_PER_STEP)) > 0)
		breathe(s, now_ms);
	if (r < 0)
		return nd_error_nomem(err);
	*out = nd_take_ptr(&zone);
	return 0;
}

int dns_server_configure(struct dns_server *s, const struct dns_config *config, uint64_t now_ms,
			 struct nd_error *err)
{
	ND_AUTO(dns_zone_free) struct dns_zone *zone = NULL;
	ND_AUTO(free) struct nd_prefix *subnets = NULL;
	struct dns_zone *old = s->answerer.zone;
	int r;

	s->now_ms = now_ms;
	r = zone_build(s, config, now_ms, &zone, err);
	if (r < 0)
		return r;
	if (subnets_copy(config, &subnets) < 0)
		return nd_error_nomem(err);
	r = dns_forwarder_configure(s->forwarder, config, err);
	if (r < 0)
		return r;
	free(s->answerer.subnets);
	s->answerer.zone = nd_take_ptr(&zone);
	s->answerer.subnets = nd_take_ptr(&subnets);
	s->answerer.n_subnets = config->n_subnets;
	while (old && dns_zone_dismantle(old, RECORDS_PER_STEP))
		breathe(s, now_ms);
	dns_zone_free(old);
	return 0;
}

int dns_server_set_upstreams(struct dns_server *s, const struct dns_upstream *upstreams,
			     size_t n, struct nd_error *err)
{
	return dns_forwarder_set_upstreams(s->forwarder, upstreams, n, err);
}

enum dns_lease_result dns_server_lease_add(struct dns_server *s, const char *name,
					   const struct nd_ip *ip, bool configured)
{
	static const char *const why[] = {
		[DNS_LEASE_ADDED] = "registered",
		[DNS_LEASE_BAD_NAME] = "not a host name",
		[DNS_LEASE_HOST_NAMED] = "the network's XML names this address otherwise",
		[DNS_LEASE_NAME_TAKEN] = "the name belongs to another address",
		[DNS_LEASE_NO_MEMORY] = "out of memory",
	};
	enum dns_lease_result r = dns_zone_lease_add(s->answerer.zone, name, ip, configured);
	char text[ND_IP_STRLEN];

	nd_log(LOG_DEBUG, s->network, "DNS name '%.63s' of lease %s: %s", name,
	       nd_ip_format(ip, text), why[r]);
	return r;
}

void dns_server_lease_remove(struct dns_server *s, const struct nd_ip *ip)
{
	dns_zone_lease_remove(s->answerer.zone, ip);
}

int dns_server_timeout_ms(const struct dns_server *s, uint64_t now_ms)
{
	uint64_t next = dns_forwarder_next_ms(s->forwarder), tcp = dns_tcp_next_ms(s->tcp);
	uint64_t sieve = dns_sieve_next_ms(&s->sieve);

	if (tcp < next)
		next = tcp;
	if (sieve < next)
		next = sieve;
	if (next == DNS_NEVER)
		return -1;
	return next <= now_ms ? 0 : (int)(next - now_ms);
}

void dns_server_event(struct dns_server *s, const struct epoll_event *ev, uint64_t now_ms)
{
	struct dns_watch *w = (struct dns_watch *)(uintptr_t)ev->data.u64;

	s->now_ms = now_ms;
	if (w->ready)
		w->ready(w, ev->events, now_ms);
}

void dns_server_turn(struct dns_server *s, uint64_t now_ms)
{
	s->now_ms = now_ms;
	if (dns_sieve_turn(&s->sieve, is_queued(s), now_ms))
		sieve_apply(s);
	dns_forwarder_run(s->forwarder, now_ms);
	dns_tcp_expire(s->tcp, now_ms);
	dns_loop_bury(&s->loop);
}

void dns_server_counters(const struct dns_server *s, struct dns_counters *out)
{
	*out = s->counters;
	out->cache_entries = dns_cache_entries(s->cache);
	out->cache_bytes = dns_cache_bytes(s->cache);
	out->questions_in_flight = dns_forwarder_in_flight(s->forwarder);
	out->tcp_clients = dns_tcp_clients(s->tcp);
}
