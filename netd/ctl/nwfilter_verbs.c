/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Network filters, and their bindings: the interfaces of guests that have one. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "netd/base/auto.h"
#include "netd/ctl/calls.h"
#include "netd/ctl/document.h"
#include "netd/ctl/table.h"
#include "netd/ctl/validate.h"
#include "netd/ctl/verbs.h"

enum { XML_VALIDATE = 1 };

static int look_up(struct ctl *ctl, const char *name, lv_net *out, struct nd_error *err)
{
	lv_name_args by_name = { .name = (char *)name };
	lv_uuid_args by_uuid;
	lv_net_ret ret = { 0 };
	struct nd_uuid uuid;
	int r = -1;

	if (nd_uuid_parse(name, &uuid)) {
		memcpy(by_uuid.uuid, uuid.bytes, sizeof(by_uuid.uuid));
		r = call_lv(ctl, LV_PROC_NWFILTER_LOOKUP_BY_UUID, CALL_XDR(lv_uuid_args), &by_uuid,
			    CALL_XDR(lv_net_ret), &ret, err);
	}
	if (r < 0)
		r = call_lv(ctl, LV_PROC_NWFILTER_LOOKUP_BY_NAME, CALL_XDR(lv_name_args), &by_name,
			    CALL_XDR(lv_net_ret), &ret, err);
	if (r < 0)
		return ctl_error("failed to get nwfilter '%s'", name);
	*out = ret.net;
	return 0;
}

static int get_xml(struct ctl *ctl, const void *filter, char **out, struct nd_error *err)
{
	lv_net_flags_args args = { .net = *(const lv_net *)filter };
	lv_str_ret ret = { 0 };
	int r = call_lv(ctl, LV_PROC_NWFILTER_GET_XML_DESC, CALL_XDR(lv_net_flags_args), &args, CALL_XDR(lv_str_ret),
			&ret, err);

	*out = ret.value;
	return r;
}

/* ---- define, undefine, edit ---- */

static int define_xml(struct ctl *ctl, char *xml, unsigned flags, char **name_out, struct nd_error *err)
{
	lv_xml_flags_args with_flags = { .xml = xml, .flags = flags };
	lv_xml_args plain = { .xml = xml };
	lv_net_ret ret = { 0 };
	int r = flags ? call_lv(ctl, LV_PROC_NWFILTER_DEFINE_XML_FLAGS, CALL_XDR(lv_xml_flags_args), &with_flags,
				CALL_XDR(lv_net_ret), &ret, err)
		      : call_lv(ctl, LV_PROC_NWFILTER_DEFINE_XML, CALL_XDR(lv_xml_args), &plain,
				CALL_XDR(lv_net_ret), &ret, err);

	*name_out = ret.net.name;
	return r;
}

static int run_define(struct ctl *ctl, const struct verb_args *args, struct nd_error *err)
{
	const char *file = arg_string(args, "file");
	ND_AUTO(free) char *xml = NULL, *name = NULL;

	if (file_read(file, &xml, err) < 0)
		return -1;
	if (define_xml(ctl, xml, arg_flag(args, "validate") ? XML_VALIDATE : 0, &name, err) < 0)
		return ctl_error("Failed to define network filter from %s", file);
	ctl_say(ctl, "Network filter %s defined from %s\n", name, file);
	return 0;
}

static int run_undefine(struct ctl *ctl, const struct verb_args *args, struct nd_error *err)
{
	ND_AUTO(net_fini) lv_net filter = { 0 };

	if (look_up(ctl, arg_string(args, "nwfilter"), &filter, err) < 0)
		return -1;
	if (call_net(ctl, LV_PROC_NWFILTER_UNDEFINE, &filter, err) < 0)
		return ctl_error("Failed to undefine network filter %s", filter.name);
	ctl_say(ctl, "Network filter %s undefined\n", filter.name);
	return 0;
}

