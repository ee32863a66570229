/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_dns_tcp.c -- clients over TCP */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dns_scene.h"

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

static void add_tests(TCase *t)
{
	tcase_add_test(t, tcp_queries_may_be_pipelined);
	tcase_add_test(t, a_query_may_come_byte_by_byte);
	tcase_add_test(t, a_client_that_closed_its_side_still_gets_its_answer);
	tcase_add_test(t, a_client_that_went_away_is_forgotten_when_its_answer_comes);
	tcase_add_test(t, idle_and_slow_connections_are_closed);
	tcase_add_test(t, connections_are_limited_per_client);
	tcase_add_test(t, a_tcp_query_that_is_too_long_or_no_query_ends_the_connection);
}

int main(void)
{
	return scene_run("dns over tcp", add_tests);
}
