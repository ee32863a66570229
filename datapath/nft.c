/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nft.c -- the nftables engine: batches of plan steps, one transaction each
 *
 * Where the kernel has persistent owned tables (6.9), nobody else can change the table while this
 * process lives, so what was read or committed last is what is there. Elsewhere the table is
 * plain: the generation id in each transaction tells that somebody changed rules since, and a
 * second table, owned, keeps the kernel's NAT hooks registered, because a flush that removes
 * the last of them resets every translated connection.
 */
#include "datapath/nft.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "datapath/nft_commit.h"
#include "datapath/nft_foreign.h"
#include "datapath/nft_libvirt.h"
#include "netd/base/array.h"
#include "netd/base/effect.h"

enum { TRIES = 10 };

struct nft {
	struct nft_wire wire;
	struct nft_state state;
	bool loaded;
	bool persist;
};

struct nft_batch {
	struct nft *nft;
	struct nft_wishes wishes;
};

int nft_new(bool no_persist, struct nft **out, struct nd_error *err)
{
	struct nft *nft = calloc(1, sizeof(*nft));
	int r;

	if (!nft)
		return nd_error_nomem(err);
	r = nft_wire_open(&nft->wire, err);
	if (r < 0) {
		free(nft);
		return r;
	}
	nft->persist = !no_persist && nft_kernel_persists(&nft->wire);
	*out = nft;
	return 0;
}

void nft_free(struct nft *nft)
{
	if (!nft)
		return;
	if (nft->loaded)
		nft_state_fini(&nft->state);
	nft_wire_close(&nft->wire);
	free(nft);
}

static void forget(struct nft *nft)
{
	if (nft->loaded)
		nft_state_fini(&nft->state);
	nft->loaded = false;
}

static bool owned(const struct nft *nft)
{
	return nft->state.table && nft->state.flags == NFT_PERSIST_FLAGS &&
	       nft->state.owner == nft->wire.portid;
}

/* The table as it was made says how this engine would make it. */
static bool made_our_way(const struct nft *nft)
{
	return nft->state.flags == (nft->persist ? NFT_PERSIST_FLAGS : 0U);
}

/* Makes sure that the state is the kernel's. */
static int refresh(struct nft *nft, struct nd_error *err)
{
	uint32_t genid = 0;
	int r;

	if (nft->loaded && owned(nft))
		return 0;
	if (nft->loaded) {
		r = nft_wire_genid(&nft->wire, &genid);
		if (r == 0 && genid == nft->state.genid)
			return 0;
	}
	forget(nft);
	if (nft_state_init(&nft->state) < 0)
		return nd_error_nomem(err);
	nft->loaded = true;
	r = nft_state_load(&nft->state, &nft->wire, err);
	if (r < 0) {
		forget(nft);
		return r;
	}
	if (nft->state.table && !made_our_way(nft))
		nft->state.sound = false;
	return 0;
}


int nft_batch_begin(struct nft *nft, struct nft_batch **out, struct nd_error *err)
{
	struct nft_batch *b = calloc(1, sizeof(*b));

	if (!b)
		return nd_error_nomem(err);
	b->nft = nft;
	b->wishes.index = nd_hash_new();
	if (!b->wishes.index) {
		free(b);
		return nd_error_nomem(err);
	}
	*out = b;
	return 0;
}

void nft_batch_free(struct nft_batch *b)
{
	if (!b)
		return;
	for (size_t i = 0; i < b->wishes.n_elems; i++)
		free(b->wishes.elems[i]);
	nd_hash_free(b->wishes.index);
	free(b->wishes.elems);
	free(b->wishes.chains);
	free(b);
}

/* The last word on a key counts. */
static int wish_elem(struct nft_wishes *wishes, const struct plan_nft_elem *e, bool present)
{
	struct nft_wish *w, **slot;
	struct plan_nft_elem k;

	nft_elem_normalise(&k, e);
	w = nd_hash_find(wishes->index, &k, nft_elem_hash_key_len(&k));
	if (!w) {
		slot = nd_array_add(wishes->elems, wishes->n_elems);
		if (!slot)
			return -ENOMEM;
		*slot = w = malloc(sizeof(*w));
		if (!w) {
			wishes->n_elems--;
			return -ENOMEM;
		}
		w->elem = k;
		if (nd_hash_set(wishes->index, &w->elem, nft_elem_hash_key_len(&k), w) < 0)
			return -ENOMEM;		/* stays in the array, which is freed with it */
	}
	if (present)
		w->elem = k;
	w->present = present;
	return 0;
}

