/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "datapath/nft_rules.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_nat.h>

#include "datapath/nft_expr.h"

static bool want_forward(const struct nft_counts *have, bool v6)
{
	(void)v6;
	return have->sum[NFT_CROSS][0] || have->sum[NFT_CROSS][1] || have->sum[NFT_JUDGED][0] ||
	       have->sum[NFT_JUDGED][1];
}

static void jump_guest(struct nft_rule_writer *w, uint32_t ifname_key, const char *v4_chain,
		       const char *v6_chain)
{
	for (int v6 = 0; v6 < 2; v6++) {
		if (!w->have->sum[NFT_JUDGED][v6])
			continue;
		w->v6 = v6;
		nft_rule_begin(w);
		nft_put_family(w);
		nft_put_meta(w, ifname_key, REG_1);
		nft_put_set(w, NFT_JUDGED, 0, false);
		nft_put_verdict(w, NFT_JUMP, v6 ? v6_chain : v4_chain);
		nft_rule_end(w);
	}
}

static void forward_rules(struct nft_rule_writer *w)
{
	for (int v6 = 0; v6 < 2; v6++) {
		if (!w->have->sum[NFT_CROSS][v6])
			continue;
		w->v6 = v6;
		nft_rule_begin(w);
		nft_put_family(w);
		nft_put_meta(w, NFT_META_IIFNAME, REG_1);
		nft_put_meta(w, NFT_META_OIFNAME, REG_2);
		nft_put_set(w, NFT_CROSS, 0, false);
		nft_put_verdict(w, NF_ACCEPT, NULL);
		nft_rule_end(w);
	}
	/* The network that a packet enters judges it before the one that it leaves: the other
	 * order would let the guests of two NAT networks reach each other. */
	jump_guest(w, NFT_META_OIFNAME, "to_guest4", "to_guest6");
	jump_guest(w, NFT_META_IIFNAME, "from_guest4", "from_guest6");
}

static bool want_judged(const struct nft_counts *have, bool v6)
{
	return have->sum[NFT_JUDGED][v6];
}

/* Accepts what a subnet set has; bridge_key: which side of the packet is the bridge. */
static void accept_subnet(struct nft_rule_writer *w, enum nft_class class, unsigned prefix_len,
			  uint32_t bridge_key, bool replies_only)
{
	if (!w->have->n[class][w->v6][prefix_len])
		return;
	nft_rule_begin(w);
	nft_put_family(w);
	if (replies_only)
		nft_put_replies_only(w);
	nft_put_meta(w, bridge_key, REG_1);
	nft_put_address(w, bridge_key == NFT_META_OIFNAME ? DESTINATION : SOURCE, prefix_len, REG_2);
	nft_put_set(w, class, prefix_len, false);
	nft_put_verdict(w, NF_ACCEPT, NULL);
	nft_rule_end(w);
}

static void reject_rest(struct nft_rule_writer *w)
{
	nft_rule_begin(w);
	nft_put_counter(w);
	nft_put_reject(w);
	nft_rule_end(w);
}

static void judged_rules(struct nft_rule_writer *w, uint32_t bridge_key, uint32_t other_key)
{
	bool into_bridge = bridge_key == NFT_META_OIFNAME;

	if (w->have->sum[NFT_LIMITED][w->v6]) {
		nft_rule_begin(w);
		nft_put_family(w);
		nft_put_meta(w, bridge_key, REG_1);
		nft_put_set(w, NFT_LIMITED, 0, false);
		nft_put_meta(w, bridge_key, REG_1);
		nft_put_meta(w, other_key, REG_2);
		nft_put_set(w, NFT_UPLINK, 0, true);
		nft_put_counter(w);
		nft_put_reject(w);
		nft_rule_end(w);
	}
	for (int len = w->v6 ? 128 : 32; len >= 0; len--)
		accept_subnet(w, NFT_ROUTE, (unsigned)len, bridge_key, false);
	for (int len = w->v6 ? 128 : 32; len >= 0; len--)
		accept_subnet(w, NFT_NAT, (unsigned)len, bridge_key, into_bridge);
	reject_rest(w);
}

