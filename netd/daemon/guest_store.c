/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/daemon/guest_store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "netd/base/log.h"
#include "netd/base/str.h"
#include "netd/daemon/docs.h"
#include "netd/daemon/file.h"

#define LIVE_HEAD "<domstatus state='%d' reason='%d' pid='%d' uid='%u'>\n"
#define LIVE_TAIL "</domstatus>\n"

struct guest_store {
	const struct paths *paths;
	int dir_fd, autostart_fd, live_fd;
};

static int open_dir(const char *path, int *out, struct nd_error *err)
{
	*out = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *out < 0 ? nd_error_sys(err, errno, "cannot open directory '%s'", path) : 0;
}

int guest_store_new(const struct paths *paths, struct guest_store **out, struct nd_error *err)
{
	ND_AUTO(guest_store_free) struct guest_store *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return nd_error_nomem(err);
	*s = (struct guest_store){ paths, -1, -1, -1 };
	r = open_dir(paths->domains, &s->dir_fd, err);
	if (r == 0)
		r = open_dir(paths->domains_autostart, &s->autostart_fd, err);
	if (r == 0)
		r = open_dir(paths->domains_live, &s->live_fd, err);
	if (r < 0)
		return r;
	*out = nd_take_ptr(&s);
	return 0;
}

void guest_store_free(struct guest_store *s)
{
	if (!s)
		return;
	nd_auto_close(&s->dir_fd);
	nd_auto_close(&s->autostart_fd);
	nd_auto_close(&s->live_fd);
	free(s);
}

/* Puts head, document and tail into a file of the directory. */
static int put(int dir_fd, const char *path, const char *name, const char *head, char *xml,
	       const char *tail, bool durable, struct nd_error *err)
{
	ND_AUTO(nd_str_free) struct nd_str text = { 0 };
	char file[NAME_MAX + 1];
	int r = docs_file_name("domain", name, file, err);

	if (r == 0 && xml) {
		nd_str_add(&text, head);
		nd_str_add(&text, xml);
		nd_str_add(&text, tail);
	}
	free(xml);
	if (r < 0)
		return r;
	if (!text.text || text.failed)
		return nd_error_nomem(err);
	r = file_replace(dir_fd, file, text.text, 0600, durable);
	return r < 0 ? nd_error_sys(err, -r, "cannot write '%s/%s'", path, file) : 0;
}

static int drop(int dir_fd, const char *path, const char *name, bool durable, struct nd_error *err)
{
	char file[NAME_MAX + 1];
	int r = docs_file_name("domain", name, file, err);

	if (r < 0)
		return r;
	r = file_remove(dir_fd, file, durable);
	return r < 0 ? nd_error_sys(err, -r, "cannot remove '%s/%s'", path, file) : 0;
}

int guest_store_write(struct guest_store *s, const struct dom_def *def, struct nd_error *err)
{
	return put(s->dir_fd, s->paths->domains, def->name,
		   "<!--\nWARNING: THIS IS AN AUTO-GENERATED FILE. CHANGES TO IT ARE LIKELY TO BE\n"
		   "OVERWRITTEN AND LOST. Changes to this xml configuration should be made using:\n"
		   "  netdctl define FILE\n-->\n\n",
		   dom_def_format(def, NET_FORMAT_INACTIVE), "", true, err);
}

int guest_store_remove(struct guest_store *s, const char *name, struct nd_error *err)
{
	return drop(s->dir_fd, s->paths->domains, name, true, err);
}

int guest_store_autostart(struct guest_store *s, const char *name, bool on, struct nd_error *err)
{
	char file[NAME_MAX + 1];
	int r;

	if (!on)
		return drop(s->autostart_fd, s->paths->domains_autostart, name, true, err);
	r = docs_file_name("domain", name, file, err);
	if (r < 0)
		return r;
	r = docs_link(s->autostart_fd, file);
	return r < 0 ? nd_error_sys(err, -r, "cannot make link '%s/%s'", s->paths->domains_autostart,
				    file) : 0;
}

