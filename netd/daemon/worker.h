/* SPDX-License-Identifier: GPL-2.0-or-later */
/* worker.h -- the one thread on which effects run
 *
 * rtnetlink blocks its caller for tens of milliseconds, a slow disk for longer: jobs run here in
 * the order in which they were given, and end on the main thread's event loop.
 */
#pragma once
#include <stdbool.h>
#include <systemd/sd-event.h>

#include "netd/base/auto.h"
#include "netd/base/error.h"

struct worker;

/* Embedded in whatever the job is about; borrowed until done() was called. */
struct worker_job {
	void (*run)(struct worker_job *job);	/* on the worker */
	void (*done)(struct worker_job *job);	/* on the main thread, after run() */
	struct worker_job *next;
};

int worker_new(sd_event *event, struct worker **out, struct nd_error *err);
/* Waits for the job that runs; jobs that still wait are dropped without done(). */
void worker_free(struct worker *w);
ND_DEFINE_AUTO(struct worker *, worker_free)

void worker_submit(struct worker *w, struct worker_job *job);
