/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nwfilter_format.c -- filters as documents, in libvirt's layout; what prints the same is the same */
#include <stdio.h>
#include <stdlib.h>

#include "netd/base/str.h"
#include "netd/model/nwfilter_attrs.h"

static void out_number(struct xml_out *out, const char *name, int n)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", n);
	xml_out_attr(out, name, text);
}

static void out_matches(struct xml_out *out, enum nwfilter_proto proto, const struct nwfilter_element *e)
{
	const struct nwfilter_proto_desc *p = &nwfilter_protos[proto];

	for (size_t i = 0; i < p->n_attrs; i++)
		for (size_t k = 0; k < e->n_matches; k++)
			if (e->matches[k].attr == &p->attrs[i])
				xml_out_attr(out, p->attrs[i].name, e->matches[k].text);
}

static void out_element(struct xml_out *out, enum nwfilter_proto proto, const struct nwfilter_element *e)
{
	xml_out_indent(out);
	nd_str_addf(&out->s, "<%s", nwfilter_proto_name(proto));
	if (e->negated)
		xml_out_attr(out, "match", "no");
	out_matches(out, proto, e);
	nd_str_add(&out->s, "/>\n");
}

static void out_rule(struct xml_out *out, const struct nwfilter_rule *rule)
{
	xml_out_indent(out);
	nd_str_add(&out->s, "<rule");
	xml_out_attr(out, "action", nwfilter_actions[rule->action]);
	xml_out_attr(out, "direction", nwfilter_directions[rule->direction]);
	out_number(out, "priority", rule->priority);
	if (rule->stateless)
		xml_out_attr(out, "statematch", "false");
	if (!rule->n_elements) {
		nd_str_add(&out->s, "/>\n");
		return;
	}
	nd_str_add(&out->s, ">\n");
	out->depth++;
	for (size_t i = 0; i < rule->n_elements; i++)
		out_element(out, rule->proto, &rule->elements[i]);
	out->depth--;
	xml_out_indent(out);
	nd_str_add(&out->s, "</rule>\n");
}

static void out_filter(struct xml_out *out, const struct nwfilter_def *def)
{
	char uuid[ND_UUID_STRLEN];

	nd_str_add(&out->s, "<filter");
	xml_out_attr(out, "name", def->name);
	xml_out_attr(out, "chain", def->chain);
	if (nwfilter_chain_proto(def->chain) != NWFILTER_ANY)
		out_number(out, "priority", def->priority);
	nd_str_add(&out->s, ">\n");
	out->depth++;
	if (def->has_uuid) {
		xml_out_indent(out);
		nd_str_addf(&out->s, "<uuid>%s</uuid>\n", nd_uuid_format(&def->uuid, uuid));
	}
	for (size_t i = 0; i < def->n_entries; i++)
		if (def->entries[i].is_ref)
			xml_elem_format(out, &elem_nwfilter_ref, &def->entries[i].ref, true);
		else
			out_rule(out, &def->entries[i].rule);
	out->depth--;
	nd_str_add(&out->s, "</filter>\n");
}

char *nwfilter_def_format(const struct nwfilter_def *def)
{
	struct xml_out out = { .root = def };

	out_filter(&out, def);
	return nd_str_take(&out.s);
}

bool nwfilter_def_equal(const struct nwfilter_def *a, const struct nwfilter_def *b)
{
	ND_AUTO(free) char *x = nwfilter_def_format(a), *y = nwfilter_def_format(b);

	return x && y && nd_streq(x, y);
}

static void out_text(struct xml_out *out, const char *name, const char *text)
{
	xml_out_indent(out);
	nd_str_addf(&out->s, "<%s>", name);
	xml_out_text(out, text);
	nd_str_addf(&out->s, "</%s>\n", name);
}

static void out_single(struct xml_out *out, const char *name, const char *attr, const char *value)
{
	xml_out_indent(out);
	nd_str_addf(&out->s, "<%s", name);
	xml_out_attr(out, attr, value);
	nd_str_add(&out->s, "/>\n");
}

char *nwfilter_binding_format(const struct nwfilter_binding *b)
{
	char uuid[ND_UUID_STRLEN], mac[ND_MAC_STRLEN];
	struct xml_out out = { .depth = 2 };

	nd_str_add(&out.s, "<filterbinding>\n  <owner>\n");
	out_text(&out, "name", b->owner_name);
	out_text(&out, "uuid", nd_uuid_format(&b->owner_uuid, uuid));
	out.depth = 1;
	nd_str_add(&out.s, "  </owner>\n");
	out_single(&out, "portdev", "name", b->device);
	out_single(&out, "mac", "address", nd_mac_format(&b->mac, mac));
	xml_elem_format(&out, &elem_nwfilter_ref, b->ref, true);
	nd_str_add(&out.s, "</filterbinding>\n");
	return nd_str_take(&out.s);
}