int guest_store_write_live(struct guest_store *s, const struct dom_def *live,
			   const struct guest_status *status, struct nd_error *err)
{
	char head[160];

	snprintf(head, sizeof(head), LIVE_HEAD, status->state, status->reason, (int)status->pid,
		 (unsigned)status->uid);
	return put(s->live_fd, s->paths->domains_live, live->name, head, dom_def_format(live, 0),
		   LIVE_TAIL, false, err);
}

int guest_store_remove_live(struct guest_store *s, const char *name, struct nd_error *err)
{
	return drop(s->live_fd, s->paths->domains_live, name, false, err);
}

/* ---- loading ---- */

struct load {
	struct guest_store *store;
	unsigned skipped;
	const struct guest_loader *loader;
};

typedef int (*parser)(const char *xml, size_t len, struct dom_def **out, struct nd_error *err);

static struct dom_def *load_doc(const char *path, const char *file, const char *text, size_t len,
				parser parse)
{
	ND_AUTO(dom_def_free) struct dom_def *def = NULL;
	struct nd_error err = { 0 };
	char message[1200];

	if (parse(text, len, &def, &err) < 0 || dom_def_check(def, &err) < 0) {
		nd_error_format(&err, message, sizeof(message));
		nd_log(LOG_ERR, NULL, "%s/%s: skipped: %s", path, file, message);
		return NULL;
	}
	if (strlen(file) - strlen(DOCS_SUFFIX) != strlen(def->name) ||
	    strncmp(file, def->name, strlen(def->name)) != 0) {
		nd_log(LOG_ERR, NULL, "%s/%s: skipped: the guest in it is called '%s'", path, file,
		       def->name);
		return NULL;
	}
	if (dom_def_generate(def, &err) < 0) {	/* a file written by hand may lack what define gives */
		nd_log(LOG_ERR, NULL, "%s/%s: skipped: %s", path, file, err.text);
		return NULL;
	}
	return nd_take_ptr(&def);
}

static void load_definition(void *arg, const char *file, const char *text, size_t len)
{
	struct load *load = arg;
	struct dom_def *def = load_doc(load->store->paths->domains, file, text, len, dom_def_parse);

	if (!def)
		load->skipped++;
	else
		load->loader->definition(load->loader->arg, def,
					 faccessat(load->store->autostart_fd, file, F_OK, 0) == 0);
}

static void load_live(void *arg, const char *file, const char *text, size_t len)
{
	struct load *load = arg;
	const char *path = load->store->paths->domains_live;
	/* "<domain" with what follows a tag's name, so that it is not found in a longer one */
	const char *doc = docs_inner(text, &len, "<domain ", "</domain>");
	struct guest_status status = { 0 };
	struct dom_def *live = NULL;

	if (doc && sscanf(text, LIVE_HEAD, &status.state, &status.reason, &status.pid,
			  &status.uid) == 4) {
		live = load_doc(path, file, doc, len, dom_def_parse_live);
	} else {
		nd_log(LOG_ERR, NULL, "%s/%s: skipped: not a whole status file", path, file);
	}
	if (!live)
		load->skipped++;
	else
		load->loader->live(load->loader->arg, live, &status);
}

unsigned guest_store_load(struct guest_store *s, const struct guest_loader *loader)
{
	struct load load = { .store = s, .loader = loader };

	if (loader->definition)
		load.skipped += docs_each(s->dir_fd, s->paths->domains, load_definition, &load);
	if (loader->live)
		load.skipped += docs_each(s->live_fd, s->paths->domains_live, load_live, &load);
	return load.skipped;
}

void guest_store_sweep(struct guest_store *s)
{
	file_sweep(s->dir_fd);
	file_sweep(s->autostart_fd);
	file_sweep(s->live_fd);
	docs_sweep_links(s->autostart_fd);
}
