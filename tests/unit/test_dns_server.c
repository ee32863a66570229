/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The whole DNS server, between clients and upstreams that are sockets of this test. Time is what
 * the test says; loopback delivers within the call that sends, so nothing here waits.
 */
#include <arpa/inet.h>
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dns/forwarder.h"
#include "dns/message.h"
#include "dns/race.h"
#include "dns/server.h"
#include "netd/base/array.h"

#define UPSTREAMS 3

static struct dns_config config;
static struct dns_server *server;
static struct nd_error err;
static uint64_t now;
static int epoll_fd;
static struct sockaddr_in server_udp, server_tcp;
static int upstreams[UPSTREAMS], upstream_tcp[UPSTREAMS];
static struct dns_upstream where[UPSTREAMS];

/* A socket bound to an address, port chosen by the kernel unless given; where it is in *at. */
static int bound(int type, const char *address, uint16_t port, struct sockaddr_in *at)
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

static struct nd_prefix prefix(const char *address, uint8_t len)
{
	struct nd_prefix p = { .len = len };

	ck_assert(nd_ip_parse(address, &p.addr));
	return p;
}

static void host_add(const char *address, const char *name)
{
	struct dns_host_record *h = nd_array_add(config.hosts, config.n_hosts);

	h->ip = prefix(address, 32).addr;
	*nd_array_add(h->names, h->n_names) = strdup(name);
}

static void rule_add(const char *domain, const struct dns_upstream *to)
{
	struct dns_forward_rule *r = nd_array_add(config.rules, config.n_rules);

	r->domain = domain ? strdup(domain) : NULL;
	if (to) {
		r->addr = to->addr;
		r->port = to->port;
	}
}

static void upstream_use(int i)
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

static void start(void)
{
	int udp, tcp;

	ck_assert_msg(dns_server_new("test", &config, epoll_fd, now, &server, &err) == 0, "%s",
		      err.text);
	udp = bound(SOCK_DGRAM, "127.0.0.2", 0, &server_udp);
	tcp = bound(SOCK_STREAM, "127.0.0.2", 0, &server_tcp);
	ck_assert_int_eq(dns_server_add_udp(server, udp, &err), 0);
	ck_assert_int_eq(dns_server_add_tcp(server, tcp, &err), 0);
}

static void configure(void)
{
	ck_assert_msg(dns_server_configure(server, &config, now, &err) == 0, "%s", err.text);
}

/* As long as there is something to do at this moment. */
static void dispatch(void)
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
static void pass(uint64_t ms)
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

static struct dns_counters counters(void)
{
	struct dns_counters c;

	dns_server_counters(server, &c);
	return c;
}

static int client(const char *address)
{
	struct sockaddr_in at;
	int fd = bound(SOCK_DGRAM, address, 0, &at);

	ck_assert_int_eq(connect(fd, (struct sockaddr *)&server_udp, sizeof(server_udp)), 0);
	return fd;
}

static size_t query(uint8_t *buf, uint16_t id, const char *name, uint16_t type)
{
	struct wr w = wr_init(buf, DNS_UDP_MAX);
	struct dns_name n;

	ck_assert(dns_name_parse(name, &n));
	dns_query_encode(&w, id, &n, type, true, false, false);
	return wr_len(&w);
}

static void ask(int fd, uint16_t id, const char *name, uint16_t type)
{
	uint8_t m[DNS_UDP_MAX];
	size_t len = query(m, id, name, type);

	ck_assert_int_eq(send(fd, m, len, 0), (ssize_t)len);
	dispatch();
}

struct message {
	uint8_t m[4096];
	size_t len;
	struct sockaddr_in from;
	uint16_t id, flags, n_answers, n_additional, type;
	struct dns_name name;
	size_t question_end;
	int stream;	/* -1: it came by UDP */
};

static void message_read(struct message *got)
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

static bool take(int fd, struct message *got)
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

static struct message reply;	/* the last one that a client got */

/* The client has a reply to this id with this rcode. */
static void got_reply(int fd, uint16_t id, unsigned rcode)
{
	ck_assert_msg(take(fd, &reply), "no reply to query %u", id);
	ck_assert_uint_eq(reply.id, id);
	ck_assert_uint_eq(reply.flags & DNS_RCODE, rcode);
	ck_assert(reply.flags & DNS_QR);
}

static void got_address(int fd, uint16_t id, const char *address)
{
	struct nd_ip ip = prefix(address, 32).addr;

	got_reply(fd, id, DNS_NOERROR);
	ck_assert_uint_eq(reply.n_answers, 1);
	ck_assert_mem_eq(reply.m + reply.question_end + 12, &ip.v4, 4);
}

static void got_nothing(int fd)
{
	ck_assert_msg(!take(fd, &reply), "a reply where none was due");
}

/* Answers a question that an upstream got, with an address, TTL 60; NULL: only the rcode. */
static size_t answer_make(const struct message *q, unsigned flags, const char *address, uint8_t *m)
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

static void answer_from(int fd, const struct message *q, unsigned flags, const char *address)
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

static struct message asked;	/* the last one that an upstream got */

static void upstream_got(int i, const char *name)
{
	struct dns_name n;
	char text[DNS_NAME_STRLEN];

	ck_assert_msg(take(upstreams[i], &asked), "upstream %d was not asked for %s", i, name);
	ck_assert(dns_name_parse(name, &n));
	ck_assert_msg(dns_name_equal(&asked.name, &n), "upstream %d was asked for %s", i,
		      dns_name_format(&asked.name, text));
}

static void upstream_idle(int i)
{
	ck_assert_msg(!take(upstreams[i], &asked), "upstream %d was asked", i);
}

static void upstream_answers(int i, const char *address)
{
	answer_from(upstreams[i], &asked, 0, address);
}

/* Accepts the connection that the server made to an upstream and reads the question. */
static void upstream_got_tcp(int i, const char *name)
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

