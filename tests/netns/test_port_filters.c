/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The filters of bridge ports against the real kernel, in network namespaces of their own. What this kernel's
 * bridge family does not have is said and skipped; the lab's kernel has all of it. */
#include "datapath/nft_wire.h"
#include "tests/netns/port_filter_fixture.h"
#include "tests/suite.h"

static uint32_t genid(void)
{
	struct nft_wire w;
	uint32_t id = 0;

	ck_assert_int_eq(nft_wire_open(&w, &err), 0);
	ck_assert_int_eq(nft_wire_genid(&w, &id), 0);
	nft_wire_close(&w);
	return id;
}

static const struct {
	enum filter_op op;
	const char *from, *to;
} ops[] = {
	{ FILTER_EQ, "01", NULL }, { FILTER_NEQ, "7f", NULL },
	{ FILTER_RANGE, "10", "20" }, { FILTER_NOT_RANGE, "10", "20" },
};
static const char *const masks[] = {
	NULL, "f0000000000000000000000000000000", "5affffffffffffffffffffffffffff0f",
};

/* Every payload of every layer with every comparison and mask. */
static struct port_filter *every_payload(void)
{
	static const uint16_t lens[] = { 1, 2, 3, 4, 6, 8, 12, 16 };
	struct port_filter *f = port_filter_new("every0");

	for (unsigned subject = FILTER_LINK; subject <= FILTER_TRANSPORT; subject++)
		for (unsigned l = 0; l < ND_COUNT(lens); l++)
			for (unsigned o = 0; o < ND_COUNT(ops); o++)
				for (unsigned m = 0; m < ND_COUNT(masks); m++) {
					struct filter_rule *r = rule(f, FILTER_PACKETS_FROM, FILTER_DROP);
					struct filter_test *t = test(r, subject, 4, lens[l], ops[o].op,
								     ops[o].from);

					hex(t->to, ops[o].to);
					t->has_mask = masks[m];
					hex(t->mask, masks[m]);
				}
	return f;
}

/* The rest of what there is without connection tracking. */
static struct port_filter *every_other(void)
{
	struct port_filter *f = port_filter_new("every+@1");
	struct filter_rule *r;
	struct filter_test *t;

	port_filter_add_chain(f, "x");
	for (unsigned o = 0; o < ND_COUNT(ops); o++) {
		r = rule(f, FILTER_PACKETS_TO, FILTER_ACCEPT);
		t = test(r, FILTER_L4PROTO, 0, 1, ops[o].op, ops[o].from);
		hex(t->to, ops[o].to);
	}
	r = rule(f, FILTER_FRAMES_TO, FILTER_RETURN);
	is_ethertype(r, "0800");
	test(r, FILTER_L4PROTO, 0, 1, FILTER_EQ, "06");
	test(r, FILTER_TCP_OPTION, 0, 0, FILTER_EQ, NULL)->count = 30;
	rule(f, FILTER_FRAMES_TO, FILTER_JUMP)->jump = FILTER_STAGES;
	rule(f, FILTER_STAGES, FILTER_DROP);
	comment(rule(f, FILTER_STAGES, FILTER_ACCEPT), "a\tb \"c\" \\ d");
	comment(rule(f, FILTER_STAGES, FILTER_DROP), "");
	return f;
}

static struct port_filter *every_learned(void)
{
	struct port_filter *f = port_filter_new("every2");

	f->learns = 1;
	for (unsigned subject = FILTER_LINK; subject <= FILTER_TRANSPORT; subject++)
		for (unsigned op = FILTER_LEARNED; op <= FILTER_LEARN; op++)
			test(rule(f, FILTER_FRAMES_FROM, FILTER_CONTINUE), subject, 12, 4, op, NULL);
	return f;
}

/* ---- what is written is read ---- */

static struct port_filter *(*const kinds[])(void) = { every_payload, every_other, every_learned };

static void assert_settled(struct port_filters *pf, const struct port_filter *f)
{
	uint32_t before = genid();

	apply_one(pf, f);
	ck_assert_msg(genid() == before, "a transaction for nothing");
}

/* An engine that has not made the table reads it, and finds it as it should be. Of a persistent table it
 * takes over the ownership first, and the rules are then as they were. */
