/* SPDX-License-Identifier: GPL-2.0-or-later */
/* table.c -- reading an element by its table */
#include "netd/model/table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "netd/base/addr.h"
#include "netd/base/array.h"
#include "netd/model/network.h"

static void *field(void *self, size_t at)
{
	return (char *)self + at;
}

static uint64_t field_max(const struct xml_attr *a)
{
	if (a->max)
		return a->max;
	return a->size >= 8 ? UINT64_MAX : (UINT64_C(1) << (8 * a->size)) - 1;
}

static void store_uint(void *to, size_t size, uint64_t v)
{
	switch (size) {
	case 1: *(uint8_t *)to = (uint8_t)v; break;
	case 2: *(uint16_t *)to = (uint16_t)v; break;
	case 4: *(uint32_t *)to = (uint32_t)v; break;
	default: *(uint64_t *)to = v;
	}
}

static bool has_0x(const char *text)
{
	return text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
}

/* Hexadecimal digits with or without one 0x. */
static bool parse_hex(const char *text, uint64_t max, uint64_t *out)
{
	if (has_0x(text))
		text += 2;
	return !has_0x(text) && nd_parse_uint(text, 16, 0, max, out);
}

static bool parse_number(const struct xml_attr *a, const char *text, uint64_t *out)
{
	if (a->kind == XML_HEX || (a->or_hex && has_0x(text)))
		return parse_hex(text, field_max(a), out);
	return nd_parse_uint(text, 10, a->min, field_max(a), out);
}

static bool parse_enum(const struct xml_attr *a, const char *text, void *to)
{
	size_t i;

	for (i = 0; i < a->n_names; i++) {
		if (a->names[i] && nd_streq(a->names[i], text)) {
			*(int *)to = (int)i;
			return true;
		}
	}
	return false;
}

static bool parse_tristate(const char *text, enum tristate *to)
{
	if (!nd_streq(text, "yes") && !nd_streq(text, "no"))
		return false;
	*to = nd_streq(text, "yes") ? TRI_YES : TRI_NO;
	return true;
}

/* Reads what is not a string; false when the text is not of the kind. */
static bool parse_value(const struct xml_attr *a, const char *text, void *self)
{
	void *to = field(self, a->at);
	uint64_t v;
	bool good = true;

	switch (a->kind) {
	case XML_TRI:
		return parse_tristate(text, to);
	case XML_YES:
		*(bool *)to = strcasecmp(text, "yes") == 0;
		return true;
	case XML_UINT:
	case XML_HEX:
		good = parse_number(a, text, &v);
		if (good)
			store_uint(to, a->size, v);
		break;
	case XML_PREFIX:
		good = nd_parse_uint(text, 10, 0, INT32_MAX, &v);
		if (good)
			*(int *)to = (int)v;
		break;
	case XML_ENUM:
		return parse_enum(a, text, to);
	case XML_IP:
		return nd_ip_parse(text, to);
	case XML_MAC:
		good = nd_mac_parse(text, to);
		break;
	case XML_UUID:
		good = nd_uuid_parse(text, to);
		break;
	case XML_STR:
	case XML_HOOK:
		break;
	}
	if (good && a->has_flag)
		*(bool *)field(self, a->has_at) = true;
	return good;
}

/* What a value of the row must be: "a number from 0 to 4095", "one of kernel, libvirt". */
static void describe(const struct xml_attr *a, struct nd_str *s)
{
	const char *before = "one of ";
	size_t i;

	switch (a->kind) {
	case XML_TRI:	 nd_str_add(s, "yes or no"); break;
	case XML_PREFIX: nd_str_add(s, "a prefix length"); break;
	case XML_IP:	 nd_str_add(s, "an IP address"); break;
	case XML_MAC:	 nd_str_add(s, "a MAC address"); break;
	case XML_UUID:	 nd_str_add(s, "a UUID"); break;
	case XML_UINT:
		nd_str_addf(s, "a number from %llu to %llu", (unsigned long long)a->min,
			    (unsigned long long)field_max(a));
		break;
	case XML_HEX:
		nd_str_addf(s, "a number from 0x0 to 0x%llx", (unsigned long long)field_max(a));
		break;
	case XML_ENUM:
		for (i = 0; i < a->n_names; i++) {
			if (!a->names[i])
				continue;
			nd_str_add(s, before);
			nd_str_add(s, a->names[i]);
			before = ", ";
		}
		break;
	default:
		nd_str_add(s, "a known value");
	}
}