static void to_guest_rules(struct nft_rule_writer *w)
{
	judged_rules(w, NFT_META_OIFNAME, NFT_META_IIFNAME);
}

static void from_guest_rules(struct nft_rule_writer *w)
{
	judged_rules(w, NFT_META_IIFNAME, NFT_META_OIFNAME);
}

static bool want_nat_from(const struct nft_counts *have, bool v6)
{
	return have->sum[NFT_MASQ][v6] || have->sum[NFT_MASQ_DEV][v6] || have->sum[NFT_SNAT][v6] ||
	       have->sum[NFT_SNAT_DEV][v6];
}

static bool want_postrouting(const struct nft_counts *have, bool v6)
{
	(void)v6;
	return want_nat_from(have, false) || want_nat_from(have, true);
}

static void leave_alone_to(struct nft_rule_writer *w, const void *prefix, uint32_t len)
{
	nft_rule_begin(w);
	nft_put_family(w);
	nft_put_payload(w, NFT_PAYLOAD_NETWORK_HEADER, w->v6 ? 24 : 16, len, REG_1);
	nft_put_cmp(w, NFT_CMP_EQ, prefix, len);
	nft_put_verdict(w, NFT_RETURN, NULL);
	nft_rule_end(w);
}

static void postrouting_rules(struct nft_rule_writer *w)
{
	for (int v6 = 0; v6 < 2; v6++) {
		w->v6 = v6;
		if (!want_nat_from(w->have, v6))
			continue;
		if (v6) {
			leave_alone_to(w, (uint8_t[]){ 0xff, 0x02 }, 2);	/* ff02::/16 */
		} else {
			leave_alone_to(w, (uint8_t[]){ 224, 0, 0 }, 3);		/* 224.0.0.0/24 */
			leave_alone_to(w, (uint8_t[]){ 255, 255, 255, 255 }, 4);
		}
		nft_rule_begin(w);
		nft_put_family(w);
		nft_put_verdict(w, NFT_JUMP, v6 ? "nat_from6" : "nat_from4");
		nft_rule_end(w);
	}
}

/* A source subnet's NAT, with or without its forward device. */
static void nat_source(struct nft_rule_writer *w, enum nft_class class, unsigned prefix_len)
{
	if (!w->have->n[class][w->v6][prefix_len])
		return;
	nft_rule_begin(w);
	nft_put_family(w);
	nft_put_address(w, SOURCE, prefix_len, REG_1);
	if (class == NFT_SNAT_DEV || class == NFT_MASQ_DEV)
		nft_put_meta(w, NFT_META_OIFNAME, nft_after_address(w));
	nft_put_set(w, class, prefix_len, false);
	if (!nft_classes[class].is_map)
		nft_put_verdict(w, NFT_GOTO, "masquerade_ports");
	nft_rule_end(w);
}

static void nat_from_rules(struct nft_rule_writer *w)
{
	for (int i = w->v6 ? 128 : 32; i >= 0; i--) {
		unsigned len = (unsigned)i;

		if (w->have->n[NFT_NAT][w->v6][len]) {
			nft_rule_begin(w);
			nft_put_family(w);
			nft_put_meta(w, NFT_META_OIFNAME, REG_1);
			nft_put_address(w, SOURCE, len, REG_2);
			nft_put_set(w, NFT_NAT, len, false);
			nft_put_verdict(w, NFT_RETURN, NULL);
			nft_rule_end(w);
		}
		if (w->have->n[NFT_SAME][w->v6][len]) {
			nft_rule_begin(w);
			nft_put_family(w);
			nft_put_address(w, SOURCE, len, REG_1);
			nft_put_address(w, DESTINATION, len, nft_after_address(w));
			nft_put_set(w, NFT_SAME, len, false);
			nft_put_verdict(w, NFT_RETURN, NULL);
			nft_rule_end(w);
		}
		nat_source(w, NFT_SNAT_DEV, len);
		nat_source(w, NFT_SNAT, len);
		nat_source(w, NFT_MASQ_DEV, len);
		nat_source(w, NFT_MASQ, len);
	}
}

