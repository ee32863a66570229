/* SPDX-License-Identifier: GPL-2.0-or-later */
/* link_settings.c -- <vlan>, <virtualport> and <bandwidth>: of networks, portgroups and ports */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "netd/base/str.h"
#include "netd/model/elements.h"

#define RATE_MAX (UINT64_C(1) << 54)
#define BURST_MAX ((UINT64_C(1) << 22) - 1)
#define PROFILE_MAX 39
#define VLAN_ID_MAX 4095

const char *const mac_table_managers[] = {
	[MAC_TABLE_KERNEL] = "kernel",
	[MAC_TABLE_LIBVIRT] = "libvirt",
};

static const char *const native_modes[] = {
	[VLAN_NATIVE_TAGGED] = "tagged",
	[VLAN_NATIVE_UNTAGGED] = "untagged",
};

static const struct xml_attr tag_attrs[] = {
	{ .name = "id", .kind = XML_UINT, XML_FIELD(struct vlan_tag, id),
	  .max = VLAN_ID_MAX, .required = true },
	{ .name = "nativeMode", .kind = XML_ENUM, XML_FIELD(struct vlan_tag, native),
	  XML_NAMES(native_modes) },
};

static const struct xml_elem tag_elem = {
	.name = "tag", .size = sizeof(struct vlan_tag), XML_ATTRS(tag_attrs),
};

static int check_trunk(struct xml_in *in, const xmlNode *node, struct vlan_def *v, size_t natives)
{
	ND_AUTO(free) char *trunk = xml_prop(node, "trunk");

	if (!trunk) {
		v->trunk = v->n_tags > 1;
		return 0;
	}
	v->trunk = strcasecmp(trunk, "yes") == 0;
	if (v->trunk)
		return 0;
	if (strcasecmp(trunk, "no") != 0)
		return xml_fail(in, node, ND_ERR_XML, "trunk '%.100s' is not yes or no", trunk);
	if (v->n_tags > 1 || natives)
		return xml_fail(in, node, ND_ERR_XML,
				"several tags or a native mode make it a trunk: trunk='no' is wrong");
	return 0;
}

static int vlan_check(struct xml_in *in, const xmlNode *node, void *self)
{
	struct vlan_def *v = self;
	size_t i, natives = 0;

	if (v->n_tags == 0)
		return xml_fail(in, node, ND_ERR_XML, "it needs at least one <tag>");
	for (i = 0; i < v->n_tags; i++)
		natives += v->tags[i].native != VLAN_NATIVE_NONE;
	if (natives > 1)
		return xml_fail(in, node, ND_ERR_XML, "only one tag can have a native mode");
	return check_trunk(in, node, v, natives);
}

static const struct xml_attr vlan_attrs[] = {
	{ .name = "trunk", .kind = XML_YES, XML_FIELD(struct vlan_def, trunk) },
};

static const struct xml_child vlan_children[] = {
	{ .elem = &tag_elem, XML_ARRAY(struct vlan_def, tags, n_tags) },
};

const struct xml_elem elem_vlan = {
	.name = "vlan", .size = sizeof(struct vlan_def), .line_at = offsetof(struct vlan_def, line),
	XML_ATTRS(vlan_attrs), XML_CHILDREN(vlan_children), .check = vlan_check,
};

static const char *const virtualport_types[] = {
	[VIRTUALPORT_8021QBG] = "802.1Qbg",
	[VIRTUALPORT_8021QBH] = "802.1Qbh",
	[VIRTUALPORT_OPENVSWITCH] = "openvswitch",
	[VIRTUALPORT_MIDONET] = "midonet",
};

#define HAS(field) XML_HAS(struct virtualport_def, field)
static const struct xml_attr parameter_attrs[] = {
	{ .name = "managerid", .kind = XML_UINT, .or_hex = true, HAS(has_managerid),
	  XML_FIELD(struct virtualport_def, managerid) },
	{ .name = "typeid", .kind = XML_UINT, .or_hex = true, HAS(has_typeid), .max = 0xffffff,
	  XML_FIELD(struct virtualport_def, typeid) },
	{ .name = "typeidversion", .kind = XML_UINT, .or_hex = true, HAS(has_typeidversion),
	  XML_FIELD(struct virtualport_def, typeidversion) },
	{ .name = "instanceid", .kind = XML_UUID, HAS(has_instanceid),
	  XML_FIELD(struct virtualport_def, instanceid) },
	{ .name = "interfaceid", .kind = XML_UUID, HAS(has_interfaceid),
	  XML_FIELD(struct virtualport_def, interfaceid) },
	{ .name = "profileid", .kind = XML_STR, XML_FIELD(struct virtualport_def, profileid) },
};
#undef HAS

