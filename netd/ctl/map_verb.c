/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The host's networks as a picture: what leads outside, which guest is where. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "netd/base/array.h"
#include "netd/base/auto.h"
#include "netd/ctl/calls.h"
#include "netd/ctl/verbs.h"
#include "netd/model/network.h"
#include "netd/model/port.h"

/* One guest: a plugged port, the leases of a MAC, or both. */
struct map_guest {
	char mac[ND_MAC_STRLEN];
	char *owner;			/* of the port; NULL: no port, a lease only */
	char *name;			/* what the guest calls itself; NULL: nothing */
	struct nd_str addresses;
};

struct map_network {
	struct net_def *def;
	struct map_guest *guests;
	size_t n_guests;
};

static void map_network_fini(struct map_network *m)
{
	for (size_t i = 0; i < m->n_guests; i++) {
		free(m->guests[i].owner);
		free(m->guests[i].name);
		nd_str_free(&m->guests[i].addresses);
	}
	free(m->guests);
	net_def_free(m->def);
}

static void nd_auto_map_network_fini(struct map_network *m)
{
	map_network_fini(m);
}

static struct map_guest *guest_of(struct map_network *m, const char *mac)
{
	struct map_guest *g;

	for (size_t i = 0; i < m->n_guests; i++)
		if (strcasecmp(m->guests[i].mac, mac) == 0)
			return &m->guests[i];
	g = nd_array_add(m->guests, m->n_guests);
	if (g)
		strncpy(g->mac, mac, sizeof(g->mac) - 1);
	return g;
}

static int port_read(struct ctl *ctl, const lv_port *port, struct map_network *m,
		     struct nd_error *err)
{
	ND_AUTO(port_def_free) struct port_def *def = NULL;
	lv_port_flags_args args = { .port = *port };
	lv_str_ret xml = { 0 };
	char mac[ND_MAC_STRLEN];
	struct map_guest *g;
	int r = call_lv(ctl, LV_PROC_NETWORK_PORT_GET_XML_DESC, CALL_XDR(lv_port_flags_args), &args,
			CALL_XDR(lv_str_ret), &xml, err);

	if (r < 0)
		return r;
	r = port_def_parse(xml.value, strlen(xml.value), &def, err);
	xdr_free(CALL_XDR(lv_str_ret), &xml);
	if (r < 0)
		return r;
	g = guest_of(m, nd_mac_format(&def->mac, mac));
	if (!g)
		return nd_error_nomem(err);
	if (!g->owner)
		g->owner = nd_take_ptr(&def->owner_name);
	return 0;
}

static int ports_read(struct ctl *ctl, const lv_net *net, struct map_network *m,
		      struct nd_error *err)
{
	lv_network_list_all_ports_ret list = { 0 };
	int r = call_list_ports(ctl, net, &list, err);

	if (r < 0)
		return r;
	for (u_int i = 0; r == 0 && i < list.ports.ports_len; i++)
		r = port_read(ctl, &list.ports.ports_val[i], m, err);
	xdr_free(CALL_XDR(lv_network_list_all_ports_ret), &list);
	return r;
}

static int leases_read(struct ctl *ctl, const lv_net *net, struct map_network *m,
		       struct nd_error *err)
{
	lv_network_get_dhcp_leases_ret list = { 0 };
	int r = call_leases(ctl, net, NULL, &list, err);

	for (u_int i = 0; r == 0 && i < list.leases.leases_len; i++) {
		const lv_lease *l = &list.leases.leases_val[i];
		struct map_guest *g = guest_of(m, l->mac ? *l->mac : "?");

		if (!g)
			r = nd_error_nomem(err);
		else {
			nd_str_addf(&g->addresses, "%s%s", g->addresses.len ? " " : "", l->ipaddr);
			if (!g->name && l->hostname)
				g->name = strdup(*l->hostname);
		}
	}
	xdr_free(CALL_XDR(lv_network_get_dhcp_leases_ret), &list);
	return r;
}

static int network_read(struct ctl *ctl, const lv_net *net, struct map_network *m,
			struct nd_error *err)
{
	ND_AUTO(free) char *xml = NULL;
	int r = call_net_xml(ctl, net, 0, &xml, err);

	if (r == 0)
		r = net_def_parse(xml, strlen(xml), &m->def, err);
	if (r == 0)
		r = ports_read(ctl, net, m, err);
	if (r == 0)
		r = leases_read(ctl, net, m, err);
	return r;
}

static const char *mode_text(const struct net_def *def)
{
	const char *mode = forward_mode_name(def->forward.mode);

	return mode ? mode : "isolated";
}

