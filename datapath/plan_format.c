/* SPDX-License-Identifier: GPL-2.0-or-later */
/* plan_format.c -- plans as text: for net-plan, log lines and the tests, which compare strings */
#include <arpa/inet.h>
#include <ctype.h>
#include <inttypes.h>

#include "datapath/nft_layout.h"
#include "datapath/plan.h"
#include "netd/base/str.h"

static void format_bridge(struct nd_str *s, const struct plan_bridge *b)
{
	char mac[ND_MAC_STRLEN];

	nd_str_addf(s, "bridge %s mac %s", b->name, nd_mac_format(&b->mac, mac));
	if (b->mtu_bytes)
		nd_str_addf(s, " mtu %u", b->mtu_bytes);
	if (b->group)
		nd_str_addf(s, " group %u", b->group);
	nd_str_addf(s, " delay %u stp %s", b->forward_delay_s, b->stp ? "on" : "off");
	if (b->vlan_filtering)
		nd_str_add(s, " vlan_filtering on");
	if (b->alias[0])
		nd_str_addf(s, " alias %s", b->alias);
}

static void format_chain(struct nd_str *s, const struct plan_nft_chain *c)
{
	char ip[ND_IP_STRLEN];

	nd_str_addf(s, "nft chain %s %s ", c->family == AF_INET6 ? "ip6" : "ip", c->name);
	if (c->snat_start.family) {
		nd_str_addf(s, "snat %s", nd_ip_format(&c->snat_start, ip));
		if (c->snat_end.family && !nd_ip_equal(&c->snat_start, &c->snat_end))
			nd_str_addf(s, "-%s", nd_ip_format(&c->snat_end, ip));
	} else {
		nd_str_add(s, "masquerade");
	}
	if (c->port_start)
		nd_str_addf(s, " ports %u-%u", c->port_start, c->port_end);
}

/* An interface name at the head of a key reads better than its bytes. */
static size_t leading_ifname(const uint8_t *key, size_t len)
{
	size_t n = 0;

	if (len < IFNAMSIZ)
		return 0;
	while (n < IFNAMSIZ && isgraph(key[n]))
		n++;
	for (size_t i = n; i < IFNAMSIZ; i++)
		if (key[i])
			return 0;
	return n < IFNAMSIZ ? n : 0;
}

static void format_elem(struct nd_str *s, const struct plan_nft_elem *e)
{
	size_t at = 0, name = leading_ifname(e->key, e->key_len);
	struct nft_set_id id;
	char key[160];

	nd_str_addf(s, "nft element %s", e->set);
	if (nft_set_id_parse(e->set, &id) && nft_set_key_len(&id) == e->key_len) {
		nd_str_addf(s, " { %s }", nft_elem_format(e, key));
		at = e->key_len;
	} else if (name) {
		nd_str_addf(s, " %.*s", (int)name, (const char *)e->key);
		at = IFNAMSIZ;
	}
	for (size_t i = at; i < e->key_len; i++)
		nd_str_addf(s, "%s%02x", i == at ? " " : (i - at) % 4 ? "" : ".", e->key[i]);
	if (e->goto_chain[0])
		nd_str_addf(s, " goto %s", e->goto_chain);
}

static void format_addr(struct nd_str *s, const struct plan_addr *a)
{
	char prefix[ND_PREFIX_STRLEN], ip[ND_IP_STRLEN];
	struct nd_ip broadcast = nd_ip_from4(a->broadcast);

	nd_str_addf(s, "address %s dev %s", nd_prefix_format(&a->prefix, prefix), a->ifname);
	if (a->peer.family)
		nd_str_addf(s, " peer %s", nd_ip_format(&a->peer, ip));
	if (a->prefix.addr.family == AF_INET && a->broadcast.s_addr)
		nd_str_addf(s, " broadcast %s", nd_ip_format(&broadcast, ip));
}

