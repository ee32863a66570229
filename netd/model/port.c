/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/model/port.h"

#include <stdlib.h>
#include <string.h>

#include "netd/base/str.h"
#include "netd/model/elements.h"

#define PORT(field_) XML_FIELD(struct port_def, field_)
#define HAS(field_) XML_HAS(struct port_def, field_)
#define TEXT_ELEM(id, tag, ...) \
	static const struct xml_attr id##_attrs[] = { { __VA_ARGS__ } }; \
	static const struct xml_elem id##_elem = { \
		.name = tag, .size = sizeof(struct port_def), XML_ATTRS(id##_attrs) }

TEXT_ELEM(uuid, "uuid", .kind = XML_UUID, PORT(uuid), HAS(has_uuid), .err = ND_ERR_INTERNAL);
TEXT_ELEM(owner_name, "name", .kind = XML_STR, PORT(owner_name));
TEXT_ELEM(owner_uuid, "uuid", .kind = XML_UUID, PORT(owner_uuid), HAS(has_owner_uuid),
	  .err = ND_ERR_INTERNAL);
TEXT_ELEM(group, "group", .kind = XML_STR, PORT(group));

static const struct xml_child owner_children[] = {
	{ .elem = &owner_name_elem },
	{ .elem = &owner_uuid_elem },
};

static const struct xml_elem owner_elem = {
	.name = "owner", .size = sizeof(struct port_def), XML_CHILDREN(owner_children),
};

static const struct xml_attr mac_attrs[] = {
	{ .name = "address", .kind = XML_MAC, PORT(mac), HAS(has_mac), .required = true,
	  .err = ND_ERR_INTERNAL },
};

static const struct xml_elem mac_elem = {
	.name = "mac", .size = sizeof(struct port_def), XML_ATTRS(mac_attrs),
};

static const struct xml_attr isolated_attrs[] = {
	{ .name = "isolated", .kind = XML_TRI, PORT(isolated) },
};

static const struct xml_elem port_elem = {
	.name = "port", .size = sizeof(struct port_def), XML_ATTRS(isolated_attrs),
};

static const struct xml_attr rxfilters_attrs[] = {
	{ .name = "trustGuest", .kind = XML_TRI, PORT(trust_guest_rx_filters) },
};

static const struct xml_elem rxfilters_elem = {
	.name = "rxfilters", .size = sizeof(struct port_def), XML_ATTRS(rxfilters_attrs),
};

static const struct xml_attr driver_attrs[] = {
	{ .name = "name", .kind = XML_STR, PORT(hostdev_driver) },
	{ .name = "model", .kind = XML_STR, PORT(hostdev_driver_model) },
};

static const struct xml_elem driver_elem = {
	.name = "driver", .size = sizeof(struct port_def), XML_ATTRS(driver_attrs),
};

static const struct xml_attr address_attrs[] = {
	{ .name = "domain", .kind = XML_HEX, PORT(hostdev.domain), .digits = 4, .required = true },
	{ .name = "bus", .kind = XML_HEX, PORT(hostdev.bus), .digits = 2, .required = true },
	{ .name = "slot", .kind = XML_HEX, PORT(hostdev.slot), .digits = 2, .max = 0x1f,
	  .required = true },
	{ .name = "function", .kind = XML_HEX, PORT(hostdev.function), .digits = 1, .max = 7,
	  .required = true },
};

static bool is_hostdev(const struct xml_out *out, const void *self)
{
	return ((const struct port_def *)self)->plug == PORT_PLUG_HOSTDEV;
}

static const struct xml_elem address_elem = {
	.name = "address", .size = sizeof(struct port_def), XML_ATTRS(address_attrs),
	.present = is_hostdev,
};

static const char *const plug_types[] = {
	[PORT_PLUG_NETWORK] = "network",
	[PORT_PLUG_BRIDGE] = "bridge",
	[PORT_PLUG_DIRECT] = "direct",
	[PORT_PLUG_HOSTDEV] = "hostdev-pci",
};

static const char *const direct_modes[] = { "bridge", "passthrough", "private", "vepa" };

static bool has_element(const xmlNode *node, const char *name)
{
	const xmlNode *child;

	for (child = node->children; child; child = child->next)
		if (child->type == XML_ELEMENT_NODE && nd_streq((const char *)child->name, name))
			return true;
	return false;
}

static int check_direct(struct xml_in *in, const xmlNode *node, struct port_def *port)
{
	size_t i;

	free(port->plug_dev);
	port->plug_dev = xml_prop(node, "dev");
	if (!port->plug_dev || !*port->plug_dev)
		return xml_fail(in, node, ND_ERR_XML, "attribute 'dev' is missing");
	if (!port->direct_mode)
		port->direct_mode = strdup("vepa");
	if (!port->direct_mode)
		return nd_error_nomem(in->err);
	for (i = 0; i < ND_COUNT(direct_modes); i++)
		if (nd_streq(port->direct_mode, direct_modes[i]))
			return 0;
	return xml_fail(in, node, ND_ERR_XML, "unknown mode '%.100s'",
			port->direct_mode);
}

static int check_hostdev(struct xml_in *in, const xmlNode *node, struct port_def *port)
{
	free(port->plug_dev);
	port->plug_dev = NULL;
	if (!has_element(node, "address"))
		return xml_fail(in, node, ND_ERR_XML, "it needs an <address>");
	return 0;
}

/* What belongs to another type of plug. */
static void drop_strays(struct port_def *port)
{
	if (port->plug != PORT_PLUG_DIRECT) {
		free(port->direct_mode);
		port->direct_mode = NULL;
	}
	if (port->plug != PORT_PLUG_HOSTDEV) {
		free(port->hostdev_driver);
		free(port->hostdev_driver_model);
		port->hostdev_driver = port->hostdev_driver_model = NULL;
		port->hostdev_managed = false;
		port->hostdev = (struct pci_address){ 0 };
	}
	if (port->plug != PORT_PLUG_NETWORK && port->plug != PORT_PLUG_BRIDGE)
		port->mac_table_manager = MAC_TABLE_ABSENT;
}

static int plug_check(struct xml_in *in, const xmlNode *node, void *self)
{
	struct port_def *port = self;

	drop_strays(port);
	if (port->plug == PORT_PLUG_DIRECT)
		return check_direct(in, node, port);
	if (port->plug == PORT_PLUG_HOSTDEV)
		return check_hostdev(in, node, port);
	if (!port->plug_dev)
		return xml_fail(in, node, ND_ERR_XML, "attribute 'bridge' is missing");
	return 0;
}

static bool plug_present(const struct xml_out *out, const void *self)
{
	return ((const struct port_def *)self)->plug != PORT_PLUG_NONE;
}

static void format_bridge(struct xml_out *out, const void *self)
{
	const struct port_def *port = self;

	if (port->plug != PORT_PLUG_DIRECT && port->plug_dev)
		xml_out_attr(out, "bridge", port->plug_dev);
}

static void format_dev(struct xml_out *out, const void *self)
{
	const struct port_def *port = self;

	if (port->plug == PORT_PLUG_DIRECT && port->plug_dev)
		xml_out_attr(out, "dev", port->plug_dev);
}

static void format_managed(struct xml_out *out, const void *self)
{
	const struct port_def *port = self;

	if (port->plug == PORT_PLUG_HOSTDEV)
		xml_out_attr(out, "managed", port->hostdev_managed ? "yes" : "no");
}

static const struct xml_attr plug_attrs[] = {
	{ .name = "type", .kind = XML_ENUM, PORT(plug), XML_NAMES(plug_types), .required = true,
	  .bad = "unknown plug type" },
	{ .name = "bridge", .kind = XML_STR, PORT(plug_dev), .format = format_bridge },
	{ .name = "macTableManager", .kind = XML_ENUM, PORT(mac_table_manager), MAC_TABLE_NAMES },
	{ .name = "dev", .kind = XML_HOOK, .format = format_dev },
	{ .name = "mode", .kind = XML_STR, PORT(direct_mode) },
	{ .name = "managed", .kind = XML_YES, PORT(hostdev_managed), .format = format_managed },
};

static const struct xml_child plug_children[] = {
	{ .elem = &driver_elem },
	{ .elem = &address_elem },
};

static const struct xml_elem plug_elem = {
	.name = "plug", .size = sizeof(struct port_def), XML_ATTRS(plug_attrs),
	XML_CHILDREN(plug_children), .check = plug_check, .present = plug_present,
};

static int networkport_check(struct xml_in *in, const xmlNode *node, void *self)
{
	const struct port_def *port = self;
	const char *missing = NULL;

	if (!port->has_uuid)
		missing = "uuid";
	else if (!port->owner_name)
		missing = "owner><name";
	else if (!port->has_owner_uuid)
		missing = "owner><uuid";
	else if (!port->has_mac)
		missing = "mac";
	return missing ? xml_fail(in, node, ND_ERR_INTERNAL, "it has no <%s>", missing) : 0;
}

#define AT(field_) .at = offsetof(struct port_def, field_)
static const struct xml_child networkport_children[] = {
	{ .elem = &uuid_elem },
	{ .elem = &owner_elem },
	{ .elem = &group_elem },
	{ .elem = &mac_elem },
	{ .elem = &elem_virtualport, AT(virtualport) },
	{ .elem = &elem_port_bandwidth, AT(bandwidth) },
	{ .elem = &elem_vlan, AT(vlan) },
	{ .elem = &port_elem },
	{ .elem = &rxfilters_elem },
	{ .elem = &plug_elem },
};
#undef AT

static const struct xml_elem networkport_elem = {
	.name = "networkport", .size = sizeof(struct port_def),
	.line_at = offsetof(struct port_def, line),
	XML_CHILDREN(networkport_children), .check = networkport_check,
};

void port_def_free(struct port_def *port)
{
	if (!port)
		return;
	while (port->n_warnings)
		free(port->warnings[--port->n_warnings]);
	free(port->warnings);
	xml_elem_fini(&networkport_elem, port);
	free(port);
}

int port_def_parse(const char *xml, size_t len, struct port_def **out, struct nd_error *err)
{
	struct xml_warnings warnings = { 0 };
	struct xml_in in = { .warnings = &warnings, .err = err };
	ND_AUTO(port_def_free) struct port_def *port = calloc(1, sizeof(*port));
	ND_AUTO(xmlFreeDoc) xmlDoc *doc = NULL;
	xmlNode *root;
	int r;

	if (!port)
		return nd_error_nomem(err);
	r = xml_doc_parse(xml, len, "(networkport_definition)", &doc, err);
	if (r == 0)
		r = xml_doc_root(doc, "networkport", &root, err);
	if (r == 0)
		r = xml_elem_parse(&in, &networkport_elem, root, port);
	port->warnings = warnings.lines;
	port->n_warnings = warnings.n;
	if (r < 0)
		return r;
	*out = nd_take_ptr(&port);
	return 0;
}

char *port_def_format(const struct port_def *port)
{
	struct xml_out out = { .root = port };

	xml_elem_format(&out, &networkport_elem, port, true);
	return nd_str_take(&out.s);
}

struct port_def *port_def_copy(const struct port_def *port)
{
	struct port_def *copy = calloc(1, sizeof(*copy));

	if (!copy)
		return NULL;
	if (xml_elem_copy(&networkport_elem, copy, port) < 0) {
		free(copy);
		return NULL;
	}
	copy->warnings = NULL;
	copy->n_warnings = 0;
	return copy;
}
