/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_dns_upstream.c -- questions that others have to answer: which upstream is asked, what is believed, what is kept */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dns/forwarder.h"
#include "dns/race.h"
#include "dns_scene.h"
#include "netd/base/array.h"

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

static void add_tests(TCase *t)
{
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
}

int main(void)
{
	return scene_run("dns upstreams", add_tests);
}