static void format_route(struct nd_str *s, const struct plan_route *r)
{
	char prefix[ND_PREFIX_STRLEN], ip[ND_IP_STRLEN];
	struct nd_prefix dst = nd_prefix_masked(&r->dst);

	nd_str_addf(s, "route %s", nd_prefix_format(&dst, prefix));
	if (r->gateway.family)
		nd_str_addf(s, " via %s", nd_ip_format(&r->gateway, ip));
	nd_str_addf(s, " dev %s metric %u", r->ifname, r->metric);
}

static void format_port(struct nd_str *s, const struct plan_port *p)
{
	char mac[ND_MAC_STRLEN];

	nd_str_addf(s, "port %s bridge %s", p->ifname, p->bridge);
	if (p->mtu_bytes)
		nd_str_addf(s, " mtu %u", p->mtu_bytes);
	nd_str_addf(s, " isolated %s learning %s flood %s", p->isolated ? "on" : "off",
		    p->learning ? "on" : "off", p->unicast_flood ? "on" : "off");
	if (p->up)
		nd_str_add(s, " up");
	if (!nd_mac_is_zero(&p->fdb))
		nd_str_addf(s, " fdb %s", nd_mac_format(&p->fdb, mac));
	if (p->alias[0])
		nd_str_addf(s, " alias %s", p->alias);
}

static void format_shaper(struct nd_str *s, const struct plan_shaper *p)
{
	nd_str_addf(s, "shaper %s rate %" PRIu64 " peak %" PRIu64 " burst %" PRIu64, p->ifname,
		    p->rate, p->peak, p->burst_bytes);
	if (p->pool)
		nd_str_addf(s, " pool %" PRIu64, p->pool);
}

static void format_floor(struct nd_str *s, const struct plan_floor *f)
{
	char mac[ND_MAC_STRLEN];

	nd_str_addf(s, "floor %s class %u mac %s rate %" PRIu64 " peak %" PRIu64, f->ifname,
		    f->class_id, nd_mac_format(&f->mac, mac), f->rate, f->peak);
}

static void format_item(struct nd_str *s, const struct plan_item *item)
{
	switch (item->kind) {
	case PLAN_BRIDGE:
		format_bridge(s, &item->bridge);
		break;
	case PLAN_SYSCTL:
		nd_str_addf(s, "sysctl %s=%s%s", item->sysctl.path, item->sysctl.value,
			    item->sysctl.shared ? " shared" : "");
		break;
	case PLAN_NFT_CHAIN:
		format_chain(s, &item->nft_chain);
		break;
	case PLAN_NFT_ELEM:
		format_elem(s, &item->nft_elem);
		break;
	case PLAN_ADDR:
		format_addr(s, &item->addr);
		break;
	case PLAN_LINK_UP:
		nd_str_addf(s, "up %s", item->link_up.ifname);
		break;
	case PLAN_ROUTE:
		format_route(s, &item->route);
		break;
	case PLAN_PORT:
		format_port(s, &item->port);
		break;
	case PLAN_SHAPER:
		format_shaper(s, &item->shaper);
		break;
	case PLAN_FLOOR:
		format_floor(s, &item->floor);
		break;
	case PLAN_POLICER:
		nd_str_addf(s, "policer %s rate %" PRIu64 " burst %" PRIu64, item->policer.ifname,
			    item->policer.rate, item->policer.burst_bytes);
		break;
	case PLAN_KINDS:
		break;
	}
}

char *plan_format(const struct plan *p)
{
	struct nd_str s = { 0 };

	for (size_t i = 0; i < p->n; i++) {
		format_item(&s, &p->items[i]);
		nd_str_add(&s, "\n");
	}
	return nd_str_take(&s);
}

char *plan_diff_format(const struct plan_diff *d)
{
	struct nd_str s = { 0 };

	for (size_t i = 0; i < d->n; i++) {
		const struct plan_step *step = &d->steps[i];

		nd_str_add(&s, step->op == PLAN_CREATE ? "+ " : step->op == PLAN_REMOVE ? "- " : "~ ");
		format_item(&s, step->op == PLAN_CREATE ? &step->want : &step->was);
		if (step->op == PLAN_CHANGE) {
			nd_str_add(&s, " -> ");
			format_item(&s, &step->want);
		}
		nd_str_add(&s, "\n");
	}
	return nd_str_take(&s);
}