static int run_edit(struct ctl *ctl, const struct verb_args *args, struct nd_error *err)
{
	static const struct document_kind kind = { "Network filter ", "", get_xml, define_xml };
	ND_AUTO(net_fini) lv_net filter = { 0 };

	if (look_up(ctl, arg_string(args, "nwfilter"), &filter, err) < 0)
		return -1;
	return document_edit(ctl, &kind, &filter, filter.name, 0, err);
}

/* ---- what there is ---- */

static int run_dumpxml(struct ctl *ctl, const struct verb_args *args, struct nd_error *err)
{
	ND_AUTO(net_fini) lv_net filter = { 0 };
	ND_AUTO(free) char *xml = NULL;

	if (look_up(ctl, arg_string(args, "nwfilter"), &filter, err) < 0 || get_xml(ctl, &filter, &xml, err) < 0)
		return -1;
	return document_print(args, xml);
}

int call_list_filters(struct ctl *ctl, lv_list_all_networks_ret *out, struct nd_error *err)
{
	lv_list_all_args args = { .need_results = 1 };

	*out = (lv_list_all_networks_ret){ 0 };
	return call_lv(ctl, LV_PROC_CONNECT_LIST_ALL_NWFILTERS, CALL_XDR(lv_list_all_args), &args,
		       CALL_XDR(lv_list_all_networks_ret), out, err);
}

static int list_table(struct ctl *ctl, const lv_list_all_networks_ret *list)
{
	static const char *const headers[] = { "UUID", "Name" };
	ND_AUTO(table_free) struct table *t = table_new(headers, ND_COUNT(headers));

	for (u_int i = 0; i < list->nets.nets_len; i++) {
		const struct uuid_text uuid = uuid_text(list->nets.nets_val[i].uuid);
		const char *cells[] = { uuid.text, list->nets.nets_val[i].name };

		table_add(t, cells);
	}
	return table_print(t, !ctl->quiet);
}

static int list_json(const lv_list_all_networks_ret *list)
{
	json_t *doc = json_array();

	for (u_int i = 0; i < list->nets.nets_len; i++)
		json_array_append_new(doc, json_pack("{ss, so}", "uuid", uuid_text(list->nets.nets_val[i].uuid).text,
						     "name", ctl_json_string(list->nets.nets_val[i].name)));
	return ctl_print_json(doc);
}

static int run_list(struct ctl *ctl, const struct verb_args *args, struct nd_error *err)
{
	lv_list_all_networks_ret list;
	int r;

	if (call_list_filters(ctl, &list, err) < 0)
		return ctl_error("Failed to list network filters");
	r = arg_json(args) ? list_json(&list) : list_table(ctl, &list);
	xdr_free(CALL_XDR(lv_list_all_networks_ret), &list);
	return r;
}

/* ---- bindings ---- */

int call_list_bindings(struct ctl *ctl, lv_list_all_nwfilter_bindings_ret *out, struct nd_error *err)
{
	lv_list_all_args args = { .need_results = 1 };

	*out = (lv_list_all_nwfilter_bindings_ret){ 0 };
	return call_lv(ctl, LV_PROC_CONNECT_LIST_ALL_NWFILTER_BINDINGS, CALL_XDR(lv_list_all_args), &args,
		       CALL_XDR(lv_list_all_nwfilter_bindings_ret), out, err);
}

static int bindings_table(struct ctl *ctl, const lv_list_all_nwfilter_bindings_ret *list)
{
	static const char *const headers[] = { "Port Dev", "Filter" };
	ND_AUTO(table_free) struct table *t = table_new(headers, ND_COUNT(headers));

	for (u_int i = 0; i < list->bindings.bindings_len; i++) {
		const lv_nwfilter_binding *b = &list->bindings.bindings_val[i];
		const char *cells[] = { b->device, b->filter };

		table_add(t, cells);
	}
	return table_print(t, !ctl->quiet);
}

static int bindings_json(const lv_list_all_nwfilter_bindings_ret *list)
{
	json_t *doc = json_array();

	for (u_int i = 0; i < list->bindings.bindings_len; i++) {
		const lv_nwfilter_binding *b = &list->bindings.bindings_val[i];

		json_array_append_new(doc, json_pack("{so, so}", "device", ctl_json_string(b->device),
						     "filter", ctl_json_string(b->filter)));
	}
	return ctl_print_json(doc);
}

