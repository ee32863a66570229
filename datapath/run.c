/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "datapath/run.h"

#include <errno.h>
#include <string.h>

#include "datapath/route.h"
#include "netd/base/str.h"

void run_fini(struct run *a)
{
	size_t pos = 0;
	void *link;

	while (a->links && (link = nd_hash_next(a->links, &pos)))
		free(link);
	nd_hash_free(a->links);
	nd_hash_free(a->doomed);
	nl_batch_fini(&a->batch);
	free(a->state);
	free(a->old_mtu);
	free(a->order);
	free(a->batch_steps);
}

int run_init(struct run *a)
{
	size_t n = a->d->n + 1;

	a->state = calloc(n, sizeof(*a->state));
	a->old_mtu = calloc(n, sizeof(*a->old_mtu));
	a->order = calloc(n, sizeof(*a->order));
	a->links = nd_hash_new();
	a->doomed = nd_hash_new();
	if (!a->state || !a->old_mtu || !a->order || !a->links || !a->doomed)
		return nd_error_nomem(a->err);
	for (size_t i = 0; i < a->d->n; i++) {
		const struct plan_step *s = &a->d->steps[i];

		if (s->op == PLAN_REMOVE && s->was.kind == PLAN_BRIDGE &&
		    nd_hash_set(a->doomed, s->was.bridge.name, strlen(s->was.bridge.name),
				(void *)s) < 0)
			return nd_error_nomem(a->err);
	}
	return 0;
}

const struct plan_item *step_item(const struct plan_step *s)
{
	return s->op == PLAN_REMOVE ? &s->was : &s->want;
}

void run_finish(struct run *a, size_t i, int result)
{
	if (a->state[i] == STEP_OPEN || a->state[i] == STEP_SKIPPED)
		a->order[a->n_order++] = i;
	if (result < 0)
		a->state[i] = STEP_FAILED;
	else if (a->state[i] != STEP_FAILED)
		a->state[i] = STEP_DONE;
}

struct link_info *run_find_link(struct run *a, const char *name)
{
	struct link_info *link = nd_hash_find(a->links, name, strlen(name));
	int r;

	if (link)
		return link;
	link = calloc(1, sizeof(*link));
	if (!link) {
		nd_error_nomem(a->err);
		return NULL;
	}
	r = link_get(a->dp->nl, name, link, a->err);
	if (r == -ENODEV)
		nd_error_sys(a->err, ENODEV, "there is no interface '%s'", name);
	if (r == 0 && nd_hash_set(a->links, link->fact.name, strlen(link->fact.name), link) == 0)
		return link;
	if (r == 0)
		nd_error_nomem(a->err);
	free(link);
	return NULL;
}

void run_forget_link(struct run *a, const char *name)
{
	free(nd_hash_remove(a->links, name, strlen(name)));
}

int run_find_link_if_any(struct run *a, const char *name, struct link_info **out)
{
	*out = run_find_link(a, name);
	if (*out || a->err->code != ENODEV)
		return *out ? 0 : -a->err->code;
	*a->err = (struct nd_error){ 0 };
	return 0;
}

int run_claim_requests(struct run *a, size_t from, size_t i)
{
	if (a->batch.n > a->batch_room) {
		size_t room = a->batch.n * 2;
		size_t *steps = reallocarray(a->batch_steps, room, sizeof(*steps));

		if (!steps) {
			a->batch.failed = true;
			return nd_error_nomem(a->err);
		}
		a->batch_steps = steps;
		a->batch_room = room;
	}
	for (size_t k = from; k < a->batch.n; k++)
		a->batch_steps[k] = i;
	return 0;
}

/* The kernel says that something like it exists: is it just this one, from an earlier run? */
static bool is_there(struct run *a, const struct plan_item *item, const char *ifname)
{
	struct link_info *link = run_find_link(a, ifname);

	return link && route_item_is_there(a->dp->nl, item, link->fact.ifindex);
}

/* What a bad answer means for its step: 0 when the object is there or gone already. */
static int judge(struct run *a, const struct plan_step *s, int result)
{
	if (s->op == PLAN_REMOVE && (result == -ENODEV || result == -ENOENT ||
				     result == -ESRCH || result == -EADDRNOTAVAIL))
		return 0;
	if (s->op == PLAN_CREATE && result == -EEXIST &&
	    ((s->want.kind == PLAN_ADDR && is_there(a, &s->want, s->want.addr.ifname)) ||
	     (s->want.kind == PLAN_ROUTE && is_there(a, &s->want, s->want.route.ifname))))
		return 0;
	return result;
}

int run_flush(struct run *a)
{
	int first_bad = 0;

	if (!a->batch.n)
		return 0;
	(void)nl_batch_run(a->dp->nl, &a->batch, 0);	/* results are looked at one by one */
	if (a->batch.failed)
		first_bad = nd_error_nomem(a->err);
	for (size_t k = 0; k < a->batch.n && !a->batch.failed; k++) {
		const struct nl_req *rq = &a->batch.reqs[k];
		const struct plan_step *s = &a->d->steps[a->batch_steps[k]];
		int r = rq->result < 0 ? judge(a, s, rq->result) : 0;

		if (r < 0 && first_bad == 0)
			first_bad = nl_req_error(rq, a->err);
		run_finish(a, a->batch_steps[k], r);
	}
	nl_batch_fini(&a->batch);
	return first_bad;
}
