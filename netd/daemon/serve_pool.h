/* SPDX-License-Identifier: GPL-2.0-or-later */
/* serve_pool.h -- netd-serve processes that belong to no network: spares, and those on their way out
 *
 * A spare has been exec'ed and waits for START, which saves a start 2 to 3 ms. One that was told
 * to go is kept here until the kernel has taken it apart, and killed if that takes too long.
 */
#pragma once
#include "netd/daemon/child.h"
#include "netd/serve/channel.h"

struct serve_pool;

extern const struct child_kind serve_child;

/* Strings are copied. */
int serve_pool_new(sd_event *event, const char *program, const char *lease_dir, unsigned spares,
		   struct serve_pool **out, struct nd_error *err);
/* Ends the spares. NULL is fine. */
void serve_pool_free(struct serve_pool *pool);
ND_DEFINE_AUTO(struct serve_pool *, serve_pool_free)

/* A spare, or a fresh process when there is none; it belongs to the caller. */
int serve_pool_take(struct serve_pool *pool, const struct child_hooks *hooks, void *arg,
		    struct child **out, struct nd_error *err);

/* Takes a process that was told to QUIT, or killed. */
void serve_pool_bury(struct serve_pool *pool, struct child *p);