static bool want_masquerade(const struct nft_counts *have, bool v6)
{
	(void)v6;
	return have->sum[NFT_MASQ][0] || have->sum[NFT_MASQ][1] || have->sum[NFT_MASQ_DEV][0] ||
	       have->sum[NFT_MASQ_DEV][1];
}

static void put_ports(struct nft_rule_writer *w, uint32_t reg, uint16_t start, uint16_t end)
{
	uint16_t min = htons(start), max = htons(end);

	nft_put_immediate(w, reg, &min, sizeof(min));
	nft_put_immediate(w, reg + 1, &max, sizeof(max));
}

static void put_masquerade(struct nft_rule_writer *w, uint16_t port_start, uint16_t port_end)
{
	struct nftnl_expr *e;

	if (port_start)
		put_ports(w, REG_1, port_start, port_end);
	e = nft_expr_add(w, "masq");
	if (!e || !port_start)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_MASQ_REG_PROTO_MIN, REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_MASQ_REG_PROTO_MAX, REG_2);
	nftnl_expr_set_u32(e, NFTNL_EXPR_MASQ_FLAGS, NF_NAT_RANGE_PROTO_SPECIFIED);
}

static void masquerade_rules(struct nft_rule_writer *w)
{
	static const uint8_t with_ports[] = { IPPROTO_TCP, IPPROTO_UDP };

	for (unsigned i = 0; i < ND_COUNT(with_ports); i++) {
		nft_rule_begin(w);
		nft_put_l4proto(w, with_ports[i]);
		put_masquerade(w, 1024, 65535);
		nft_rule_end(w);
	}
	nft_rule_begin(w);
	put_masquerade(w, 0, 0);
	nft_rule_end(w);
}

/* Goes on for what enters by an interface of the set. */
static void put_entered(struct nft_rule_writer *w, enum nft_class class)
{
	nft_put_meta(w, NFT_META_IIFNAME, REG_1);
	nft_put_set(w, class, 0, false);
}

static void end_with_drop(struct nft_rule_writer *w)
{
	nft_put_counter(w);
	nft_put_verdict(w, NF_DROP, NULL);
	nft_rule_end(w);
}

/* Where the way back to the source leads: out of the device that the packet came in by (its index, or 0), or out of any. */
static void put_way_back(struct nft_rule_writer *w, uint32_t flags, uint32_t result)
{
	struct nftnl_expr *e = nft_expr_add(w, "fib");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_FIB_FLAGS, NFTA_FIB_F_SADDR | flags);
	nftnl_expr_set_u32(e, NFTNL_EXPR_FIB_RESULT, result);
	nftnl_expr_set_u32(e, NFTNL_EXPR_FIB_DREG, REG_1);
}

/* Who pretends to be of another network is not heard at all: else the host's answers, and its refusals before any
 * other rule is asked, would carry the guest's bytes there. Other sources pass, because br_netfilter shows this chain
 * bridged packets too, and guests may use among themselves what subnets they like. */
static void sources_rules(struct nft_rule_writer *w)
{
	uint32_t none = 0;

	for (int v6 = 0; v6 < 2; v6++) {
		if (!w->have->sum[NFT_JUDGED][v6])
			continue;
		w->v6 = v6;
		nft_rule_begin(w);
		nft_put_family(w);
		put_entered(w, NFT_JUDGED);
		put_way_back(w, NFTA_FIB_F_IIF, NFT_FIB_RESULT_OIF);
		nft_put_cmp(w, NFT_CMP_EQ, &none, sizeof(none));
		put_way_back(w, 0, NFT_FIB_RESULT_OIFNAME);
		nft_put_set(w, NFT_HOMES, 0, false);
		end_with_drop(w);
	}
}

static bool want_sources(const struct nft_counts *have, bool v6)
{
	(void)v6;
	return have->sum[NFT_HOMES][0];
}

static bool want_input(const struct nft_counts *have, bool v6)
{
	(void)v6;
	return have->sum[NFT_DHCP][0];
}

static void input_rules(struct nft_rule_writer *w)
{
	uint16_t bootps = htons(67);

	nft_rule_begin(w);
	nft_put_family(w);
	nft_put_l4proto(w, IPPROTO_UDP);
	nft_put_payload(w, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, REG_1);
	nft_put_cmp(w, NFT_CMP_EQ, &bootps, sizeof(bootps));
	put_entered(w, NFT_DHCP);
	end_with_drop(w);
}

