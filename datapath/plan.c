/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "datapath/plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "netd/base/array.h"
#include "netd/base/cursor.h"
#include "netd/base/hash.h"
#include "netd/base/str.h"

struct plan *plan_new(void)
{
	return calloc(1, sizeof(struct plan));
}

void plan_free(struct plan *p)
{
	if (!p)
		return;
	free(p->items);
	free(p);
}

struct plan_item *plan_add(struct plan *p, enum plan_kind kind)
{
	struct plan_item *item = nd_array_add(p->items, p->n);

	if (item)
		item->kind = kind;
	return item;
}

struct plan *plan_copy(const struct plan *p)
{
	ND_AUTO(plan_free) struct plan *copy = plan_new();

	if (!copy)
		return NULL;
	for (size_t i = 0; i < p->n; i++) {
		struct plan_item *item = plan_add(copy, p->items[i].kind);

		if (!item)
			return NULL;
		*item = p->items[i];
	}
	return nd_take_ptr(&copy);
}

uint64_t plan_default_burst(uint64_t rate)
{
	uint64_t burst = rate / 100;

	if (burst < 1600)
		return 1600;
	return burst < PLAN_BURST_MAX_BYTES ? burst : PLAN_BURST_MAX_BYTES;
}

static void key_text(struct wr *w, const char *text)
{
	wr_bytes(w, text, strlen(text) + 1);
}

static void key_ip(struct wr *w, const struct nd_ip *ip)
{
	size_t len;
	const uint8_t *bytes = nd_ip_bytes(ip, &len);

	wr_u8(w, (uint8_t)len);
	wr_bytes(w, bytes, len);
}

void plan_item_key(const struct plan_item *item, struct plan_key *out)
{
	struct wr w = wr_init(out->bytes, sizeof(out->bytes));
	struct nd_prefix dst;

	wr_u8(&w, (uint8_t)item->kind);
	switch (item->kind) {
	case PLAN_BRIDGE:
		key_text(&w, item->bridge.name);
		break;
	case PLAN_SYSCTL:
		key_text(&w, item->sysctl.path);
		break;
	case PLAN_NFT_CHAIN:
		wr_u8(&w, (uint8_t)item->nft_chain.family);
		key_text(&w, item->nft_chain.name);
		break;
	case PLAN_NFT_ELEM:
		key_text(&w, item->nft_elem.set);
		wr_bytes(&w, item->nft_elem.key, item->nft_elem.key_len);
		break;
	case PLAN_ADDR:
		key_text(&w, item->addr.ifname);
		wr_u8(&w, item->addr.prefix.len);
		key_ip(&w, &item->addr.prefix.addr);
		break;
	case PLAN_LINK_UP:
		key_text(&w, item->link_up.ifname);
		break;
	case PLAN_ROUTE:
		dst = nd_prefix_masked(&item->route.dst);
		key_text(&w, item->route.ifname);
		wr_u32(&w, item->route.metric);
		wr_u8(&w, dst.len);
		key_ip(&w, &dst.addr);
		break;
	case PLAN_PORT:
		key_text(&w, item->port.ifname);
		break;
	case PLAN_SHAPER:
		key_text(&w, item->shaper.ifname);
		break;
	case PLAN_FLOOR:
		key_text(&w, item->floor.ifname);
		wr_u16(&w, item->floor.class_id);
		break;
	case PLAN_POLICER:
		key_text(&w, item->policer.ifname);
		break;
	case PLAN_KINDS:
		break;
	}
	out->len = wr_len(&w);
}

bool plan_item_same(const struct plan_item *a, const struct plan_item *b)
{
	struct plan_key ka, kb;

	plan_item_key(a, &ka);
	plan_item_key(b, &kb);
	return ka.len == kb.len && memcmp(ka.bytes, kb.bytes, ka.len) == 0;
}

static bool bridge_equal(const struct plan_bridge *a, const struct plan_bridge *b)
{
	return nd_streq(a->alias, b->alias) && nd_mac_equal(&a->mac, &b->mac) &&
	       a->mtu_bytes == b->mtu_bytes && a->group == b->group &&
	       a->forward_delay_s == b->forward_delay_s && a->stp == b->stp &&
	       a->vlan_filtering == b->vlan_filtering;
}

