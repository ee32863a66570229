/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The filters of bridge ports against the real kernel, in network namespaces of their own. What this kernel's
 * bridge family does not have is said and skipped; the lab's kernel has all of it. */
#include <arpa/inet.h>
#include <check.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "datapath/nft_wire.h"
#include "datapath/port_filter.h"
#include "tests/netns/nft_fixture.h"
#include "tests/suite.h"

static struct nd_error err;

static struct port_filters *engine(bool no_persist)
{
	struct port_filters *pf = NULL;

	ck_assert_msg(port_filters_new(no_persist, &pf, &err) == 0, "%s", err.text);
	return pf;
}

static void apply(struct port_filters *pf, const struct port_filter *const *want, size_t n)
{
	ck_assert_msg(port_filters_apply(pf, want, n, &err) == 0, "%s", err.text);
}

static void apply_one(struct port_filters *pf, const struct port_filter *f)
{
	apply(pf, &f, 1);
}

static uint32_t genid(void)
{
	struct nft_wire w;
	uint32_t id = 0;

	ck_assert_int_eq(nft_wire_open(&w, &err), 0);
	ck_assert_int_eq(nft_wire_genid(&w, &id), 0);
	nft_wire_close(&w);
	return id;
}

/* ---- filters in few words ---- */

static void hex(uint8_t *to, const char *text)
{
	unsigned byte;

	for (; text && *text; text += 2) {
		ck_assert_int_eq(sscanf(text, "%2x", &byte), 1);
		*to++ = (uint8_t)byte;
	}
}

static struct filter_rule *rule(struct port_filter *f, size_t chain, enum filter_verdict verdict)
{
	struct filter_rule *r = filter_chain_add_rule(&f->chains[chain]);

	r->verdict = verdict;
	return r;
}

static struct filter_test *test(struct filter_rule *r, enum filter_subject subject, uint16_t offset,
				uint16_t len, enum filter_op op, const char *from)
{
	struct filter_test *t = filter_rule_add_test(r);

	*t = (struct filter_test){ .subject = subject, .offset = offset, .len = len, .op = op };
	hex(t->from, from);
	return t;
}

static void is_ethertype(struct filter_rule *r, const char *type)
{
	test(r, FILTER_LINK, 12, 2, FILTER_EQ, type);
}

static void ct_state(struct filter_rule *r, uint32_t bits)
{
	struct filter_test *t = test(r, FILTER_CT_STATE, 0, 4, FILTER_NEQ, NULL);

	t->has_mask = true;
	memcpy(t->mask, &bits, sizeof(bits));
}

static void comment(struct filter_rule *r, const char *text)
{
	r->comment = strdup(text);
}

/* As a compiler would make it of clean-traffic: ARP and IPv4 of one MAC and the first address only. */
static struct port_filter *clean_traffic(const char *ifname)
{
	struct port_filter *f = port_filter_new(ifname);
	size_t arp = f->n_chains;
	struct filter_rule *r;

	port_filter_add_chain(f, "frames_from_arp-x");
	f->learns = true;
	r = rule(f, FILTER_FRAMES_FROM, FILTER_JUMP);
	is_ethertype(r, "0806");
	r->jump = arp;
	r = rule(f, FILTER_FRAMES_FROM, FILTER_ACCEPT);
	is_ethertype(r, "0800");
	test(r, FILTER_NETWORK, 12, 4, FILTER_LEARN, NULL);
	comment(r, "no-ip-spoofing \"first\"");
	r = rule(f, FILTER_FRAMES_FROM, FILTER_DROP);
	is_ethertype(r, "0800");
	test(r, FILTER_NETWORK, 12, 4, FILTER_NOT_LEARNED, NULL);
	r = rule(f, arp, FILTER_DROP);
	test(r, FILTER_LINK, 6, 6, FILTER_NEQ, "02000000000a");
	r = rule(f, arp, FILTER_RETURN);
	is_ethertype(r, "0806");	/* or nft(8) cannot tell that it is an address, and not read its listing */
	test(r, FILTER_NETWORK, 14, 4, FILTER_LEARNED, NULL);
	rule(f, arp, FILTER_DROP);
	r = rule(f, FILTER_FRAMES_TO, FILTER_DROP);
	is_ethertype(r, "86dd");
	test(r, FILTER_L4PROTO, 0, 1, FILTER_EQ, "3a");
	return f;
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

