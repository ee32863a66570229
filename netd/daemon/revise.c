/* SPDX-License-Identifier: GPL-2.0-or-later */
/* revise.c -- one entry of a network changes, in the definition, in what runs, or in both
 *
 * Both documents are made before either is written; a running network's kernel objects and server
 * change by difference, so guests lose nothing.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "netd/base/log.h"
#include "netd/daemon/change.h"
#include "netd/daemon/revise.h"

struct revision {
	struct change change;		/* first */
	/* The new document; old is borrowed. */
	int (*make)(const struct revision *v, const struct net_def *old, struct net_def **out,
		    struct nd_error *err);
	bool on_live, on_config;
	bool services;			/* the kernel and the server may be concerned */
	unsigned flags;
	int command, section, parent_index, type;
	char *text, *key, *uri;
};

static struct revision *revision_of(struct operation *op)
{
	return (struct revision *)op;
}

static int make_update(const struct revision *v, const struct net_def *old, struct net_def **out,
		       struct nd_error *err)
{
	return net_def_update(old, v->command, v->section, v->parent_index, v->text,
			      strlen(v->text), out, err);
}

static int make_metadata(const struct revision *v, const struct net_def *old, struct net_def **out,
			 struct nd_error *err)
{
	return net_def_set_metadata(old, v->type, v->text, v->key, v->uri, out, err);
}

int affected(const struct network *net, unsigned flags, bool *live, bool *config,
	     struct nd_error *err)
{
	*live = flags ? flags & AFFECT_LIVE : net->live != NULL;
	*config = flags ? flags & AFFECT_CONFIG : net->live == NULL;
	if (*live && !net->live)
		return nd_error_set(err, ND_ERR_OPERATION_INVALID, "network is not running");
	if (*config && !net->def)
		return nd_error_set(err, ND_ERR_OPERATION_INVALID,
				    "cannot change persistent config of a transient network");
	return 0;
}

static int revise_make(struct operation *op, struct nd_error *err)
{
	struct revision *v = revision_of(op);
	struct change *c = &v->change;
	int r = affected(op->net, v->flags, &v->on_live, &v->on_config, err);

	if (r == 0 && v->on_live)
		r = v->make(v, op->net->live, &c->live, err);
	if (r == 0 && v->on_live && v->services)
		r = compile_supported(c->live, err);
	if (r == 0 && v->on_config)
		r = v->make(v, op->net->def, &c->def, err);
	return r;
}

/* Worker. */
static int revise_write_config(struct operation *op, struct nd_error *err)
{
	struct change *c = change_of(op);

	return c->def ? store_write_definition(c->netd->store, c->def, err) : 0;
}

static int revise_unwrite_config(struct operation *op)
{
	struct change *c = change_of(op);
	struct nd_error err = { 0 };

	if (c->def && store_write_definition(c->netd->store, op->net->def, &err) < 0)
		nd_log(LOG_ERR, op->net->name, "taking back a failed update: %s", err.text);
	return OP_DONE;
}

/* Worker. Before the kernel changes: after a crash in between the next start follows the file. */
static int revise_write_live(struct operation *op, struct nd_error *err)
{
	struct change *c = change_of(op);

	return c->live ? store_write_live(c->netd->store, c->live, err) : 0;
}

static int revise_unwrite_live(struct operation *op)
{
	struct change *c = change_of(op);
	struct nd_error err = { 0 };

	if (c->live && store_write_live(c->netd->store, op->net->live, &err) < 0)
		nd_log(LOG_ERR, op->net->name, "taking back a failed update: %s", err.text);
	return OP_DONE;
}

static bool concerns_services(const struct revision *v)
{
	return v->services && v->on_live;
}

/* Worker. */
static int revise_kernel(struct operation *op, struct nd_error *err)
{
	return concerns_services(revision_of(op)) ? change_replan(op, err) : 0;
}

static int revise_kernel_undo(struct operation *op)
{
	return concerns_services(revision_of(op)) ? change_replan_undo(op) : OP_DONE;
}

static int revise_server(struct operation *op, struct nd_error *err)
{
	struct change *c = change_of(op);

	if (!concerns_services(revision_of(op)))
		return OP_DONE;
	servers_update(c->netd->servers, nd_take_ptr(&c->serve), change_server_told, op);
	return OP_WAIT;
}

static int revise_commit(struct operation *op, struct nd_error *err)
{
	struct change *c = change_of(op);
	struct net_def *old;

	if (c->plan)
		change_replan_commit(c);
	if (c->live) {
		old = op->net->live;
		op->net->live = c->live;
		c->live = old;
	}
	if (c->def) {
		old = op->net->def;
		op->net->def = c->def;
		c->def = old;
	}
	return 0;
}

static const struct op_step revise_steps[] = {
	{ "making the new document", false, revise_make, NULL },
	{ "writing the definition", true, revise_write_config, revise_unwrite_config },
	{ "writing the live state", true, revise_write_live, revise_unwrite_live },
	{ "changing the kernel's objects", true, revise_kernel, revise_kernel_undo },
	{ "telling the server", false, revise_server, NULL },
	{ "committing", false, revise_commit, NULL },
};

static void revise_end(struct operation *op)
{
	struct revision *v = revision_of(op);
	struct network *net = op->net;
	struct netd *d = v->change.netd;

	if (v->change.done)
		v->change.done(v->change.arg, net, op->result < 0 ? &op->err : NULL);
	v->change.done = NULL;
	if (op->result == 0) {
		nd_log(LOG_INFO, net->name, "%s changed", v->services ? "definition" : "metadata");
		if (!v->services)
			events_metadata(d->events, net, v->type, v->uri);
	}
	free(v->text);
	free(v->key);
	free(v->uri);
	change_end(&v->change);
}

/* An optional copy; false when out of memory. */
static bool copy(char **out, const char *text)
{
	*out = text ? strdup(text) : NULL;
	return !text || *out;
}

static int begin(struct revision *v, struct network *net, const char *text, const char *key,
		 const char *uri, struct nd_error *err)
{
	if (!copy(&v->text, text) || !copy(&v->key, key) || !copy(&v->uri, uri)) {
		free(v->text);
		free(v->key);
		change_free(&v->change);
		return nd_error_nomem(err);
	}
	change_start(&v->change, net, revise_steps, ND_COUNT(revise_steps), revise_end);
	return 0;
}

int revise_entry(struct netd *d, struct network *net, const struct entry_revision *e,
		 change_done done, void *arg, struct nd_error *err)
{
	struct revision *v = change_new_sized(d, sizeof(*v), done, arg, err);

	if (!v)
		return -ENOMEM;
	v->make = make_update;
	v->services = true;
	v->flags = e->flags;
	v->command = e->command;
	v->section = e->section;
	v->parent_index = e->parent_index;
	return begin(v, net, e->xml, NULL, NULL, err);
}

int revise_metadata(struct netd *d, struct network *net, const struct metadata_revision *m,
		    change_done done, void *arg, struct nd_error *err)
{
	struct revision *v = change_new_sized(d, sizeof(*v), done, arg, err);

	if (!v)
		return -ENOMEM;
	v->make = make_metadata;
	v->flags = m->flags;
	v->type = m->type;
	return begin(v, net, m->text, m->key, m->uri, err);
}
