/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dns_standalone.c -- the DNS server alone: no sandbox, no netd, to measure and to try it
 *
 *	bench_dns_standalone [-d] [-n HOSTS] [-u UPSTREAM[:PORT]]... [-f DOMAIN=UPSTREAM[:PORT]]...
 *		[-r SECONDS] ADDRESS PORT
 *
 * Serves HOSTS names hostI.bench (10.A.B.C each), forwards DOMAINs and the rest, and with -r
 * replaces its configuration every so often. Prints its counters at the end of its input.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "dns/server.h"
#include "netd/base/array.h"
#include "netd/base/auto.h"
#include "netd/base/log.h"

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void hosts_fill(struct dns_config *c, unsigned n)
{
	c->hosts = calloc(n ? n : 1, sizeof(*c->hosts));
	for (c->n_hosts = 0; c->n_hosts < n; c->n_hosts++) {
		struct dns_host_record *h = &c->hosts[c->n_hosts];

		h->ip = nd_ip_from4((struct in_addr){ htonl(0x0a000001u + (uint32_t)c->n_hosts) });
		h->names = calloc(1, sizeof(*h->names));
		h->n_names = 1;
		if (asprintf(&h->names[0], "host%zu", c->n_hosts) < 0)
			abort();
	}
}

static struct dns_upstream upstream_parse(char *text)
{
	struct dns_upstream u = { .port = 53 };
	char *colon = strchr(text, ':');

	if (colon) {
		u.port = (uint16_t)atoi(colon + 1);
		*colon = '\0';
	}
	if (!nd_ip_parse(text, &u.addr)) {
		fprintf(stderr, "'%s' is no address\n", text);
		exit(1);
	}
	return u;
}

static void upstream_add(struct dns_config *c, char *text)
{
	struct dns_upstream *u = nd_array_add(c->upstreams, c->n_upstreams);

	if (!u)
		abort();
	*u = upstream_parse(text);
}

static void rule_add(struct dns_config *c, char *text)
{
	struct dns_forward_rule *rule = nd_array_add(c->rules, c->n_rules);
	char *equals = strchr(text, '=');
	struct dns_upstream u;

	if (!rule || !equals)
		abort();
	*equals = '\0';
	u = upstream_parse(equals + 1);
	*rule = (struct dns_forward_rule){ strdup(text), u.addr, u.port };
}