static void assert_reads(const struct port_filter *f, bool no_persist)
{
	struct port_filters *pf = engine(no_persist);
	const char *list = "nft -a list table bridge netd | tail -n +2 | grep -v '^\tflags'";
	char *before = shell(list, NULL), *after;

	if (no_persist)
		assert_settled(pf, f);
	apply_one(pf, f);
	assert_settled(pf, f);
	after = shell(list, NULL);
	ck_assert(nd_streq(after, before));	/* with the rules' handles: nothing was made again */
	free(before);
	free(after);
	port_filters_free(pf);
}

static void write_and_read(const struct port_filter *f, bool no_persist)
{
	struct port_filters *pf = engine(no_persist);

	apply_one(pf, f);
	assert_settled(pf, f);
	port_filters_free(pf);
	assert_reads(f, no_persist);
	pf = engine(no_persist);
	apply(pf, NULL, 0);
	apply(pf, NULL, 0);
	port_filters_free(pf);
	assert_ruleset_empty();
}

START_TEST(every_kind_of_test_is_read_as_it_was_written)
{
	ND_AUTO(port_filter_free) struct port_filter *f = kinds[(size_t)_i % ND_COUNT(kinds)]();

	own_namespace();
	write_and_read(f, (size_t)_i >= ND_COUNT(kinds));
}
END_TEST

START_TEST(what_not_every_kernel_has_is_written_or_refused_in_a_sentence)
{
	ND_AUTO(port_filter_free) struct port_filter *f = optional[(size_t)_i % ND_COUNT(optional)].make("vnet0");

	own_namespace();
	if (kernel_has(f, optional[(size_t)_i % ND_COUNT(optional)].what))
		write_and_read(f, (size_t)_i >= ND_COUNT(optional));
}
END_TEST

START_TEST(a_refused_filter_leaves_the_others_as_they_were)
{
	ND_AUTO(port_filter_free) struct port_filter *a = clean_traffic("vnet0"), *b = tracked("vnet1");
	const struct port_filter *both[] = { a, b };
	ND_AUTO(free) char *before = NULL, *after = NULL;
	struct port_filters *pf;
	bool has;

	own_namespace();
	has = kernel_has(b, optional[0].what);
	pf = engine(_i);
	apply_one(pf, a);
	before = shell("nft -a list ruleset", NULL);
	if (has) {
		printf("skipped: this kernel refuses none\n");
	} else {
		ck_assert_int_lt(port_filters_apply(pf, both, 2, &err), 0);
		ck_assert_msg(strstr(err.text, "'packets_from.vnet1' in nft table 'bridge netd'"), "%s", err.text);
		after = shell("nft -a list ruleset", NULL);
		ck_assert_str_eq(after, before);
		assert_settled(pf, a);
	}
	port_filters_free(pf);
}
END_TEST

START_TEST(nft_reads_its_own_listing_back)
{
	ND_AUTO(port_filter_free) struct port_filter *a = clean_traffic("vnet0"), *b = every_other(),
						      *d = clean_traffic("a.b-c_d@9");
	struct port_filter *more[ND_COUNT(optional)];
	const struct port_filter *all[3 + ND_COUNT(optional)] = { a, b, d };
	ND_AUTO(free) char *text = NULL;
	struct port_filters *pf;
	size_t n = 3;
	int status;

	own_namespace();
	for (size_t i = 0; i < ND_COUNT(optional); i++) {
		char name[IFNAMSIZ];

		snprintf(name, sizeof(name), "opt%zu", i);
		all[n] = more[i] = optional[i].make(name);
		n += kernel_has(all[n], optional[i].what);
	}
	pf = engine(_i);
	apply(pf, all, n);
	text = shell("nft list ruleset | unshare -n nft -c -f - 2>&1", &status);
	if (status)
		printf("%s\n%s\n", text, shell("nft list ruleset", NULL));
	ck_assert_int_eq(status, 0);
	port_filters_free(pf);
	for (size_t i = 0; i < ND_COUNT(optional); i++)
		port_filter_free(more[i]);
}
END_TEST