START_TEST(local_names_are_answered_here)
{
	int c;

	start();
	c = client("127.1.0.1");
	ask(c, 1, "Web.Lan", DNS_TYPE_A);
	got_address(c, 1, "192.168.1.2");
	ck_assert(reply.flags & DNS_AA);
	ask(c, 2, "web.lan", DNS_TYPE_AAAA);
	got_reply(c, 2, DNS_NOERROR);
	ck_assert_uint_eq(reply.n_answers, 0);
	ask(c, 3, "nope.lan", DNS_TYPE_A);
	got_reply(c, 3, DNS_NXDOMAIN);
	ck_assert_uint_eq(counters().local, 3);
	close(c);
}
END_TEST

/* The replies leave in messages that the kernel cuts up: to each client its own, whole. */
START_TEST(every_query_of_a_burst_is_answered)
{
	static const char *const names[] = { "web.lan", "a.lan", "web", "nope.lan" };
	uint8_t seen[3][200] = { 0 };
	int clients[3];

	host_add("192.168.1.5", "a");
	start();
	for (int i = 0; i < 3; i++) {
		char address[32];

		snprintf(address, sizeof(address), "127.1.0.%d", i + 1);
		clients[i] = client(address);
	}
	for (uint16_t id = 0; id < 200; id++) {
		uint8_t m[DNS_UDP_MAX];
		size_t len = query(m, id, names[id % 4], DNS_TYPE_A);

		for (int i = 0; i <= id % 3; i++)
			ck_assert_int_eq(send(clients[i], m, len, 0), (ssize_t)len);
		if (id % 40 == 39)	/* or the socket's queue is full */
			dispatch();
	}
	for (int i = 0; i < 3; i++)
		while (take(clients[i], &reply)) {
			ck_assert_uint_lt(reply.id, 200);
			seen[i][reply.id]++;
			ck_assert_uint_eq(reply.flags & DNS_RCODE,
					  reply.id % 4 == 3 ? DNS_NXDOMAIN : DNS_NOERROR);
			ck_assert_uint_eq(reply.n_answers, reply.id % 4 != 3);
			ck_assert_uint_eq(reply.len, reply.question_end + 11 +
						     (reply.id % 4 == 3 ? 0 : 16));
		}
	for (int i = 0; i < 3; i++) {
		for (int id = 0; id < 200; id++)
			ck_assert_uint_eq(seen[i][id], i <= id % 3);
		close(clients[i]);
	}
	ck_assert_uint_eq(counters().send_failed, 0);
}
END_TEST

START_TEST(clients_outside_the_subnets_are_refused)
{
	int c;

	start();
	c = client("127.2.0.1");
	ask(c, 1, "web.lan", DNS_TYPE_A);
	got_reply(c, 1, DNS_REFUSED);
	ck_assert_uint_lt(reply.len, 12 + 40);
	ask(c, 2, "www.example", DNS_TYPE_A);
	got_reply(c, 2, DNS_REFUSED);
	ck_assert_uint_eq(counters().refused_source, 2);
	/* A flood of forged addresses is not answered without end. */
	for (int i = 0; i < 200; i++)
		ask(c, 3, "web.lan", DNS_TYPE_A);
	for (int i = 0; i < 98; i++)
		got_reply(c, 3, DNS_REFUSED);
	got_nothing(c);
	close(c);
}
END_TEST

START_TEST(a_leases_name_resolves_at_once_and_no_longer_than_it)
{
	struct nd_ip ip = prefix("192.168.1.77", 32).addr;
	int c;

	start();
	c = client("127.1.0.1");
	ck_assert_int_eq(dns_server_lease_add(server, "guest", &ip, false), DNS_LEASE_ADDED);
	ask(c, 1, "guest.lan", DNS_TYPE_A);
	got_address(c, 1, "192.168.1.77");
	configure();
	ask(c, 2, "guest.lan", DNS_TYPE_A);
	got_address(c, 2, "192.168.1.77");
	dns_server_lease_remove(server, &ip);
	ask(c, 3, "guest.lan", DNS_TYPE_A);
	got_reply(c, 3, DNS_NXDOMAIN);
	close(c);
}
END_TEST

START_TEST(srv_brings_the_addresses_of_its_target)
{
	int c;

	*nd_array_add(config.srvs, config.n_srvs) =
		(struct dns_srv_record){ strdup("_http._tcp.lan"), strdup("web.lan"), 80, 0, 0 };
	host_add("192.168.1.3", "web");
	start();
	c = client("127.1.0.1");
	ask(c, 1, "_http._tcp.lan", DNS_TYPE_SRV);
	got_reply(c, 1, DNS_NOERROR);
	ck_assert_uint_eq(reply.n_answers, 1);
	ck_assert_uint_eq(reply.n_additional, 3);	/* two addresses and OPT */
	/* Their owner points into the SRV's data. */
	ck_assert_uint_eq(reply.m[reply.question_end + 12 + 15], 0xc0);
	ck_assert_uint_eq(reply.m[reply.question_end + 12 + 16], reply.question_end + 18);
	close(c);
}
END_TEST

START_TEST(any_gets_a_minimal_answer_and_is_not_forwarded)
{
	int c;

	upstream_use(0);
	start();
	c = client("127.1.0.1");
	ask(c, 1, "www.example", DNS_TYPE_ANY);
	got_reply(c, 1, DNS_NOERROR);
	ck_assert_uint_eq(reply.n_answers, 1);
	ck_assert_uint_eq(reply.m[reply.question_end + 3], DNS_TYPE_HINFO);
	upstream_idle(0);
	close(c);
}
END_TEST

