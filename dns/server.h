/* SPDX-License-Identifier: GPL-2.0-or-later */
/* server.h -- the DNS server of one network: sockets in, answers out
 *
 * The server adds its descriptors to the epoll set of the program's loop, with pointers as their
 * data; the program's own events have data.u64 below DNS_EVENT_DATA_MIN. A turn of the loop is
 *
 *	n = epoll_wait(epoll_fd, events, MAX, dns_server_timeout_ms(s, now))
 *	for each event: dns_server_event(s, &event, now) when dns_server_owns(&event)
 *	dns_server_turn(s, now)
 *
 * (One set, because a set inside a set makes each datagram's arrival and each wake-up dearer.)
 * Time is a parameter: milliseconds of CLOCK_MONOTONIC (or any clock that only goes forward).
 * Inside the sandbox it needs: socket(AF_INET and AF_INET6, SOCK_DGRAM and SOCK_STREAM, with
 * NONBLOCK and CLOEXEC), connect, setsockopt(TCP_NODELAY; SO_ATTACH_FILTER and SO_DETACH_FILTER on
 * its UDP sockets), getsockopt, getsockname, recvmmsg, sendmmsg, recvfrom, sendto, accept4,
 * epoll_ctl, close, getrandom, and memory.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "dns/config.h"
#include "dns/zone.h"
#include "netd/base/auto.h"
#include "netd/base/error.h"

struct dns_server;

/* What the server did since it was made. */
struct dns_counters {
	uint64_t queries_udp, queries_tcp;
	uint64_t local;			/* answered from records and leases */
	uint64_t cache_hits;
	uint64_t forwarded;		/* questions sent upstream */
	uint64_t coalesced;		/* joined a question already under way */
	uint64_t refused_source;	/* the client is in no subnet of the network */
	uint64_t refused_no_upstream;
	uint64_t malformed;		/* dropped, or answered FORMERR or NOTIMP */
	uint64_t dropped_share;		/* the client used up its share of the queue */
	uint64_t servfail;		/* no upstream answered in time */
	uint64_t truncated;
	uint64_t send_failed;
	uint64_t tcp_refused;		/* connections over the limits */
	uint64_t upstream_sent, upstream_answers, upstream_timeouts;
	uint64_t upstream_tcp;
	uint64_t upstream_forged;	/* wrong id, question or letter case: dropped */
	uint64_t upstream_inside;	/* led into the network: emptied (inside.h) */
	uint64_t cache_entries, cache_bytes;	/* now */
	uint64_t questions_in_flight;		/* now */
	uint64_t tcp_clients;			/* now */
};

#define DNS_EVENT_DATA_MIN 4096

/* network: for log lines, copied. config as in dns_server_configure(). epoll_fd is borrowed. */
int dns_server_new(const char *network, const struct dns_config *config, int epoll_fd,
		   uint64_t now_ms, struct dns_server **out, struct nd_error *err);
/* Closes the descriptors that it was given. NULL is fine. */
void dns_server_free(struct dns_server *s);
ND_DEFINE_AUTO(struct dns_server *, dns_server_free)

/* Adds a bound UDP socket, or a bound and listening TCP socket, made with SOCK_NONBLOCK. The
 * server owns it from here on, also when this fails. An upstream with the same address and port
 * as one of these is never asked (it would be a loop). */
int dns_server_add_udp(struct dns_server *s, int fd, struct nd_error *err);
int dns_server_add_tcp(struct dns_server *s, int fd, struct nd_error *err);

/* Replaces the configuration; leases, sockets and questions under way are kept. The config is
 * copied from, not kept. On error the old one stays in force. */
int dns_server_configure(struct dns_server *s, const struct dns_config *config, uint64_t now_ms,
			 struct nd_error *err);

/* Replaces only the upstreams (config.upstreams), when the host's resolvers change. */
int dns_server_set_upstreams(struct dns_server *s, const struct dns_upstream *upstreams,
			     size_t n, struct nd_error *err);

/* As dns_zone_lease_add() and dns_zone_lease_remove(); a result other than ADDED was logged
 * at debug level. */
enum dns_lease_result dns_server_lease_add(struct dns_server *s, const char *name,
					   const struct nd_ip *ip, bool configured);
void dns_server_lease_remove(struct dns_server *s, const struct nd_ip *ip);

/* The event belongs to the server. */
static inline bool dns_server_owns(const struct epoll_event *ev)
{
	return ev->data.u64 >= DNS_EVENT_DATA_MIN;
}
/* Does what there is to do for one event, a bounded amount at a time. */
void dns_server_event(struct dns_server *s, const struct epoll_event *ev, uint64_t now_ms);
/* Does what is due; called after the events of each wait were handed over. */
void dns_server_turn(struct dns_server *s, uint64_t now_ms);
/* How long the loop may sleep before the next turn; -1: until an event, 0: there is more to do. */
int dns_server_timeout_ms(const struct dns_server *s, uint64_t now_ms);

void dns_server_counters(const struct dns_server *s, struct dns_counters *out);
