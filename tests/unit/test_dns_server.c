/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_dns_server.c -- what clients are answered from what is known, and that no one client has it all */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dns/forwarder.h"
#include "dns/race.h"
#include "dns_scene.h"
#include "netd/base/array.h"

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

static void add_tests(TCase *t)
{
	tcase_add_test(t, local_names_are_answered_here);
	tcase_add_test(t, every_query_of_a_burst_is_answered);
	tcase_add_test(t, clients_outside_the_subnets_are_refused);
	tcase_add_test(t, a_leases_name_resolves_at_once_and_no_longer_than_it);
	tcase_add_test(t, srv_brings_the_addresses_of_its_target);
	tcase_add_test(t, any_gets_a_minimal_answer_and_is_not_forwarded);
	tcase_add_test(t, a_flooding_guest_starves_nobody);
	tcase_add_test(t, many_flooding_guests_starve_nobody);
	tcase_add_test(t, questions_wait_for_their_turn_and_are_answered);
	tcase_add_test(t, a_query_without_recursion_gets_what_is_known);
	tcase_add_test(t, freeing_the_server_ends_what_is_under_way);
}

int main(void)
{
	return scene_run("dns server", add_tests);
}