START_TEST(other_names_are_asked_upstream_and_cached)
{
	int c;

	upstream_use(0);
	start();
	c = client("127.1.0.1");
	ask(c, 1, "www.Example", DNS_TYPE_A);
	got_nothing(c);
	upstream_got(0, "www.example");
	ck_assert_uint_eq(asked.type, DNS_TYPE_A);
	ck_assert_uint_eq(asked.flags, DNS_RD);
	now += 7;
	upstream_answers(0, "192.0.2.1");
	got_address(c, 1, "192.0.2.1");
	ck_assert(!(reply.flags & DNS_AA));
	ck_assert_mem_eq(reply.m + 12, "\3www\7Example", 12);	/* as this client wrote it */
	now += 10000;
	ask(c, 2, "WWW.example", DNS_TYPE_A);
	got_address(c, 2, "192.0.2.1");
	ck_assert_uint_eq(reply.m[reply.question_end + 9], 50);
	upstream_idle(0);
	ck_assert_uint_eq(counters().cache_hits, 1);
	now += 50000;
	ask(c, 3, "www.example", DNS_TYPE_A);
	upstream_got(0, "www.example");
	close(c);
}
END_TEST

START_TEST(equal_questions_are_asked_once)
{
	int a, b;

	upstream_use(0);
	start();
	a = client("127.1.0.1");
	b = client("127.1.0.2");
	ask(a, 1, "www.example", DNS_TYPE_A);
	ask(a, 1, "www.example", DNS_TYPE_A);
	ask(b, 2, "www.example", DNS_TYPE_A);
	upstream_got(0, "www.example");
	upstream_answers(0, "192.0.2.1");
	upstream_idle(0);
	got_address(a, 1, "192.0.2.1");
	got_address(a, 1, "192.0.2.1");
	got_address(b, 2, "192.0.2.1");
	ck_assert_uint_eq(counters().coalesced, 2);
	ck_assert_uint_eq(counters().questions_in_flight, 0);
	close(a);
	close(b);
}
END_TEST

START_TEST(ids_ports_and_letter_cases_vary)
{
	uint16_t ports[20], ids[20];
	unsigned upper = 0, letters = 0, same_port = 0, same_id = 0;
	char name[64];
	int c;

	upstream_use(0);
	start();
	c = client("127.1.0.1");
	for (int i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "abcdefghijklmnopqrstuvwxyz%d.example", i);
		ask(c, (uint16_t)i, name, DNS_TYPE_A);
		upstream_got(0, name);
		ports[i] = asked.from.sin_port;
		ids[i] = asked.id;
		for (size_t j = 0; j < 26; j++, letters++)
			upper += asked.name.wire[1 + j] < 'a';
		for (int j = 0; j < i; j++) {
			same_port += ports[j] == ports[i];
			same_id += ids[j] == ids[i];
		}
	}
	ck_assert_uint_eq(same_port, 0);	/* all are open at once */
	ck_assert_uint_le(same_id, 2);
	ck_assert_uint_gt(upper, letters / 4);
	ck_assert_uint_lt(upper, letters * 3 / 4);
	close(c);
}
END_TEST

START_TEST(forged_answers_are_dropped)
{
	struct message forged;
	struct sockaddr_in at;
	int c, stranger = bound(SOCK_DGRAM, "127.0.0.99", 0, &at);

	upstream_use(0);
	start();
	c = client("127.1.0.1");
	ask(c, 1, "www.example", DNS_TYPE_A);
	upstream_got(0, "www.example");
	answer_from(stranger, &asked, 0, "6.6.6.6");	/* right in all but the sender */
	forged = asked;
	forged.id ^= 1;
	answer_from(upstreams[0], &forged, 0, "6.6.6.6");
	forged = asked;
	forged.m[13] = 'x';
	answer_from(upstreams[0], &forged, 0, "6.6.6.6");
	forged = asked;
	forged.m[asked.question_end - 3] = DNS_TYPE_NS;
	answer_from(upstreams[0], &forged, 0, "6.6.6.6");
	got_nothing(c);
	ck_assert_uint_eq(counters().upstream_forged, 3);
	upstream_answers(0, "192.0.2.1");
	got_address(c, 1, "192.0.2.1");
	close(c);
	close(stranger);
}
END_TEST

START_TEST(somebody_who_guesses_ids_makes_us_ask_over_tcp)
{
	int c;

	upstream_use(0);
	start();
	c = client("127.1.0.1");
	ask(c, 1, "www.example", DNS_TYPE_A);
	upstream_got(0, "www.example");
	for (int i = 1; i <= 16; i++) {
		struct message forged = asked;

		forged.id = (uint16_t)(asked.id + i);
		answer_from(upstreams[0], &forged, 0, "6.6.6.6");
	}
	upstream_got_tcp(0, "www.example");
	upstream_answers(0, "192.0.2.1");
	close(asked.stream);
	got_address(c, 1, "192.0.2.1");
	close(c);
}
END_TEST

static void lower_case(struct message *m)
{
	for (size_t i = 12; i < m->question_end - 4; i++)
		m->m[i] = dns_lower(m->m[i]);
}

START_TEST(other_letter_cases_are_checked_over_tcp_and_then_borne)
{
	char name[64];
	int c;

	upstream_use(0);
	start();
	c = client("127.1.0.1");
	for (int i = 0; i < 5; i++) {
		snprintf(name, sizeof(name), "abcdefghijklmnopqrstuvwxyz%d.example", i);
		ask(c, (uint16_t)i, name, DNS_TYPE_A);
		upstream_got(0, name);
		lower_case(&asked);
		answer_from(upstreams[0], &asked, 0, i < 3 ? "6.6.6.6" : "192.0.2.1");
		if (i < 3) {
			got_nothing(c);
			upstream_got_tcp(0, name);
			lower_case(&asked);
			upstream_answers(0, "192.0.2.1");
			close(asked.stream);
		}
		got_address(c, (uint16_t)i, "192.0.2.1");
	}
	close(c);
}
END_TEST

START_TEST(a_truncated_answer_is_fetched_over_tcp)
{
	int c;

	upstream_use(0);
	start();
	c = client("127.1.0.1");
	ask(c, 1, "big.example", DNS_TYPE_A);
	upstream_got(0, "big.example");
	answer_from(upstreams[0], &asked, DNS_TC, NULL);
	got_nothing(c);
	upstream_got_tcp(0, "big.example");
	upstream_answers(0, "192.0.2.1");
	close(asked.stream);
	got_address(c, 1, "192.0.2.1");
	close(c);
}
END_TEST

