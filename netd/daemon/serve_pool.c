/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/daemon/serve_pool.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "netd/base/log.h"

#define KILL_AFTER_US (2 * 1000000ull)
#define REFILL_AFTER_TAKE_US 10000ull	/* the start that took one is through by then */
#define REFILL_ACCURACY_US 1000ull
#define REFILL_AFTER_DEATH_US 1000000ull	/* a spare that dies at once must not spin */

struct member {
	struct member *next;
	struct serve_pool *pool;
	struct child *process;
	sd_event_source *timer;		/* of one that is on its way out */
};

struct serve_pool {
	sd_event *event;
	char *program, *lease_dir;
	unsigned n_wanted, n_spares;
	struct member *spares, *dying;
	sd_event_source *refill;	/* when nothing else is to do */
	sd_event_source *refill_later;
};

static void member_free(struct member *m)
{
	child_free(m->process);
	sd_event_source_disable_unref(m->timer);
	free(m);
}

static void list_free(struct member *m)
{
	while (m) {
		struct member *next = m->next;

		member_free(m);
		m = next;
	}
}

void serve_pool_free(struct serve_pool *pool)
{
	if (!pool)
		return;
	sd_event_source_disable_unref(pool->refill);
	sd_event_source_disable_unref(pool->refill_later);
	list_free(pool->spares);
	list_free(pool->dying);
	free(pool->program);
	free(pool->lease_dir);
	free(pool);
}

static void list_remove(struct member **list, struct member *m)
{
	while (*list != m)
		list = &(*list)->next;
	*list = m->next;
}

static void on_any_message(void *arg, struct child *p, struct channel_message *m)
{
	/* HELLO of a spare, GONE of one that leaves: nothing to do. */
}

static void refill_in(struct serve_pool *pool, uint64_t usec)
{
	(void)sd_event_source_set_time_relative(pool->refill_later, usec);
	(void)sd_event_source_set_enabled(pool->refill_later, SD_EVENT_ONESHOT);
}

static void on_spare_gone(void *arg, struct child *p, const char *why)
{
	struct member *m = arg;
	struct serve_pool *pool = m->pool;

	nd_log(LOG_WARNING, NULL, "a waiting netd-serve %s", why);
	list_remove(&pool->spares, m);
	pool->n_spares--;
	member_free(m);
	refill_in(pool, REFILL_AFTER_DEATH_US);
}

const struct child_kind serve_child = { "netd-serve", serve_channel_new };

static int spawn(struct serve_pool *pool, const struct child_hooks *hooks, void *arg,
		 struct child **out, struct nd_error *err)
{
	char *const argv[] = { pool->program, pool->lease_dir,
			       nd_log_enabled(LOG_DEBUG) ? (char *)"--debug" : NULL, NULL };

	return child_spawn(pool->event, &serve_child, pool->program, argv, hooks, arg, out, err);
}

static int spare_add(struct serve_pool *pool, struct nd_error *err)
{
	static const struct child_hooks hooks = { on_any_message, on_spare_gone };
	struct member *m = calloc(1, sizeof(*m));
	int r;

	if (!m)
		return nd_error_nomem(err);
	m->pool = pool;
	r = spawn(pool, &hooks, m, &m->process, err);
	if (r < 0) {
		free(m);
		return r;
	}
	m->next = pool->spares;
	pool->spares = m;
	pool->n_spares++;
	return 0;
}

/* One at a time, since each costs the loop most of a millisecond. */
static int on_refill(sd_event_source *source, void *arg)
{
	struct serve_pool *pool = arg;
	struct nd_error err = { 0 };

	if (pool->n_spares >= pool->n_wanted)
		return 0;
	if (spare_add(pool, &err) < 0)
		nd_log(LOG_WARNING, NULL, "no netd-serve kept waiting: %s", err.text);
	else if (pool->n_spares < pool->n_wanted)
		(void)sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	return 0;
}

static int on_refill_later(sd_event_source *source, uint64_t usec, void *arg)
{
	return on_refill(((struct serve_pool *)arg)->refill, arg);
}

int serve_pool_new(sd_event *event, const char *program, const char *lease_dir, unsigned spares,
		   struct serve_pool **out, struct nd_error *err)
{
	ND_AUTO(serve_pool_free) struct serve_pool *pool = calloc(1, sizeof(*pool));
	int r;

	if (!pool)
		return nd_error_nomem(err);
	pool->event = event;
	pool->n_wanted = spares;
	pool->program = strdup(program);
	pool->lease_dir = strdup(lease_dir);
	if (!pool->program || !pool->lease_dir)
		return nd_error_nomem(err);
	r = sd_event_add_defer(event, &pool->refill, on_refill, pool);
	if (r >= 0)
		r = sd_event_source_set_priority(pool->refill, SD_EVENT_PRIORITY_IDLE);
	if (r >= 0)
		r = sd_event_add_time_relative(event, &pool->refill_later, CLOCK_MONOTONIC, 0,
					       REFILL_ACCURACY_US, on_refill_later, pool);
	if (r >= 0)
		r = sd_event_source_set_enabled(pool->refill_later, SD_EVENT_OFF);
	if (r < 0)
		return nd_error_sys(err, -r, "cannot prepare the pool of servers");
	*out = nd_take_ptr(&pool);
	return 0;
}

int serve_pool_take(struct serve_pool *pool, const struct child_hooks *hooks, void *arg,
		    struct child **out, struct nd_error *err)
{
	struct member *m = pool->spares;

	if (sd_event_source_get_enabled(pool->refill_later, NULL) == 0)
		refill_in(pool, REFILL_AFTER_TAKE_US);
	if (!m)
		return spawn(pool, hooks, arg, out, err);
	pool->spares = m->next;
	pool->n_spares--;
	*out = nd_take_ptr(&m->process);
	child_set_owner(*out, hooks, arg);
	member_free(m);
	return 0;
}

static void on_dying_gone(void *arg, struct child *p, const char *why)
{
	struct member *m = arg;

	list_remove(&m->pool->dying, m);
	member_free(m);
}

static int on_dying_timeout(sd_event_source *source, uint64_t usec, void *arg)
{
	struct member *m = arg;

	child_kill(m->process);
	return 0;
}

void serve_pool_bury(struct serve_pool *pool, struct child *p)
{
	static const struct child_hooks hooks = { on_any_message, on_dying_gone };
	struct member *m = calloc(1, sizeof(*m));

	if (!m || sd_event_add_time_relative(pool->event, &m->timer, CLOCK_MONOTONIC, KILL_AFTER_US, 0,
					     on_dying_timeout, m) < 0) {
		child_kill(p);	/* at least it goes; its exit status stays behind */
		child_free(p);
		free(m);
		return;
	}
	m->pool = pool;
	m->process = p;
	child_set_owner(p, &hooks, m);
	m->next = pool->dying;
	pool->dying = m;
}
