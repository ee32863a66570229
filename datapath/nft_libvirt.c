/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nft_libvirt.c -- the rules that libvirt left of a network that is netd's now
 *
 * libvirt with iptables-nft has chains LIBVIRT_* in the tables filter, nat and mangle of ip and
 * ip6, shared by all of its networks; since 10.4 it may have tables "libvirt_network" instead. A
 * rule there is the network's when it compares an interface with its bridge, or an address with
 * one of its subnets. Chains stay: other networks' rules may be in them, and libvirt does not
 * remove them either.
 */
#include "datapath/nft_libvirt.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <stdlib.h>
#include <string.h>

#include "netd/base/array.h"
#include "netd/base/effect.h"
#include "netd/base/str.h"

struct found_rule {
	uint8_t family;
	char table[64], chain[64];
	uint64_t handle;
};

struct search {
	const struct libvirt_rules *of;
	struct found_rule *rules;
	size_t n;
};

/* What is in the register that the next comparison looks at. */
struct loaded {
	enum { NOTHING, IF_NAME, IF_INDEX, ADDRESS } what;
	uint8_t mask[16];
};

static bool is_address(uint8_t family, uint32_t base, uint32_t offset)
{
	if (base != NFT_PAYLOAD_NETWORK_HEADER)
		return false;
	return family == NFPROTO_IPV4 ? offset == 12 || offset == 16 : offset == 8 || offset == 24;
}

static void load_meta(const struct nftnl_expr *e, struct loaded *now)
{
	switch (nftnl_expr_get_u32(e, NFTNL_EXPR_META_KEY)) {
	case NFT_META_IIFNAME:
	case NFT_META_OIFNAME:
		now->what = IF_NAME;
		break;
	case NFT_META_IIF:
	case NFT_META_OIF:
		now->what = IF_INDEX;
		break;
	}
}

static void load_payload(const struct nftnl_expr *e, uint8_t family, struct loaded *now)
{
	uint32_t len = nftnl_expr_get_u32(e, NFTNL_EXPR_PAYLOAD_LEN);

	if (len > sizeof(now->mask) ||
	    !is_address(family, nftnl_expr_get_u32(e, NFTNL_EXPR_PAYLOAD_BASE),
			nftnl_expr_get_u32(e, NFTNL_EXPR_PAYLOAD_OFFSET)))
		return;
	now->what = ADDRESS;
	memset(now->mask, 0, sizeof(now->mask));
	memset(now->mask, 0xff, len);	/* a whole number of bytes needs no mask of its own */
}

static void load_mask(const struct nftnl_expr *e, struct loaded *now)
{
	uint32_t len = 0;
	const void *mask = nftnl_expr_get(e, NFTNL_EXPR_BITWISE_MASK, &len);

	if (!mask || len > sizeof(now->mask))
		now->what = NOTHING;
	else
		memcpy(now->mask, mask, len);
}

/* The network's address bits are compared, with just its prefix length. */
static bool is_subnet(const struct nd_prefix *subnet, uint8_t family, const uint8_t mask[16],
		      const uint8_t *data, size_t len)
{
	struct nd_prefix p = nd_prefix_masked(subnet);
	size_t n;
	const uint8_t *bytes = nd_ip_bytes(&p.addr, &n);

	if ((p.addr.family == AF_INET) != (family == NFPROTO_IPV4) || len > n)
		return false;
	for (unsigned bit = 0; bit < n * 8; bit++)
		if ((mask[bit / 8] >> (7 - bit % 8) & 1) != (bit < p.len))
			return false;
	return memcmp(data, bytes, len) == 0;
}

static bool compares(const struct nftnl_expr *e, uint8_t family, const struct loaded *now,
		     const struct libvirt_rules *of)
{
	uint32_t len = 0;
	const uint8_t *data = nftnl_expr_get(e, NFTNL_EXPR_CMP_DATA, &len);
	size_t name = strlen(of->bridge);

	if (!data || nftnl_expr_get_u32(e, NFTNL_EXPR_CMP_OP) != NFT_CMP_EQ)
		return false;
	switch (now->what) {
	case IF_NAME:	/* with its NUL, or it is a prefix of many names */
		return len > name && memcmp(data, of->bridge, name + 1) == 0;
	case IF_INDEX:
		return len == sizeof(of->ifindex) && memcmp(data, &of->ifindex, len) == 0;
	case ADDRESS:
		for (size_t i = 0; i < of->n_subnets; i++)
			if (is_subnet(&of->subnets[i], family, now->mask, data, len))
				return true;
		return false;
	default:
		return false;
	}
}

