/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/daemon/network.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "netd/base/array.h"
#include "netd/base/str.h"

uint64_t monotonic_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

struct port *port_new(struct port_def *def, const char *ifname, bool plugged)
{
	struct port *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->def = def;
	p->plugged = plugged;
	strncpy(p->ifname, ifname, sizeof(p->ifname) - 1);
	return p;
}

void port_free(struct port *p)
{
	if (!p)
		return;
	port_def_free(p->def);
	free(p);
}

void network_free(struct network *n)
{
	for (size_t i = 0; i < n->n_ports; i++)
		port_free(n->ports[i]);
	free(n->ports);
	net_def_free(n->def);
	net_def_free(n->live);
	plan_free(n->applied);
	free(n->put_back);
	free(n->name);
	free(n);
}

bool network_visible(const struct network *n)
{
	return n->def || n->live;
}

const struct net_def *network_definition(const struct network *n)
{
	return n->def ? n->def : n->live;
}

const struct net_def *network_current(const struct network *n)
{
	return n->live ? n->live : n->def;
}

struct port *network_port(const struct network *n, const struct nd_uuid *uuid)
{
	for (size_t i = 0; i < n->n_ports; i++)
		if (nd_uuid_equal(&n->ports[i]->def->uuid, uuid))
			return n->ports[i];
	return NULL;
}

struct port *network_port_named(const struct network *n, const char *what)
{
	struct nd_uuid uuid;
	struct nd_mac mac;

	if (nd_uuid_parse(what, &uuid))
		return network_port(n, &uuid);
	for (size_t i = 0; i < n->n_ports; i++)
		if (nd_streq(n->ports[i]->ifname, what))
			return n->ports[i];
	if (!nd_mac_parse(what, &mac))
		return NULL;
	for (size_t i = 0; i < n->n_ports; i++)
		if (nd_mac_equal(&n->ports[i]->def->mac, &mac))
			return n->ports[i];
	return NULL;
}

void network_take_port(struct network *n, struct port *p)
{
	for (size_t i = 0; i < n->n_ports; i++) {
		if (n->ports[i] == p) {
			nd_array_remove(n->ports, n->n_ports, i);
			return;
		}
	}
}

int network_add_port(struct network *n, struct port *p)
{
	struct port **slot = nd_array_add(n->ports, n->n_ports);

	if (!slot)
		return -ENOMEM;
	*slot = p;
	return 0;
}

int registry_init(struct registry *r, struct nd_error *err)
{
	r->by_uuid = nd_hash_new();
	r->by_name = nd_hash_new();
	if (r->by_uuid && r->by_name)
		return 0;
	registry_fini(r);
	return nd_error_nomem(err);
}

void registry_fini(struct registry *r)
{
	struct network *n;
	size_t pos = 0;

	while (r->by_uuid && (n = nd_hash_next(r->by_uuid, &pos)))
		network_free(n);
	nd_hash_free(r->by_uuid);
	nd_hash_free(r->by_name);
	*r = (struct registry){ 0 };
}

static struct network *network_new(const struct nd_uuid *uuid, const char *name)
{
	struct network *n = calloc(1, sizeof(*n));

	if (!n)
		return NULL;
	n->uuid = *uuid;
	n->name = strdup(name);
	if (n->name)
		return n;
	network_free(n);
	return NULL;
}

struct network *network_new_detached(const struct nd_uuid *uuid, const char *name)
{
	struct network *n = network_new(uuid, name);

	if (n)
		n->detached = true;
	return n;
}

struct network *registry_add(struct registry *r, const char *name, const struct nd_uuid *uuid)
{
	struct network *n = network_new(uuid, name);

	if (!n)
		return NULL;
	if (nd_hash_set(r->by_uuid, n->uuid.bytes, sizeof(n->uuid.bytes), n) == 0) {
		if (nd_hash_set(r->by_name, n->name, strlen(n->name), n) == 0)
			return n;
		nd_hash_remove(r->by_uuid, n->uuid.bytes, sizeof(n->uuid.bytes));
	}
	network_free(n);
	return NULL;
}

void registry_remove(struct registry *r, struct network *n)
{
	nd_hash_remove(r->by_uuid, n->uuid.bytes, sizeof(n->uuid.bytes));
	nd_hash_remove(r->by_name, n->name, strlen(n->name));
	network_free(n);
}

struct network *registry_by_name(const struct registry *r, const char *name)
{
	return nd_hash_find(r->by_name, name, strlen(name));
}

struct network *registry_by_uuid(const struct registry *r, const struct nd_uuid *uuid)
{
	return nd_hash_find(r->by_uuid, uuid->bytes, sizeof(uuid->bytes));
}

struct network *registry_next(const struct registry *r, size_t *pos)
{
	return nd_hash_next(r->by_uuid, pos);
}

static bool has_bridge(const struct network *n, const char *bridge)
{
	return nd_streq(n->reserved_bridge, bridge) ||
	       (n->def && n->def->bridge.name && nd_streq(n->def->bridge.name, bridge)) ||
	       (n->live && n->live->bridge.name && nd_streq(n->live->bridge.name, bridge));
}

struct network *registry_by_bridge(const struct registry *r, const char *bridge,
				   const struct network *except)
{
	struct network *n;
	size_t pos = 0;

	while ((n = registry_next(r, &pos)))
		if (n != except && has_bridge(n, bridge))
			return n;
	return NULL;
}

const char **registry_bridges(const struct registry *r, const struct network *except, size_t *n_out)
{
	const char **names = calloc(3 * nd_hash_count(r->by_uuid) + 1, sizeof(*names));
	struct network *n;
	size_t pos = 0;

	*n_out = 0;
	while (names && (n = registry_next(r, &pos))) {
		if (n == except)
			continue;
		if (n->reserved_bridge[0])
			names[(*n_out)++] = n->reserved_bridge;
		if (n->def && n->def->bridge.name)
			names[(*n_out)++] = n->def->bridge.name;
		if (n->live && n->live->bridge.name)
			names[(*n_out)++] = n->live->bridge.name;
	}
	return names;
}
