/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shapers, floors and policers in the kernel, with tc as the oracle. */
#include "datapath_fixture.h"
#include "tests/suite.h"

struct datapath *dp;
char run_dir[64];

static struct plan *shaped_network(void)
{
	struct plan *p = nat_network();

	add_shaper(p, "virbr0", 125000, 250000)->pool = 200000;
	add_floor(p, "virbr0", 3, 25000);
	return p;
}

/* qdiscs, classes and filters of a link, without counters, and without the sfq that some kernels have. */
static const char *tc(const char *link)
{
	return output("tc qdisc show dev %s | sed 's/ refcnt [0-9]*//; /sfq/d'; "
		      "tc class show dev %s | sed 's/ leaf [0-9]*://' | sort; "
		      "tc filter show dev %s | grep -v 'ht divisor\\|pref [0-9]* u32 chain 0 $'; "
		      "tc filter show dev %s ingress", link, link, link, link);
}

START_TEST(a_shaper_with_a_floor_is_what_tc_shows)
{
	ND_AUTO(plan_free) struct plan *net = shaped_network();

	must_apply(NULL, net, OWNER);
	assert_differs(net, OWNER, "");
	ck_assert_str_eq(tc("virbr0"),
		"qdisc htb 1: root r2q 10 default 0x2 direct_packets_stat 0 direct_qlen 1000 "
		"class htb 1:1 root rate 1Mbit ceil 2Mbit burst 1600b cburst 2500b  "
		"class htb 1:2 parent 1:1 prio 0 rate 1600Kbit ceil 2Mbit burst 1600b cburst 2500b  "
		"class htb 1:3 parent 1:1 prio 0 rate 200Kbit ceil 2Mbit burst 1600b cburst 2500b  "
		"filter parent 1: protocol all pref 3 u32 chain 0 fh 800::800 order 2048 key ht 800 bkt 0 "
		"*flowid 1:3 not_in_hw    match 52540001/ffffffff at -14   match 02030000/ffff0000 at -10");
}
END_TEST

START_TEST(a_change_of_rates_keeps_the_qdisc)
{
	ND_AUTO(plan_free) struct plan *was = shaped_network();
	ND_AUTO(plan_free) struct plan *want = nat_network();

	must_apply(NULL, was, OWNER);
	add_shaper(want, "virbr0", 500000, 500000)->pool = 300000;
	add_floor(want, "virbr0", 4, 200000);
	must_apply(was, want, OWNER);
	assert_differs(want, OWNER, "");
	ck_assert_str_eq(output("tc class show dev virbr0 | sort | sed 's/ burst.*//; s/ leaf [0-9]*://'"),
			 "class htb 1:1 root rate 4Mbit ceil 4Mbit "
			 "class htb 1:2 parent 1:1 prio 0 rate 2400Kbit ceil 4Mbit "
			 "class htb 1:4 parent 1:1 prio 0 rate 1600Kbit ceil 2Mbit");
}
END_TEST

START_TEST(rates_beyond_32_bits_read_back)
{
	ND_AUTO(plan_free) struct plan *net = nat_network();
	struct plan_shaper *s = add_shaper(net, "virbr0", UINT64_C(5000000000), UINT64_C(18000000000000000000));

	s->burst_bytes = PLAN_BURST_MAX_BYTES;
	s->pool = s->rate;
	must_apply(NULL, net, OWNER);
	assert_differs(net, OWNER, "");
	ck_assert_str_eq(output("tc class show dev virbr0 classid 1:1 | grep -o 'rate [^ ]*'"),
			 "rate 40Gbit");
}
END_TEST

START_TEST(drift_of_each_part_is_seen_and_repaired)
{
	static const struct { const char *harm, *steps; } cases[] = {
		{ "tc qdisc del dev virbr0 root",
		  "+ shaper virbr0 rate 125000 peak 250000 burst 1600 pool 200000\n"
		  "+ floor virbr0 class 3 mac 52:54:00:01:02:03 rate 25000 peak 250000\n" },
		{ "tc qdisc del dev virbr0 root; tc qdisc add dev virbr0 root handle 1: "
		  "tbf rate 1mbit burst 10kb latency 10ms",
		  "+ shaper virbr0 rate 125000 peak 250000 burst 1600 pool 200000\n"
		  "+ floor virbr0 class 3 mac 52:54:00:01:02:03 rate 25000 peak 250000\n" },
		{ "tc class change dev virbr0 parent 1:1 classid 1:2 htb rate 8kbit ceil 2mbit",
		  "~ shaper virbr0 rate 125000 peak 250000 burst 1600 pool 1000"
		  " -> shaper virbr0 rate 125000 peak 250000 burst 1600 pool 200000\n" },
		{ "tc filter del dev virbr0 parent 1: pref 3",
		  "~ floor virbr0 class 3 mac 00:00:00:00:00:00 rate 25000 peak 250000"
		  " -> floor virbr0 class 3 mac 52:54:00:01:02:03 rate 25000 peak 250000\n" },
		{ "tc filter del dev virbr0 parent 1: pref 3; tc class del dev virbr0 classid 1:3",
		  "+ floor virbr0 class 3 mac 52:54:00:01:02:03 rate 25000 peak 250000\n" },
	};

	for (size_t i = 0; i < ND_COUNT(cases); i++) {
		ND_AUTO(plan_free) struct plan *net = shaped_network();
		ND_AUTO(plan_free) struct plan *now = NULL;

		must_apply(NULL, net, OWNER);
		ck_assert_int_eq(sh("%s", cases[i].harm), 0);
		assert_differs(net, OWNER, cases[i].steps);
		now = read_plan(net, OWNER);
		must_apply(now, net, OWNER);
		assert_differs(net, OWNER, "");
		must_apply(net, NULL, OWNER);
	}
}
END_TEST

