/* SPDX-License-Identifier: GPL-2.0-or-later */
/* loop.h -- the epoll loop of the I/O thread, and the lock of the devices
 *
 * All callbacks run with the loop's lock held; it is free only while the loop waits. vCPU threads
 * take the same lock around an exit that reaches a device. So device code never runs twice at
 * once and needs no locks of its own; what it must not do is block.
 */
#pragma once
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "netd/base/auto.h"
#include "netd/base/error.h"

struct loop;

/* Stands in its owner's struct. fd is borrowed. */
struct loop_watch {
	int fd;
	void (*ready)(struct loop_watch *w, uint32_t events);
	uint32_t slot;			/* the loop's */
};

/* The struct that a watch stands in. */
#define loop_owner(watch, type, member) ((type *)((char *)(watch) - offsetof(type, member)))

int loop_new(struct loop **out, struct nd_error *err);
void loop_free(struct loop *l);
ND_DEFINE_AUTO(struct loop *, loop_free)

/* With the lock held, or before loop_run(). 0 or -errno. */
int loop_add(struct loop *l, struct loop_watch *w, uint32_t events);
int loop_change(struct loop *l, struct loop_watch *w, uint32_t events);
/* Its callback is not called any more, also not for what was ready already: w and its descriptor
 * may be freed at once. No harm when w was never added and its fd is -1. */
void loop_remove(struct loop *l, struct loop_watch *w);

/* From any thread: has fn(arg) called by the loop. 0 or -ENOMEM. */
int loop_post(struct loop *l, void (*fn)(void *arg), void *arg);

void loop_lock(struct loop *l);
void loop_unlock(struct loop *l);

/* With the lock held: waits for c, giving the lock away meanwhile. */
void loop_wait(struct loop *l, pthread_cond_t *c);

/* Until loop_stop(), and may be run again then. Does not hold the lock when it returns. */
void loop_run(struct loop *l);
/* From any thread, also before loop_run(). */
void loop_stop(struct loop *l);
