/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The nftables engine against the real kernel, in network namespaces of its own. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "datapath/nft.h"
#include "datapath/nft_layout.h"
#include "tests/netns/nft_fixture.h"
#include "tests/suite.h"

static struct nd_error err;

static struct nft *engine(bool no_persist)
{
	struct nft *nft = NULL;

	ck_assert_msg(nft_new(no_persist, &nft, &err) == 0, "%s", err.text);
	return nft;
}

static struct nd_prefix prefix(const char *ip, uint8_t len)
{
	struct nd_prefix p = { .len = len };

	ck_assert(nd_ip_parse(ip, &p.addr));
	return p;
}

/* What a NAT network comes to: compile has the real thing. */
static void add_nat(struct plan *p, const char *bridge, const char *subnet, const char *own_chain)
{
	struct nft_elem_fields f = { .ifname = { bridge, bridge }, .subnet = prefix(subnet, 24),
				     .goto_chain = own_chain };
	struct plan_item *item;

	nft_plan_elem(p, NFT_CROSS, false, &f);
	nft_plan_elem(p, NFT_JUDGED, false, &f);
	nft_plan_elem(p, NFT_HOMES, false, &f);
	nft_plan_elem(p, NFT_NAT, false, &f);
	nft_plan_elem(p, NFT_SAME, false, &f);
	nft_plan_elem(p, own_chain ? NFT_SNAT : NFT_MASQ, false, &f);
	nft_plan_elem(p, NFT_DHCP, false, &f);
	if (!own_chain)
		return;
	item = plan_add(p, PLAN_NFT_CHAIN);
	item->nft_chain.family = AF_INET;
	snprintf(item->nft_chain.name, sizeof(item->nft_chain.name), "%s", own_chain);
	item->nft_chain.port_start = 2000;
	item->nft_chain.port_end = 3000;
}

static void add_route6(struct plan *p, const char *bridge, const char *uplink, const char *subnet)
{
	struct nft_elem_fields f = { .ifname = { bridge, bridge }, .subnet = prefix(subnet, 64) };

	nft_plan_elem(p, NFT_CROSS, true, &f);
	nft_plan_elem(p, NFT_JUDGED, true, &f);
	nft_plan_elem(p, NFT_ROUTE, true, &f);
	nft_plan_elem(p, NFT_LIMITED, true, &f);
	f.ifname[1] = uplink;
	nft_plan_elem(p, NFT_UPLINK, true, &f);
}

/* Every class of the layout at once, with the addresses of both families. */
static struct plan *everything(void)
{
	struct plan *p = plan_new();
	struct nft_elem_fields f = { .uid = 60001, .port = 53, .ifname = { "eth0" },
				     .goto_chain = "nabc4" };
	struct plan_item *item;

	add_nat(p, "virbr0", "192.168.122.0", NULL);
	add_nat(p, "virbr1", "192.168.123.0", "n0123456789abcdef4");
	add_route6(p, "virbr2", "eth0", "2001:db8:1::");
	nft_plan_elem(p, NFT_SERVE_UID, false, &f);
	nd_ip_parse("192.0.2.53", &f.addr);
	nft_plan_elem(p, NFT_SERVE, false, &f);
	nd_ip_parse("2001:db8::53", &f.addr);
	nft_plan_elem(p, NFT_SERVE, true, &f);
	f.subnet = prefix("10.1.0.0", 16);
	nft_plan_elem(p, NFT_MASQ_DEV, false, &f);
	f.subnet = prefix("10.2.0.0", 16);
	nft_plan_elem(p, NFT_SNAT_DEV, false, &f);
	f.subnet = prefix("fd00:1::", 64);
	nft_plan_elem(p, NFT_MASQ, true, &f);
	nft_plan_elem(p, NFT_SAME, true, &f);
	nft_plan_elem(p, NFT_NAT, true, &f);
	f.subnet = prefix("10.3.0.7", 32);
	nft_plan_elem(p, NFT_MASQ, false, &f);
	item = plan_add(p, PLAN_NFT_CHAIN);
	item->nft_chain.family = AF_INET;
	strcpy(item->nft_chain.name, "nabc4");
	nd_ip_parse("198.51.100.3", &item->nft_chain.snat_start);
	nd_ip_parse("198.51.100.9", &item->nft_chain.snat_end);
	item = plan_add(p, PLAN_NFT_CHAIN);
	item->nft_chain.family = AF_INET6;
	strcpy(item->nft_chain.name, "nabc6");
	item->nft_chain.port_start = item->nft_chain.port_end = 4000;
	return p;
}