START_TEST(the_listing_reads_well)
{
	ND_AUTO(port_filter_free) struct port_filter *f = clean_traffic("vnet0");
	ND_AUTO(free) char *text = NULL;
	struct port_filters *pf;

	own_namespace();
	pf = engine(false);
	apply_one(pf, f);
	text = shell("nft list table bridge netd", NULL);
	ck_assert_ptr_nonnull(strstr(text, "\tchain frames_from {\n"
		"\t\ttype filter hook prerouting priority -160; policy accept;\n"
		"\t\tiifname vmap @frames_from\n"));
	ck_assert_ptr_nonnull(strstr(text, "\telements = { \"vnet0\" : goto frames_from.vnet0 }\n"));
	ck_assert_ptr_nonnull(strstr(text, "ether type arp jump frames_from_arp-x.vnet0\n"));
	ck_assert_ptr_nonnull(strstr(text, "add @learned.vnet0 { ip saddr } accept comment "
				     "\"no-ip-spoofing 'first'\"\n"));
	ck_assert_ptr_nonnull(strstr(text, "\tset learned.vnet0 {\n\t\ttype ipv4_addr\n\t\tsize 1\n"
				     "\t\tflags dynamic\n"));
	port_filters_free(pf);
}
END_TEST

START_TEST(a_filter_is_told_as_text)
{
	ND_AUTO(port_filter_free) struct port_filter *f = clean_traffic("vnet0"), *t = tracked("vnet1"),
						      *o = every_other();
	ND_AUTO(free) char *text = port_filter_format(f), *more = port_filter_format(t),
		*rest = port_filter_format(o);

	ck_assert_str_eq(text,
		"frames_from: link+12:2 == 0806 -> jump frames_from_arp-x\n"
		"frames_from: link+12:2 == 0800, net+12:4 learn -> accept # no-ip-spoofing \"first\"\n"
		"frames_from: link+12:2 == 0800, net+12:4 is not learned -> drop\n"
		"frames_to: link+12:2 == 86dd, l4proto == 3a -> drop\n"
		"frames_from_arp-x: link+6:6 != 02000000000a -> drop\n"
		"frames_from_arp-x: link+12:2 == 0806, net+14:4 is learned -> return\n"
		"frames_from_arp-x: -> drop\n");
	ck_assert_ptr_nonnull(strstr(more, "packets_from: link+12:2 == 0800, l4proto == 11, "
				     "ct state & 0000000a != 00000000 -> accept\n"));
	ck_assert_ptr_nonnull(strstr(rest, "l4proto not in 10-20 -> accept\n"));
	ck_assert_ptr_nonnull(strstr(rest, "tcp option 30 -> return\n"));
}
END_TEST

/* ---- changes ---- */

/* The set as if the kernel had learned the address. */
static void learn(const char *port, const char *address)
{
	char command[128];

	snprintf(command, sizeof(command), "nft add element bridge netd learned.%s '{ %s }'", port, address);
	free(shell(command, NULL));
}

START_TEST(unchanged_ports_are_not_touched)
{
	ND_AUTO(port_filter_free) struct port_filter *a = clean_traffic("vnet0"), *b = clean_traffic("vnet1"),
						      *less = port_filter_new("vnet1");
	const struct port_filter *both[] = { a, b }, *changed[] = { a, less };
	ND_AUTO(free) char *before = NULL, *after = NULL, *gone = NULL, *other = NULL;
	const char *mine = "nft -a list table bridge netd | sed -n '/[.]vnet0 {/,/^\t}/p'";
	struct port_filters *pf;

	own_namespace();
	pf = engine(true);
	apply(pf, both, 2);
	learn("vnet0", "192.0.2.1");
	before = shell(mine, NULL);
	ck_assert_ptr_nonnull(strstr(before, "192.0.2.1"));
	rule(less, FILTER_PACKETS_TO, FILTER_DROP);
	apply(pf, changed, 2);
	after = shell(mine, NULL);
	ck_assert_str_eq(after, before);
	other = shell("nft list table bridge netd | grep vnet1", NULL);
	ck_assert_str_eq(other, "\t\telements = { \"vnet1\" : goto packets_to.vnet1 }\n"
				"\tchain packets_to.vnet1 {\n");
	apply(pf, &changed[1], 1);
	gone = shell("nft list table bridge netd | grep -c vnet0 || true", NULL);
	ck_assert_str_eq(gone, "0\n");
	port_filters_free(pf);
}
END_TEST

