/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A guest's interfaces: which there are, their addresses, counters, links and bandwidths. */
#include <stdlib.h>
#include <string.h>

#include "netd/base/auto.h"
#include "netd/ctl/domain_doc.h"
#include "netd/ctl/nic_tune.h"
#include "netd/ctl/rate.h"
#include "netd/ctl/table.h"
#include "netd/ctl/verbs.h"

/* ---- domiflist ---- */

enum { NIC_DEVICE, NIC_TYPE, NIC_SOURCE, NIC_MODEL, NIC_MAC, NIC_WORDS };

static void nic_words(const xmlNode *nic, char *words[NIC_WORDS])
{
	static const char *const sources[] = { "bridge", "dev", "network", "name", NULL };

	words[NIC_DEVICE] = device_value(nic, "target", "dev");
	words[NIC_TYPE] = xml_prop(nic, "type");
	words[NIC_SOURCE] = device_source(nic, sources);
	words[NIC_MODEL] = device_value(nic, "model", "type");
	words[NIC_MAC] = device_value(nic, "mac", "address");
}

static json_t *nic_json(char *const words[NIC_WORDS])
{
	return json_pack("{so, so, so, so, so}", "interface", ctl_json_string(words[NIC_DEVICE]),
			 "type", ctl_json_string(words[NIC_TYPE]),
			 "source", ctl_json_string(words[NIC_SOURCE]),
			 "model", ctl_json_string(words[NIC_MODEL]),
			 "mac", ctl_json_string(words[NIC_MAC]));
}

static int run_list(struct ctl *ctl, const struct verb_args *args, struct nd_error *err)
{
	static const char *const headers[] = { "Interface", "Type", "Source", "Model", "MAC" };
	ND_AUTO(table_free) struct table *t = table_new(headers, ND_COUNT(headers));
	ND_AUTO(dom_fini) lv_dom dom = { 0 };
	ND_AUTO(xmlFreeDoc) xmlDoc *doc = NULL;
	json_t *all;

	if (dom_find(ctl, arg_string(args, "domain"), DOM_BY_ANY, &dom, err) < 0 ||
	    domain_doc_get(ctl, &dom, arg_flag(args, "inactive") ? DOM_XML_INACTIVE : 0, &doc, err) < 0)
		return -1;
	all = json_array();
	for (xmlNode *nic = NULL; (nic = domain_doc_device(doc, "interface", nic));) {
		char *words[NIC_WORDS];

		nic_words(nic, words);
		table_add(t, (const char *const *)words);
		json_array_append_new(all, nic_json(words));
		for (int i = 0; i < NIC_WORDS; i++)
			free(words[i]);
	}
	if (arg_json(args))
		return ctl_print_json(all);
	json_decref(all);
	return table_print(t, !ctl->quiet);
}

/* ---- domifaddr ---- */

static json_t *addresses_json(const lv_domain_interface *nic)
{
	json_t *all = json_array();

	for (u_int i = 0; i < nic->addrs.addrs_len; i++) {
		const lv_ip_address *a = &nic->addrs.addrs_val[i];

		json_array_append_new(all, json_pack("{ss, so, sI}",
						     "protocol", a->type ? "ipv6" : "ipv4",
						     "address", ctl_json_string(a->addr),
						     "prefix", (json_int_t)a->prefix));
	}
	return json_pack("{so, so, so}", "interface", ctl_json_string(nic->name),
			 "mac", ctl_json_string(nic->hwaddr ? *nic->hwaddr : NULL), "addresses", all);
}

/* full: every line names the interface, else the first of its lines. */
static void addresses_print(const lv_domain_interface *nic, bool full)
{
	const char *mac = nic->hwaddr ? *nic->hwaddr : "N/A";

	if (nic->addrs.addrs_len == 0)
		printf(" %-10s %-17s    %-12s %s\n", nic->name, mac, "N/A", "N/A");
	for (u_int i = 0; i < nic->addrs.addrs_len; i++) {
		const lv_ip_address *a = &nic->addrs.addrs_val[i];
		bool named = full || i == 0;

		printf(" %-10s %-17s    %-12s %s/%u\n", named ? nic->name : "-", named ? mac : "-",
		       a->type ? "ipv6" : "ipv4", a->addr, a->prefix);
	}
}

static int addresses_show(struct ctl *ctl, const struct verb_args *args,
			  const lv_domain_interface_addresses_ret *list)
{
	const char *wanted = arg_string(args, "interface");
	json_t *all = json_array();

	if (!arg_json(args))
		ctl_say(ctl, " %-10s %-20s %-12s %s\n%s%s\n", "Name", "MAC address", "Protocol",
			"Address", "--------------------------------------------------",
			"-----------------------------");
	for (u_int i = 0; i < list->ifaces.ifaces_len; i++) {
		const lv_domain_interface *nic = &list->ifaces.ifaces_val[i];

		if (wanted && !nd_streq(wanted, nic->name))
			continue;
		json_array_append_new(all, addresses_json(nic));
		if (!arg_json(args))
			addresses_print(nic, arg_flag(args, "full"));
	}
	if (arg_json(args))
		return ctl_print_json(all);
	json_decref(all);
	return 0;
}

