/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/model/network.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "netd/base/str.h"
#include "netd/model/elements.h"
#include "netd/model/metadata.h"

#define DNSMASQ_NS "http://libvirt.org/schemas/network/dnsmasq/1.0"
#define DNSMASQ_PREFIX "dnsmasq"

#define NET(field_) XML_FIELD(struct net_def, field_)
#define TEXT_ELEM(id, tag, ...) \
	static const struct xml_attr id##_attrs[] = { { __VA_ARGS__ } }; \
	static const struct xml_elem id##_elem = { \
		.name = tag, .size = sizeof(struct net_def), XML_ATTRS(id##_attrs) }

TEXT_ELEM(name, "name", .kind = XML_STR, NET(name));
TEXT_ELEM(uuid, "uuid", .kind = XML_UUID, NET(uuid), XML_HAS(struct net_def, has_uuid),
	  .err = ND_ERR_INTERNAL);
TEXT_ELEM(title, "title", .kind = XML_STR, NET(title));
TEXT_ELEM(description, "description", .kind = XML_STR, NET(description));

static const struct xml_attr mtu_attrs[] = {
	{ .name = "size", .kind = XML_UINT, NET(mtu_bytes), .min = 1 },
};

static const struct xml_elem mtu_elem = {
	.name = "mtu", .size = sizeof(struct net_def),
	.line_at = offsetof(struct net_def, mtu_line), XML_ATTRS(mtu_attrs),
};

static int mac_check(struct xml_in *in, const xmlNode *node, void *self)
{
	const struct net_def *def = self;

	if (def->has_mac && nd_mac_is_multicast(&def->mac))
		return xml_fail(in, node, ND_ERR_XML, "a bridge cannot have a multicast address");
	return 0;
}

static const struct xml_attr mac_attrs[] = {
	{ .name = "address", .kind = XML_MAC, NET(mac), XML_HAS(struct net_def, has_mac) },
};

static const struct xml_elem mac_elem = {
	.name = "mac", .size = sizeof(struct net_def),
	.line_at = offsetof(struct net_def, mac_line), XML_ATTRS(mac_attrs), .check = mac_check,
};

static const struct xml_attr port_attrs[] = {
	{ .name = "isolated", .kind = XML_TRI, NET(port_isolated) },
};

static const struct xml_elem port_elem = {
	.name = "port", .size = sizeof(struct net_def),
	.line_at = offsetof(struct net_def, port_line), XML_ATTRS(port_attrs),
};

const char *const mac_table_managers[] = {
	[MAC_TABLE_KERNEL] = "kernel",
	[MAC_TABLE_LIBVIRT] = "libvirt",
};

static bool out_is_l3(const struct xml_out *out)
{
	return forward_mode_is_l3(((const struct net_def *)out->root)->forward.mode);
}

static void format_stp(struct xml_out *out, const void *self)
{
	if (out_is_l3(out))
		xml_out_attr(out, "stp", ((const struct bridge_def *)self)->stp_off ? "off" : "on");
}

static void format_delay(struct xml_out *out, const void *self)
{
	if (out_is_l3(out))
		nd_str_addf(&out->s, " delay='%u'", ((const struct bridge_def *)self)->delay_s);
}

static bool bridge_present(const struct xml_out *out, const void *self)
{
	const struct bridge_def *b = self;

	return out_is_l3(out) || b->name || b->mac_table_manager;
}

static int bridge_check(struct xml_in *in, const xmlNode *node, void *self)
{
	ND_AUTO(free) char *stp = xml_prop(node, "stp");

	((struct bridge_def *)self)->stp_off = stp && nd_streq(stp, "off");
	return 0;
}

static const struct xml_attr bridge_attrs[] = {
	{ .name = "name", .kind = XML_STR, XML_FIELD(struct bridge_def, name) },
	{ .name = "zone", .kind = XML_STR, XML_FIELD(struct bridge_def, zone) },
	{ .name = "stp", .kind = XML_HOOK, .format = format_stp },
	{ .name = "delay", .kind = XML_UINT, XML_FIELD(struct bridge_def, delay_s),
	  .format = format_delay },
	{ .name = "macTableManager", .kind = XML_ENUM,
	  XML_FIELD(struct bridge_def, mac_table_manager), MAC_TABLE_NAMES },
};

static const struct xml_elem bridge_elem = {
	.name = "bridge", .size = sizeof(struct bridge_def),
	.line_at = offsetof(struct bridge_def, line),
	XML_ATTRS(bridge_attrs), .present = bridge_present, .check = bridge_check,
};

static const struct xml_attr option_attrs[] = {
	{ .name = "value", .kind = XML_STR, XML_FIELD(struct dnsmasq_option, value),
	  .may_be_empty = true, .required = true, .err = ND_ERR_INTERNAL },
};

static const struct xml_elem option_elem = {
	.name = "option", .ns = DNSMASQ_NS, .prefix = DNSMASQ_PREFIX,
	.size = sizeof(struct dnsmasq_option), .line_at = offsetof(struct dnsmasq_option, line),
	XML_ATTRS(option_attrs),
};

static const struct xml_child options_children[] = {
	{ .elem = &option_elem,
	  XML_ARRAY(struct net_def, dnsmasq_options, n_dnsmasq_options) },
};

static const struct xml_elem options_elem = {
	.name = "options", .ns = DNSMASQ_NS, .prefix = DNSMASQ_PREFIX,
	.size = sizeof(struct net_def), XML_CHILDREN(options_children),
};

static int fail_bridge(struct xml_in *in, const struct net_def *def, const char *attr)
{
	return xml_fail_at(in->err, "bridge", def->bridge.line, ND_ERR_XML,
			   "attribute '%s' is not possible in mode '%s'", attr,
			   forward_mode_name(def->forward.mode));
}

static const xmlNode *child_named(const xmlNode *node, const char *name)
{
	const xmlNode *child;

	for (child = node->children; child; child = child->next)
		if (child->type == XML_ELEMENT_NODE && !child->ns &&
		    nd_streq((const char *)child->name, name))
			return child;
	return NULL;
}

/* What a bridge that is not netd's own cannot have. */
static int check_foreign_bridge(struct xml_in *in, const xmlNode *root, const struct net_def *def)
{
	const xmlNode *node = child_named(root, "bridge");
	bool may_name = def->forward.mode == FORWARD_BRIDGE;

	if (def->bridge.zone)
		return fail_bridge(in, def, "zone");
	if (node && xmlHasProp(node, (const xmlChar *)"stp"))
		return fail_bridge(in, def, "stp");
	if (def->bridge.delay_s)
		return fail_bridge(in, def, "delay");
	if (def->bridge.name && !may_name)
		return fail_bridge(in, def, "name");
	if (def->bridge.mac_table_manager && !may_name)
		return fail_bridge(in, def, "macTableManager");
	if (def->bridge.name && (def->forward.n_interfaces || def->forward.pf_dev))
		return xml_fail_at(in->err, "bridge", def->bridge.line, ND_ERR_XML,
				   "a network has a bridge 'name' or a pool of devices, not both");
	if (def->mtu_bytes)
		return xml_fail_at(in->err, "mtu", def->mtu_line, ND_ERR_XML,
				   "it is not possible in mode '%s'",
				   forward_mode_name(def->forward.mode));
	return 0;
}

static int check_name(struct xml_in *in, const xmlNode *root, const struct net_def *def)
{
	if (!def->name)
		return nd_error_set(in->err, ND_ERR_NO_NAME,
				    "missing name information: <network> (line %ld) has no <name>",
				    xmlGetLineNo(root));
	if (strchr(def->name, '/'))
		return xml_fail(in, root, ND_ERR_XML_DETAIL,
				"name '%.200s' cannot contain '/'", def->name);
	return 0;
}

static int network_check(struct xml_in *in, const xmlNode *node, void *self)
{
	struct net_def *def = self;
	enum forward_mode mode = def->forward.mode;
	int r = check_name(in, node, def);

	if (r < 0)
		return r;
	if (def->ipv6 == TRI_NO)
		def->ipv6 = TRI_ABSENT;		/* what 'no' means anyway */
	if (def->title && strchr(def->title, '\n'))
		return xml_fail(in, node, ND_ERR_XML, "the title cannot have a line end in it");
	if (def->virtualport.line && def->virtualport.type < VIRTUALPORT_8021QBG)
		return xml_fail_at(in->err, "virtualport", def->virtualport.line, ND_ERR_XML,
				   "attribute 'type' is missing");
	if (!forward_mode_is_l3(mode))
		return check_foreign_bridge(in, node, def);
	if ((mode == FORWARD_NAT || mode == FORWARD_ROUTE) && def->n_ips == 0)
		return xml_fail_at(in->err, "forward", def->forward.line, ND_ERR_XML,
				   "mode '%s' needs at least one <ip>", forward_mode_name(mode));
	return 0;
}

static void format_xmlns(struct xml_out *out, const void *self)
{
	if (((const struct net_def *)self)->n_dnsmasq_options)
		xml_out_attr(out, "xmlns:" DNSMASQ_PREFIX, DNSMASQ_NS);
}

static const struct xml_attr network_attrs[] = {
	{ .name = "xmlns:" DNSMASQ_PREFIX, .kind = XML_HOOK, .format = format_xmlns },
	{ .name = "connections", .kind = XML_UINT, NET(connections), .output_only = true },
	{ .name = "ipv6", .kind = XML_TRI, NET(ipv6) },
	{ .name = "trustGuestRxFilters", .kind = XML_TRI, NET(trust_guest_rx_filters) },
};

#define AT(field_) .at = offsetof(struct net_def, field_)
static const struct xml_child network_children[] = {
	{ .elem = &name_elem },
	{ .elem = &uuid_elem },
	{ .elem = &title_elem },
	{ .elem = &description_elem },
	{ .elem = &elem_metadata, AT(metadata) },
	{ .elem = &elem_forward, AT(forward) },
	{ .elem = &bridge_elem, AT(bridge) },
	{ .elem = &mtu_elem },
	{ .elem = &mac_elem },
	{ .elem = &elem_domain, AT(domain) },
	{ .elem = &elem_dns, AT(dns) },
	{ .elem = &elem_vlan, AT(vlan) },
	{ .elem = &elem_bandwidth, AT(bandwidth) },
	{ .elem = &port_elem },
	{ .elem = &elem_ip, XML_ARRAY(struct net_def, ips, n_ips) },
	{ .elem = &elem_route, XML_ARRAY(struct net_def, routes, n_routes) },
	{ .elem = &elem_virtualport, AT(virtualport) },
	{ .elem = &elem_portgroup, XML_ARRAY(struct net_def, portgroups, n_portgroups) },
	{ .elem = &options_elem },
};
#undef AT

static const struct xml_elem network_elem = {
	.name = "network", .size = sizeof(struct net_def), .line_at = offsetof(struct net_def, line),
	XML_ATTRS(network_attrs), XML_CHILDREN(network_children),
	.check = network_check,
};

void net_def_free(struct net_def *def)
{
	if (!def)
		return;
	while (def->n_warnings)
		free(def->warnings[--def->n_warnings]);
	free(def->warnings);
	xml_elem_fini(&network_elem, def);
	free(def);
}

int net_def_parse(const char *xml, size_t len, struct net_def **out, struct nd_error *err)
{
	struct xml_warnings warnings = { 0 };
	struct xml_in in = { .warnings = &warnings, .err = err };
	ND_AUTO(net_def_free) struct net_def *def = calloc(1, sizeof(*def));
	ND_AUTO(xmlFreeDoc) xmlDoc *doc = NULL;
	xmlNode *root;
	int r;

	if (!def)
		return nd_error_nomem(err);
	r = xml_doc_parse(xml, len, "(network_definition)", &doc, err);
	if (r == 0)
		r = xml_doc_root(doc, "network", &root, err);
	if (r == 0)
		r = xml_elem_parse(&in, &network_elem, root, def);
	def->warnings = warnings.lines;
	def->n_warnings = warnings.n;
	if (r < 0)
		return r;
	*out = nd_take_ptr(&def);
	return 0;
}

char *net_def_format(const struct net_def *def, unsigned flags)
{
	struct xml_out out = { .flags = flags, .root = def };

	xml_elem_format(&out, &network_elem, def, true);
	return nd_str_take(&out.s);
}

struct net_def *net_def_copy(const struct net_def *def)
{
	struct net_def *copy = calloc(1, sizeof(*copy));

	if (!copy)
		return NULL;
	if (xml_elem_copy(&network_elem, copy, def) < 0) {
		free(copy);
		return NULL;
	}
	copy->warnings = NULL;
	copy->n_warnings = 0;
	return copy;
}

bool net_def_equal(const struct net_def *a, const struct net_def *b)
{
	return xml_elem_equal(&network_elem, a, b);
}

int net_def_generate(struct net_def *def, struct nd_error *err)
{
	int r = 0;

	if (!def->has_uuid) {
		r = nd_uuid_random(&def->uuid);
		if (r < 0)
			return nd_error_sys(err, -r, "cannot make a random UUID");
		def->has_uuid = true;
	}
	if (!def->has_mac && forward_mode_is_l3(def->forward.mode)) {
		r = nd_mac_random(&def->mac);
		if (r < 0)
			return nd_error_sys(err, -r, "cannot make a random MAC address");
		def->has_mac = true;
	}
	return 0;
}

const char *net_def_bridge_template(const struct net_def *def)
{
	if (!forward_mode_is_l3(def->forward.mode))
		return NULL;
	if (!def->bridge.name)
		return "virbr%d";
	return strstr(def->bridge.name, "%d") ? def->bridge.name : NULL;
}
