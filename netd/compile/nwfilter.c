/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nwfilter.c -- the filters that a NIC names, and those that they include, become its port's chains
 *
 *	filters -> (rule, its parameters), by priority -> for each stage: chains -> for each set of
 *	values of the rule's variables: one rule of the port
 */
#include "netd/compile/nwfilter.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "netd/base/array.h"
#include "netd/base/str.h"

/* Bounds: what a person writes stays far below. */
enum { DEPTH_MAX = 32, INCLUDED_MAX = 4096, RULES_MAX = 4096, ITERATORS_MAX = 8 };

/* The parameters that hold in a filter: those of who names it come before its own. */
struct params {
	const struct nwfilter_param **items;
	size_t n;
};

/* A rule in the place where it is included. */
struct placed {
	const struct nwfilter_def *def;
	const struct nwfilter_rule *rule;
	const struct params *params;
	size_t seq;			/* the order in which they were met */
};

/* How $IP comes to its value where no parameter gives it one. */
enum learning { LEARN_ANY, LEARN_DHCP, LEARN_NEVER };

/* Addresses of a port that are learned: the first one it names, or all that DHCP ever gave it. */
enum { LEARN_FIRST = 1, LEARN_LEASES = 16 };

struct compiler {
	const struct nic_filter *nic;
	nwfilter_find_fn find;
	void *find_arg;
	struct params **params;
	size_t n_params;
	struct placed *placed;
	size_t n_placed;
	enum learning learning;
	char mac[ND_MAC_STRLEN];
	struct port_filter *port;
	size_t n_rules;
	struct nd_error *err;
};

static void compiler_fini(struct compiler *c)
{
	for (size_t i = 0; i < c->n_params; i++) {
		free(c->params[i]->items);
		free(c->params[i]);
	}
	free(c->params);
	free(c->placed);
	port_filter_free(c->port);
}

/* ---- what is included ---- */

static bool has_param(const struct params *params, const char *name)
{
	for (size_t i = 0; i < params->n; i++)
		if (nd_streq(params->items[i]->name, name))
			return true;
	return false;
}

static const struct params *params_add(struct compiler *c, const struct params *outer,
				       const struct nwfilter_ref *ref)
{
	struct params **slot = nd_array_add(c->params, c->n_params), *p;

	if (!slot)
		return NULL;
	*slot = p = calloc(1, sizeof(*p));
	if (!p) {
		c->n_params--;
		return NULL;
	}
	p->items = calloc(outer->n + ref->n_params + 1, sizeof(*p->items));
	if (!p->items)
		return NULL;
	for (size_t i = 0; i < outer->n; i++)
		p->items[p->n++] = outer->items[i];
	for (size_t i = 0; i < ref->n_params; i++)
		if (!has_param(outer, ref->params[i].name))
			p->items[p->n++] = &ref->params[i];
	return p;
}

static int place_rule(struct compiler *c, const struct nwfilter_def *def, const struct nwfilter_rule *rule,
		      const struct params *params)
{
	struct placed *p;

	if (c->n_placed >= RULES_MAX)
		return nd_error_set(c->err, ND_ERR_CONFIG_UNSUPPORTED, "it comes to more than %d rules", RULES_MAX);
	p = nd_array_add(c->placed, c->n_placed);
	if (!p)
		return nd_error_nomem(c->err);
	*p = (struct placed){ def, rule, params, c->n_placed };
	return 0;
}

static int include(struct compiler *c, const struct nwfilter_ref *ref, const struct params *outer, unsigned depth)
{
	const struct nwfilter_def *def = c->find(c->find_arg, ref->filter);
	const struct params *params;
	int r = 0;

	if (!def)
		return nd_error_set(c->err, ND_ERR_NO_NWFILTER, "no network filter with matching name '%.200s'",
				    ref->filter);
	if (depth >= DEPTH_MAX)
		return nd_error_set(c->err, ND_ERR_CONFIG_UNSUPPORTED,
				    "filters include one another more than %d deep", DEPTH_MAX);
	/* Each that includes the next one twice doubles them. */
	if (c->n_params >= INCLUDED_MAX)
		return nd_error_set(c->err, ND_ERR_CONFIG_UNSUPPORTED, "it comes to more than %d filters", INCLUDED_MAX);
	params = params_add(c, outer, ref);
	if (!params)
		return nd_error_nomem(c->err);
	for (size_t i = 0; i < def->n_entries && r == 0; i++)
		r = def->entries[i].is_ref ? include(c, &def->entries[i].ref, params, depth + 1)
					   : place_rule(c, def, &def->entries[i].rule, params);
	return r;
}