static int run_addresses(struct ctl *ctl, const struct verb_args *args, struct nd_error *err)
{
	static const char *const sources[] = { "lease", "agent", "arp" };
	const char *source = arg_string(args, "source");
	lv_domain_interface_addresses_args ask = { 0 };
	lv_domain_interface_addresses_ret ret = { 0 };
	ND_AUTO(dom_fini) lv_dom dom = { 0 };
	int r;

	if (dom_find(ctl, arg_string(args, "domain"), DOM_BY_ANY, &dom, err) < 0)
		return -1;
	while (source && ask.source < ND_COUNT(sources) && !nd_streq(source, sources[ask.source]))
		ask.source++;
	if (ask.source == ND_COUNT(sources))
		return ctl_error("Unknown data source '%s'", source);
	ask.dom = dom;
	if (call_lv(ctl, LV_PROC_DOMAIN_INTERFACE_ADDRESSES,
		    CALL_XDR(lv_domain_interface_addresses_args), &ask,
		    CALL_XDR(lv_domain_interface_addresses_ret), &ret, err) < 0)
		return ctl_error("Failed to query for interfaces addresses");
	r = addresses_show(ctl, args, &ret);
	xdr_free(CALL_XDR(lv_domain_interface_addresses_ret), &ret);
	return r;
}

/* ---- domifstat ---- */

static int run_counters(struct ctl *ctl, const struct verb_args *args, struct nd_error *err)
{
	const char *device = arg_string(args, "interface");
	lv_domain_interface_stats_args ask = { .device = (char *)device };	/* only read */
	lv_domain_interface_stats_ret ret = { 0 };
	const struct { const char *name; const int64_t *value; } rows[] = {
		{ "rx_bytes", &ret.rx_bytes }, { "rx_packets", &ret.rx_packets },
		{ "rx_errs", &ret.rx_errs }, { "rx_drop", &ret.rx_drop },
		{ "tx_bytes", &ret.tx_bytes }, { "tx_packets", &ret.tx_packets },
		{ "tx_errs", &ret.tx_errs }, { "tx_drop", &ret.tx_drop },
	};
	ND_AUTO(dom_fini) lv_dom dom = { 0 };
	json_t *doc;

	if (dom_find(ctl, arg_string(args, "domain"), DOM_BY_ANY, &dom, err) < 0)
		return -1;
	ask.dom = dom;
	if (call_lv(ctl, LV_PROC_DOMAIN_INTERFACE_STATS, CALL_XDR(lv_domain_interface_stats_args),
		    &ask, CALL_XDR(lv_domain_interface_stats_ret), &ret, err) < 0)
		return ctl_error("Failed to get interface stats %s %s", arg_string(args, "domain"), device);
	doc = json_object();
	for (size_t i = 0; i < ND_COUNT(rows); i++) {
		bool known = *rows[i].value >= 0;

		json_object_set_new(doc, rows[i].name, known ? json_integer(*rows[i].value) : json_null());
		if (known && !arg_json(args))
			printf("%s %s %lld\n", device, rows[i].name, (long long)*rows[i].value);
	}
	if (arg_json(args))
		return ctl_print_json(doc);
	json_decref(doc);
	return 0;
}

/* ---- domif-getlink, domif-setlink ---- */

static xmlNode *nic_find(xmlDoc *doc, const char *name)
{
	xmlNode *nic = NULL;

	while ((nic = domain_doc_device(doc, "interface", nic)) && !interface_matches(nic, name))
		;
	return nic;
}

static int run_getlink(struct ctl *ctl, const struct verb_args *args, struct nd_error *err)
{
	const char *name = arg_string(args, "interface");
	ND_AUTO(dom_fini) lv_dom dom = { 0 };
	ND_AUTO(xmlFreeDoc) xmlDoc *doc = NULL;
	ND_AUTO(free) char *state = NULL;
	xmlNode *nic;

	if (dom_find(ctl, arg_string(args, "domain"), DOM_BY_ANY, &dom, err) < 0 ||
	    domain_doc_get(ctl, &dom, arg_flag(args, "config") ? DOM_XML_INACTIVE : 0, &doc, err) < 0)
		return -1;
	nic = nic_find(doc, name);
	if (!nic)
		return ctl_error("Interface (%s: %s) not found.", interface_is_mac(name) ? "mac" : "dev",
				 name);
	state = device_value(nic, "link", "state");
	if (arg_json(args))
		return ctl_print_json(json_pack("{ss, ss}", "interface", name,
						"state", state ? state : "up"));
	/* as virsh, the line ends with what stands behind every command's output */
	printf("%s %s%s", name, state ? state : "up", ctl->quiet ? "\n" : "");
	return 0;
}

static int nic_set_link(xmlNode *nic, const char *state)
{
	xmlNode *link = device_child(nic, "link");

	if (!link)
		link = xmlNewChild(nic, NULL, BAD_CAST "link", NULL);
	return link && xmlSetProp(link, BAD_CAST "state", BAD_CAST state) ? 0 : -1;
}

