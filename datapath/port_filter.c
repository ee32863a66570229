/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "datapath/port_filter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "netd/base/array.h"
#include "netd/base/str.h"

const char *filter_stage_name(enum filter_stage stage)
{
	static const char *const names[FILTER_STAGES] = {
		[FILTER_FRAMES_FROM] = "frames_from",
		[FILTER_PACKETS_FROM] = "packets_from",
		[FILTER_FRAMES_TO] = "frames_to",
		[FILTER_PACKETS_TO] = "packets_to",
	};

	return names[stage];
}

struct port_filter *port_filter_new(const char *ifname)
{
	ND_AUTO(port_filter_free) struct port_filter *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	snprintf(f->ifname, sizeof(f->ifname), "%s", ifname);
	for (unsigned i = 0; i < FILTER_STAGES; i++)
		if (!port_filter_add_chain(f, filter_stage_name(i)))
			return NULL;
	return nd_take_ptr(&f);
}

static void chain_fini(struct filter_chain *c)
{
	for (size_t i = 0; i < c->n_rules; i++) {
		free(c->rules[i].tests);
		free(c->rules[i].comment);
	}
	free(c->rules);
}

void port_filter_free(struct port_filter *f)
{
	if (!f)
		return;
	for (size_t i = 0; i < f->n_chains; i++)
		chain_fini(&f->chains[i]);
	free(f->chains);
	free(f);
}

struct filter_chain *port_filter_add_chain(struct port_filter *f, const char *name)
{
	struct filter_chain *c = nd_array_add(f->chains, f->n_chains);

	if (c)
		snprintf(c->name, sizeof(c->name), "%s", name);
	return c;
}

struct filter_rule *filter_chain_add_rule(struct filter_chain *c)
{
	return nd_array_add(c->rules, c->n_rules);
}

struct filter_test *filter_rule_add_test(struct filter_rule *r)
{
	return nd_array_add(r->tests, r->n_tests);
}

/* ---- copies ---- */

static bool copy_rule(struct filter_chain *to, const struct filter_rule *from)
{
	struct filter_rule *r = filter_chain_add_rule(to);

	if (!r)
		return false;
	r->verdict = from->verdict;
	r->jump = from->jump;
	for (size_t i = 0; i < from->n_tests; i++) {
		struct filter_test *t = filter_rule_add_test(r);

		if (!t)
			return false;
		*t = from->tests[i];
	}
	r->comment = from->comment ? strdup(from->comment) : NULL;
	return r->comment || !from->comment;
}

struct port_filter *port_filter_copy(const struct port_filter *f)
{
	ND_AUTO(port_filter_free) struct port_filter *copy = calloc(1, sizeof(*copy));

	if (!copy)
		return NULL;
	memcpy(copy->ifname, f->ifname, sizeof(copy->ifname));
	copy->learns = f->learns;
	for (size_t i = 0; i < f->n_chains; i++) {
		struct filter_chain *c = port_filter_add_chain(copy, f->chains[i].name);

		for (size_t k = 0; c && k < f->chains[i].n_rules; k++)
			if (!copy_rule(c, &f->chains[i].rules[k]))
				return NULL;
		if (!c)
			return NULL;
	}
	return nd_take_ptr(&copy);
}

static bool equal_tests(const struct filter_test *a, const struct filter_test *b)
{
	return a->subject == b->subject && a->offset == b->offset && a->len == b->len && a->op == b->op &&
	       a->has_mask == b->has_mask && a->count == b->count &&
	       (!a->has_mask || memcmp(a->mask, b->mask, sizeof(a->mask)) == 0) &&
	       memcmp(a->from, b->from, sizeof(a->from)) == 0 && memcmp(a->to, b->to, sizeof(a->to)) == 0;
}

static bool equal_rules(const struct filter_rule *a, const struct filter_rule *b)
{
	if (a->n_tests != b->n_tests || a->verdict != b->verdict ||
	    (a->verdict == FILTER_JUMP && a->jump != b->jump) || !nd_streq0(a->comment, b->comment))
		return false;
	for (size_t i = 0; i < a->n_tests; i++)
		if (!equal_tests(&a->tests[i], &b->tests[i]))
			return false;
	return true;
}

