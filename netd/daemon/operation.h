/* SPDX-License-Identifier: GPL-2.0-or-later */
/* operation.h -- a change of a network or a guest: steps that all happen, or leave no trace
 *
 *	waits for its turn -> step, step, ... -> end
 *	                         | fails
 *	                         v
 *	                  undo of the finished steps, newest first -> end with the error
 *
 * A step runs on the main thread or on the worker; one on the main thread may wait for something
 * (OP_WAIT) and is then resumed. Operations on one network run one after the other, and so do those
 * on one guest.
 */
#pragma once
#include "netd/base/error.h"
#include "netd/daemon/worker.h"

struct network;
struct operation;

enum { OP_DONE = 0, OP_WAIT = 1 };

struct op_step {
	const char *name;
	bool on_worker;
	/* OP_DONE, OP_WAIT (main thread only) or a negative errno with err set. A step that fails
	 * has undone itself. */
	int (*run)(struct operation *op, struct nd_error *err);
	/* NULL: nothing to take back. OP_DONE or OP_WAIT. Runs on the same thread as run(). */
	int (*undo)(struct operation *op);
};

/* Where operations on something other than a network wait for each other; embedded in it. */
struct op_line {
	struct operation *queue;	/* the first one runs */
	const char *name;		/* for the log; borrowed */
	/* After each operation, when nothing else waits in the line. May free the line. */
	void (*idle)(struct op_line *line);
};

/* Zeroed, then net or line, steps and end filled in by the owner, who embeds it. */
struct operation {
	struct network *net;
	struct op_line *line;		/* NULL: that of the network */
	const struct op_step *steps;
	size_t n_steps;
	/* Last call, on the main thread: result is 0 or a negative errno with err. Frees op. */
	void (*end)(struct operation *op);
	int result;
	struct nd_error err;

	/* operation.c's own */
	struct op_queue *queue;
	struct worker_job job;
	struct operation *next, *next_ready;
	size_t at;
	bool undoing, in_step, resumed;
	int resume_result;
};

/* All operations of the daemon. */
struct op_queue;

int op_queue_new(sd_event *event, struct worker *worker, struct op_queue **out,
		 struct nd_error *err);
void op_queue_free(struct op_queue *q);
/* Called after each operation on a network has ended, when nothing else waits for it. */
void op_queue_on_idle(struct op_queue *q, void (*idle)(void *arg, struct network *net), void *arg);
/* Operations that have not ended yet. */
size_t op_queue_count(const struct op_queue *q);
/* The number of the last that ended; see `ended` of struct network. */
uint64_t op_queue_ended(const struct op_queue *q);

/* Never calls end() before it returns. */
void operation_start(struct op_queue *q, struct operation *op);
/* Ends the wait of the step in hand: result as run() would have given it (err copied when it is
 * negative), ignored where the step is being undone. */
void operation_resume(struct operation *op, int result, const struct nd_error *err);
