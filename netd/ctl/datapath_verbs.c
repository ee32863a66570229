/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What libvirt has no command for: plan, plug, hold, validate, capture. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "netd/base/auto.h"
#include "netd/ctl/calls.h"
#include "netd/ctl/capture.h"
#include "netd/ctl/plug.h"
#include "netd/ctl/validate.h"
#include "netd/ctl/verbs.h"

/* net-plan */

static json_t *json_parse(const char *text)
{
	return *text ? json_loads(text, JSON_DECODE_ANY, NULL) : json_null();
}

static int plan_print(const struct verb_args *args, const netd_network_plan_ret *ret)
{
	if (arg_flag(args, "json"))
		return ctl_print_json(json_pack("{so, so}", "plan", json_parse(ret->plan),
						"difference", json_parse(ret->difference)));
	if (!arg_flag(args, "diff"))
		printf("Plan:\n%s\nDifference from the kernel now:\n", ret->plan);
	fputs(*ret->difference ? ret->difference : "none\n", stdout);
	return 0;
}

/* A word with a slash or the name of a file that is there is a file; all else is a network. */
/* A folder of a network's name does not hide the network. */
static bool is_file(const char *word)
{
	struct stat st;

	return strchr(word, '/') || (stat(word, &st) == 0 && !S_ISDIR(st.st_mode));
}

static int run_plan(struct ctl *ctl, const struct verb_args *args, struct nd_error *err)
{
	const char *word = arg_string(args, "network");
	netd_network_plan_args plan = { .flags = arg_flag(args, "json") ? NETD_PLAN_JSON : 0 };
	ND_AUTO(net_fini) lv_net net = { 0 };
	ND_AUTO(free) char *xml = NULL;
	netd_network_plan_ret ret = { 0 };
	int r;

	if (is_file(word)) {
		if (file_read(word, &xml, err) < 0)
			return -1;
		plan.xml = &xml;
	} else {
		if (net_find(ctl, word, &net, err) < 0)
			return -1;
		plan.name = &net.name;
	}
	if (call_any(ctl, NETD_PROGRAM, NETD_PROC_NETWORK_PLAN, CALL_XDR(netd_network_plan_args),
		     &plan, CALL_XDR(netd_network_plan_ret), &ret, err) < 0)
		return ctl_error("Failed to plan network %s", word);
	r = plan_print(args, &ret);
	xdr_free(CALL_XDR(netd_network_plan_ret), &ret);
	return r;
}

/* net-hold, net-release */

static int repairs_set(struct ctl *ctl, const struct verb_args *args, int32_t proc,
		       const char *failed, const char *done, struct nd_error *err)
{
	const char *name = arg_string(args, "network");
	ND_AUTO(net_fini) lv_net net = { 0 };
	lv_net_args request;

	if (net_find(ctl, name, &net, err) < 0)
		return -1;
	request.net = net;
	if (call_any(ctl, NETD_PROGRAM, proc, CALL_XDR(lv_net_args), &request, NULL, NULL, err) < 0)
		return ctl_error("Failed to %s network %s", failed, name);
	ctl_say(ctl, "Network %s %s\n", name, done);
	return 0;
}

static int run_hold(struct ctl *ctl, const struct verb_args *args, struct nd_error *err)
{
	return repairs_set(ctl, args, NETD_PROC_NETWORK_HOLD, "hold",
			   "held: what others change stays until net-release", err);
}

static int run_release(struct ctl *ctl, const struct verb_args *args, struct nd_error *err)
{
	return repairs_set(ctl, args, NETD_PROC_NETWORK_RELEASE, "release",
			   "released: it is repaired again", err);
}

/* net-status */

static json_t *param_json(const lv_param_value *v)
{
	switch (v->type) {
	case LV_PARAM_INT:	return json_integer(v->lv_param_value_u.i);
	case LV_PARAM_UINT:	return json_integer(v->lv_param_value_u.ui);
	case LV_PARAM_LLONG:	return json_integer(v->lv_param_value_u.l);
	case LV_PARAM_ULLONG:	return json_integer((json_int_t)v->lv_param_value_u.ul);
	case LV_PARAM_DOUBLE:	return json_real(v->lv_param_value_u.d);
	case LV_PARAM_BOOLEAN:	return json_boolean(v->lv_param_value_u.b);
	default:		return ctl_json_string(v->lv_param_value_u.s);
	}
}

static json_t *status_json(const netd_network_status_ret *ret)
{
	json_t *doc = json_object();

	for (u_int i = 0; i < ret->params.params_len; i++)
		json_object_set_new(doc, ret->params.params_val[i].field,
				    param_json(&ret->params.params_val[i].value));
	return doc;
}

/* One line per value: what JSON would print, but strings without quotes. */
static int status_print(json_t *doc)
{
	const char *key;
	json_t *value;

	json_object_foreach(doc, key, value) {
		ND_AUTO(free) char *text = json_is_string(value) ? strdup(json_string_value(value))
					   : json_dumps(value, JSON_ENCODE_ANY);

		printf("%-24s %s\n", key, text ? text : "?");
	}
	json_decref(doc);
	return 0;
}

