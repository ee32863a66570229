/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Guests: list, define, create, start, stop and what is between, as virsh says it. */
#include <stdlib.h>
#include <string.h>

#include "netd/base/auto.h"
#include "netd/base/str.h"
#include "netd/ctl/console.h"
#include "netd/ctl/domain.h"
#include "netd/ctl/table.h"
#include "netd/ctl/verbs.h"

/* ---- list ---- */

/* A guest that has just gone has no state. */
static const char *state_of(struct ctl *ctl, const lv_dom *dom)
{
	struct nd_error ignored = { 0 };
	int state;

	return dom_state_name(dom_state(ctl, dom, &state, NULL, &ignored) < 0 ? 0 : state);
}

/* Its title; NULL: it has none. */
static char *title_of(struct ctl *ctl, const lv_dom *dom)
{
	lv_domain_get_metadata_args args = { .dom = *dom, .type = 1 };
	struct nd_error ignored = { 0 };
	lv_str_ret ret = { 0 };

	(void)call_lv(ctl, LV_PROC_DOMAIN_GET_METADATA, CALL_XDR(lv_domain_get_metadata_args), &args,
		      CALL_XDR(lv_str_ret), &ret, &ignored);
	return ret.value;
}

static int list_json(struct ctl *ctl, const lv_list_all_domains_ret *list)
{
	json_t *all = json_array();

	for (u_int i = 0; i < list->domains.domains_len; i++) {
		const lv_dom *dom = &list->domains.domains_val[i];
		ND_AUTO(free) char *title = title_of(ctl, dom);

		json_array_append_new(all, json_pack("{so, ss, so, ss, so}",
						     "name", ctl_json_string(dom->name),
						     "uuid", uuid_text(dom->uuid).text,
						     "id", dom->id < 0 ? json_null() : json_integer(dom->id),
						     "state", state_of(ctl, dom),
						     "title", ctl_json_string(title)));
	}
	return ctl_print_json(all);
}

static int list_table(struct ctl *ctl, const lv_list_all_domains_ret *list, bool titles)
{
	static const char *const headers[] = { "Id", "Name", "State", "Title" };
	ND_AUTO(table_free) struct table *t = table_new(headers, titles ? 4 : 3);

	for (u_int i = 0; i < list->domains.domains_len; i++) {
		const lv_dom *dom = &list->domains.domains_val[i];
		ND_AUTO(free) char *title = titles ? title_of(ctl, dom) : NULL;
		char id[16];
		const char *cells[] = { dom->id < 0 ? NULL : id, dom->name, state_of(ctl, dom),
					title ? title : "" };

		snprintf(id, sizeof(id), "%d", dom->id);
		table_add(t, cells);
	}
	return table_print(t, !ctl->quiet);
}

static unsigned list_flags(const struct verb_args *args)
{
	static const struct { const char *option; unsigned flag; } more[] = {
		{ "persistent", DOM_LIST_PERSISTENT }, { "transient", DOM_LIST_TRANSIENT },
		{ "state-running", DOM_LIST_RUNNING }, { "state-paused", DOM_LIST_PAUSED },
		{ "state-shutoff", DOM_LIST_SHUT_OFF }, { "state-other", DOM_LIST_OTHER },
		{ "autostart", DOM_LIST_AUTOSTART }, { "no-autostart", DOM_LIST_NO_AUTOSTART },
	};
	unsigned flags = arg_flag(args, "all") ? DOM_LIST_ACTIVE | DOM_LIST_INACTIVE
			 : arg_flag(args, "inactive") ? DOM_LIST_INACTIVE : DOM_LIST_ACTIVE;

	for (size_t i = 0; i < ND_COUNT(more); i++)
		if (arg_flag(args, more[i].option))
			flags |= more[i].flag;
	return flags;
}

