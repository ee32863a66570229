/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A network's document: print, edit, update one element. */
#include <stdlib.h>
#include <string.h>

#include "netd/base/auto.h"
#include "netd/ctl/calls.h"
#include "netd/ctl/document.h"
#include "netd/ctl/editor.h"
#include "netd/ctl/metadata.h"
#include "netd/ctl/verbs.h"
#include "netd/ctl/xpath.h"

enum { XML_INACTIVE = 1 };

int document_print(const struct verb_args *args, const char *xml)
{
	const char *expression = arg_string(args, "xpath");

	if (arg_flag(args, "json"))
		return ctl_print_json(json_pack("{so}", "xml", ctl_json_string(xml)));
	if (expression)
		return xpath_print(xml, expression, arg_flag(args, "wrap"));
	fputs(xml, stdout);
	return 0;
}

static int run_dumpxml(struct ctl *ctl, const struct verb_args *args, struct nd_error *err)
{
	unsigned flags = arg_flag(args, "inactive") ? XML_INACTIVE : 0;
	ND_AUTO(net_fini) lv_net net = { 0 };
	ND_AUTO(free) char *xml = NULL;

	if (net_find(ctl, arg_string(args, "network"), &net, err) < 0)
		return -1;
	if (call_net_xml(ctl, &net, flags, &xml, err) < 0)
		return -1;
	return document_print(args, xml);
}

/* edit */

/* Somebody else may have changed it while the editor was open. */
static int edit_define(struct ctl *ctl, const struct document_kind *kind, const void *object,
		       const char *before, char *after, unsigned flags, struct nd_error *err)
{
	ND_AUTO(free) char *now = NULL, *name = NULL;

	if (kind->get(ctl, object, &now, err) < 0)
		return -1;
	if (strcmp(now, before) != 0)
		return nd_error_set(err, ND_ERR_INTERNAL,
				    "ERROR: the XML configuration was changed by another user");
	if (kind->define(ctl, after, flags, &name, err) < 0)
		return -1;
	ctl_say(ctl, "%s%s%s XML configuration edited.\n", kind->before, name, kind->after);
	return 0;
}

int document_edit(struct ctl *ctl, const struct document_kind *kind, const void *object,
		  const char *name, unsigned flags, struct nd_error *err)
{
	ND_AUTO(free) char *before = NULL, *after = NULL;

	if (kind->get(ctl, object, &before, err) < 0)
		return -1;
	for (after = strdup(before);;) {
		ND_AUTO(free) char *typed = NULL;

		if (!after || editor_run(after, &typed, err) < 0)
			return -1;
		free(after);
		after = nd_take_ptr(&typed);
		if (strcmp(before, after) == 0) {
			ctl_say(ctl, "%s%s%s XML configuration not changed.\n", kind->before, name,
				kind->after);
			return 0;
		}
		if (edit_define(ctl, kind, object, before, after, flags, err) == 0)
			return 0;
		if (!editor_ask_again(err))
			return -1;
	}
}

/* The persistent document, or what there is where the daemon knows no such flag. */
static int edit_get(struct ctl *ctl, const void *net, char **out, struct nd_error *err)
{
	int r = call_net_xml(ctl, net, XML_INACTIVE, out, err);

	return r < 0 && err->kind == ND_ERR_INVALID_ARG ? call_net_xml(ctl, net, 0, out, err) : r;
}

static int edit_store(struct ctl *ctl, char *xml, unsigned flags, char **name_out,
		      struct nd_error *err)
{
	lv_xml_args define = { .xml = xml };
	lv_net_ret ret = { 0 };

	if (call_lv(ctl, LV_PROC_NETWORK_DEFINE_XML, CALL_XDR(lv_xml_args), &define,
		    CALL_XDR(lv_net_ret), &ret, err) < 0)
		return -1;
	*name_out = ret.net.name;
	return 0;
}

