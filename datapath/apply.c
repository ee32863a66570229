/* SPDX-License-Identifier: GPL-2.0-or-later */
/* apply.c -- a diff's steps happen, or are undone
 *
 * Undoing is applying the finished steps' inverse, newest first, and going on after errors.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "datapath/run.h"

static int do_sysctl(struct run *a, size_t i)
{
	const struct plan_step *s = &a->d->steps[i];
	const struct plan_sysctl *x = &step_item(s)->sysctl;
	struct sysctl_keeper *k = a->dp->sysctls;
	int r = run_flush(a);

	if (r < 0 || a->state[i] == STEP_DONE)	/* done: it went with its bridge */
		return r;
	if (s->op == PLAN_REMOVE && x->shared)
		r = sysctl_release(k, x->path, a->owner, a->err);
	else if (s->op == PLAN_REMOVE)
		sysctl_forget(k, x->path);
	else if (x->shared && s->op == PLAN_CHANGE && a->undoing)
		r = sysctl_write(k, x->path, x->value, a->err);	/* back to what was found there */
	else if (x->shared)
		r = sysctl_hold(k, x->path, x->value, a->owner, a->err);
	else
		r = sysctl_set(k, x->path, x->value, a->err);
	if (r == 0 || s->op == PLAN_REMOVE)
		run_finish(a, i, r);
	return r;
}

static bool is_nft(const struct plan_step *s)
{
	enum plan_kind kind = step_item(s)->kind;

	return kind == PLAN_NFT_CHAIN || kind == PLAN_NFT_ELEM;
}

/* Adds the nft steps of one sort: an element must not outlive the chain it jumps to, nor come
 * before it. */
static int add_nft_steps(struct run *a, struct nft_batch *b, enum plan_kind kind, bool removals)
{
	for (size_t i = 0; i < a->d->n; i++) {
		const struct plan_step *s = &a->d->steps[i];
		int r;

		if (step_item(s)->kind != kind || (s->op == PLAN_REMOVE) != removals)
			continue;
		r = nft_batch_step(b, s->op, s->op == PLAN_CREATE ? NULL : &s->was,
				   s->op == PLAN_REMOVE ? NULL : &s->want, a->err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* All nft steps of the diff, at the place of the first. */
static int do_nft(struct run *a)
{
	ND_AUTO(nft_batch_free) struct nft_batch *b = NULL;
	int r = a->nft_done ? 0 : run_flush(a);

	if (r < 0 || a->nft_done)
		return r;
	a->nft_done = true;
	r = nft_batch_begin(a->dp->nft, &b, a->err);
	if (r == 0)
		r = add_nft_steps(a, b, PLAN_NFT_ELEM, true);
	if (r == 0)
		r = add_nft_steps(a, b, PLAN_NFT_CHAIN, false);
	if (r == 0)
		r = add_nft_steps(a, b, PLAN_NFT_ELEM, false);
	if (r == 0)
		r = add_nft_steps(a, b, PLAN_NFT_CHAIN, true);
	if (r == 0)
		r = nft_batch_commit(b, a->err);
	for (size_t i = 0; r == 0 && i < a->d->n; i++)
		if (is_nft(&a->d->steps[i]))
			run_finish(a, i, 0);
	return r;
}

static int do_step(struct run *a, size_t i)
{
	switch (step_item(&a->d->steps[i])->kind) {
	case PLAN_BRIDGE:
		return apply_bridge_step(a, i);
	case PLAN_SYSCTL:
		return do_sysctl(a, i);
	case PLAN_NFT_CHAIN:
	case PLAN_NFT_ELEM:
		return do_nft(a);
	default:
		return apply_link_step(a, i);
	}
}

/* The sentence of a second error goes behind the first. */
static void add_error(struct nd_error *err, const char *between, const struct nd_error *more)
{
	size_t len = strlen(err->text);

	if (!err->code)
		*err = *more;
	else
		snprintf(err->text + len, sizeof(err->text) - len, "%s%s", between, more->text);
}

/* Does the steps. When undoing, goes on after an error. */
static int run_steps(struct run *a)
{
	struct nd_error *all = a->err, one = { 0 };
	int r = 0, result = 0;

	for (size_t i = 0; i <= a->d->n && (result == 0 || a->undoing); i++) {
		one = (struct nd_error){ 0 };
		a->err = &one;
		r = i < a->d->n ? do_step(a, i) : run_flush(a);
		if (r == 0)
			continue;
		if (all)
			add_error(all, "; ", &one);
		result = result ? result : r;
	}
	a->err = all;
	return result;
}

static void inverse_step(const struct run *a, size_t i, struct plan_step *out)
{
	const struct plan_step *s = &a->d->steps[i];

	switch (s->op) {
	case PLAN_CREATE:
		*out = (struct plan_step){ .op = PLAN_REMOVE, .was = s->want };
		if (s->want.kind == PLAN_PORT)		/* what taking it off puts back */
			out->want.port.mtu_bytes = a->old_mtu[i];
		break;
	case PLAN_CHANGE:
		*out = (struct plan_step){ .op = PLAN_CHANGE, .was = s->want, .want = s->was };
		break;
	case PLAN_REMOVE:
		*out = (struct plan_step){ .op = PLAN_CREATE, .want = s->was };
		break;
	}
}

/* Newest first, but bridges before all: no frame may pass one whose rules are gone. */
static void inverse_diff(const struct run *a, struct plan_diff *out)
{
	out->n = 0;
	for (int bridges = 1; bridges >= 0; bridges--) {
		for (size_t k = a->n_order; k-- > 0;) {
			const struct plan_step *s = &a->d->steps[a->order[k]];
			bool is_bridge = s->op == PLAN_CREATE && s->want.kind == PLAN_BRIDGE;

			if (is_bridge == (bridges == 1))
				inverse_step(a, a->order[k], &out->steps[out->n++]);
		}
	}
}

/* Undoes what the run did and adds to its error what could not be undone. */
static void undo(struct run *a)
{
	struct nd_error failed = { 0 };
	struct plan_diff back = { 0 };
	ND_AUTO(run_fini) struct run u = { .dp = a->dp, .d = &back, .owner = a->owner,
					   .undoing = true, .err = &failed };
	int r;

	back.steps = calloc(a->n_order + 1, sizeof(*back.steps));
	if (!back.steps) {
		nd_error_nomem(&failed);
	} else {
		inverse_diff(a, &back);
		r = run_init(&u);
		if (r == 0)
			(void)run_steps(&u);	/* `failed` says what could not be undone */
	}
	free(back.steps);
	if (failed.code && a->err)
		add_error(a->err, "; undoing what was done failed too: ", &failed);
}

int datapath_apply(struct datapath *dp, const struct plan_diff *steps, const char *owner,
		   struct nd_error *err)
{
	struct nd_error local = { 0 };
	ND_AUTO(run_fini) struct run a = { .dp = dp, .d = steps, .owner = owner, .err = &local };
	int r = run_init(&a);

	if (r == 0)
		r = run_steps(&a);
	if (r == 0)
		return 0;
	/* Collected requests that were never sent are nothing to undo. */
	nl_batch_fini(&a.batch);
	undo(&a);
	if (err)
		*err = local;
	return r;
}