static void addresses_print(const struct net_def *def)
{
	char text[ND_PREFIX_STRLEN];

	for (size_t i = 0; i < def->n_ips; i++) {
		struct nd_prefix p = ip_def_prefix(&def->ips[i]);

		printf("  %s%s", nd_prefix_format(&p, text), ip_def_has_dhcp(&def->ips[i]) ? " (dhcp)" : "");
	}
}

/*
 *	outside (any interface)
 *	 ║  nat
 *	 ╚═ default on virbr0  192.168.122.1/24 (dhcp)
 *	     ├─ 52:54:00:de:80:01  192.168.122.56  demo-guest
 */
static void network_print(const struct map_network *m)
{
	const struct forward *f = &m->def->forward;
	bool isolated = f->mode == FORWARD_NONE;

	if (isolated)
		printf("(no way outside)\n");
	else
		printf("outside (%s)\n ║  %s\n", f->n_interfaces ? f->interfaces[0].dev : "any interface",
		       mode_text(m->def));
	printf(" %s %s", isolated ? "──" : "╚═", m->def->name);
	if (m->def->bridge.name)
		printf(" on %s", m->def->bridge.name);
	addresses_print(m->def);
	printf("\n");
	for (size_t i = 0; i < m->n_guests; i++) {
		const struct map_guest *g = &m->guests[i];

		printf("     %s %s  %s  %s%s%s%s\n", i + 1 < m->n_guests ? "├─" : "└─", g->mac,
		       g->addresses.len ? g->addresses.text : "no lease", g->name ? g->name : "",
		       g->owner ? "  [" : "", g->owner ? g->owner : "", g->owner ? "]" : "");
	}
	if (!m->n_guests)
		printf("     └─ no guests\n");
}

static json_t *network_json(const struct map_network *m)
{
	json_t *guests = json_array(), *addresses = json_array();
	char text[ND_PREFIX_STRLEN];

	for (size_t i = 0; i < m->n_guests; i++) {
		const struct map_guest *g = &m->guests[i];

		json_array_append_new(guests, json_pack("{ss, so, so, so}", "mac", g->mac,
			"addresses", ctl_json_string(g->addresses.text),
			"hostname", ctl_json_string(g->name), "owner", ctl_json_string(g->owner)));
	}
	for (size_t i = 0; i < m->def->n_ips; i++) {
		struct nd_prefix p = ip_def_prefix(&m->def->ips[i]);

		json_array_append_new(addresses, json_string(nd_prefix_format(&p, text)));
	}
	return json_pack("{so, ss, so, so, so}", "name", ctl_json_string(m->def->name),
			 "mode", mode_text(m->def), "bridge", ctl_json_string(m->def->bridge.name),
			 "addresses", addresses, "guests", guests);
}

/* Adds one network to the picture, or to doc where that is set. */
static int network_show(struct ctl *ctl, const lv_net *net, json_t *doc, struct nd_error *err)
{
	ND_AUTO(map_network_fini) struct map_network m = { 0 };

	if (network_read(ctl, net, &m, err) < 0)
		return ctl_error("Failed to draw network %s", net->name);
	if (doc)
		json_array_append_new(doc, network_json(&m));
	else
		network_print(&m);
	return 0;
}

static int run_map(struct ctl *ctl, const struct verb_args *args, struct nd_error *err)
{
	const char *only = arg_string(args, "network");
	json_t *doc = arg_json(args) ? json_array() : NULL;
	ND_AUTO(net_fini) lv_net net = { 0 };
	lv_list_all_networks_ret list = { 0 };
	int r = 0;

	if (only)
		r = net_find(ctl, only, &net, err) < 0 ? -1 : network_show(ctl, &net, doc, err);
	else if (call_list_networks(ctl, LIST_ACTIVE, &list, err) < 0)
		r = ctl_error("Failed to list networks");
	for (u_int i = 0; r == 0 && i < list.nets.nets_len; i++) {
		if (i && !doc)
			printf("\n");
		r = network_show(ctl, &list.nets.nets_val[i], doc, err);
	}
	xdr_free(CALL_XDR(lv_list_all_networks_ret), &list);
	if (r == 0 && doc)
		return ctl_print_json(doc);
	json_decref(doc);
	return r;
}

static const struct arg_row map_rows[] = {
	{ "network", ARG_OPTIONAL, "network name or uuid; all active ones without it", VALUES_ACTIVE },
	ARG_JSON,
};

static const struct verb verbs[] = {
	{ "net-map", "draw active networks and their guests",
	  "Draws each active network: its way outside, its bridge and addresses, its guests with their "
	  "leases.",
	  run_map, VERB_ROWS(map_rows) },
};

const struct verb_group map_verbs = VERB_GROUP("Networks: as a picture", "map", verbs);
