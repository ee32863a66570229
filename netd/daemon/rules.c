/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/daemon/rules.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "netd/base/hash.h"
#include "netd/base/log.h"
#include "netd/base/str.h"
#include "netd/daemon/nic_filters.h"
#include "netd/daemon/operation.h"
#include "netd/daemon/worker.h"

/* How often it is looked whether all is quiet. */
#define QUIET_AGAIN_US (20 * 1000ULL)
/* Of a table that was damaged, elements that do not belong there show once it is whole again. */
#define PASSES 3
/* Networks that get a line each in the log; the others are counted. */
#define REPAIR_LINES 20

struct rules {
	struct worker_job job;			/* first */
	struct netd *netd;
	sd_event_source *timer;
	bool waiting;				/* the job is queued or runs */
	bool again;				/* asked for meanwhile */
	char by[40], job_by[40];

	/* the job's */
	struct plan *want, *held;
	struct plan_diff *first;		/* what was wrong; NULL: nothing */
	struct nd_error err;
};

static int add_rules(struct plan *to, const struct plan *from)
{
	for (size_t i = 0; i < from->n; i++) {
		const struct plan_item *item = &from->items[i];
		struct plan_item *mine;

		if (item->kind != PLAN_NFT_CHAIN && item->kind != PLAN_NFT_ELEM)
			continue;
		mine = plan_add(to, item->kind);
		if (!mine)
			return -ENOMEM;
		*mine = *item;
	}
	return 0;
}

/* The rules of all networks: of those that netd looks after, and of those that are held. */
static int gather(struct rules *r)
{
	struct network *net;

	r->want = plan_new();
	r->held = plan_new();
	if (!r->want || !r->held)
		return -ENOMEM;
	for (size_t pos = 0; (net = registry_next(&r->netd->networks, &pos));)
		if (net->live && net->applied &&
		    add_rules(net->held ? r->held : r->want, net->applied) < 0)
			return -ENOMEM;
	return 0;
}

static void forget(struct rules *r)
{
	plan_free(r->want);
	plan_free(r->held);
	plan_diff_free(r->first);
	r->want = r->held = NULL;
	r->first = NULL;
}

/* A step that would take away or change a held network's rule is left out, and nothing of it is
 * added: its rules are not among those wanted. */
static int spare_held(const struct plan *held, struct plan_diff *diff)
{
	ND_AUTO(nd_hash_free) struct nd_hash *keys = nd_hash_new();
	ND_AUTO(free) struct plan_key *k = calloc(held->n + 1, sizeof(*k));
	size_t kept = 0;

	if (!keys || !k)
		return -ENOMEM;
	for (size_t i = 0; i < held->n; i++) {
		plan_item_key(&held->items[i], &k[i]);
		if (nd_hash_set(keys, k[i].bytes, k[i].len, &k[i]) < 0)
			return -ENOMEM;
	}
	for (size_t i = 0; i < diff->n; i++) {
		struct plan_key key;

		plan_item_key(diff->steps[i].op == PLAN_REMOVE ? &diff->steps[i].was :
			      &diff->steps[i].want, &key);
		if (!nd_hash_find(keys, key.bytes, key.len))
			diff->steps[kept++] = diff->steps[i];
	}
	diff->n = kept;
	return 0;
}

/* Worker. One look: what was wrong is put right. */
static int one_pass(struct rules *r, struct plan_diff **out, struct nd_error *err)
{
	ND_AUTO(plan_free) struct plan *actual = NULL;
	ND_AUTO(plan_diff_free) struct plan_diff *diff = NULL;
	int result = datapath_read_rules(r->netd->datapath, &actual, err);

	if (result < 0)
		return result;
	if (plan_diff(actual, r->want, &diff) < 0 || spare_held(r->held, diff) < 0)
		return nd_error_nomem(err);
	if (diff->n)
		result = datapath_apply(r->netd->datapath, diff, "", err);
	if (diff->n)
		*out = nd_take_ptr(&diff);
	return result;
}

static void run(struct worker_job *job)
{
	struct rules *r = (struct rules *)job;
	int result = 0;

	r->err = (struct nd_error){ 0 };
	for (int i = 0; i < PASSES && result == 0; i++) {
		struct plan_diff *diff = NULL;

		result = one_pass(r, &diff, &r->err);
		if (!diff)
			break;
		if (r->first)
			plan_diff_free(diff);
		else
			r->first = diff;
	}
	if (result == 0)
		(void)nic_filters_mend(r->netd->nic_filters, &r->err);
}

/* ---- the log ---- */

