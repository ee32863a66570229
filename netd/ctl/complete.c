/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/ctl/complete.h"

#include <stdlib.h>
#include <string.h>

#include "netd/base/array.h"
#include "netd/base/auto.h"
#include "netd/ctl/domain_doc.h"

struct completing {
	struct ctl *ctl;
	const char *start;
	struct completions *out;
};

void completions_free(struct completions *c)
{
	for (size_t i = 0; i < c->n; i++)
		free(c->words[i]);
	free(c->words);
	*c = (struct completions){ 0 };
}

/* Out of memory: one proposal less. */
static void propose(struct completing *c, const char *word)
{
	char *copy, **slot;

	if (strncmp(word, c->start, strlen(c->start)) != 0 || !(copy = strdup(word)))
		return;
	slot = nd_array_add(c->out->words, c->out->n);
	if (slot)
		*slot = copy;
	else
		free(copy);
}

static void propose_list(struct completing *c, const char *const *words)
{
	for (; *words; words++)
		propose(c, *words);
}

static void propose_verbs(struct completing *c)
{
	for (size_t g = 0; verb_groups[g]; g++)
		for (size_t i = 0; i < verb_groups[g]->n_verbs; i++)
			if (!verb_groups[g]->verbs[i].hidden)
				propose(c, verb_groups[g]->verbs[i].name);
}

/* A connection, without a word about it when there is none. */
static bool have_daemon(struct ctl *ctl)
{
	struct rpc_client_options opt = { .uri = ctl->uri, .read_only = ctl->read_only };
	struct nd_error ignored = { 0 };

	if (ctl->client)
		return rpc_client_is_alive(ctl->client);
	return rpc_client_new(&opt, &ctl->client, &ignored) == 0;
}

static void propose_networks(struct completing *c, unsigned flags, bool uuids)
{
	struct nd_error ignored = { 0 };
	lv_list_all_networks_ret list;

	if (!have_daemon(c->ctl) || call_list_networks(c->ctl, flags, &list, &ignored) < 0)
		return;
	for (u_int i = 0; i < list.nets.nets_len; i++) {
		const lv_net *net = &list.nets.nets_val[i];

		propose(c, uuids ? uuid_text(net->uuid).text : net->name);
	}
	xdr_free(CALL_XDR(lv_list_all_networks_ret), &list);
}

static void propose_filters(struct completing *c)
{
	struct nd_error ignored = { 0 };
	lv_list_all_networks_ret list;

	if (!have_daemon(c->ctl) || call_list_filters(c->ctl, &list, &ignored) < 0)
		return;
	for (u_int i = 0; i < list.nets.nets_len; i++)
		propose(c, list.nets.nets_val[i].name);
	xdr_free(CALL_XDR(lv_list_all_networks_ret), &list);
}

static void propose_bindings(struct completing *c)
{
	lv_list_all_nwfilter_bindings_ret list;
	struct nd_error ignored = { 0 };

	if (!have_daemon(c->ctl) || call_list_bindings(c->ctl, &list, &ignored) < 0)
		return;
	for (u_int i = 0; i < list.bindings.bindings_len; i++)
		propose(c, list.bindings.bindings_val[i].device);
	xdr_free(CALL_XDR(lv_list_all_nwfilter_bindings_ret), &list);
}

static void propose_domains(struct completing *c, unsigned flags)
{
	struct nd_error ignored = { 0 };
	lv_list_all_domains_ret list;

	if (!have_daemon(c->ctl) || dom_list(c->ctl, flags, &list, &ignored) < 0)
		return;
	for (u_int i = 0; i < list.domains.domains_len; i++)
		propose(c, list.domains.domains_val[i].name);
	xdr_free(CALL_XDR(lv_list_all_domains_ret), &list);
}

/* The command's first word that is no option: the network or guest that the next word is about. */
static const char *subject(char *const *words, size_t n)
{
	size_t i = 1;

	while (i < n && words[i][0] == '-')
		i++;
	return i < n ? words[i] : NULL;
}

static void propose_interfaces(struct completing *c, const char *guest)
{
	lv_name_args ask = { .name = (char *)guest };	/* only read */
	struct nd_error ignored = { 0 };
	ND_AUTO(xmlFreeDoc) xmlDoc *doc = NULL;
	lv_dom_ret ret = { 0 };

	if (!guest || !have_daemon(c->ctl) ||
	    call_lv(c->ctl, LV_PROC_DOMAIN_LOOKUP_BY_NAME, CALL_XDR(lv_name_args), &ask,
		    CALL_XDR(lv_dom_ret), &ret, &ignored) < 0)
		return;
	(void)domain_doc_get(c->ctl, &ret.dom, 0, &doc, &ignored);
	dom_fini(&ret.dom);
	for (xmlNode *nic = NULL; doc && (nic = domain_doc_device(doc, "interface", nic));) {
		ND_AUTO(free) char *device = device_value(nic, "target", "dev");
		ND_AUTO(free) char *mac = device_value(nic, "mac", "address");

		if (device)
			propose(c, device);
		if (mac)
			propose(c, mac);
	}
}

static void propose_ports(struct completing *c, const char *network)
{
	struct nd_error ignored = { 0 };
	ND_AUTO(net_fini) lv_net net = { 0 };
	lv_network_list_all_ports_ret list;

	if (!network || !have_daemon(c->ctl) ||
	    net_find_by_name(c->ctl, network, &net, &ignored) < 0 ||
	    call_list_ports(c->ctl, &net, &list, &ignored) < 0)
		return;
	for (u_int p = 0; p < list.ports.ports_len; p++)
		propose(c, uuid_text(list.ports.ports_val[p].uuid).text);
	xdr_free(CALL_XDR(lv_network_list_all_ports_ret), &list);
}