/* The whole interface goes back with its link changed. */
static int setlink_send(struct ctl *ctl, const struct verb_args *args, const lv_dom *dom,
			unsigned flags, xmlNode *nic, struct nd_error *err)
{
	ND_AUTO(free) char *xml = NULL;

	if (nic_set_link(nic, arg_string(args, "state")) < 0 || !(xml = device_text(nic)))
		return nd_error_nomem(err);
	if (arg_flag(args, "print-xml")) {
		printf("%s", xml);
		return 0;
	}
	if (dom_device(ctl, LV_PROC_DOMAIN_UPDATE_DEVICE_FLAGS, dom, xml, flags, err) < 0)
		return ctl_error("Failed to update interface link state");
	ctl_say(ctl, "Device updated successfully\n");
	return 0;
}

static int run_setlink(struct ctl *ctl, const struct verb_args *args, struct nd_error *err)
{
	const char *name = arg_string(args, "interface"), *state = arg_string(args, "state");
	unsigned flags = arg_flag(args, "config") ? AFFECT_CONFIG : AFFECT_LIVE;
	ND_AUTO(dom_fini) lv_dom dom = { 0 };
	ND_AUTO(xmlFreeDoc) xmlDoc *doc = NULL;
	xmlNode *nic;

	if (dom_find(ctl, arg_string(args, "domain"), DOM_BY_ANY, &dom, err) < 0)
		return -1;
	if (!nd_streq(state, "up") && !nd_streq(state, "down"))
		return ctl_error("invalid link state '%s'", state);
	if (dom.id < 0)
		flags = AFFECT_CONFIG;
	if (domain_doc_get(ctl, &dom, flags == AFFECT_CONFIG ? DOM_XML_INACTIVE : 0, &doc, err) < 0)
		return -1;
	if (!domain_doc_device(doc, "interface", NULL))
		return ctl_error("Failed to extract interface information or no interfaces found");
	nic = nic_find(doc, name);
	if (!nic)
		return ctl_error("interface '%s' not found", name);
	return setlink_send(ctl, args, &dom, flags, nic, err);
}

#define ARG_INTERFACE { "interface", ARG_REQUIRED, "interface: its MAC address, or the host's device", \
			VALUES_INTERFACE }

static const struct arg_row list_rows[] = {
	ARG_DOMAIN(VALUES_DOMAIN),
	{ "inactive", ARG_FLAG, "get inactive rather than running configuration" },
	ARG_JSON,
};
static const struct arg_row address_rows[] = {
	ARG_DOMAIN(VALUES_DOMAIN_ACTIVE),
	{ "interface", ARG_NAMED, "network interface name", VALUES_INTERFACE },
	{ "full", ARG_FLAG, "always display names and MACs of interfaces" },
	{ "source", ARG_NAMED, "address source: 'lease', 'agent', or 'arp'", VALUES_ADDRESS_SOURCE },
	ARG_JSON,
};
static const struct arg_row counter_rows[] = {
	ARG_DOMAIN(VALUES_DOMAIN_ACTIVE), ARG_INTERFACE, ARG_JSON,
};
static const struct arg_row getlink_rows[] = {
	ARG_DOMAIN(VALUES_DOMAIN), ARG_INTERFACE,
	{ "config", ARG_FLAG, "get persistent interface state" },
	ARG_JSON,
};
static const struct arg_row setlink_rows[] = {
	ARG_DOMAIN(VALUES_DOMAIN), ARG_INTERFACE,
	{ "state", ARG_REQUIRED, "new state of the link: up or down", VALUES_LINK_STATE },
	{ "config", ARG_FLAG, "affect next boot" },
	{ "print-xml", ARG_FLAG, "print XML document rather than set the interface link state" },
};
static const struct arg_row tune_rows[] = {
	ARG_DOMAIN(VALUES_DOMAIN), ARG_INTERFACE, ARG_RATES,
	{ "config", ARG_FLAG, "affect next boot" },
	{ "live", ARG_FLAG, "affect running guest" },
	{ "current", ARG_FLAG, "affect current state of the guest" },
	ARG_JSON,
};

static const struct verb verbs[] = {
	{ "domif-getlink", "get link state of a virtual interface", NULL, run_getlink,
	  VERB_ROWS(getlink_rows) },
	{ "domif-setlink", "set link state of a virtual interface", NULL, run_setlink,
	  VERB_ROWS(setlink_rows) },
	{ "domifaddr", "get interfaces' addresses of a running guest", NULL, run_addresses,
	  VERB_ROWS(address_rows) },
	{ "domiflist", "list a guest's interfaces", NULL, run_list, VERB_ROWS(list_rows) },
	{ "domifstat", "get an interface's counters", NULL, run_counters, VERB_ROWS(counter_rows) },
	{ "domiftune", "get or set an interface's bandwidth", NULL, nic_tune_run,
	  VERB_ROWS(tune_rows) },
};

const struct verb_group nic_verbs = VERB_GROUP("Guests: interfaces", "interface", verbs);