	f->learns = true;
	for (unsigned subject = FILTER_LINK; subject <= FILTER_TRANSPORT; subject++)
		for (unsigned op = FILTER_LEARNED; op <= FILTER_LEARN; op++)
			test(rule(f, FILTER_FRAMES_FROM, FILTER_CONTINUE), subject, 12, 4, op, NULL);
	return f;
}

static struct port_filter *tracked(const char *ifname)
{
	struct port_filter *f = port_filter_new(ifname);
	struct filter_rule *r;
	uint32_t state = NF_CT_STATE_INVALID_BIT;

	r = rule(f, FILTER_PACKETS_FROM, FILTER_ACCEPT);
	is_ethertype(r, "0800");
	test(r, FILTER_L4PROTO, 0, 1, FILTER_EQ, "11");
	ct_state(r, NF_CT_STATE_BIT(IP_CT_NEW) | NF_CT_STATE_BIT(IP_CT_ESTABLISHED));
	r = rule(f, FILTER_PACKETS_FROM, FILTER_DROP);
	is_ethertype(r, "0800");
	r = rule(f, FILTER_PACKETS_TO, FILTER_ACCEPT);
	is_ethertype(r, "0800");
	ct_state(r, NF_CT_STATE_BIT(IP_CT_ESTABLISHED));
	test(r, FILTER_CT_DIRECTION, 0, 1, FILTER_EQ, "01");
	r = rule(f, FILTER_PACKETS_TO, FILTER_DROP);
	is_ethertype(r, "0800");
	r = rule(f, FILTER_PACKETS_TO, FILTER_ACCEPT);
	test(r, FILTER_CT_DIRECTION, 0, 1, FILTER_NEQ, "00");
	memcpy(test(r, FILTER_CT_STATE, 0, 4, FILTER_EQ, NULL)->from, &state, sizeof(state));
	return f;
}

static struct port_filter *limited(const char *ifname)
{
	struct port_filter *f = port_filter_new(ifname);
	struct filter_rule *r = rule(f, FILTER_PACKETS_FROM, FILTER_DROP);

	is_ethertype(r, "0800");
	test(r, FILTER_CT_OVER, 0, 0, FILTER_EQ, NULL)->count = 1;
	return f;
}

static struct port_filter *rejecting(const char *ifname)
{
	struct port_filter *f = port_filter_new(ifname);

	is_ethertype(rule(f, FILTER_PACKETS_FROM, FILTER_REJECT), "0800");
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

/* True when the kernel can do it; else it says why not in a plain sentence, and has changed nothing. */
static bool kernel_has(const struct port_filter *f, const char *what)
{
	struct port_filters *pf = engine(false);
	int r = port_filters_apply(pf, &f, 1, &err);

	if (r == 0)
		apply(pf, NULL, 0);
	port_filters_free(pf);
	assert_ruleset_empty();
	if (r == 0)
		return true;
	ck_assert_int_eq(err.kind, ND_ERR_CONFIG_UNSUPPORTED);
	ck_assert_msg(strstr(err.text, "this kernel has no ") == err.text && strstr(err.text, what), "%s",
		      err.text);
	printf("skipped: %s\n", err.text);
	return false;
}

static const struct {
	struct port_filter *(*make)(const char *ifname);
	const char *what;
} optional[] = {
	{ tracked, "connection tracking of bridged packets" },
	{ limited, "connection tracking of bridged packets" },
	{ rejecting, "reject for bridged packets" },
};

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
	ck_assert_ptr_nonnull(strstr(more, "ct direction == 01 -> accept\n"));
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
	c->learns = true;
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

/* ---- packets ---- */

enum { END_A, END_B, ENDS, MARK = 0x88b5 };

static int ends[ENDS];

static int packet_socket(const char *ifname)
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL),
				  .sll_ifindex = (int)if_nametoindex(ifname) };
	struct timeval timeout = { .tv_sec = 10 };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL)), on = 1;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(bind(fd, (void *)&at, sizeof(at)), 0);
	setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	return fd;
}