static int commit(struct nft *nft, const struct plan *was, const struct plan *want)
{
	ND_AUTO(plan_diff_free) struct plan_diff *d = NULL;
	ND_AUTO(nft_batch_free) struct nft_batch *b = NULL;
	ND_AUTO(plan_free) struct plan *empty = plan_new();

	ck_assert_int_eq(plan_diff(was ? was : empty, want ? want : empty, &d), 0);
	ck_assert_msg(nft_batch_begin(nft, &b, &err) == 0, "%s", err.text);
	for (size_t i = 0; i < d->n; i++) {
		const struct plan_step *s = &d->steps[i];

		ck_assert_msg(nft_batch_step(b, s->op, s->op == PLAN_CREATE ? NULL : &s->was,
					     s->op == PLAN_REMOVE ? NULL : &s->want, &err) == 0,
			      "%s", err.text);
	}
	return nft_batch_commit(b, &err);
}

static void apply(struct nft *nft, const struct plan *was, const struct plan *want)
{
	ck_assert_msg(commit(nft, was, want) == 0, "%s", err.text);
}

static void assert_reads(struct nft *nft, const struct plan *want)
{
	ND_AUTO(plan_diff_free) struct plan_diff *d = NULL;
	ND_AUTO(plan_free) struct plan *got = plan_new();
	ND_AUTO(free) char *text = NULL;

	ck_assert_msg(nft_read(nft, got, &err) == 0, "%s", err.text);
	ck_assert_int_eq(plan_diff(got, want, &d), 0);
	text = plan_diff_format(d);
	ck_assert_msg(d->n == 0, "the kernel differs:\n%s", text);
}

START_TEST(everything_is_made_read_back_and_gone_with_its_last_element)
{
	ND_AUTO(plan_free) struct plan *p = everything();
	struct nft *nft, *second;

	own_namespace();
	nft = engine(_i);
	apply(nft, NULL, p);
	assert_reads(nft, p);
	nft_free(nft);
	second = engine(_i);
	assert_reads(second, p);
	apply(second, p, NULL);
	assert_ruleset_empty();
	nft_free(second);
}
END_TEST

START_TEST(nft_reads_its_own_listing_back)
{
	ND_AUTO(plan_free) struct plan *p = everything();
	ND_AUTO(free) char *text = NULL;
	struct nft *nft;
	int status;

	own_namespace();
	nft = engine(_i);
	apply(nft, NULL, p);
	text = shell("nft list ruleset | unshare -n nft -c -f - 2>&1", &status);
	ck_assert_msg(status == 0, "%s\n%s", text, shell("nft list ruleset", NULL));
	nft_free(nft);
}
END_TEST

START_TEST(one_network_goes_and_the_other_stays)
{
	ND_AUTO(plan_free) struct plan *a = plan_new(), *b = plan_new();
	ND_AUTO(free) char *before = NULL, *after = NULL;
	struct nft *nft;

	own_namespace();
	nft = engine(_i);
	add_nat(a, "virbr0", "192.168.122.0", NULL);
	add_route6(b, "virbr2", "eth0", "2001:db8:1::");
	add_nat(b, "virbr2", "10.0.0.0", "nabc");
	apply(nft, NULL, a);
	before = shell("nft list ruleset", NULL);
	apply(nft, NULL, b);
	apply(nft, b, NULL);
	after = shell("nft list ruleset", NULL);
	ck_assert_str_eq(after, before);
	nft_free(nft);
}
END_TEST

START_TEST(a_commit_that_fails_changes_nothing_and_names_the_element)
{
	ND_AUTO(plan_free) struct plan *a = plan_new(), *b = plan_new();
	ND_AUTO(free) char *before = NULL, *after = NULL;
	struct nft_elem_fields f = { .subnet = prefix("10.9.9.0", 24), .goto_chain = "nowhere" };
	struct nft *nft;

	own_namespace();
	nft = engine(_i);
	add_nat(a, "virbr0", "192.168.122.0", NULL);
	apply(nft, NULL, a);
	before = shell("nft list ruleset", NULL);
	add_nat(b, "virbr1", "192.168.123.0", NULL);
	nft_plan_elem(b, NFT_SNAT, false, &f);
	ck_assert_int_eq(commit(nft, NULL, b), -ENOENT);
	ck_assert_str_eq(err.text, "cannot add element { 10.9.9.0 } of set 'snat4_24' in nft table "
				   "'inet netd': No such file or directory");
	after = shell("nft list ruleset", NULL);
	ck_assert_str_eq(after, before);
	assert_reads(nft, a);
	nft_free(nft);
}
END_TEST

