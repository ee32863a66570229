/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Guests: list, define, create, start, stop and what is between, as virsh says it. */
#include <stdlib.h>
#include <string.h>

#include "netd/base/auto.h"
#include "netd/base/str.h"
#include "netd/ctl/calls.h"
#include "netd/ctl/document.h"
#include "netd/ctl/table.h"
#include "netd/ctl/verbs.h"

static void dom_fini(lv_dom *dom)
{
	xdr_free(CALL_XDR(lv_dom), dom);
}

static inline void nd_auto_dom_fini(lv_dom *dom)
{
	dom_fini(dom);
}

/* By number, UUID or name; prints line one of the failure. */
static int dom_find(struct ctl *ctl, const char *what, lv_dom *out, struct nd_error *err)
{
	lv_name_args by_name = { .name = (char *)what };	/* only read */
	lv_uuid_args by_uuid;
	lv_dom_ret ret = { 0 };
	struct nd_uuid uuid;
	uint64_t id;
	int r = -1;

	if (nd_parse_uint(what, 10, 0, INT32_MAX, &id)) {
		lv_id_args by_id = { .id = (int)id };

		r = call_lv(ctl, LV_PROC_DOMAIN_LOOKUP_BY_ID, CALL_XDR(lv_id_args), &by_id,
			    CALL_XDR(lv_dom_ret), &ret, err);
	}
	if (r < 0 && strlen(what) == ND_UUID_STRLEN - 1 && nd_uuid_parse(what, &uuid)) {
		memcpy(by_uuid.uuid, uuid.bytes, sizeof(by_uuid.uuid));
		r = call_lv(ctl, LV_PROC_DOMAIN_LOOKUP_BY_UUID, CALL_XDR(lv_uuid_args), &by_uuid,
			    CALL_XDR(lv_dom_ret), &ret, err);
	}
	if (r < 0)
		r = call_lv(ctl, LV_PROC_DOMAIN_LOOKUP_BY_NAME, CALL_XDR(lv_name_args), &by_name,
			    CALL_XDR(lv_dom_ret), &ret, err);
	if (r < 0) {
		*err = (struct nd_error){ 0 };	/* virsh says no more either */
		return ctl_error("failed to get domain '%s'", what);
	}
	*out = ret.dom;
	return 0;
}

/* ---- list ---- */

static const char *const state_names[] = { "no state", "running", "idle", "paused", "in shutdown",
					   "shut off", "crashed", "pmsuspended" };

static const char *state_of(struct ctl *ctl, const lv_dom *dom, struct nd_error *err)
{
	lv_dom_flags_args args = { .dom = *dom };
	lv_domain_get_state_ret ret = { 0 };

	if (call_lv(ctl, LV_PROC_DOMAIN_GET_STATE, CALL_XDR(lv_dom_flags_args), &args,
		    CALL_XDR(lv_domain_get_state_ret), &ret, err) < 0)
		return NULL;
	return ret.state >= 0 && (size_t)ret.state < ND_COUNT(state_names) ? state_names[ret.state]
									  : "no state";
}

static int by_name(const void *a, const void *b)
{
	return strcasecmp(((const lv_dom *)a)->name, ((const lv_dom *)b)->name);
}

static int list_json(struct ctl *ctl, const lv_list_all_domains_ret *list, struct nd_error *err)
{
	json_t *all = json_array();

	for (u_int i = 0; i < list->domains.domains_len; i++) {
		const lv_dom *dom = &list->domains.domains_val[i];
		const char *state = state_of(ctl, dom, err);

		json_array_append_new(all, json_pack("{so, ss, so, ss}", "name", ctl_json_string(dom->name),
						     "uuid", uuid_text(dom->uuid).text, "id",
						     dom->id < 0 ? json_null() : json_integer(dom->id),
						     "state", state ? state : "no state"));
	}
	return ctl_print_json(all);
}

static int list_table(struct ctl *ctl, const lv_list_all_domains_ret *list, struct nd_error *err)
{
	static const char *const headers[] = { "Id", "Name", "State" };
	ND_AUTO(table_free) struct table *t = table_new(headers, ND_COUNT(headers));
	ND_AUTO(free) char *text = NULL;

	for (u_int i = 0; t && i < list->domains.domains_len; i++) {
		const lv_dom *dom = &list->domains.domains_val[i];
		char id[16];
		const char *cells[] = { dom->id < 0 ? NULL : id, dom->name, state_of(ctl, dom, err) };

		snprintf(id, sizeof(id), "%d", dom->id);
		if (table_add(t, cells) < 0)
			return nd_error_nomem(err);
	}
	text = t ? table_format(t, !ctl->quiet) : NULL;
	if (!text)
		return nd_error_nomem(err);
	fputs(text, stdout);
	return 0;
}

enum { DOM_LIST_ACTIVE = 1, DOM_LIST_INACTIVE = 2 };

