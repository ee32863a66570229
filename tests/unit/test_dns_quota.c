/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who is answered in a flood: the sieve before the sockets, the quota behind them and the shares of the
 * forwarder's queue. */
#include <arpa/inet.h>
#include <check.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dns/fair.h"
#include "dns/quota.h"
#include "dns/sieve.h"
#include "dns/timer.h"
#include "tests/suite.h"

#define DEEP (2 * 1024 * 1024)

static struct dns_random random_numbers;
static struct dns_quota quota;
static struct dns_queue queue;

static void set_up(void)
{
	quota = (struct dns_quota){ .random = &random_numbers };
	queue = (struct dns_queue){ 0 };
}

static struct nd_ip guest(unsigned i)
{
	return nd_ip_from4((struct in_addr){ htonl(0x0a000000u + i) });
}

static unsigned answers(unsigned i, unsigned queries, uint64_t now_ms)
{
	struct nd_ip ip = guest(i);
	unsigned n = 0;

	while (queries-- > 0)
		n += dns_quota_take(&quota, &queue, &ip, now_ms);
	return n;
}

static void flood_until_pressed(uint64_t *now_ms)
{
	for (int i = 0; i < 5; i++, *now_ms += 10)
		dns_quota_look(&quota, &queue, DEEP, 0, *now_ms);
}

START_TEST(without_a_flood_everybody_is_answered)
{
	ck_assert_uint_eq(answers(1, 100000, 1000), 100000);
	dns_quota_look(&quota, &queue, DEEP, 0, 1000);
	dns_quota_look(&quota, &queue, DEEP, 0, 1010);
	ck_assert_uint_eq(answers(1, 100000, 1010), 100000);
	/* A burst was worked off: it counts from the beginning again. */
	dns_quota_look(&quota, &queue, 1000, 0, 1015);
	dns_quota_look(&quota, &queue, DEEP, 0, 1020);
	dns_quota_look(&quota, &queue, DEEP, 0, 1035);
	ck_assert_uint_eq(answers(1, 100000, 1035), 100000);
}
END_TEST

START_TEST(a_queue_that_ran_over_is_a_flood)
{
	dns_quota_look(&quota, &queue, DEEP / 4, 7, 1000);
	ck_assert_uint_lt(answers(1, 100000, 1000), 100000);
	dns_quota_look(&quota, &queue, DEEP / 4, 7, 3000);	/* nothing new */
	ck_assert_uint_eq(answers(1, 100000, 3000), 100000);
}
END_TEST

START_TEST(in_a_flood_those_who_ask_little_are_answered)
{
	unsigned quiet = 0, halves = 0;
	uint64_t now_ms = 1000;

	flood_until_pressed(&now_ms);
	for (int tick = 0; tick < 100; tick++, now_ms += 40) {
		ck_assert_uint_le(answers(66, 10000, now_ms), 512);
		quiet += answers(7, 3, now_ms);
		/* Two clients: half for each. */
		halves += answers(66, 10000, now_ms + 20) == 256;
	}
	/* Only when the two share both places they are as one. */
	ck_assert_uint_eq(quiet, 300);
	ck_assert_uint_eq(halves, 100);
}
END_TEST

START_TEST(hardly_any_query_of_a_quiet_guest_is_dropped)
{
	uint64_t now_ms = 1000;
	unsigned answered = 0;

	flood_until_pressed(&now_ms);
	for (int tick = 0; tick < 1000; tick++, now_ms += 20) {
		for (unsigned bad = 100; bad < 340; bad++)
			(void)answers(bad, 200, now_ms);
		answered += answers(7, 1, now_ms);
	}
	ck_assert_uint_ge(answered, 985);	/* 240 of 4,096 places are full, twice: 996.6 expected */
}
END_TEST

START_TEST(forged_addresses_do_not_take_everything)
{
	uint64_t now_ms = 1000;
	unsigned forged = 0;

	flood_until_pressed(&now_ms);
	for (int tick = 0; tick < 10; tick++, now_ms += 20)
		for (unsigned i = 0; i < 50000; i++)
			forged += answers(1000 + i, 1, now_ms);
	/* In a tick the first ones of each place: twice 4,096 places, 4 each. */
	ck_assert_uint_le(forged, 9 * 8 * 4096 + 50000);
}
END_TEST

START_TEST(over_quota_is_answered_when_nobody_waits)
{
	uint64_t now_ms = 1000;

	flood_until_pressed(&now_ms);
	dns_quota_look(&quota, &queue, 1000, 0, now_ms);
	ck_assert_uint_eq(answers(66, 10000, now_ms), 10000);
	dns_quota_look(&quota, &queue, DEEP / 2, 0, now_ms);
	ck_assert_uint_eq(answers(66, 10000, now_ms), 0);
}
END_TEST