static int rule_priority(const struct nwfilter_rule *rule)
{
	return rule->has_priority ? rule->priority : NWFILTER_RULE_PRIORITY;
}

static int by_priority(const void *a, const void *b)
{
	const struct placed *x = a, *y = b;
	int px = rule_priority(x->rule), py = rule_priority(y->rule);

	if (px != py)
		return px < py ? -1 : 1;
	return x->seq < y->seq ? -1 : x->seq > y->seq;
}

/* ---- variables ---- */

/* How many values there are, and the one that is asked for. */
struct values {
	size_t n;
	const char *text;
	bool learned;
};

/* What netd knows itself, unless a parameter says otherwise. */
static struct values own_values(const struct compiler *c, const char *name)
{
	if (nd_streq(name, "MAC"))
		return (struct values){ 1, c->mac, false };
	if (nd_streq(name, "IP") && c->learning != LEARN_NEVER)
		return (struct values){ .n = 1, .learned = true };
	return (struct values){ 0 };
}

static struct values values_of(const struct compiler *c, const struct params *params, const char *name, size_t at)
{
	struct values v = { 0 };

	for (size_t i = 0; i < params->n; i++) {
		if (!nd_streq(params->items[i]->name, name))
			continue;
		if (v.n == at)
			v.text = params->items[i]->value;
		v.n++;
	}
	return v.n ? v : own_values(c, name);
}

/* Walks the values of a rule's variables: those of one iterator go together, and every one of the
 * iterators' combinations is a rule. */
struct walk {
	const struct compiler *c;
	const struct placed *placed;
	struct { unsigned id; size_t n, at; const char *text; } iterators[ITERATORS_MAX];
	size_t n_iterators;
};

static int no_value(const struct walk *w, const struct nwfilter_variable *var, size_t n)
{
	if (n)
		return nd_error_set(w->c->err, ND_ERR_CONFIG_UNSUPPORTED, "the variable '%s' has %zu values, no [%u]",
				    var->name, n, var->n);
	return nd_error_set(w->c->err, ND_ERR_CONFIG_UNSUPPORTED,
			    "the variable '%s' has no value: give it a <parameter>", var->name);
}

/* text: lives as long as the walk. */
static int walk_iterator(struct walk *w, const struct nwfilter_variable *var, size_t n_values, const char *text)
{
	size_t i = 0;

	while (i < w->n_iterators && w->iterators[i].id != var->n)
		i++;
	if (i == ITERATORS_MAX)
		return nd_error_set(w->c->err, ND_ERR_CONFIG_UNSUPPORTED, "it has more than %d iterators",
				    ITERATORS_MAX);
	if (i < w->n_iterators && w->iterators[i].n != n_values)
		return nd_error_set(w->c->err, ND_ERR_CONFIG_UNSUPPORTED,
				    "%s and %s are walked together and have %zu and %zu values",
				    w->iterators[i].text, text, w->iterators[i].n, n_values);
	if (i == w->n_iterators) {
		w->iterators[i].id = var->n;
		w->iterators[i].n = n_values;
		w->iterators[i].text = text;
		w->n_iterators++;
	}
	return 0;
}

static int walk_add(struct walk *w, const char *text)
{
	struct nwfilter_variable var;
	struct values v;

	if (!nwfilter_variable_parse(text, &var))
		return 0;
	v = values_of(w->c, w->placed->params, var.name, var.how == NWFILTER_INDEX ? var.n : 0);
	if (v.n == 0 || (var.how == NWFILTER_INDEX && v.n <= var.n))
		return no_value(w, &var, v.n);
	return var.how == NWFILTER_INDEX ? 0 : walk_iterator(w, &var, v.n, text);
}

static int walk_begin(struct walk *w)
{
	const struct nwfilter_rule *rule = w->placed->rule;
	int r = 0;

	for (size_t i = 0; i < rule->n_elements && r == 0; i++)
		for (size_t k = 0; k < rule->elements[i].n_matches && r == 0; k++)
			r = walk_add(w, rule->elements[i].matches[k].text);
	return r;
}

/* To the next combination; false: that was the last one. */
static bool walk_next(struct walk *w)
{
	for (size_t i = 0; i < w->n_iterators; i++) {
		if (++w->iterators[i].at < w->iterators[i].n)
			return true;
		w->iterators[i].at = 0;
	}
	return false;
}

