/* SPDX-License-Identifier: GPL-2.0-or-later */
/* route.c -- the <route> element */
#include "netd/base/str.h"
#include "netd/model/elements.h"

struct nd_prefix route_def_prefix(const struct route_def *r)
{
	int len = r->prefix;

	if (len < 0)
		len = r->netmask.family == AF_INET ? nd_netmask_len(r->netmask.v4) : 0;
	return (struct nd_prefix){ .addr = r->address, .len = len < 0 ? 32 : (uint8_t)len };
}

static int route_check_mask(struct xml_in *in, const xmlNode *node, const struct route_def *r)
{
	bool v6 = r->address.family == AF_INET6;
	struct nd_prefix net, masked;

	if (r->netmask.family && (v6 || r->netmask.family != AF_INET))
		return xml_fail(in, node, ND_ERR_XML, "a netmask is only for IPv4, give 'prefix'");
	if (r->netmask.family && r->prefix >= 0)
		return xml_fail(in, node, ND_ERR_XML, "netmask and prefix together");
	if (r->prefix > (v6 ? 128 : 32))
		return xml_fail(in, node, ND_ERR_XML, "prefix %d is above %d", r->prefix,
				v6 ? 128 : 32);
	if (r->netmask.family && nd_netmask_len(r->netmask.v4) < 0)
		return xml_fail(in, node, ND_ERR_XML, "the netmask has a hole in it");
	net = route_def_prefix(r);
	masked = nd_prefix_masked(&net);
	if (!nd_ip_equal(&net.addr, &masked.addr))
		return xml_fail(in, node, ND_ERR_XML,
				"the address has bits set beyond its prefix of %u", net.len);
	return 0;
}

static int route_check(struct xml_in *in, const xmlNode *node, void *self)
{
	const struct route_def *r = self;
	bool v6 = r->family && nd_streq(r->family, "ipv6");
	sa_family_t family = v6 ? AF_INET6 : AF_INET;

	if (r->family && !v6 && !nd_streq(r->family, "ipv4"))
		return xml_fail(in, node, ND_ERR_XML, "family '%.100s' is not ipv4 or ipv6",
				r->family);
	if (r->address.family != family || r->gateway.family != family)
		return xml_fail(in, node, ND_ERR_XML, "address and gateway must be IPv%c%s",
				v6 ? '6' : '4', v6 ? "" : " unless family='ipv6'");
	return route_check_mask(in, node, r);
}

static void route_init(void *self)
{
	((struct route_def *)self)->prefix = -1;
}

static const struct xml_attr route_attrs[] = {
	{ .name = "family", .kind = XML_STR, XML_FIELD(struct route_def, family) },
	{ .name = "address", .kind = XML_IP, XML_FIELD(struct route_def, address),
	  .required = true },
	{ .name = "netmask", .kind = XML_IP, XML_FIELD(struct route_def, netmask) },
	{ .name = "prefix", .kind = XML_PREFIX, XML_FIELD(struct route_def, prefix) },
	{ .name = "gateway", .kind = XML_IP, XML_FIELD(struct route_def, gateway),
	  .required = true },
	{ .name = "metric", .kind = XML_UINT, XML_FIELD(struct route_def, metric), .min = 1 },
};

const struct xml_elem elem_route = {
	.name = "route", .size = sizeof(struct route_def),
	.line_at = offsetof(struct route_def, line),
	XML_ATTRS(route_attrs), .init = route_init, .check = route_check,
};