static enum nd_err attr_err(const struct xml_attr *a)
{
	return a->err ? a->err : ND_ERR_XML;
}

static int bad_value(struct xml_in *in, const xmlNode *node, const struct xml_attr *a,
		     const char *text)
{
	ND_AUTO(nd_str_free) struct nd_str wanted = { 0 };

	if (a->bad)
		return xml_fail(in, node, attr_err(a), "%s '%.200s'", a->bad, text);
	describe(a, &wanted);
	return xml_fail(in, node, attr_err(a), "%s%s'%.200s' is not %s", a->name ? a->name : "",
			a->name ? " " : "", text, wanted.failed ? "valid" : wanted.text);
}

static int set_value(struct xml_in *in, const xmlNode *node, const struct xml_attr *a,
		     const char *text, void *self)
{
	char **s = field(self, a->at);

	if (a->kind == XML_HOOK || (a->output_only && !in->live))
		return 0;
	if (a->kind == XML_STR) {
		free(*s);
		*s = NULL;
		if (!*text && !a->may_be_empty)
			return a->required ? xml_fail(in, node, attr_err(a),
						      "attribute '%s' is empty", a->name) : 0;
		*s = strdup(text);
		return *s ? 0 : nd_error_nomem(in->err);
	}
	if (parse_value(a, text, self))
		return 0;
	return bad_value(in, node, a, text);
}

static const struct xml_attr *find_attr(const struct xml_elem *elem, const xmlAttr *attr,
					size_t *at_out)
{
	size_t i;

	if (attr->ns)
		return NULL;
	for (i = 0; i < elem->n_attrs; i++) {
		*at_out = i;
		if (elem->attrs[i].name && nd_streq(elem->attrs[i].name, (const char *)attr->name))
			return &elem->attrs[i];
	}
	return NULL;
}

static int unknown_attr(struct xml_in *in, const xmlNode *node, const char *name)
{
	if (in->strict)
		return xml_fail(in, node, ND_ERR_CONFIG_UNSUPPORTED,
				"attribute '%.100s' is not supported", name);
	xml_warn(in, node, "attribute '%.100s' is not known, ignored", name);
	return 0;
}

static int unknown_child(struct xml_in *in, const xmlNode *node, const char *parent)
{
	if (in->strict)
		return xml_fail(in, node, ND_ERR_CONFIG_UNSUPPORTED, "not supported inside <%s>",
				parent);
	xml_warn(in, node, "not known inside <%s>, ignored", parent);
	return 0;
}

static int stray_text(struct xml_in *in, const xmlNode *node)
{
	if (in->strict)
		return xml_fail(in, node, ND_ERR_XML, "there is text in it that means nothing");
	xml_warn(in, node, "text inside it is ignored");
	return 0;
}

static int parse_attrs(struct xml_in *in, const struct xml_elem *elem, const xmlNode *node,
		       void *self)
{
	uint32_t seen = 0;
	const xmlAttr *attr;
	size_t i = 0;
	int r = 0;

	for (attr = node->properties; attr; attr = attr->next) {
		const struct xml_attr *a = find_attr(elem, attr, &i);
		xmlChar *value;

		if (!a) {
			r = unknown_attr(in, node, (const char *)attr->name);
			if (r < 0)
				return r;
			continue;
		}
		seen |= 1U << i;
		value = xmlNodeListGetString(node->doc, attr->children, 1);
		r = set_value(in, node, a, value ? (const char *)value : "", self);
		xmlFree(value);
		if (r < 0)
			return r;
	}
	for (i = 0; i < elem->n_attrs; i++) {
		const struct xml_attr *a = &elem->attrs[i];

		if (a->name && a->required && !(seen & 1U << i))
			return xml_fail(in, node, attr_err(a), "attribute '%s' is missing", a->name);
	}
	return 0;
}