static int parameters_check(struct xml_in *in, const xmlNode *node, void *self)
{
	const struct virtualport_def *v = self;

	if (v->profileid && strlen(v->profileid) > PROFILE_MAX)
		return xml_fail(in, node, ND_ERR_XML, "profileid has more than %d characters",
				PROFILE_MAX);
	return 0;
}

static const struct xml_elem parameters_elem = {
	.name = "parameters", .size = sizeof(struct virtualport_def),
	XML_ATTRS(parameter_attrs), .check = parameters_check,
};

const char *virtualport_stray_parameter(const struct virtualport_def *v)
{
	bool qbg = v->type == VIRTUALPORT_8021QBG, qbh = v->type == VIRTUALPORT_8021QBH;
	bool ovs = v->type == VIRTUALPORT_OPENVSWITCH, midonet = v->type == VIRTUALPORT_MIDONET;

	if (v->type == VIRTUALPORT_UNTYPED)
		return NULL;
	if (v->has_managerid && !qbg)
		return "managerid";
	if (v->has_typeid && !qbg)
		return "typeid";
	if (v->has_typeidversion && !qbg)
		return "typeidversion";
	if (v->has_instanceid && !qbg)
		return "instanceid";
	if (v->has_interfaceid && !ovs && !midonet)
		return "interfaceid";
	return v->profileid && !ovs && !qbh ? "profileid" : NULL;
}

static int virtualport_check(struct xml_in *in, const xmlNode *node, void *self)
{
	struct virtualport_def *v = self;
	const char *stray = virtualport_stray_parameter(v);
	bool any = v->has_managerid || v->has_typeid || v->has_typeidversion ||
		   v->has_instanceid || v->has_interfaceid || v->profileid;

	if (stray)
		return xml_fail(in, node, ND_ERR_XML, "type '%s' does not have the parameter '%s'",
				virtualport_types[v->type], stray);
	if (v->type == VIRTUALPORT_UNTYPED && !any)
		v->type = VIRTUALPORT_ABSENT;
	return 0;
}

static void virtualport_init(void *self)
{
	((struct virtualport_def *)self)->type = VIRTUALPORT_UNTYPED;
}

static const struct xml_attr virtualport_attrs[] = {
	{ .name = "type", .kind = XML_ENUM, XML_FIELD(struct virtualport_def, type),
	  XML_NAMES(virtualport_types), .err = ND_ERR_CONFIG_UNSUPPORTED,
	  .bad = "unknown virtualport type" },
};

static const struct xml_child virtualport_children[] = {
	{ .elem = &parameters_elem },
};

const struct xml_elem elem_virtualport = {
	.name = "virtualport", .size = sizeof(struct virtualport_def),
	.line_at = offsetof(struct virtualport_def, line),
	XML_ATTRS(virtualport_attrs), XML_CHILDREN(virtualport_children),
	.init = virtualport_init, .check = virtualport_check,
};

static const struct xml_attr rate_attrs[] = {
	{ .name = "average", .kind = XML_UINT, XML_FIELD(struct bandwidth_rate, average),
	  .err = ND_ERR_CONFIG_UNSUPPORTED },
	{ .name = "peak", .kind = XML_UINT, XML_FIELD(struct bandwidth_rate, peak),
	  .err = ND_ERR_CONFIG_UNSUPPORTED },
	{ .name = "floor", .kind = XML_UINT, XML_FIELD(struct bandwidth_rate, floor),
	  .err = ND_ERR_CONFIG_UNSUPPORTED },
	{ .name = "burst", .kind = XML_UINT, XML_FIELD(struct bandwidth_rate, burst),
	  .err = ND_ERR_CONFIG_UNSUPPORTED },
};