static int run_edit(struct ctl *ctl, const struct verb_args *args, struct nd_error *err)
{
	static const struct document_kind kind = { "Network ", "", edit_get, edit_store };
	ND_AUTO(net_fini) lv_net net = { 0 };

	if (net_find(ctl, arg_string(args, "network"), &net, err) < 0)
		return -1;
	return document_edit(ctl, &kind, &net, net.name, 0, err);
}

/* net-update */

struct word_number {
	const char *word;
	unsigned number;
};

static const struct word_number update_commands[] = {
	{ "modify", 1 }, { "delete", 2 }, { "add-last", 3 }, { "add", 3 }, { "add-first", 4 },
	{ NULL, 0 },
};
static const struct word_number update_sections[] = {
	{ "bridge", 1 }, { "domain", 2 }, { "ip", 3 }, { "ip-dhcp-host", 4 },
	{ "ip-dhcp-range", 5 }, { "forward", 6 }, { "forward-interface", 7 }, { "forward-pf", 8 },
	{ "portgroup", 9 }, { "dns-host", 10 }, { "dns-txt", 11 }, { "dns-srv", 12 }, { NULL, 0 },
};

static unsigned word_number(const struct word_number *table, const char *word)
{
	for (; table->word; table++)
		if (strcmp(table->word, word) == 0)
			return table->number;
	return 0;
}

int document_affect(const struct verb_args *args, unsigned *flags_out)
{
	bool config = arg_flag(args, "config"), live = arg_flag(args, "live");
	bool current = arg_flag(args, "current");

	if (current && (live || config))
		return ctl_error("Options --current and --%s are mutually exclusive",
				 live ? "live" : "config");
	*flags_out = (live ? AFFECT_LIVE : 0) | (config ? AFFECT_CONFIG : 0);
	return 0;
}

/* The element itself where it starts with '<', else the file that has it. */
static int element_read(const char *xml, char **out, struct nd_error *err)
{
	if (*xml != '<')
		return file_read(xml, out, err);
	*out = strdup(xml);
	return *out ? 0 : nd_error_nomem(err);
}

static const char *affected(struct ctl *ctl, const lv_net *net, unsigned flags)
{
	struct nd_error ignored = { 0 };
	int active = 0;

	if (flags == AFFECT_CURRENT) {
		(void)call_net_int(ctl, LV_PROC_NETWORK_IS_ACTIVE, net, &active, &ignored);
		flags = active ? AFFECT_LIVE : AFFECT_CONFIG;
	}
	if (flags == (AFFECT_LIVE | AFFECT_CONFIG))
		return "persistent config and live state";
	return flags == AFFECT_LIVE ? "live state" : "persistent config";
}

/* Old daemons take command and section the other way round. */
static int update_send(struct ctl *ctl, lv_network_update_args *update, struct nd_error *err)
{
	lv_connect_supports_feature_args ask = { .feature = 16 };
	lv_int_ret order = { 0 };

	if (call_lv(ctl, LV_PROC_CONNECT_SUPPORTS_FEATURE,
		    CALL_XDR(lv_connect_supports_feature_args), &ask, CALL_XDR(lv_int_ret),
		    &order, err) < 0)
		return -1;
	if (!order.value) {
		unsigned command = update->command;

		update->command = update->section;
		update->section = command;
	}
	return call_lv(ctl, LV_PROC_NETWORK_UPDATE, CALL_XDR(lv_network_update_args), update,
		       NULL, NULL, err);
}

static int run_update(struct ctl *ctl, const struct verb_args *args, struct nd_error *err)
{
	lv_network_update_args update = { .parent_index = -1 };
	ND_AUTO(net_fini) lv_net net = { 0 };
	ND_AUTO(free) char *xml = NULL;
	int64_t index;

	if (document_affect(args, &update.flags) < 0 ||
	    net_find(ctl, arg_string(args, "network"), &net, err) < 0)
		return -1;
	update.command = word_number(update_commands, arg_string(args, "command"));
	update.section = word_number(update_sections, arg_string(args, "section"));
	if (!update.command)
		return ctl_error("unrecognized command name '%s'", arg_string(args, "command"));
	if (!update.section)
		return ctl_error("unrecognized section name '%s'", arg_string(args, "section"));
	if (arg_number(args, "parent-index", &index))
		update.parent_index = (int)index;
	if (element_read(arg_string(args, "xml"), &xml, err) < 0)
		return -1;
	update.net = net;
	update.xml = xml;
	if (update_send(ctl, &update, err) < 0)
		return ctl_error("Failed to update network %s", net.name);
	ctl_say(ctl, "Updated network %s %s", net.name, affected(ctl, &net, update.flags));
	return 0;
}