START_TEST(a_dead_upstream_costs_little_and_then_nothing)
{
	char name[64];
	int c;

	upstream_use(0);
	upstream_use(1);
	start();
	c = client("127.1.0.1");
	for (int i = 0; i < 6; i++) {
		uint64_t asked_ms = now;

		snprintf(name, sizeof(name), "www%d.example", i);
		ask(c, (uint16_t)i, name, DNS_TYPE_A);
		while (!take(upstreams[1], &asked)) {
			pass(10);
			ck_assert_uint_lt(now - asked_ms, 1000);
		}
		now += 5;
		upstream_answers(1, "192.0.2.1");
		got_address(c, (uint16_t)i, "192.0.2.1");
		if (i >= 3)	/* by then it is known to be dead */
			ck_assert_uint_lt(now - asked_ms, 10);
	}
	close(c);
}
END_TEST

START_TEST(an_upstream_that_came_back_is_found_out)
{
	char name[64];
	int c;

	upstream_use(0);
	upstream_use(1);
	start();
	c = client("127.1.0.1");
	for (int i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "www%d.example", i);
		ask(c, (uint16_t)i, name, DNS_TYPE_A);
		pass(200);
		if (take(upstreams[0], &asked) && i > 5)
			upstream_answers(0, "192.0.2.2");
		while (take(upstreams[1], &asked))
			upstream_answers(1, "192.0.2.1");
		got_reply(c, (uint16_t)i, DNS_NOERROR);
		pass(1000);
	}
	/* The first in the list is asked first again. */
	while (take(upstreams[1], &asked))
		;
	ask(c, 100, "last.example", DNS_TYPE_A);
	upstream_got(0, "last.example");
	upstream_idle(1);
	close(c);
}
END_TEST

START_TEST(no_answer_from_anybody_is_servfail_in_bounded_time)
{
	int c;

	upstream_use(0);
	upstream_use(1);
	start();
	c = client("127.1.0.1");
	ask(c, 1, "www.example", DNS_TYPE_A);
	pass(DNS_RACE_MS - 1);
	got_nothing(c);
	pass(1);
	got_reply(c, 1, DNS_SERVFAIL);
	ck_assert_uint_eq(counters().servfail, 1);
	ck_assert_uint_eq(counters().questions_in_flight, 0);
	/* They were asked more than once, but not without end. */
	for (int i = 0; i < 2; i++) {
		int n = 0;

		while (take(upstreams[i], &asked))
			n++;
		ck_assert_int_ge(n, 2);
		ck_assert_int_le(n, 4);
	}
	close(c);
}
END_TEST

START_TEST(an_upstream_that_is_not_there_is_left_at_once)
{
	int c;

	close(upstreams[0]);
	upstream_use(0);
	upstream_use(1);
	start();
	c = client("127.1.0.1");
	ask(c, 1, "www.example", DNS_TYPE_A);
	dispatch();	/* connection refused */
	dispatch();
	upstream_got(1, "www.example");
	upstream_answers(1, "192.0.2.1");
	got_address(c, 1, "192.0.2.1");
	ask(c, 2, "www2.example", DNS_TYPE_A);
	upstream_got(1, "www2.example");
	close(c);
	upstreams[0] = dup(upstreams[1]);
}
END_TEST

START_TEST(when_none_is_there_servfail_comes_soon)
{
	int c;

	close(upstreams[0]);
	upstream_use(0);
	start();
	c = client("127.1.0.1");
	ask(c, 1, "www.example", DNS_TYPE_A);
	pass(1000);
	got_reply(c, 1, DNS_SERVFAIL);
	close(c);
	upstreams[0] = dup(upstreams[1]);
}
END_TEST

START_TEST(an_upstream_that_declines_passes_the_question_on)
{
	int c;

	upstream_use(0);
	upstream_use(1);
	start();
	c = client("127.1.0.1");
	ask(c, 1, "www.example", DNS_TYPE_A);
	upstream_got(0, "www.example");
	answer_from(upstreams[0], &asked, DNS_SERVFAIL, NULL);
	got_nothing(c);
	upstream_got(1, "www.example");
	answer_from(upstreams[1], &asked, DNS_REFUSED, NULL);
	got_reply(c, 1, DNS_REFUSED);
	close(c);
}
END_TEST

START_TEST(an_upstream_without_edns_is_asked_without)
{
	int c;

	upstream_use(0);
	start();
	c = client("127.1.0.1");
	ask(c, 1, "www.example", DNS_TYPE_A);
	upstream_got(0, "www.example");
	ck_assert_uint_eq(asked.n_additional, 1);
	answer_from(upstreams[0], &asked, DNS_FORMERR, NULL);
	upstream_got(0, "www.example");
	ck_assert_uint_eq(asked.n_additional, 0);
	upstream_answers(0, "192.0.2.1");
	got_address(c, 1, "192.0.2.1");
	ask(c, 2, "www2.example", DNS_TYPE_A);
	upstream_got(0, "www2.example");
	ck_assert_uint_eq(asked.n_additional, 0);
	close(c);
}
END_TEST

START_TEST(a_no_of_a_later_upstream_waits_for_the_first)
{
	int c;

	upstream_use(0);
	upstream_use(1);
	start();
	c = client("127.1.0.1");
	/* The first one is slow, and the only one who knows. */
	ask(c, 1, "inside.example", DNS_TYPE_A);
	pass(300);
	upstream_got(1, "inside.example");
	answer_from(upstreams[1], &asked, DNS_NXDOMAIN, NULL);
	got_nothing(c);
	pass(100);
	upstream_got(0, "inside.example");
	upstream_answers(0, "192.0.2.1");
	got_address(c, 1, "192.0.2.1");
	/* One that does not answer at all is not waited for longer than this. */
	ask(c, 2, "nowhere.example", DNS_TYPE_A);
	pass(300);
	upstream_got(1, "nowhere.example");
	answer_from(upstreams[1], &asked, DNS_NXDOMAIN, NULL);
	pass(499);
	got_nothing(c);
	pass(1);
	got_reply(c, 2, DNS_NXDOMAIN);
	/* A yes of a later one counts at once, and a no of the first, too. */
	ask(c, 3, "www.example", DNS_TYPE_A);
	pass(300);
	upstream_got(1, "www.example");
	upstream_answers(1, "192.0.2.2");
	got_address(c, 3, "192.0.2.2");
	close(c);
}
END_TEST