static int rate_check(struct xml_in *in, const xmlNode *node, void *self)
{
	struct bandwidth_rate *r = self;

	if (!xmlHasProp(node, (const xmlChar *)"average") &&
	    !xmlHasProp(node, (const xmlChar *)"floor"))
		return xml_fail(in, node, ND_ERR_XML_DETAIL, "it needs 'average' or 'floor'");
	if ((r->peak || r->burst) && !xmlHasProp(node, (const xmlChar *)"average"))
		return xml_fail(in, node, ND_ERR_CONFIG_UNSUPPORTED,
				"'peak' and 'burst' need 'average'");
	if (!r->average && !r->floor) {
		*r = (struct bandwidth_rate){ 0 };	/* average='0' is: no limit */
		return 0;
	}
	r->given = true;
	if (r->average > RATE_MAX || r->peak > RATE_MAX || r->floor > RATE_MAX)
		return xml_fail(in, node, ND_ERR_OVERFLOW, "a rate is above %llu kilobytes a second",
				(unsigned long long)RATE_MAX);
	if (r->burst > BURST_MAX)
		return xml_fail(in, node, ND_ERR_OVERFLOW, "burst is above %llu KiB",
				(unsigned long long)BURST_MAX);
	return 0;
}

static const struct xml_elem inbound_elem = {
	.name = "inbound", .size = sizeof(struct bandwidth_rate), XML_ATTRS(rate_attrs),
	.check = rate_check,
};

static const struct xml_elem outbound_elem = {
	.name = "outbound", .size = sizeof(struct bandwidth_rate), XML_ATTRS(rate_attrs),
	.check = rate_check,
};

static int port_bandwidth_check(struct xml_in *in, const xmlNode *node, void *self)
{
	struct bandwidth_def *b = self;

	if (b->out.floor)
		return xml_fail(in, node, ND_ERR_CONFIG_UNSUPPORTED,
				"'floor' is not possible in <outbound>");
	b->given = b->in.given || b->out.given;
	return 0;
}

static int network_bandwidth_check(struct xml_in *in, const xmlNode *node, void *self)
{
	struct bandwidth_def *b = self;

	if (b->in.floor)
		return xml_fail(in, node, ND_ERR_CONFIG_UNSUPPORTED,
				"'floor' is only possible for a guest's interface");
	if (xmlHasProp(node, (const xmlChar *)"classID"))
		return xml_fail(in, node, ND_ERR_XML_DETAIL,
				"'classID' belongs to a port, not to a network");
	return port_bandwidth_check(in, node, self);
}

static const struct xml_attr bandwidth_attrs[] = {
	{ .name = "classID", .kind = XML_UINT, XML_FIELD(struct bandwidth_def, class_id),
	  .err = ND_ERR_XML_DETAIL },
};

static const struct xml_child bandwidth_children[] = {
	{ .elem = &inbound_elem, .at = offsetof(struct bandwidth_def, in),
	  .repeat = ND_ERR_XML_DETAIL },
	{ .elem = &outbound_elem, .at = offsetof(struct bandwidth_def, out),
	  .repeat = ND_ERR_XML_DETAIL },
};

const struct xml_elem elem_bandwidth = {
	.name = "bandwidth", .size = sizeof(struct bandwidth_def),
	.line_at = offsetof(struct bandwidth_def, line),
	XML_ATTRS(bandwidth_attrs), XML_CHILDREN(bandwidth_children),
	.check = network_bandwidth_check,
};

const struct xml_elem elem_port_bandwidth = {
	.name = "bandwidth", .size = sizeof(struct bandwidth_def),
	.line_at = offsetof(struct bandwidth_def, line),
	XML_ATTRS(bandwidth_attrs), XML_CHILDREN(bandwidth_children),
	.check = port_bandwidth_check,
};

static const struct xml_attr portgroup_attrs[] = {
	{ .name = "name", .kind = XML_STR, XML_FIELD(struct portgroup_def, name),
	  .required = true },
	{ .name = "default", .kind = XML_YES, XML_FIELD(struct portgroup_def, is_default) },
	{ .name = "trustGuestRxFilters", .kind = XML_TRI,
	  XML_FIELD(struct portgroup_def, trust_guest_rx_filters) },
};

static const struct xml_child portgroup_children[] = {
	{ .elem = &elem_vlan, .at = offsetof(struct portgroup_def, vlan) },
	{ .elem = &elem_virtualport, .at = offsetof(struct portgroup_def, virtualport) },
	{ .elem = &elem_bandwidth, .at = offsetof(struct portgroup_def, bandwidth) },
};

const struct xml_elem elem_portgroup = {
	.name = "portgroup", .size = sizeof(struct portgroup_def),
	.line_at = offsetof(struct portgroup_def, line), .spread = true,
	XML_ATTRS(portgroup_attrs), XML_CHILDREN(portgroup_children),
};
