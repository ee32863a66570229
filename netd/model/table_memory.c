/* SPDX-License-Identifier: GPL-2.0-or-later */
/* table_memory.c -- freeing, copying and comparing the struct of an element by its table */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "netd/base/addr.h"
#include "netd/model/table.h"

static void *field(const void *self, size_t at)
{
	return (char *)self + at;
}

static void *item_at(const struct xml_child *c, const void *self, size_t i)
{
	return *(char **)field(self, c->at) + i * c->elem->size;
}

static size_t *count_of(const struct xml_child *c, const void *self)
{
	return field(self, c->n_at);
}

/* Forgets what the struct points to. */
static void detach(const struct xml_elem *elem, void *self)
{
	size_t i;

	for (i = 0; i < elem->n_attrs; i++)
		if (elem->attrs[i].kind == XML_STR)
			*(char **)field(self, elem->attrs[i].at) = NULL;
	for (i = 0; i < elem->n_children; i++) {
		const struct xml_child *c = &elem->children[i];

		if (c->array) {
			*(void **)field(self, c->at) = NULL;
			*count_of(c, self) = 0;
		} else {
			detach(c->elem, field(self, c->at));
		}
	}
}

static void free_owned(const struct xml_elem *elem, void *self)
{
	size_t i, k;

	for (i = 0; i < elem->n_attrs; i++)
		if (elem->attrs[i].kind == XML_STR)
			free(*(char **)field(self, elem->attrs[i].at));
	for (i = 0; i < elem->n_children; i++) {
		const struct xml_child *c = &elem->children[i];

		if (!c->array) {
			free_owned(c->elem, field(self, c->at));
			continue;
		}
		for (k = 0; k < *count_of(c, self); k++)
			free_owned(c->elem, item_at(c, self, k));
		free(*(void **)field(self, c->at));
	}
}

void xml_elem_fini(const struct xml_elem *elem, void *self)
{
	free_owned(elem, self);
	memset(self, 0, elem->size);
}

/* The room that nd_array_grow() would have made by now. */
static size_t capacity(size_t n)
{
	size_t room = 1;

	while (room < n)
		room *= 2;
	return room;
}

static int fill(const struct xml_elem *elem, void *to, const void *from);

static int fill_array(const struct xml_child *c, void *to, const void *from)
{
	size_t i, n = *count_of(c, from);
	void *items;

	if (n == 0)
		return 0;
	items = calloc(capacity(n), c->elem->size);
	if (!items)
		return -ENOMEM;
	memcpy(items, *(void **)field(from, c->at), n * c->elem->size);
	*(void **)field(to, c->at) = items;
	*count_of(c, to) = n;
	for (i = 0; i < n; i++)
		detach(c->elem, item_at(c, to, i));
	for (i = 0; i < n; i++)
		if (fill(c->elem, item_at(c, to, i), item_at(c, from, i)) < 0)
			return -ENOMEM;
	return 0;
}

/* Copies what `from` points to; `to` has the same plain values and is detached. */
static int fill(const struct xml_elem *elem, void *to, const void *from)
{
	size_t i;

	for (i = 0; i < elem->n_attrs; i++) {
		const char *text;

		if (elem->attrs[i].kind != XML_STR)
			continue;
		text = *(char **)field(from, elem->attrs[i].at);
		if (!text)
			continue;
		text = strdup(text);
		if (!text)
			return -ENOMEM;
		*(const char **)field(to, elem->attrs[i].at) = text;
	}
	for (i = 0; i < elem->n_children; i++) {
		const struct xml_child *c = &elem->children[i];
		int r;

		if (c->array)
			r = fill_array(c, to, from);
		else
			r = fill(c->elem, field(to, c->at), field(from, c->at));
		if (r < 0)
			return r;
	}
	return 0;
}

int xml_elem_copy(const struct xml_elem *elem, void *to, const void *from)
{
	memcpy(to, from, elem->size);
	detach(elem, to);
	if (fill(elem, to, from) < 0) {
		xml_elem_fini(elem, to);
		return -ENOMEM;
	}
	return 0;
}

static bool attr_equal(const struct xml_attr *a, const void *x, const void *y)
{
	const void *p = field(x, a->at), *q = field(y, a->at);

	if (a->kind == XML_HOOK || a->output_only)
		return true;
	if (a->has_flag) {
		bool has = *(bool *)field(x, a->has_at);

		if (has != *(bool *)field(y, a->has_at))
			return false;
		if (!has)
			return true;
	}
	if (a->kind == XML_STR)
		return nd_streq0(*(char *const *)p, *(char *const *)q);
	if (a->kind == XML_IP)
		return nd_ip_equal(p, q);
	return memcmp(p, q, a->size) == 0;
}

static bool array_equal(const struct xml_child *c, const void *a, const void *b)
{
	size_t i, n = *count_of(c, a);

	if (n != *count_of(c, b))
		return false;
	for (i = 0; i < n; i++)
		if (!xml_elem_equal(c->elem, item_at(c, a, i), item_at(c, b, i)))
			return false;
	return true;
}

bool xml_elem_equal(const struct xml_elem *elem, const void *a, const void *b)
{
	size_t i;

	for (i = 0; i < elem->n_attrs; i++)
		if (!attr_equal(&elem->attrs[i], a, b))
			return false;
	for (i = 0; i < elem->n_children; i++) {
		const struct xml_child *c = &elem->children[i];

		if (c->array ? !array_equal(c, a, b)
			     : !xml_elem_equal(c->elem, field(a, c->at), field(b, c->at)))
			return false;
	}
	return true;
}