START_TEST(a_no_that_nobody_contradicts_is_the_answer)
{
	int c;

	upstream_use(0);
	upstream_use(1);
	start();
	c = client("127.1.0.1");
	ask(c, 1, "www.example", DNS_TYPE_A);
	pass(250);
	upstream_got(1, "www.example");
	answer_from(upstreams[1], &asked, DNS_NXDOMAIN, NULL);
	got_nothing(c);
	upstream_got(0, "www.example");
	answer_from(upstreams[0], &asked, DNS_SERVFAIL, NULL);
	got_reply(c, 1, DNS_NXDOMAIN);
	close(c);
}
END_TEST

START_TEST(rules_send_domains_their_way)
{
	int c;

	upstream_use(0);
	rule_add("corp.example", &where[1]);
	rule_add("public.corp.example", NULL);
	start();
	c = client("127.1.0.1");
	ask(c, 1, "www.CORP.example", DNS_TYPE_A);
	upstream_got(1, "www.corp.example");
	ask(c, 2, "corp.example", DNS_TYPE_A);
	upstream_got(1, "corp.example");
	ask(c, 3, "www.public.corp.example", DNS_TYPE_A);
	upstream_got(0, "www.public.corp.example");
	ask(c, 4, "xcorp.example", DNS_TYPE_A);
	upstream_got(0, "xcorp.example");
	upstream_idle(1);
	close(c);
}
END_TEST

/* DNS rebinding: 127.1.0.0/16 is the network. */
START_TEST(answers_of_outside_may_not_lead_inside)
{
	int c;

	upstream_use(0);
	start();
	c = client("127.1.0.1");
	for (uint16_t id = 1; id <= 2; id++) {	/* and that is not cached */
		ask(c, id, "www.evil.example", DNS_TYPE_A);
		upstream_got(0, "www.evil.example");
		upstream_answers(0, "127.1.0.9");
		got_reply(c, id, DNS_NOERROR);
		ck_assert_uint_eq(reply.n_answers, 0);
	}
	ask(c, 3, "www.intra.example", DNS_TYPE_A);
	upstream_got(0, "www.intra.example");
	upstream_answers(0, "192.168.1.1");	/* private, and none of ours */
	got_address(c, 3, "192.168.1.1");
	ck_assert_uint_eq(counters().upstream_inside, 2);
	/* With other subnets that one leads inside: it must not come from the cache. */
	*nd_array_add(config.subnets, config.n_subnets) = prefix("192.168.1.0", 24);
	configure();
	ask(c, 4, "www.intra.example", DNS_TYPE_A);
	upstream_got(0, "www.intra.example");
	upstream_answers(0, "192.168.1.1");
	got_reply(c, 4, DNS_NOERROR);
	ck_assert_uint_eq(reply.n_answers, 0);
	close(c);
}
END_TEST

START_TEST(domains_with_a_rule_may_lead_inside)
{
	int c;

	upstream_use(0);
	rule_add("corp.example", &where[1]);
	rule_add("nip.example", NULL);
	start();
	c = client("127.1.0.1");
	ask(c, 1, "www.corp.example", DNS_TYPE_A);
	upstream_got(1, "www.corp.example");
	upstream_answers(1, "127.1.0.9");
	got_address(c, 1, "127.1.0.9");
	ask(c, 2, "x.nip.example", DNS_TYPE_A);
	upstream_got(0, "x.nip.example");
	upstream_answers(0, "127.1.0.9");
	got_address(c, 2, "127.1.0.9");
	ask(c, 3, "www.evilcorp.example", DNS_TYPE_A);
	upstream_got(0, "www.evilcorp.example");
	upstream_answers(0, "127.1.0.9");
	got_reply(c, 3, DNS_NOERROR);
	ck_assert_uint_eq(reply.n_answers, 0);
	close(c);
}
END_TEST

/* A domain controller among the guests, which answers everything. */
START_TEST(an_upstream_within_the_network_may_lead_inside)
{
	struct sockaddr_in at;
	int c, fd;

	start();
	fd = bound(SOCK_DGRAM, "127.1.0.50", 0, &at);
	ck_assert_int_eq(dns_server_set_upstreams(server, &(struct dns_upstream){
		nd_ip_from4(at.sin_addr), ntohs(at.sin_port) }, 1, &err), 0);
	c = client("127.1.0.1");
	ask(c, 1, "dc.ad.example", DNS_TYPE_A);
	ck_assert(take(fd, &asked));
	answer_from(fd, &asked, 0, "127.1.0.50");
	got_address(c, 1, "127.1.0.50");
	close(c);
	close(fd);
}
END_TEST

START_TEST(a_forwarder_without_domain_replaces_the_hosts_resolvers)
{
	int c;

	upstream_use(0);
	rule_add(NULL, &where[1]);
	rule_add("only.example", NULL);
	start();
	c = client("127.1.0.1");
	ask(c, 1, "www.example", DNS_TYPE_A);
	upstream_got(1, "www.example");
	ask(c, 2, "www.only.example", DNS_TYPE_A);
	upstream_got(1, "www.only.example");
	ck_assert_int_eq(dns_server_set_upstreams(server, &where[2], 1, &err), 0);
	ask(c, 3, "www3.example", DNS_TYPE_A);
	upstream_got(1, "www3.example");
	upstream_idle(0);
	upstream_idle(2);
	close(c);
}
END_TEST

