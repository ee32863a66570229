/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dns_scene.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "netd/base/array.h"
#include "tests/suite.h"

struct dns_config config;
struct dns_server *server;
struct nd_error err;
uint64_t now;
static int epoll_fd;
struct sockaddr_in server_udp, server_tcp;
int upstreams[UPSTREAMS], upstream_tcp[UPSTREAMS];
struct dns_upstream where[UPSTREAMS];

/* A socket bound to an address, port chosen by the kernel unless given; where it is in *at. */
int bound(int type, const char *address, uint16_t port, struct sockaddr_in *at)
{
	socklen_t len = sizeof(*at);
	int fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	*at = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port) };
	ck_assert_int_eq(inet_pton(AF_INET, address, &at->sin_addr), 1);
	ck_assert_msg(bind(fd, (struct sockaddr *)at, len) == 0, "%s: %m", address);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)at, &len), 0);
	if (type == SOCK_STREAM)
		ck_assert_int_eq(listen(fd, 64), 0);
	return fd;
}

struct nd_prefix prefix(const char *address, uint8_t len)
{
	struct nd_prefix p = { .len = len };

	ck_assert(nd_ip_parse(address, &p.addr));
	return p;
}

void host_add(const char *address, const char *name)
{
	struct dns_host_record *h = nd_array_add(config.hosts, config.n_hosts);

	h->ip = prefix(address, 32).addr;
	*nd_array_add(h->names, h->n_names) = strdup(name);
}

void rule_add(const char *domain, const struct dns_upstream *to)
{
	struct dns_forward_rule *r = nd_array_add(config.rules, config.n_rules);

	r->domain = domain ? strdup(domain) : NULL;
	if (to) {
		r->addr = to->addr;
		r->port = to->port;
	}
}

void upstream_use(int i)
{
	*nd_array_add(config.upstreams, config.n_upstreams) = where[i];
}

/* Sockets at 127.0.0.50+i, UDP and TCP at the same port. */
static void upstream_open(int i)
{
	struct sockaddr_in at;
	char address[32];

	snprintf(address, sizeof(address), "127.0.0.%d", 50 + i);
	upstreams[i] = bound(SOCK_DGRAM, address, 0, &at);
	upstream_tcp[i] = bound(SOCK_STREAM, address, ntohs(at.sin_port), &at);
	where[i] = (struct dns_upstream){ nd_ip_from4(at.sin_addr), ntohs(at.sin_port) };
}

static void set_up(void)
{
	memset(&config, 0, sizeof(config));
	config.enabled = config.forward_plain_names = config.use_host_resolvers = true;
	config.domain = strdup("lan");
	config.local_only = true;
	*nd_array_add(config.subnets, config.n_subnets) = prefix("127.1.0.0", 16);
	host_add("192.168.1.2", "web");
	server = NULL;
	now = 1000000;
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	for (int i = 0; i < UPSTREAMS; i++)
		upstream_open(i);
}

static void tear_down(void)
{
	dns_server_free(server);
	close(epoll_fd);
	dns_config_fini(&config);
	for (int i = 0; i < UPSTREAMS; i++) {
		close(upstreams[i]);
		close(upstream_tcp[i]);
	}
}

void start(void)
{
	int udp, tcp;

	ck_assert_msg(dns_server_new("test", &config, epoll_fd, now, &server, &err) == 0, "%s",
		      err.text);
	udp = bound(SOCK_DGRAM, "127.0.0.2", 0, &server_udp);
	tcp = bound(SOCK_STREAM, "127.0.0.2", 0, &server_tcp);
	ck_assert_int_eq(dns_server_add_udp(server, udp, &err), 0);
	ck_assert_int_eq(dns_server_add_tcp(server, tcp, &err), 0);
}

void configure(void)
{
	ck_assert_msg(dns_server_configure(server, &config, now, &err) == 0, "%s", err.text);
}

/* As long as there is something to do at this moment. */
void dispatch(void)
{
	int n;

	do {
		struct epoll_event events[8];

		n = epoll_wait(epoll_fd, events, 8, 0);
		for (int i = 0; i < n; i++) {
			ck_assert(dns_server_owns(&events[i]));
			dns_server_event(server, &events[i], now);
		}
		dns_server_turn(server, now);
	} while (n > 0 || dns_server_timeout_ms(server, now) == 0);
}

/* Lets time pass as the program's loop would: waking when the server asked for it. */
void pass(uint64_t ms)
{
	uint64_t end = now + ms;

	for (;;) {
		int timeout_ms = dns_server_timeout_ms(server, now);

		if (timeout_ms < 0 || now + (uint64_t)timeout_ms > end)
			break;
		now += (uint64_t)timeout_ms;
		dispatch();
	}
	now = end;
	dispatch();
}

struct dns_counters counters(void)
{
	struct dns_counters c;

	dns_server_counters(server, &c);
	return c;
}

int client(const char *address)
{
	struct sockaddr_in at;
	int fd = bound(SOCK_DGRAM, address, 0, &at);

	ck_assert_int_eq(connect(fd, (struct sockaddr *)&server_udp, sizeof(server_udp)), 0);
	return fd;
}

size_t query(uint8_t *buf, uint16_t id, const char *name, uint16_t type)
{
	struct wr w = wr_init(buf, DNS_UDP_MAX);
	struct dns_name n;

	ck_assert(dns_name_parse(name, &n));
	dns_query_encode(&w, id, &n, type, true, false, false);
	return wr_len(&w);
}

void ask(int fd, uint16_t id, const char *name, uint16_t type)
{
	uint8_t m[DNS_UDP_MAX];
	size_t len = query(m, id, name, type);

	ck_assert_int_eq(send(fd, m, len, 0), (ssize_t)len);
	dispatch();
}

