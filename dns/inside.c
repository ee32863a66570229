/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dns/inside.h"

#include <string.h>

#include "dns/message.h"

#define HINT_IPV4 4	/* RFC 9460 14.3.2 */
#define HINT_IPV6 6

bool dns_inside_network(const struct dns_inside *in, const struct nd_ip *ip)
{
	for (size_t i = 0; i < in->n_subnets; i++)
		if (nd_prefix_contains(&in->subnets[i], ip))
			return true;
	return false;
}

static bool is_local4(struct in_addr a)
{
	uint32_t host = ntohl(a.s_addr);

	return host >> 24 == 0 || host >> 24 == 127 || host >> 16 == (169 << 8 | 254);
}

/* An IPv4 address in an IPv6 one: mapped, compatible, or behind NAT64 (RFC 6052 2.1). */
static bool embedded4(const struct in6_addr *a, struct nd_ip *out)
{
	static const uint8_t nat64[12] = { 0, 0x64, 0xff, 0x9b };
	struct in_addr v4;

	if (!IN6_IS_ADDR_V4MAPPED(a) && !IN6_IS_ADDR_V4COMPAT(a) &&
	    memcmp(a->s6_addr, nat64, sizeof(nat64)) != 0)
		return false;
	memcpy(&v4, a->s6_addr + 12, sizeof(v4));
	*out = nd_ip_from4(v4);
	return true;
}

bool dns_inside_has(const struct dns_inside *in, const struct nd_ip *ip)
{
	struct nd_ip v4;

	if (ip->family == AF_INET)
		return is_local4(ip->v4) || dns_inside_network(in, ip);
	return IN6_IS_ADDR_UNSPECIFIED(&ip->v6) || IN6_IS_ADDR_LOOPBACK(&ip->v6) ||
	       IN6_IS_ADDR_LINKLOCAL(&ip->v6) || dns_inside_network(in, ip) ||
	       (embedded4(&ip->v6, &v4) && dns_inside_has(in, &v4));
}

/* One address after the other, as long as there are whole ones. */
static bool list_has(const struct dns_inside *in, sa_family_t family, struct rd list)
{
	size_t len = family == AF_INET ? 4 : 16;

	while (rd_left(&list) >= len) {
		struct nd_ip ip = { .family = family };

		memcpy(&ip.v6, rd_bytes(&list, len), len);
		if (dns_inside_has(in, &ip))
			return true;
	}
	return false;
}

static bool hints_have(const struct dns_inside *in, struct rd rdata)
{
	uint8_t label;

	rd_skip(&rdata, 2);
	while ((label = rd_u8(&rdata)))		/* the target, which is never compressed */
		rd_skip(&rdata, label);
	while (rd_more(&rdata)) {
		uint16_t key = rd_u16(&rdata);
		struct rd value = rd_sub(&rdata, rd_u16(&rdata));

		if (rdata.bad)
			return false;
		if ((key == HINT_IPV4 && list_has(in, AF_INET, value)) ||
		    (key == HINT_IPV6 && list_has(in, AF_INET6, value)))
			return true;
	}
	return false;
}

bool dns_inside_record(const struct dns_inside *in, uint16_t type, struct rd rdata)
{
	switch (type) {
	case DNS_TYPE_A:
		return list_has(in, AF_INET, rdata);
	case DNS_TYPE_AAAA:
		return list_has(in, AF_INET6, rdata);
	case DNS_TYPE_SVCB:
	case DNS_TYPE_HTTPS:
		return hints_have(in, rdata);
	default:
		return false;
	}
}