static bool chain_equal(const struct plan_nft_chain *a, const struct plan_nft_chain *b)
{
	return nd_ip_equal(&a->snat_start, &b->snat_start) &&
	       nd_ip_equal(&a->snat_end, &b->snat_end) &&
	       a->port_start == b->port_start && a->port_end == b->port_end;
}

static bool port_equal(const struct plan_port *a, const struct plan_port *b)
{
	return nd_streq(a->bridge, b->bridge) && nd_streq(a->alias, b->alias) &&
	       a->isolated == b->isolated && a->learning == b->learning &&
	       a->unicast_flood == b->unicast_flood && a->up == b->up &&
	       a->mtu_bytes == b->mtu_bytes && nd_mac_equal(&a->fdb, &b->fdb);
}

static bool shaper_equal(const struct plan_shaper *a, const struct plan_shaper *b)
{
	return a->rate == b->rate && a->peak == b->peak && a->burst_bytes == b->burst_bytes &&
	       a->pool == b->pool;
}

static bool floor_equal(const struct plan_floor *a, const struct plan_floor *b)
{
	return a->rate == b->rate && a->peak == b->peak && nd_mac_equal(&a->mac, &b->mac);
}

bool plan_item_equal(const struct plan_item *a, const struct plan_item *b)
{
	if (!plan_item_same(a, b))
		return false;
	switch (a->kind) {
	case PLAN_BRIDGE:
		return bridge_equal(&a->bridge, &b->bridge);
	case PLAN_SYSCTL:
		return nd_streq(a->sysctl.value, b->sysctl.value) &&
		       a->sysctl.shared == b->sysctl.shared;
	case PLAN_NFT_CHAIN:
		return chain_equal(&a->nft_chain, &b->nft_chain);
	case PLAN_NFT_ELEM:
		return nd_streq(a->nft_elem.goto_chain, b->nft_elem.goto_chain);
	case PLAN_ROUTE:
		return nd_ip_equal(&a->route.gateway, &b->route.gateway);
	case PLAN_PORT:
		return port_equal(&a->port, &b->port);
	case PLAN_SHAPER:
		return shaper_equal(&a->shaper, &b->shaper);
	case PLAN_FLOOR:
		return floor_equal(&a->floor, &b->floor);
	case PLAN_POLICER:
		return a->policer.rate == b->policer.rate &&
		       a->policer.burst_bytes == b->policer.burst_bytes;
	case PLAN_ADDR:
	case PLAN_LINK_UP:
	case PLAN_KINDS:
		break;
	}
	return true;
}

void plan_diff_free(struct plan_diff *d)
{
	if (!d)
		return;
	free(d->steps);
	free(d);
}

/* The items of a plan by key; the first of several with one key counts. */
struct key_index {
	struct nd_hash *by_key;
	struct plan_key *keys;
};

static void key_index_fini(struct key_index *x)
{
	nd_hash_free(x->by_key);
	free(x->keys);
}

static inline void nd_auto_key_index_fini(struct key_index *x)
{
	key_index_fini(x);
}

static int key_index_init(struct key_index *x, const struct plan *p)
{
	x->by_key = nd_hash_new();
	x->keys = calloc(p->n + 1, sizeof(*x->keys));
	if (!x->by_key || !x->keys)
		return -ENOMEM;
	for (size_t i = 0; i < p->n; i++) {
		struct plan_key *k = &x->keys[i];

		plan_item_key(&p->items[i], k);
		if (nd_hash_find(x->by_key, k->bytes, k->len))
			continue;
		if (nd_hash_set(x->by_key, k->bytes, k->len, &p->items[i]) < 0)
			return -ENOMEM;
	}
	return 0;
}

static const struct plan_item *key_index_find(const struct key_index *x, const struct plan_key *k)
{
	return nd_hash_find(x->by_key, k->bytes, k->len);
}

