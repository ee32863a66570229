/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rules.c -- what a forward mode means to a packet, as elements of the fixed sets
 *
 *		  cross  judged  route		 nat, same, masq/snat
 *	open	    -	   -	   -		    -
 *	isolated    x	   x	   -		    -
 *	route	    x	   x	 each subnet	    -
 *	nat	    x	   x	 IPv6 subnets	  IPv4 subnets; IPv6 too with <nat ipv6='yes'>
 *
 * and homes, where a judged network has addresses.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "datapath/nft_layout.h"
#include "netd/compile/subnet.h"

enum { PORTS_START = 1024, PORTS_END = 65535 };

static bool own_ports(const struct forward *f)
{
	return f->nat_port_start &&
	       (f->nat_port_start != PORTS_START || f->nat_port_end != PORTS_END);
}

/* The shared rules cannot say it: a chain of the network's own. */
static bool needs_own_chain(const struct forward *f, bool v6)
{
	return own_ports(f) || (!v6 && f->nat_addr_start.family);
}

/* 'n', so that it is a name to nft whatever the digits are. */
static void own_chain_name(const struct net_def *def, bool v6, char out[64])
{
	char *p = out;

	*p++ = 'n';
	for (unsigned i = 0; i < sizeof(def->uuid.bytes); i++)
		p += sprintf(p, "%02x", def->uuid.bytes[i]);
	*p++ = v6 ? '6' : '4';
	*p = '\0';
}

static int own_chain(const struct net_def *def, bool v6, struct plan *p)
{
	const struct forward *f = &def->forward;
	struct plan_item *item = plan_add(p, PLAN_NFT_CHAIN);
	struct plan_nft_chain *c;

	if (!item)
		return -ENOMEM;
	c = &item->nft_chain;
	own_chain_name(def, v6, c->name);
	c->family = v6 ? AF_INET6 : AF_INET;
	if (own_ports(f)) {
		c->port_start = f->nat_port_start;
		c->port_end = f->nat_port_end;
	}
	if (!v6 && f->nat_addr_start.family) {
		c->snat_start = f->nat_addr_start;
		c->snat_end = f->nat_addr_end;
	}
	return 0;
}

static bool translated(const struct net_def *def, bool v6)
{
	return def->forward.mode == FORWARD_NAT && (!v6 || def->forward.nat_ipv6 == TRI_YES);
}

/* Forwarding within the bridge, and that everything else is judged. */
static int generic(const struct net_def *def, bool v6, struct plan *p)
{
	const char *bridge = def->bridge.name, *dev = uplink_dev(def);
	struct nft_elem_fields f = { .ifname = { bridge, bridge } };
	int r = nft_plan_elem(p, NFT_CROSS, v6, &f);

	if (r == 0)
		r = nft_plan_elem(p, NFT_JUDGED, v6, &f);
	if (r == 0 && dev)
		r = nft_plan_elem(p, NFT_LIMITED, v6, &f);
	f.ifname[1] = dev;
	if (r == 0 && dev)
		r = nft_plan_elem(p, NFT_UPLINK, v6, &f);
	return r;
}

/* Translation is by source alone: what the host itself sends from the subnet is translated too. */
static int subnet_nat(const struct net_def *def, const struct ip_def *ip, struct plan *p)
{
	const char *dev = uplink_dev(def);
	bool v6 = is_v6(ip);
	char chain[64];
	struct nft_elem_fields f = { .ifname = { def->bridge.name }, .subnet = subnet_of(ip),
				     .goto_chain = chain };
	int r = nft_plan_elem(p, NFT_NAT, v6, &f);

	if (r == 0)
		r = nft_plan_elem(p, NFT_SAME, v6, &f);
	if (r < 0)
		return r;
	f.ifname[0] = dev;
	if (!needs_own_chain(&def->forward, v6))
		return nft_plan_elem(p, dev ? NFT_MASQ_DEV : NFT_MASQ, v6, &f);
	own_chain_name(def, v6, chain);
	return nft_plan_elem(p, dev ? NFT_SNAT_DEV : NFT_SNAT, v6, &f);
}

static int subnet_rules(const struct net_def *def, const struct ip_def *ip, struct plan *p)
{
	struct nft_elem_fields f = { .ifname = { def->bridge.name }, .subnet = subnet_of(ip) };

	if (translated(def, is_v6(ip)))
		return subnet_nat(def, ip, p);
	return nft_plan_elem(p, NFT_ROUTE, is_v6(ip), &f);
}

static int forward_rules(const struct net_def *def, struct plan *p)
{
	int r = 0;

	if (def->forward.mode == FORWARD_OPEN)
		return 0;
	for (int v6 = 0; v6 < 2 && r == 0; v6++) {
		if (v6 && !judges_v6(def))
			continue;
		r = generic(def, v6, p);
		if (r == 0 && translated(def, v6) && has_family(def, v6 ? AF_INET6 : AF_INET) &&
		    needs_own_chain(&def->forward, v6))
			r = own_chain(def, v6, p);
	}
	if (r == 0 && def->n_ips)
		r = nft_plan_elem(p, NFT_HOMES, false,
				  &(struct nft_elem_fields){ .ifname = { def->bridge.name } });
	for (size_t i = 0; i < def->n_ips && r == 0 && !is_isolated(def); i++)
		if (!subnet_seen(def, i))
			r = subnet_rules(def, &def->ips[i], p);
	return r;
}

/* The server's uid may talk to this resolver. */
static int allow_upstream(const struct compile_input *in, const struct nd_ip *addr, uint16_t port,
			  struct plan *p)
{
	struct nft_elem_fields f = { .uid = in->serve_uid, .addr = *addr, .port = port ? port : 53 };
	bool v6 = addr->family == AF_INET6;
	size_t n = p->n;
	int r = nft_plan_elem(p, NFT_SERVE, v6, &f);

	for (size_t i = 0; r == 0 && i < n; i++)
		if (plan_item_same(&p->items[i], &p->items[n])) {
			p->n--;		/* the same resolver twice */
			break;
		}
	return r;
}

static int server_rules(const struct compile_input *in, struct plan *p)
{
	const struct net_def *def = in->def;
	struct nft_elem_fields f = { .ifname = { def->bridge.name }, .uid = in->serve_uid };
	int r = 0;

	if (dhcp4_subnet(def))
		r = nft_plan_elem(p, NFT_DHCP, false, &f);
	if (r == 0 && in->serve_uid && in->serve_uid != (uid_t)-1)
		r = nft_plan_elem(p, NFT_SERVE_UID, false, &f);
	else
		return r;
	if (!dns_enabled(def))
		return r;
	for (size_t i = 0; i < def->dns.n_forwarders && r == 0; i++)
		if (def->dns.forwarders[i].addr.family)
			r = allow_upstream(in, &def->dns.forwarders[i].addr,
					   def->dns.forwarders[i].port, p);
	for (size_t i = 0; i < in->n_upstreams && r == 0 && uses_host_resolvers(def); i++)
		r = allow_upstream(in, &in->upstreams[i].addr, in->upstreams[i].port, p);
	return r;
}

int compile_rules(const struct compile_input *in, struct plan *p)
{
	int r = forward_rules(in->def, p);

	if (r == 0 && is_served(in->def))
		r = server_rules(in, p);
	return r;
}
