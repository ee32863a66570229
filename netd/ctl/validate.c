/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/ctl/validate.h"

#include <stdlib.h>
#include <string.h>

#include "netd/base/auto.h"
#include "netd/ctl/calls.h"
#include "netd/model/network.h"
#include "netd/model/nwfilter.h"

static const char *schema_dir(void)
{
	const char *env = getenv("NETD_SCHEMAS");

	return env && *env ? env : NETD_SCHEMA_DIR;
}

static int keep_name(const char *name, char **out, struct nd_error *err)
{
	*out = strdup(name);
	return *out ? 0 : nd_error_nomem(err);
}

/* A kind of document; check gives its name (caller frees) where it could be read so far. */
struct kind {
	const char *what;
	int (*check)(const char *xml, size_t len, char **name, struct nd_error *err);
};

/* The parser's view first: its sentences say more than a schema's. */
static int check_network(const char *xml, size_t len, char **name, struct nd_error *err)
{
	ND_AUTO(net_def_free) struct net_def *def = NULL;
	int r = net_def_parse(xml, len, &def, err);

	if (r == 0)
		r = keep_name(def->name, name, err);
	if (r == 0)
		r = net_def_validate(def, err);
	return r == 0 ? net_def_validate_schema(xml, len, schema_dir(), err) : r;
}

static int check_filter(const char *xml, size_t len, char **name, struct nd_error *err)
{
	ND_AUTO(nwfilter_def_free) struct nwfilter_def *def = NULL;
	int r = nwfilter_def_parse(xml, len, &def, err);

	if (r == 0)
		r = keep_name(def->name, name, err);
	return r == 0 ? nwfilter_def_validate_schema(xml, len, schema_dir(), err) : r;
}

static const struct kind network = { "network", check_network }, filter = { "network filter", check_filter };

static int print_json(const char *file, const char *name, const struct nd_error *err)
{
	char text[sizeof(err->text) + 128];

	nd_error_format(err, text, sizeof(text));
	return ctl_print_json(json_pack("{ss, sb, so, so}", "file", file, "valid",
					err->kind == ND_ERR_OK, "name",
					ctl_json_string(name), "error",
					ctl_json_string(err->kind == ND_ERR_OK ? NULL : text)));
}

static int validate(struct ctl *ctl, const struct kind *kind, const struct verb_args *args, struct nd_error *err)
{
	const char *file = arg_string(args, "file");
	ND_AUTO(free) char *xml = NULL, *name = NULL;
	int r;

	if (file_read(file, &xml, err) < 0)
		return -1;
	r = kind->check(xml, strlen(xml), &name, err);
	if (arg_flag(args, "json")) {
		(void)print_json(file, name, err);
		err->kind = ND_ERR_OK;		/* it is in the document */
		return r < 0 ? -1 : 0;
	}
	if (r < 0)
		return ctl_error("%s does not describe a %s that can be defined", file, kind->what);
	ctl_say(ctl, "%s validates\n", file);
	return 0;
}

int validate_run(struct ctl *ctl, const struct verb_args *args, struct nd_error *err)
{
	return validate(ctl, &network, args, err);
}

int validate_run_filter(struct ctl *ctl, const struct verb_args *args, struct nd_error *err)
{
	return validate(ctl, &filter, args, err);
}