static bool is_elem(const struct xml_elem *elem, const xmlNode *node)
{
	const char *ns = node->ns ? (const char *)node->ns->href : NULL;

	return nd_streq(elem->name, (const char *)node->name) && nd_streq0(elem->ns, ns);
}

static const struct xml_child *find_child(const struct xml_elem *elem, const xmlNode *node,
					  size_t *at_out)
{
	size_t i;

	for (i = 0; i < elem->n_children; i++) {
		*at_out = i;
		if (is_elem(elem->children[i].elem, node))
			return &elem->children[i];
	}
	return NULL;
}

static int parse_array_item(struct xml_in *in, const struct xml_child *c, const xmlNode *node,
			    void *self)
{
	void **items = field(self, c->at);
	size_t *n = field(self, c->n_at);
	void *item;

	if (nd_array_grow(items, *n, c->elem->size) < 0)
		return nd_error_nomem(in->err);
	item = field(*items, *n * c->elem->size);
	memset(item, 0, c->elem->size);
	(*n)++;		/* before it is filled: whatever it holds by then is freed with the rest */
	return xml_elem_parse(in, c->elem, node, item);
}

static int parse_child(struct xml_in *in, const struct xml_elem *elem, const xmlNode *node,
		       void *self, uint32_t *seen)
{
	size_t i = 0;
	const struct xml_child *c = find_child(elem, node, &i);

	if (!c)
		return unknown_child(in, node, elem->name);
	if (c->array)
		return parse_array_item(in, c, node, self);
	if (*seen & 1U << i) {
		if (c->repeat || in->strict)
			return xml_fail(in, node, c->repeat ? c->repeat : ND_ERR_XML, "only one is possible in <%s>",
					elem->name);
		xml_warn(in, node, "only the first one in <%s> counts, ignored", elem->name);
		return 0;
	}
	*seen |= 1U << i;
	return xml_elem_parse(in, c->elem, node, field(self, c->at));
}

static int parse_children(struct xml_in *in, const struct xml_elem *elem, const xmlNode *node,
			  void *self)
{
	const xmlNode *child;
	uint32_t seen = 0;
	int r;

	for (child = node->children; child; child = child->next) {
		if (child->type == XML_ELEMENT_NODE) {
			r = parse_child(in, elem, child, self, &seen);
			if (r < 0)
				return r;
		} else if ((child->type == XML_TEXT_NODE || child->type == XML_CDATA_SECTION_NODE) &&
			   !xmlIsBlankNode(child)) {
			r = stray_text(in, node);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

/* An empty text counts as absent. */
static int parse_text(struct xml_in *in, const struct xml_elem *elem, const xmlNode *node,
		      void *self)
{
	const struct xml_attr *a = &elem->attrs[0];
	xmlChar *text;
	int r = 0;

	if (in->strict && xmlFirstElementChild((xmlNode *)node))
		return unknown_child(in, xmlFirstElementChild((xmlNode *)node), elem->name);
	if (in->strict || elem->n_attrs > 1)
		r = parse_attrs(in, elem, node, self);
	if (r < 0)
		return r;
	text = xmlNodeGetContent(node);
	if (text && *text)
		r = set_value(in, node, a, (const char *)text, self);
	else if (a->required)
		r = xml_fail(in, node, attr_err(a), "it has no text");
	xmlFree(text);
	return r;
}

int xml_elem_parse(struct xml_in *in, const struct xml_elem *elem, const xmlNode *node,
		   void *self)
{
	int r;

	if (elem->line_at)
		*(int *)field(self, elem->line_at) = (int)xmlGetLineNo(node);
	if (elem->init)
		elem->init(self);
	if (elem->parse)
		return elem->parse(in, node, self);
	if (elem->n_attrs && !elem->attrs[0].name) {
		r = parse_text(in, elem, node, self);
	} else {
		r = parse_attrs(in, elem, node, self);
		if (r == 0)
			r = parse_children(in, elem, node, self);
	}
	if (r == 0 && elem->check)
		r = elem->check(in, node, self);
	return r;
}