/* Bridge br0 with the ports vnet0 and vnet1, whose other ends are a and b. */
static void two_ports(void)
{
	own_namespace();
	free(shell("sysctl -q net.ipv6.conf.default.disable_ipv6=1; ip link add br0 type bridge; "
		   "ip link add vnet0 type veth peer name a; ip link add vnet1 type veth peer name b; "
		   "for i in vnet0 vnet1; do ip link set $i master br0 up; done; "
		   "ip link set dev a up; ip link set dev b up; ip link set br0 up; sleep 0.2", NULL));
	ends[END_A] = packet_socket("a");
	ends[END_B] = packet_socket("b");
}

static void close_ends(void)
{
	close(ends[END_A]);
	close(ends[END_B]);
}

static size_t ethernet(uint8_t *frame, int from, uint16_t type)
{
	uint8_t header[14] = { 2, 0, 0, 0, 0, from == END_A ? 0x0b : 0x0a, 2, 0, 0, 0, 0,
			       from == END_A ? 0x0a : 0x0b, (uint8_t)(type >> 8), (uint8_t)type };

	memset(frame, 0, 64);
	memcpy(frame, header, sizeof(header));
	return sizeof(header);
}

static void transmit(int from, const uint8_t *frame, size_t len)
{
	ck_assert_int_eq(send(ends[from], frame, len, 0), (ssize_t)len);
}

static void send_mark(int from)
{
	uint8_t frame[64];

	ethernet(frame, from, MARK);
	transmit(from, frame, sizeof(frame));
}

static void send_arp(int from, const char *sender)
{
	static const uint8_t request[8] = { 0, 1, 8, 0, 6, 4, 0, 1 };
	uint8_t frame[64];
	size_t at = ethernet(frame, from, ETH_P_ARP);

	memcpy(frame + at, request, sizeof(request));
	memcpy(frame + at + 8, frame + 6, 6);
	inet_pton(AF_INET, sender, frame + at + 14);
	transmit(from, frame, sizeof(frame));
}

static void send_udp(int from, const char *saddr, uint16_t sport, const char *daddr, uint16_t dport)
{
	static const uint8_t ip[12] = { 0x45, 0, 0, 28, 0, 1, 0, 0, 64, IPPROTO_UDP };
	uint8_t frame[64];
	uint32_t sum = 0;
	size_t at = ethernet(frame, from, ETH_P_IP);
	const uint8_t udp[8] = { (uint8_t)(sport >> 8), (uint8_t)sport, (uint8_t)(dport >> 8), (uint8_t)dport,
				 0, 8 };

	memcpy(frame + at, ip, sizeof(ip));
	inet_pton(AF_INET, saddr, frame + at + 12);
	inet_pton(AF_INET, daddr, frame + at + 16);
	for (unsigned i = 0; i < 20; i += 2)
		sum += (uint32_t)(frame[at + i] << 8 | frame[at + i + 1]);
	sum = ~((sum & 0xffff) + (sum >> 16));
	frame[at + 10] = (uint8_t)(sum >> 8);
	frame[at + 11] = (uint8_t)sum;
	memcpy(frame + at + 20, udp, sizeof(udp));
	transmit(from, frame, sizeof(frame));
}

