/* SPDX-License-Identifier: GPL-2.0-or-later */
/* apply_tool RUN_DIR start|stop|plan FILE...: brings the kernel objects of networks about without
 * a daemon and servers, or takes them away, so that tests see what the rules alone do.
 * NETD_NO_PERSIST=1 in the environment: as on a kernel without persistent nft tables.
 * NETD_SERVE="UID ADDRESS...": the uid of the network's server, and the host's resolvers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "datapath/datapath.h"
#include "netd/base/str.h"
#include "netd/compile/compile.h"

static struct nd_error err;

static int fail(const char *file)
{
	fprintf(stderr, "%s: %s\n", file, err.text);
	return -1;
}

static char *read_file(const char *path)
{
	ND_AUTO(fclose) FILE *f = fopen(path, "re");
	struct nd_str s = { 0 };
	char buf[4096];
	size_t n;

	if (!f)
		return NULL;
	while ((n = fread(buf, 1, sizeof(buf), f)) > 0)
		nd_str_addn(&s, buf, n);
	return nd_str_take(&s);
}

enum { MAX_UPSTREAMS = 4 };

static int read_serve(struct compile_input *in, struct dns_upstream *upstreams)
{
	const char *env = getenv("NETD_SERVE");
	ND_AUTO(free) char *text = env ? strdup(env) : NULL;
	char *save = NULL, *word = text ? strtok_r(text, " ", &save) : NULL;

	if (!word)
		return 0;
	in->serve_uid = (uid_t)strtoul(word, NULL, 10);
	in->upstreams = upstreams;
	while ((word = strtok_r(NULL, " ", &save)) && in->n_upstreams < MAX_UPSTREAMS)
		if (!nd_ip_parse(word, &upstreams[in->n_upstreams++].addr))
			return nd_error_set(&err, ND_ERR_INTERNAL, "'%s' is no address", word);
	return 0;
}

static int compile(struct datapath *dp, const char *xml, struct plan **plan_out,
		   char owner[ND_UUID_STRLEN])
{
	struct dns_upstream upstreams[MAX_UPSTREAMS] = { 0 };
	ND_AUTO(net_def_free) struct net_def *def = NULL;
	ND_AUTO(host_facts_free) struct host_facts *facts = NULL;
	struct compile_input in = { .serve_uid = 0 };

	if (read_serve(&in, upstreams) < 0)
		return -1;
	if (net_def_parse(xml, strlen(xml), &def, &err) < 0 || net_def_generate(def, &err) < 0 ||
	    datapath_facts(dp, &facts, &err) < 0 || compile_supported(def, &err) < 0 ||
	    compile_collisions(def, facts, &err) < 0)
		return -1;
	in.def = def;
	in.facts = facts;
	nd_uuid_format(&def->uuid, owner);
	return compile_plan(&in, plan_out, &err);
}

static int run(struct datapath *dp, const char *verb, const char *file)
{
	ND_AUTO(free) char *xml = read_file(file), *text = NULL;
	ND_AUTO(plan_free) struct plan *plan = NULL, *empty = plan_new();
	ND_AUTO(plan_diff_free) struct plan_diff *diff = NULL;
	bool stop = nd_streq(verb, "stop");
	char owner[ND_UUID_STRLEN];

	if (!xml || !empty || compile(dp, xml, &plan, owner) < 0)
		return fail(file);
	if (nd_streq(verb, "plan")) {
		text = plan_format(plan);
		fputs(text, stdout);
		return 0;
	}
	if (plan_diff(stop ? plan : empty, stop ? empty : plan, &diff) < 0 ||
	    datapath_apply(dp, diff, owner, &err) < 0)
		return fail(file);
	return 0;
}

int main(int argc, char **argv)
{
	ND_AUTO(datapath_free) struct datapath *dp = NULL;
	struct datapath_options opt = { .no_persist = getenv("NETD_NO_PERSIST") };

	if (argc < 4) {
		fprintf(stderr, "usage: %s RUN_DIR start|stop|plan FILE...\n", argv[0]);
		return 2;
	}
	opt.run_dir = argv[1];
	if (datapath_new(&opt, &dp, &err) < 0)
		return fail("datapath") < 0;
	for (int i = 3; i < argc; i++)
		if (run(dp, argv[2], argv[i]) < 0)
			return 1;
	return 0;
}