static bool equal_chains(const struct filter_chain *a, const struct filter_chain *b)
{
	if (a->n_rules != b->n_rules || !nd_streq(a->name, b->name))
		return false;
	for (size_t i = 0; i < a->n_rules; i++)
		if (!equal_rules(&a->rules[i], &b->rules[i]))
			return false;
	return true;
}

bool port_filter_equal(const struct port_filter *a, const struct port_filter *b)
{
	if (a->n_chains != b->n_chains || a->learns != b->learns || !nd_streq(a->ifname, b->ifname))
		return false;
	for (size_t i = 0; i < a->n_chains; i++)
		if (!equal_chains(&a->chains[i], &b->chains[i]))
			return false;
	return true;
}

bool port_filter_is_empty(const struct port_filter *f)
{
	for (size_t i = 0; i < FILTER_STAGES && i < f->n_chains; i++)
		if (f->chains[i].n_rules)
			return false;
	return true;
}

/* ---- as text ---- */

static void format_bytes(struct nd_str *s, const char *before, const struct filter_test *t,
			 const uint8_t *bytes)
{
	uint32_t word;

	nd_str_add(s, before);
	if (t->subject == FILTER_CT_STATE) {
		memcpy(&word, bytes, sizeof(word));
		nd_str_addf(s, "%08x", word);
		return;
	}
	for (unsigned i = 0; i < (t->subject <= FILTER_TRANSPORT ? t->len : 1U) && i < sizeof(t->from); i++)
		nd_str_addf(s, "%02x", bytes[i]);
}

static void format_test(struct nd_str *s, const struct filter_test *t)
{
	static const char *const payloads[] = { "link", "net", "transport" };
	static const char *const others[] = { [FILTER_L4PROTO] = "l4proto", [FILTER_CT_STATE] = "ct state" };
	static const char *const ops[] = { [FILTER_EQ] = " == ", [FILTER_NEQ] = " != ",
					   [FILTER_RANGE] = " in ", [FILTER_NOT_RANGE] = " not in ",
					   [FILTER_LEARNED] = " is learned",
					   [FILTER_NOT_LEARNED] = " is not learned",
					   [FILTER_LEARN] = " learn" };

	if (t->subject == FILTER_CT_OVER || t->subject == FILTER_TCP_OPTION) {
		nd_str_addf(s, "%s %u", t->subject == FILTER_CT_OVER ? "ct over" : "tcp option", t->count);
		return;
	}
	if (t->subject <= FILTER_TRANSPORT)
		nd_str_addf(s, "%s+%u:%u", payloads[t->subject], t->offset, t->len);
	else
		nd_str_add(s, others[t->subject]);
	if (t->has_mask)
		format_bytes(s, " & ", t, t->mask);
	if (t->op > FILTER_NOT_RANGE)
		nd_str_add(s, ops[t->op]);
	else
		format_bytes(s, ops[t->op], t, t->from);
	if (t->op == FILTER_RANGE || t->op == FILTER_NOT_RANGE)
		format_bytes(s, "-", t, t->to);
}

static void format_rule(struct nd_str *s, const struct port_filter *f, const struct filter_rule *r)
{
	static const char *const verdicts[] = { [FILTER_ACCEPT] = "accept", [FILTER_DROP] = "drop",
						[FILTER_REJECT] = "reject", [FILTER_RETURN] = "return",
						[FILTER_CONTINUE] = "continue", [FILTER_JUMP] = "jump " };

	for (size_t i = 0; i < r->n_tests; i++) {
		nd_str_add(s, i ? ", " : " ");
		format_test(s, &r->tests[i]);
	}
	nd_str_addf(s, " -> %s", verdicts[r->verdict]);
	if (r->verdict == FILTER_JUMP)
		nd_str_add(s, r->jump < f->n_chains ? f->chains[r->jump].name : "?");
	if (r->comment)
		nd_str_addf(s, " # %s", r->comment);
	nd_str_add(s, "\n");
}

char *port_filter_format(const struct port_filter *f)
{
	struct nd_str s = { 0 };

	for (size_t i = 0; i < f->n_chains; i++)
		for (size_t k = 0; k < f->chains[i].n_rules; k++) {
			nd_str_addf(&s, "%s:", f->chains[i].name);
			format_rule(&s, f, &f->chains[i].rules[k]);
		}
	return nd_str_take(&s);
}