static void log_step(const struct rules *r, const char *network, const struct plan_step *step,
		     size_t more)
{
	struct plan_diff one = { .steps = (struct plan_step *)step, .n = 1 };
	ND_AUTO(free) char *text = plan_diff_format(&one);
	char others[32] = "";

	if (text)
		text[strcspn(text, "\n")] = '\0';
	if (more)
		snprintf(others, sizeof(others), ", and %zu more", more);
	nd_log(LOG_WARNING, network, "drifted%s%s, repairing: %s%s", *r->job_by ? " by " : "",
	       r->job_by, text ? text : "", others);
}

/* The steps that are about the network's rules: their number, and the first. */
static size_t steps_of(const struct network *net, const struct nd_hash *steps,
		       const struct plan_step **first_out)
{
	size_t n = 0;

	for (size_t i = 0; net->applied && i < net->applied->n; i++) {
		const struct plan_step *step;
		struct plan_key key;

		plan_item_key(&net->applied->items[i], &key);
		step = nd_hash_find(steps, key.bytes, key.len);
		if (step && !n++)
			*first_out = step;
	}
	return n;
}

static void log_networks(const struct rules *r, const struct nd_hash *steps)
{
	const struct plan_step *step = NULL;
	size_t drifted = 0, n;
	struct network *net;

	for (size_t pos = 0; (net = registry_next(&r->netd->networks, &pos));) {
		n = steps_of(net, steps, &step);
		if (n && ++drifted <= REPAIR_LINES)
			log_step(r, net->name, step, n - 1);
	}
	if (drifted > REPAIR_LINES)
		nd_log(LOG_WARNING, NULL, "... and the rules of %zu more networks",
		       drifted - REPAIR_LINES);
}

static void log_repairs(const struct rules *r)
{
	ND_AUTO(nd_hash_free) struct nd_hash *steps = nd_hash_new();
	ND_AUTO(free) struct plan_key *keys = calloc(r->first->n, sizeof(*keys));
	const struct plan_step *stray = NULL;
	size_t n_strays = 0;

	if (!steps || !keys)
		return;
	for (size_t i = 0; i < r->first->n; i++) {
		struct plan_step *step = &r->first->steps[i];

		if (step->op == PLAN_REMOVE && !n_strays++)
			stray = step;
		if (step->op == PLAN_REMOVE)
			continue;
		plan_item_key(&step->want, &keys[i]);
		if (nd_hash_set(steps, keys[i].bytes, keys[i].len, step) < 0)
			return;
	}
	if (n_strays)
		log_step(r, NULL, stray, n_strays - 1);
	log_networks(r, steps);
}

/* ---- when ---- */

static int on_timer(sd_event_source *source, uint64_t usec, void *arg)
{
	struct rules *r = arg;

	rules_check(r, r->by);
	return 0;
}

static void look_later(struct rules *r)
{
	if (r->timer &&
	    sd_event_source_set_time_relative(r->timer, QUIET_AGAIN_US) >= 0)
		(void)sd_event_source_set_enabled(r->timer, SD_EVENT_ONESHOT);	/* cannot fail: it is a timer */
}

static void done(struct worker_job *job)
{
	struct rules *r = (struct rules *)job;

	r->waiting = false;
	if (r->first)
		log_repairs(r);
	if (r->err.code)
		nd_log(LOG_ERR, NULL, "the rules cannot be made as they should be: %s", r->err.text);
	else if (r->first)
		nd_log(LOG_INFO, NULL, "rules repaired");
	forget(r);
	if (r->again)
		rules_check(r, r->by);
}

void rules_check(struct rules *r, const char *by)
{
	if (by != r->by)
		snprintf(r->by, sizeof(r->by), "%s", by);
	if (!r->netd->config.repair)
		return;
	r->again = r->waiting;
	if (r->waiting)
		return;
	if (op_queue_count(r->netd->operations)) {
		look_later(r);
		return;
	}
	if (gather(r) < 0) {
		forget(r);
		return;			/* the regular look comes too */
	}
	memcpy(r->job_by, r->by, sizeof(r->job_by));
	r->by[0] = '\0';
	r->waiting = true;
	r->job.run = run;
	r->job.done = done;
	worker_submit(r->netd->worker, &r->job);
}

int rules_new(struct netd *d, struct rules **out, struct nd_error *err)
{
	ND_AUTO(rules_free) struct rules *r = calloc(1, sizeof(*r));
	int result;

	if (!r)
		return nd_error_nomem(err);
	r->netd = d;
	result = sd_event_add_time_relative(d->event, &r->timer, CLOCK_MONOTONIC, 0, 0, on_timer, r);
	if (result >= 0)
		result = sd_event_source_set_enabled(r->timer, SD_EVENT_OFF);
	if (result < 0)
		return nd_error_sys(err, -result, "cannot make a timer");
	*out = nd_take_ptr(&r);
	return 0;
}

void rules_free(struct rules *r)
{
	if (!r)
		return;
	sd_event_source_disable_unref(r->timer);
	forget(r);
	free(r);
}
