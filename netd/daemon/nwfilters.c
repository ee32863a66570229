/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/daemon/nwfilters.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "netd/base/array.h"
#include "netd/base/log.h"
#include "netd/base/str.h"
#include "netd/daemon/docs.h"
#include "netd/daemon/file.h"

struct nwfilters {
	struct op_line line;		/* first: changes of all filters, one after the other */
	const struct paths *paths;
	int dir_fd;
	struct nwfilter **items;	/* by name; each has one of both documents at least */
	size_t n;
	uint64_t generation;
};

int nwfilters_new(const struct paths *paths, struct nwfilters **out, struct nd_error *err)
{
	ND_AUTO(nwfilters_free) struct nwfilters *f = calloc(1, sizeof(*f));

	if (!f)
		return nd_error_nomem(err);
	f->paths = paths;
	f->line.name = "network filters";
	f->dir_fd = open(paths->nwfilters, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (f->dir_fd < 0)
		return nd_error_sys(err, errno, "cannot open directory '%s'", paths->nwfilters);
	*out = nd_take_ptr(&f);
	return 0;
}

void nwfilters_free(struct nwfilters *f)
{
	if (!f)
		return;
	for (size_t i = 0; i < f->n; i++) {
		nwfilter_def_free(f->items[i]->own);
		nwfilter_def_free(f->items[i]->shipped);
		free(f->items[i]);
	}
	free(f->items);
	nd_auto_close(&f->dir_fd);
	free(f);
}

struct op_line *nwfilters_line(struct nwfilters *f)
{
	return &f->line;
}

uint64_t nwfilters_generation(const struct nwfilters *f)
{
	return f->generation;
}

/* ---- lookup ---- */

static const struct nwfilter_def *in_force(const struct nwfilter *filter)
{
	return filter->own ? filter->own : filter->shipped;
}

const struct nwfilter_def *nwfilters_find(const struct nwfilters *f, const char *name)
{
	const struct nwfilter_def *def;

	for (size_t i = 0; (def = nwfilters_at(f, i)); i++)
		if (nd_streq(def->name, name))
			return def;
	return NULL;
}

const struct nwfilter_def *nwfilters_find_uuid(const struct nwfilters *f, const struct nd_uuid *uuid)
{
	const struct nwfilter_def *def;

	for (size_t i = 0; (def = nwfilters_at(f, i)); i++)
		if (nd_uuid_equal(&def->uuid, uuid))
			return def;
	return NULL;
}

const struct nwfilter_def *nwfilters_at(const struct nwfilters *f, size_t i)
{
	return i < f->n ? in_force(f->items[i]) : NULL;
}

/* ---- changes ---- */

static int by_name(const void *a, const void *b)
{
	const struct nwfilter *const *x = a, *const *y = b;

	return strcmp(in_force(*x)->name, in_force(*y)->name);
}

/* Takes the document as one of the two; frees it, too, when that fails. */
static bool put(struct nwfilters *f, struct nwfilter_def *def, bool shipped)
{
	struct nwfilter **slot, *filter = NULL;

	for (size_t i = 0; i < f->n && !filter; i++)
		if (nd_streq(in_force(f->items[i])->name, def->name))
			filter = f->items[i];
	if (!filter) {
		slot = nd_array_add(f->items, f->n);
		filter = slot ? calloc(1, sizeof(*filter)) : NULL;
		if (slot && !filter)
			f->n--;
		if (!filter) {
			nwfilter_def_free(def);
			return false;
		}
		*slot = filter;
	}
	nwfilter_def_free(shipped ? filter->shipped : filter->own);
	*(shipped ? &filter->shipped : &filter->own) = def;
	qsort(f->items, f->n, sizeof(*f->items), by_name);
	f->generation++;
	return true;
}

int nwfilters_put(struct nwfilters *f, struct nwfilter_def *def, struct nd_error *err)
{
	return put(f, def, false) ? 0 : nd_error_nomem(err);
}

static size_t index_of(const struct nwfilters *f, const char *name)
{
	size_t i = 0;

	while (i < f->n && !nd_streq(in_force(f->items[i])->name, name))
		i++;
	return i;
}

struct nwfilter nwfilters_both(const struct nwfilters *f, const char *name)
{
	size_t i = index_of(f, name);

	return i < f->n ? *f->items[i] : (struct nwfilter){ 0 };
}

struct nwfilter_def *nwfilters_take(struct nwfilters *f, const char *name)
{
	size_t i = index_of(f, name);
	struct nwfilter_def *own = i < f->n ? nd_take_ptr(&f->items[i]->own) : NULL;

	if (i < f->n && !f->items[i]->shipped) {
		free(f->items[i]);
		nd_array_remove(f->items, f->n, i);
	}
	f->generation++;
	return own;
}

/* ---- files ---- */

int nwfilters_write(struct nwfilters *f, const struct nwfilter_def *def, struct nd_error *err)
{
	ND_AUTO(free) char *xml = nwfilter_def_format(def);
	ND_AUTO(nd_str_free) struct nd_str text = { 0 };
	char file[NAME_MAX + 1];
	int r = docs_file_name("filter", def->name, file, err);

	if (r < 0)
		return r;
	nd_str_add(&text, "<!--\nWARNING: THIS IS AN AUTO-GENERATED FILE. CHANGES TO IT ARE LIKELY TO BE\n"
			  "OVERWRITTEN AND LOST. Changes to this xml configuration should be made using:\n"
			  "  netdctl nwfilter-define FILE\n-->\n\n");
	nd_str_add(&text, xml ? xml : "");
	if (!xml || text.failed)
		return nd_error_nomem(err);
	r = file_replace(f->dir_fd, file, text.text, 0600, true);
	return r < 0 ? nd_error_sys(err, -r, "cannot write '%s/%s'", f->paths->nwfilters, file) : 0;
}

int nwfilters_remove(struct nwfilters *f, const char *name, struct nd_error *err)
{
	char file[NAME_MAX + 1];
	int r = docs_file_name("filter", name, file, err);

	if (r < 0)
		return r;
	r = file_remove(f->dir_fd, file, true);
	return r < 0 ? nd_error_sys(err, -r, "cannot remove '%s/%s'", f->paths->nwfilters, file) : 0;
}

struct load {
	struct nwfilters *filters;
	const char *path;
	bool shipped;
	unsigned skipped;
};

/* A file written by hand may lack it; it is written back, so that it stays. */
static int give_uuid(struct load *load, struct nwfilter_def *def, struct nd_error *err)
{
	int r;

	if (def->has_uuid)
		return 0;
	r = nd_uuid_random(&def->uuid);
	if (r < 0)
		return nd_error_sys(err, -r, "cannot make a random UUID");
	def->has_uuid = true;
	return load->shipped ? 0 : nwfilters_write(load->filters, def, err);
}

static void load_doc(void *arg, const char *file, const char *text, size_t len)
{
	struct load *load = arg;
	struct nwfilter_def *def = NULL;
	struct nd_error err = { 0 };
	int r = nwfilter_def_parse(text, len, &def, &err);

	if (r == 0 && (strlen(file) != strlen(def->name) + strlen(DOCS_SUFFIX) ||
		       strncmp(file, def->name, strlen(def->name)) != 0))
		r = nd_error_set(&err, ND_ERR_XML, "the filter in it is called '%s'", def->name);
	if (r == 0)
		r = give_uuid(load, def, &err);
	if (r == 0 && put(load->filters, def, load->shipped))
		return;
	if (r < 0)
		nwfilter_def_free(def);
	nd_log(LOG_ERR, NULL, "%s/%s: skipped: %s", load->path, file, r < 0 ? err.text : "out of memory");
	load->skipped++;
}

static unsigned load_shipped(struct nwfilters *f)
{
	struct load load = { f, f->paths->nwfilters_shipped, true, 0 };
	ND_AUTO(close) int fd = open(load.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0) {
		nd_log(LOG_WARNING, NULL, "the filters that come with netd cannot be read: '%s': %s", load.path,
		       strerror(errno));
		return 1;
	}
	return docs_each(fd, load.path, load_doc, &load) + load.skipped;
}

unsigned nwfilters_load(struct nwfilters *f)
{
	struct load own = { f, f->paths->nwfilters, false, 0 };
	unsigned skipped;

	if (f->line.queue)	/* what is being changed is newer than the files, and the worker looks at it */
		return 0;
	skipped = load_shipped(f);
	file_sweep(f->dir_fd);
	skipped += docs_each(f->dir_fd, own.path, load_doc, &own);
	return skipped + own.skipped;
}
