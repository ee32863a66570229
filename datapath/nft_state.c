/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "datapath/nft_state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "netd/base/array.h"

int nft_state_init(struct nft_state *s)
{
	memset(s, 0, sizeof(*s));
	s->sound = true;
	s->have = calloc(1, sizeof(*s->have));
	s->elems = nd_hash_new();
	if (s->have && s->elems)
		return 0;
	nft_state_fini(s);
	return -ENOMEM;
}

void nft_state_fini(struct nft_state *s)
{
	struct plan_nft_elem *e;
	size_t pos = 0;

	if (s->elems)
		while ((e = nd_hash_next(s->elems, &pos)))
			free(e);
	nd_hash_free(s->elems);
	free(s->have);
	free(s->chains);
	memset(s, 0, sizeof(*s));
}

size_t nft_elem_hash_key_len(const struct plan_nft_elem *e)
{
	_Static_assert(offsetof(struct plan_nft_elem, key) == sizeof(e->set), "no gap");
	return sizeof(e->set) + e->key_len;
}

void nft_elem_normalise(struct plan_nft_elem *to, const struct plan_nft_elem *from)
{
	memset(to, 0, sizeof(*to));
	memcpy(to->set, from->set, strnlen(from->set, sizeof(to->set) - 1));
	memcpy(to->goto_chain, from->goto_chain,
	       strnlen(from->goto_chain, sizeof(to->goto_chain) - 1));
	to->key_len = from->key_len;
	memcpy(to->key, from->key, from->key_len);
}

struct plan_nft_elem *nft_state_find(const struct nft_state *s, const struct plan_nft_elem *e)
{
	struct plan_nft_elem k;

	if (e->key_len > PLAN_NFT_KEY_MAX)
		return NULL;
	nft_elem_normalise(&k, e);
	return nd_hash_find(s->elems, &k, nft_elem_hash_key_len(&k));
}

const struct plan_nft_chain *nft_state_find_chain(const struct nft_state *s, const char *name)
{
	for (size_t i = 0; i < s->n_chains; i++)
		if (strcmp(s->chains[i].name, name) == 0)
			return &s->chains[i];
	return NULL;
}

int nft_state_put(struct nft_state *s, const struct plan_nft_elem *e)
{
	struct plan_nft_elem *mine;
	struct nft_set_id id;

	if (!nft_set_id_parse(e->set, &id) || nft_set_key_len(&id) != e->key_len)
		return -EINVAL;
	mine = nft_state_find(s, e);
	if (mine) {
		nft_elem_normalise(mine, e);
		return 0;
	}
	mine = malloc(sizeof(*mine));
	if (!mine)
		return -ENOMEM;
	nft_elem_normalise(mine, e);
	if (nd_hash_set(s->elems, mine, nft_elem_hash_key_len(mine), mine) < 0) {
		free(mine);
		return -ENOMEM;
	}
	++*nft_count(s->have, &id);
	s->have->sum[id.class][id.v6]++;
	return 0;
}

void nft_state_drop(struct nft_state *s, const struct plan_nft_elem *e)
{
	struct plan_nft_elem *mine = nft_state_find(s, e);
	struct nft_set_id id;

	if (!mine || !nft_set_id_parse(mine->set, &id))
		return;
	nd_hash_remove(s->elems, mine, nft_elem_hash_key_len(mine));
	free(mine);
	--*nft_count(s->have, &id);
	s->have->sum[id.class][id.v6]--;
}

int nft_state_put_chain(struct nft_state *s, const struct plan_nft_chain *c)
{
	struct plan_nft_chain *mine;

	nft_state_drop_chain(s, c->name);
	mine = nd_array_add(s->chains, s->n_chains);
	if (!mine)
		return -ENOMEM;
	*mine = *c;
	if (mine->port_start == 1024 && mine->port_end == 65535)
		mine->port_start = mine->port_end = 0;
	return 0;
}

void nft_state_drop_chain(struct nft_state *s, const char *name)
{
	const struct plan_nft_chain *c = nft_state_find_chain(s, name);

	if (c)
		nd_array_remove(s->chains, s->n_chains, (size_t)(c - s->chains));
}
