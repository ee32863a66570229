/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nwfilter_change.c -- a filter's document comes or goes, and what it means for guests that run
 *
 *	check, compile for all guests that run -> file -> kernel -> in force
 */
#include <errno.h>
#include <stdlib.h>

#include "netd/base/array.h"
#include "netd/base/log.h"
#include "netd/base/str.h"
#include "netd/daemon/guest_nwfilter.h"
#include "netd/daemon/nwfilters.h"

struct filter_change {
	struct operation op;		/* first */
	struct netd *netd;
	struct nwfilter_def *def;	/* comes; NULL: goes */
	char *name;
	struct nic_filter_change *nics;	/* of guests that run */
	size_t n_nics;
	nwfilter_done done;
	void *arg;
};

static struct filter_change *change_of(struct operation *op)
{
	return (struct filter_change *)op;
}

static void change_free(struct filter_change *c)
{
	nwfilter_def_free(c->def);
	nic_filter_changes_free(c->nics, c->n_nics);
	free(c->name);
	free(c);
}

/* ---- define ---- */

static int clash(const struct nwfilter_def *other, const struct nwfilter_def *def, struct nd_error *err)
{
	char uuid[ND_UUID_STRLEN];

	return nd_error_set(err, ND_ERR_OPERATION_FAILED, "filter '%s' %s with uuid %s", other->name,
			    nd_streq(other->name, def->name) ? "already exists" : "is already defined",
			    nd_uuid_format(&other->uuid, uuid));
}

/* A document without a uuid is of the filter of its name. */
static int give_uuid(const struct nwfilters *f, struct nwfilter_def *def, struct nd_error *err)
{
	const struct nwfilter_def *old = nwfilters_find(f, def->name), *other;
	int r = 0;

	if (old && !def->has_uuid)
		def->uuid = old->uuid;
	else if (!def->has_uuid)
		r = nd_uuid_random(&def->uuid);
	def->has_uuid = true;
	other = nwfilters_find_uuid(f, &def->uuid);
	if (r == 0 && other != old)
		return clash(other ? other : old, def, err);
	return r < 0 ? nd_error_sys(err, -r, "cannot make a random UUID") : 0;
}

/* A document and what it includes, each once: files by hand may include each other in a circle. */
struct reached {
	const struct nwfilter_def **items;
	size_t n;
};

static int reach(struct reached *list, const struct nwfilter_def *def, struct nd_error *err)
{
	const struct nwfilter_def **slot;

	for (size_t i = 0; i < list->n; i++)
		if (list->items[i] == def)
			return 0;
	slot = nd_array_add(list->items, list->n);
	if (!slot)
		return nd_error_nomem(err);
	*slot = def;
	return 0;
}

/* The filters that `in` includes; the first of the list is the one that is checked. */
static int reach_included(const struct nwfilters *f, struct reached *list, const struct nwfilter_def *in,
			  struct nd_error *err)
{
	const struct nwfilter_def *def = list->items[0];

	for (size_t i = 0; i < in->n_entries; i++) {
		const struct nwfilter_ref *ref = &in->entries[i].ref;
		const struct nwfilter_def *included;
		int r;

		if (!in->entries[i].is_ref)
			continue;
		if (nd_streq(ref->filter, def->name))
			return nd_error_set(err, ND_ERR_XML, "<filterref> (line %d): filter '%s' would include itself%s%s",
					    ref->line, def->name, in == def ? "" : " by way of ", in == def ? "" : in->name);
		included = nwfilters_find(f, ref->filter);
		if (!included && in == def)
			return nd_error_set(err, ND_ERR_NO_NWFILTER,
					    "<filterref> (line %d): no network filter with matching name '%.200s'", ref->line,
					    ref->filter);
		r = included ? reach(list, included, err) : 0;
		if (r < 0)
			return r;
	}
	return 0;
}