static struct nwfilter_text fill(void *arg, const char *text)
{
	const struct walk *w = arg;
	struct nwfilter_variable var;
	struct values v;
	size_t at;

	if (!nwfilter_variable_parse(text, &var))
		return (struct nwfilter_text){ text, false };
	at = var.n;
	for (size_t i = 0; i < w->n_iterators && var.how == NWFILTER_ITERATE; i++)
		if (w->iterators[i].id == var.n)
			at = w->iterators[i].at;
	v = values_of(w->c, w->placed->params, var.name, at);
	return (struct nwfilter_text){ v.text, v.learned };
}

/* ---- chains ---- */

static bool in_root(const struct placed *p)
{
	return nwfilter_proto_is_ip(p->rule->proto) || nd_streq(p->def->chain, "root");
}

static int write_rule(struct compiler *c, const struct placed *p, enum filter_stage stage, size_t chain)
{
	struct walk w = { .c = c, .placed = p };
	struct nwfilter_use use = { p->rule, stage, fill, &w };
	int r = walk_begin(&w);

	if (r == 0)
		do {
			if (++c->n_rules > RULES_MAX)
				r = nd_error_set(c->err, ND_ERR_CONFIG_UNSUPPORTED, "it comes to more than %d rules",
						 RULES_MAX);
			else
				r = nwfilter_rule_write(&c->port->chains[chain], &use, c->err);
		} while (r == 0 && walk_next(&w));
	if (r < 0 && c->err && c->err->kind != ND_ERR_SYSTEM)
		return nd_error_prefix(c->err, "filter '%.100s', <rule> in line %d", p->def->name, p->rule->line);
	return r;
}

/* A chain of its own of some filters, in one stage. */
struct sub_chain {
	const struct nwfilter_def *def;
	size_t at;			/* in the port's chains */
	bool entered;
};

struct sub_chains {
	struct sub_chain *items;
	size_t n;
};

static struct sub_chain *sub_find(struct sub_chains *s, const char *chain)
{
	for (size_t i = 0; i < s->n; i++)
		if (nd_streq(s->items[i].def->chain, chain))
			return &s->items[i];
	return NULL;
}

static int sub_add(struct compiler *c, struct sub_chains *s, enum filter_stage stage, const struct nwfilter_def *def)
{
	struct filter_chain *chain;
	struct sub_chain *sub;
	char name[sizeof(chain->name)];

	if (snprintf(name, sizeof(name), "%s_%s", filter_stage_name(stage), def->chain) >= (int)sizeof(name))
		return nd_error_set(c->err, ND_ERR_CONFIG_UNSUPPORTED, "filter '%.100s': the chain's name is too long",
				    def->name);
	sub = nd_array_add(s->items, s->n);
	chain = sub ? port_filter_add_chain(c->port, name) : NULL;
	if (!chain)
		return nd_error_nomem(c->err);
	sub->def = def;
	sub->at = c->port->n_chains - 1;
	return 0;
}

/* From the stage's own chain into each one whose turn comes before a rule of that priority. */
static int enter_chains(struct compiler *c, struct sub_chains *s, enum filter_stage stage, int priority)
{
	for (;;) {
		struct sub_chain *first = NULL;
		struct filter_rule *rule;

		for (size_t i = 0; i < s->n; i++)
			if (!s->items[i].entered && s->items[i].def->priority <= priority &&
			    (!first || s->items[i].def->priority < first->def->priority))
				first = &s->items[i];
		if (!first)
			return 0;
		rule = filter_chain_add_rule(&c->port->chains[stage]);
		if (!rule || nwfilter_test_kind(rule, (enum nwfilter_proto)nwfilter_chain_proto(first->def->chain)) < 0)
			return nd_error_nomem(c->err);
		rule->verdict = FILTER_JUMP;
		rule->jump = first->at;
		first->entered = true;
	}
}

