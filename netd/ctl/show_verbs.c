/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What there is: the list of networks, one network's state, its leases. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "netd/base/auto.h"
#include "netd/ctl/calls.h"
#include "netd/ctl/table.h"
#include "netd/ctl/verbs.h"

/* -1: the daemon did not say. */
struct net_state {
	int active, persistent, autostart;
};

static int state_ask(struct ctl *ctl, int32_t proc, const lv_net *net)
{
	struct nd_error ignored = { 0 };
	int value;

	return call_net_int(ctl, proc, net, &value, &ignored) < 0 ? -1 : value != 0;
}

static struct net_state state_get(struct ctl *ctl, const lv_net *net)
{
	return (struct net_state){
		.autostart = state_ask(ctl, LV_PROC_NETWORK_GET_AUTOSTART, net),
		.persistent = state_ask(ctl, LV_PROC_NETWORK_IS_PERSISTENT, net),
		.active = state_ask(ctl, LV_PROC_NETWORK_IS_ACTIVE, net),
	};
}

static const char *yes_no(int value)
{
	return value ? "yes" : "no";
}

static const char *autostart_text(int value)
{
	return value < 0 ? "no autostart" : yes_no(value);
}

static json_t *json_state(int value)
{
	return value < 0 ? json_null() : json_boolean(value);
}

static json_t *network_json(struct ctl *ctl, const lv_net *net)
{
	struct net_state s = state_get(ctl, net);

	return json_pack("{so, ss, so, so, so}", "name", ctl_json_string(net->name),
			 "uuid", uuid_text(net->uuid).text, "active", json_state(s.active),
			 "persistent", json_state(s.persistent),
			 "autostart", json_state(s.autostart));
}

/* net-list */

static unsigned list_flags(const struct verb_args *args)
{
	static const struct { const char *option; unsigned flag; } more[] = {
		{ "persistent", LIST_PERSISTENT }, { "transient", LIST_TRANSIENT },
		{ "autostart", LIST_AUTOSTART }, { "no-autostart", LIST_NO_AUTOSTART },
	};
	unsigned flags = LIST_ACTIVE;

	if (arg_flag(args, "inactive"))
		flags = LIST_INACTIVE;
	if (arg_flag(args, "all"))
		flags = LIST_INACTIVE | LIST_ACTIVE;
	for (size_t i = 0; i < ND_COUNT(more); i++)
		if (arg_flag(args, more[i].option))
			flags |= more[i].flag;
	return flags;
}

static int list_table(struct ctl *ctl, const lv_list_all_networks_ret *list)
{
	static const char *const headers[] = { "Name", "State", "Autostart", "Persistent" };
	ND_AUTO(table_free) struct table *t = table_new(headers, ND_COUNT(headers));

	for (u_int i = 0; i < list->nets.nets_len; i++) {
		const lv_net *net = &list->nets.nets_val[i];
		struct net_state s = state_get(ctl, net);
		const char *cells[] = {
			net->name, s.active ? "active" : "inactive", autostart_text(s.autostart),
			s.persistent < 0 ? "no" : yes_no(s.persistent),
		};

		table_add(t, cells);
	}
	return table_print(t, !ctl->quiet);
}

static int list_json(struct ctl *ctl, const lv_list_all_networks_ret *list)
{
	json_t *doc = json_array();

	for (u_int i = 0; i < list->nets.nets_len; i++)
		json_array_append_new(doc, network_json(ctl, &list->nets.nets_val[i]));
	return ctl_print_json(doc);
}

static int list_print(struct ctl *ctl, const struct verb_args *args,
		      const lv_list_all_networks_ret *list)
{
	bool names = arg_flag(args, "name"), uuids = arg_flag(args, "uuid");

	if (arg_flag(args, "json"))
		return list_json(ctl, list);
	if (!names && !uuids)
		return list_table(ctl, list);
	for (u_int i = 0; i < list->nets.nets_len; i++) {
		const lv_net *net = &list->nets.nets_val[i];

		printf("%s\n", names ? net->name : uuid_text(net->uuid).text);
	}
	return 0;
}

static int run_list(struct ctl *ctl, const struct verb_args *args, struct nd_error *err)
{
	lv_list_all_networks_ret list;
	int r;

	if (arg_flag(args, "table") + arg_flag(args, "name") + arg_flag(args, "uuid") > 1)
		return ctl_error("Only one argument from --table, --name and --uuid may be "
				 "specified.");
	if (call_list_networks(ctl, list_flags(args), &list, err) < 0)
		return ctl_error("Failed to list networks");
	r = list_print(ctl, args, &list);
	xdr_free(CALL_XDR(lv_list_all_networks_ret), &list);
	return r;
}

/* net-info */

static int run_info(struct ctl *ctl, const struct verb_args *args, struct nd_error *err)
{
	ND_AUTO(net_fini) lv_net net = { 0 };
	ND_AUTO(free) char *bridge = NULL;
	struct nd_error ignored = { 0 };
	struct net_state s;

	if (net_find(ctl, arg_string(args, "network"), &net, err) < 0)
		return -1;
	(void)call_net_string(ctl, LV_PROC_NETWORK_GET_BRIDGE_NAME, &net, &bridge, &ignored);
	if (arg_flag(args, "json")) {
		json_t *doc = network_json(ctl, &net);

		if (doc)
			json_object_set_new(doc, "bridge", ctl_json_string(bridge));
		return ctl_print_json(doc);
	}
	s = state_get(ctl, &net);
	printf("%-15s %s\n%-15s %s\n", "Name:", net.name, "UUID:", uuid_text(net.uuid).text);
	if (s.active >= 0)
		printf("%-15s %s\n", "Active:", yes_no(s.active));
	printf("%-15s %s\n", "Persistent:", s.persistent < 0 ? "unknown" : yes_no(s.persistent));
	printf("%-15s %s\n", "Autostart:", autostart_text(s.autostart));
	if (bridge)
		printf("%-15s %s\n", "Bridge:", bridge);
	return 0;
}