static bool is_of_network(struct nftnl_rule *r, uint8_t family, const struct libvirt_rules *of)
{
	struct nftnl_expr_iter *it = nftnl_expr_iter_create(r);
	struct loaded now = { 0 };
	struct nftnl_expr *e;
	bool found = false;

	while (it && !found && (e = nftnl_expr_iter_next(it))) {
		const char *name = nftnl_expr_get_str(e, NFTNL_EXPR_NAME);

		if (nd_streq(name, "cmp"))
			found = compares(e, family, &now, of);
		if (nd_streq(name, "bitwise"))
			load_mask(e, &now);
		else
			now.what = NOTHING;
		if (nd_streq(name, "meta"))
			load_meta(e, &now);
		if (nd_streq(name, "payload"))
			load_payload(e, family, &now);
	}
	if (it)
		nftnl_expr_iter_destroy(it);
	return found;
}

static bool is_libvirts(uint32_t family, const char *table, const char *chain)
{
	if (family != NFPROTO_IPV4 && family != NFPROTO_IPV6)
		return false;
	return nd_streq(table, "libvirt_network") || strncmp(chain, "LIBVIRT_", 8) == 0;
}

static int take_rule(const struct nlmsghdr *h, void *arg)
{
	struct search *s = arg;
	struct nftnl_rule *r = nftnl_rule_alloc();
	struct found_rule *mine;
	const char *table, *chain;
	uint32_t family;
	int result = 0;

	if (!r)
		return -ENOMEM;
	if (nftnl_rule_nlmsg_parse(h, r) == 0) {
		family = nftnl_rule_get_u32(r, NFTNL_RULE_FAMILY);
		table = nftnl_rule_get_str(r, NFTNL_RULE_TABLE);
		chain = nftnl_rule_get_str(r, NFTNL_RULE_CHAIN);
		if (is_libvirts(family, table, chain) && is_of_network(r, (uint8_t)family, s->of)) {
			mine = nd_array_add(s->rules, s->n);
			if (mine) {
				mine->family = (uint8_t)family;
				snprintf(mine->table, sizeof(mine->table), "%s", table);
				snprintf(mine->chain, sizeof(mine->chain), "%s", chain);
				mine->handle = nftnl_rule_get_u64(r, NFTNL_RULE_HANDLE);
			} else {
				result = -ENOMEM;
			}
		}
	}
	nftnl_rule_free(r);
	return result;
}

static int send_removal(struct nft_wire *w, const struct search *s, uint32_t genid,
			struct nd_error *err)
{
	struct nft_tx tx;
	int r = nd_effect(ND_EFFECT_NFT, "remove libvirt's rules");

	if (r < 0)
		return nd_error_sys(err, -r, "cannot remove libvirt's rules");
	nft_tx_begin(&tx, w, genid);
	for (size_t i = 0; i < s->n; i++) {
		const struct found_rule *f = &s->rules[i];
		struct nft_label label = { .verb = "cannot remove a rule of libvirt's chain",
					   .name = f->chain, .of = f->table };
		struct nlmsghdr *h = nft_tx_msg(&tx, NFT_MSG_DELRULE, f->family, 0, label);

		if (!h)
			break;
		mnl_attr_put_strz(h, NFTA_RULE_TABLE, f->table);
		mnl_attr_put_strz(h, NFTA_RULE_CHAIN, f->chain);
		mnl_attr_put_u64(h, NFTA_RULE_HANDLE, htobe64(f->handle));
		nft_tx_msg_end(&tx, h);
	}
	r = tx.failed ? nd_error_nomem(err) : nft_tx_send(&tx, w, err);
	nft_tx_fini(&tx);
	return r;
}

int nft_libvirt_remove(struct nft_wire *w, const struct libvirt_rules *of, size_t *n_out,
		       struct nd_error *err)
{
	struct nft_query q = { .type = NFT_MSG_GETRULE, .dump = true };
	struct search s = { .of = of };
	uint32_t genid;
	int r = nft_wire_genid(w, &genid);

	if (r == 0)
		r = nft_wire_query(w, &q, take_rule, &s);
	if (r < 0)
		(void)nd_error_sys(err, -r, "cannot read libvirt's rules");
	else if (s.n)
		r = send_removal(w, &s, genid, err);
	if (r == 0)
		*n_out = s.n;
	free(s.rules);
	return r;
}
