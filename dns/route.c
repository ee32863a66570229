/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dns/route.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "netd/base/array.h"

struct route {
	struct dns_name domain;		/* lower case */
	struct dns_peers *peers;	/* NULL: the standard ones */
};

struct dns_routes {
	struct route *items;		/* longest domain first */
	size_t n;
	struct dns_peers *standard;	/* NULL: none */
	bool follow_host;		/* the standard ones are the host's resolvers */
	struct nd_prefix *subnets;
	size_t n_subnets;
};

struct dns_peers *dns_peers_ref(struct dns_peers *p)
{
	p->refs++;
	return p;
}

void dns_peers_unref(struct dns_peers *p)
{
	if (p && --p->refs == 0)
		free(p);
}

static bool upstream_equal(const struct dns_upstream *a, const struct dns_upstream *b)
{
	return a->port == b->port && nd_ip_equal(&a->addr, &b->addr);
}

static bool peers_equal(const struct dns_peers *a, const struct dns_peers *b)
{
	if (!a || !b)
		return a == b;
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (!upstream_equal(&a->items[i].where, &b->items[i].where))
			return false;
	return true;
}

/* Adds an upstream once. */
static int peers_add(struct dns_peers **p, const struct dns_upstream *where)
{
	size_t n = *p ? (*p)->n : 0;
	struct dns_peers *bigger;

	for (size_t i = 0; i < n; i++)
		if (upstream_equal(&(*p)->items[i].where, where))
			return 0;
	bigger = realloc(*p, sizeof(*bigger) + (n + 1) * sizeof(bigger->items[0]));
	if (!bigger)
		return -ENOMEM;
	bigger->refs = 1;
	bigger->n = n + 1;
	bigger->items[n] = (struct dns_peer){ .where = *where };
	*p = bigger;
	return 0;
}

static void peers_inherit(struct dns_peers *to, const struct dns_peers *from)
{
	for (size_t i = 0; to && from && i < to->n; i++)
		for (size_t j = 0; j < from->n; j++)
			if (upstream_equal(&to->items[i].where, &from->items[j].where))
				to->items[i] = from->items[j];
}

static struct route *route_find(const struct dns_routes *r, const struct dns_name *domain)
{
	for (size_t i = 0; i < r->n; i++)
		if (dns_name_equal(&r->items[i].domain, domain))
			return &r->items[i];
	return NULL;
}

static int rule_add(struct dns_routes *r, const struct dns_forward_rule *rule,
		    struct nd_error *err)
{
	struct dns_upstream where = { rule->addr, rule->port ? rule->port : 53 };
	struct dns_name domain;
	struct route *route;

	if (!rule->domain)
		return peers_add(&r->standard, &where) < 0 ? nd_error_nomem(err) : 0;
	if (!dns_name_parse(rule->domain, &domain))
		return nd_error_set(err, ND_ERR_CONFIG_UNSUPPORTED,
				    "the DNS forwarder's domain '%s' is not a domain name",
				    rule->domain);
	dns_name_lower(&domain);
	route = route_find(r, &domain);
	if (!route) {
		route = nd_array_add(r->items, r->n);
		if (!route)
			return nd_error_nomem(err);
		route->domain = domain;
	}
	if (rule->addr.family != AF_UNSPEC && peers_add(&route->peers, &where) < 0)
		return nd_error_nomem(err);
	return 0;
}

/* More bytes first: of two domains that a name is in, the longer is the more specific. */
static int longer_first(const void *a, const void *b)
{
	const struct route *x = a, *y = b;

	return (int)y->domain.len - (int)x->domain.len;
}

static void inherit(struct dns_routes *r, const struct dns_routes *old)
{
	peers_inherit(r->standard, old->standard);
	for (size_t i = 0; i < r->n; i++) {
		const struct route *o = route_find(old, &r->items[i].domain);

		if (o)
			peers_inherit(r->items[i].peers, o->peers);
	}
}

