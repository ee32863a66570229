/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/model/update_entry.h"

#include <stdlib.h>
#include <string.h>

#include "netd/base/array.h"
#include "netd/base/str.h"

static void *list_at(const struct list *l, size_t i)
{
	return *(char **)l->items + i * l->elem->size;
}

/* Moves the entry in; it is empty afterwards. */
static int list_insert(const struct list *l, size_t at, union entry *e, struct nd_error *err)
{
	size_t size = l->elem->size;

	if (nd_array_grow(l->items, *l->n, size) < 0)
		return nd_error_nomem(err);
	memmove((char *)*l->items + (at + 1) * size, (char *)*l->items + at * size,
		(*l->n - at) * size);
	memcpy(list_at(l, at), e, size);
	memset(e, 0, sizeof(*e));
	(*l->n)++;
	return 0;
}

int list_add(const struct update *u, const struct list *l, union entry *e)
{
	return list_insert(l, u->command == NET_UPDATE_ADD_FIRST ? 0 : *l->n, e, u->err);
}

void list_remove(const struct list *l, size_t i)
{
	size_t size = l->elem->size;

	xml_elem_fini(l->elem, list_at(l, i));
	memmove(list_at(l, i), (char *)*l->items + (i + 1) * size, (*l->n - i - 1) * size);
	(*l->n)--;
}

void list_replace(const struct list *l, size_t i, union entry *e)
{
	xml_elem_fini(l->elem, list_at(l, i));
	memcpy(list_at(l, i), e, l->elem->size);
	memset(e, 0, sizeof(*e));
}

size_t list_find(const struct list *l, const union entry *e,
		 bool (*matches)(const void *item, const union entry *e), bool *more)
{
	size_t i, found = NOT_FOUND;

	*more = false;
	for (i = 0; i < *l->n; i++) {
		if (!matches(list_at(l, i), e))
			continue;
		if (found != NOT_FOUND) {
			*more = true;
			break;
		}
		found = i;
	}
	return found;
}

/* "<ELEMENT ATTRIBUTES", for messages; NULL when memory ran out. */
static char *entry_text(const struct xml_elem *elem, const union entry *e)
{
	struct xml_out out = { 0 };

	nd_str_addf(&out.s, "<%s", elem->name);
	xml_out_attrs(&out, elem, e);
	return nd_str_take(&out.s);
}

bool update_adds(const struct update *u)
{
	return u->command == NET_UPDATE_ADD_FIRST || u->command == NET_UPDATE_ADD_LAST;
}

int update_exists(const struct update *u, const char *what, const struct xml_elem *elem,
		  const union entry *e)
{
	ND_AUTO(free) char *text = entry_text(elem, e);
	/* As libvirt shows those two. */
	bool may_contain = elem == &elem_forward_interface || elem == &elem_portgroup;

	return nd_error_set(u->err, INVALID, "there is an existing %s entry in network '%.200s' "
			    "that matches \"%.500s%s>\"", what, u->def->name, text ? text : "",
			    may_contain ? "" : "/");
}

int update_not_there(const struct update *u, const char *what)
{
	return nd_error_set(u->err, INVALID, "couldn't locate a matching %s in network '%.200s'",
			    what, u->def->name);
}

static bool same_dev(const void *item, const union entry *e)
{
	return nd_streq(((const struct forward_interface *)item)->dev, e->interface.dev);
}

int update_forward_interface(const struct update *u, union entry *e)
{
	struct forward *f = &u->def->forward;
	struct list l = LIST(elem_forward_interface, f->interfaces, f->n_interfaces);
	bool more;
	size_t i;

	if (f->mode == FORWARD_NONE)
		return nd_error_set(u->err, INVALID, "network '%.200s' has no <forward>: a device "
				    "would have no effect", u->def->name);
	i = list_find(&l, e, same_dev, &more);
	if (update_adds(u))
		return i == NOT_FOUND ? list_add(u, &l, e) : update_exists(u, "interface", l.elem, e);
	if (i == NOT_FOUND)
		return nd_error_set(u->err, INVALID, "couldn't find an interface entry in network "
				    "'%.200s' matching <interface dev='%.100s'>", u->def->name,
				    e->interface.dev);
	if (f->interfaces[i].connections)
		return nd_error_set(u->err, INVALID, "unable to delete interface '%.100s' of "
				    "network '%.200s': %u guests use it", f->interfaces[i].dev,
				    u->def->name, f->interfaces[i].connections);
	list_remove(&l, i);
	return 0;
}

static bool same_group(const void *item, const union entry *e)
{
	return nd_streq(((const struct portgroup_def *)item)->name, e->portgroup.name);
}

static bool other_default(const struct net_def *def, size_t except)
{
	size_t i;

	for (i = 0; i < def->n_portgroups; i++)
		if (i != except && def->portgroups[i].is_default)
			return true;
	return false;
}

int update_portgroup(const struct update *u, union entry *e)
{
	struct net_def *def = u->def;
	struct list l = LIST(elem_portgroup, def->portgroups, def->n_portgroups);
	bool more;
	size_t i = list_find(&l, e, same_group, &more);

	if (update_adds(u) && i != NOT_FOUND)
		return update_exists(u, "portgroup", l.elem, e);
	if (!update_adds(u) && i == NOT_FOUND)
		return nd_error_set(u->err, INVALID, "couldn't find a portgroup entry in network "
				    "'%.200s' matching <portgroup name='%.200s'>", def->name,
				    e->portgroup.name);
	if (u->command == NET_UPDATE_DELETE) {
		list_remove(&l, i);
		return 0;
	}
	if (e->portgroup.is_default && other_default(def, i))
		return nd_error_set(u->err, INVALID, "a different portgroup entry in network "
				    "'%.200s' is already set as the default, only one default is "
				    "allowed", def->name);
	if (update_adds(u))
		return list_add(u, &l, e);
	list_replace(&l, i, e);
	return 0;
}
