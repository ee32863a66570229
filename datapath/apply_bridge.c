/* SPDX-License-Identifier: GPL-2.0-or-later */
/* apply_bridge.c -- bridges are made, changed and removed, when they are netd's */
#include <errno.h>
#include <string.h>

#include "datapath/bridge.h"
#include "datapath/intent.h"
#include "datapath/run.h"

static int foreign_bridge(struct run *a, const char *name)
{
	nd_error_set(a->err, ND_ERR_OPERATION_FAILED,
		     "bridge '%s' exists already and is not netd's", name);
	a->err->code = EEXIST;
	return -EEXIST;
}

/* Makes the bridge, or finds that the one there is ours. Sets *made when it was made, also on
 * failure. */
static int make_bridge(struct run *a, const struct plan_bridge *want, bool announced,
		       struct link_info *link, bool *made)
{
	ND_AUTO(nl_batch_fini) struct nl_batch b = { 0 };
	int created;

	bridge_request_create(&b, want);
	link_request_get(&b, want->name, link);
	(void)nl_batch_run(a->dp->nl, &b, 0);	/* the results are judged together */
	if (b.failed)
		return nd_error_nomem(a->err);
	created = b.reqs[0].result;
	*made = created == 0;
	if (created == -EOPNOTSUPP && want->vlan_filtering)
		return nd_error_set(a->err, ND_ERR_CONFIG_UNSUPPORTED,
				    "this kernel has no VLAN filtering on bridges, which bridge "
				    "'%s' needs for macTableManager='libvirt'", want->name);
	if (created < 0 && created != -EEXIST)
		return nl_req_error(&b.reqs[0], a->err);
	if (b.reqs[1].result < 0)
		return nl_req_error(&b.reqs[1], a->err);
	/* A note written by this run proves nothing about a bridge from before it. */
	if (created == -EEXIST && !announced)
		(void)intent_remove(a->dp->run_fd, want->name, NULL);
	return datapath_owns(a->dp, want, link) ? 0 : foreign_bridge(a, want->name);
}

static int create_bridge(struct run *a, size_t i, const struct plan_bridge *want)
{
	ND_AUTO(nl_batch_fini) struct nl_batch b = { 0 };
	bool announced = intent_exists(a->dp->run_fd, want), made = false;
	int r = announced ? 0 : intent_write(a->dp->run_fd, want, a->err);
	struct plan_bridge now;
	struct link_info link;

	if (r < 0)
		return r;
	r = make_bridge(a, want, announced, &link, &made);
	if (r < 0) {
		if (made)	/* undone by what the note proves */
			run_finish(a, i, r);
		else
			(void)intent_remove(a->dp->run_fd, want->name, NULL);
		return r;
	}
	run_finish(a, i, 0);
	now = bridge_from_link(&link, link.fact.mtu_bytes, want);
	/* A new one lacks at least its alias. */
	bridge_request_change(&b, link.fact.ifindex, &now, want);
	r = nl_call(a->dp->nl, &b, a->err);
	if (r == 0)
		r = intent_remove(a->dp->run_fd, want->name, a->err);
	run_finish(a, i, r);
	return r;
}

static int change_bridge(struct run *a, size_t i, const struct plan_bridge *was,
			 const struct plan_bridge *want)
{
	ND_AUTO(nl_batch_fini) struct nl_batch b = { 0 };
	struct plan_bridge now;
	struct link_info link;
	int r = link_get(a->dp->nl, want->name, &link, a->err);

	if (r == -ENODEV)
		return nd_error_sys(a->err, ENODEV, "bridge '%s' is gone", want->name);
	if (r < 0)
		return r;
	if (!datapath_owns(a->dp, want, &link))
		return foreign_bridge(a, want->name);
	now = bridge_from_link(&link, 0, want);
	if (was->mtu_bytes == want->mtu_bytes && !want->mtu_bytes)
		now.mtu_bytes = 0;	/* what it has by its ports */
	bridge_request_change(&b, link.fact.ifindex, &now, want);
	r = nl_call(a->dp->nl, &b, a->err);
	if (r == 0 && !link.fact.alias[0])	/* it has one now */
		r = intent_remove(a->dp->run_fd, want->name, a->err);
	run_finish(a, i, r);
	return r;
}

/* The sysctl is one of the bridge's own, like net/ipv6/conf/virbr0/accept_ra. */
static bool is_sysctl_of(const struct plan_sysctl *x, const char *bridge)
{
	const char *at = strstr(x->path, bridge);
	size_t len = strlen(bridge);

	return !x->shared && at && at > x->path && at[-1] == '/' && at[len] == '/';
}

/* What the plan had on a bridge went with it. Sysctls last: they come back first. */
static void finish_skipped(struct run *a, const char *bridge)
{
	for (size_t i = 0; i < a->d->n; i++)
		if (a->state[i] == STEP_SKIPPED)
			run_finish(a, i, 0);
	for (size_t i = 0; i < a->d->n; i++) {
		const struct plan_step *s = &a->d->steps[i];

		if (s->op != PLAN_REMOVE || s->was.kind != PLAN_SYSCTL ||
		    !is_sysctl_of(&s->was.sysctl, bridge))
			continue;
		sysctl_forget(a->dp->sysctls, s->was.sysctl.path);
		run_finish(a, i, 0);
	}
}

static int remove_bridge(struct run *a, size_t i, const struct plan_bridge *was)
{
	ND_AUTO(nl_batch_fini) struct nl_batch b = { 0 };
	struct link_info link;
	int r = link_get(a->dp->nl, was->name, &link, a->err);

	if (r < 0 && r != -ENODEV)
		return r;
	/* A bridge that is not ours has taken the name: ours is gone. */
	if (r == 0 && datapath_owns(a->dp, was, &link)) {
		link_request_delete(&b, link.fact.ifindex, was->name);
		r = remover_run(a->dp->remover, &b, &link.fact.ifindex, 1, a->err);
		if (r < 0 && r != -ENODEV)
			return r;
		/* A note that stays says nothing more, and goes when netd starts next. */
		(void)intent_remove(a->dp->run_fd, was->name, NULL);
	}
	datapath_forget_bridge(a->dp, was->name);
	finish_skipped(a, was->name);
	run_finish(a, i, 0);
	return 0;
}

int apply_bridge_step(struct run *a, size_t i)
{
	const struct plan_step *s = &a->d->steps[i];
	int r = run_flush(a);

	if (r < 0)
		return r;
	run_forget_link(a, step_item(s)->bridge.name);
	switch (s->op) {
	case PLAN_CREATE:
		return create_bridge(a, i, &s->want.bridge);
	case PLAN_CHANGE:
		return change_bridge(a, i, &s->was.bridge, &s->want.bridge);
	case PLAN_REMOVE:
		return remove_bridge(a, i, &s->was.bridge);
	}
	return 0;
}
