/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ip.c -- the <ip> element with its DHCP */
#include <ctype.h>
#include <stdlib.h>
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

static const struct xml_attr bootp_attrs[] = {
	{ .name = "file", .kind = XML_STR, XML_FIELD(struct ip_def, bootp_file),
	  .required = true },
	{ .name = "server", .kind = XML_IP, XML_FIELD(struct ip_def, bootp_server) },
};

static const struct xml_elem bootp_elem = {
	.name = "bootp", .size = sizeof(struct ip_def), XML_ATTRS(bootp_attrs),
};

static const struct xml_child dhcp_children[] = {
	{ .elem = &elem_dhcp_range, XML_ARRAY(struct ip_def, ranges, n_ranges) },
	{ .elem = &elem_dhcp_host, XML_ARRAY(struct ip_def, hosts, n_hosts) },
	{ .elem = &bootp_elem },
};

static int dhcp_check(struct xml_in *in, const xmlNode *node, void *self)
{
	struct ip_def *ip = self;

	if (ip->bootp_file && !ip_def_has_dhcp(ip)) {
		xml_warn(in, node, "<bootp> without a range or host is ignored");
		free(ip->bootp_file);
		ip->bootp_file = NULL;
		ip->bootp_server = (struct nd_ip){ 0 };
	}
	return 0;
}

static const struct xml_elem dhcp_elem = {
	.name = "dhcp", .size = sizeof(struct ip_def),
	.line_at = offsetof(struct ip_def, dhcp_line), XML_CHILDREN(dhcp_children),
	.check = dhcp_check,
};

static const struct xml_attr tftp_attrs[] = {
	{ .name = "root", .kind = XML_STR, XML_FIELD(struct ip_def, tftp_root) },
};

static const struct xml_elem tftp_elem = {
	.name = "tftp", .size = sizeof(struct ip_def),
	.line_at = offsetof(struct ip_def, tftp_line), XML_ATTRS(tftp_attrs),
};

bool ip_def_has_dhcp(const struct ip_def *ip)
{
	return ip->n_ranges || ip->n_hosts;
}

/* The prefix length of the address' class; -1 for classes D and E. */
static int class_len(struct in_addr addr)
{
	uint32_t host = ntohl(addr.s_addr);

	if (!(host & UINT32_C(1) << 31))
		return 8;
	if (!(host & UINT32_C(1) << 30))
		return 16;
	return host & UINT32_C(1) << 29 ? -1 : 24;
}

static int prefix_len(const struct nd_ip *address, const struct nd_ip *netmask, int prefix)
{
	if (prefix >= 0)
		return prefix;
	if (netmask->family == AF_INET)
		return nd_netmask_len(netmask->v4);
	return address->family == AF_INET6 ? 64 : class_len(address->v4);
}

struct nd_prefix ip_def_prefix(const struct ip_def *ip)
{
	int len = prefix_len(&ip->address, &ip->netmask, ip->prefix);

	/* Checked when parsed; for a struct made otherwise the smallest subnet. */
	return (struct nd_prefix){ .addr = ip->address,
				   .len = len < 0 ? 32 : (uint8_t)len };
}

static int check_family(struct xml_in *in, const xmlNode *node, const struct ip_def *ip)
{
	bool v6 = ip->family && nd_streq(ip->family, "ipv6");

	if (ip->family && !v6 && !nd_streq(ip->family, "ipv4"))
		return xml_fail(in, node, ND_ERR_XML, "family '%.100s' is not ipv4 or ipv6",
				ip->family);
	if (v6 == (ip->address.family == AF_INET6))
		return 0;
	return xml_fail(in, node, ND_ERR_CONFIG_UNSUPPORTED,
			v6 ? "family is ipv6, the address is IPv4"
			   : "an IPv6 address needs family='ipv6'");
}

