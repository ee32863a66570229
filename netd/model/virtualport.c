/* SPDX-License-Identifier: GPL-2.0-or-later */
/* virtualport.c -- the <virtualport> element of networks, portgroups and ports */
#include <string.h>

#include "netd/model/elements.h"

#define PROFILE_MAX 39

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

const char *virtualport_missing_parameter(const struct virtualport_def *v)
{
	bool qbg = v->type == VIRTUALPORT_8021QBG;

	if (qbg && !v->has_managerid)
		return "managerid";
	if (qbg && !v->has_typeid)
		return "typeid";
	if (qbg && !v->has_typeidversion)
		return "typeidversion";
	if (v->type == VIRTUALPORT_8021QBH && !v->profileid)
		return "profileid";
	return v->type == VIRTUALPORT_MIDONET && !v->has_interfaceid ? "interfaceid" : NULL;
}

static int generate_id(struct nd_uuid *id, bool *has, struct nd_error *err)
{
	int r = *has ? 0 : nd_uuid_random(id);

	if (r < 0)
		return nd_error_sys(err, -r, "cannot make a random UUID");
	*has = true;
	return 0;
}

int virtualport_generate(struct virtualport_def *v, struct nd_error *err)
{
	if (v->type == VIRTUALPORT_8021QBG)
		return generate_id(&v->instanceid, &v->has_instanceid, err);
	return v->type == VIRTUALPORT_OPENVSWITCH ? generate_id(&v->interfaceid, &v->has_interfaceid, err) : 0;
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
