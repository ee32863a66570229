/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/daemon/foreign.h"

#include <net/if.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "netd/base/array.h"
#include "netd/base/log.h"
#include "netd/base/str.h"
#include "netd/daemon/netd.h"

struct look {
	char bridge[IFNAMSIZ];
	char *network;
};

struct looks {
	struct look *items;
	size_t n;
};

struct foreign {
	struct netd *netd;
	struct looks waiting;		/* main thread */
	struct looks running;		/* the worker's, while the job is queued */
	struct worker_job job;
};

static void looks_free(struct looks *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->items[i].network);
	free(l->items);
	*l = (struct looks){ 0 };
}

static void found(void *arg, const char *bridge, const char *sentence)
{
	const struct looks *l = arg;

	for (size_t i = 0; i < l->n; i++)
		if (nd_streq(l->items[i].bridge, bridge))
			nd_log(LOG_WARNING, l->items[i].network, "%s", sentence);
}

/* Worker. */
static void run(struct worker_job *job)
{
	struct foreign *f = (struct foreign *)((char *)job - offsetof(struct foreign, job));
	ND_AUTO(free) const char **bridges = calloc(f->running.n + 1, sizeof(*bridges));
	struct nd_error err = { 0 };

	if (!bridges)
		return;
	for (size_t i = 0; i < f->running.n; i++)
		bridges[i] = f->running.items[i].bridge;
	if (datapath_foreign_drops(f->netd->datapath, bridges, f->running.n, found, &f->running,
				   &err) < 0)
		nd_log(LOG_DEBUG, NULL, "looking for other firewalls: %s", err.text);
}

static void submit(struct foreign *f);

static void done(struct worker_job *job)
{
	struct foreign *f = (struct foreign *)((char *)job - offsetof(struct foreign, job));

	looks_free(&f->running);
	if (f->waiting.n)
		submit(f);
}

static void submit(struct foreign *f)
{
	f->running = f->waiting;
	f->waiting = (struct looks){ 0 };
	f->job = (struct worker_job){ .run = run, .done = done };
	worker_submit(f->netd->worker, &f->job);
}

struct foreign *foreign_new(struct netd *d)
{
	struct foreign *f = calloc(1, sizeof(*f));

	if (f)
		f->netd = d;
	return f;
}

void foreign_free(struct foreign *f)
{
	if (!f)
		return;
	looks_free(&f->waiting);
	looks_free(&f->running);
	free(f);
}

void foreign_look(struct foreign *f, const struct network *net)
{
	struct look *look = net->live->bridge.name ? nd_array_add(f->waiting.items, f->waiting.n)
						   : NULL;

	if (!look)
		return;		/* no bridge, or no memory: a hint less */
	look->network = strdup(net->name);
	snprintf(look->bridge, sizeof(look->bridge), "%s", net->live->bridge.name);
	if (!f->running.n)
		submit(f);
}