static int run_status(struct ctl *ctl, const struct verb_args *args, struct nd_error *err)
{
	ND_AUTO(net_fini) lv_net net = { 0 };
	netd_network_status_ret ret = { 0 };
	lv_net_flags_args request = { 0 };
	json_t *doc;

	if (net_find(ctl, arg_string(args, "network"), &net, err) < 0)
		return -1;
	request.net = net;
	if (call_any(ctl, NETD_PROGRAM, NETD_PROC_NETWORK_STATUS, CALL_XDR(lv_net_flags_args),
		     &request, CALL_XDR(netd_network_status_ret), &ret, err) < 0)
		return ctl_error("Failed to get the status of network %s", net.name);
	doc = status_json(&ret);
	xdr_free(CALL_XDR(netd_network_status_ret), &ret);
	return arg_flag(args, "json") ? ctl_print_json(doc) : status_print(doc);
}

static const struct arg_row plan_rows[] = {
	{ "network", ARG_REQUIRED, "network name or uuid, or a file containing an XML network "
	  "description", VALUES_NETWORK },
	{ "diff", ARG_FLAG, "only what differs from the kernel" },
	ARG_JSON,
};
static const struct arg_row plug_rows[] = {
	ARG_NETWORK(VALUES_ACTIVE),
	{ "ifname", ARG_NAMED, "name of the TAP device" },
	{ "mac", ARG_NAMED, "MAC address of the guest" },
	{ "owner", ARG_NAMED, "user id that may open the TAP device", .number = true },
	{ "owner-name", ARG_NAMED, "name of the guest, for the port's document" },
	{ "queues", ARG_NAMED, "how many queues", .number = true },
	{ "vhost", ARG_FLAG, "open vhost-net for each queue" },
	{ "temporary", ARG_FLAG, "wait for the command and unplug when it ends" },
	ARG_JSON,
	{ "exec", ARG_COMMAND, "run the command with the descriptors; %fd, %fds, %vhostfd, "
	  "%vhostfds, %ifname, %mac, %uuid in its words are replaced" },
};
static const struct arg_row unplug_rows[] = {
	ARG_NETWORK(VALUES_ACTIVE),
	{ "interface", ARG_REQUIRED, "name of the TAP device, MAC address of the guest, or port "
	  "UUID", VALUES_PORT },
};
static const struct arg_row hold_rows[] = { ARG_NETWORK(VALUES_ACTIVE) };
static const struct arg_row status_rows[] = { ARG_NETWORK(VALUES_ACTIVE), ARG_JSON };
static const struct arg_row validate_rows[] = {
	{ "file", ARG_REQUIRED, "file containing an XML network description", VALUES_FILE },
	ARG_JSON,
};
static const struct arg_row capture_rows[] = {
	{ "network", ARG_REQUIRED, "network name or uuid, or a device's name", VALUES_ACTIVE },
	{ "write", ARG_NAMED, "write packets to this file in pcap format (-: stdout)",
	  VALUES_FILE, .letter = 'w' },
	{ "count", ARG_NAMED, "end after so many packets", .number = true, .letter = 'c' },
	{ "timeout", ARG_NAMED, "end after so many seconds", .number = true },
	{ "snaplen", ARG_NAMED, "how many bytes of each packet", .number = true, .letter = 's' },
	ARG_JSON,
	{ "filter", ARG_WORDS, "which packets, as in pcap-filter(7)" },
};

static const struct verb verbs[] = {
	{ "net-capture", "show or record a network's packets",
	  "Captures on the network's bridge, or on the device of that name.", capture_run,
	  VERB_ROWS(capture_rows), .no_connection = true },
	{ "net-hold", "let others change a running network",
	  "Stops repairs of the network until net-release.", run_hold, VERB_ROWS(hold_rows) },
	{ "net-plan", "show what starting a network would do",
	  "Prints the network's plan, and what the kernel has that differs from it.", run_plan,
	  VERB_ROWS(plan_rows) },
	{ "net-plug", "plug a guest's interface into a network",
	  "Makes a TAP device on the network for a virtual machine monitor.", plug_run,
	  VERB_ROWS(plug_rows) },
	{ "net-release", "repair a held network again", NULL, run_release, VERB_ROWS(hold_rows) },
	{ "net-status", "counters of a running network",
	  "Prints what the network's server has done, and whether its repairs are held.",
	  run_status, VERB_ROWS(status_rows) },
	{ "net-unplug", "unplug a guest's interface", NULL, plug_run_unplug,
	  VERB_ROWS(unplug_rows) },
	{ "net-validate", "check an XML network description",
	  "Parses and checks a file as net-define would, without a daemon.", validate_run,
	  VERB_ROWS(validate_rows), .no_connection = true },
};

const struct verb_group datapath_verbs = VERB_GROUP("Networks: datapath", "datapath", verbs);
