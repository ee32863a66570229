/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/daemon/operation.h"

#include <stddef.h>
#include <stdlib.h>

#include "netd/base/log.h"
#include "netd/daemon/network.h"

struct op_queue {
	struct worker *worker;
	sd_event_source *defer;
	struct operation *ready, **ready_tail;
	size_t count;
	uint64_t n_ended;
	void (*idle)(void *arg, struct network *net);
	void *idle_arg;
};

static void advance(struct operation *op);

static struct operation *operation_of(struct worker_job *job)
{
	return (struct operation *)((char *)job - offsetof(struct operation, job));
}

static struct operation **line_of(struct operation *op)
{
	return op->line ? &op->line->queue : &op->net->queue;
}

static const char *name_of(const struct operation *op)
{
	return op->line ? op->line->name : op->net->name;
}

static void make_ready(struct op_queue *q, struct operation *op)
{
	op->next_ready = NULL;
	*q->ready_tail = op;
	q->ready_tail = &op->next_ready;
	(void)sd_event_source_set_enabled(q->defer, SD_EVENT_ONESHOT);	/* cannot fail: it exists */
}

static int on_ready(sd_event_source *source, void *arg)
{
	struct op_queue *q = arg;
	struct operation *op;

	while ((op = q->ready)) {
		q->ready = op->next_ready;
		if (!q->ready)
			q->ready_tail = &q->ready;
		advance(op);
	}
	return 0;
}

int op_queue_new(sd_event *event, struct worker *worker, struct op_queue **out,
		 struct nd_error *err)
{
	struct op_queue *q = calloc(1, sizeof(*q));
	int r;

	if (!q)
		return nd_error_nomem(err);
	q->worker = worker;
	q->ready_tail = &q->ready;
	r = sd_event_add_defer(event, &q->defer, on_ready, q);
	if (r >= 0)
		r = sd_event_source_set_enabled(q->defer, SD_EVENT_OFF);
	if (r < 0) {
		op_queue_free(q);
		return nd_error_sys(err, -r, "cannot watch for operations");
	}
	*out = q;
	return 0;
}

void op_queue_free(struct op_queue *q)
{
	if (!q)
		return;
	sd_event_source_disable_unref(q->defer);
	free(q);
}

void op_queue_on_idle(struct op_queue *q, void (*idle)(void *arg, struct network *net), void *arg)
{
	q->idle = idle;
	q->idle_arg = arg;
}

size_t op_queue_count(const struct op_queue *q)
{
	return q->count;
}

uint64_t op_queue_ended(const struct op_queue *q)
{
	return q->n_ended;
}

void operation_start(struct op_queue *q, struct operation *op)
{
	struct operation **tail = line_of(op);

	op->queue = q;
	op->next = NULL;
	while (*tail)
		tail = &(*tail)->next;
	*tail = op;
	q->count++;
	if (*line_of(op) == op)
		make_ready(q, op);
}

static void finish(struct operation *op)
{
	struct op_queue *q = op->queue;
	struct network *net = op->net;
	struct op_line *line = op->line;
	struct operation **queue = line_of(op), *next = op->next;

	*queue = next;
	q->n_ended++;
	if (net)
		net->ended = q->n_ended;
	q->count--;
	op->end(op);
	/* One that end() started, where none waited, is ready by itself. */
	if (next)
		make_ready(q, next);
	else if (*queue)
		return;
	else if (line && line->idle)
		line->idle(line);
	else if (!line && q->idle)
		q->idle(q->idle_arg, net);
}

static void step_ended(struct operation *op, int result)
{
	if (op->undoing)
		return;
	if (result < 0) {
		nd_log(LOG_DEBUG, name_of(op), "%s failed: %s", op->steps[op->at].name, op->err.text);
		op->result = result;
		op->undoing = true;
	} else {
		op->at++;
	}
}

/* The step to run or undo next, or NULL when the operation is through. */
static const struct op_step *next_step(struct operation *op)
{
	if (!op->undoing)
		return op->at < op->n_steps ? &op->steps[op->at] : NULL;
	while (op->at > 0)
		if (op->steps[--op->at].undo)
			return &op->steps[op->at];
	return NULL;
}

static int run_step(struct operation *op, const struct op_step *step)
{
	return op->undoing ? step->undo(op) : step->run(op, &op->err);
}

/* On the worker: this step and those after it that belong here too. */
static void run_on_worker(struct worker_job *job)
{
	struct operation *op = operation_of(job);

	for (;;) {
		const struct op_step *step = &op->steps[op->at];

		step_ended(op, run_step(op, step));
		if (op->undoing || op->at >= op->n_steps || !op->steps[op->at].on_worker)
			return;
	}
}

static void worker_done(struct worker_job *job)
{
	advance(operation_of(job));
}

static void advance(struct operation *op)
{
	const struct op_step *step;
	int r;

	while ((step = next_step(op))) {
		if (step->on_worker) {
			op->job = (struct worker_job){ run_on_worker, worker_done };
			worker_submit(op->queue->worker, &op->job);
			return;
		}
		op->in_step = true;
		op->resumed = false;
		r = run_step(op, step);
		op->in_step = false;
		if (r == OP_WAIT && !op->resumed)
			return;
		step_ended(op, r == OP_WAIT ? op->resume_result : r);
	}
	finish(op);
}

void operation_resume(struct operation *op, int result, const struct nd_error *err)
{
	if (result < 0 && err && !op->undoing)
		op->err = *err;
	if (op->in_step) {
		op->resumed = true;
		op->resume_result = result;
		return;
	}
	step_ended(op, result);
	advance(op);
}
