/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/compile/subnet.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct nd_prefix subnet_of(const struct ip_def *ip)
{
	struct nd_prefix p = ip_def_prefix(ip);

	return nd_prefix_masked(&p);
}

bool is_v6(const struct ip_def *ip)
{
	return ip->address.family == AF_INET6;
}

bool subnet_seen(const struct net_def *def, size_t i)
{
	struct nd_prefix mine = subnet_of(&def->ips[i]), other;

	for (size_t j = 0; j < i; j++) {
		other = subnet_of(&def->ips[j]);
		if (other.len == mine.len && nd_ip_equal(&other.addr, &mine.addr))
			return true;
	}
	return false;
}

bool has_family(const struct net_def *def, sa_family_t family)
{
	for (size_t i = 0; i < def->n_ips; i++)
		if (def->ips[i].address.family == family)
			return true;
	return false;
}

bool judges_v6(const struct net_def *def)
{
	return has_family(def, AF_INET6) || def->ipv6 == TRI_YES;
}

const char *uplink_dev(const struct net_def *def)
{
	return def->forward.n_interfaces ? def->forward.interfaces[0].dev : NULL;
}

bool dns_enabled(const struct net_def *def)
{
	return def->n_ips > 0 && def->dns.enable != TRI_NO;
}

const struct ip_def *dhcp4_subnet(const struct net_def *def)
{
	for (size_t i = 0; i < def->n_ips; i++)
		if (!is_v6(&def->ips[i]) && ip_def_has_dhcp(&def->ips[i]))
			return &def->ips[i];
	return NULL;
}

bool is_isolated(const struct net_def *def)
{
	return def->forward.mode == FORWARD_NONE;
}

bool is_served(const struct net_def *def)
{
	return dns_enabled(def) || dhcp4_subnet(def);
}

bool uses_host_resolvers(const struct net_def *def)
{
	if (is_isolated(def))
		return false;
	for (size_t i = 0; i < def->dns.n_forwarders; i++)
		if (!def->dns.forwarders[i].domain)
			return false;
	return true;
}

char *uuid_alias(const struct nd_uuid *uuid, char *buf)
{
	char text[ND_UUID_STRLEN];

	snprintf(buf, 64, "netd:%s", nd_uuid_format(uuid, text));
	return buf;
}

int refuse(struct nd_error *err, enum nd_err kind, const char *element, int line,
	   const char *fmt, ...)
{
	char text[768];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (line)
		return nd_error_set(err, kind, "<%s> (line %d): %s", element, line, text);
	return nd_error_set(err, kind, "<%s>: %s", element, text);
}
