/* SPDX-License-Identifier: GPL-2.0-or-later */
/* apply_shape.c -- shapers, floors and policers come, change and go
 *
 * A creation begins with the removal of what is there: a predecessor's work, or somebody else's on
 * a device that is netd's. So do changes of what the kernel cannot change.
 */
#include <errno.h>

#include "datapath/run.h"
#include "datapath/shape.h"

static bool only_rates(const struct plan_step *s)
{
	return s->op == PLAN_CHANGE && s->want.kind == PLAN_SHAPER &&
	       !s->was.shaper.pool == !s->want.shaper.pool;
}

static void request_removal(struct nl_batch *b, const struct plan_step *s, int ifindex)
{
	const struct plan_item *item = step_item(s);

	if (item->kind == PLAN_FLOOR)
		floor_request_remove(b, ifindex, &item->floor);
	else if (item->kind == PLAN_POLICER)
		policer_request_remove(b, ifindex, item->policer.ifname);
	else
		shaper_request_remove(b, ifindex, item->shaper.ifname, s->op != PLAN_REMOVE);
}

static void request(struct nl_batch *b, const struct plan_step *s, int ifindex)
{
	if (s->want.kind == PLAN_FLOOR)
		floor_request_create(b, ifindex, &s->want.floor);
	else if (s->want.kind == PLAN_POLICER)
		policer_request_create(b, ifindex, &s->want.policer);
	else if (only_rates(s))
		shaper_request_change(b, ifindex, &s->want.shaper);
	else
		shaper_request_create(b, ifindex, &s->want.shaper);
}

/* The kernel knows no such qdisc, filter or action. */
static int lacks_feature(const struct plan_item *item, const struct nl_req *rq,
			 struct nd_error *err)
{
	bool filter = nlmsg_hdr(rq->msg)->nlmsg_type == RTM_NEWTFILTER;
	const char *what = "<inbound>", *ifname = item->shaper.ifname, *needs;

	if (item->kind == PLAN_SHAPER) {
		what = item->shaper.outbound ? "<outbound>" : "<inbound>";
		needs = "HTB (CONFIG_NET_SCH_HTB)";
	} else if (item->kind == PLAN_FLOOR) {
		what = "'floor'";
		ifname = item->floor.ifname;
		needs = "u32 filters (CONFIG_NET_CLS_U32)";
	} else {
		what = item->policer.inbound ? "<inbound>" : "<outbound>";
		ifname = item->policer.ifname;
		needs = filter ? "police action (CONFIG_NET_ACT_POLICE) or no u32 filters "
				 "(CONFIG_NET_CLS_U32)"
			       : "ingress qdisc (CONFIG_NET_SCH_INGRESS)";
	}
	return nd_error_set(err, ND_ERR_CONFIG_UNSUPPORTED, "<bandwidth>: %s on '%s' cannot be kept: "
			    "this kernel has no %s", what, ifname, needs);
}

/* What a bad answer means for its step. */
static int judge(const struct plan_item *item, const struct nl_req *rq, struct nd_error *err)
{
	uint16_t type = nlmsg_hdr(rq->msg)->nlmsg_type;
	bool removal = type == RTM_DELQDISC || type == RTM_DELTCLASS || type == RTM_DELTFILTER;

	if (rq->result == 0 || (removal && (rq->result == -ENOENT || rq->result == -EINVAL ||
					    rq->result == -ENODEV)))
		return 0;
	if (rq->result == -ENOENT && shape_request_optional(rq))
		return 0;
	if (rq->result == -ENOENT || rq->result == -EOPNOTSUPP)
		return lacks_feature(item, rq, err);
	return nl_req_error(rq, err);
}

/* Runs the batch; *touched says that something of it happened. */
static int run_requests(struct run *a, const struct plan_step *s, struct nl_batch *b, bool *touched)
{
	int r = 0;

	(void)nl_batch_run(a->dp->nl, b, 0);	/* the results are judged one by one */
	if (b->failed)
		return nd_error_nomem(a->err);
	for (size_t k = 0; k < b->n; k++) {
		*touched |= b->reqs[k].result == 0;
		if (r == 0)
			r = judge(step_item(s), &b->reqs[k], a->err);
	}
	return r;
}

int apply_shape_step(struct run *a, size_t i, int ifindex)
{
	ND_AUTO(nl_batch_fini) struct nl_batch removal = { 0 };
	ND_AUTO(nl_batch_fini) struct nl_batch b = { 0 };
	const struct plan_step *s = &a->d->steps[i];
	bool touched = false;
	int r = run_flush(a);

	if (r < 0)
		return r;
	if (!only_rates(s)) {
		request_removal(&removal, s, ifindex);
		r = run_requests(a, s, &removal, &touched);
	}
	if (r == 0 && s->op != PLAN_REMOVE) {
		request(&b, s, ifindex);
		r = run_requests(a, s, &b, &touched);
	}
	if (r == 0 || touched)		/* else there is nothing to undo */
		run_finish(a, i, r);
	return r;
}