START_TEST(a_changed_port_remembers_what_it_learned)
{
	ND_AUTO(port_filter_free) struct port_filter *a = clean_traffic("vnet0"), *b = clean_traffic("vnet0");
	ND_AUTO(free) char *text = NULL;
	struct port_filters *pf;

	own_namespace();
	pf = engine(true);
	apply_one(pf, a);
	learn("vnet0", "192.0.2.1");
	rule(b, FILTER_FRAMES_FROM, FILTER_DROP);
	apply_one(pf, b);
	assert_settled(pf, b);
	text = shell("nft list set bridge netd learned.vnet0", NULL);
	ck_assert_ptr_nonnull(strstr(text, "elements = { 192.0.2.1 }"));
	port_filters_free(pf);
	assert_reads(b, true);
}
END_TEST

START_TEST(a_filter_without_rules_is_none)
{
	ND_AUTO(port_filter_free) struct port_filter *f = port_filter_new("vnet0"), *g = clean_traffic("vnet0");
	struct port_filters *pf;

	own_namespace();
	pf = engine(_i);
	apply_one(pf, f);
	assert_ruleset_empty();
	apply_one(pf, g);
	apply_one(pf, f);
	assert_ruleset_empty();
	port_filters_free(pf);
}
END_TEST

START_TEST(what_a_compiler_must_not_make_is_refused)
{
	ND_AUTO(port_filter_free) struct port_filter *a = clean_traffic("vnet0"), *b = clean_traffic("vnet0"),
						      *c = port_filter_new("vnet1");
	const struct port_filter *twice[] = { a, b };
	struct port_filters *pf;

	own_namespace();
	pf = engine(false);
	ck_assert_int_eq(port_filters_apply(pf, twice, 2, &err), -EINVAL);
	ck_assert_str_eq(err.text, "port 'vnet0' has two filters");
	rule(c, FILTER_FRAMES_TO, FILTER_JUMP)->jump = FILTER_STAGES;
	ck_assert_int_eq(port_filters_apply(pf, (const struct port_filter *const *)&c, 1, &err), -EINVAL);
	ck_assert_str_eq(err.text, "rule 1 of chain 'frames_to' of port 'vnet1' cannot be written");
	c->chains[FILTER_FRAMES_TO].rules[0].verdict = FILTER_DROP;
	test(&c->chains[FILTER_FRAMES_TO].rules[0], FILTER_NETWORK, 12, 4, FILTER_LEARN, NULL);
	ck_assert_int_eq(port_filters_apply(pf, (const struct port_filter *const *)&c, 1, &err), -EINVAL);
	c->learns = 1;
	apply_one(pf, c);
	port_filters_free(pf);
}
END_TEST

/* What a foreign program may do to an orphan, or to a table without the owner flag. */
static const struct {
	const char *edit;
	bool keeps_learned;
} edits[] = {
	{ "nft flush ruleset", false },
	{ "nft delete table bridge netd", false },
	{ "nft flush chain bridge netd frames_from", false },
	{ "nft insert rule bridge netd packets_to drop", false },
	{ "nft 'add chain bridge netd frames_to { policy drop; }'", false },
	{ "nft add chain bridge netd more", false },
	{ "nft add set bridge netd more '{ type ifname; }'", false },
	{ "nft add set bridge netd more.vnet0 '{ type ifname; }'", false },
	{ "nft 'flush chain bridge netd frames_to; delete map bridge netd frames_to; "
	  "add map bridge netd frames_to { type ifname : verdict; flags interval; }'", false },
	{ "nft add chain bridge netd more.vnet0", true },
	{ "nft add chain bridge netd more.vnet7 && nft add rule bridge netd frames_to.vnet0 jump more.vnet7",
	  true },
	{ "nft flush chain bridge netd frames_from.vnet0", true },
	{ "nft insert rule bridge netd frames_from_arp-x.vnet0 accept", true },
	{ "nft flush map bridge netd frames_from", true },
	{ "nft delete element bridge netd frames_to '{ \"vnet0\" }'", true },
	{ "nft add element bridge netd packets_to '{ \"vnet0\" : drop }'", true },
	{ "nft add element bridge netd packets_to '{ \"vnet9\" : goto frames_from.vnet0 }'", true },
	{ "nft add chain bridge netd frames_from.vnet9 && "
	  "nft add element bridge netd frames_from '{ \"vnet9\" : goto frames_from.vnet9 }'", true },
	{ "nft add set bridge netd learned.vnet9 '{ type ipv4_addr; }'", true },
	{ "nft 'flush chain bridge netd frames_from.vnet0; flush chain bridge netd frames_from_arp-x.vnet0; "
	  "delete set bridge netd learned.vnet0; add set bridge netd learned.vnet0 { type ipv4_addr; }'", false },
};