static int run_list(struct ctl *ctl, const struct verb_args *args, struct nd_error *err)
{
	unsigned flags = arg_flag(args, "all") ? 0
			 : arg_flag(args, "inactive") ? DOM_LIST_INACTIVE : DOM_LIST_ACTIVE;
	lv_list_all_args ask = { .need_results = 1, .flags = flags };
	lv_list_all_domains_ret list = { 0 };
	int r = 0;

	if (call_lv(ctl, LV_PROC_CONNECT_LIST_ALL_DOMAINS, CALL_XDR(lv_list_all_args), &ask,
		    CALL_XDR(lv_list_all_domains_ret), &list, err) < 0)
		return ctl_error("Failed to list domains");
	if (list.domains.domains_len)
		qsort(list.domains.domains_val, list.domains.domains_len, sizeof(lv_dom), by_name);
	if (arg_json(args))
		r = list_json(ctl, &list, err);
	else if (arg_flag(args, "name"))
		for (u_int i = 0; i < list.domains.domains_len; i++)
			printf("%s\n", list.domains.domains_val[i].name);
	else
		r = list_table(ctl, &list, err);
	xdr_free(CALL_XDR(lv_list_all_domains_ret), &list);
	return r < 0 ? -1 : 0;
}

/* ---- documents ---- */

static int from_file(struct ctl *ctl, const struct verb_args *args, int32_t proc,
		     const char *infinitive, const char *past, struct nd_error *err)
{
	const char *file = arg_string(args, "file");
	ND_AUTO(free) char *xml = NULL;
	lv_xml_flags_args ask = { 0 };
	lv_dom_ret ret = { 0 };

	if (file_read(file, &xml, err) < 0)
		return -1;
	ask.xml = xml;
	if (arg_flag(args, "validate"))
		ask.flags = proc == LV_PROC_DOMAIN_CREATE_XML ? 16 : 1;	/* each call has its own bit */
	if (call_lv(ctl, proc, CALL_XDR(lv_xml_flags_args), &ask, CALL_XDR(lv_dom_ret), &ret, err) < 0)
		return ctl_error("Failed to %s domain from %s", infinitive, file);
	ctl_say(ctl, "Domain '%s' %s from %s\n", ret.dom.name, past, file);
	dom_fini(&ret.dom);
	return 0;
}

static int run_define(struct ctl *ctl, const struct verb_args *args, struct nd_error *err)
{
	return from_file(ctl, args, LV_PROC_DOMAIN_DEFINE_XML_FLAGS, "define", "defined", err);
}

static int run_create(struct ctl *ctl, const struct verb_args *args, struct nd_error *err)
{
	return from_file(ctl, args, LV_PROC_DOMAIN_CREATE_XML, "create", "created", err);
}

static int run_dumpxml(struct ctl *ctl, const struct verb_args *args, struct nd_error *err)
{
	ND_AUTO(dom_fini) lv_dom dom = { 0 };
	lv_dom_flags_args ask = { .flags = arg_flag(args, "inactive") ? 2 : 0 };
	lv_str_ret ret = { 0 };
	int r;

	if (dom_find(ctl, arg_string(args, "domain"), &dom, err) < 0)
		return -1;
	ask.dom = dom;
	if (call_lv(ctl, LV_PROC_DOMAIN_GET_XML_DESC, CALL_XDR(lv_dom_flags_args), &ask,
		    CALL_XDR(lv_str_ret), &ret, err) < 0)
		return -1;
	r = document_print(args, ret.value);
	xdr_free(CALL_XDR(lv_str_ret), &ret);
	return r;
}

static int run_domstate(struct ctl *ctl, const struct verb_args *args, struct nd_error *err)
{
	ND_AUTO(dom_fini) lv_dom dom = { 0 };
	const char *state;

	if (dom_find(ctl, arg_string(args, "domain"), &dom, err) < 0)
		return -1;
	state = state_of(ctl, &dom, err);
	if (!state)
		return -1;
	if (arg_json(args))
		return ctl_print_json(json_pack("{ss}", "state", state));
	printf("%s\n", state);
	return 0;
}

/* ---- life ---- */

struct change {
	int32_t proc;
	const char *infinitive, *past;
	bool flags;			/* the call takes flags */
};

static int change(struct ctl *ctl, const struct verb_args *args, const struct change *how,
		  struct nd_error *err)
{
	const char *name = arg_string(args, "domain");
	ND_AUTO(dom_fini) lv_dom dom = { 0 };
	lv_dom_flags_args with_flags = { 0 };
	lv_dom_args plain;
	int r;

