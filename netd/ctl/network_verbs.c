/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A network's life: define, create, start, destroy, undefine, autostart, and its names. */
#include <stdlib.h>
#include <string.h>

#include "netd/base/auto.h"
#include "netd/ctl/calls.h"
#include "netd/ctl/verbs.h"

enum { XML_VALIDATE = 1 };

/* net-define and net-create differ in their calls and words. */
struct from_file {
	int32_t proc, proc_flags;	/* without and with flags */
	const char *infinitive, *past;
};

static int call_xml(struct ctl *ctl, const struct from_file *how, char *xml, bool validate,
		    lv_net_ret *ret, struct nd_error *err)
{
	lv_xml_flags_args with_flags = { .xml = xml, .flags = XML_VALIDATE };
	lv_xml_args plain = { .xml = xml };

	return validate ? call_lv(ctl, how->proc_flags, CALL_XDR(lv_xml_flags_args), &with_flags,
				  CALL_XDR(lv_net_ret), ret, err)
			: call_lv(ctl, how->proc, CALL_XDR(lv_xml_args), &plain,
				  CALL_XDR(lv_net_ret), ret, err);
}

static int from_file(struct ctl *ctl, const struct verb_args *args, const struct from_file *how,
		     struct nd_error *err)
{
	const char *file = arg_string(args, "file");
	ND_AUTO(free) char *xml = NULL;
	lv_net_ret ret = { 0 };

	if (file_read(file, &xml, err) < 0)
		return -1;
	if (call_xml(ctl, how, xml, arg_flag(args, "validate"), &ret, err) < 0)
		return ctl_error("Failed to %s network from %s", how->infinitive, file);
	ctl_say(ctl, "Network %s %s from %s\n", ret.net.name, how->past, file);
	net_fini(&ret.net);
	return 0;
}

static int run_define(struct ctl *ctl, const struct verb_args *args, struct nd_error *err)
{
	static const struct from_file how = {
		LV_PROC_NETWORK_DEFINE_XML, LV_PROC_NETWORK_DEFINE_XML_FLAGS, "define", "defined",
	};

	return from_file(ctl, args, &how, err);
}

static int run_create(struct ctl *ctl, const struct verb_args *args, struct nd_error *err)
{
	static const struct from_file how = {
		LV_PROC_NETWORK_CREATE_XML, LV_PROC_NETWORK_CREATE_XML_FLAGS, "create", "created",
	};

	return from_file(ctl, args, &how, err);
}

static int run_start(struct ctl *ctl, const struct verb_args *args, struct nd_error *err)
{
	const char *name = arg_string(args, "network");
	ND_AUTO(net_fini) lv_net net = { 0 };

	if (net_find(ctl, name, &net, err) < 0)
		return -1;
	if (call_net(ctl, LV_PROC_NETWORK_CREATE, &net, err) < 0)
		return ctl_error("Failed to start network %s", name);
	ctl_say(ctl, "Network %s started\n", name);
	return 0;
}

static void on_progress(void *arg, uint32_t program, int32_t proc, const uint8_t *payload,
			size_t len)
{
	const struct ctl *ctl = arg;
	netd_progress_event event = { 0 };

	if (program != NETD_PROGRAM || proc != NETD_PROC_EVENT_PROGRESS ||
	    !rpc_payload_decode(payload, len, CALL_XDR(netd_progress_event), &event))
		return;
	ctl_progress(ctl, "%u of %u: %s", event.done, event.total, event.what);
	xdr_free(CALL_XDR(netd_progress_event), &event);
}

/* One by one, for daemons that have no call for all. The first failure is reported at the end. */
static int destroy_each(struct ctl *ctl, int *n_out, struct nd_error *err)
{
	lv_list_all_networks_ret list;
	int r = 0;

	*n_out = 0;
	if (call_list_networks(ctl, LIST_ACTIVE, &list, err) < 0)
		return -1;
	for (u_int i = 0; i < list.nets.nets_len; i++) {
		const lv_net *net = &list.nets.nets_val[i];
		struct nd_error one = { 0 };

		ctl_progress(ctl, "%u of %u: %s", i, list.nets.nets_len, net->name);
		if (call_net(ctl, LV_PROC_NETWORK_DESTROY, net, &one) == 0)
			(*n_out)++;
		else if (r == 0) {
			r = nd_error_prefix(&one, "network '%s'", net->name);
			*err = one;
		}
	}
	xdr_free(CALL_XDR(lv_list_all_networks_ret), &list);
	return r;
}

static int destroy_all(struct ctl *ctl, struct nd_error *err)
{
	lv_flags_args args = { .flags = NETD_DESTROY_ALL_PROGRESS };
	lv_int_ret ret = { 0 };
	int r;

	rpc_client_set_events(ctl->client, on_progress, ctl);
	r = call_any(ctl, NETD_PROGRAM, NETD_PROC_NETWORK_DESTROY_ALL, CALL_XDR(lv_flags_args),
		     &args, CALL_XDR(lv_int_ret), &ret, err);
	rpc_client_set_events(ctl->client, NULL, NULL);
	if (r < 0 && err->kind == ND_ERR_RPC && rpc_client_is_alive(ctl->client))
		r = destroy_each(ctl, &ret.value, err);
	ctl_progress(ctl, NULL);
	if (r < 0)
		return ctl_error("Failed to destroy all networks");
	ctl_say(ctl, "%d network%s destroyed\n", ret.value, ret.value == 1 ? "" : "s");
	return 0;
}