static void repair(unsigned edit, bool no_persist)
{
	ND_AUTO(port_filter_free) struct port_filter *f = clean_traffic("vnet0");
	ND_AUTO(free) char *before = NULL, *after = NULL, *learned = NULL;
	const char *list = "nft list ruleset | grep -v 'elements = { 192'";
	struct port_filters *pf;

	own_namespace();
	pf = engine(no_persist);
	apply_one(pf, f);
	before = shell(list, NULL);
	if (!no_persist)
		port_filters_free(pf);		/* an orphan */
	learn("vnet0", "192.0.2.1");
	free(shell(edits[edit].edit, NULL));
	if (!no_persist)
		pf = engine(false);
	apply_one(pf, f);
	after = shell(list, NULL);
	ck_assert_msg(strlen(after) == strlen(before), "%s\nwas:\n%s\nis:\n%s", edits[edit].edit, before, after);
	learned = shell("nft list set bridge netd learned.vnet0", NULL);
	ck_assert_int_eq(strstr(learned, "192.0.2.1") != NULL, edits[edit].keeps_learned);
	assert_settled(pf, f);
	port_filters_free(pf);
	assert_reads(f, no_persist);
}

START_TEST(an_edited_orphan_is_repaired)
{
	repair((unsigned)_i, false);
}
END_TEST

START_TEST(an_edited_plain_table_is_repaired)
{
	repair((unsigned)_i, true);
}
END_TEST

START_TEST(an_owned_table_is_refused_to_others)
{
	ND_AUTO(port_filter_free) struct port_filter *a = clean_traffic("vnet0"), *b = clean_traffic("vnet1");
	ND_AUTO(free) char *listing = NULL;
	struct port_filters *first, *second;
	int status;

	own_namespace();
	first = engine(false);
	second = engine(false);
	apply_one(first, a);
	ck_assert_int_eq(port_filters_apply(second, (const struct port_filter *const *)&b, 1, &err), -EPERM);
	ck_assert_str_eq(err.text, "nft table 'bridge netd' belongs to another process: another netd runs in "
				   "this network namespace");
	free(shell("nft delete table bridge netd 2>&1", &status));
	ck_assert_int_ne(status, 0);
	free(shell("nft flush ruleset", NULL));
	listing = shell("nft list table bridge netd", NULL);
	ck_assert_ptr_nonnull(strstr(listing, "frames_from.vnet0"));
	port_filters_free(first);
	apply_one(second, b);
	port_filters_free(second);
}
END_TEST

START_TEST(the_path_may_change_between_two_lives)
{
	ND_AUTO(port_filter_free) struct port_filter *f = clean_traffic("vnet0");
	struct port_filters *pf;

	own_namespace();
	pf = engine(_i);
	apply_one(pf, f);
	port_filters_free(pf);
	pf = engine(!_i);
	apply_one(pf, f);
	assert_settled(pf, f);
	apply(pf, NULL, 0);
	port_filters_free(pf);
	assert_ruleset_empty();
}
END_TEST

START_TEST(a_plain_table_survives_other_programs_commits)
{
	ND_AUTO(port_filter_free) struct port_filter *a = clean_traffic("vnet0"), *b = clean_traffic("vnet1");
	const struct port_filter *both[] = { a, b };
	struct port_filters *pf;

	own_namespace();
	pf = engine(true);
	apply_one(pf, a);
	free(shell("nft add table ip other", NULL));
	apply(pf, both, 2);
	free(shell("nft delete table ip other", NULL));
	apply(pf, both, 2);
	apply_one(pf, b);
	assert_settled(pf, b);
	port_filters_free(pf);
}
END_TEST

/* ---- how much it costs ---- */

static struct port_filter *numbered(unsigned i, unsigned rules)
{
	struct port_filter *f;
	char name[IFNAMSIZ];