static int check_mask(struct xml_in *in, const xmlNode *node, const struct ip_def *ip)
{
	bool v6 = ip->address.family == AF_INET6;

	if (ip->netmask.family && (v6 || ip->netmask.family != AF_INET))
		return xml_fail(in, node, ND_ERR_CONFIG_UNSUPPORTED,
				"a netmask is only for IPv4, give 'prefix'");
	if (ip->netmask.family && ip->prefix >= 0)
		return xml_fail(in, node, ND_ERR_CONFIG_UNSUPPORTED,
				"netmask and prefix together");
	if (ip->prefix > (v6 ? 128 : 32))
		return xml_fail(in, node, ND_ERR_CONFIG_UNSUPPORTED, "prefix %d is above %d",
				ip->prefix, v6 ? 128 : 32);
	if (ip->netmask.family && nd_netmask_len(ip->netmask.v4) < 0)
		return xml_fail(in, node, ND_ERR_CONFIG_UNSUPPORTED,
				"the netmask has a hole in it");
	if (prefix_len(&ip->address, &ip->netmask, ip->prefix) < 0)
		return xml_fail(in, node, ND_ERR_CONFIG_UNSUPPORTED,
				"the address belongs to no network, it is multicast or reserved");
	return 0;
}

static int check_dhcp(struct xml_in *in, struct ip_def *ip)
{
	struct nd_prefix subnet = ip_def_prefix(ip);
	size_t i;
	int r;

	for (i = 0; i < ip->n_ranges; i++) {
		r = dhcp_range_check(&ip->ranges[i], &subnet, in->err);
		if (r < 0)
			return r;
	}
	for (i = 0; i < ip->n_hosts; i++) {
		r = dhcp_host_check(&ip->hosts[i], subnet.addr.family, in->err);
		if (r < 0)
			return r;
		if (!nd_prefix_contains(&subnet, &ip->hosts[i].ip))
			xml_warn_at(in, "host", ip->hosts[i].line,
				    "its address is not in the subnet: the network will not start with it");
	}
	return 0;
}

static void ip_init(void *self)
{
	((struct ip_def *)self)->prefix = -1;
}

static int ip_check(struct xml_in *in, const xmlNode *node, void *self)
{
	struct ip_def *ip = self;
	int r = check_family(in, node, ip);

	if (ip->prefix == 0)
		ip->prefix = -1;
	if (r == 0)
		r = check_mask(in, node, ip);
	if (r < 0)
		return r;
	if (ip->tftp_root && ip->address.family != AF_INET)
		return xml_fail(in, node, ND_ERR_CONFIG_UNSUPPORTED, "<tftp> is only for IPv4");
	if (ip->bootp_file && ip->address.family != AF_INET) {
		xml_warn(in, node, "<bootp> is only for IPv4, ignored");
		free(ip->bootp_file);
		ip->bootp_file = NULL;
		ip->bootp_server = (struct nd_ip){ 0 };
	}
	return check_dhcp(in, ip);
}

static const struct xml_attr ip_attrs[] = {
	{ .name = "family", .kind = XML_STR, XML_FIELD(struct ip_def, family) },
	{ .name = "address", .kind = XML_IP, XML_FIELD(struct ip_def, address), .required = true },
	{ .name = "netmask", .kind = XML_IP, XML_FIELD(struct ip_def, netmask) },
	{ .name = "prefix", .kind = XML_PREFIX, XML_FIELD(struct ip_def, prefix) },
	{ .name = "localPtr", .kind = XML_TRI, XML_FIELD(struct ip_def, local_ptr) },
};

static const struct xml_child ip_children[] = {
	{ .elem = &tftp_elem },
	{ .elem = &dhcp_elem },
};

const struct xml_elem elem_ip = {
	.name = "ip", .size = sizeof(struct ip_def), .line_at = offsetof(struct ip_def, line),
	.spread = true, XML_ATTRS(ip_attrs), XML_CHILDREN(ip_children),
	.init = ip_init, .check = ip_check,
};

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