/* What has come to an end, up to the mark that is sent last: "arp 10.0.0.1, udp 10.0.0.1:5". */
static const char *come_to(int end)
{
	static char text[256];
	uint8_t frame[2048];
	char address[INET_ADDRSTRLEN], *p = text;

	send_mark(end == END_A ? END_B : END_A);
	*p = '\0';
	for (;;) {
		ssize_t n = recv(ends[end], frame, sizeof(frame), 0);
		unsigned type = (unsigned)(frame[12] << 8 | frame[13]);

		ck_assert_msg(n >= 14, "the mark did not come: %s", text);
		if (type == MARK)
			return text;
		if (type == ETH_P_ARP)
			p += sprintf(p, "%sarp %s", p == text ? "" : ", ",
				     inet_ntop(AF_INET, frame + 28, address, sizeof(address)));
		else if (type == ETH_P_IP && frame[23] != IPPROTO_IGMP)		/* the bridge's own */
			p += sprintf(p, "%s%s %s:%d", p == text ? "" : ", ",
				     frame[23] == IPPROTO_UDP ? "udp" : "icmp",
				     inet_ntop(AF_INET, frame + 26, address, sizeof(address)),
				     frame[34] << 8 | frame[35]);
	}
}

START_TEST(frames_pass_as_the_port_s_rules_say)
{
	ND_AUTO(port_filter_free) struct port_filter *f = port_filter_new("vnet0");
	struct port_filters *pf;

	two_ports();
	pf = engine(_i);
	port_filter_add_chain(f, "frames_from_ip");
	is_ethertype(rule(f, FILTER_FRAMES_FROM, FILTER_DROP), "0806");
	is_ethertype(rule(f, FILTER_FRAMES_FROM, FILTER_JUMP), "0800");
	f->chains[FILTER_FRAMES_FROM].rules[1].jump = FILTER_STAGES;
	test(rule(f, FILTER_STAGES, FILTER_DROP), FILTER_NETWORK, 12, 4, FILTER_EQ, "0a000001");
	test(rule(f, FILTER_FRAMES_TO, FILTER_DROP), FILTER_NETWORK, 12, 4, FILTER_EQ, "0a000009");

	send_arp(END_A, "10.0.0.1");
	send_udp(END_A, "10.0.0.1", 1, "10.0.0.9", 2);
	ck_assert_str_eq(come_to(END_B), "arp 10.0.0.1, udp 10.0.0.1:1");
	apply_one(pf, f);
	send_arp(END_A, "10.0.0.1");
	send_udp(END_A, "10.0.0.1", 1, "10.0.0.9", 2);
	send_udp(END_A, "10.0.0.2", 3, "10.0.0.9", 2);
	ck_assert_str_eq(come_to(END_B), "udp 10.0.0.2:3");
	/* the rules are of the one port and the one direction */
	send_arp(END_B, "10.0.0.1");
	send_udp(END_B, "10.0.0.1", 1, "10.0.0.9", 2);
	send_udp(END_B, "10.0.0.9", 1, "10.0.0.9", 2);
	ck_assert_str_eq(come_to(END_A), "arp 10.0.0.1, udp 10.0.0.1:1");
	/* accepted by frames_from, dropped by the next stage */
	f->chains[FILTER_FRAMES_FROM].rules[0].verdict = FILTER_ACCEPT;
	is_ethertype(rule(f, FILTER_PACKETS_FROM, FILTER_DROP), "0806");
	apply_one(pf, f);
	send_arp(END_A, "10.0.0.1");
	send_udp(END_A, "10.0.0.2", 3, "10.0.0.9", 2);
	ck_assert_str_eq(come_to(END_B), "udp 10.0.0.2:3");
	apply(pf, NULL, 0);
	send_arp(END_A, "10.0.0.1");
	ck_assert_str_eq(come_to(END_B), "arp 10.0.0.1");
	port_filters_free(pf);
	close_ends();
}
END_TEST