START_TEST(an_isolated_network_refuses_what_no_rule_covers)
{
	int c;

	upstream_use(0);
	config.use_host_resolvers = false;
	rule_add("corp.example", &where[1]);
	start();
	c = client("127.1.0.1");
	ask(c, 1, "www.example", DNS_TYPE_A);
	got_reply(c, 1, DNS_REFUSED);
	ask(c, 2, "www.corp.example", DNS_TYPE_A);
	upstream_got(1, "www.corp.example");
	upstream_idle(0);
	ask(c, 3, "web.lan", DNS_TYPE_A);
	got_address(c, 3, "192.168.1.2");
	close(c);
}
END_TEST

START_TEST(the_server_never_asks_itself)
{
	struct dns_upstream own;
	int c;

	start();
	own = (struct dns_upstream){ nd_ip_from4(server_udp.sin_addr), ntohs(server_udp.sin_port) };
	ck_assert_int_eq(dns_server_set_upstreams(server, &own, 1, &err), 0);
	c = client("127.1.0.1");
	ask(c, 1, "www.example", DNS_TYPE_A);
	pass(100);
	got_reply(c, 1, DNS_REFUSED);
	ck_assert_uint_eq(counters().queries_udp, 1);
	close(c);
}
END_TEST

START_TEST(new_upstreams_are_used_at_once_and_old_questions_finish)
{
	struct message old;
	int c;

	upstream_use(0);
	start();
	c = client("127.1.0.1");
	ask(c, 1, "a.example", DNS_TYPE_A);
	upstream_got(0, "a.example");
	upstream_answers(0, "192.0.2.1");
	got_address(c, 1, "192.0.2.1");
	ask(c, 2, "b.example", DNS_TYPE_A);
	upstream_got(0, "b.example");
	old = asked;
	ck_assert_int_eq(dns_server_set_upstreams(server, &where[1], 1, &err), 0);
	ask(c, 3, "b.example", DNS_TYPE_A);	/* joins nobody who asks the old ones */
	upstream_got(1, "b.example");
	answer_from(upstreams[0], &old, 0, "192.0.2.2");
	got_address(c, 2, "192.0.2.2");
	upstream_answers(1, "192.0.2.3");
	got_address(c, 3, "192.0.2.3");
	ask(c, 4, "b.example", DNS_TYPE_A);	/* what they said late is not in the cache */
	got_address(c, 4, "192.0.2.3");
	ask(c, 5, "a.example", DNS_TYPE_A);	/* nor what they said before */
	upstream_got(1, "a.example");
	upstream_idle(0);
	/* The same list again changes nothing. */
	ck_assert_int_eq(dns_server_set_upstreams(server, &where[1], 1, &err), 0);
	ask(c, 6, "b.example", DNS_TYPE_A);
	got_address(c, 6, "192.0.2.3");
	close(c);
}
END_TEST

START_TEST(a_new_configuration_loses_no_question)
{
	int c;

	upstream_use(0);
	start();
	c = client("127.1.0.1");
	ask(c, 1, "a.example", DNS_TYPE_A);
	upstream_got(0, "a.example");
	host_add("192.168.1.9", "new");
	configure();
	upstream_answers(0, "192.0.2.1");
	got_address(c, 1, "192.0.2.1");
	ask(c, 2, "new.lan", DNS_TYPE_A);
	got_address(c, 2, "192.168.1.9");
	ask(c, 3, "a.example", DNS_TYPE_A);	/* the upstreams are the same: still cached */
	got_address(c, 3, "192.0.2.1");
	close(c);
}
END_TEST

START_TEST(a_bad_configuration_leaves_the_old_one)
{
	int c;

	start();
	c = client("127.1.0.1");
	host_add("192.168.1.9", "b..ad");
	ck_assert_int_lt(dns_server_configure(server, &config, now, &err), 0);
	ask(c, 1, "web.lan", DNS_TYPE_A);
	got_address(c, 1, "192.168.1.2");
	close(c);
}
END_TEST

/* Sends n different questions without waiting for anything. */
static void flood(int c, const char *domain, int n)
{
	char name[64];

	for (int i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "x%d.%s", i, domain);
		ask(c, (uint16_t)i, name, DNS_TYPE_A);
	}
}