/* --uuid, --id and --name, in this order in a line; numbers alone are of guests that have one. */
static void list_words(const struct verb_args *args, const lv_list_all_domains_ret *list)
{
	bool uuids = arg_flag(args, "uuid"), ids = arg_flag(args, "id"), names = arg_flag(args, "name");

	for (u_int i = 0; i < list->domains.domains_len; i++) {
		const lv_dom *dom = &list->domains.domains_val[i];

		if (dom->id < 0 && !uuids && !names)
			continue;
		if (uuids)
			printf("%s", uuid_text(dom->uuid).text);
		if (ids && dom->id < 0)
			printf("%s-", uuids ? " " : "");
		else if (ids)
			printf("%s%d", uuids ? " " : "", dom->id);
		if (names)
			printf("%s%s", uuids || ids ? " " : "", dom->name);
		putchar('\n');
	}
}

static int run_list(struct ctl *ctl, const struct verb_args *args, struct nd_error *err)
{
	static const char *const words[] = { "uuid", "name", "id" };
	lv_list_all_domains_ret list;
	bool in_words = false;
	int r = 0;

	for (size_t i = 0; i < ND_COUNT(words); i++) {
		if (arg_flag(args, "table") && arg_flag(args, words[i]))
			return ctl_error("Options --table and --%s are mutually exclusive", words[i]);
		in_words |= arg_flag(args, words[i]);
	}
	if (dom_list(ctl, list_flags(args), &list, err) < 0)
		return ctl_error("Failed to list domains");
	if (arg_json(args))
		r = list_json(ctl, &list);
	else if (in_words)
		list_words(args, &list);
	else
		r = list_table(ctl, &list, arg_flag(args, "title"));
	xdr_free(CALL_XDR(lv_list_all_domains_ret), &list);
	return r < 0 ? -1 : 0;
}

/* ---- definitions ---- */

static int from_file(struct ctl *ctl, const struct verb_args *args, int32_t proc, unsigned flags,
		     lv_dom *out, struct nd_error *err)
{
	ND_AUTO(free) char *xml = NULL;
	lv_xml_flags_args ask = { .flags = flags };
	lv_dom_ret ret = { 0 };

	if (file_read(arg_string(args, "file"), &xml, err) < 0)
		return -1;
	ask.xml = xml;
	if (call_lv(ctl, proc, CALL_XDR(lv_xml_flags_args), &ask, CALL_XDR(lv_dom_ret), &ret, err) < 0)
		return ctl_error("Failed to %s domain from %s",
				 proc == LV_PROC_DOMAIN_CREATE_XML ? "create" : "define",
				 arg_string(args, "file"));
	*out = ret.dom;
	return 0;
}

static int run_define(struct ctl *ctl, const struct verb_args *args, struct nd_error *err)
{
	ND_AUTO(dom_fini) lv_dom dom = { 0 };

	if (from_file(ctl, args, LV_PROC_DOMAIN_DEFINE_XML_FLAGS, arg_flag(args, "validate"), &dom,
		      err) < 0)
		return -1;
	ctl_say(ctl, "Domain '%s' defined from %s\n", dom.name, arg_string(args, "file"));
	return 0;
}

static int run_autostart(struct ctl *ctl, const struct verb_args *args, struct nd_error *err)
{
	const char *name = arg_string(args, "domain");
	bool on = !arg_flag(args, "disable");
	ND_AUTO(dom_fini) lv_dom dom = { 0 };
	lv_dom_int_args ask = { .value = on };

	if (dom_find(ctl, name, DOM_BY_ANY, &dom, err) < 0)
		return -1;
	ask.dom = dom;
	if (call_lv(ctl, LV_PROC_DOMAIN_SET_AUTOSTART, CALL_XDR(lv_dom_int_args), &ask, NULL, NULL, err) < 0)
		return ctl_error("Failed to %s domain '%s' as autostarted", on ? "mark" : "unmark", name);
	ctl_say(ctl, "Domain '%s' %s as autostarted\n", name, on ? "marked" : "unmarked");
	return 0;
}

/* ---- start, with the console or without ---- */

/* A guest that shows its console is started paused, and runs when it is open: nothing is missed. */
static unsigned start_flags(const struct verb_args *args)
{
	return arg_flag(args, "paused") || arg_flag(args, "console") ? DOM_START_PAUSED : 0;
}