START_TEST(a_second_after_the_flood_all_is_as_before)
{
	uint64_t now_ms = 1000;

	flood_until_pressed(&now_ms);
	ck_assert_uint_lt(answers(66, 10000, now_ms), 10000);
	now_ms += 999;
	ck_assert_uint_lt(answers(66, 10000, now_ms), 10000);
	now_ms += 1000;
	ck_assert_uint_eq(answers(66, 10000, now_ms), 10000);
}
END_TEST

/* A tick of a flood through the sieve. True when its filter changes. */
static bool sieve_tick(struct dns_sieve *s, const struct nd_ip *client, unsigned queries,
		       bool queued, uint64_t *now_ms)
{
	for (const struct dns_sieve_client *c = s->clients; c < s->clients + s->n; c++)
		if (nd_ip_equal(&c->ip, client))
			queries >>= c->shift;
	while (queries-- > 0)
		dns_sieve_seen(s, client);
	*now_ms += DNS_SIEVE_TICK_MS;
	return dns_sieve_turn(s, queued, *now_ms);
}

START_TEST(a_flood_is_thinned_out_until_it_ends)
{
	struct sock_filter code[DNS_SIEVE_CODE_MAX];
	struct nd_ip bad = guest(66);
	struct dns_sieve s = { 0 };
	uint64_t now_ms = 1000;
	unsigned changes = 0;

	ck_assert_uint_eq(dns_sieve_next_ms(&s), UINT64_MAX);
	dns_sieve_add(&s, &bad, now_ms);
	dns_sieve_add(&s, &bad, now_ms);
	ck_assert_uint_eq(s.n, 1);
	ck_assert_uint_eq(dns_sieve_next_ms(&s), 1000 + DNS_SIEVE_TICK_MS);
	ck_assert(!dns_sieve_turn(&s, false, 1005));
	ck_assert(sieve_tick(&s, &bad, 10000, false, &now_ms));
	ck_assert_uint_gt(dns_sieve_code(&s, AF_INET, code), 0);
	ck_assert_uint_eq(dns_sieve_code(&s, AF_INET6, code), 0);
	for (int i = 0; i < 100; i++)
		changes += sieve_tick(&s, &bad, 10000, false, &now_ms);
	ck_assert_uint_eq(changes, 0);		/* it has found its measure */
	ck_assert_uint_eq(s.clients[0].shift, 6);
	for (int i = 0; i < 6; i++)
		ck_assert(sieve_tick(&s, &bad, 0, false, &now_ms));
	ck_assert_uint_eq(s.n, 0);
	ck_assert_uint_eq(dns_sieve_code(&s, AF_INET, code), 0);
}
END_TEST

/* Others have the processors: what the server gets to see is less than it could take. */
START_TEST(a_queue_that_does_not_shrink_is_thinned_out_too)
{
	struct nd_ip bad = guest(66);
	struct dns_sieve s = { 0 };
	uint64_t now_ms = 1000;

	dns_sieve_add(&s, &bad, now_ms);
	for (unsigned i = 1; i <= 5; i++) {
		ck_assert(sieve_tick(&s, &bad, 20, true, &now_ms));
		ck_assert_uint_eq(s.clients[0].shift, i);
	}
	for (int i = 0; i < 20; i++)
		(void)sieve_tick(&s, &bad, 0, true, &now_ms);
	ck_assert(!sieve_tick(&s, &bad, 0, true, &now_ms));
	ck_assert_uint_eq(s.n, 1);
}
END_TEST

START_TEST(who_asks_no_more_than_others_falls_out_of_the_sieve)
{
	struct dns_sieve s = { 0 };
	uint64_t now_ms = 1000;

	for (unsigned i = 0; i < 100; i++) {
		struct nd_ip ip = guest(i);

		dns_sieve_add(&s, &ip, now_ms);
	}
	ck_assert_uint_eq(s.n, DNS_SIEVE_CLIENTS);
	ck_assert(!dns_sieve_turn(&s, false, now_ms + DNS_SIEVE_TICK_MS));
	ck_assert_uint_eq(s.n, 0);
}
END_TEST

static struct nd_ip address(const char *text)
{
	struct nd_ip ip;

	ck_assert(nd_ip_parse(text, &ip));
	return ip;
}

