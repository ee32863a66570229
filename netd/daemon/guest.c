/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/daemon/guest.h"

#include <stdlib.h>
#include <string.h>

#include "netd/daemon/guest_console.h"
#include "netd/daemon/guest_life.h"
#include "netd/daemon/guest_vmm.h"

bool guest_visible(const struct guest *g)
{
	return g->def || g->live;
}

const struct dom_def *guest_definition(const struct guest *g)
{
	return g->def ? g->def : g->live;
}

const struct dom_def *guest_current(const struct guest *g)
{
	return g->live ? g->live : g->def;
}


int guest_id(const struct guest *g)
{
	return g->live ? (int)g->live->id : -1;
}

static void guest_free(struct guest *g)
{
	guest_console_end(g);
	guest_vmm_free(g->vmm);		/* the process goes on */
	dom_def_free(g->def);
	dom_def_free(g->live);
	free(g->name);
	free(g);
}

int guests_init(struct guests *r, struct nd_error *err)
{
	r->by_uuid = nd_hash_new();
	r->by_name = nd_hash_new();
	if (r->by_uuid && r->by_name)
		return 0;
	guests_fini(r);
	return nd_error_nomem(err);
}

void guests_fini(struct guests *r)
{
	struct guest *g;
	size_t pos = 0;

	while (r->by_uuid && (g = nd_hash_next(r->by_uuid, &pos)))
		guest_free(g);
	nd_hash_free(r->by_uuid);
	nd_hash_free(r->by_name);
	*r = (struct guests){ 0 };
}

static void on_idle(struct op_line *line)
{
	struct guest *g = (struct guest *)line;

	if (!guest_visible(g))
		guests_remove(&g->netd->guests, g);
}

struct guest *guests_add(struct netd *d, const char *name, const struct nd_uuid *uuid)
{
	struct guest *g = calloc(1, sizeof(*g));

	if (!g)
		return NULL;
	g->netd = d;
	g->uuid = *uuid;
	g->state = GUEST_SHUT_OFF;
	g->terminal_fd = -1;
	g->name = strdup(name);
	g->line = (struct op_line){ .name = g->name, .idle = on_idle };
	if (g->name && nd_hash_set(d->guests.by_uuid, g->uuid.bytes, sizeof(g->uuid.bytes), g) == 0) {
		if (nd_hash_set(d->guests.by_name, g->name, strlen(g->name), g) == 0)
			return g;
		nd_hash_remove(d->guests.by_uuid, g->uuid.bytes, sizeof(g->uuid.bytes));
	}
	guest_free(g);
	return NULL;
}

void guests_remove(struct guests *r, struct guest *g)
{
	nd_hash_remove(r->by_uuid, g->uuid.bytes, sizeof(g->uuid.bytes));
	nd_hash_remove(r->by_name, g->name, strlen(g->name));
	guest_free(g);
}

struct guest *guests_by_name(const struct guests *r, const char *name)
{
	return nd_hash_find(r->by_name, name, strlen(name));
}

struct guest *guests_by_uuid(const struct guests *r, const struct nd_uuid *uuid)
{
	return nd_hash_find(r->by_uuid, uuid->bytes, sizeof(uuid->bytes));
}

struct guest *guests_by_id(const struct guests *r, int id)
{
	struct guest *g;
	size_t pos = 0;

	while ((g = guests_next(r, &pos)))
		if (g->live && guest_id(g) == id)
			return g;
	return NULL;
}

struct guest *guests_next(const struct guests *r, size_t *pos)
{
	return nd_hash_next(r->by_uuid, pos);
}