static size_t open_files(void)
{
	DIR *d = opendir("/proc/self/fd");
	size_t n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

START_TEST(a_flooding_guest_starves_nobody)
{
	size_t files;
	int bad, good;

	upstream_use(0);			/* is dead */
	rule_add("alive.example", &where[1]);
	start();
	files = open_files();
	bad = client("127.1.0.66");
	good = client("127.1.0.1");
	flood(bad, "dead.example", 20000);
	ck_assert_uint_gt(counters().dropped_share, 1000);
	ck_assert_uint_gt(counters().questions_in_flight, 1000);
	ck_assert_uint_le(open_files(), files + 2 + 256);
	/* Another guest's question goes out and comes back within this very millisecond. */
	ask(good, 1, "www.alive.example", DNS_TYPE_A);
	upstream_got(1, "www.alive.example");
	upstream_answers(1, "192.0.2.1");
	got_address(good, 1, "192.0.2.1");
	/* Even one that the flooding guest has asked already and that waits in its queue. */
	ask(bad, 1, "shared.alive.example", DNS_TYPE_A);
	ask(good, 2, "shared.alive.example", DNS_TYPE_A);
	upstream_got(1, "shared.alive.example");
	upstream_answers(1, "192.0.2.2");
	got_address(good, 2, "192.0.2.2");
	/* And all of it ends. */
	pass(2 * DNS_RACE_MS);
	ck_assert_uint_eq(counters().questions_in_flight, 0);
	ck_assert_uint_eq(open_files(), files + 2);
	close(bad);
	close(good);
}
END_TEST

START_TEST(many_flooding_guests_starve_nobody)
{
	char address[32];
	int bad[20], good;

	upstream_use(0);
	rule_add("alive.example", &where[1]);
	start();
	good = client("127.1.0.1");
	for (int i = 0; i < 20; i++) {
		snprintf(address, sizeof(address), "127.1.1.%d", i + 1);
		bad[i] = client(address);
		snprintf(address, sizeof(address), "%d.dead.example", i);
		flood(bad[i], address, 1000);
	}
	ask(good, 1, "www.alive.example", DNS_TYPE_A);
	upstream_got(1, "www.alive.example");
	upstream_answers(1, "192.0.2.1");
	got_address(good, 1, "192.0.2.1");
	for (int i = 0; i < 20; i++)
		close(bad[i]);
	close(good);
}
END_TEST

START_TEST(questions_wait_for_their_turn_and_are_answered)
{
	struct message *got = calloc(1500, sizeof(*got));
	unsigned under_way = 0, answered = 0;
	char name[64];
	int c;

	upstream_use(0);
	start();
	c = client("127.1.0.1");
	for (int i = 0; i < 1500; i++) {
		snprintf(name, sizeof(name), "x%d.example", i);
		ask(c, (uint16_t)i, name, DNS_TYPE_A);
		under_way += take(upstreams[0], &got[under_way]);
	}
	ck_assert_uint_gt(under_way, 500);
	ck_assert_uint_lt(under_way, 600);	/* no more than a client's share at a time */
	for (unsigned i = 0; i < 1500; i++) {
		ck_assert_uint_lt(i, under_way);
		answer_from(upstreams[0], &got[i], 0, "192.0.2.1");
		under_way += take(upstreams[0], &got[under_way]);
		answered += take(c, &reply);
	}
	ck_assert_uint_eq(answered, 1500);
	ck_assert_uint_eq(counters().questions_in_flight, 0);
	ck_assert_uint_eq(counters().dropped_share, 0);
	free(got);
	close(c);
}
END_TEST

START_TEST(a_query_without_recursion_gets_what_is_known)
{
	uint8_t m[DNS_UDP_MAX];
	size_t len;
	int c;

	upstream_use(0);
	start();
	c = client("127.1.0.1");
	len = query(m, 1, "www.example", DNS_TYPE_A);
	m[2] &= 0xfe;
	ck_assert_int_eq(send(c, m, len, 0), (ssize_t)len);
	dispatch();
	got_reply(c, 1, DNS_REFUSED);
	upstream_idle(0);
	close(c);
}
END_TEST

static int connect_tcp(const char *address)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(inet_pton(AF_INET, address, &at.sin_addr), 1);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&server_tcp, sizeof(server_tcp)), 0);
	dispatch();
	return fd;
}

static void ask_tcp(int fd, uint16_t id, const char *name)
{
	uint8_t m[2 + DNS_UDP_MAX];
	size_t len = query(m + 2, id, name, DNS_TYPE_A);

	m[0] = len >> 8 & 0xff;
	m[1] = len & 0xff;
	ck_assert_int_eq(send(fd, m, len + 2, MSG_NOSIGNAL), (ssize_t)len + 2);
}

static void got_tcp(int fd, uint16_t id, unsigned rcode)
{
	uint8_t head[2];

	ck_assert_int_eq(recv(fd, head, 2, MSG_DONTWAIT), 2);
	reply.len = (size_t)head[0] << 8 | head[1];
	ck_assert_int_eq(recv(fd, reply.m, reply.len, MSG_DONTWAIT), (ssize_t)reply.len);
	message_read(&reply);
	ck_assert_uint_eq(reply.id, id);
	ck_assert_uint_eq(reply.flags & DNS_RCODE, rcode);
}

static bool closed(int fd)
{
	uint8_t byte;

	return recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 0 || errno == ECONNRESET;
}

START_TEST(tcp_queries_may_be_pipelined)
{
	int c;

	upstream_use(0);
	start();
	c = connect_tcp("127.1.0.1");
	ask_tcp(c, 1, "www.example");
	ask_tcp(c, 2, "web.lan");
	dispatch();
	got_tcp(c, 2, DNS_NOERROR);	/* does not wait for the other */
	upstream_got(0, "www.example");
	upstream_answers(0, "192.0.2.1");
	got_tcp(c, 1, DNS_NOERROR);
	ck_assert_uint_eq(counters().queries_tcp, 2);
	ck_assert_uint_eq(counters().tcp_clients, 1);
	close(c);
	dispatch();
	ck_assert_uint_eq(counters().tcp_clients, 0);
}
END_TEST

START_TEST(a_query_may_come_byte_by_byte)
{
	uint8_t m[2 + DNS_UDP_MAX];
	size_t len = query(m + 2, 9, "web.lan", DNS_TYPE_A);
	int c;

	start();
	c = connect_tcp("127.1.0.1");
	m[0] = 0;
	m[1] = (uint8_t)len;
	for (size_t i = 0; i < len + 2; i++) {
		ck_assert_int_eq(send(c, m + i, 1, MSG_NOSIGNAL), 1);
		dispatch();
	}
	got_tcp(c, 9, DNS_NOERROR);
	close(c);
}
END_TEST

START_TEST(a_client_that_closed_its_side_still_gets_its_answer)
{
	int c;

	upstream_use(0);
	start();
	c = connect_tcp("127.1.0.1");
	ask_tcp(c, 1, "www.example");
	shutdown(c, SHUT_WR);
	dispatch();
	dispatch();
	upstream_got(0, "www.example");
	upstream_answers(0, "192.0.2.1");
	got_tcp(c, 1, DNS_NOERROR);
	ck_assert(closed(c));
	close(c);
}
END_TEST

