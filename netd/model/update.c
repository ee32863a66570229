/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/model/update.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "netd/base/array.h"
#include "netd/base/str.h"
#include "netd/model/elements.h"

#define INVALID ND_ERR_OPERATION_INVALID

/* One change: the copy that is changed and what is to be done. */
struct update {
	struct net_def *def;
	enum net_update_command command;
	int parent_index;
	struct nd_error *err;
};

union entry {
	struct dhcp_host dhcp_host;
	struct dhcp_range dhcp_range;
	struct forward_interface interface;
	struct portgroup_def portgroup;
	struct dns_host dns_host;
	struct dns_txt dns_txt;
	struct dns_srv dns_srv;
};

/* A growing array inside the definition. */
struct list {
	const struct xml_elem *elem;
	void **items;
	size_t *n;
};

#define LIST(elem_, array, count) ((struct list){ &(elem_), (void **)&(array), &(count) })

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

static int list_add(const struct update *u, const struct list *l, union entry *e)
{
	return list_insert(l, u->command == NET_UPDATE_ADD_FIRST ? 0 : *l->n, e, u->err);
}

static void list_remove(const struct list *l, size_t i)
{
	size_t size = l->elem->size;

	xml_elem_fini(l->elem, list_at(l, i));
	memmove(list_at(l, i), (char *)*l->items + (i + 1) * size, (*l->n - i - 1) * size);
	(*l->n)--;
}

static void list_replace(const struct list *l, size_t i, union entry *e)
{
	xml_elem_fini(l->elem, list_at(l, i));
	memcpy(list_at(l, i), e, l->elem->size);
	memset(e, 0, sizeof(*e));
}

#define NOT_FOUND ((size_t)-1)

/* The first entry that matches; *more: whether another one does. */
static size_t list_find(const struct list *l, const union entry *e,
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

/* "<ELEMENT ATTRIBUTES/>", for messages; "" when memory ran out. */
static char *entry_text(const struct xml_elem *elem, const union entry *e)
{
	struct xml_out out = { 0 };

	nd_str_addf(&out.s, "<%s", elem->name);
	xml_out_attrs(&out, elem, e);
	nd_str_add(&out.s, "/>");
	return nd_str_take(&out.s);
}

static bool adds(const struct update *u)
{
	return u->command == NET_UPDATE_ADD_FIRST || u->command == NET_UPDATE_ADD_LAST;
}

/* what: "dhcp host" and the like. */
static int exists(const struct update *u, const char *what, const struct xml_elem *elem,
		  const union entry *e)
{
	ND_AUTO(free) char *text = entry_text(elem, e);

	return nd_error_set(u->err, INVALID, "there is an existing %s entry in network '%.200s' "
			    "that matches \"%.500s\"", what, u->def->name, text ? text : "");
}

static int not_there(const struct update *u, const char *what)
{
	return nd_error_set(u->err, INVALID, "couldn't locate a matching %s in network '%.200s'",
			    what, u->def->name);
}

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
		return not_there(u, "dhcp host entry");
	list_remove(l, i);
	return 0;
}

static int update_dhcp_host(const struct update *u, union entry *e)
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
			return not_there(u, "dhcp host entry");
		list_replace(&l, i, e);
		return 0;
	}
	r = check_only_dhcp(u, ip);
	if (r < 0)
		return r;
	return i == NOT_FOUND ? list_add(u, &l, e) : exists(u, "dhcp host", l.elem, e);
}

static bool same_range(const void *item, const union entry *e)
{
	const struct dhcp_range *a = item, *b = &e->dhcp_range;

	return nd_ip_equal(&a->start, &b->start) && nd_ip_equal(&a->end, &b->end);
}

static int update_dhcp_range(const struct update *u, union entry *e)
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
	if (adds(u)) {
		r = check_only_dhcp(u, ip);
		if (r < 0)
			return r;
		return i == NOT_FOUND ? list_add(u, &l, e) : exists(u, "dhcp range", l.elem, e);
	}
	if (i == NOT_FOUND)
		return not_there(u, "dhcp range entry");
	list_remove(&l, i);
	return 0;
}

static bool same_dev(const void *item, const union entry *e)
{
	return nd_streq(((const struct forward_interface *)item)->dev, e->interface.dev);
}