START_TEST(the_first_source_becomes_the_only_one)
{
	ND_AUTO(port_filter_free) struct port_filter *f = clean_traffic("vnet0");
	struct port_filters *pf;

	two_ports();
	pf = engine(false);
	apply_one(pf, f);
	send_arp(END_A, "10.0.0.7");		/* nothing is learned yet, and ARP does not teach here */
	send_udp(END_A, "10.0.0.7", 1, "10.0.0.9", 2);
	send_udp(END_A, "10.0.0.8", 2, "10.0.0.9", 2);
	send_arp(END_A, "10.0.0.8");
	send_arp(END_A, "10.0.0.7");
	send_udp(END_A, "10.0.0.7", 3, "10.0.0.9", 2);
	ck_assert_str_eq(come_to(END_B), "udp 10.0.0.7:1, arp 10.0.0.7, udp 10.0.0.7:3");
	port_filters_free(pf);
	close_ends();
}
END_TEST

START_TEST(answers_come_back_and_nothing_else)
{
	ND_AUTO(port_filter_free) struct port_filter *f = tracked("vnet0");
	struct port_filters *pf;

	two_ports();
	if (kernel_has(f, optional[0].what)) {
		pf = engine(false);
		apply_one(pf, f);
		send_udp(END_B, "10.0.0.2", 53, "10.0.0.1", 1000);
		ck_assert_str_eq(come_to(END_A), "");
		send_udp(END_A, "10.0.0.1", 1001, "10.0.0.2", 53);
		ck_assert_str_eq(come_to(END_B), "udp 10.0.0.1:1001");
		send_udp(END_B, "10.0.0.2", 54, "10.0.0.1", 1001);
		send_udp(END_B, "10.0.0.2", 53, "10.0.0.1", 1001);
		ck_assert_str_eq(come_to(END_A), "udp 10.0.0.2:53");
		port_filters_free(pf);
	}
	close_ends();
}
END_TEST

START_TEST(more_connections_than_allowed_are_dropped)
{
	ND_AUTO(port_filter_free) struct port_filter *f = limited("vnet0");
	struct port_filters *pf;

	two_ports();
	if (kernel_has(f, optional[1].what)) {
		pf = engine(false);
		apply_one(pf, f);
		send_udp(END_A, "10.0.0.1", 1, "10.0.0.2", 53);
		send_udp(END_A, "10.0.0.1", 2, "10.0.0.2", 53);
		usleep(200 * 1000);	/* for a moment the kernel counts what was dropped, too */
		send_udp(END_A, "10.0.0.1", 1, "10.0.0.2", 53);
		ck_assert_str_eq(come_to(END_B), "udp 10.0.0.1:1, udp 10.0.0.1:1");
		port_filters_free(pf);
	}
	close_ends();
}
END_TEST

START_TEST(a_rejected_packet_is_answered)
{
	ND_AUTO(port_filter_free) struct port_filter *f = rejecting("vnet0");
	struct port_filters *pf;

	two_ports();
	if (kernel_has(f, optional[2].what)) {
		pf = engine(false);
		apply_one(pf, f);
		send_udp(END_A, "10.0.0.1", 1, "10.0.0.2", 53);
		ck_assert_str_eq(come_to(END_B), "");
		ck_assert_str_eq(come_to(END_A), "icmp 10.0.0.2:771");		/* port unreachable */
		port_filters_free(pf);
	}
	close_ends();
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
	TCase *t = tcase_create("engine"), *p = tcase_create("packets");
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
	tcase_set_timeout(p, 120);
	tcase_add_loop_test(p, frames_pass_as_the_port_s_rules_say, 0, ways);
	tcase_add_test(p, the_first_source_becomes_the_only_one);
	tcase_add_test(p, answers_come_back_and_nothing_else);
	tcase_add_test(p, more_connections_than_allowed_are_dropped);
	tcase_add_test(p, a_rejected_packet_is_answered);
	suite_add_tcase(s, p);
	return suite_run(s);
}