static int add_step(struct plan_diff *d, enum plan_op op, const struct plan_item *was,
		    const struct plan_item *want)
{
	struct plan_step *step = nd_array_add(d->steps, d->n);

	if (!step)
		return -ENOMEM;
	step->op = op;
	if (was)
		step->was = *was;
	if (want)
		step->want = *want;
	return 0;
}

static const enum plan_kind removal_order[PLAN_KINDS] = {
	PLAN_POLICER, PLAN_FLOOR, PLAN_SHAPER, PLAN_PORT, PLAN_ROUTE, PLAN_LINK_UP, PLAN_ADDR, PLAN_BRIDGE,
	PLAN_NFT_ELEM, PLAN_NFT_CHAIN, PLAN_SYSCTL,
};

/* An IPv4 address goes after its successor has come: with an interface's last address the kernel
 * drops the routes through it. (IPv6 keeps them, and takes no address twice, whatever its length.) */
static bool has_successor(const struct plan_item *item, const struct plan *want)
{
	if (item->kind != PLAN_ADDR || item->addr.prefix.addr.family != AF_INET)
		return false;
	for (size_t i = 0; i < want->n; i++) {
		const struct plan_addr *a = &want->items[i].addr;

		if (want->items[i].kind == PLAN_ADDR && a->prefix.addr.family == AF_INET &&
		    nd_streq(a->ifname, item->addr.ifname))
			return true;
	}
	return false;
}

/* The removals of one kind: those that wait for a successor, or the others. */
static int add_removals(struct plan_diff *d, enum plan_kind kind, bool waiting,
			const struct plan *was, const struct key_index *was_x,
			const struct plan *want, const struct key_index *want_x)
{
	for (size_t i = was->n; i-- > 0;) {
		const struct plan_item *item = &was->items[i];

		if (item->kind != kind || key_index_find(was_x, &was_x->keys[i]) != item ||
		    key_index_find(want_x, &was_x->keys[i]) ||
		    has_successor(item, want) != waiting)
			continue;
		if (add_step(d, PLAN_REMOVE, item, NULL) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* The creations and changes of one kind. */
static int add_creations(struct plan_diff *d, enum plan_kind kind, const struct plan *want,
			 const struct key_index *was_x, const struct key_index *want_x)
{
	for (size_t i = 0; i < want->n; i++) {
		const struct plan_item *item = &want->items[i], *old;
		int r = 0;

		if (item->kind != kind || key_index_find(want_x, &want_x->keys[i]) != item)
			continue;
		old = key_index_find(was_x, &want_x->keys[i]);
		if (!old)
			r = add_step(d, PLAN_CREATE, NULL, item);
		else if (!plan_item_equal(old, item))
			r = add_step(d, PLAN_CHANGE, old, item);
		if (r < 0)
			return r;
	}
	return 0;
}

static int add_steps(struct plan_diff *d, const struct plan *was, const struct key_index *was_x,
		     const struct plan *want, const struct key_index *want_x)
{
	for (size_t i = 0; i < PLAN_KINDS; i++)
		if (add_removals(d, removal_order[i], false, was, was_x, want, want_x) < 0)
			return -ENOMEM;
	for (int kind = 0; kind < PLAN_KINDS; kind++) {
		if (add_creations(d, (enum plan_kind)kind, want, was_x, want_x) < 0)
			return -ENOMEM;
		if (kind == PLAN_ADDR &&
		    add_removals(d, PLAN_ADDR, true, was, was_x, want, want_x) < 0)
			return -ENOMEM;
	}
	return 0;
}

int plan_diff(const struct plan *was, const struct plan *want, struct plan_diff **out)
{
	ND_AUTO(plan_diff_free) struct plan_diff *d = calloc(1, sizeof(*d));
	ND_AUTO(key_index_fini) struct key_index was_x = { 0 };
	ND_AUTO(key_index_fini) struct key_index want_x = { 0 };

	if (!d || key_index_init(&was_x, was) < 0 || key_index_init(&want_x, want) < 0 ||
	    add_steps(d, was, &was_x, want, &want_x) < 0)
		return -ENOMEM;
	*out = nd_take_ptr(&d);
	return 0;
}
