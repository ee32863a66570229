/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Network ports: list, create, show, delete. */
#include <stdlib.h>

#include "netd/base/auto.h"
#include "netd/ctl/calls.h"
#include "netd/ctl/document.h"
#include "netd/ctl/table.h"
#include "netd/ctl/verbs.h"

enum { PORT_VALIDATE = 2 };

static int list_table(const struct ctl *ctl, const lv_network_list_all_ports_ret *list)
{
	static const char *const headers[] = { "UUID" };
	ND_AUTO(table_free) struct table *t = table_new(headers, ND_COUNT(headers));

	for (u_int i = 0; i < list->ports.ports_len; i++) {
		struct uuid_text uuid = uuid_text(list->ports.ports_val[i].uuid);
		const char *cells[] = { uuid.text };

		table_add(t, cells);
	}
	return table_print(t, !ctl->quiet);
}

static int list_print(const struct ctl *ctl, const struct verb_args *args,
		      const lv_network_list_all_ports_ret *list)
{
	json_t *doc;

	if (!arg_flag(args, "json") && !arg_flag(args, "uuid"))
		return list_table(ctl, list);
	doc = json_array();
	for (u_int i = 0; i < list->ports.ports_len; i++) {
		struct uuid_text uuid = uuid_text(list->ports.ports_val[i].uuid);

		json_array_append_new(doc, json_pack("{ss}", "uuid", uuid.text));
		if (!arg_flag(args, "json"))
			printf("%s\n", uuid.text);
	}
	if (arg_flag(args, "json"))
		return ctl_print_json(doc);
	json_decref(doc);
	return 0;
}

static int run_list(struct ctl *ctl, const struct verb_args *args, struct nd_error *err)
{
	ND_AUTO(net_fini) lv_net net = { 0 };
	lv_network_list_all_ports_ret list;
	int r;

	if (arg_flag(args, "uuid") && arg_flag(args, "table"))
		return ctl_error("Options --uuid and --table are mutually exclusive");
	if (net_find(ctl, arg_string(args, "network"), &net, err) < 0)
		return -1;
	if (call_list_ports(ctl, &net, &list, err) < 0)
		return -1;
	r = list_print(ctl, args, &list);
	xdr_free(CALL_XDR(lv_network_list_all_ports_ret), &list);
	return r;
}

static int run_create(struct ctl *ctl, const struct verb_args *args, struct nd_error *err)
{
	const char *file = arg_string(args, "file");
	lv_network_port_create_xml_args create = {
		.flags = arg_flag(args, "validate") ? PORT_VALIDATE : 0,
	};
	ND_AUTO(net_fini) lv_net net = { 0 };
	ND_AUTO(free) char *xml = NULL;
	lv_port_ret ret = { 0 };

	if (net_find(ctl, arg_string(args, "network"), &net, err) < 0 ||
	    file_read(file, &xml, err) < 0)
		return -1;
	create.net = net;
	create.xml = xml;
	if (call_lv(ctl, LV_PROC_NETWORK_PORT_CREATE_XML,
		    CALL_XDR(lv_network_port_create_xml_args), &create, CALL_XDR(lv_port_ret),
		    &ret, err) < 0)
		return ctl_error("Failed to create network from %s", file);
	ctl_say(ctl, "Network port %s created from %s\n", uuid_text(ret.port.uuid).text, file);
	port_fini(&ret.port);
	return 0;
}

static int find_both(struct ctl *ctl, const struct verb_args *args, lv_port *port,
		     struct nd_error *err)
{
	ND_AUTO(net_fini) lv_net net = { 0 };

	if (net_find(ctl, arg_string(args, "network"), &net, err) < 0)
		return -1;
	return port_find(ctl, &net, arg_string(args, "port"), port, err);
}

static int run_dumpxml(struct ctl *ctl, const struct verb_args *args, struct nd_error *err)
{
	ND_AUTO(port_fini) lv_port port = { 0 };
	lv_port_flags_args get = { 0 };
	lv_str_ret ret = { 0 };
	int r;

	if (find_both(ctl, args, &port, err) < 0)
		return -1;
	get.port = port;
	if (call_lv(ctl, LV_PROC_NETWORK_PORT_GET_XML_DESC, CALL_XDR(lv_port_flags_args), &get,
		    CALL_XDR(lv_str_ret), &ret, err) < 0)
		return -1;
	r = document_print(args, ret.value);
	xdr_free(CALL_XDR(lv_str_ret), &ret);
	return r;
}

static int run_delete(struct ctl *ctl, const struct verb_args *args, struct nd_error *err)
{
	const char *uuid = arg_string(args, "port");
	ND_AUTO(port_fini) lv_port port = { 0 };
	lv_port_flags_args delete = { 0 };

	if (find_both(ctl, args, &port, err) < 0)
		return -1;
	delete.port = port;
	if (call_lv(ctl, LV_PROC_NETWORK_PORT_DELETE, CALL_XDR(lv_port_flags_args), &delete, NULL,
		    NULL, err) < 0)
		return ctl_error("Failed to delete network port %s", uuid);
	ctl_say(ctl, "Network port %s deleted\n", uuid);
	return 0;
}

#define ARG_PORT { "port", ARG_REQUIRED, "port UUID", VALUES_PORT }

static const struct arg_row list_rows[] = {
	ARG_NETWORK(VALUES_ACTIVE),
	{ "uuid", ARG_FLAG, "list uuid's only" },
	{ "table", ARG_FLAG, "list table (default)" },
	ARG_JSON,
};
static const struct arg_row create_rows[] = {
	ARG_NETWORK(VALUES_ACTIVE),
	{ "file", ARG_REQUIRED, "file containing an XML network port description", VALUES_FILE },
	{ "validate", ARG_FLAG, "validate the XML against the schema" },
};
static const struct arg_row dumpxml_rows[] = {
	ARG_NETWORK(VALUES_ACTIVE), ARG_PORT, ARG_XPATH, ARG_JSON,
};
static const struct arg_row delete_rows[] = { ARG_NETWORK(VALUES_ACTIVE), ARG_PORT };

static const struct verb verbs[] = {
	{ "net-port-create", "create a network port from an XML file", "Create a network port.",
	  run_create, VERB_ROWS(create_rows) },
	{ "net-port-delete", "delete the specified network port",
	  "Delete the specified network port.", run_delete, VERB_ROWS(delete_rows) },
	{ "net-port-dumpxml", "network port information in XML",
	  "Output the network port information as an XML dump to stdout.", run_dumpxml,
	  VERB_ROWS(dumpxml_rows) },
	{ "net-port-list", "list network ports", "Returns list of network ports.", run_list,
	  VERB_ROWS(list_rows) },
};

const struct verb_group port_verbs = VERB_GROUP("Network ports", "port", verbs);
