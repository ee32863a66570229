/* SPDX-License-Identifier: GPL-2.0-or-later */
/* update_dhcp.c -- updates of DHCP hosts and ranges */
#include "netd/base/str.h"
#include "netd/model/update_entry.h"

/*
 * Without an index: the first <ip> with DHCP, else the first; of the entry's own family when it
 * has an address.
 */
static struct ip_def *choose_ip(struct net_def *def, sa_family_t family)
{
	struct ip_def *first = NULL;
	size_t i;

	for (i = 0; i < def->n_ips; i++) {
		struct ip_def *ip = &def->ips[i];

		if (family && ip->address.family != family)
			continue;
		if (ip_def_has_dhcp(ip))
			return ip;
		if (!first || (first->address.family == AF_INET6 && ip->address.family == AF_INET))
			first = ip;
	}
	return first;
}

static int find_ip(const struct update *u, const char *what, sa_family_t family,
		   struct ip_def **out)
{
	struct net_def *def = u->def;

	if (u->parent_index < 0) {
		*out = choose_ip(def, family);
		if (*out)
			return 0;
		return nd_error_set(u->err, INVALID, "couldn't update %s entry - no fitting <ip> "
				    "element found in network '%.200s'", what, def->name);
	}
	if ((size_t)u->parent_index >= def->n_ips)
		return nd_error_set(u->err, INVALID, "couldn't update %s entry - no <ip> element "
				    "found at index %d in network '%.200s'", what, u->parent_index,
				    def->name);
	*out = &def->ips[u->parent_index];
	if (family && (*out)->address.family != family)
		return nd_error_set(u->err, INVALID, "the %s is not of the address family of the "
				    "<ip> at index %d in network '%.200s'", what, u->parent_index,
				    def->name);
	return 0;
}

/* One <dhcp> for a family: an entry may not open a second one. */
static int check_only_dhcp(const struct update *u, const struct ip_def *ip)
{
	size_t i;

	for (i = 0; i < u->def->n_ips; i++) {
		const struct ip_def *other = &u->def->ips[i];

		if (other != ip && ip_def_has_dhcp(other) &&
		    other->address.family == ip->address.family)
			return nd_error_set(u->err, INVALID, "dhcp is supported only for a single "
					    "IPv%c address on each network",
					    ip->address.family == AF_INET ? '4' : '6');
	}
	return 0;
}

static bool same_mac(const char *a, const char *b)
{
	struct nd_mac x, y;

	return a && b && nd_mac_parse(a, &x) && nd_mac_parse(b, &y) && nd_mac_equal(&x, &y);
}

static bool shares_identity(const void *item, const union entry *e)
{
	const struct dhcp_host *a = item, *b = &e->dhcp_host;

	return same_mac(a->mac, b->mac) || (a->name && b->name && nd_streq(a->name, b->name)) ||
	       (a->ip.family && nd_ip_equal(&a->ip, &b->ip));
}

/* What was given agrees; an entry without a MAC agrees with any. */
static bool agrees(const void *item, const union entry *e)
{
	const struct dhcp_host *a = item, *b = &e->dhcp_host;

	if (b->mac && a->mac && !same_mac(a->mac, b->mac))
		return false;
	if (b->name && !nd_streq0(a->name, b->name))
		return false;
	return !b->ip.family || nd_ip_equal(&a->ip, &b->ip);
}

static int delete_dhcp_host(const struct update *u, const struct list *l, const union entry *e)
{
	const struct dhcp_host *host = &e->dhcp_host;
	bool more;
	size_t i;

	if (!host->mac && !host->name && !host->ip.family)
		return xml_fail_at(u->err, "host", host->line, ND_ERR_XML,
				   "to delete an entry, give its mac, name or ip");
	i = list_find(l, e, agrees, &more);
	if (i == NOT_FOUND)
		return update_not_there(u, "dhcp host entry");
	list_remove(l, i);
	return 0;
}

int update_dhcp_host(const struct update *u, union entry *e)
{
	struct dhcp_host *host = &e->dhcp_host;
	struct ip_def *ip;
	struct list l;
	bool more;
	size_t i;
	int r = find_ip(u, "dhcp host", host->ip.family, &ip);

	if (r < 0)
		return r;
	l = LIST(elem_dhcp_host, ip->hosts, ip->n_hosts);
	if (u->command == NET_UPDATE_DELETE)
		return delete_dhcp_host(u, &l, e);
	r = dhcp_host_check(host, ip->address.family, u->err);
	if (r < 0)
		return r;
	i = list_find(&l, e, shares_identity, &more);
	if (u->command == NET_UPDATE_MODIFY) {
		if (i == NOT_FOUND)
			return update_not_there(u, "dhcp host entry");
		list_replace(&l, i, e);
		return 0;
	}
	r = check_only_dhcp(u, ip);
	if (r < 0)
		return r;
	return i == NOT_FOUND ? list_add(u, &l, e) : update_exists(u, "dhcp host", l.elem, e);
}

static bool same_range(const void *item, const union entry *e)
{
	const struct dhcp_range *a = item, *b = &e->dhcp_range;

	return nd_ip_equal(&a->start, &b->start) && nd_ip_equal(&a->end, &b->end);
}

int update_dhcp_range(const struct update *u, union entry *e)
{
	struct nd_prefix subnet;
	struct ip_def *ip;
	struct list l;
	bool more;
	size_t i;
	int r;

	r = find_ip(u, "dhcp range", e->dhcp_range.start.family, &ip);
	if (r < 0)
		return r;
	subnet = ip_def_prefix(ip);
	r = dhcp_range_check(&e->dhcp_range, &subnet, u->err);
	if (r < 0)
		return r;
	l = LIST(elem_dhcp_range, ip->ranges, ip->n_ranges);
	i = list_find(&l, e, same_range, &more);
	if (update_adds(u)) {
		r = check_only_dhcp(u, ip);
		if (r < 0)
			return r;
		return i == NOT_FOUND ? list_add(u, &l, e) : update_exists(u, "dhcp range", l.elem, e);
	}
	if (i == NOT_FOUND)
		return update_not_there(u, "dhcp range entry");
	list_remove(&l, i);
	return 0;
}
