/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nwfilters.h -- network filters by name: the operator's, and those that come with netd
 *
 * Belongs to the main thread; files are written on the worker.
 */
#pragma once
#include "netd/daemon/netd.h"
#include "netd/model/nwfilter.h"

struct nwfilters;

int nwfilters_new(const struct paths *paths, struct nwfilters **out, struct nd_error *err);
void nwfilters_free(struct nwfilters *f);		/* NULL is fine */
ND_DEFINE_AUTO(struct nwfilters *, nwfilters_free)
/* Reads all documents; what cannot be read is logged. Returns how many were skipped. */
unsigned nwfilters_load(struct nwfilters *f);

/* The document in force; borrowed. NULL: there is none. */
const struct nwfilter_def *nwfilters_find(const struct nwfilters *f, const char *name);
const struct nwfilter_def *nwfilters_find_uuid(const struct nwfilters *f, const struct nd_uuid *uuid);
/* By ascending name: `for (size_t i = 0; (def = nwfilters_at(f, i)); i++)`. */
const struct nwfilter_def *nwfilters_at(const struct nwfilters *f, size_t i);
/* Another number after each change. */
uint64_t nwfilters_generation(const struct nwfilters *f);

typedef void (*nwfilter_done)(void *arg, const struct nwfilter_def *def, const struct nd_error *err);

/* The document (taken) comes in force, on guests that run too, or nothing has happened. def of done: what is
 * in force. */
int nwfilter_define(struct netd *d, struct nwfilter_def *def, nwfilter_done done, void *arg, struct nd_error *err);
/* The operator's document goes: nobody may use it, or one comes with netd. def of done: NULL. */
int nwfilter_undefine(struct netd *d, const char *name, nwfilter_done done, void *arg, struct nd_error *err);

/* Filters of guests that run are made what the documents say now, soon. Failures are logged. */
void nwfilters_enforce(struct netd *d);

/* ---- between nwfilters.c and nwfilter_change.c ---- */

/* The operator's document, and the one that comes with netd; either may be NULL. Borrowed. */
struct nwfilter {
	struct nwfilter_def *own, *shipped;
};
struct nwfilter nwfilters_both(const struct nwfilters *f, const char *name);

struct op_line *nwfilters_line(struct nwfilters *f);
/* The operator's document is this one (taken in any case), in place of one of its name. */
int nwfilters_put(struct nwfilters *f, struct nwfilter_def *def, struct nd_error *err);
/* There is none of the operator's any more: it is the caller's. */
struct nwfilter_def *nwfilters_take(struct nwfilters *f, const char *name);
/* Worker: its file. */
int nwfilters_write(struct nwfilters *f, const struct nwfilter_def *def, struct nd_error *err);
int nwfilters_remove(struct nwfilters *f, const char *name, struct nd_error *err);