static int run_binding_list(struct ctl *ctl, const struct verb_args *args, struct nd_error *err)
{
	lv_list_all_nwfilter_bindings_ret list;
	int r;

	if (call_list_bindings(ctl, &list, err) < 0)
		return ctl_error("Failed to list network filter bindings");
	r = arg_json(args) ? bindings_json(&list) : bindings_table(ctl, &list);
	xdr_free(CALL_XDR(lv_list_all_nwfilter_bindings_ret), &list);
	return r;
}

static int run_binding_dumpxml(struct ctl *ctl, const struct verb_args *args, struct nd_error *err)
{
	char *device = (char *)arg_string(args, "binding");
	lv_nwfilter_binding_get_xml_desc_args q = { .binding = { .device = device, .filter = "" } };
	lv_str_ret ret = { 0 };
	int r = call_lv(ctl, LV_PROC_NWFILTER_BINDING_GET_XML_DESC, CALL_XDR(lv_nwfilter_binding_get_xml_desc_args), &q,
			CALL_XDR(lv_str_ret), &ret, err);

	if (r < 0)
		return ctl_error("failed to get nwfilter binding '%s'", device);
	r = document_print(args, ret.value);
	free(ret.value);
	return r;
}

#define ARG_FILTER { "nwfilter", ARG_REQUIRED, "network filter name or uuid", VALUES_FILTER }

static const struct arg_row define_rows[] = {
	{ "file", ARG_REQUIRED, "file containing an XML network filter description", VALUES_FILE },
	{ "validate", ARG_FLAG, "validate the XML against the schema" },
};
static const struct arg_row filter_rows[] = { ARG_FILTER };
static const struct arg_row dumpxml_rows[] = { ARG_FILTER, ARG_XPATH, ARG_JSON };
static const struct arg_row validate_rows[] = {
	{ "file", ARG_REQUIRED, "file containing an XML network filter description", VALUES_FILE }, ARG_JSON,
};
static const struct arg_row json_rows[] = { ARG_JSON };
static const struct arg_row binding_rows[] = {
	{ "binding", ARG_REQUIRED, "device of a guest's interface", VALUES_BINDING }, ARG_XPATH, ARG_JSON,
};

static const struct verb verbs[] = {
	{ "nwfilter-binding-dumpxml", "network filter binding in XML",
	  "Output which filter the interface has, with its parameters.", run_binding_dumpxml, VERB_ROWS(binding_rows) },
	{ "nwfilter-binding-list", "list network filter bindings",
	  "Returns list of the interfaces of running guests that have a filter.", run_binding_list, VERB_ROWS(json_rows) },
	{ "nwfilter-define", "define or update a network filter from an XML file",
	  "Define a new network filter or update an existing one, for running guests too.", run_define,
	  VERB_ROWS(define_rows) },
	{ "nwfilter-dumpxml", "network filter information in XML",
	  "Output the network filter information as an XML dump to stdout.", run_dumpxml, VERB_ROWS(dumpxml_rows) },
	{ "nwfilter-edit", "edit XML configuration for a network filter",
	  "Edit the XML configuration for a network filter.", run_edit, VERB_ROWS(filter_rows) },
	{ "nwfilter-list", "list network filters", "Returns list of network filters.", run_list, VERB_ROWS(json_rows) },
	{ "nwfilter-undefine", "undefine a network filter",
	  "Undefine a given network filter; one that comes with netd stands in its place.", run_undefine,
	  VERB_ROWS(filter_rows) },
	{ "nwfilter-validate", "check an XML network filter description",
	  "Parses and checks a file as nwfilter-define would, without a daemon: that what it includes is there, it cannot "
	  "know.", validate_run_filter, VERB_ROWS(validate_rows), .no_connection = true },
};

const struct verb_group nwfilter_verbs = VERB_GROUP("Network filters", "nwfilter", verbs);
