/* SPDX-License-Identifier: GPL-2.0-or-later */
/* update_dns.c -- updates of DNS records */
#include "netd/base/str.h"
#include "netd/model/update_entry.h"

/* The end of all DNS sections: the entry goes in, or the only one that matches goes. matching: how
 * one that is there already would match, in libvirt's words. */
static int add_or_delete(const struct update *u, const struct list *l, union entry *e, size_t i,
			 bool more, const char *what, const char *matching)
{
	if (update_adds(u)) {
		if (i != NOT_FOUND)
			return nd_error_set(u->err, INVALID, "there is already at least one %s "
					    "%s in network %.200s", what, matching, u->def->name);
		return list_add(u, l, e);
	}
	if (i == NOT_FOUND)
		return nd_error_set(u->err, INVALID, "couldn't locate a matching %s in network "
				    "%.200s", what, u->def->name);
	if (more)
		return nd_error_set(u->err, INVALID, "multiple matching %ss were found in network "
				    "%.200s", what, u->def->name);
	list_remove(l, i);
	return 0;
}

static bool same_dns_ip(const void *item, const union entry *e)
{
	const struct dns_host *a = item;

	return e->dns_host.ip.family && nd_ip_equal(&a->ip, &e->dns_host.ip);
}

static bool same_ip_or_name(const void *item, const union entry *e)
{
	const struct dns_host *a = item, *b = &e->dns_host;
	size_t i, k;

	if (same_dns_ip(item, e))
		return true;
	for (i = 0; i < a->n_names; i++)
		for (k = 0; k < b->n_names; k++)
			if (nd_streq(a->names[i], b->names[k]))
				return true;
	return false;
}

int update_dns_host(const struct update *u, union entry *e)
{
	struct dns_def *dns = &u->def->dns;
	struct list l = LIST(elem_dns_host, dns->hosts, dns->n_hosts);
	bool more;
	size_t i;

	if (!e->dns_host.ip.family && (update_adds(u) || !e->dns_host.n_names))
		return xml_fail_at(u->err, "host", e->dns_host.line, ND_ERR_XML_DETAIL,
				   "attribute 'ip' is missing");
	if (!e->dns_host.n_names && update_adds(u))
		return xml_fail_at(u->err, "host", e->dns_host.line, ND_ERR_XML_DETAIL,
				   "it needs at least one <hostname>");
	i = list_find(&l, e, update_adds(u) ? same_dns_ip : same_ip_or_name, &more);
	return add_or_delete(u, &l, e, i, more, "DNS HOST record", "with a matching field");
}

static bool same_txt(const void *item, const union entry *e)
{
	return nd_streq(((const struct dns_txt *)item)->name, e->dns_txt.name);
}

int update_dns_txt(const struct update *u, union entry *e)
{
	struct dns_def *dns = &u->def->dns;
	struct list l = LIST(elem_dns_txt, dns->txts, dns->n_txts);
	bool more;
	size_t i;

	if (!e->dns_txt.value && update_adds(u))
		return xml_fail_at(u->err, "txt", e->dns_txt.line, ND_ERR_XML_DETAIL,
				   "attribute 'value' is missing");
	i = list_find(&l, e, same_txt, &more);
	if (update_adds(u) && i != NOT_FOUND)
		return nd_error_set(u->err, INVALID, "there is already a DNS TXT record with name "
				    "'%.300s' in network %.200s", e->dns_txt.name, u->def->name);
	return add_or_delete(u, &l, e, i, more, "DNS TXT record", "of that name");
}

static bool agrees_if_given(const char *item, const char *given)
{
	return !given || nd_streq0(item, given);
}

static bool same_srv(const void *item, const union entry *e)
{
	const struct dns_srv *a = item, *b = &e->dns_srv;

	return agrees_if_given(a->domain, b->domain) && agrees_if_given(a->service, b->service) &&
	       agrees_if_given(a->protocol, b->protocol) && agrees_if_given(a->target, b->target);
}

int update_dns_srv(const struct update *u, union entry *e)
{
	struct dns_def *dns = &u->def->dns;
	struct list l = LIST(elem_dns_srv, dns->srvs, dns->n_srvs);
	const struct dns_srv *srv = &e->dns_srv;
	bool more;
	size_t i;

	if (update_adds(u) && (!srv->service || !srv->protocol))
		return xml_fail_at(u->err, "srv", srv->line, ND_ERR_XML_DETAIL,
				   "attribute '%s' is missing",
				   srv->service ? "protocol" : "service");
	i = list_find(&l, e, same_srv, &more);
	return add_or_delete(u, &l, e, i, more, "DNS SRV record",
			     "matching all specified fields");
}