static bool want_output(const struct nft_counts *have, bool v6)
{
	(void)v6;
	return have->sum[NFT_SERVE_UID][0];
}

static void output_rules(struct nft_rule_writer *w)
{
	nft_rule_begin(w);
	nft_put_meta(w, NFT_META_SKUID, REG_1);
	nft_put_set(w, NFT_SERVE_UID, 0, false);
	nft_put_verdict(w, NFT_GOTO, "serve_out");
	nft_rule_end(w);
}

static void serve_out_rules(struct nft_rule_writer *w)
{
	uint8_t reply = IP_CT_DIR_REPLY;

	/* Connections that the server accepted (DNS over TCP). */
	nft_rule_begin(w);
	nft_put_ct(w, NFT_CT_DIRECTION);
	nft_put_cmp(w, NFT_CMP_EQ, &reply, sizeof(reply));
	nft_put_verdict(w, NF_ACCEPT, NULL);
	nft_rule_end(w);
	for (int v6 = 0; v6 < 2; v6++) {
		uint32_t address_reg = NFT_REG32_01, port_reg = v6 ? NFT_REG32_05 : NFT_REG32_02;

		w->v6 = v6;
		if (!w->have->sum[NFT_SERVE][v6])
			continue;
		nft_rule_begin(w);
		nft_put_family(w);
		nft_put_meta(w, NFT_META_SKUID, REG_1);
		nft_put_address(w, DESTINATION, v6 ? 128 : 32, address_reg);
		nft_put_payload(w, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, port_reg);
		nft_put_set(w, NFT_SERVE, 0, false);
		nft_put_verdict(w, NF_ACCEPT, NULL);
		nft_rule_end(w);
	}
	reject_rest(w);
}

#define BIT(class) (1U << (class))
#define JUDGED_USES (BIT(NFT_JUDGED) | BIT(NFT_LIMITED) | BIT(NFT_ROUTE) | BIT(NFT_NAT))
#define NAT_USES \
	(BIT(NFT_NAT) | BIT(NFT_SAME) | BIT(NFT_SNAT) | BIT(NFT_SNAT_DEV) | BIT(NFT_MASQ) | \
	 BIT(NFT_MASQ_DEV))

const struct nft_chain_desc nft_chains[NFT_CHAINS] = {
	{ .name = "forward", .type = "filter", .hook = NF_INET_FORWARD, .priority = 0,
	  .uses = BIT(NFT_CROSS) | BIT(NFT_JUDGED), .wanted = want_forward,
	  .rules = forward_rules },
	{ .name = "to_guest4", .uses = JUDGED_USES, .wanted = want_judged,
	  .rules = to_guest_rules },
	{ .name = "to_guest6", .v6 = true, .uses = JUDGED_USES, .wanted = want_judged,
	  .rules = to_guest_rules },
	{ .name = "from_guest4", .uses = JUDGED_USES, .wanted = want_judged,
	  .rules = from_guest_rules },
	{ .name = "from_guest6", .v6 = true, .uses = JUDGED_USES, .wanted = want_judged,
	  .rules = from_guest_rules },
	{ .name = "postrouting", .type = "nat", .hook = NF_INET_POST_ROUTING, .priority = 100,
	  .uses = NAT_USES, .wanted = want_postrouting, .rules = postrouting_rules },
	{ .name = "nat_from4", .uses = NAT_USES, .wanted = want_nat_from,
	  .rules = nat_from_rules },
	{ .name = "nat_from6", .v6 = true, .uses = NAT_USES, .wanted = want_nat_from,
	  .rules = nat_from_rules },
	{ .name = "masquerade_ports", .uses = BIT(NFT_MASQ) | BIT(NFT_MASQ_DEV),
	  .wanted = want_masquerade, .rules = masquerade_rules },
	{ .name = "sources", .type = "filter", .hook = NF_INET_PRE_ROUTING, .priority = -300,
	  .uses = BIT(NFT_JUDGED) | BIT(NFT_HOMES), .wanted = want_sources, .rules = sources_rules },
	{ .name = "input", .type = "filter", .hook = NF_INET_LOCAL_IN, .priority = 0,
	  .uses = BIT(NFT_DHCP), .wanted = want_input, .rules = input_rules },
	{ .name = "output", .type = "filter", .hook = NF_INET_LOCAL_OUT, .priority = 0,
	  .uses = BIT(NFT_SERVE_UID), .wanted = want_output, .rules = output_rules },
	{ .name = "serve_out", .uses = BIT(NFT_SERVE_UID) | BIT(NFT_SERVE), .wanted = want_output,
	  .rules = serve_out_rules },
};

