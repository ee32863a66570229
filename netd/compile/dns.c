/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dns.c -- the DNS server's configuration */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "netd/base/array.h"
#include "netd/base/hash.h"
#include "netd/base/str.h"
#include "netd/compile/subnet.h"

static int add_names(struct dns_host_record *r, char *const *names, size_t n_names)
{
	for (size_t i = 0; i < n_names; i++) {
		char **slot = nd_array_add(r->names, r->n_names);

		if (!slot)
			return -ENOMEM;
		*slot = strdup(names[i]);
		if (!*slot)
			return -ENOMEM;
	}
	return 0;
}

/* Several entries for one address are one record; the first name is its PTR's. seen: address ->
 * index in out->hosts, plus one. */
static int add_host(struct dns_config *out, struct nd_hash *seen, const struct nd_ip *ip,
		    char *const *names, size_t n_names)
{
	size_t len, at;
	const uint8_t *bytes = nd_ip_bytes(ip, &len);
	struct dns_host_record *r;

	at = (size_t)nd_hash_find(seen, bytes, len);
	if (at)
		return add_names(&out->hosts[at - 1], names, n_names);
	r = nd_array_add(out->hosts, out->n_hosts);
	if (!r || nd_hash_set(seen, bytes, len, (void *)out->n_hosts) < 0)
		return -ENOMEM;
	r->ip = *ip;
	return add_names(r, names, n_names);
}

static int add_hosts(const struct compile_input *in, struct dns_config *out)
{
	const struct dns_def *d = &in->def->dns;
	struct nd_hash *seen = nd_hash_new();
	int r = seen ? 0 : -ENOMEM;

	for (size_t i = 0; i < d->n_hosts && r == 0; i++)
		r = add_host(out, seen, &d->hosts[i].ip, d->hosts[i].names, d->hosts[i].n_names);
	for (size_t i = 0; i < in->n_host_records && r == 0; i++)
		r = add_host(out, seen, &in->host_records[i].ip, in->host_records[i].names,
			     in->host_records[i].n_names);
	nd_hash_free(seen);
	return r;
}

static int add_txts(const struct dns_def *d, struct dns_config *out)
{
	for (size_t i = 0; i < d->n_txts; i++) {
		struct dns_txt_record *t = nd_array_add(out->txts, out->n_txts);

		if (!t)
			return -ENOMEM;
		t->name = strdup(d->txts[i].name);
		t->value = strdup(d->txts[i].value);
		if (!t->name || !t->value)
			return -ENOMEM;
	}
	return 0;
}

/* _service._protocol[.domain], with the network's domain where the record gives none. */
static char *srv_owner(const struct net_def *def, const struct dns_srv *s)
{
	const char *domain = s->domain ? s->domain : def->domain.name;
	struct nd_str text = { 0 };

	nd_str_addf(&text, "_%s._%s", s->service, s->protocol);
	if (domain && *domain)
		nd_str_addf(&text, ".%s", domain);
	return nd_str_take(&text);
}

static int add_srvs(const struct net_def *def, struct dns_config *out)
{
	for (size_t i = 0; i < def->dns.n_srvs; i++) {
		const struct dns_srv *from = &def->dns.srvs[i];
		struct dns_srv_record *s = nd_array_add(out->srvs, out->n_srvs);
		bool none = !from->target || !*from->target || nd_streq(from->target, ".");

		if (!s)
			return -ENOMEM;
		s->owner = srv_owner(def, from);
		s->target = strdup(none ? "" : from->target);
		if (!s->owner || !s->target)
			return -ENOMEM;
		s->port = none || !from->port ? 1 : from->port;
		s->priority = none ? 0 : from->priority;
		s->weight = none ? 0 : from->weight;
	}
	return 0;
}

static int add_forwarders(const struct dns_def *d, struct dns_config *out)
{
	for (size_t i = 0; i < d->n_forwarders; i++) {
		struct dns_forward_rule *rule = nd_array_add(out->rules, out->n_rules);

		if (!rule)
			return -ENOMEM;
		rule->addr = d->forwarders[i].addr;
		rule->port = d->forwarders[i].port ? d->forwarders[i].port : 53;
		if (!d->forwarders[i].domain)
			continue;
		rule->domain = strdup(d->forwarders[i].domain);
		if (!rule->domain)
			return -ENOMEM;
	}
	return 0;
}

static bool has_upstream(const struct dns_config *out, const struct dns_upstream *u)
{
	for (size_t i = 0; i < out->n_upstreams; i++)
		if (nd_ip_equal(&out->upstreams[i].addr, &u->addr) &&
		    out->upstreams[i].port == u->port)
			return true;
	return false;
}

static int add_upstreams(const struct compile_input *in, struct dns_config *out)
{
	for (size_t i = 0; i < in->n_upstreams && out->use_host_resolvers; i++) {
		struct dns_upstream u = in->upstreams[i], *mine;

		if (!u.port)
			u.port = 53;
		if (has_upstream(out, &u))
			continue;
		mine = nd_array_add(out->upstreams, out->n_upstreams);
		if (!mine)
			return -ENOMEM;
		*mine = u;
	}
	return 0;
}

static int add_subnets(const struct net_def *def, struct dns_config *out)
{
	for (size_t i = 0; i < def->n_ips; i++) {
		struct nd_prefix *p = nd_array_add(out->subnets, out->n_subnets);

		if (!p)
			return -ENOMEM;
		*p = subnet_of(&def->ips[i]);
		if (def->ips[i].local_ptr != TRI_YES)
			continue;
		p = nd_array_add(out->local_ptr, out->n_local_ptr);
		if (!p)
			return -ENOMEM;
		*p = subnet_of(&def->ips[i]);
	}
	return 0;
}

int compile_dns(const struct compile_input *in, struct dns_config *out)
{
	const struct net_def *def = in->def;
	int r;

	if (!dns_enabled(def))
		return 0;
	out->enabled = true;
	if (def->domain.name) {
		out->domain = strdup(def->domain.name);
		if (!out->domain)
			return -ENOMEM;
	}
	out->local_only = def->domain.name && def->domain.local_only == TRI_YES;
	out->forward_plain_names = def->dns.forward_plain_names != TRI_NO;
	out->use_host_resolvers = uses_host_resolvers(def);
	r = add_hosts(in, out);
	if (r == 0)
		r = add_txts(&def->dns, out);
	if (r == 0)
		r = add_srvs(def, out);
	if (r == 0)
		r = add_forwarders(&def->dns, out);
	if (r == 0)
		r = add_upstreams(in, out);
	return r < 0 ? r : add_subnets(def, out);
}