/* How many of 2,000 packets from one loopback address come through the filter at another. */
static unsigned come_through(const struct dns_sieve *s, const char *from, const char *to)
{
	struct sock_filter code[DNS_SIEVE_CODE_MAX];
	struct nd_ip ip[2] = { address(from), address(to) };
	size_t n = dns_sieve_code(s, ip[0].family, code);
	struct sock_fprog filter = { (unsigned short)n, code };
	struct sockaddr_storage at[2] = { 0 };
	socklen_t len = ip[0].family == AF_INET ? sizeof(struct sockaddr_in) :
						  sizeof(struct sockaddr_in6);
	unsigned came = 0;
	int fds[2];
	char byte;

	for (int i = 0; i < 2; i++) {
		at[i].ss_family = ip[0].family;
		if (ip[0].family == AF_INET)
			((struct sockaddr_in *)&at[i])->sin_addr = ip[i].v4;
		else
			((struct sockaddr_in6 *)&at[i])->sin6_addr = ip[i].v6;
		fds[i] = socket(ip[0].family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		ck_assert_int_eq(bind(fds[i], (struct sockaddr *)&at[i], len), 0);
	}
	ck_assert_uint_gt(n, 0);
	ck_assert_msg(setsockopt(fds[1], SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) == 0, "%m");
	ck_assert_int_eq(getsockname(fds[1], (struct sockaddr *)&at[1], &len), 0);
	for (int i = 0; i < 2000; i++) {
		ck_assert_int_eq(sendto(fds[0], "x", 1, 0, (struct sockaddr *)&at[1], len), 1);
		came += recv(fds[1], &byte, 1, MSG_DONTWAIT) == 1;
	}
	close(fds[0]);
	close(fds[1]);
	return came;
}

START_TEST(the_kernel_lets_a_part_of_those_packets_through)
{
	struct dns_sieve s = { .n = 4, .clients = {
		{ .ip = address("127.0.0.66"), .shift = 2 }, { .ip = address("::1"), .shift = 1 },
		{ .ip = address("127.0.0.67"), .shift = 12 }, { .ip = address("::ffff:127.0.0.68"), .shift = 12 } } };
	unsigned n = come_through(&s, "127.0.0.66", "127.0.0.1");

	ck_assert_msg(n > 350 && n < 650, "%u", n);
	ck_assert_uint_lt(come_through(&s, "127.0.0.67", "127.0.0.1"), 20);
	ck_assert_uint_eq(come_through(&s, "127.0.0.68", "127.0.0.1"), 2000);
	n = come_through(&s, "::1", "::1");
	ck_assert_msg(n > 800 && n < 1200, "%u", n);
	s.clients[1].ip = address("::2");
	ck_assert_uint_eq(come_through(&s, "::1", "::1"), 2000);
}
END_TEST

static const struct dns_fair_limits limits = {
	.bytes = 1000, .active = 8, .client_bytes = 50, .client_active = 1, .bytes_hard = 1200,
};

START_TEST(a_client_may_hold_as_much_as_is_free)
{
	struct dns_fair *f = dns_fair_new(&limits);
	struct nd_ip a = guest(1), b = guest(2), c = guest(3);
	struct dns_fair_client *ca = NULL, *cb = NULL, *cc;
	unsigned na = 0, nb = 0;

	for (struct dns_fair_client *got; (got = dns_fair_charge(f, &a, 10)); na++)
		ca = got;
	for (struct dns_fair_client *got; (got = dns_fair_charge(f, &b, 10)); nb++)
		cb = got;
	ck_assert_uint_eq(na, 50);
	ck_assert_uint_eq(nb, 25);
	/* What was given up is free for the others. */
	dns_fair_release(f, ca, 500);
	cc = dns_fair_charge(f, &c, 350);
	ck_assert_ptr_nonnull(cc);
	dns_fair_release(f, cc, 350);
	dns_fair_release(f, cb, 250);
	dns_fair_free(f);
}
END_TEST

START_TEST(the_last_of_many_clients_still_gets_its_small_share)
{
	struct dns_fair *f = dns_fair_new(&limits);
	unsigned clients = 0;

	for (unsigned i = 0; i < 100; i++) {
		struct nd_ip ip = guest(i);
		bool some = false;

		while (dns_fair_charge(f, &ip, 10))
			some = true;
		clients += some;
	}
	/* Up to the hard bound, and not beyond. */
	ck_assert_uint_ge(clients, 8);
	ck_assert_uint_le(clients, 20);
	dns_fair_free(f);
}
END_TEST

START_TEST(clients_take_turns)
{
	struct dns_fair *f = dns_fair_new(&limits);
	struct nd_ip a = guest(1), b = guest(2);
	struct dns_fair_client *ca = dns_fair_charge(f, &a, 1), *cb = dns_fair_charge(f, &b, 1);
	struct dns_fair_item items[6] = { 0 };

	for (int i = 0; i < 4; i++)
		dns_fair_push(f, ca, &items[i]);
	dns_fair_push(f, cb, &items[4]);
	dns_fair_push(f, cb, &items[5]);
	ck_assert_ptr_eq(dns_fair_next(f), &items[0]);
	ck_assert_ptr_eq(dns_fair_next(f), &items[4]);
	ck_assert_ptr_eq(dns_fair_next(f), &items[1]);
	dns_fair_done(f, &items[2]);		/* gave up while it waited */
	ck_assert_ptr_eq(dns_fair_next(f), &items[5]);
	ck_assert_ptr_eq(dns_fair_next(f), &items[3]);
	ck_assert_ptr_null(dns_fair_next(f));
	ck_assert(!dns_fair_ready(f));
	for (int i = 0; i < 6; i++)
		dns_fair_done(f, &items[i]);
	dns_fair_release(f, ca, 1);
	dns_fair_release(f, cb, 1);
	dns_fair_free(f);
}
END_TEST

START_TEST(nobody_has_more_under_way_than_is_free)
{
	struct dns_fair *f = dns_fair_new(&limits);
	struct nd_ip a = guest(1), b = guest(2);
	struct dns_fair_client *ca = dns_fair_charge(f, &a, 1), *cb = dns_fair_charge(f, &b, 1);
	struct dns_fair_item items[10] = { 0 }, other = { 0 };

	for (int i = 0; i < 10; i++)
		dns_fair_push(f, ca, &items[i]);
	for (int i = 0; i < 4; i++)
		ck_assert_ptr_eq(dns_fair_next(f), &items[i]);
	ck_assert_ptr_null(dns_fair_next(f));	/* 4 of 8: as many as are free */
	dns_fair_push(f, cb, &other);
	ck_assert_ptr_eq(dns_fair_next(f), &other);
	ck_assert_ptr_null(dns_fair_next(f));
	dns_fair_done(f, &items[0]);
	dns_fair_done(f, &items[1]);
	ck_assert_ptr_eq(dns_fair_next(f), &items[4]);
	for (int i = 0; i < 10; i++)
		dns_fair_done(f, &items[i]);
	dns_fair_done(f, &other);
	dns_fair_release(f, ca, 1);
	dns_fair_release(f, cb, 1);
	dns_fair_free(f);
}
END_TEST

START_TEST(timers_come_out_in_order)
{
	struct dns_timer timers[500] = { 0 };
	struct dns_timers heap = { 0 };
	uint64_t last = 0;
	size_t n = 0;

	srandom(7);
	for (int round = 0; round < 3; round++)		/* set, and moved twice */
		for (int i = 0; i < 500; i++)
			ck_assert_int_eq(dns_timer_set(&heap, &timers[i],
						       (uint64_t)random() % 1000), 0);
	for (int i = 0; i < 500; i += 5)
		dns_timer_cancel(&heap, &timers[i]);
	dns_timer_cancel(&heap, &timers[0]);
	for (struct dns_timer *t; (t = dns_timer_first(&heap)); n++) {
		ck_assert_uint_ge(t->at_ms, last);
		last = t->at_ms;
		dns_timer_cancel(&heap, t);
	}
	ck_assert_uint_eq(n, 400);
	dns_timers_fini(&heap);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("dns quota");
	TCase *t = tcase_create("quota");

	suite_add_tcase(s, t);
	tcase_add_checked_fixture(t, set_up, NULL);
	tcase_add_test(t, without_a_flood_everybody_is_answered);
	tcase_add_test(t, a_queue_that_ran_over_is_a_flood);
	tcase_add_test(t, in_a_flood_those_who_ask_little_are_answered);
	tcase_add_test(t, hardly_any_query_of_a_quiet_guest_is_dropped);
	tcase_add_test(t, forged_addresses_do_not_take_everything);
	tcase_add_test(t, over_quota_is_answered_when_nobody_waits);
	tcase_add_test(t, a_second_after_the_flood_all_is_as_before);
	t = tcase_create("sieve");
	suite_add_tcase(s, t);
	tcase_add_test(t, a_flood_is_thinned_out_until_it_ends);
	tcase_add_test(t, a_queue_that_does_not_shrink_is_thinned_out_too);
	tcase_add_test(t, who_asks_no_more_than_others_falls_out_of_the_sieve);
	tcase_add_test(t, the_kernel_lets_a_part_of_those_packets_through);
	t = tcase_create("fair");
	suite_add_tcase(s, t);
	tcase_add_test(t, a_client_may_hold_as_much_as_is_free);
	tcase_add_test(t, the_last_of_many_clients_still_gets_its_small_share);
	tcase_add_test(t, clients_take_turns);
	tcase_add_test(t, nobody_has_more_under_way_than_is_free);
	tcase_add_test(t, timers_come_out_in_order);
	return suite_run(s);
}
