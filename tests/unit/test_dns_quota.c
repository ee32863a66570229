/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who is answered in a flood: the quota at the sockets and the shares of the forwarder's queue. */
#include <arpa/inet.h>
#include <check.h>
#include <stdlib.h>

#include "dns/fair.h"
#include "dns/quota.h"
#include "dns/timer.h"

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
		dns_quota_look(&quota, &queue, DEEP, *now_ms);
}

START_TEST(without_a_flood_everybody_is_answered)
{
	ck_assert_uint_eq(answers(1, 100000, 1000), 100000);
	dns_quota_look(&quota, &queue, DEEP, 1000);
	dns_quota_look(&quota, &queue, DEEP, 1010);
	ck_assert_uint_eq(answers(1, 100000, 1010), 100000);
	/* A burst was worked off: it counts from the beginning again. */
	dns_quota_look(&quota, &queue, 1000, 1015);
	dns_quota_look(&quota, &queue, DEEP, 1020);
	dns_quota_look(&quota, &queue, DEEP, 1035);
	ck_assert_uint_eq(answers(1, 100000, 1035), 100000);
}
END_TEST

START_TEST(in_a_flood_those_who_ask_little_are_answered)
{
	unsigned quiet = 0, halves = 0;
	uint64_t now_ms = 1000;

	flood_until_pressed(&now_ms);
	for (int tick = 0; tick < 100; tick++, now_ms += 20) {
		ck_assert_uint_le(answers(66, 10000, now_ms), 512);
		/* Only when the two share a place, which one time in 4,096 they do, it gets nothing. */
		quiet += answers(7, 3, now_ms);
		/* Two clients: half for each. */
		halves += answers(66, 10000, now_ms + 10) == 256;
	}
	ck_assert_uint_ge(quiet, 270);
	ck_assert_uint_ge(halves, 90);
}
END_TEST

START_TEST(hardly_any_query_of_a_quiet_guest_is_dropped)
{
	uint64_t now_ms = 1000;
	unsigned answered = 0;

	flood_until_pressed(&now_ms);
	for (int tick = 0; tick < 1000; tick++, now_ms += 10) {
		for (unsigned bad = 100; bad < 120; bad++)
			(void)answers(bad, 200, now_ms);
		answered += answers(7, 1, now_ms);
	}
	ck_assert_uint_ge(answered, 980);	/* 20 of 4,096 places are full: 995 expected */
}
END_TEST

START_TEST(forged_addresses_do_not_take_everything)
{
	uint64_t now_ms = 1000;
	unsigned forged = 0;

	flood_until_pressed(&now_ms);
	for (int tick = 0; tick < 10; tick++, now_ms += 10)
		for (unsigned i = 0; i < 50000; i++)
			forged += answers(1000 + i, 1, now_ms);
	/* In a tick the first ones of each place: 4,096 places, 4 each. */
	ck_assert_uint_le(forged, 9 * 4 * 4096 + 50000);
}
END_TEST

START_TEST(over_quota_is_answered_when_nobody_waits)
{
	uint64_t now_ms = 1000;

	flood_until_pressed(&now_ms);
	dns_quota_look(&quota, &queue, 1000, now_ms);
	ck_assert_uint_eq(answers(66, 10000, now_ms), 10000);
	dns_quota_look(&quota, &queue, DEEP / 2, now_ms);
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
	SRunner *runner;
	int failed;

	suite_add_tcase(s, t);
	tcase_add_checked_fixture(t, set_up, NULL);
	tcase_add_test(t, without_a_flood_everybody_is_answered);
	tcase_add_test(t, in_a_flood_those_who_ask_little_are_answered);
	tcase_add_test(t, hardly_any_query_of_a_quiet_guest_is_dropped);
	tcase_add_test(t, forged_addresses_do_not_take_everything);
	tcase_add_test(t, over_quota_is_answered_when_nobody_waits);
	tcase_add_test(t, a_second_after_the_flood_all_is_as_before);
	t = tcase_create("fair");
	suite_add_tcase(s, t);
	tcase_add_test(t, a_client_may_hold_as_much_as_is_free);
	tcase_add_test(t, the_last_of_many_clients_still_gets_its_small_share);
	tcase_add_test(t, clients_take_turns);
	tcase_add_test(t, nobody_has_more_under_way_than_is_free);
	tcase_add_test(t, timers_come_out_in_order);
	runner = srunner_create(s);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
