/* SPDX-License-Identifier: GPL-2.0-or-later */
/* table_format.c -- printing an element by its table */
#include <stdio.h>

#include "netd/base/addr.h"
#include "netd/model/network.h"
#include "netd/model/table.h"

static const void *field(const void *self, size_t at)
{
	return (const char *)self + at;
}

void xml_out_indent(struct xml_out *out)
{
	unsigned i;

	for (i = 0; i < out->depth; i++)
		nd_str_add(&out->s, "  ");
}

/*
 * Line ends and tabs in an attribute, and carriage returns anywhere, would come back from a
 * parser as blanks or line ends; as references they survive.
 */
static void add_escaped(struct nd_str *s, const char *text, bool attribute)
{
	const char *from = text;

	for (; *text; text++) {
		const char *ref = NULL;

		switch (*text) {
		case '&':  ref = "&amp;"; break;
		case '<':  ref = "&lt;"; break;
		case '>':  ref = "&gt;"; break;
		case '\'': ref = "&apos;"; break;
		case '"':  ref = "&quot;"; break;
		case '\r': ref = "&#xD;"; break;
		case '\n': ref = attribute ? "&#xA;" : NULL; break;
		case '\t': ref = attribute ? "&#x9;" : NULL; break;
		}
		if (!ref)
			continue;
		nd_str_addn(s, from, (size_t)(text - from));
		nd_str_add(s, ref);
		from = text + 1;
	}
	nd_str_addn(s, from, (size_t)(text - from));
}

void xml_out_attr(struct xml_out *out, const char *name, const char *value)
{
	nd_str_addf(&out->s, " %s='", name);
	add_escaped(&out->s, value, true);
	nd_str_add(&out->s, "'");
}

void xml_out_text(struct xml_out *out, const char *value)
{
	add_escaped(&out->s, value, false);
}

static uint64_t load_uint(const void *from, size_t size)
{
	switch (size) {
	case 1: return *(const uint8_t *)from;
	case 2: return *(const uint16_t *)from;
	case 4: return *(const uint32_t *)from;
	default: return *(const uint64_t *)from;
	}
}

/* The value as text in buf or borrowed; NULL: absent. */
static const char *value_text(const struct xml_attr *a, const void *self, char *buf, size_t size)
{
	const void *from = field(self, a->at);
	uint64_t v;

	if (a->has_flag && !*(const bool *)field(self, a->has_at))
		return NULL;
	switch (a->kind) {
	case XML_STR:
		return *(char *const *)from;
	case XML_TRI:
		v = *(const enum tristate *)from;
		return v == TRI_YES ? "yes" : v == TRI_NO ? "no" : NULL;
	case XML_YES:
		return *(const bool *)from ? "yes" : NULL;
	case XML_UINT:
		v = load_uint(from, a->size);
		snprintf(buf, size, "%llu", (unsigned long long)v);
		return v || a->has_flag || a->required || a->print_zero ? buf : NULL;
	case XML_HEX:
		v = load_uint(from, a->size);
		snprintf(buf, size, "0x%0*llx", a->digits, (unsigned long long)v);
		return buf;
	case XML_PREFIX:
		snprintf(buf, size, "%d", *(const int *)from);
		return *(const int *)from >= 0 ? buf : NULL;
	case XML_ENUM:
		v = *(const unsigned *)from;
		return v < a->n_names ? a->names[v] : NULL;
	case XML_IP:
		return ((const struct nd_ip *)from)->family ? nd_ip_format(from, buf) : NULL;
	case XML_MAC:
		return nd_mac_format(from, buf);
	case XML_UUID:
		return nd_uuid_format(from, buf);
	case XML_HOOK:
		break;
	}
	return NULL;
}

void xml_out_attrs(struct xml_out *out, const struct xml_elem *elem, const void *self)
{
	char buf[64];
	size_t i;

	for (i = 0; i < elem->n_attrs; i++) {
		const struct xml_attr *a = &elem->attrs[i];
		const char *text;

		if (!a->name || (a->output_only && (out->flags & NET_FORMAT_INACTIVE)))
			continue;
		if (a->format) {
			a->format(out, self);
			continue;
		}
		text = value_text(a, self, buf, sizeof(buf));
		if (text)
			xml_out_attr(out, a->name, text);
	}
}

static void format_children(struct xml_out *out, const struct xml_elem *elem, const void *self)
{
	size_t i, k;

	out->depth++;
	for (i = 0; i < elem->n_children; i++) {
		const struct xml_child *c = &elem->children[i];
		const char *items;

		if (!c->array) {
			xml_elem_format(out, c->elem, field(self, c->at), false);
			continue;
		}
		items = *(char *const *)field(self, c->at);
		for (k = 0; k < *(const size_t *)field(self, c->n_at); k++)
			xml_elem_format(out, c->elem, items + k * c->elem->size, true);
	}
	out->depth--;
}

static void truncate_to(struct nd_str *s, size_t len)
{
	if (s->failed || s->len == len)
		return;
	s->len = len;
	s->text[len] = '\0';
}

static void format_text(struct xml_out *out, const struct xml_elem *elem, const void *self)
{
	char buf[64];
	const char *text = value_text(&elem->attrs[0], self, buf, sizeof(buf));

	if (!text)
		return;
	xml_out_indent(out);
	nd_str_addf(&out->s, "<%s", elem->name);
	xml_out_attrs(out, elem, self);
	nd_str_add(&out->s, ">");
	xml_out_text(out, text);
	nd_str_addf(&out->s, "</%s>\n", elem->name);
}

static void add_tag(struct xml_out *out, const char *bracket, const struct xml_elem *elem)
{
	nd_str_addf(&out->s, "%s%s%s%s", bracket, elem->prefix ? elem->prefix : "",
		    elem->prefix ? ":" : "", elem->name);
}

/* Open tag, attributes, children, closing tag; what turns out empty is taken back. */
static void format_tree(struct xml_out *out, const struct xml_elem *elem, const void *self,
			bool keep)
{
	size_t start = out->s.len, attrs, content;

	xml_out_indent(out);
	add_tag(out, "<", elem);
	attrs = out->s.len;
	xml_out_attrs(out, elem, self);
	keep |= out->s.len > attrs;
	content = out->s.len;
	nd_str_add(&out->s, ">\n");
	attrs = out->s.len;
	format_children(out, elem, self);
	if (out->s.len == attrs && !keep) {
		truncate_to(&out->s, start);
	} else if (out->s.len == attrs && !elem->spread) {
		truncate_to(&out->s, content);
		nd_str_add(&out->s, "/>\n");
	} else {
		xml_out_indent(out);
		add_tag(out, "</", elem);
		nd_str_add(&out->s, ">\n");
	}
}

void xml_elem_format(struct xml_out *out, const struct xml_elem *elem, const void *self,
		     bool in_array)
{
	bool absent = elem->present && !elem->present(out, self);

	if (elem->format)
		elem->format(out, self);
	else if (absent)
		return;
	else if (elem->n_attrs && !elem->attrs[0].name)
		format_text(out, elem, self);
	else
		format_tree(out, elem, self, in_array || elem->present);
}