static void propose_values(struct completing *c, enum arg_values values, char *const *words,
			   size_t n)
{
	static const char *const events[] = { "lifecycle", "metadata-change", NULL };
	static const char *const commands[] = {
		"add", "add-first", "add-last", "delete", "modify", NULL,
	};
	static const char *const domain_events[] = {
		"lifecycle", "reboot", "device-removed", "device-added", "metadata-change", NULL,
	};
	static const char *const types[] = { "network", "bridge", "direct", NULL };
	static const char *const links[] = { "up", "down", NULL };
	static const char *const sources[] = { "lease", "agent", "arp", NULL };
	static const char *const sections[] = {
		"bridge", "domain", "ip", "ip-dhcp-host", "ip-dhcp-range", "forward",
		"forward-interface", "forward-pf", "portgroup", "dns-host", "dns-txt", "dns-srv",
		NULL,
	};

	switch (values) {
	case VALUES_NETWORK:	propose_networks(c, 0, false); break;
	case VALUES_ACTIVE:	propose_networks(c, LIST_ACTIVE, false); break;
	case VALUES_INACTIVE:	propose_networks(c, LIST_INACTIVE, false); break;
	case VALUES_PERSISTENT:	propose_networks(c, LIST_PERSISTENT, false); break;
	case VALUES_UUID:	propose_networks(c, 0, true); break;
	case VALUES_PORT:	propose_ports(c, subject(words, n)); break;
	case VALUES_EVENT:	propose_list(c, events); break;
	case VALUES_UPDATE_COMMAND:	propose_list(c, commands); break;
	case VALUES_UPDATE_SECTION:	propose_list(c, sections); break;
	case VALUES_VERB:	propose_verbs(c); break;
	case VALUES_FILTER:	propose_filters(c); break;
	case VALUES_BINDING:	propose_bindings(c); break;
	case VALUES_DOMAIN:	propose_domains(c, 0); break;
	case VALUES_DOMAIN_ACTIVE:	propose_domains(c, DOM_LIST_ACTIVE); break;
	case VALUES_DOMAIN_INACTIVE:	propose_domains(c, DOM_LIST_INACTIVE); break;
	case VALUES_DOMAIN_PERSISTENT:	propose_domains(c, DOM_LIST_PERSISTENT); break;
	case VALUES_DOMAIN_EVENT:	propose_list(c, domain_events); break;
	case VALUES_INTERFACE:	propose_interfaces(c, subject(words, n)); break;
	case VALUES_INTERFACE_TYPE:	propose_list(c, types); break;
	case VALUES_LINK_STATE:	propose_list(c, links); break;
	case VALUES_ADDRESS_SOURCE:	propose_list(c, sources); break;
	case VALUES_NONE: case VALUES_FILE: case VALUES_MAC: break;
	}
}

static const struct arg_row *row_named(const struct verb *v, const char *word)
{
	for (size_t i = 0; strncmp(word, "--", 2) == 0 && i < v->n_rows; i++)
		if (nd_streq(v->rows[i].name, word + 2))
			return &v->rows[i];
	return NULL;
}

static bool takes_value(const struct arg_row *r)
{
	return r && (r->kind == ARG_REQUIRED || r->kind == ARG_OPTIONAL || r->kind == ARG_NAMED);
}

static bool is_used(const struct arg_row *r, char *const *words, size_t n)
{
	for (size_t i = 1; i < n; i++)
		if (strncmp(words[i], "--", 2) == 0 && nd_streq(words[i] + 2, r->name))
			return true;
	return false;
}

static void propose_options(struct completing *c, const struct verb *v, char *const *words,
			    size_t n)
{
	for (size_t i = 0; i < v->n_rows; i++) {
		ND_AUTO(free) char *option = NULL;

		if (v->rows[i].kind == ARG_WORDS || is_used(&v->rows[i], words, n))
			continue;
		if (asprintf(&option, "--%s", v->rows[i].name) < 0)
			option = NULL;
		else
			propose(c, option);
	}
}

/* The row that the next word without dashes would fill. */
static const struct arg_row *next_positional(const struct verb *v, char *const *words, size_t n)
{
	size_t filled = 0;

	for (size_t i = 1; i < n; i++) {
		if (takes_value(row_named(v, words[i])))
			i++;
		else if (words[i][0] != '-')
			filled++;
	}
	for (size_t i = 0; i < v->n_rows; i++) {
		const struct arg_row *r = &v->rows[i];

		if (r->kind == ARG_WORDS && r->values != VALUES_NONE)
			return r;
		if ((r->kind != ARG_REQUIRED && r->kind != ARG_OPTIONAL) || is_used(r, words, n))
			continue;
		if (filled-- == 0)
			return r;
	}
	return NULL;
}

void complete_words(struct ctl *ctl, char *const *words, size_t n, const char *start,
		    struct completions *out)
{
	struct completing c = { .ctl = ctl, .start = start, .out = out };
	const struct arg_row *row;
	const struct verb *v;

	*out = (struct completions){ 0 };
	if (n == 0) {
		propose_verbs(&c);
		return;
	}
	v = verb_find(words[0]);
	if (!v)
		return;
	row = n > 1 ? row_named(v, words[n - 1]) : NULL;
	if (takes_value(row)) {
		propose_values(&c, row->values, words, n);
		return;
	}
	if (start[0] == '-') {
		propose_options(&c, v, words, n);
		return;
	}
	row = next_positional(v, words, n);
	if (row)
		propose_values(&c, row->values, words, n);
	else
		propose_options(&c, v, words, n);
}
