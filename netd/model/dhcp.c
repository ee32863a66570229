/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dhcp.c -- what <dhcp> is made of: ranges, hosts, lease times */
#include <ctype.h>
#include <string.h>

#include "netd/base/str.h"
#include "netd/model/elements.h"

#define LEASE_MIN_S 120
#define LEASE_MAX_S UINT32_MAX		/* DHCP's 32 bits, of which all ones mean for ever */
#define RANGE_MAX 65535			/* how far apart the ends of a range may be */
#define RANGE_V6_PREFIX 112		/* an IPv6 range's ends differ in the last 16 bits only */

static const char *const lease_units[] = {
	[LEASE_UNIT_MINUTES] = "minutes",
	[LEASE_UNIT_SECONDS] = "seconds",
	[LEASE_UNIT_HOURS] = "hours",
};

static uint64_t unit_s(const struct lease_time *t)
{
	switch (t->unit) {
	case LEASE_UNIT_SECONDS: return 1;
	case LEASE_UNIT_HOURS:	 return 3600;
	default:		 return 60;
	}
}

uint64_t lease_time_s(const struct lease_time *t)
{
	return t->expiry * unit_s(t);
}

static int lease_check(struct xml_in *in, const xmlNode *node, void *self)
{
	struct lease_time *t = self;

	t->given = xmlHasProp(node, (const xmlChar *)"expiry");
	if (!t->given)
		xml_warn(in, node, "without 'expiry' it is ignored");
	if (t->expiry == 0) {
		t->unit = LEASE_UNIT_MINUTES;
		return 0;
	}
	if (t->expiry >= LEASE_MAX_S / unit_s(t))
		return xml_fail(in, node, ND_ERR_CONFIG_UNSUPPORTED,
				"a lease of %llu %s is longer than DHCP can say; 0 is infinite",
				(unsigned long long)t->expiry, lease_units[t->unit]);
	if (lease_time_s(t) < LEASE_MIN_S)
		return xml_fail(in, node, ND_ERR_CONFIG_UNSUPPORTED,
				"a lease of %llu seconds is shorter than %d",
				(unsigned long long)lease_time_s(t), LEASE_MIN_S);
	return 0;
}

static bool lease_present(const struct xml_out *out, const void *self)
{
	return ((const struct lease_time *)self)->given;
}

static void format_unit(struct xml_out *out, const void *self)
{
	const struct lease_time *t = self;

	if (t->expiry)
		xml_out_attr(out, "unit", lease_units[t->unit]);
}

static const struct xml_attr lease_attrs[] = {
	{ .name = "expiry", .kind = XML_UINT, XML_FIELD(struct lease_time, expiry),
	  .print_zero = true },
	{ .name = "unit", .kind = XML_ENUM, XML_FIELD(struct lease_time, unit),
	  XML_NAMES(lease_units), .format = format_unit },
};

static const struct xml_elem lease_elem = {
	.name = "lease", .size = sizeof(struct lease_time), XML_ATTRS(lease_attrs),
	.check = lease_check, .present = lease_present,
};

static const struct xml_attr range_attrs[] = {
	{ .name = "start", .kind = XML_IP, XML_FIELD(struct dhcp_range, start), .required = true },
	{ .name = "end", .kind = XML_IP, XML_FIELD(struct dhcp_range, end), .required = true },
};

static const struct xml_child range_children[] = {
	{ .elem = &lease_elem, .at = offsetof(struct dhcp_range, lease) },
};

const struct xml_elem elem_dhcp_range = {
	.name = "range", .size = sizeof(struct dhcp_range),
	.line_at = offsetof(struct dhcp_range, line),
	XML_ATTRS(range_attrs), XML_CHILDREN(range_children),
};

static int host_check(struct xml_in *in, const xmlNode *node, void *self)
{
	const struct dhcp_host *h = self;
	struct nd_mac mac;

	if (h->mac && !nd_mac_parse(h->mac, &mac))
		return xml_fail(in, node, ND_ERR_XML, "mac '%.100s' is not a MAC address", h->mac);
	if (h->mac && nd_mac_is_multicast(&mac))
		return xml_fail(in, node, ND_ERR_XML,
				"mac '%.100s' is a multicast address, no NIC has it", h->mac);
	if (h->id && h->id[strspn(h->id, "0123456789abcdefABCDEF:")])
		return xml_fail(in, node, ND_ERR_XML,
				"id '%.200s' has something else than hex digits and ':'", h->id);
	if (h->name && !isalnum((unsigned char)h->name[0]))
		return xml_fail(in, node, ND_ERR_XML,
				"name '%.200s' does not begin with a letter or digit", h->name);
	return 0;
}