/* net-dhcp-leases */

static int by_mac(const void *a, const void *b)
{
	const lv_lease *x = a, *y = b;

	return strcmp(x->mac ? *x->mac : "", y->mac ? *y->mac : "");
}

static const char *optional(const lv_opt_str s)
{
	return s ? *s : NULL;
}

static void lease_add(struct table *t, const lv_lease *lease)
{
	char expiry[64], address[128];
	time_t at = (time_t)lease->expiry_s;
	const char *cells[] = {
		expiry, optional(lease->mac), lease->type == 0 ? "ipv4" : "ipv6", address,
		optional(lease->hostname), optional(lease->clientid),
	};
	struct tm tm;

	if (!localtime_r(&at, &tm) || !strftime(expiry, sizeof(expiry), "%Y-%m-%d %H:%M:%S", &tm))
		snprintf(expiry, sizeof(expiry), "%lld", (long long)lease->expiry_s);
	snprintf(address, sizeof(address), "%s/%u", lease->ipaddr, lease->prefix);
	table_add(t, cells);
}

static int leases_table(const struct ctl *ctl, const lv_network_get_dhcp_leases_ret *list)
{
	static const char *const headers[] = {
		"Expiry Time", "MAC address", "Protocol", "IP address", "Hostname",
		"Client ID or DUID",
	};
	ND_AUTO(table_free) struct table *t = table_new(headers, ND_COUNT(headers));

	for (u_int i = 0; i < list->leases.leases_len; i++)
		lease_add(t, &list->leases.leases_val[i]);
	return table_print(t, !ctl->quiet);
}

static int leases_json(const lv_network_get_dhcp_leases_ret *list)
{
	json_t *doc = json_array();

	for (u_int i = 0; i < list->leases.leases_len; i++) {
		const lv_lease *l = &list->leases.leases_val[i];

		json_array_append_new(doc, json_pack(
			"{sI, so, ss, so, si, so, so, so, so}", "expiry", (json_int_t)l->expiry_s,
			"mac", ctl_json_string(optional(l->mac)),
			"protocol", l->type == 0 ? "ipv4" : "ipv6",
			"address", ctl_json_string(l->ipaddr), "prefix", (int)l->prefix,
			"hostname", ctl_json_string(optional(l->hostname)),
			"client_id", ctl_json_string(optional(l->clientid)),
			"iaid", ctl_json_string(optional(l->iaid)),
			"interface", ctl_json_string(l->iface)));
	}
	return ctl_print_json(doc);
}

static int run_leases(struct ctl *ctl, const struct verb_args *args, struct nd_error *err)
{
	const char *name = arg_string(args, "network");
	ND_AUTO(net_fini) lv_net net = { 0 };
	lv_network_get_dhcp_leases_ret list;
	int r;

	if (net_find(ctl, name, &net, err) < 0)
		return -1;
	if (call_leases(ctl, &net, arg_string(args, "mac"), &list, err) < 0)
		return ctl_error("Failed to get leases info for %s", name);
	if (list.leases.leases_len)
		qsort(list.leases.leases_val, list.leases.leases_len, sizeof(lv_lease), by_mac);
	r = arg_flag(args, "json") ? leases_json(&list) : leases_table(ctl, &list);
	xdr_free(CALL_XDR(lv_network_get_dhcp_leases_ret), &list);
	return r;
}

static const struct arg_row list_rows[] = {
	{ "inactive", ARG_FLAG, "list inactive networks" },
	{ "all", ARG_FLAG, "list inactive & active networks" },
	{ "persistent", ARG_FLAG, "list persistent networks" },
	{ "transient", ARG_FLAG, "list transient networks" },
	{ "autostart", ARG_FLAG, "list networks with autostart enabled" },
	{ "no-autostart", ARG_FLAG, "list networks with autostart disabled" },
	{ "uuid", ARG_FLAG, "list uuid's only" },
	{ "name", ARG_FLAG, "list network names only" },
	{ "table", ARG_FLAG, "list table (default)" },
	ARG_JSON,
};
static const struct arg_row info_rows[] = { ARG_NETWORK(VALUES_NETWORK), ARG_JSON };
static const struct arg_row leases_rows[] = {
	ARG_NETWORK(VALUES_ACTIVE),
	{ "mac", ARG_OPTIONAL, "MAC address", VALUES_MAC },
	ARG_JSON,
};

static const struct verb verbs[] = {
	{ "net-dhcp-leases", "print lease info for a given network", NULL, run_leases,
	  VERB_ROWS(leases_rows) },
	{ "net-info", "network information", "Returns basic information about the network",
	  run_info, VERB_ROWS(info_rows) },
	{ "net-list", "list networks", "Returns list of networks.", run_list,
	  VERB_ROWS(list_rows) },
};

const struct verb_group show_verbs = VERB_GROUP("Networks: what there is", "show", verbs);