static int wish_chain(struct nft_wishes *wishes, const struct plan_nft_chain *c, bool present)
{
	struct nft_chain_wish *w = NULL;

	for (size_t i = 0; i < wishes->n_chains && !w; i++)
		if (strcmp(wishes->chains[i].chain.name, c->name) == 0)
			w = &wishes->chains[i];
	if (!w)
		w = nd_array_add(wishes->chains, wishes->n_chains);
	if (!w)
		return -ENOMEM;
	w->chain = *c;
	w->present = present;
	return 0;
}

static int wish(struct nft_wishes *wishes, const struct plan_item *item, bool present,
		struct nd_error *err)
{
	const struct plan_nft_elem *e = &item->nft_elem;
	struct nft_set_id id;
	int r = 0;

	if (item->kind == PLAN_NFT_CHAIN) {
		r = wish_chain(wishes, &item->nft_chain, present);
	} else if (item->kind == PLAN_NFT_ELEM) {
		if (!nft_set_id_parse(e->set, &id) || nft_set_key_len(&id) != e->key_len ||
		    (present && nft_classes[id.class].is_map != (e->goto_chain[0] != '\0')))
			return nd_error_set(err, ND_ERR_INTERNAL,
					    "set '%s' has no element with a key of %u bytes", e->set,
					    e->key_len);
		r = wish_elem(wishes, e, present);
	}
	return r < 0 ? nd_error_nomem(err) : 0;
}

int nft_batch_step(struct nft_batch *b, enum plan_op op, const struct plan_item *was,
		   const struct plan_item *want, struct nd_error *err)
{
	int r = 0;

	if (op != PLAN_CREATE)
		r = wish(&b->wishes, was, false, err);
	if (r == 0 && op != PLAN_REMOVE)
		r = wish(&b->wishes, want, true, err);
	return r;
}

/* The state as the committed transaction left it. */
static int follow(struct nft *nft, const struct nft_wishes *wishes)
{
	struct nft_state *s = &nft->state;
	bool left = s->n_chains > 0;
	int r = 0;

	for (size_t i = 0; i < wishes->n_elems && r == 0; i++) {
		if (wishes->elems[i]->present)
			r = nft_state_put(s, &wishes->elems[i]->elem);
		else
			nft_state_drop(s, &wishes->elems[i]->elem);
	}
	for (size_t i = 0; i < wishes->n_chains && r == 0; i++) {
		if (wishes->chains[i].present)
			r = nft_state_put_chain(s, &wishes->chains[i].chain);
		else
			nft_state_drop_chain(s, wishes->chains[i].chain.name);
	}
	left = nd_hash_count(s->elems) > 0;
	s->table = left;
	s->sound = true;
	s->flags = nft->persist ? NFT_PERSIST_FLAGS : 0;
	s->owner = nft->persist ? nft->wire.portid : 0;
	s->hold = left && !nft->persist;
	s->genid = nft_genid_next(s->genid);
	return r;
}

static bool all_well(const struct nft *nft)
{
	const struct nft_state *s = &nft->state;

	if (!s->sound || (s->hold && !s->table))
		return false;
	return !s->table || (nft->persist ? owned(nft) : s->hold);
}

static int send_wishes(struct nft *nft, const struct nft_wishes *wishes, struct nd_error *err)
{
	ND_AUTO(free) struct nft_counts *counts = calloc(1, sizeof(*counts));
	struct nft_tx tx;
	int r;

	if (!counts)
		return nd_error_nomem(err);
	nft_tx_begin(&tx, &nft->wire, owned(nft) ? 0 : nft->state.genid);
	r = nft_transition(&tx, &nft->state, wishes, nft->state.table && !nft->state.sound,
			   nft->persist, counts);
	if (r < 0) {
		r = nd_error_nomem(err);
	} else {
		r = nd_effect(ND_EFFECT_NFT, "commit");
		r = r < 0 ? nd_error_sys(err, -r, "cannot commit to nftables")
			  : nft_tx_send(&tx, &nft->wire, err);
	}
	nft_tx_fini(&tx);
	return r;
}