static const struct xml_attr host_attrs[] = {
	{ .name = "mac", .kind = XML_STR, XML_FIELD(struct dhcp_host, mac),
	  .may_be_empty = true },
	{ .name = "id", .kind = XML_STR, XML_FIELD(struct dhcp_host, id) },
	{ .name = "name", .kind = XML_STR, XML_FIELD(struct dhcp_host, name),
	  .may_be_empty = true },
	{ .name = "ip", .kind = XML_IP, XML_FIELD(struct dhcp_host, ip) },
};

static const struct xml_child host_children[] = {
	{ .elem = &lease_elem, .at = offsetof(struct dhcp_host, lease) },
};

const struct xml_elem elem_dhcp_host = {
	.name = "host", .size = sizeof(struct dhcp_host),
	.line_at = offsetof(struct dhcp_host, line),
	XML_ATTRS(host_attrs), XML_CHILDREN(host_children), .check = host_check,
};

int dhcp_host_check(const struct dhcp_host *h, sa_family_t family, struct nd_error *err)
{
	const char *need = family == AF_INET ? "mac" : "id";

	if (!h->ip.family)
		return xml_fail_at(err, "host", h->line, ND_ERR_XML, "attribute 'ip' is missing");
	if (family == AF_INET6 && h->mac)
		return xml_fail_at(err, "host", h->line, ND_ERR_XML,
				   "DHCPv6 does not know clients by 'mac': give 'id' or 'name'");
	if (!h->name && !(family == AF_INET ? h->mac : h->id))
		return xml_fail_at(err, "host", h->line, ND_ERR_XML, "it needs '%s' or 'name'",
				   need);
	return 0;
}

static int range_outside(const struct dhcp_range *range, const struct nd_prefix *subnet,
			 const struct nd_ip *ip, struct nd_error *err)
{
	char a[ND_IP_STRLEN], p[ND_PREFIX_STRLEN];
	struct nd_prefix net = nd_prefix_masked(subnet);

	return xml_fail_at(err, "range", range->line, ND_ERR_INTERNAL,
			   "%s is not an address for guests of %s", nd_ip_format(ip, a),
			   nd_prefix_format(&net, p));
}

static bool is_network_or_broadcast(const struct nd_prefix *subnet, const struct nd_ip *ip)
{
	struct nd_prefix net = nd_prefix_masked(subnet);
	struct nd_ip broadcast = nd_ip_from4(nd_prefix_broadcast(subnet));

	return nd_ip_equal(&net.addr, ip) || nd_ip_equal(&broadcast, ip);
}

static int range_size_check(const struct dhcp_range *range, struct nd_error *err)
{
	struct nd_prefix last = { .addr = range->start, .len = RANGE_V6_PREFIX };

	if (nd_ip_compare(&range->start, &range->end) > 0)
		return xml_fail_at(err, "range", range->line, ND_ERR_INTERNAL,
				   "it ends before it starts");
	if (range->start.family == AF_INET
	    ? ntohl(range->end.v4.s_addr) - ntohl(range->start.v4.s_addr) > RANGE_MAX
	    : !nd_prefix_contains(&last, &range->end))
		return xml_fail_at(err, "range", range->line, ND_ERR_INTERNAL,
				   "it has more than %d addresses", RANGE_MAX + 1);
	return 0;
}

int dhcp_range_check(const struct dhcp_range *range, const struct nd_prefix *subnet,
		     struct nd_error *err)
{
	const struct nd_ip *ends[] = { &range->start, &range->end };
	size_t i;

	for (i = 0; i < ND_COUNT(ends); i++) {
		if (ends[i]->family != subnet->addr.family ||
		    !nd_prefix_contains(subnet, ends[i]))
			return range_outside(range, subnet, ends[i], err);
		if (ends[i]->family == AF_INET && is_network_or_broadcast(subnet, ends[i]))
			return range_outside(range, subnet, ends[i], err);
	}
	return range_size_check(range, err);
}