static int started(struct ctl *ctl, const struct verb_args *args, const lv_dom *dom,
		   struct nd_error *err)
{
	const struct console_options opt = { .resume = !arg_flag(args, "paused") };

	return arg_flag(args, "console") ? console_show(ctl, dom, &opt, err) : 0;
}

static int run_create(struct ctl *ctl, const struct verb_args *args, struct nd_error *err)
{
	unsigned flags = start_flags(args) | (arg_flag(args, "validate") ? DOM_START_VALIDATE : 0);
	ND_AUTO(dom_fini) lv_dom dom = { 0 };

	if (arg_flag(args, "console") && console_need_terminal() < 0)
		return -1;
	if (from_file(ctl, args, LV_PROC_DOMAIN_CREATE_XML, flags, &dom, err) < 0)
		return -1;
	ctl_say(ctl, "Domain '%s' created from %s\n", dom.name, arg_string(args, "file"));
	return started(ctl, args, &dom, err);
}

static int run_start(struct ctl *ctl, const struct verb_args *args, struct nd_error *err)
{
	lv_dom_flags_args ask = {
		.flags = start_flags(args) | (arg_flag(args, "bypass-cache") ? DOM_START_BYPASS_CACHE : 0) |
			 (arg_flag(args, "force-boot") ? DOM_START_FORCE_BOOT : 0),
	};
	ND_AUTO(dom_fini) lv_dom dom = { 0 };
	lv_dom_ret ret = { 0 };
	int r;

	if (dom_find(ctl, arg_string(args, "domain"), DOM_BY_UUID | DOM_BY_NAME, &dom, err) < 0)
		return -1;
	if (dom.id >= 0)
		return ctl_error("Domain is already active");
	if (arg_flag(args, "console") && console_need_terminal() < 0)
		return -1;
	ask.dom = dom;
	if (call_lv(ctl, LV_PROC_DOMAIN_CREATE_WITH_FLAGS, CALL_XDR(lv_dom_flags_args), &ask,
		    CALL_XDR(lv_dom_ret), &ret, err) < 0)
		return ctl_error("Failed to start domain '%s'", dom.name);
	ctl_say(ctl, "Domain '%s' started\n", dom.name);
	r = started(ctl, args, &ret.dom, err);
	xdr_free(CALL_XDR(lv_dom_ret), &ret);
	return r;
}

static int run_console(struct ctl *ctl, const struct verb_args *args, struct nd_error *err)
{
	const struct console_options opt = {
		.device = arg_string(args, "devname"),
		.flags = (arg_flag(args, "force") ? CONSOLE_FORCE : 0) |
			 (arg_flag(args, "safe") ? CONSOLE_SAFE : 0),
	};
	ND_AUTO(dom_fini) lv_dom dom = { 0 };

	if (dom_find(ctl, arg_string(args, "domain"), DOM_BY_ANY, &dom, err) < 0)
		return -1;
	return console_show(ctl, &dom, &opt, err);
}

/* ---- the rest of its life ---- */

/* A call without flags, one with them, or both: then the first where no flag is asked for. */
struct change {
	int32_t proc, proc_flags;
	const char *infinitive, *past;
	/* The flags of the options; 0, or -1 after the failure was printed. */
	int (*flags)(const struct verb_args *args, unsigned *out);
};

static int change(struct ctl *ctl, const struct verb_args *args, const struct change *how,
		  struct nd_error *err)
{
	ND_AUTO(dom_fini) lv_dom dom = { 0 };
	lv_dom_flags_args with_flags = { 0 };
	int r;

	if (dom_find(ctl, arg_string(args, "domain"), DOM_BY_ANY, &dom, err) < 0 ||
	    (how->flags && how->flags(args, &with_flags.flags) < 0))
		return -1;
	with_flags.dom = dom;
	r = !how->proc || with_flags.flags
	    ? call_lv(ctl, how->proc_flags, CALL_XDR(lv_dom_flags_args), &with_flags, NULL, NULL, err)
	    : dom_call(ctl, how->proc, &dom, err);
	if (r < 0)
		return ctl_error("Failed to %s domain '%s'", how->infinitive, dom.name);
	ctl_say(ctl, "Domain '%s' %s\n", dom.name, how->past);
	return 0;
}

