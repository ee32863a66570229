/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ip.c -- the <ip> element */
#include <stdlib.h>

#include "netd/base/str.h"
#include "netd/model/elements.h"

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
