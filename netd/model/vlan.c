/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vlan.c -- the <vlan> element of networks, portgroups and ports */
#include <stdlib.h>
#include <strings.h>

#include "netd/base/str.h"
#include "netd/model/elements.h"

#define VLAN_ID_MAX 4095

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
