/* SPDX-License-Identifier: GPL-2.0-or-later */
/* supported.c -- what a document may say and netd cannot do yet, refused by name */
#include <string.h>

#include "netd/base/str.h"
#include "netd/compile/subnet.h"

#define UNSUPPORTED ND_ERR_CONFIG_UNSUPPORTED

enum { LABEL_MAX = 63, NAME_MAX_TEXT = 253, TXT_STRING_MAX = 255, IPV6_MTU_MIN = 1280 };

static int check_mode(const struct net_def *def, struct nd_error *err)
{
	if (!forward_mode_is_l3(def->forward.mode))
		return refuse(err, UNSUPPORTED, "forward", def->forward.line,
			      "mode '%s' is not supported yet", forward_mode_name(def->forward.mode));
	return 0;
}

static int check_bridge(const struct net_def *def, struct nd_error *err)
{
	const struct bridge_def *b = &def->bridge;

	if (b->zone)
		return refuse(err, UNSUPPORTED, "bridge", b->line,
			      "zone '%.100s': firewalld zones are not supported yet", b->zone);
	if (b->mac_table_manager == MAC_TABLE_LIBVIRT)
		return refuse(err, UNSUPPORTED, "bridge", b->line,
			      "macTableManager='libvirt' is not supported yet");
	if (def->mtu_bytes && def->mtu_bytes < IPV6_MTU_MIN && has_family(def, AF_INET6))
		return refuse(err, UNSUPPORTED, "mtu", def->mtu_line,
			      "size %u is below %d, the least that IPv6 works with", def->mtu_bytes,
			      IPV6_MTU_MIN);
	return 0;
}

static int check_links(const struct net_def *def, struct nd_error *err)
{
	if (def->vlan.n_tags)
		return refuse(err, UNSUPPORTED, "vlan", def->vlan.line, "not supported yet");
	if (def->virtualport.type != VIRTUALPORT_ABSENT)
		return refuse(err, UNSUPPORTED, "virtualport", def->virtualport.line,
			      "not supported yet");
	for (size_t i = 0; i < def->n_portgroups; i++) {
		const struct portgroup_def *g = &def->portgroups[i];

		if (g->vlan.n_tags)
			return refuse(err, UNSUPPORTED, "vlan", g->vlan.line, "not supported yet");
		if (g->virtualport.type != VIRTUALPORT_ABSENT)
			return refuse(err, UNSUPPORTED, "virtualport", g->virtualport.line,
				      "not supported yet");
	}
	return 0;
}

static int check_ip(const struct ip_def *ip, struct nd_error *err)
{
	struct nd_prefix p = ip_def_prefix(ip);
	bool v6 = is_v6(ip);

	if (v6 && ip_def_has_dhcp(ip))
		return refuse(err, UNSUPPORTED, "dhcp", ip->dhcp_line,
			      "DHCP for IPv6 is not supported yet");
	if (ip->tftp_root)
		return refuse(err, UNSUPPORTED, "tftp", ip->tftp_line, "not supported yet");
	if (ip->local_ptr == TRI_YES &&
	    (v6 ? p.len % 4 || p.len == 0 || p.len >= 128 : p.len % 8 || p.len == 0 || p.len == 32))
		return refuse(err, UNSUPPORTED, "ip", ip->line,
			      "localPtr needs a prefix of %s, not %u",
			      v6 ? "a multiple of 4 below 128" : "8, 16 or 24", p.len);
	for (size_t i = 0; i < ip->n_hosts; i++) {
		struct nd_prefix subnet = subnet_of(ip);
		char text[ND_IP_STRLEN], net[ND_PREFIX_STRLEN];

		if (!nd_prefix_contains(&subnet, &ip->hosts[i].ip))
			return refuse(err, UNSUPPORTED, "host", ip->hosts[i].line,
				      "ip %s is not in the subnet %s",
				      nd_ip_format(&ip->hosts[i].ip, text),
				      nd_prefix_format(&subnet, net));
	}
	return 0;
}