static int subnets_copy(struct dns_routes *r, const struct dns_config *config)
{
	for (size_t i = 0; i < config->n_subnets; i++) {
		struct nd_prefix *p = nd_array_add(r->subnets, r->n_subnets);

		if (!p)
			return -ENOMEM;
		*p = nd_prefix_masked(&config->subnets[i]);
	}
	return 0;
}

int dns_routes_new(const struct dns_config *config, const struct dns_routes *old,
		   struct dns_routes **out, struct nd_error *err)
{
	ND_AUTO(dns_routes_free) struct dns_routes *r = calloc(1, sizeof(*r));
	bool changed;

	if (!r)
		return nd_error_nomem(err);
	for (size_t i = 0; i < config->n_rules; i++) {
		int e = rule_add(r, &config->rules[i], err);

		if (e < 0)
			return e;
	}
	if (r->n)
		qsort(r->items, r->n, sizeof(*r->items), longer_first);
	r->follow_host = config->use_host_resolvers && !r->standard;
	if (dns_routes_set_upstreams(r, config->upstreams, config->n_upstreams, &changed) < 0)
		return nd_error_nomem(err);
	if (subnets_copy(r, config) < 0)
		return nd_error_nomem(err);
	if (old)
		inherit(r, old);
	*out = nd_take_ptr(&r);
	return 0;
}

void dns_routes_free(struct dns_routes *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->n; i++)
		dns_peers_unref(r->items[i].peers);
	dns_peers_unref(r->standard);
	free(r->subnets);
	free(r->items);
	free(r);
}

int dns_routes_set_upstreams(struct dns_routes *r, const struct dns_upstream *upstreams, size_t n,
			     bool *changed_out)
{
	struct dns_peers *peers = NULL;

	*changed_out = false;
	if (!r->follow_host)
		return 0;
	for (size_t i = 0; i < n; i++) {
		struct dns_upstream where = upstreams[i];

		if (!where.port)
			where.port = 53;
		if (peers_add(&peers, &where) < 0) {
			dns_peers_unref(peers);
			return -ENOMEM;
		}
	}
	*changed_out = !peers_equal(peers, r->standard);
	if (!*changed_out) {
		dns_peers_unref(peers);
		return 0;
	}
	peers_inherit(peers, r->standard);
	dns_peers_unref(r->standard);
	r->standard = peers;
	return 0;
}

struct dns_peers *dns_routes_find(const struct dns_routes *r, const struct dns_name *name)
{
	for (size_t i = 0; i < r->n; i++)
		if (dns_name_is_below(name, &r->items[i].domain))
			return r->items[i].peers ? r->items[i].peers : r->standard;
	return r->standard;
}

struct dns_inside dns_routes_inside(const struct dns_routes *r)
{
	return (struct dns_inside){ r->subnets, r->n_subnets };
}

bool dns_routes_trusts(const struct dns_routes *r, const struct dns_name *name)
{
	for (size_t i = 0; i < r->n; i++)
		if (dns_name_is_below(name, &r->items[i].domain))
			return true;
	return false;
}

static bool subnets_equal(const struct dns_routes *a, const struct dns_routes *b)
{
	if (a->n_subnets != b->n_subnets)
		return false;
	for (size_t i = 0; i < a->n_subnets; i++)
		if (a->subnets[i].len != b->subnets[i].len ||
		    !nd_ip_equal(&a->subnets[i].addr, &b->subnets[i].addr))
			return false;
	return true;
}

bool dns_routes_equal(const struct dns_routes *a, const struct dns_routes *b)
{
	if (a->n != b->n || !peers_equal(a->standard, b->standard) || !subnets_equal(a, b))
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (!dns_name_equal(&a->items[i].domain, &b->items[i].domain) ||
		    !peers_equal(a->items[i].peers, b->items[i].peers))
			return false;
	return true;
}
