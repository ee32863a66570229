/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dns/names.h"

#include <errno.h>

#include "dns/message.h"
#include "netd/base/array.h"
#include "netd/base/hash.h"

struct set {
	struct dns_rrset rr;
	const void *holder;
};

struct node {
	struct set *sets;
	size_t n_sets;
	size_t n_below;			/* names below it */
	bool apex;
	uint8_t len;
	uint8_t wire[];
};

int dns_names_init(struct dns_names *names)
{
	*names = (struct dns_names){ .nodes = nd_hash_new() };
	return names->nodes ? 0 : -ENOMEM;
}

static struct node *node_find(const struct dns_names *names, const struct dns_name *name)
{
	return nd_hash_find(names->nodes, name->wire, name->len);
}

bool dns_names_below_apex(const struct dns_names *names, const struct dns_name *name)
{
	for (size_t i = 0; i < names->n_apexes; i++)
		if (dns_name_is_below(name, &names->apexes[i]))
			return true;
	return false;
}

static struct dns_name parent_of(const struct dns_name *name)
{
	struct dns_name up = { .len = (uint8_t)(name->len - 1 - name->wire[0]) };

	memcpy(up.wire, name->wire + 1 + name->wire[0], up.len);
	return up;
}

static struct node *node_get(struct dns_names *names, const struct dns_name *name);

/* Counts a new name at its parent, up to the apex: elsewhere nothing depends on it. */
static int count_at_parent(struct dns_names *names, const struct node *child,
			   const struct dns_name *name)
{
	struct dns_name up;
	struct node *parent;

	if (child->apex || name->len <= 1)
		return 0;
	up = parent_of(name);
	if (!dns_names_below_apex(names, &up))
		return 0;
	parent = node_get(names, &up);
	if (!parent)
		return -ENOMEM;
	parent->n_below++;
	return 0;
}

/* Finds or makes it. A name has at most 127 labels, so the recursion ends. NULL: no memory. */
static struct node *node_get(struct dns_names *names, const struct dns_name *name)
{
	struct node *n = node_find(names, name);

	if (n)
		return n;
	n = calloc(1, sizeof(*n) + name->len);
	if (!n)
		return NULL;
	n->len = name->len;
	memcpy(n->wire, name->wire, name->len);
	if (nd_hash_set(names->nodes, n->wire, n->len, n) < 0) {
		free(n);
		return NULL;
	}
	if (count_at_parent(names, n, name) < 0) {
		nd_hash_remove(names->nodes, n->wire, n->len);
		free(n);
		return NULL;
	}
	return n;
}

static void node_free(struct node *n)
{
	for (size_t i = 0; i < n->n_sets; i++)
		free(n->sets[i].rr.wire);
	free(n->sets);
	free(n);
}

/* Drops nodes that hold nothing any more, upwards. */
static void node_prune(struct dns_names *names, struct node *n)
{
	while (n && !n->n_sets && !n->n_below && !n->apex) {
		struct dns_name name = { .len = n->len }, up;
		struct node *parent = NULL;

		memcpy(name.wire, n->wire, n->len);
		if (name.len > 1) {
			up = parent_of(&name);
			if (dns_names_below_apex(names, &up))
				parent = node_find(names, &up);
		}
		nd_hash_remove(names->nodes, n->wire, n->len);
		node_free(n);
		if (parent)
			parent->n_below--;
		n = parent;
	}
}

static struct set *set_find(struct node *n, uint16_t type)
{
	for (size_t i = 0; i < n->n_sets; i++)
		if (n->sets[i].rr.type == type)
			return &n->sets[i];
	return NULL;
}

/* The same record twice is one (RFC 2181 5). */
static bool set_has(const struct set *s, const uint8_t *record, size_t len)
{
	for (uint32_t i = 0; i < s->rr.len;) {
		uint32_t n = 12u + (s->rr.wire[i + 10] << 8 | s->rr.wire[i + 11]);

		if (n == len && memcmp(s->rr.wire + i, record, len) == 0)
			return true;
		i += n;
	}
	return false;
}