static int check_ips(const struct net_def *def, struct nd_error *err)
{
	for (size_t i = 0; i < def->n_ips; i++) {
		int r = check_ip(&def->ips[i], err);

		if (r < 0)
			return r;
	}
	return 0;
}

/* Labels of 1 to 63 bytes, 253 in all; a final dot is fine (RFC 1035 2.3.4). */
static bool name_fits(const char *name)
{
	size_t len = strlen(name), label = 0;

	if (len && name[len - 1] == '.')
		len--;
	if (len == 0 || len > NAME_MAX_TEXT)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (name[i] == '.' && label == 0)
			return false;
		label = name[i] == '.' ? 0 : label + 1;
		if (label > LABEL_MAX)
			return false;
	}
	return label > 0;
}

static int check_name(const char *element, int line, const char *name, struct nd_error *err)
{
	if (!name || name_fits(name))
		return 0;
	return refuse(err, UNSUPPORTED, element, line,
		      "'%.300s' is no name for DNS: parts of 1 to %d bytes, %d in all", name,
		      LABEL_MAX, NAME_MAX_TEXT);
}

static int check_txt(const struct dns_txt *t, struct nd_error *err)
{
	for (const char *p = t->value; *p; p += strspn(p, ",")) {
		size_t n = strcspn(p, ",");

		if (n > TXT_STRING_MAX)
			return refuse(err, UNSUPPORTED, "txt", t->line,
				      "a string of its value is longer than %d bytes",
				      TXT_STRING_MAX);
		p += n;
	}
	return check_name("txt", t->line, t->name, err);
}

static int check_srv(const struct net_def *def, const struct dns_srv *s, struct nd_error *err)
{
	const char *domain = s->domain ? s->domain : def->domain.name;
	ND_AUTO(nd_str_free) struct nd_str owner = { 0 };
	int r;

	nd_str_addf(&owner, "_%s._%s", s->service, s->protocol);
	if (domain && *domain)
		nd_str_addf(&owner, ".%s", domain);
	if (owner.failed)
		return nd_error_nomem(err);
	r = check_name("srv", s->line, owner.text, err);
	if (r < 0 || !s->target || !*s->target || nd_streq(s->target, "."))
		return r;
	return check_name("srv", s->line, s->target, err);
}

static int check_names(const struct net_def *def, struct nd_error *err)
{
	const struct dns_def *d = &def->dns;
	int r = check_name("domain", def->domain.line, def->domain.name, err);

	for (size_t i = 0; i < d->n_forwarders && r == 0; i++)
		r = check_name("forwarder", d->forwarders[i].line, d->forwarders[i].domain, err);
	for (size_t i = 0; i < d->n_txts && r == 0; i++)
		r = check_txt(&d->txts[i], err);
	for (size_t i = 0; i < d->n_srvs && r == 0; i++)
		r = check_srv(def, &d->srvs[i], err);
	for (size_t i = 0; i < d->n_hosts; i++)
		for (size_t j = 0; j < d->hosts[i].n_names && r == 0; j++)
			r = check_name("host", d->hosts[i].line, d->hosts[i].names[j], err);
	return r;
}

static int check_rest(const struct net_def *def, struct nd_error *err)
{
	if (def->domain.register_ == TRI_YES)
		return refuse(err, UNSUPPORTED, "domain", def->domain.line,
			      "register='yes' is not supported yet");
	if (def->n_dnsmasq_options)
		return refuse(err, UNSUPPORTED, "dnsmasq:option", def->dnsmasq_options[0].line,
			      "'%.100s': dnsmasq's options are not supported yet",
			      def->dnsmasq_options[0].value);
	return 0;
}

int compile_supported(const struct net_def *def, struct nd_error *err)
{
	static int (*const checks[])(const struct net_def *, struct nd_error *) = {
		check_mode, check_bridge, check_links, check_ips, check_names, check_rest,
	};

	for (size_t i = 0; i < ND_COUNT(checks); i++) {
		int r = checks[i](def, err);

		if (r < 0)
			return r;
	}
	return 0;
}
