/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "datapath/port_filters_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "datapath/nft_text.h"
#include "netd/base/array.h"

int filter_table_init(struct filter_table *t)
{
	memset(t, 0, sizeof(*t));
	t->sound = true;
	t->ports = nd_hash_new();
	return t->ports ? 0 : -ENOMEM;
}

void filter_table_fini(struct filter_table *t)
{
	struct filter_table_port *p;
	size_t pos = 0;

	while (t->ports && (p = nd_hash_next(t->ports, &pos)))
		filter_port_free(p);
	nd_hash_free(t->ports);
	memset(t, 0, sizeof(*t));
}

struct filter_table_port *filter_table_find(const struct filter_table *t, const char *key)
{
	return nd_hash_find(t->ports, key, strlen(key));
}

int filter_table_put(struct filter_table *t, struct filter_table_port *p)
{
	struct filter_table_port *old = filter_table_find(t, p->key);
	int r = nd_hash_set(t->ports, p->key, strlen(p->key), p);

	filter_port_free(r < 0 ? p : old);
	return r;
}

struct filter_table_port *filter_table_get(struct filter_table *t, const char *key)
{
	struct filter_table_port *p = filter_table_find(t, key);

	if (p)
		return p;
	p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	snprintf(p->key, sizeof(p->key), "%s", key);
	return filter_table_put(t, p) < 0 ? NULL : p;
}

void filter_table_drop(struct filter_table *t, const char *key)
{
	filter_port_free(nd_hash_remove(t->ports, key, strlen(key)));
}

/* ---- ports ---- */

void filter_port_free(struct filter_table_port *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->n_chains; i++) {
		nd_str_free(&p->chains[i]->text);
		free(p->chains[i]);
	}
	free(p->chains);
	port_filter_free(p->made);
	free(p);
}

struct filter_table_chain *filter_port_add_chain(struct filter_table_port *p, const char *name)
{
	struct filter_table_chain **slot = nd_array_add(p->chains, p->n_chains), *c;

	if (!slot)
		return NULL;
	*slot = c = calloc(1, sizeof(*c));
	if (!c) {
		p->n_chains--;
		return NULL;
	}
	snprintf(c->name, sizeof(c->name), "%s", name);
	return c;
}

const struct filter_table_chain *filter_port_find_chain(const struct filter_table_port *p, const char *name)
{
	for (size_t i = 0; i < p->n_chains; i++)
		if (nd_streq(p->chains[i]->name, name))
			return p->chains[i];
	return NULL;
}

/* A stage without rules has no chain. */
static bool has_chain(const struct port_filter *f, size_t chain)
{
	return chain >= FILTER_STAGES || f->chains[chain].n_rules;
}

static uint8_t wanted_elems(const struct port_filter *f)
{
	uint8_t elems = 0;

	for (unsigned i = 0; i < FILTER_STAGES; i++)
		elems |= (uint8_t)(has_chain(f, i) << i);
	return elems;
}

struct filter_table_port *filter_port_new(const struct port_filter *f)
{
	ND_AUTO(filter_port_free) struct filter_table_port *p = calloc(1, sizeof(*p));
	char name[FILTER_NAME_SIZE];

	if (!p)
		return NULL;
	filter_key(f->ifname, p->key);
	memcpy(p->ifname, f->ifname, sizeof(p->ifname));
	p->elems = wanted_elems(f);
	p->set_size = f->learns;
	p->made = port_filter_copy(f);
	if (!p->made)
		return NULL;
	for (size_t i = 0; i < f->n_chains; i++) {
		filter_name(f->chains[i].name, p->key, name);
		if (has_chain(f, i) && !filter_port_add_chain(p, name))
			return NULL;
	}
	return nd_take_ptr(&p);
}

static int chain_agrees(const struct filter_table_port *p, const struct port_filter *want, size_t chain)
{
	const struct filter_chain *c = &want->chains[chain];
	ND_AUTO(nd_str_free) struct nd_str text = { 0 };
	const struct filter_table_chain *have;
	char name[FILTER_NAME_SIZE];

	filter_name(c->name, p->key, name);
	have = filter_port_find_chain(p, name);
	for (size_t i = 0; have && i < c->n_rules; i++) {
		int r = filter_write_rule(want, p->key, c, &c->rules[i], nft_text_rule, &text);

		if (r < 0)
			return r;
	}
	return have && nft_text_equal(&have->text, &text);
}

static int read_agrees(const struct filter_table_port *p, const struct port_filter *want)
{
	size_t n = 0;

	if (p->bad_elems || p->elems != wanted_elems(want) || p->bad_set || p->set_size != want->learns)
		return 0;
	for (size_t i = 0; i < want->n_chains; i++) {
		int r = has_chain(want, i) ? chain_agrees(p, want, i) : 1;

		if (r <= 0)
			return r;
		n += has_chain(want, i);
	}
	return n == p->n_chains;
}

int filter_port_agrees(struct filter_table_port *p, const struct port_filter *want)
{
	int r;

	if (p->made)
		return port_filter_equal(p->made, want);
	r = read_agrees(p, want);
	if (r <= 0)
		return r;
	p->made = port_filter_copy(want);
	if (!p->made)
		return -ENOMEM;
	for (size_t i = 0; i < p->n_chains; i++)
		nd_str_free(&p->chains[i]->text);
	return 1;
}
