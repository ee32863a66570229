/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/daemon/guest_metadata.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "netd/base/log.h"
#include "netd/daemon/events.h"
#include "netd/daemon/guest_change.h"

struct metadata_op {
	struct guest_change c;		/* first; c.def, c.live: the documents afterwards */
	int type;
	char *text, *key, *uri;
	bool live, config;
};

static struct metadata_texts texts_of(struct dom_def *def)
{
	return (struct metadata_texts){ &def->title, &def->description, &def->metadata,
					ND_ERR_NO_DOMAIN_METADATA };
}

int guest_get_metadata(const struct dom_def *def, int type, const char *uri, char **out,
		       struct nd_error *err)
{
	const struct metadata_texts t = texts_of((struct dom_def *)def);	/* only read */

	return metadata_get(&t, type, uri, out, err);
}

static struct metadata_op *metadata_of(struct operation *op)
{
	return (struct metadata_op *)op;
}

static int set_in(const struct metadata_op *m, struct dom_def *def, struct nd_error *err)
{
	ND_AUTO(dom_def_free) struct dom_def *again = NULL;
	ND_AUTO(free) char *xml = NULL;
	struct metadata_texts t;
	int r;

	if (!def)
		return 0;
	t = texts_of(def);
	r = metadata_set(&t, m->type, m->text, m->key, m->uri, err);
	if (r < 0)
		return r;
	xml = dom_def_format(def, 0);
	if (!xml)
		return nd_error_nomem(err);
	return dom_def_parse(xml, strlen(xml), &again, NULL) < 0 ? metadata_unprintable(err) : 0;
}

static int set_check(struct operation *op, struct nd_error *err)
{
	struct metadata_op *m = metadata_of(op);
	int r = guest_change_copy(&m->c, m->live, m->config, err);

	if (r == 0)
		r = set_in(m, m->c.live, err);
	return r < 0 ? r : set_in(m, m->c.def, err);
}

static const struct op_step set_steps[] = {
	{ "checking", false, set_check, NULL },
	{ "writing the definition", true, guest_change_write_config, guest_change_restore_config },
	{ "recording the live state", true, guest_change_record_live, NULL },
	{ "committing", false, guest_change_commit, NULL },
};

static void metadata_free(struct metadata_op *m)
{
	free(m->text);
	free(m->key);
	free(m->uri);
}

static void set_end(struct operation *op)
{
	struct metadata_op *m = metadata_of(op);
	struct guest *g = m->c.guest;

	if (op->result == 0) {
		nd_log(LOG_INFO, g->name, "metadata changed");
		events_domain_metadata(m->c.netd->events, g, m->type, m->uri);
	}
	metadata_free(m);
	guest_change_end(&m->c);
}

static bool copy_text(char **to, const char *text)
{
	*to = text ? strdup(text) : NULL;
	return *to || !text;
}

int guest_set_metadata(struct guest *g, const struct guest_metadata_change *what, guest_done done, void *arg,
		       struct nd_error *err)
{
	struct metadata_op *m = guest_change_new(g, sizeof(*m), done, arg, err);

	if (!m)
		return -ENOMEM;
	m->type = what->type;
	m->live = what->live;
	m->config = what->config;
	if (!copy_text(&m->text, what->text) || !copy_text(&m->key, what->key) ||
	    !copy_text(&m->uri, what->uri)) {
		metadata_free(m);
		guest_change_free(&m->c);
		return nd_error_nomem(err);
	}
	guest_change_start(&m->c, set_steps, ND_COUNT(set_steps), set_end);
	return 0;
}