	if (dom_find(ctl, name, &dom, err) < 0)
		return -1;
	with_flags.dom = plain.dom = dom;
	r = how->flags ? call_lv(ctl, how->proc, CALL_XDR(lv_dom_flags_args), &with_flags, NULL, NULL, err)
		       : call_lv(ctl, how->proc, CALL_XDR(lv_dom_args), &plain, NULL, NULL, err);
	if (r < 0)
		return ctl_error("Failed to %s domain '%s'", how->infinitive, name);
	ctl_say(ctl, "Domain '%s' %s\n", name, how->past);
	return 0;
}

#define CHANGE(verb, ...) \
	static int run_##verb(struct ctl *ctl, const struct verb_args *args, struct nd_error *err) \
	{ \
		static const struct change how = { __VA_ARGS__ }; \
	\
		return change(ctl, args, &how, err); \
	}

CHANGE(start, LV_PROC_DOMAIN_CREATE, "start", "started")
CHANGE(destroy, LV_PROC_DOMAIN_DESTROY, "destroy", "destroyed")
CHANGE(shutdown, LV_PROC_DOMAIN_SHUTDOWN, "shutdown", "is being shutdown")
CHANGE(reboot, LV_PROC_DOMAIN_REBOOT, "reboot", "is being rebooted", true)
CHANGE(reset, LV_PROC_DOMAIN_RESET, "reset", "was reset", true)
CHANGE(suspend, LV_PROC_DOMAIN_SUSPEND, "suspend", "suspended")
CHANGE(resume, LV_PROC_DOMAIN_RESUME, "resume", "resumed")
CHANGE(undefine, LV_PROC_DOMAIN_UNDEFINE, "undefine", "has been undefined")

static int run_autostart(struct ctl *ctl, const struct verb_args *args, struct nd_error *err)
{
	const char *name = arg_string(args, "domain");
	bool on = !arg_flag(args, "disable");
	ND_AUTO(dom_fini) lv_dom dom = { 0 };
	lv_dom_int_args ask = { .value = on };

	if (dom_find(ctl, name, &dom, err) < 0)
		return -1;
	ask.dom = dom;
	if (call_lv(ctl, LV_PROC_DOMAIN_SET_AUTOSTART, CALL_XDR(lv_dom_int_args), &ask, NULL, NULL, err) < 0)
		return ctl_error("Failed to %s domain '%s' as autostarted", on ? "mark" : "unmark", name);
	ctl_say(ctl, "Domain '%s' %s as autostarted\n", name, on ? "marked" : "unmarked");
	return 0;
}

#define ARG_DOMAIN { "domain", ARG_REQUIRED, "guest's name, id or uuid" }

static const struct arg_row list_rows[] = {
	{ "all", ARG_FLAG, "those that do not run too" },
	{ "inactive", ARG_FLAG, "those that do not run only" },
	{ "name", ARG_FLAG, "names only" },
	ARG_JSON,
};
static const struct arg_row file_rows[] = {
	{ "file", ARG_REQUIRED, "file containing an XML domain description", VALUES_FILE },
	{ "validate", ARG_FLAG, "validate the XML against the schema" },
};
static const struct arg_row domain_rows[] = { ARG_DOMAIN };
static const struct arg_row autostart_rows[] = {
	ARG_DOMAIN, { "disable", ARG_FLAG, "disable autostarting" },
};
static const struct arg_row dumpxml_rows[] = {
	ARG_DOMAIN, { "inactive", ARG_FLAG, "the definition, not what runs" }, ARG_XPATH,
	ARG_JSON,
};
static const struct arg_row domstate_rows[] = { ARG_DOMAIN, ARG_JSON };

#define LIFE(word, summary_) { #word, summary_, NULL, run_##word, VERB_ROWS(domain_rows) }

static const struct verb verbs[] = {
	{ "autostart", "autostart a guest", "Start a guest at boot.", run_autostart,
	  VERB_ROWS(autostart_rows) },
	{ "create", "create a guest from an XML file", "Start a guest that is gone when it ends.",
	  run_create, VERB_ROWS(file_rows) },
	{ "define", "define a guest from an XML file, or change one", NULL, run_define,
	  VERB_ROWS(file_rows) },
	LIFE(destroy, "end a guest at once"),
	{ "domstate", "what a guest does", NULL, run_domstate, VERB_ROWS(domstate_rows) },
	{ "dumpxml", "a guest's XML", NULL, run_dumpxml, VERB_ROWS(dumpxml_rows) },
	{ "list", "list guests", NULL, run_list, VERB_ROWS(list_rows) },
	LIFE(reboot, "press a guest's power button, and start it again"),
	LIFE(reset, "reset a guest"),
	LIFE(resume, "let a suspended guest run on"),
	LIFE(shutdown, "press a guest's power button"),
	LIFE(start, "start a guest"),
	LIFE(suspend, "stop a guest where it is"),
	LIFE(undefine, "undefine a guest"),
};

const struct verb_group domain_verbs = VERB_GROUP("Guests", "domain", verbs);