void message_read(struct message *got)
{
	struct rd r = rd_init(got->m, got->len);

	got->id = rd_u16(&r);
	got->flags = rd_u16(&r);
	rd_skip(&r, 2);
	got->n_answers = rd_u16(&r);
	rd_skip(&r, 2);
	got->n_additional = rd_u16(&r);
	dns_name_decode(&r, got->m, &got->name);
	got->type = rd_u16(&r);
	rd_skip(&r, 2);
	ck_assert(!r.bad);
	got->question_end = (size_t)(r.at - got->m);
	got->stream = -1;
}

bool take(int fd, struct message *got)
{
	socklen_t len = sizeof(got->from);
	ssize_t n = recvfrom(fd, got->m, sizeof(got->m), MSG_DONTWAIT,
			     (struct sockaddr *)&got->from, &len);

	if (n < 0)
		return false;
	got->len = (size_t)n;
	message_read(got);
	return true;
}

struct message reply;	/* the last one that a client got */

/* The client has a reply to this id with this rcode. */
void got_reply(int fd, uint16_t id, unsigned rcode)
{
	ck_assert_msg(take(fd, &reply), "no reply to query %u", id);
	ck_assert_uint_eq(reply.id, id);
	ck_assert_uint_eq(reply.flags & DNS_RCODE, rcode);
	ck_assert(reply.flags & DNS_QR);
}

void got_address(int fd, uint16_t id, const char *address)
{
	struct nd_ip ip = prefix(address, 32).addr;

	got_reply(fd, id, DNS_NOERROR);
	ck_assert_uint_eq(reply.n_answers, 1);
	ck_assert_mem_eq(reply.m + reply.question_end + 12, &ip.v4, 4);
}

void got_nothing(int fd)
{
	ck_assert_msg(!take(fd, &reply), "a reply where none was due");
}

/* Answers a question that an upstream got, with an address, TTL 60; NULL: only the rcode. */
static size_t answer_make(const struct message *q, unsigned flags, const char *address,
		   uint8_t *m)
{
	struct wr w = wr_init(m, DNS_UDP_MAX);

	wr_u16(&w, q->id);
	wr_u16(&w, (uint16_t)(DNS_QR | DNS_RD | DNS_RA | flags));
	wr_u16(&w, 1);
	wr_u16(&w, address ? 1 : 0);
	wr_u32(&w, 0);
	wr_bytes(&w, q->m + 12, q->question_end - 12);
	if (address) {
		struct nd_ip ip = prefix(address, 32).addr;

		wr_bytes(&w, "\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04", 12);
		wr_bytes(&w, &ip.v4, 4);
	}
	return wr_len(&w);
}

void answer_from(int fd, const struct message *q, unsigned flags, const char *address)
{
	uint8_t m[2 + DNS_UDP_MAX];
	size_t len = answer_make(q, flags, address, m + 2);

	m[0] = len >> 8 & 0xff;
	m[1] = len & 0xff;
	if (q->stream >= 0)
		ck_assert_int_eq(send(q->stream, m, len + 2, MSG_NOSIGNAL), (ssize_t)len + 2);
	else
		ck_assert_int_eq(sendto(fd, m + 2, len, 0, (const struct sockaddr *)&q->from,
					sizeof(q->from)), (ssize_t)len);
	dispatch();
}

struct message asked;	/* the last one that an upstream got */

void upstream_got(int i, const char *name)
{
	struct dns_name n;
	char text[DNS_NAME_STRLEN];

	ck_assert_msg(take(upstreams[i], &asked), "upstream %d was not asked for %s", i, name);
	ck_assert(dns_name_parse(name, &n));
	ck_assert_msg(dns_name_equal(&asked.name, &n), "upstream %d was asked for %s", i,
		      dns_name_format(&asked.name, text));
}

void upstream_idle(int i)
{
	ck_assert_msg(!take(upstreams[i], &asked), "upstream %d was asked", i);
}

void upstream_answers(int i, const char *address)
{
	answer_from(upstreams[i], &asked, 0, address);
}

/* Accepts the connection that the server made to an upstream and reads the question. */
void upstream_got_tcp(int i, const char *name)
{
	struct dns_name n;
	int fd = accept4(upstream_tcp[i], NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	uint8_t head[2];

	ck_assert_msg(fd >= 0, "upstream %d was not asked over TCP", i);
	dispatch();	/* it is connected now */
	ck_assert_int_eq(recv(fd, head, 2, 0), 2);
	asked.len = (size_t)head[0] << 8 | head[1];
	ck_assert_int_eq(recv(fd, asked.m, sizeof(asked.m), 0), (ssize_t)asked.len);
	message_read(&asked);
	asked.stream = fd;
	ck_assert(dns_name_parse(name, &n));
	ck_assert(dns_name_equal(&asked.name, &n));
}

int connect_tcp(const char *address)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(inet_pton(AF_INET, address, &at.sin_addr), 1);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&server_tcp, sizeof(server_tcp)), 0);
	dispatch();
	return fd;
}

void ask_tcp(int fd, uint16_t id, const char *name)
{
	uint8_t m[2 + DNS_UDP_MAX];
	size_t len = query(m + 2, id, name, DNS_TYPE_A);

	m[0] = len >> 8 & 0xff;
	m[1] = len & 0xff;
	ck_assert_int_eq(send(fd, m, len + 2, MSG_NOSIGNAL), (ssize_t)len + 2);
}

int scene_run(const char *name, void (*add_tests)(TCase *t))
{
	return suite_run_case(name, set_up, tear_down, add_tests);
}