/* --mode WORD[,WORD...]: bits of VIR_DOMAIN_SHUTDOWN_* and VIR_DOMAIN_REBOOT_*, in this order. */
static int mode_flags(const struct verb_args *args, const char *expected, unsigned *out)
{
	static const char *const modes[] = { "acpi", "agent", "initctl", "signal", "paravirt" };
	const char *at = arg_string(args, "mode");

	while (at) {
		size_t len = strcspn(at, ","), i = 0;

		while (i < ND_COUNT(modes) && (strlen(modes[i]) != len || memcmp(modes[i], at, len) != 0))
			i++;
		if (i == ND_COUNT(modes))
			return ctl_error("Unknown mode %.*s value, expecting %s", (int)len, at, expected);
		*out |= 1u << i;
		at = at[len] ? at + len + 1 : NULL;
	}
	return 0;
}

static int shutdown_flags(const struct verb_args *args, unsigned *out)
{
	return mode_flags(args, "'acpi', 'agent', 'initctl', 'signal', or 'paravirt'", out);
}

static int reboot_flags(const struct verb_args *args, unsigned *out)
{
	return mode_flags(args, "'acpi', 'agent', 'initctl', 'signal' or 'paravirt'", out);
}

static int undefine_flags(const struct verb_args *args, unsigned *out)
{
	/* VIR_DOMAIN_UNDEFINE_*, from the lowest bit on */
	static const char *const options[] = { "managed-save", "snapshots-metadata", "nvram", "keep-nvram",
					       "checkpoints-metadata" };

	if (arg_flag(args, "nvram") && arg_flag(args, "keep-nvram"))
		return ctl_error("Options --nvram and --keep-nvram are mutually exclusive");
	for (size_t i = 0; i < ND_COUNT(options); i++)
		if (arg_flag(args, options[i]))
			*out |= 1u << i;
	return 0;
}

#define CHANGE(verb, ...) \
	static int run_##verb(struct ctl *ctl, const struct verb_args *args, struct nd_error *err) \
	{ \
		static const struct change how = { __VA_ARGS__ }; \
	\
		return change(ctl, args, &how, err); \
	}

CHANGE(destroy, LV_PROC_DOMAIN_DESTROY, 0, "destroy", "destroyed")
CHANGE(shutdown, LV_PROC_DOMAIN_SHUTDOWN, LV_PROC_DOMAIN_SHUTDOWN_FLAGS, "shutdown", "is being shutdown",
       shutdown_flags)
CHANGE(reboot, 0, LV_PROC_DOMAIN_REBOOT, "reboot", "is being rebooted", reboot_flags)
CHANGE(reset, 0, LV_PROC_DOMAIN_RESET, "reset", "was reset")
CHANGE(suspend, LV_PROC_DOMAIN_SUSPEND, 0, "suspend", "suspended")
CHANGE(resume, LV_PROC_DOMAIN_RESUME, 0, "resume", "resumed")
CHANGE(undefine, LV_PROC_DOMAIN_UNDEFINE, LV_PROC_DOMAIN_UNDEFINE_FLAGS, "undefine", "has been undefined",
       undefine_flags)

static const struct arg_row list_rows[] = {
	{ "inactive", ARG_FLAG, "list inactive guests" },
	{ "all", ARG_FLAG, "list inactive & active guests" },
	{ "transient", ARG_FLAG, "list transient guests" },
	{ "persistent", ARG_FLAG, "list persistent guests" },
	{ "state-running", ARG_FLAG, "list guests that run" },
	{ "state-paused", ARG_FLAG, "list paused guests" },
	{ "state-shutoff", ARG_FLAG, "list guests that are shut off" },
	{ "state-other", ARG_FLAG, "list guests in other states" },
	{ "autostart", ARG_FLAG, "list guests with autostart enabled" },
	{ "no-autostart", ARG_FLAG, "list guests with autostart disabled" },
	{ "uuid", ARG_FLAG, "list uuid's only" },
	{ "name", ARG_FLAG, "list guests' names only" },
	{ "id", ARG_FLAG, "list guests' ids only" },
	{ "table", ARG_FLAG, "list table (default)" },
	{ "title", ARG_FLAG, "show guests' titles" },
	ARG_JSON,
};
static const struct arg_row define_rows[] = {
	{ "file", ARG_REQUIRED, "file containing an XML domain description", VALUES_FILE },
	{ "validate", ARG_FLAG, "validate the XML against the schema" },
};
#define ARG_START \
	{ "console", ARG_FLAG, "attach to console after creation" }, \
	{ "paused", ARG_FLAG, "leave the guest paused after creation" }
