/* SPDX-License-Identifier: GPL-2.0-or-later */
/* port_filters.c -- the engine of table "bridge netd": what is there, what shall be, one transaction
 *
 * As with the other table (nft.c), where the kernel has persistent owned tables nobody else can change
 * this one while the process lives, so that what was committed last is what is there; elsewhere the
 * generation id tells whether somebody changed rules. A table that somebody has edited outside of the
 * ports' own chains is made anew, and what was learned is then learned again.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "datapath/nft_commit.h"
#include "datapath/port_filter.h"
#include "datapath/port_filters_commit.h"
#include "netd/base/array.h"
#include "netd/base/effect.h"

enum { TRIES = 10 };

struct port_filters {
	struct nft_wire wire;
	struct filter_table table;
	bool loaded, persist;
	bool held;		/* a transaction of this process succeeded */
};

int port_filters_new(bool no_persist, struct port_filters **out, struct nd_error *err)
{
	struct port_filters *pf = calloc(1, sizeof(*pf));
	int r;

	if (!pf)
		return nd_error_nomem(err);
	r = nft_wire_open(&pf->wire, err);
	if (r < 0) {
		free(pf);
		return r;
	}
	pf->persist = !no_persist && nft_kernel_persists(&pf->wire);
	*out = pf;
	return 0;
}

static void forget(struct port_filters *pf)
{
	if (pf->loaded)
		filter_table_fini(&pf->table);
	pf->loaded = false;
}

void port_filters_free(struct port_filters *pf)
{
	if (!pf)
		return;
	forget(pf);
	nft_wire_close(&pf->wire);
	free(pf);
}

uint32_t port_filters_portid(const struct port_filters *pf)
{
	return pf->wire.portid;
}

/* ---- what is there ---- */

static bool owned(const struct port_filters *pf)
{
	return pf->table.there && pf->table.flags == NFT_PERSIST_FLAGS && pf->table.owner == pf->wire.portid;
}

/* Makes sure that the table is the kernel's. */
static int refresh(struct port_filters *pf, struct nd_error *err)
{
	uint32_t genid = 0;
	int r;

	if (pf->loaded && owned(pf))
		return 0;
	if (pf->loaded && nft_wire_genid(&pf->wire, &genid) == 0 && genid == pf->table.genid)
		return 0;
	forget(pf);
	if (filter_table_init(&pf->table) < 0)
		return nd_error_nomem(err);
	pf->loaded = true;
	r = filter_table_load(&pf->table, &pf->wire, err);
	if (r < 0) {
		forget(pf);
		return r;
	}
	/* the flags tell whether this engine would make it so */
	if (pf->table.there && pf->table.flags != (pf->persist ? NFT_PERSIST_FLAGS : 0U))
		pf->table.sound = false;
	return 0;
}

/* ---- what differs ---- */

static void changes_fini(struct filter_changes *c)
{
	for (size_t i = 0; i < c->n; i++)
		filter_port_free(c->items[i].now);
	free(c->items);
}

static int add_change(struct filter_changes *c, struct filter_table_port *was, const struct port_filter *want)
{
	struct filter_change *change = nd_array_add(c->items, c->n);

	if (!change)
		return -ENOMEM;
	change->was = was;
	change->now = want ? filter_port_new(want) : NULL;
	return want && !change->now ? -ENOMEM : 0;
}

/* seen: key -> anything, of the ports that stay; its keys are the table's and the changes'. */
static int compare_port(const struct port_filters *pf, const struct port_filter *want,
			struct filter_changes *c, struct nd_hash *seen, struct nd_error *err)
{
	struct filter_table_port *was, *stays;
	char key[FILTER_KEY_SIZE];
	int same;

	filter_key(want->ifname, key);
	if (nd_hash_find(seen, key, strlen(key)))
		return nd_error_set(err, ND_ERR_INTERNAL, "port '%s' has two filters", want->ifname);
	was = c->rebuild ? NULL : filter_table_find(&pf->table, key);
	same = was ? filter_port_agrees(was, want) : 0;
	if (same < 0 || (!same && add_change(c, was, want) < 0))
		return nd_error_nomem(err);
	stays = same ? was : c->items[c->n - 1].now;
	c->n_ports++;
	return nd_hash_set(seen, stays->key, strlen(stays->key), stays) < 0 ? nd_error_nomem(err) : 0;
}

static int compare(const struct port_filters *pf, const struct port_filter *const *want, size_t n,
		   struct filter_changes *c, struct nd_error *err)
{
	ND_AUTO(nd_hash_free) struct nd_hash *seen = nd_hash_new();
	struct filter_table_port *p;
	size_t pos = 0;