static int run_destroy(struct ctl *ctl, const struct verb_args *args, struct nd_error *err)
{
	const char *name = arg_string(args, "network");
	ND_AUTO(net_fini) lv_net net = { 0 };

	if (arg_flag(args, "all"))
		return name ? ctl_error("Options --all and <network> are mutually exclusive")
			    : destroy_all(ctl, err);
	if (!name)
		return ctl_error("command 'net-destroy' requires <network> option");
	if (net_find(ctl, name, &net, err) < 0)
		return -1;
	if (call_net(ctl, LV_PROC_NETWORK_DESTROY, &net, err) < 0)
		return ctl_error("Failed to destroy network %s", name);
	ctl_say(ctl, "Network %s destroyed\n", name);
	return 0;
}

static int run_undefine(struct ctl *ctl, const struct verb_args *args, struct nd_error *err)
{
	const char *name = arg_string(args, "network");
	ND_AUTO(net_fini) lv_net net = { 0 };

	if (net_find(ctl, name, &net, err) < 0)
		return -1;
	if (call_net(ctl, LV_PROC_NETWORK_UNDEFINE, &net, err) < 0)
		return ctl_error("Failed to undefine network %s", name);
	ctl_say(ctl, "Network %s has been undefined\n", name);
	return 0;
}

static int run_autostart(struct ctl *ctl, const struct verb_args *args, struct nd_error *err)
{
	const char *name = arg_string(args, "network");
	bool on = !arg_flag(args, "disable");
	ND_AUTO(net_fini) lv_net net = { 0 };
	lv_network_set_autostart_args set = { .autostart = on };

	if (net_find(ctl, name, &net, err) < 0)
		return -1;
	set.net = net;
	if (call_lv(ctl, LV_PROC_NETWORK_SET_AUTOSTART, CALL_XDR(lv_network_set_autostart_args),
		    &set, NULL, NULL, err) < 0)
		return ctl_error("failed to %s network %s as autostarted", on ? "mark" : "unmark",
				 name);
	ctl_say(ctl, "Network %s %s as autostarted\n", name, on ? "marked" : "unmarked");
	return 0;
}

static int run_name(struct ctl *ctl, const struct verb_args *args, struct nd_error *err)
{
	const char *uuid = arg_string(args, "network");
	ND_AUTO(net_fini) lv_net net = { 0 };

	if (net_find_by_uuid(ctl, uuid, &net, err) < 0)
		return ctl_error("failed to get network '%s'", uuid);
	if (arg_flag(args, "json"))
		return ctl_print_json(ctl_json_string(net.name));
	printf("%s\n", net.name);
	return 0;
}

static int run_uuid(struct ctl *ctl, const struct verb_args *args, struct nd_error *err)
{
	const char *name = arg_string(args, "network");
	ND_AUTO(net_fini) lv_net net = { 0 };

	if (net_find_by_name(ctl, name, &net, err) < 0)
		return ctl_error("failed to get network '%s'", name);
	if (arg_flag(args, "json"))
		return ctl_print_json(json_string(uuid_text(net.uuid).text));
	printf("%s\n", uuid_text(net.uuid).text);
	return 0;
}

#define ARG_XML_FILE \
	{ "file", ARG_REQUIRED, "file containing an XML network description", VALUES_FILE }
#define ARG_VALIDATE \
	{ "validate", ARG_FLAG, "validate the XML against the schema" }

static const struct arg_row file_rows[] = { ARG_XML_FILE, ARG_VALIDATE };
static const struct arg_row start_rows[] = { ARG_NETWORK(VALUES_INACTIVE) };
static const struct arg_row destroy_rows[] = {
	{ "network", ARG_OPTIONAL, "network name or uuid", VALUES_ACTIVE },
	{ "all", ARG_FLAG, "every active network, in groups" },
};
static const struct arg_row undefine_rows[] = { ARG_NETWORK(VALUES_PERSISTENT) };
static const struct arg_row autostart_rows[] = {
	ARG_NETWORK(VALUES_PERSISTENT),
	{ "disable", ARG_FLAG, "disable autostarting" },
};
static const struct arg_row name_rows[] = {
	{ "network", ARG_REQUIRED, "network uuid", VALUES_UUID }, ARG_JSON,
};
static const struct arg_row uuid_rows[] = {
	{ "network", ARG_REQUIRED, "network name", VALUES_NETWORK }, ARG_JSON,
};

static const struct verb verbs[] = {
	{ "net-autostart", "autostart a network",
	  "Configure a network to be automatically started at boot.", run_autostart,
	  VERB_ROWS(autostart_rows) },
	{ "net-create", "create a network from an XML file",
	  "Create a network that is gone when it stops.", run_create, VERB_ROWS(file_rows) },
	{ "net-define", "define an inactive persistent virtual network or modify an existing "
	  "persistent one from an XML file",
	  "Define or modify a persistent virtual network.", run_define, VERB_ROWS(file_rows) },
	{ "net-destroy", "destroy (stop) a network", "Forcefully stop a given network.",
	  run_destroy, VERB_ROWS(destroy_rows) },
	{ "net-name", "convert a network UUID to network name", NULL, run_name,
	  VERB_ROWS(name_rows) },
	{ "net-start", "start a (previously defined) inactive network", "Start a network.",
	  run_start, VERB_ROWS(start_rows) },
	{ "net-undefine", "undefine a persistent network",
	  "Undefine the configuration for a persistent network.", run_undefine,
	  VERB_ROWS(undefine_rows) },
	{ "net-uuid", "convert a network name to network UUID", NULL, run_uuid,
	  VERB_ROWS(uuid_rows) },
};

const struct verb_group network_verbs = VERB_GROUP("Networks: life cycle", "network", verbs);