START_TEST(an_owned_table_cannot_be_changed_by_others)
{
	ND_AUTO(plan_free) struct plan *a = plan_new();
	ND_AUTO(free) char *refusal = NULL, *listing = NULL;
	struct nft *nft;
	int status;

	own_namespace();
	nft = engine(false);
	add_nat(a, "virbr0", "192.168.122.0", NULL);
	apply(nft, NULL, a);
	refusal = shell("nft delete table inet netd 2>&1", &status);
	ck_assert_int_ne(status, 0);
	free(shell("nft flush ruleset", NULL));
	listing = shell("nft list table inet netd", NULL);
	ck_assert_ptr_nonnull(strstr(listing, "masq4_24"));
	nft_free(nft);
}
END_TEST

START_TEST(a_second_engine_is_refused_while_the_first_lives)
{
	ND_AUTO(plan_free) struct plan *a = plan_new(), *b = plan_new();
	struct nft *first, *second;

	own_namespace();
	first = engine(_i);
	second = engine(_i);
	add_nat(a, "virbr0", "192.168.122.0", NULL);
	add_nat(b, "virbr1", "192.168.123.0", NULL);
	apply(first, NULL, a);
	ck_assert_int_eq(commit(second, NULL, b), -EPERM);
	ck_assert_msg(strstr(err.text, "another netd"), "%s", err.text);
	nft_free(first);
	apply(second, NULL, b);
	nft_free(second);
}
END_TEST

START_TEST(an_adopted_table_is_owned_again)
{
	ND_AUTO(plan_free) struct plan *a = plan_new();
	struct nft *nft;
	int status;

	own_namespace();
	nft = engine(false);
	add_nat(a, "virbr0", "192.168.122.0", NULL);
	apply(nft, NULL, a);
	nft_free(nft);
	nft = engine(false);
	ck_assert_msg(nft_adopt(nft, &err) == 0, "%s", err.text);
	free(shell("nft flush ruleset", NULL));
	free(shell("nft delete table inet netd 2>&1", &status));
	ck_assert_int_ne(status, 0);
	assert_reads(nft, a);
	nft_free(nft);
}
END_TEST

/* What a foreign program may do to an orphan, or to a table without the owner flag. */
static const char *const edits[] = {
	"nft flush ruleset",
	"nft delete table inet netd",
	"nft flush chain inet netd forward",
	"nft flush chain inet netd nat_from4",
	"nft insert rule inet netd forward drop",
	"nft add chain inet netd more",
	"nft add set inet netd more '{ type ifname; }'",
	"nft 'add chain inet netd forward { policy drop; }'",
	"nft delete element inet netd cross4 '{ \"virbr0\" . \"virbr0\" }'",
	"nft flush set inet netd masq4_24",
	"nft flush chain inet netd n0123456789abcdef4",
};

static void repair(const char *edit, bool no_persist)
{
	ND_AUTO(plan_free) struct plan *p = everything(), *got = plan_new();
	ND_AUTO(free) char *before = NULL, *after = NULL;
	struct nft *nft;

	own_namespace();
	nft = engine(no_persist);
	apply(nft, NULL, p);
	before = shell("nft list ruleset | sort", NULL);
	nft_free(nft);
	nft = engine(no_persist);
	assert_reads(nft, p);
	nft_free(nft);
	nft = engine(no_persist);
	free(shell(edit, NULL));
	ck_assert_msg(nft_read(nft, got, &err) == 0, "%s", err.text);
	ck_assert_msg(got->n < p->n, "%s: unnoticed", edit);
	apply(nft, got, p);
	after = shell("nft list ruleset | sort", NULL);
	assert_reads(nft, p);
	/* elements are listed in no particular order, so only the rest is compared as text */
	ck_assert_uint_eq(strlen(after), strlen(before));
	nft_free(nft);
}

START_TEST(an_edited_orphan_is_repaired)
{
	repair(edits[_i], false);
}
END_TEST

START_TEST(an_edited_plain_table_is_repaired)
{
	repair(edits[_i], true);
}
END_TEST

START_TEST(the_table_of_another_layout_is_replaced)
{
	ND_AUTO(plan_free) struct plan *a = plan_new(), *got = plan_new();
	ND_AUTO(free) char *listing = NULL;
	struct nft *nft;

	own_namespace();
	free(shell("nft -f - <<E\ntable inet netd { comment \"made by netd, layout 0\"\n"
		   "set old { type ifname\n elements = { \"virbr0\" } }\n"
		   "chain forward { type filter hook forward priority 0; iifname @old drop\n }\n }\nE\n",
		   NULL));
	nft = engine(_i);
	add_nat(a, "virbr0", "192.168.122.0", NULL);
	ck_assert_msg(nft_read(nft, got, &err) == 0, "%s", err.text);
	ck_assert_uint_eq(got->n, 0);
	apply(nft, got, a);
	listing = shell("nft list ruleset", NULL);
	ck_assert_ptr_null(strstr(listing, "set old"));
	assert_reads(nft, a);
	nft_free(nft);
}
END_TEST

