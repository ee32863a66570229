/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/model/update.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "netd/base/str.h"
#include "netd/model/update_entry.h"

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