int nft_batch_commit(struct nft_batch *b, struct nd_error *err)
{
	struct nft *nft = b->nft;
	bool others;
	int r = 0;

	for (int tries = 0; tries < TRIES; tries++) {
		bool fresh = !nft->loaded;

		r = refresh(nft, err);
		if (r < 0)
			return r;
		if (nft_wishes_met(&b->wishes, &nft->state) && all_well(nft))
			return 0;
		r = send_wishes(nft, &b->wishes, err);
		if (r == 0)
			break;
		others = nft->state.others;
		forget(nft);
		if (nft_try_again(r, fresh, tries))
			continue;
		if (r == -EPERM && others)
			(void)nd_error_set(err, ND_ERR_OPERATION_INVALID,
					   "nft table 'inet %s' belongs to another process: another "
					   "netd runs in this network namespace",
					   nft->persist ? NFT_TABLE : NFT_HOLD_TABLE);
		return r;
	}
	if (r == 0 && follow(nft, &b->wishes) < 0)
		forget(nft);		/* read again next time */
	return r;
}

uint32_t nft_portid(const struct nft *nft)
{
	return nft->wire.portid;
}

static int adopt_once(struct nft *nft, struct nd_error *err)
{
	ND_AUTO(nft_batch_free) struct nft_batch *b = NULL;
	int r = nft_batch_begin(nft, &b, err);

	return r < 0 ? r : nft_batch_commit(b, err);
}

int nft_adopt(struct nft *nft, struct nd_error *err)
{
	struct nd_error tried;
	int waited_ms = 0, r;

	do {
		tried = (struct nd_error){ 0 };
		r = adopt_once(nft, &tried);
	} while (nft_owner_may_go(r, &waited_ms));
	if (r < 0 && err)
		*err = tried;
	return r;
}

int nft_read(struct nft *nft, struct plan *out, struct nd_error *err)
{
	const struct plan_nft_elem *e;
	struct plan_item *item;
	size_t pos = 0;
	int r = refresh(nft, err);

	/* Of a damaged table nothing counts: what is missing is then applied again, and the
	 * transaction that does so makes the whole table anew. */
	if (r < 0 || !nft->state.sound)
		return r;
	for (size_t i = 0; i < nft->state.n_chains; i++) {
		item = plan_add(out, PLAN_NFT_CHAIN);
		if (!item)
			return nd_error_nomem(err);
		item->nft_chain = nft->state.chains[i];
	}
	while ((e = nd_hash_next(nft->state.elems, &pos))) {
		item = plan_add(out, PLAN_NFT_ELEM);
		if (!item)
			return nd_error_nomem(err);
		item->nft_elem = *e;
	}
	return 0;
}

int nft_foreign_drops(struct nft *nft, const char *const *bridges, size_t n_bridges,
		      nft_foreign_fn found, void *arg, struct nd_error *err)
{
	struct nft_foreign_query q = { bridges, n_bridges, found, arg };
	int r = nft_foreign_survey(&nft->wire, &q);

	/* A change meanwhile: what was found is good enough for a hint. */
	if (r < 0 && r != -EINTR && r != -ENOENT)
		return nd_error_sys(err, -r, "cannot read other programs' nft tables");
	return 0;
}

int nft_remove_libvirt(struct nft *nft, const struct libvirt_rules *of, size_t *n_out,
		       struct nd_error *err)
{
	int r = -ESTALE;

	/* Somebody else changed rules meanwhile: they are looked at again. */
	for (int i = 0; i < TRIES && (r == -ESTALE || r == -EINTR || r == -ENOENT); i++)
		r = nft_libvirt_remove(&nft->wire, of, n_out, err);
	return r;
}