START_TEST(the_path_may_change_between_two_lives)
{
	ND_AUTO(plan_free) struct plan *p = everything();
	struct nft *nft;

	own_namespace();
	nft = engine(_i);
	apply(nft, NULL, p);
	nft_free(nft);
	nft = engine(!_i);
	ck_assert_msg(nft_adopt(nft, &err) == 0, "%s", err.text);
	assert_reads(nft, p);
	apply(nft, p, NULL);
	nft_free(nft);
	assert_ruleset_empty();
}
END_TEST

START_TEST(a_plain_table_survives_other_programs_commits)
{
	ND_AUTO(plan_free) struct plan *a = plan_new(), *b = plan_new();
	struct nft *nft;

	own_namespace();
	nft = engine(true);
	add_nat(a, "virbr0", "192.168.122.0", NULL);
	add_nat(b, "virbr1", "192.168.123.0", NULL);
	apply(nft, NULL, a);
	free(shell("nft add table ip other", NULL));
	apply(nft, NULL, b);
	apply(nft, a, NULL);
	assert_reads(nft, b);
	nft_free(nft);
}
END_TEST

START_TEST(a_flush_of_a_plain_table_leaves_the_nat_hooks_registered)
{
	ND_AUTO(plan_free) struct plan *a = plan_new();
	ND_AUTO(free) char *left = NULL, *gone = NULL;
	struct nft *nft;

	own_namespace();
	nft = engine(true);
	add_nat(a, "virbr0", "192.168.122.0", NULL);
	apply(nft, NULL, a);
	free(shell("nft flush ruleset", NULL));
	left = shell("nft list ruleset", NULL);
	ck_assert_ptr_null(strstr(left, "table inet netd {"));
	ck_assert_ptr_nonnull(strstr(left, "type nat hook postrouting"));
	ck_assert_ptr_nonnull(strstr(left, "ct state established,related"));
	apply(nft, NULL, a);
	apply(nft, a, NULL);
	gone = shell("nft list ruleset", NULL);
	ck_assert_str_eq(gone, "");
	nft_free(nft);
}
END_TEST

static void collect(void *arg, const char *bridge, const char *sentence)
{
	nd_str_addf(arg, "%s: %s\n", bridge, sentence);
}

static const struct {
	const char *rules, *expect;
} foreign[] = {
	{ "nft add table ip filter; nft 'add chain ip filter FORWARD { type filter hook forward "
	  "priority 0; policy drop; }'; nft add rule ip filter FORWARD iifname docker0 accept",
	  "virbr0: chain 'FORWARD' of nft table 'ip filter' drops the traffic that this host forwards for "
	  "guests unless one of its rules accepts it (policy drop)\n" },
	{ "nft add table inet fw; nft add chain inet fw rest; nft add rule inet fw rest counter "
	  "reject; nft 'add chain inet fw in { type filter hook input priority 0; }'; nft add rule "
	  "inet fw in ct state established accept; nft add rule inet fw in jump rest",
	  "virbr0: chain 'in' of nft table 'inet fw' drops what guests send to this host (DNS) unless one "
	  "of its rules accepts it (a drop or reject without condition)\n" },
	{ "nft add table inet fw; nft 'add chain inet fw f { type filter hook forward priority 0; "
	  "policy drop; }'; nft add rule inet fw f oifname virbr0 accept", "" },
	{ "nft add table inet fw; nft 'add chain inet fw f { type filter hook forward priority 0; "
	  "policy drop; }'; nft add rule inet fw f 'iifname \"virbr*\" accept'", "" },
	{ "nft add table inet fw; nft 'add chain inet fw f { type filter hook forward priority 0; "
	  "}'; nft add rule inet fw f iifname eth9 drop; nft add rule inet fw f accept; nft add "
	  "rule inet fw f drop", "" },
};

START_TEST(foreign_chains_that_drop_are_named)
{
	ND_AUTO(plan_free) struct plan *p = everything();
	ND_AUTO(nd_str_free) struct nd_str got = { 0 };
	const char *bridge = "virbr0";
	struct nft *nft;

	own_namespace();
	free(shell(foreign[_i].rules, NULL));
	nft = engine(false);
	apply(nft, NULL, p);
	ck_assert_msg(nft_foreign_drops(nft, &bridge, 1, collect, &got, &err) == 0, "%s", err.text);
	ck_assert_str_eq(got.text ? got.text : "", foreign[_i].expect);
	nft_free(nft);
}
END_TEST

