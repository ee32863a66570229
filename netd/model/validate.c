/* SPDX-License-Identifier: GPL-2.0-or-later */
/* validate.c -- the rules that a definition must keep, beyond what the parser asks
 *
 * They run on define and create, not when netd reads its own files: a definition that an older
 * netd accepted must not vanish.
 */
#include <ctype.h>
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "netd/base/hash.h"
#include "netd/base/str.h"
#include "netd/model/elements.h"

#define MTU_MIN 68		/* RFC 791 */
#define MTU_MAX 65535
#define IPS_MAX 1024		/* each is compared with each route and each other subnet */
#define ROUTES_MAX 4096
#define UNSUPPORTED ND_ERR_CONFIG_UNSUPPORTED

static bool owns_bridge(const struct net_def *def)
{
	return forward_mode_is_l3(def->forward.mode);
}

static int check_name(const struct net_def *def, struct nd_error *err)
{
	if (strchr(def->name, '\n'))
		return xml_fail_at(err, "network", def->line, ND_ERR_XML_DETAIL,
				   "its name cannot have a line end in it");
	return 0;
}

/* What the kernel takes as a device's name; a template may have one %d. */
static bool valid_ifname(const char *name, bool template)
{
	const char *number = template ? strstr(name, "%d") : NULL;
	size_t len = strlen(name) - (number ? 1 : 0);
	const char *c;

	if (len == 0 || len >= IFNAMSIZ || nd_streq(name, ".") || nd_streq(name, ".."))
		return false;
	for (c = name; *c; c++)
		if (*c == '/' || *c == ':' || isspace((unsigned char)*c))
			return false;
	return !strchr(number ? number + 1 : name, '%') &&
	       (!number || strchr(name, '%') == number);
}

static int bad_ifname(const char *element, int line, const char *name, struct nd_error *err)
{
	return xml_fail_at(err, element, line, UNSUPPORTED,
			   "'%.100s' cannot be a device's name: at most %d characters, no blank, "
			   "no '/', ':' or '%%'", name, IFNAMSIZ - 1);
}

static int check_device_names(const struct net_def *def, struct nd_error *err)
{
	const struct forward *f = &def->forward;
	size_t i;

	if (def->bridge.name && !valid_ifname(def->bridge.name, owns_bridge(def)))
		return bad_ifname("bridge", def->bridge.line, def->bridge.name, err);
	for (i = 0; i < f->n_interfaces; i++)
		if (!valid_ifname(f->interfaces[i].dev, false))
			return bad_ifname("interface", f->interfaces[i].line,
					  f->interfaces[i].dev, err);
	if (f->pf_dev && !valid_ifname(f->pf_dev, false))
		return bad_ifname("pf", f->pf_line, f->pf_dev, err);
	return 0;
}

static int check_mtu(const struct net_def *def, struct nd_error *err)
{
	if (def->mtu_bytes && (def->mtu_bytes < MTU_MIN || def->mtu_bytes > MTU_MAX))
		return xml_fail_at(err, "mtu", def->mtu_line, UNSUPPORTED, "size %u is not in %d to %d",
				   def->mtu_bytes, MTU_MIN, MTU_MAX);
	return 0;
}

static int not_in_mode(const struct net_def *def, const char *element, int line,
		       struct nd_error *err)
{
	return xml_fail_at(err, element, line, UNSUPPORTED, "it is not possible in mode '%s'",
			   forward_mode_name(def->forward.mode));
}

/* What only a bridge of netd's own can have. */
static int check_mode(const struct net_def *def, struct nd_error *err)
{
	const struct dns_def *dns = &def->dns;

	if (owns_bridge(def))
		return 0;
	if (def->has_mac)
		return not_in_mode(def, "mac", def->mac_line, err);
	if (def->domain.name)
		return not_in_mode(def, "domain", def->domain.line, err);
	if (dns->n_txts || dns->n_srvs || dns->n_hosts)
		return not_in_mode(def, "dns", dns->line, err);
	if (def->n_ips)
		return not_in_mode(def, "ip", def->ips[0].line, err);
	return 0;
}

static int check_bandwidth(const struct net_def *def, struct nd_error *err)
{
	size_t i;

	if (owns_bridge(def) || (def->forward.mode == FORWARD_BRIDGE && def->bridge.name))
		return 0;
	if (def->bandwidth.given)
		return not_in_mode(def, "bandwidth", def->bandwidth.line, err);
	for (i = 0; i < def->n_portgroups; i++)
		if (def->portgroups[i].bandwidth.given)
			return not_in_mode(def, "bandwidth", def->portgroups[i].bandwidth.line, err);
	return 0;
}

static int check_portgroup_names(const struct net_def *def, struct nd_hash *seen,
				 struct nd_error *err)
{
	size_t i;

	for (i = 0; i < def->n_portgroups; i++) {
		struct portgroup_def *pg = &def->portgroups[i];
		size_t len = strlen(pg->name);

		if (nd_hash_find(seen, pg->name, len))
			return xml_fail_at(err, "portgroup", pg->line, UNSUPPORTED,
					   "there is another one named '%.200s'", pg->name);
		if (nd_hash_set(seen, pg->name, len, pg) < 0)
			return nd_error_nomem(err);
	}
	return 0;
}

static int check_portgroup_default(const struct net_def *def, struct nd_error *err)
{
	const struct portgroup_def *first = NULL;
	size_t i;

	for (i = 0; i < def->n_portgroups; i++) {
		const struct portgroup_def *pg = &def->portgroups[i];

		if (pg->is_default && first)
			return xml_fail_at(err, "portgroup", pg->line, UNSUPPORTED,
					   "'%.200s' and '%.200s' cannot both be the default",
					   first->name, pg->name);
		if (pg->is_default)
			first = pg;
	}
	return 0;
}

