/* SPDX-License-Identifier: GPL-2.0-or-later */
/* portgroup.c -- the <portgroup> element */
#include "netd/model/elements.h"

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