static struct plan *numbered(unsigned i)
{
	struct plan *p = plan_new();
	char bridge[IFNAMSIZ], subnet[32];

	snprintf(bridge, sizeof(bridge), "virbr%u", i);
	snprintf(subnet, sizeof(subnet), "10.%u.%u.0", i >> 8, i & 255);
	add_nat(p, bridge, subnet, NULL);
	return p;
}

START_TEST(a_network_costs_the_same_with_five_hundred_others)
{
	enum { NETWORKS = 500, LAST = 20 };
	double first = 0, last = 0, start, all = cpu_ms();
	ND_AUTO(plan_free) struct plan *all_of_it = plan_new();
	struct nft *nft, *fresh = NULL;

	own_namespace();
	nft = engine(_i);
	for (unsigned i = 0; i < NETWORKS; i++) {
		ND_AUTO(plan_free) struct plan *p = numbered(i);

		start = cpu_ms();
		apply(nft, NULL, p);
		if (i > 0 && i <= LAST)
			first += cpu_ms() - start;
		if (i >= NETWORKS - LAST)
			last += cpu_ms() - start;
	}
	printf("nft%s: a network beside 1 to %d: %.3f ms, beside %d: %.3f ms; %d in all: %.0f ms\n",
	       _i ? " without persist" : "", LAST, first / LAST, NETWORKS, last / LAST, NETWORKS,
	       cpu_ms() - all);
	start = cpu_ms();
	ck_assert_msg(nft_new(_i, &fresh, &err) == 0 && nft_read(fresh, all_of_it, &err) == 0, "%s",
		      err.text);
	printf("nft%s: reading %zu elements anew: %.1f ms\n", _i ? " without persist" : "",
	       all_of_it->n, cpu_ms() - start);
	ck_assert_uint_eq(all_of_it->n, NETWORKS * 7);
	nft_free(fresh);
	/* An emulated or busy machine is slower, but not with more networks: a layout whose cost grew with
	 * them would be twenty times slower here. */
	ck_assert_msg(last / LAST < 1.0 || last < 5 * first, "%.3f ms", last / LAST);
	start = cpu_ms();
	for (unsigned i = 0; i < NETWORKS; i++) {
		ND_AUTO(plan_free) struct plan *p = numbered(i);

		apply(nft, p, NULL);
	}
	printf("nft%s: removing them: %.3f ms each\n", _i ? " without persist" : "",
	       (cpu_ms() - start) / NETWORKS);
	assert_ruleset_empty();
	nft_free(nft);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("nft");
	TCase *t = tcase_create("engine");

	tcase_set_timeout(t, 120);
	/* twice: with persistent owned tables, and as on a kernel without them */
	tcase_add_loop_test(t, everything_is_made_read_back_and_gone_with_its_last_element, 0, 2);
	tcase_add_loop_test(t, nft_reads_its_own_listing_back, 0, 2);
	tcase_add_loop_test(t, one_network_goes_and_the_other_stays, 0, 2);
	tcase_add_loop_test(t, a_commit_that_fails_changes_nothing_and_names_the_element, 0, 2);
	if (kernel_persists()) {
		tcase_add_test(t, an_owned_table_cannot_be_changed_by_others);
		tcase_add_test(t, an_adopted_table_is_owned_again);
	}
	tcase_add_loop_test(t, a_second_engine_is_refused_while_the_first_lives, 0, 2);
	tcase_add_loop_test(t, an_edited_orphan_is_repaired, 0, ND_COUNT(edits));
	tcase_add_loop_test(t, an_edited_plain_table_is_repaired, 0, ND_COUNT(edits));
	tcase_add_loop_test(t, the_table_of_another_layout_is_replaced, 0, 2);
	tcase_add_loop_test(t, the_path_may_change_between_two_lives, 0, 2);
	tcase_add_test(t, a_plain_table_survives_other_programs_commits);
	tcase_add_test(t, a_flush_of_a_plain_table_leaves_the_nat_hooks_registered);
	tcase_add_loop_test(t, foreign_chains_that_drop_are_named, 0, ND_COUNT(foreign));
	tcase_add_loop_test(t, a_network_costs_the_same_with_five_hundred_others, 0, 2);
	suite_add_tcase(s, t);
	return suite_run(s);
}