static int check_portgroups(const struct net_def *def, struct nd_error *err)
{
	struct nd_hash *seen = nd_hash_new();
	int r = seen ? check_portgroup_names(def, seen, err) : nd_error_nomem(err);

	nd_hash_free(seen);
	return r < 0 ? r : check_portgroup_default(def, err);
}

/* Whether guests of the network itself can have VLAN tags. */
static bool vlan_possible(const struct net_def *def)
{
	switch (def->forward.mode) {
	case FORWARD_HOSTDEV:
	case FORWARD_PASSTHROUGH:
		return true;
	case FORWARD_BRIDGE:
		return def->virtualport.type == VIRTUALPORT_ABSENT ||
		       def->virtualport.type == VIRTUALPORT_OPENVSWITCH;
	default:
		return false;
	}
}

static bool vlan_possible_in(const struct net_def *def, const struct portgroup_def *pg)
{
	if (pg->virtualport.type == VIRTUALPORT_ABSENT)
		return vlan_possible(def);
	return def->forward.mode == FORWARD_BRIDGE &&
	       pg->virtualport.type == VIRTUALPORT_OPENVSWITCH;
}

static int check_vlan(const struct net_def *def, struct nd_error *err)
{
	bool has_default = false;
	size_t i;

	for (i = 0; i < def->n_portgroups; i++) {
		const struct portgroup_def *pg = &def->portgroups[i];

		has_default |= pg->is_default;
		if ((pg->vlan.n_tags || def->vlan.n_tags) && !vlan_possible_in(def, pg))
			return xml_fail_at(err, "vlan",
					   pg->vlan.n_tags ? pg->vlan.line : def->vlan.line,
					   UNSUPPORTED,
					   "guests of portgroup '%.200s' cannot have VLAN tags",
					   pg->name);
	}
	if (def->vlan.n_tags && !vlan_possible(def) && !has_default)
		return xml_fail_at(err, "vlan", def->vlan.line, UNSUPPORTED,
				   "guests of this kind of network cannot have VLAN tags");
	return 0;
}

static int check_hosts(const struct ip_def *ip, struct nd_error *err)
{
	size_t i;

	for (i = 0; i < ip->n_hosts; i++)
		if (ip->hosts[i].ip.family != ip->address.family)
			return xml_fail_at(err, "host", ip->hosts[i].line, UNSUPPORTED,
					   "its address is not of the family of its <ip>");
	return 0;
}

static int check_dhcp(const struct net_def *def, struct nd_error *err)
{
	const struct ip_def *v4 = NULL, *v6 = NULL;
	size_t i;

	for (i = 0; i < def->n_ips; i++) {
		const struct ip_def *ip = &def->ips[i];
		const struct ip_def **seen = ip->address.family == AF_INET ? &v4 : &v6;

		if (!ip_def_has_dhcp(ip))
			continue;
		if (*seen)
			return xml_fail_at(err, "ip", ip->line, UNSUPPORTED,
					   "a second <dhcp> for IPv%c: there can be one",
					   ip->address.family == AF_INET ? '4' : '6');
		*seen = ip;
		if (check_hosts(ip, err) < 0)
			return -EINVAL;
	}
	return 0;
}

static bool reachable(const struct net_def *def, const struct nd_ip *gateway)
{
	size_t i;

	for (i = 0; i < def->n_ips; i++) {
		struct nd_prefix subnet = ip_def_prefix(&def->ips[i]);

		if (nd_prefix_contains(&subnet, gateway))
			return true;
	}
	return false;
}

static int check_routes(const struct net_def *def, struct nd_error *err)
{
	char text[ND_IP_STRLEN];
	size_t i;

	if (def->n_ips > IPS_MAX)
		return xml_fail_at(err, "ip", def->ips[IPS_MAX].line, UNSUPPORTED,
				   "it is more than the %d that a network can have", IPS_MAX);
	if (def->n_routes > ROUTES_MAX)
		return xml_fail_at(err, "route", def->routes[ROUTES_MAX].line, UNSUPPORTED,
				   "it is more than the %d that a network can have", ROUTES_MAX);
	for (i = 0; i < def->n_routes; i++) {
		const struct route_def *r = &def->routes[i];

		if (!reachable(def, &r->gateway))
			return xml_fail_at(err, "route", r->line, UNSUPPORTED,
					   "the gateway %s is in none of the network's subnets",
					   nd_ip_format(&r->gateway, text));
	}
	return 0;
}

/* What cannot be read back must not be accepted. */
static int check_size(const struct net_def *def, struct nd_error *err)
{
	ND_AUTO(free) char *xml = net_def_format(def, 0);

	if (!xml)
		return nd_error_nomem(err);
	/* Half of it leaves room for what start and updates add. */
	if (strlen(xml) > NET_XML_MAX_BYTES / 2)
		return xml_fail_at(err, "network", def->line, UNSUPPORTED,
				   "the definition has %zu bytes when printed, more than %d",
				   strlen(xml), NET_XML_MAX_BYTES / 2);
	return 0;
}

int net_def_validate(const struct net_def *def, struct nd_error *err)
{
	static int (*const checks[])(const struct net_def *, struct nd_error *) = {
		check_name, check_mode, check_device_names, check_mtu, check_bandwidth,
		check_portgroups, check_vlan, check_dhcp, check_routes, check_size,
	};
	size_t i;

	for (i = 0; i < ND_COUNT(checks); i++) {
		int r = checks[i](def, err);

		if (r < 0)
			return r;
	}
	return 0;
}