static int update_forward_interface(const struct update *u, union entry *e)
{
	struct forward *f = &u->def->forward;
	struct list l = LIST(elem_forward_interface, f->interfaces, f->n_interfaces);
	bool more;
	size_t i;

	if (f->mode == FORWARD_NONE)
		return nd_error_set(u->err, INVALID, "network '%.200s' has no <forward>: a device "
				    "would have no effect", u->def->name);
	i = list_find(&l, e, same_dev, &more);
	if (adds(u))
		return i == NOT_FOUND ? list_add(u, &l, e) : exists(u, "interface", l.elem, e);
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

static int update_portgroup(const struct update *u, union entry *e)
{
	struct net_def *def = u->def;
	struct list l = LIST(elem_portgroup, def->portgroups, def->n_portgroups);
	bool more;
	size_t i = list_find(&l, e, same_group, &more);

	if (adds(u) && i != NOT_FOUND)
		return exists(u, "portgroup", l.elem, e);
	if (!adds(u) && i == NOT_FOUND)
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
	if (adds(u))
		return list_add(u, &l, e);
	list_replace(&l, i, e);
	return 0;
}

/* The end of all DNS sections: the entry goes in, or the only one that matches goes. */
static int add_or_delete(const struct update *u, const struct list *l, union entry *e, size_t i,
			 bool more, const char *what)
{
	if (adds(u)) {
		if (i != NOT_FOUND)
			return nd_error_set(u->err, INVALID, "there is already at least one %s "
					    "with a matching field in network %.200s", what,
					    u->def->name);
		return list_add(u, l, e);
	}
	if (i == NOT_FOUND)
		return not_there(u, what);
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

static int update_dns_host(const struct update *u, union entry *e)
{
	struct dns_def *dns = &u->def->dns;
	struct list l = LIST(elem_dns_host, dns->hosts, dns->n_hosts);
	bool more;
	size_t i;

	if (!e->dns_host.ip.family && (adds(u) || !e->dns_host.n_names))
		return xml_fail_at(u->err, "host", e->dns_host.line, ND_ERR_XML_DETAIL,
				   "attribute 'ip' is missing");
	if (!e->dns_host.n_names && adds(u))
		return xml_fail_at(u->err, "host", e->dns_host.line, ND_ERR_XML_DETAIL,
				   "it needs at least one <hostname>");
	i = list_find(&l, e, adds(u) ? same_dns_ip : same_ip_or_name, &more);
	return add_or_delete(u, &l, e, i, more, "DNS HOST record");
}

static bool same_txt(const void *item, const union entry *e)
{
	return nd_streq(((const struct dns_txt *)item)->name, e->dns_txt.name);
}

static int update_dns_txt(const struct update *u, union entry *e)
{
	struct dns_def *dns = &u->def->dns;
	struct list l = LIST(elem_dns_txt, dns->txts, dns->n_txts);
	bool more;
	size_t i;

	if (!e->dns_txt.value && adds(u))
		return xml_fail_at(u->err, "txt", e->dns_txt.line, ND_ERR_XML_DETAIL,
				   "attribute 'value' is missing");
	i = list_find(&l, e, same_txt, &more);
	return add_or_delete(u, &l, e, i, more, "DNS TXT record");
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

static int update_dns_srv(const struct update *u, union entry *e)
{
	struct dns_def *dns = &u->def->dns;
	struct list l = LIST(elem_dns_srv, dns->srvs, dns->n_srvs);
	const struct dns_srv *srv = &e->dns_srv;
	bool more;
	size_t i;

	if (adds(u) && (!srv->service || !srv->protocol))
		return xml_fail_at(u->err, "srv", srv->line, ND_ERR_XML_DETAIL,
				   "attribute '%s' is missing",
				   srv->service ? "protocol" : "service");
	i = list_find(&l, e, same_srv, &more);
	return add_or_delete(u, &l, e, i, more, "DNS SRV record");
}

struct section {
	const char *name;
	const struct xml_elem *elem;
	int (*update)(const struct update *u, union entry *e);	/* NULL: cannot be updated */
	const char *fixed;		/* what the entries are called that cannot be modified */
};

static const struct section sections[] = {
	[NET_SECTION_BRIDGE] = { "bridge" },
	[NET_SECTION_DOMAIN] = { "domain" },
	[NET_SECTION_IP] = { "ip" },
	[NET_SECTION_DHCP_HOST] = { "ip dhcp host", &elem_dhcp_host, update_dhcp_host },
	[NET_SECTION_DHCP_RANGE] = { "ip dhcp range", &elem_dhcp_range, update_dhcp_range,
				   "dhcp ranges" },
	[NET_SECTION_FORWARD] = { "forward" },
	[NET_SECTION_FORWARD_INTERFACE] = { "forward interface", &elem_forward_interface,
					    update_forward_interface, "forward interface entries" },
	[NET_SECTION_FORWARD_PF] = { "forward pf" },
	[NET_SECTION_PORTGROUP] = { "portgroup", &elem_portgroup, update_portgroup },
	[NET_SECTION_DNS_HOST] = { "dns host", &elem_dns_host, update_dns_host,
				   "DNS HOST records" },
	[NET_SECTION_DNS_TXT] = { "dns txt", &elem_dns_txt, update_dns_txt,
				   "DNS TXT records" },
	[NET_SECTION_DNS_SRV] = { "dns srv", &elem_dns_srv, update_dns_srv,
				   "DNS SRV records" },
};

static int find_section(const struct net_def *def, int command, int section,
			const struct section **out, struct nd_error *err)
{
	if (section < NET_SECTION_BRIDGE || section > NET_SECTION_DNS_SRV)
		return nd_error_set(err, ND_ERR_OPERATION_UNSUPPORTED,
				    "can't update unrecognized section of network");
	*out = &sections[section];
	if (!(*out)->update)
		return nd_error_set(err, ND_ERR_OPERATION_UNSUPPORTED,
				    "can't update '%s' section of network '%.200s'",
				    (*out)->name, def->name);
	if (command < NET_UPDATE_MODIFY || command > NET_UPDATE_ADD_FIRST)
		return nd_error_set(err, ND_ERR_OPERATION_UNSUPPORTED,
				    "unrecognized network update command code %d", command);
	if (command == NET_UPDATE_MODIFY && (*out)->fixed)
		return nd_error_set(err, ND_ERR_OPERATION_UNSUPPORTED,
				    "%s cannot be modified, only added or deleted", (*out)->fixed);
	return 0;
}

/* What the parser says of the whole: rules across elements. *out has lines as it prints. */
static int reparse(const struct net_def *def, struct net_def **out, struct nd_error *err)
{
	ND_AUTO(free) char *xml = net_def_format(def, 0);

	if (!xml)
		return nd_error_nomem(err);
	if (net_def_parse(xml, strlen(xml), out, err) < 0)
		return nd_error_prefix(err, "the network would no longer be valid");
	return 0;
}

static void keep_counters(struct net_def *to, const struct net_def *from)
{
	size_t i;

	to->connections = from->connections;
	for (i = 0; i < to->forward.n_interfaces; i++)
		to->forward.interfaces[i].connections = from->forward.interfaces[i].connections;
	for (i = 0; i < to->forward.n_addresses; i++)
		to->forward.addresses[i].connections = from->forward.addresses[i].connections;
}

/* Refuses a result that breaks a rule which the original kept; see net_def_update(). */
static int finish(const struct net_def *original, struct net_def **changed,
		  struct net_def **out, struct nd_error *err)
{
	ND_AUTO(net_def_free) struct net_def *again = NULL;
	int r = reparse(*changed, &again, err);

	if (r < 0)
		return r;
	if (net_def_validate(original, NULL) == 0 && net_def_validate(again, err) < 0)
		return nd_error_prefix(err, "the network would no longer be valid");
	if (net_def_equal(*changed, again)) {
		keep_counters(again, *changed);
		*out = nd_take_ptr(&again);
	} else {
		*out = nd_take_ptr(changed);	/* devices that a <pf> stood for */
	}
	return 0;
}

static int parse_entry(const struct section *s, const struct net_def *def, const char *xml,
		       size_t len, union entry *e, struct nd_error *err)
{
	struct xml_in in = { .err = err };
	ND_AUTO(xmlFreeDoc) xmlDoc *doc = NULL;
	xmlNode *root;
	int r = xml_doc_parse(xml, len, "network_update_xml", &doc, err);

	if (r < 0)
		return r;
	root = xmlDocGetRootElement(doc);
	if (!nd_streq((const char *)root->name, s->elem->name))
		return nd_error_set(err, ND_ERR_XML, "unexpected element <%.100s>, expecting <%s>, "
				    "while updating network '%.200s'", (const char *)root->name,
				    s->elem->name, def->name);
	return xml_elem_parse(&in, s->elem, root, e);
}

int net_def_update(const struct net_def *def, int command, int section, int parent_index,
		   const char *xml, size_t len, struct net_def **out, struct nd_error *err)
{
	ND_AUTO(net_def_free) struct net_def *copy = NULL;
	struct update u = { .command = (enum net_update_command)command,
			    .parent_index = parent_index, .err = err };
	const struct section *s = NULL;
	union entry e = { 0 };
	int r = find_section(def, command, section, &s, err);

	if (r < 0)
		return r;
	u.def = copy = net_def_copy(def);
	if (!copy)
		return nd_error_nomem(err);
	r = parse_entry(s, def, xml, len, &e, err);
	if (r == 0)
		r = s->update(&u, &e);
	xml_elem_fini(s->elem, &e);
	return r < 0 ? r : finish(def, &copy, out, err);
}
