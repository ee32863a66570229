/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/ctl/validate.h"

#include <stdlib.h>
#include <string.h>

#include "netd/base/auto.h"
#include "netd/ctl/calls.h"
#include "netd/model/network.h"

static const char *schema_dir(void)
{
	const char *env = getenv("NETD_SCHEMAS");

	return env && *env ? env : NETD_SCHEMA_DIR;
}

/* The parser's view first: its sentences say more than a schema's. */
static int check(const char *xml, struct net_def **def, struct nd_error *err)
{
	size_t len = strlen(xml);
	int r = net_def_parse(xml, len, def, err);

	if (r == 0)
		r = net_def_validate(*def, err);
	return r == 0 ? net_def_validate_schema(xml, len, schema_dir(), err) : r;
}

static int print_json(const char *file, const struct net_def *def, const struct nd_error *err)
{
	char text[sizeof(err->text) + 128];

	nd_error_format(err, text, sizeof(text));
	return ctl_print_json(json_pack("{ss, sb, so, so}", "file", file, "valid",
					err->kind == ND_ERR_OK, "name",
					ctl_json_string(def ? def->name : NULL), "error",
					ctl_json_string(err->kind == ND_ERR_OK ? NULL : text)));
}

int validate_run(struct ctl *ctl, const struct verb_args *args, struct nd_error *err)
{
	const char *file = arg_string(args, "file");
	ND_AUTO(net_def_free) struct net_def *def = NULL;
	ND_AUTO(free) char *xml = NULL;
	int r;

	if (file_read(file, &xml, err) < 0)
		return -1;
	r = check(xml, &def, err);
	if (arg_flag(args, "json")) {
		(void)print_json(file, def, err);
		err->kind = ND_ERR_OK;		/* it is in the document */
		return r < 0 ? -1 : 0;
	}
	if (r < 0)
		return ctl_error("%s does not describe a network that can be defined", file);
	ctl_say(ctl, "%s validates\n", file);
	return 0;
}