int nft_chain_rules(const struct nft_chain_desc *chain, const struct nft_counts *have,
		    nft_rule_fn fn, void *arg)
{
	struct nft_rule_writer w = { .have = have, .family = NFPROTO_INET, .table = NFT_TABLE,
				     .chain = chain->name, .v6 = chain->v6, .fn = fn, .arg = arg };

	chain->rules(&w);
	return w.result;
}

/* ---- a network's own chain ---- */

static void put_snat(struct nft_rule_writer *w, const struct plan_nft_chain *c, bool ports)
{
	bool range = !nd_ip_equal(&c->snat_start, &c->snat_end);
	const uint8_t *start, *end;
	struct nftnl_expr *e;
	uint32_t port_reg;
	size_t len;

	start = nd_ip_bytes(&c->snat_start, &len);
	end = nd_ip_bytes(&c->snat_end, &len);
	nft_put_immediate(w, REG_1, start, (uint32_t)len);
	if (range)
		nft_put_immediate(w, REG_2, end, (uint32_t)len);
	port_reg = range ? REG_3 : REG_2;
	if (ports)
		put_ports(w, port_reg, c->port_start ? c->port_start : 1024,
			  c->port_start ? c->port_end : 65535);
	e = nft_expr_add(w, "nat");
	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_TYPE, NFT_NAT_SNAT);
	nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_FAMILY, c->family == AF_INET6 ? NFPROTO_IPV6
									   : NFPROTO_IPV4);
	nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_REG_ADDR_MIN, REG_1);
	if (range)
		nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_REG_ADDR_MAX, REG_2);
	/* the flags that the kernel adds are given, because rules are compared with its dumps */
	nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_FLAGS, NF_NAT_RANGE_MAP_IPS |
			   (ports ? NF_NAT_RANGE_PROTO_SPECIFIED : 0));
	if (!ports)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_REG_PROTO_MIN, port_reg);
	nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_REG_PROTO_MAX, port_reg + 1);
}

static void own_nat(struct nft_rule_writer *w, const struct plan_nft_chain *c, bool ports)
{
	if (c->snat_start.family)
		put_snat(w, c, ports);
	else
		put_masquerade(w, !ports ? 0 : c->port_start ? c->port_start : 1024,
			       !ports ? 0 : c->port_start ? c->port_end : 65535);
}

int nft_own_chain_rules(const struct plan_nft_chain *c, nft_rule_fn fn, void *arg)
{
	static const uint8_t with_ports[] = { IPPROTO_TCP, IPPROTO_UDP };
	struct nft_rule_writer w = { .family = NFPROTO_INET, .table = NFT_TABLE, .chain = c->name,
				     .v6 = c->family == AF_INET6, .fn = fn, .arg = arg };

	for (unsigned i = 0; i < ND_COUNT(with_ports); i++) {
		nft_rule_begin(&w);
		nft_put_family(&w);
		nft_put_l4proto(&w, with_ports[i]);
		own_nat(&w, c, true);
		nft_rule_end(&w);
	}
	nft_rule_begin(&w);
	nft_put_family(&w);
	own_nat(&w, c, false);
	nft_rule_end(&w);
	return w.result;
}

int nft_hold_rules(const char *table, nft_rule_fn fn, void *arg)
{
	struct nft_rule_writer w = { .family = NFPROTO_INET, .table = table, .chain = "hold", .fn = fn,
				     .arg = arg };

	nft_rule_begin(&w);
	nft_put_replies_only(&w);
	nft_rule_end(&w);
	return w.result;
}