	snprintf(name, sizeof(name), "vnet%u", i);
	f = clean_traffic(name);
	for (unsigned k = 0; k < rules; k++) {
		struct filter_rule *r = rule(f, FILTER_PACKETS_FROM, FILTER_ACCEPT);

		is_ethertype(r, "0800");
		test(r, FILTER_L4PROTO, 0, 1, FILTER_EQ, "06");
		test(r, FILTER_TRANSPORT, 2, 2, FILTER_EQ, "0000")->from[1] = (uint8_t)k;
	}
	return f;
}

/* What a whole apply costs, for one transaction of n new ports. */
static double cost_ms(struct port_filters *pf, const struct port_filter *const *all, size_t n)
{
	double start = cpu_ms();

	apply(pf, all, n);
	return cpu_ms() - start;
}

START_TEST(the_cost_grows_with_the_ports_and_no_faster)
{
	enum { PORTS = 500, RULES = 40, SOME = 100 };
	struct port_filter *all[PORTS], *changed = numbered(7, RULES + 1), *was;
	const struct port_filter *const *want = (const struct port_filter *const *)all;
	struct port_filters *pf, *fresh;
	double some, many, one, none, reading;
	uint32_t before;

	own_namespace();
	pf = engine(_i);
	for (unsigned i = 0; i < PORTS; i++)
		all[i] = numbered(i, RULES);
	some = cost_ms(pf, want, SOME);
	apply(pf, NULL, 0);
	many = cost_ms(pf, want, PORTS);
	before = genid();
	none = cost_ms(pf, want, PORTS);
	ck_assert_uint_eq(genid(), before);
	was = all[7];
	all[7] = changed;
	one = cost_ms(pf, want, PORTS);
	ck_assert_uint_eq(genid(), nft_genid_next(before));
	port_filters_free(pf);
	fresh = engine(_i);
	reading = cost_ms(fresh, want, PORTS);
	apply(fresh, NULL, 0);
	port_filters_free(fresh);
	printf("port filters%s: %d ports of %d rules: %.0f ms, %d: %.0f ms; nothing to do %.1f ms, one port "
	       "changed %.1f ms, read anew %.0f ms\n", _i ? " without persist" : "", SOME, RULES + 7, some, PORTS,
	       many, none, one, reading);
	/* five times as many ports; quadratic would be 25 times as much */
	ck_assert_msg(many < 12 * some, "%.1f ms, %.1f ms", some, many);
	ck_assert_msg(one < many / 4, "%.1f ms, %.1f ms", one, many);
	for (unsigned i = 0; i < PORTS; i++)
		port_filter_free(all[i]);
	port_filter_free(was);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("port_filters");
	TCase *t = tcase_create("engine");
	/* twice: with persistent owned tables, and as on a kernel without them */
	const int ways = kernel_persists() ? 2 : 1;

	tcase_set_timeout(t, 120);
	if (!kernel_persists())
		printf("skipped: this kernel has no owned tables that persist\n");
	tcase_add_loop_test(t, every_kind_of_test_is_read_as_it_was_written, 0, ways * ND_COUNT(kinds));
	tcase_add_loop_test(t, what_not_every_kernel_has_is_written_or_refused_in_a_sentence, 0,
			    ways * ND_COUNT(optional));
	tcase_add_loop_test(t, a_refused_filter_leaves_the_others_as_they_were, 0, ways);
	tcase_add_loop_test(t, nft_reads_its_own_listing_back, 0, ways);
	tcase_add_test(t, the_listing_reads_well);
	tcase_add_test(t, a_filter_is_told_as_text);
	tcase_add_test(t, unchanged_ports_are_not_touched);
	tcase_add_test(t, a_changed_port_remembers_what_it_learned);
	tcase_add_loop_test(t, a_filter_without_rules_is_none, 0, ways);
	tcase_add_test(t, what_a_compiler_must_not_make_is_refused);
	tcase_add_loop_test(t, an_edited_plain_table_is_repaired, 0, ND_COUNT(edits));
	if (kernel_persists()) {
		tcase_add_loop_test(t, an_edited_orphan_is_repaired, 0, ND_COUNT(edits));
		tcase_add_test(t, an_owned_table_is_refused_to_others);
	}
	tcase_add_loop_test(t, the_path_may_change_between_two_lives, 0, 2);
	tcase_add_test(t, a_plain_table_survives_other_programs_commits);
	tcase_add_loop_test(t, the_cost_grows_with_the_ports_and_no_faster, 0, ways);
	suite_add_tcase(s, t);
	return suite_run(s);
}