static const struct arg_row create_rows[] = {
	{ "file", ARG_REQUIRED, "file containing an XML domain description", VALUES_FILE },
	ARG_START,
	{ "validate", ARG_FLAG, "validate the XML against the schema" },
};
static const struct arg_row start_rows[] = {
	ARG_DOMAIN(VALUES_DOMAIN_INACTIVE), ARG_START,
	{ "bypass-cache", ARG_FLAG, "avoid file system cache when loading" },
	{ "force-boot", ARG_FLAG, "force fresh boot by discarding any managed save" },
};
static const struct arg_row console_rows[] = {
	ARG_DOMAIN(VALUES_DOMAIN_ACTIVE),
	{ "devname", ARG_NAMED, "character device name" },
	{ "force", ARG_FLAG, "force console connection (disconnect already connected sessions)" },
	{ "safe", ARG_FLAG, "only connect if safe console handling is supported" },
};
static const struct arg_row active_rows[] = { ARG_DOMAIN(VALUES_DOMAIN_ACTIVE) };
static const struct arg_row power_rows[] = {
	ARG_DOMAIN(VALUES_DOMAIN_ACTIVE),
	{ "mode", ARG_NAMED, "how the guest is told: acpi|agent|initctl|signal|paravirt" },
};
static const struct arg_row undefine_rows[] = {
	ARG_DOMAIN(VALUES_DOMAIN_PERSISTENT),
	{ "managed-save", ARG_FLAG, "remove guest's managed state file" },
	{ "snapshots-metadata", ARG_FLAG, "remove all snapshot metadata" },
	{ "checkpoints-metadata", ARG_FLAG, "remove all checkpoint metadata" },
	{ "nvram", ARG_FLAG, "remove nvram file" },
	{ "keep-nvram", ARG_FLAG, "keep nvram file" },
};
static const struct arg_row autostart_rows[] = {
	ARG_DOMAIN(VALUES_DOMAIN_PERSISTENT), { "disable", ARG_FLAG, "disable autostarting" },
};

#define LIFE(word, summary_) { #word, summary_, NULL, run_##word, VERB_ROWS(active_rows) }

static const struct verb verbs[] = {
	{ "autostart", "autostart a guest", "Start a guest at boot.", run_autostart,
	  VERB_ROWS(autostart_rows) },
	{ "console", "connect to a guest's console", "Ends with the escape key, ^].", run_console,
	  VERB_ROWS(console_rows) },
	{ "create", "create a guest from an XML file", "Start a guest that is gone when it ends.",
	  run_create, VERB_ROWS(create_rows) },
	{ "define", "define a guest from an XML file, or change one", NULL, run_define,
	  VERB_ROWS(define_rows) },
	LIFE(destroy, "end a guest at once"),
	{ "list", "list guests", NULL, run_list, VERB_ROWS(list_rows) },
	{ "reboot", "press a guest's power button, and start it again", NULL, run_reboot,
	  VERB_ROWS(power_rows) },
	LIFE(reset, "reset a guest"),
	LIFE(resume, "let a suspended guest run on"),
	{ "shutdown", "press a guest's power button", NULL, run_shutdown, VERB_ROWS(power_rows) },
	{ "start", "start a guest", NULL, run_start, VERB_ROWS(start_rows) },
	LIFE(suspend, "stop a guest where it is"),
	{ "undefine", "undefine a guest", NULL, run_undefine, VERB_ROWS(undefine_rows) },
};

const struct verb_group domain_verbs = VERB_GROUP("Guests", "domain", verbs);