static int write_stage(struct compiler *c, enum filter_stage stage)
{
	struct sub_chains subs = { 0 };
	int r = 0;

	for (size_t i = 0; i < c->n_placed && r == 0; i++) {
		const struct placed *p = &c->placed[i];

		if (nwfilter_rule_speaks(p->rule, stage) && !in_root(p) && !sub_find(&subs, p->def->chain))
			r = sub_add(c, &subs, stage, p->def);
	}
	for (size_t i = 0; i < c->n_placed && r == 0; i++) {
		const struct placed *p = &c->placed[i];

		if (!nwfilter_rule_speaks(p->rule, stage))
			continue;
		if (in_root(p))
			r = enter_chains(c, &subs, stage, rule_priority(p->rule));
		if (r == 0)
			r = write_rule(c, p, stage, in_root(p) ? (size_t)stage : sub_find(&subs, p->def->chain)->at);
	}
	if (r == 0)
		r = enter_chains(c, &subs, stage, NWFILTER_PRIORITY_MAX);
	free(subs.items);
	return r;
}

/* ---- the port ---- */

static const char *first_param(const struct nwfilter_ref *ref, const char *name)
{
	for (size_t i = 0; i < ref->n_params; i++)
		if (nd_streq(ref->params[i].name, name))
			return ref->params[i].value;
	return NULL;
}

static int set_learning(struct compiler *c)
{
	const char *how = first_param(c->nic->ref, "CTRL_IP_LEARNING");

	if (!how || nd_streq(how, "any"))
		c->learning = LEARN_ANY;
	else if (nd_streq(how, "none"))
		c->learning = LEARN_NEVER;
	else if (nd_streq(how, "dhcp"))
		c->learning = LEARN_DHCP;
	else
		return nd_error_set(c->err, ND_ERR_CONFIG_UNSUPPORTED,
				    "CTRL_IP_LEARNING is 'any', 'dhcp' or 'none', not '%.100s'", how);
	return 0;
}

static int begin(struct compiler *c)
{
	nd_mac_format(&c->nic->mac, c->mac);
	c->port = port_filter_new(c->nic->ifname);
	return c->port ? set_learning(c) : nd_error_nomem(c->err);
}

static bool uses_learned(const struct compiler *c, const struct placed *p)
{
	struct walk w = { .c = c, .placed = p };

	for (size_t i = 0; i < p->rule->n_elements; i++)
		for (size_t k = 0; k < p->rule->elements[i].n_matches; k++)
			if (fill(&w, p->rule->elements[i].matches[k].text).learned)
				return true;
	return false;
}

/* From each of the servers that the parameters name, or from any. */
static int learn_dhcp(struct compiler *c)
{
	struct filter_chain *to = &c->port->chains[FILTER_FRAMES_TO];
	const struct nwfilter_ref *ref = c->nic->ref;
	bool named = false;
	int r = 0;

	for (size_t i = 0; i < ref->n_params && r == 0; i++) {
		if (!nd_streq(ref->params[i].name, "DHCPSERVER"))
			continue;
		named = true;
		r = nwfilter_learn_dhcp(to, &c->nic->mac, ref->params[i].value, c->err);
	}
	return r < 0 || named ? r : nwfilter_learn_dhcp(to, &c->nic->mac, NULL, c->err);
}

/* What the port learns is learned before anything is judged by it. */
static int begin_learning(struct compiler *c)
{
	bool learns = false;

	for (size_t i = 0; i < c->n_placed && !learns; i++)
		learns = uses_learned(c, &c->placed[i]);
	if (!learns)
		return 0;
	c->port->learns = c->learning == LEARN_ANY ? LEARN_FIRST : LEARN_LEASES;
	if (c->learning == LEARN_DHCP)
		return learn_dhcp(c);
	return nwfilter_learn_any(&c->port->chains[FILTER_FRAMES_FROM], &c->nic->mac) < 0 ? nd_error_nomem(c->err) : 0;
}

int compile_port_filter(const struct nic_filter *nic, nwfilter_find_fn find, void *arg, struct port_filter **out,
			struct nd_error *err)
{
	struct compiler c = { .nic = nic, .find = find, .find_arg = arg, .err = err };
	static const struct params none;
	int r = begin(&c);

	if (r == 0)
		r = include(&c, nic->ref, &none, 0);
	if (r == 0) {
		qsort(c.placed, c.n_placed, sizeof(*c.placed), by_priority);
		r = begin_learning(&c);
	}
	for (enum filter_stage s = 0; s < FILTER_STAGES && r == 0; s++)
		r = write_stage(&c, s);
	if (r == 0)
		*out = nd_take_ptr(&c.port);
	else if (err && err->kind != ND_ERR_SYSTEM)
		r = nd_error_prefix(err, "<filterref> (line %d)", nic->ref->line);
	compiler_fini(&c);
	return r;
}