START_TEST(what_a_killed_predecessor_left_goes)
{
	ND_AUTO(plan_free) struct plan *bare = nat_network();
	ND_AUTO(plan_free) struct plan *shaped = shaped_network();
	ND_AUTO(plan_free) struct plan *other = nat_network();

	add_shaper(other, "virbr0", 125000, 250000)->pool = 200000;
	must_apply(NULL, shaped, OWNER);
	assert_differs(other, OWNER,
		"- floor virbr0 class 3 mac 52:54:00:01:02:03 rate 25000 peak 250000\n");
	assert_differs(bare, OWNER, "- shaper virbr0 rate 125000 peak 250000 burst 1600 pool 200000\n");
}
END_TEST

/* The kernel of the lab can police, that of a development machine perhaps not. */
START_TEST(a_policer_polices_or_says_what_is_missing)
{
	ND_AUTO(plan_free) struct plan *bare = nat_network();
	ND_AUTO(plan_free) struct plan *net = nat_network();
	ND_AUTO(free) char *before = NULL, *after = NULL;
	struct nd_error err = { 0 };

	add_policer(net, "virbr0", 125000, 1 << 20);
	must_apply(NULL, bare, OWNER);
	before = strdup(tc("virbr0"));
	if (apply(bare, net, OWNER, &err) < 0) {
		ck_assert_str_eq(err.text, "<bandwidth>: <outbound> on 'virbr0' cannot be kept: this kernel "
				 "has no police action (CONFIG_NET_ACT_POLICE) or no u32 filters "
				 "(CONFIG_NET_CLS_U32)");
		ck_assert_int_eq(err.kind, ND_ERR_CONFIG_UNSUPPORTED);
	} else {
		assert_differs(net, OWNER, "");
		ck_assert_str_eq(output("tc filter show dev virbr0 ingress | grep -o 'police.*rate.*burst [^ ]*'"
					" | sed 's/0x[0-9a-f]*//'"), "police  rate 1Mbit burst 1Mb");
		assert_differs(bare, OWNER, "- policer virbr0 rate 125000 burst 1048576\n");
		ck_assert_int_eq(sh("tc qdisc del dev virbr0 ingress"), 0);
		assert_differs(net, OWNER, "+ policer virbr0 rate 125000 burst 1048576\n");
		must_apply(bare, net, OWNER);
		must_apply(net, bare, OWNER);
	}
	after = strdup(tc("virbr0"));
	ck_assert_str_eq(before, after);
}
END_TEST

START_TEST(what_libvirt_left_is_made_anew)
{
	ND_AUTO(plan_free) struct plan *bare = nat_network();
	ND_AUTO(plan_free) struct plan *net = shaped_network();
	ND_AUTO(plan_free) struct plan *now = NULL;

	must_apply(NULL, bare, OWNER);
	ck_assert_int_eq(sh("tc qdisc add dev virbr0 root handle 1: htb default 2; "
			    "tc class add dev virbr0 parent 1: classid 1:1 htb rate 125kbps ceil 250kbps; "
			    "tc class add dev virbr0 parent 1:1 classid 1:2 htb rate 125kbps ceil 250kbps; "
			    "tc class add dev virbr0 parent 1:1 classid 1:3 htb rate 25kbps ceil 250kbps"), 0);
	ck_assert_int_eq(sh("tc filter add dev virbr0 protocol ip pref 2 u32 match u16 0x0800 0xffff at -2 "
			    "match u32 0x00010203 0xffffffff at -12 match u16 0x5254 0xffff at -14 "
			    "flowid 1:3"), 0);
	assert_differs(net, OWNER, "+ shaper virbr0 rate 125000 peak 250000 burst 1600 pool 200000\n"
		       "+ floor virbr0 class 3 mac 52:54:00:01:02:03 rate 25000 peak 250000\n");
	assert_differs(bare, OWNER, "- shaper virbr0 rate 0 peak 0 burst 0\n");
	now = read_plan(net, OWNER);
	must_apply(now, net, OWNER);
	assert_differs(net, OWNER, "");
	ck_assert_ptr_null(strstr(tc("virbr0"), "pref 2 "));
}
END_TEST

START_TEST(other_peoples_ingress_qdisc_stays_when_nothing_is_policed)
{
	ND_AUTO(plan_free) struct plan *net = nat_network();

	must_apply(NULL, net, OWNER);
	ck_assert_int_eq(sh("tc qdisc add dev virbr0 ingress; tc qdisc add dev virbr0 root handle 2: htb"), 0);
	assert_differs(net, OWNER, "");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("shape");
	TCase *t = tcase_create("shape");

	tcase_add_checked_fixture(t, fresh_namespace, end_namespace);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, a_shaper_with_a_floor_is_what_tc_shows);
	tcase_add_test(t, a_change_of_rates_keeps_the_qdisc);
	tcase_add_test(t, rates_beyond_32_bits_read_back);
	tcase_add_test(t, drift_of_each_part_is_seen_and_repaired);
	tcase_add_test(t, what_a_killed_predecessor_left_goes);
	tcase_add_test(t, a_policer_polices_or_says_what_is_missing);
	tcase_add_test(t, what_libvirt_left_is_made_anew);
	tcase_add_test(t, other_peoples_ingress_qdisc_stays_when_nothing_is_policed);
	suite_add_tcase(s, t);
	return suite_run(s);
}