/* What it includes is there, and does not include it. */
static int check_included(const struct nwfilters *f, const struct nwfilter_def *def, struct nd_error *err)
{
	struct reached list = { 0 };
	int r = reach(&list, def, err);

	for (size_t i = 0; i < list.n && r == 0; i++)
		r = reach_included(f, &list, list.items[i], err);
	free(list.items);
	return r;
}

static int define_check(struct operation *op, struct nd_error *err)
{
	struct filter_change *c = change_of(op);
	int r = give_uuid(c->netd->nwfilters, c->def, err);

	if (r == 0)
		r = check_included(c->netd->nwfilters, c->def, err);
	return r < 0 ? r : guest_nwfilter_changes(c->netd, c->def, &c->nics, &c->n_nics, err);
}

/* Worker. */
static int define_write(struct operation *op, struct nd_error *err)
{
	struct filter_change *c = change_of(op);

	return nwfilters_write(c->netd->nwfilters, c->def, err);
}

/* Worker: the file as it was. */
static int restore_file(struct operation *op)
{
	struct filter_change *c = change_of(op);
	struct nwfilters *f = c->netd->nwfilters;
	const struct nwfilter was = nwfilters_both(f, c->name);
	struct nd_error err = { 0 };

	if ((was.own ? nwfilters_write(f, was.own, &err) : nwfilters_remove(f, c->name, &err)) < 0)
		nd_log(LOG_ERR, c->name, "taking back a failed change: %s", err.text);
	return OP_DONE;
}

/* Worker. */
static int apply(struct operation *op, struct nd_error *err)
{
	struct filter_change *c = change_of(op);

	return nic_filters_replace(c->netd->nic_filters, c->nics, &c->n_nics, err);
}

static int define_commit(struct operation *op, struct nd_error *err)
{
	struct filter_change *c = change_of(op);

	return nwfilters_put(c->netd->nwfilters, nd_take_ptr(&c->def), err);
}

static int unapply(struct operation *op)
{
	struct nd_error err = { 0 };

	if (apply(op, &err) < 0)
		nd_log(LOG_ERR, change_of(op)->name, "taking back a failed change: %s", err.text);
	return OP_DONE;
}

static const struct op_step define_steps[] = {
	{ "checking", false, define_check, NULL },
	{ "writing the definition", true, define_write, restore_file },
	{ "filtering the devices of guests", true, apply, unapply },
	{ "committing", false, define_commit, NULL },
};

/* ---- undefine ---- */

static bool uses(const struct dom_def *def, const char *name)
{
	for (size_t i = 0; def && i < def->n_nics; i++)
		if (def->nics[i].filter.filter && nd_streq(def->nics[i].filter.filter, name))
			return true;
	return false;
}

static int check_unused(struct netd *d, const char *name, struct nd_error *err)
{
	const struct nwfilter_def *def;
	struct guest *g;

	for (size_t i = 0; (def = nwfilters_at(d->nwfilters, i)); i++)
		for (size_t k = 0; k < def->n_entries; k++)
			if (def->entries[k].is_ref && nd_streq(def->entries[k].ref.filter, name))
				return nd_error_set(err, ND_ERR_OPERATION_INVALID, "nwfilter is in use: by filter '%s'",
						    def->name);
	for (size_t pos = 0; (g = guests_next(&d->guests, &pos));)
		if (uses(g->def, name) || uses(g->live, name))
			return nd_error_set(err, ND_ERR_OPERATION_INVALID, "nwfilter is in use: by guest '%s'", g->name);
	return 0;
}

static int undefine_check(struct operation *op, struct nd_error *err)
{
	struct filter_change *c = change_of(op);
	const struct nwfilter both = nwfilters_both(c->netd->nwfilters, c->name);

	if (!both.own && !both.shipped)
		return nd_error_set(err, ND_ERR_NO_NWFILTER, "no network filter with matching name '%.200s'", c->name);
	if (!both.own)
		return nd_error_set(err, ND_ERR_OPERATION_INVALID,
				    "network filter '%s' comes with netd: it can only be defined otherwise", c->name);
	if (!both.shipped)
		return check_unused(c->netd, c->name, err);
	return guest_nwfilter_changes(c->netd, both.shipped, &c->nics, &c->n_nics, err);
}