START_TEST(a_client_that_went_away_is_forgotten_when_its_answer_comes)
{
	struct linger at_once = { 1, 0 };
	int c;

	upstream_use(0);
	start();
	c = connect_tcp("127.1.0.1");
	ask_tcp(c, 1, "www.example");
	dispatch();
	setsockopt(c, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	close(c);
	dispatch();
	ck_assert_uint_eq(counters().tcp_clients, 0);
	upstream_got(0, "www.example");
	upstream_answers(0, "192.0.2.1");
	ck_assert_uint_eq(counters().questions_in_flight, 0);
}
END_TEST

START_TEST(idle_and_slow_connections_are_closed)
{
	int idle, slow;	/* the second never ends its query */

	start();
	idle = connect_tcp("127.1.0.1");
	slow = connect_tcp("127.1.0.1");
	for (int i = 0; i < 12; i++) {
		ck_assert(i > 9 || !closed(slow));
		(void)!send(slow, &"\0\x40xxxxxxxxxx"[i], 1, MSG_NOSIGNAL);
		pass(1000);
	}
	ck_assert(closed(idle));
	ck_assert(closed(slow));
	ck_assert_uint_eq(counters().tcp_clients, 0);
	close(idle);
	close(slow);
}
END_TEST

START_TEST(connections_are_limited_per_client)
{
	int fds[20], other;

	start();
	for (int i = 0; i < 20; i++)
		fds[i] = connect_tcp("127.1.0.66");
	ck_assert_uint_eq(counters().tcp_clients, 16);
	ck_assert_uint_eq(counters().tcp_refused, 4);
	ck_assert(closed(fds[19]));
	other = connect_tcp("127.1.0.1");
	ask_tcp(other, 1, "web.lan");
	dispatch();
	got_tcp(other, 1, DNS_NOERROR);
	for (int i = 0; i < 20; i++)
		close(fds[i]);
	close(other);
}
END_TEST

START_TEST(a_tcp_query_that_is_too_long_or_no_query_ends_the_connection)
{
	int c;

	start();
	c = connect_tcp("127.1.0.1");
	ck_assert_int_eq(send(c, "\xff\xff", 2, MSG_NOSIGNAL), 2);
	dispatch();
	ck_assert(closed(c));
	close(c);
	c = connect_tcp("127.1.0.1");
	ck_assert_int_eq(send(c, "\0\x0c\0\0\x80\0\0\0\0\0\0\0\0\0", 14, MSG_NOSIGNAL), 14);
	dispatch();
	ck_assert(closed(c));
	close(c);
}
END_TEST

START_TEST(freeing_the_server_ends_what_is_under_way)
{
	size_t files = open_files();
	int c, t;

	upstream_use(0);
	start();
	c = client("127.1.0.1");
	t = connect_tcp("127.1.0.1");
	flood(c, "dead.example", 300);
	ask_tcp(t, 1, "www.example");
	dispatch();
	dns_server_free(server);
	server = NULL;
	close(c);
	close(t);
	ck_assert_uint_eq(open_files(), files);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("dns server");
	TCase *t = tcase_create("server");
	SRunner *runner;
	int failed;

	suite_add_tcase(s, t);
	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, local_names_are_answered_here);
	tcase_add_test(t, every_query_of_a_burst_is_answered);
	tcase_add_test(t, clients_outside_the_subnets_are_refused);
	tcase_add_test(t, a_leases_name_resolves_at_once_and_no_longer_than_it);
	tcase_add_test(t, srv_brings_the_addresses_of_its_target);
	tcase_add_test(t, any_gets_a_minimal_answer_and_is_not_forwarded);
	tcase_add_test(t, other_names_are_asked_upstream_and_cached);
	tcase_add_test(t, equal_questions_are_asked_once);
	tcase_add_test(t, ids_ports_and_letter_cases_vary);
	tcase_add_test(t, forged_answers_are_dropped);
	tcase_add_test(t, somebody_who_guesses_ids_makes_us_ask_over_tcp);
	tcase_add_test(t, other_letter_cases_are_checked_over_tcp_and_then_borne);
	tcase_add_test(t, a_truncated_answer_is_fetched_over_tcp);
	tcase_add_test(t, a_dead_upstream_costs_little_and_then_nothing);
	tcase_add_test(t, an_upstream_that_came_back_is_found_out);
	tcase_add_test(t, no_answer_from_anybody_is_servfail_in_bounded_time);
	tcase_add_test(t, an_upstream_that_is_not_there_is_left_at_once);
	tcase_add_test(t, when_none_is_there_servfail_comes_soon);
	tcase_add_test(t, an_upstream_that_declines_passes_the_question_on);
	tcase_add_test(t, an_upstream_without_edns_is_asked_without);
	tcase_add_test(t, a_no_of_a_later_upstream_waits_for_the_first);
	tcase_add_test(t, a_no_that_nobody_contradicts_is_the_answer);
	tcase_add_test(t, rules_send_domains_their_way);
	tcase_add_test(t, answers_of_outside_may_not_lead_inside);
	tcase_add_test(t, domains_with_a_rule_may_lead_inside);
	tcase_add_test(t, an_upstream_within_the_network_may_lead_inside);
	tcase_add_test(t, a_forwarder_without_domain_replaces_the_hosts_resolvers);
	tcase_add_test(t, an_isolated_network_refuses_what_no_rule_covers);
	tcase_add_test(t, the_server_never_asks_itself);
	tcase_add_test(t, new_upstreams_are_used_at_once_and_old_questions_finish);
	tcase_add_test(t, a_new_configuration_loses_no_question);
	tcase_add_test(t, a_bad_configuration_leaves_the_old_one);
	tcase_add_test(t, a_flooding_guest_starves_nobody);
	tcase_add_test(t, many_flooding_guests_starve_nobody);
	tcase_add_test(t, questions_wait_for_their_turn_and_are_answered);
	tcase_add_test(t, a_query_without_recursion_gets_what_is_known);
	tcase_add_test(t, tcp_queries_may_be_pipelined);
	tcase_add_test(t, a_query_may_come_byte_by_byte);
	tcase_add_test(t, a_client_that_closed_its_side_still_gets_its_answer);
	tcase_add_test(t, a_client_that_went_away_is_forgotten_when_its_answer_comes);
	tcase_add_test(t, idle_and_slow_connections_are_closed);
	tcase_add_test(t, connections_are_limited_per_client);
	tcase_add_test(t, a_tcp_query_that_is_too_long_or_no_query_ends_the_connection);
	tcase_add_test(t, freeing_the_server_ends_what_is_under_way);
	runner = srunner_create(s);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
