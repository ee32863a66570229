/* SPDX-License-Identifier: GPL-2.0-or-later */
/* domstats: numbers of guests, of all at once or of some. */
#include <stdlib.h>

#include "netd/base/auto.h"
#include "netd/ctl/domain.h"
#include "netd/ctl/param.h"
#include "netd/ctl/verbs.h"

static int record_print(const lv_domain_stats *record)
{
	printf("Domain: '%s'\n", record->dom.name);
	for (u_int i = 0; i < record->params.params_len; i++) {
		const lv_param *p = &record->params.params_val[i];
		ND_AUTO(free) char *value = param_text(p);

		if (!value)
			return ctl_error("out of memory");
		printf("  %s=%s\n", p->field, value);
	}
	return 0;
}

static json_t *record_json(const lv_domain_stats *record)
{
	json_t *stats = json_object();

	for (u_int i = 0; i < record->params.params_len; i++)
		json_object_set_new(stats, record->params.params_val[i].field,
				    param_json(&record->params.params_val[i]));
	return json_pack("{so, ss, so}", "name", ctl_json_string(record->dom.name),
			 "uuid", uuid_text(record->dom.uuid).text, "stats", stats);
}

static int records_print(const struct verb_args *args, const lv_connect_get_all_domain_stats_ret *ret)
{
	json_t *all = json_array();
	int r = 0;

	for (u_int i = 0; r == 0 && i < ret->list.list_len; i++) {
		json_array_append_new(all, record_json(&ret->list.list_val[i]));
		if (arg_json(args))
			continue;
		printf("%s", i ? "\n" : "");
		r = record_print(&ret->list.list_val[i]);
	}
	if (arg_json(args))
		return ctl_print_json(all);
	json_decref(all);
	return r;
}

/* The guests that were named; none: all that pass the filter. */
static int named(struct ctl *ctl, const struct verb_args *args,
		 lv_connect_get_all_domain_stats_args *ask, struct nd_error *err)
{
	char *const *words;
	size_t n;

	words = arg_words(args, &n);
	ask->doms.doms_val = calloc(n + 1, sizeof(*ask->doms.doms_val));
	if (!ask->doms.doms_val)
		return nd_error_nomem(err);
	for (; ask->doms.doms_len < n; ask->doms.doms_len++)
		if (dom_find(ctl, words[ask->doms.doms_len], DOM_BY_ANY,
			     &ask->doms.doms_val[ask->doms.doms_len], err) < 0)
			return -1;
	return 0;
}

static unsigned bits(const struct verb_args *args, const char *const *options, size_t n)
{
	unsigned sum = 0;

	for (size_t i = 0; i < n; i++)
		if (arg_flag(args, options[i]))
			sum |= 1u << i;
	return sum;
}

static int run_stats(struct ctl *ctl, const struct verb_args *args, struct nd_error *err)
{
	/* the bits of VIR_DOMAIN_STATS_* and of VIR_CONNECT_GET_ALL_DOMAINS_STATS_*, from the lowest on */
	static const char *const groups[] = { "state", "cpu-total", "balloon", "vcpu", "interface",
					      "block" };
	static const char *const filters[] = { "list-active", "list-inactive", "list-persistent",
					       "list-transient", "list-running", "list-paused",
					       "list-shutoff", "list-other" };
	lv_connect_get_all_domain_stats_args ask = {
		.stats = bits(args, groups, ND_COUNT(groups)),
		.flags = bits(args, filters, ND_COUNT(filters)) | (arg_flag(args, "enforce") ? 1u << 31 : 0),
	};
	lv_connect_get_all_domain_stats_ret ret = { 0 };
	int r = named(ctl, args, &ask, err);

	if (r == 0)
		r = call_lv(ctl, LV_PROC_CONNECT_GET_ALL_DOMAIN_STATS,
			    CALL_XDR(lv_connect_get_all_domain_stats_args), &ask,
			    CALL_XDR(lv_connect_get_all_domain_stats_ret), &ret, err);
	if (r == 0)
		r = records_print(args, &ret);
	xdr_free(CALL_XDR(lv_connect_get_all_domain_stats_args), &ask);
	xdr_free(CALL_XDR(lv_connect_get_all_domain_stats_ret), &ret);
	return r < 0 ? -1 : 0;
}

static const struct arg_row rows[] = {
	{ "state", ARG_FLAG, "report guests' state" },
	{ "cpu-total", ARG_FLAG, "report guests' physical cpu usage" },
	{ "balloon", ARG_FLAG, "report guests' memory" },
	{ "vcpu", ARG_FLAG, "report guests' virtual cpus" },
	{ "interface", ARG_FLAG, "report guests' interfaces" },
	{ "block", ARG_FLAG, "report guests' disks" },
	{ "list-active", ARG_FLAG, "list only active guests" },
	{ "list-inactive", ARG_FLAG, "list only inactive guests" },
	{ "list-persistent", ARG_FLAG, "list only persistent guests" },
	{ "list-transient", ARG_FLAG, "list only transient guests" },
	{ "list-running", ARG_FLAG, "list only running guests" },
	{ "list-paused", ARG_FLAG, "list only paused guests" },
	{ "list-shutoff", ARG_FLAG, "list only shutoff guests" },
	{ "list-other", ARG_FLAG, "list only guests in other states" },
	{ "enforce", ARG_FLAG, "fail where a group is not known" },
	ARG_JSON,
	{ "domain", ARG_WORDS, "guests to be listed", VALUES_DOMAIN },
};

static const struct verb verbs[] = {
	{ "domstats", "numbers of one or more guests", NULL, run_stats, VERB_ROWS(rows) },
};

const struct verb_group stats_verbs = VERB_GROUP("Guests: numbers", "stats", verbs);