int dns_names_add(struct dns_names *names, const struct dns_name *owner, uint16_t type,
		  const uint8_t *rdata, size_t rdata_len, const void *holder)
{
	uint8_t record[12 + UINT16_MAX];
	struct wr w = wr_init(record, sizeof(record));
	struct node *n = node_get(names, owner);
	struct set *s;
	uint8_t *wire;

	if (!n)
		return -ENOMEM;
	wr_u16(&w, 0xc000 | DNS_HEADER_LEN);
	wr_u16(&w, type);
	wr_u16(&w, DNS_CLASS_IN);
	wr_u32(&w, 0);
	wr_u16(&w, (uint16_t)rdata_len);
	wr_bytes(&w, rdata, rdata_len);
	s = set_find(n, type);
	if (s && set_has(s, record, wr_len(&w)))
		return 0;
	wire = realloc(s ? s->rr.wire : NULL, (s ? s->rr.len : 0) + wr_len(&w));
	if (wire && s)
		s->rr.wire = wire;
	if (wire && !s) {
		s = nd_array_add(n->sets, n->n_sets);
		if (s)
			*s = (struct set){ .rr = { .type = type, .wire = wire },
					   .holder = holder };
		else
			free(wire);
	}
	if (!wire || !s) {
		node_prune(names, n);
		return -ENOMEM;
	}
	memcpy(s->rr.wire + s->rr.len, record, wr_len(&w));
	s->rr.len += (uint32_t)wr_len(&w);
	s->rr.count++;
	return 0;
}

void dns_names_remove(struct dns_names *names, const struct dns_name *owner, uint16_t type,
		      const void *holder)
{
	struct node *n = node_find(names, owner);
	struct set *s = n ? set_find(n, type) : NULL;

	if (!s || s->holder != holder)
		return;
	free(s->rr.wire);
	nd_array_remove(n->sets, n->n_sets, (size_t)(s - n->sets));
	node_prune(names, n);
}

int dns_names_add_apex(struct dns_names *names, const struct dns_name *name)
{
	struct dns_name *a = nd_array_add(names->apexes, names->n_apexes);
	struct node *n;

	if (!a)
		return -ENOMEM;
	*a = *name;
	n = node_get(names, a);
	if (!n)
		return -ENOMEM;
	n->apex = true;
	return 0;
}

enum dns_names_result dns_names_find(const struct dns_names *names, const struct dns_name *name,
				     uint16_t type, const struct dns_rrset **rrset_out)
{
	const struct node *n = node_find(names, name);

	if (!n)
		return DNS_NAMES_NONE;
	for (size_t i = 0; i < n->n_sets; i++)
		if (n->sets[i].rr.type == type || type == DNS_TYPE_ANY) {
			*rrset_out = &n->sets[i].rr;
			return DNS_NAMES_FOUND;
		}
	return n->n_sets ? DNS_NAMES_OTHER : DNS_NAMES_BARE;
}

bool dns_names_holder(const struct dns_names *names, const struct dns_name *name, uint16_t type,
		      void **holder_out)
{
	struct node *n = node_find(names, name);
	const struct set *s = n ? set_find(n, type) : NULL;

	if (!s)
		return false;
	*holder_out = (void *)s->holder;
	return true;
}

bool dns_names_dismantle(struct dns_names *names, size_t count)
{
	struct node *n = NULL;

	for (; count > 0 && (n = nd_hash_next(names->nodes, &names->dismantled)); count--)
		node_free(n);
	return n;
}

void dns_names_fini(struct dns_names *names)
{
	while (names->nodes && dns_names_dismantle(names, SIZE_MAX))
		;
	nd_hash_free(names->nodes);
	free(names->apexes);
}