/* Worker. */
static int undefine_remove(struct operation *op, struct nd_error *err)
{
	struct filter_change *c = change_of(op);

	return nwfilters_remove(c->netd->nwfilters, c->name, err);
}

static int undefine_commit(struct operation *op, struct nd_error *err)
{
	struct filter_change *c = change_of(op);

	nwfilter_def_free(nwfilters_take(c->netd->nwfilters, c->name));
	return OP_DONE;
}

static const struct op_step undefine_steps[] = {
	{ "checking", false, undefine_check, NULL },
	{ "removing the definition", true, undefine_remove, restore_file },
	{ "filtering the devices of guests", true, apply, unapply },
	{ "committing", false, undefine_commit, NULL },
};

/* ---- both ---- */

static void change_end(struct operation *op)
{
	struct filter_change *c = change_of(op);
	struct netd *d = c->netd;
	bool ok = op->result == 0;

	c->done(c->arg, nwfilters_find(d->nwfilters, c->name), ok ? NULL : &op->err);
	if (ok)
		nd_log(LOG_INFO, c->name, "network filter %s", op->steps == define_steps ? "defined" : "undefined");
	change_free(c);
	if (ok)		/* guests that started meanwhile had the document before */
		nwfilters_enforce(d);
}

static int begin(struct netd *d, struct nwfilter_def *def_taken, const char *name, const struct op_step *steps,
		 size_t n_steps, nwfilter_done done, void *arg, struct nd_error *err)
{
	struct filter_change *c = calloc(1, sizeof(*c));

	if (c)
		c->name = strdup(name);
	if (!c || !c->name) {
		free(c);
		nwfilter_def_free(def_taken);
		return nd_error_nomem(err);
	}
	c->netd = d;
	c->def = def_taken;
	c->done = done;
	c->arg = arg;
	c->op.line = nwfilters_line(d->nwfilters);
	c->op.steps = steps;
	c->op.n_steps = n_steps;
	c->op.end = change_end;
	operation_start(d->operations, &c->op);
	return 0;
}

int nwfilter_define(struct netd *d, struct nwfilter_def *def, nwfilter_done done, void *arg, struct nd_error *err)
{
	return begin(d, def, def->name, define_steps, ND_COUNT(define_steps), done, arg, err);
}

int nwfilter_undefine(struct netd *d, const char *name, nwfilter_done done, void *arg, struct nd_error *err)
{
	return begin(d, NULL, name, undefine_steps, ND_COUNT(undefine_steps), done, arg, err);
}

/* ---- what the documents say now ---- */

struct enforcement {
	struct worker_job job;		/* first */
	struct nic_filters *nic_filters;
	struct nic_filter_change *nics;
	size_t n_nics;
	struct nd_error err;
};

static void enforce_run(struct worker_job *job)
{
	struct enforcement *e = (struct enforcement *)job;

	(void)nic_filters_replace(e->nic_filters, e->nics, &e->n_nics, &e->err);
}

static void enforce_done(struct worker_job *job)
{
	struct enforcement *e = (struct enforcement *)job;

	if (e->err.code)
		nd_log(LOG_ERR, NULL, "filters of guests' interfaces cannot be made as they should be: %s", e->err.text);
	nic_filter_changes_free(e->nics, e->n_nics);
	free(e);
}

void nwfilters_enforce(struct netd *d)
{
	struct enforcement *e = calloc(1, sizeof(*e));
	struct nd_error err = { 0 };

	if (e && guest_nwfilter_changes(d, NULL, &e->nics, &e->n_nics, &err) == 0) {
		if (!e->n_nics) {
			free(e);
			return;
		}
		e->nic_filters = d->nic_filters;
		e->job.run = enforce_run;
		e->job.done = enforce_done;
		worker_submit(d->worker, &e->job);
		return;
	}
	nd_log(LOG_ERR, NULL, "filters of guests' interfaces are as they were: out of memory");
	free(e);
}