static void listen_on(struct dns_server *s, const char *address, int port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	int udp = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int tcp = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	static const int one = 1, buffer_bytes = 2 * 1024 * 1024;

	/* As netd gives them to its servers; without root the system's limit applies. */
	(void)setsockopt(udp, SOL_SOCKET, SO_RCVBUFFORCE, &buffer_bytes, sizeof(buffer_bytes));
	(void)setsockopt(tcp, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (inet_pton(AF_INET, address, &sin.sin_addr) != 1 ||
	    bind(udp, (struct sockaddr *)&sin, sizeof(sin)) < 0 ||
	    bind(tcp, (struct sockaddr *)&sin, sizeof(sin)) < 0 || listen(tcp, 64) < 0 ||
	    dns_server_add_udp(s, udp, NULL) < 0 || dns_server_add_tcp(s, tcp, NULL) < 0) {
		fprintf(stderr, "cannot listen on %s port %d: %s\n", address, port,
			strerror(errno));
		exit(1);
	}
}

static void print_counters(const struct dns_server *s)
{
	struct dns_counters c;

	dns_server_counters(s, &c);
	printf("udp %lu tcp %lu local %lu cached %lu forwarded %lu coalesced %lu\n"
	       "refused-source %lu refused-no-upstream %lu malformed %lu over-share %lu\n"
	       "servfail %lu truncated %lu send-failed %lu cache %lu entries %lu bytes\n"
	       "upstream: sent %lu answers %lu timeouts %lu tcp %lu forged %lu inside %lu\n",
	       c.queries_udp, c.queries_tcp, c.local, c.cache_hits, c.forwarded, c.coalesced,
	       c.refused_source, c.refused_no_upstream, c.malformed, c.dropped_share, c.servfail,
	       c.truncated, c.send_failed, c.cache_entries, c.cache_bytes, c.upstream_sent,
	       c.upstream_answers, c.upstream_timeouts, c.upstream_tcp, c.upstream_forged,
	       c.upstream_inside);
}

static void replace_config(struct dns_server *s, const struct dns_config *c)
{
	struct timespec a, b;
	struct nd_error err;

	clock_gettime(CLOCK_MONOTONIC, &a);
	if (dns_server_configure(s, c, now_ms(), &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		exit(1);
	}
	clock_gettime(CLOCK_MONOTONIC, &b);
	printf("configured in %.2f ms\n", (double)(b.tv_sec - a.tv_sec) * 1e3 +
					  (double)(b.tv_nsec - a.tv_nsec) / 1e6);
}

static void serve(struct dns_server *s, int epoll_fd, const struct dns_config *c,
		  unsigned replace_s)
{
	struct epoll_event events[64];
	uint64_t next_ms = now_ms() + replace_s * 1000;
	char byte;

	for (;;) {
		uint64_t now = now_ms();
		int n, timeout_ms = dns_server_timeout_ms(s, now);

		if (replace_s && (timeout_ms < 0 || timeout_ms > 100))
			timeout_ms = 100;
		n = epoll_wait(epoll_fd, events, 64, timeout_ms);
		now = now_ms();
		for (int i = 0; i < n; i++) {
			if (dns_server_owns(&events[i]))
				dns_server_event(s, &events[i], now);
			else if (read(0, &byte, 1) <= 0)
				return;
		}
		if (replace_s && now >= next_ms) {
			replace_config(s, c);
			next_ms = now + replace_s * 1000;
		}
		dns_server_turn(s, now);
	}
}

int main(int argc, char **argv)
{
	struct dns_config c = { .enabled = true, .domain = strdup("bench"), .local_only = true,
				.forward_plain_names = true, .use_host_resolvers = true };
	ND_AUTO(dns_server_free) struct dns_server *s = NULL;
	struct nd_error err;
	struct epoll_event input = { .events = EPOLLIN };
	unsigned n_hosts = 1000, replace_s = 0;
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	int opt, level = LOG_INFO;

	while ((opt = getopt(argc, argv, "dn:u:f:r:")) != -1) {
		if (opt == 'd')
			level = LOG_DEBUG;
		else if (opt == 'n')
			n_hosts = (unsigned)atoi(optarg);
		else if (opt == 'r')
			replace_s = (unsigned)atoi(optarg);
		else if (opt == 'u')
			upstream_add(&c, optarg);
		else if (opt == 'f')
			rule_add(&c, optarg);
		else
			return 1;
	}
	if (argc - optind != 2) {
		fprintf(stderr, "usage: bench_dns_standalone [-d] [-n HOSTS] [-u UPSTREAM[:PORT]]... "
			"[-f DOMAIN=UPSTREAM[:PORT]]... [-r SECONDS] ADDRESS PORT\n");
		return 1;
	}
	nd_log_init("dns", level);
	hosts_fill(&c, n_hosts);
	c.subnets = calloc(2, sizeof(*c.subnets));
	c.n_subnets = 2;
	nd_ip_parse("127.0.0.0", &c.subnets[0].addr);
	c.subnets[0].len = 8;
	nd_ip_parse("10.0.0.0", &c.subnets[1].addr);
	c.subnets[1].len = 8;
	if (dns_server_new("bench", &c, epoll_fd, now_ms(), &s, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	listen_on(s, argv[optind], atoi(argv[optind + 1]));
	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, 0, &input) < 0) {
		perror("epoll_ctl (is the input a file?)");
		return 1;
	}
	serve(s, epoll_fd, &c, replace_s);
	print_counters(s);
	dns_config_fini(&c);
	return 0;
}