	if (!seen)
		return nd_error_nomem(err);
	c->rebuild = pf->table.there && !pf->table.sound;
	for (size_t i = 0; i < n; i++) {
		int r = port_filter_is_empty(want[i]) ? 0 : compare_port(pf, want[i], c, seen, err);

		if (r < 0)
			return r;
	}
	while (!c->rebuild && c->n_ports && (p = nd_hash_next(pf->table.ports, &pos)))
		if (!nd_hash_find(seen, p->key, strlen(p->key)) && add_change(c, p, NULL) < 0)
			return nd_error_nomem(err);
	return 0;
}

static bool nothing_to_do(const struct port_filters *pf, const struct filter_changes *c)
{
	if (!pf->table.there)
		return !c->n_ports;
	return c->n_ports && !c->n && !c->rebuild && (!pf->persist || owned(pf));
}

/* ---- the transaction ---- */

static int send_changes(struct port_filters *pf, const struct filter_changes *c, struct nd_error *err)
{
	struct nft_tx tx;
	int r;

	nft_tx_begin(&tx, &pf->wire, owned(pf) ? 0 : pf->table.genid);
	r = filter_transition(&tx, &pf->table, c, pf->persist);
	if (r < 0) {
		r = nd_error_nomem(err);
	} else {
		r = nd_effect(ND_EFFECT_NFT, "commit port filters");
		r = r < 0 ? nd_error_sys(err, -r, "cannot commit to nftables") : nft_tx_send(&tx, &pf->wire, err);
	}
	nft_tx_fini(&tx);
	return r;
}

/* The table as the committed transaction left it. */
static int follow(struct port_filters *pf, struct filter_changes *c)
{
	struct filter_table *t = &pf->table;
	uint32_t genid = t->genid;
	int r = 0;

	if (c->rebuild || !c->n_ports) {
		filter_table_fini(t);
		if (filter_table_init(t) < 0)
			return -ENOMEM;
		t->genid = genid;
	}
	for (size_t i = 0; i < c->n && r == 0; i++) {
		struct filter_change *change = &c->items[i];

		if (change->now)
			r = filter_table_put(t, nd_take_ptr(&change->now));
		else
			filter_table_drop(t, change->was->key);
	}
	t->there = c->n_ports > 0;
	t->sound = true;
	t->others = false;
	t->flags = t->there && pf->persist ? NFT_PERSIST_FLAGS : 0;
	t->owner = t->there && pf->persist ? pf->wire.portid : 0;
	t->genid = nft_genid_next(t->genid);
	return r;
}

static int try_once(struct port_filters *pf, const struct port_filter *const *want, size_t n,
		    struct nd_error *err)
{
	struct filter_changes c = { 0 };
	int r = compare(pf, want, n, &c, err);

	if (r == 0 && !nothing_to_do(pf, &c)) {
		r = send_changes(pf, &c, err);
		pf->held |= r == 0;
		if (r == 0 && follow(pf, &c) < 0)
			forget(pf);		/* read again next time */
	}
	changes_fini(&c);
	return r;
}

static int apply_once(struct port_filters *pf, const struct port_filter *const *want, size_t n,
		      struct nd_error *err)
{
	bool others;
	int r = 0;

	for (int tries = 0; tries < TRIES; tries++) {
		bool fresh = !pf->loaded;

		r = refresh(pf, err);
		if (r < 0)
			return r;
		others = pf->table.others;
		r = try_once(pf, want, n, err);
		if (r == 0)
			return 0;
		forget(pf);
		if (!nft_try_again(r, fresh, tries))
			break;
	}
	if (r == -EPERM && others)
		(void)nd_error_set(err, ND_ERR_OPERATION_INVALID,
				   "nft table '%s' belongs to another process: another netd runs in this "
				   "network namespace", FILTER_TABLE_NAME);
	return r;
}

int port_filters_apply(struct port_filters *pf, const struct port_filter *const *want, size_t n,
		       struct nd_error *err)
{
	struct nd_error tried;
	int waited_ms = 0, r;

	for (size_t i = 0; i < n; i++) {
		r = filter_check(want[i], err);
		if (r < 0)
			return r;
	}
	do {
		tried = (struct nd_error){ 0 };
		r = apply_once(pf, want, n, &tried);
	} while (!pf->held && nft_owner_may_go(r, &waited_ms));
	if (r < 0 && err)
		*err = tried;
	return r;
}
