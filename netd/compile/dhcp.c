/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dhcp.c -- the DHCPv4 server's configuration */
#include <errno.h>
#include <stdio.h>

#include "netd/base/array.h"
#include "netd/base/str.h"
#include "netd/compile/subnet.h"

static uint32_t lease_s(const struct lease_time *t, uint32_t otherwise)
{
	uint64_t s;

	if (!t->given)
		return otherwise;
	s = lease_time_s(t);
	return s == 0 || s > DHCP_LEASE_TIME_INFINITE ? DHCP_LEASE_TIME_INFINITE : (uint32_t)s;
}

static int hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ?
	       (c | 0x20) - 'a' + 10 : -1;
}

/* "01:52:54:0:aa:bb:cc" or the same digits without colons. Too long or odd: none. */
static void client_id_parse(const char *text, struct dhcp_reservation *r)
{
	uint8_t n = 0;

	while (*text && n < sizeof(r->client_id)) {
		int high = hex(*text++), low = hex(*text);

		if (high < 0)
			return;
		if (low >= 0)
			text++;
		r->client_id[n++] = low >= 0 ? (uint8_t)(high << 4 | low) : (uint8_t)high;
		if (*text == ':')
			text++;
	}
	r->client_id_len = *text ? 0 : n;
}

static int add_reservation(const struct dhcp_host *h, struct dhcp_config *out)
{
	struct dhcp_reservation *r;

	if (h->ip.family != AF_INET)
		return 0;
	r = nd_array_add(out->reservations, out->n_reservations);
	if (!r)
		return -ENOMEM;
	r->has_mac = h->mac && nd_mac_parse(h->mac, &r->mac);
	if (h->id)
		client_id_parse(h->id, r);
	if (h->name)
		snprintf(r->name, sizeof(r->name), "%s", h->name);
	r->address = h->ip.v4;
	r->lease_time_s = lease_s(&h->lease, 0);
	return 0;
}

static int add_pool(const struct dhcp_range *range, struct dhcp_config *out)
{
	struct dhcp_pool *pool = nd_array_add(out->pools, out->n_pools);

	if (!pool)
		return -ENOMEM;
	pool->start = range->start.v4;
	pool->end = range->end.v4;
	pool->lease_time_s = lease_s(&range->lease, DHCP_LEASE_TIME_DEFAULT_S);
	return 0;
}

/* Guests can reach a <route>'s gateway themselves, when it is in their subnet. */
static int add_routes(const struct net_def *def, const struct nd_prefix *subnet,
		      struct dhcp_config *out)
{
	for (size_t i = 0; i < def->n_routes; i++) {
		const struct route_def *r = &def->routes[i];
		struct nd_prefix dst = route_def_prefix(r);
		struct dhcp_static_route *route;

		if (r->gateway.family != AF_INET || !nd_prefix_contains(subnet, &r->gateway))
			continue;
		route = nd_array_add(out->routes, out->n_routes);
		if (!route)
			return -ENOMEM;
		dst = nd_prefix_masked(&dst);
		route->dst = dst.addr.v4;
		route->prefix_len = dst.len;
		route->gateway = r->gateway.v4;
	}
	return 0;
}

int compile_dhcp(const struct compile_input *in, struct dhcp_config *out)
{
	const struct net_def *def = in->def;
	const struct ip_def *ip = dhcp4_subnet(def);
	struct nd_prefix subnet;
	int r = 0;

	if (!ip)
		return 0;
	subnet = subnet_of(ip);
	out->enabled = true;
	out->server = ip->address.v4;
	out->prefix_len = subnet.len;
	out->lease_time_s = DHCP_LEASE_TIME_DEFAULT_S;
	if (!is_isolated(def))
		out->router = ip->address.v4;
	if (dns_enabled(def))
		out->dns = ip->address.v4;
	if (def->domain.name)
		snprintf(out->domain, sizeof(out->domain), "%s", def->domain.name);
	out->mtu_bytes = def->mtu_bytes;
	if (ip->bootp_file)
		snprintf(out->boot_file, sizeof(out->boot_file), "%s", ip->bootp_file);
	if (ip->bootp_file && ip->bootp_server.family == AF_INET)
		out->boot_server = ip->bootp_server.v4;
	for (size_t i = 0; i < ip->n_ranges && r == 0; i++)
		r = add_pool(&ip->ranges[i], out);
	for (size_t i = 0; i < ip->n_hosts && r == 0; i++)
		r = add_reservation(&ip->hosts[i], out);
	return r < 0 ? r : add_routes(def, &subnet, out);
}