#define ARG_AFFECT \
	{ "config", ARG_FLAG, "affect next network startup" }, \
	{ "live", ARG_FLAG, "affect running network" }, \
	{ "current", ARG_FLAG, "affect current state of network" }

static const struct arg_row dumpxml_rows[] = {
	ARG_NETWORK(VALUES_NETWORK),
	{ "inactive", ARG_FLAG, "show inactive defined XML" },
	ARG_XPATH,
	ARG_JSON,
};
static const struct arg_row edit_rows[] = { ARG_NETWORK(VALUES_PERSISTENT) };
static const struct arg_row update_rows[] = {
	ARG_NETWORK(VALUES_NETWORK),
	{ "command", ARG_REQUIRED, "type of update (add-first, add-last (add), delete, or modify)",
	  VALUES_UPDATE_COMMAND },
	{ "section", ARG_REQUIRED, "which section of network configuration to update",
	  VALUES_UPDATE_SECTION },
	{ "xml", ARG_REQUIRED, "name of file containing xml (or, if it starts with '<', the complete "
	  "xml element itself) to add/modify, or to be matched for search", VALUES_FILE },
	{ "parent-index", ARG_NAMED, "which parent object to search through", .number = true },
	ARG_AFFECT,
};
static const struct arg_row desc_rows[] = {
	ARG_NETWORK(VALUES_NETWORK),
	{ "live", ARG_FLAG, "modify/get running state" },
	{ "config", ARG_FLAG, "modify/get persistent configuration" },
	{ "current", ARG_FLAG, "modify/get current state configuration" },
	{ "title", ARG_FLAG, "modify/get the title instead of description" },
	{ "edit", ARG_FLAG, "open an editor to modify the description" },
	ARG_JSON,
	{ "new-desc", ARG_WORDS, "message" },
};
static const struct arg_row metadata_rows[] = {
	ARG_NETWORK(VALUES_NETWORK),
	{ "uri", ARG_REQUIRED, "URI of the namespace" },
	{ "live", ARG_FLAG, "modify/get running state" },
	{ "config", ARG_FLAG, "modify/get persistent configuration" },
	{ "current", ARG_FLAG, "modify/get current state configuration" },
	{ "edit", ARG_FLAG, "use an editor to change the metadata" },
	{ "key", ARG_NAMED, "key to be used as a namespace identifier" },
	{ "set", ARG_NAMED, "new metadata to set" },
	{ "remove", ARG_FLAG, "remove the metadata corresponding to an uri" },
	ARG_JSON,
};

static const struct verb verbs[] = {
	{ "net-desc", "show or set network's description or title",
	  "Allows setting or modifying the description or title of a network.", metadata_run_desc,
	  VERB_ROWS(desc_rows) },
	{ "net-dumpxml", "network information in XML",
	  "Output the network information as an XML dump to stdout.", run_dumpxml,
	  VERB_ROWS(dumpxml_rows) },
	{ "net-edit", "edit XML configuration for a network",
	  "Edit the XML configuration for a network.", run_edit, VERB_ROWS(edit_rows) },
	{ "net-metadata", "show or set network's custom XML metadata",
	  "Shows or modifies the XML metadata of a network.", metadata_run_element,
	  VERB_ROWS(metadata_rows) },
	{ "net-update", "update parts of an existing network's configuration", NULL, run_update,
	  VERB_ROWS(update_rows) },
};

const struct verb_group document_verbs = VERB_GROUP("Networks: documents", "document", verbs);
