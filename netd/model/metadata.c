/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/model/metadata.h"

#include <stdlib.h>
#include <string.h>

#include "netd/base/auto.h"
#include "netd/base/str.h"

static const char *ns_of(const xmlNode *node)
{
	return node->ns ? (const char *)node->ns->href : NULL;
}

static bool is_first_of_ns(const xmlNode *node)
{
	const xmlNode *before;

	for (before = node->prev; before; before = before->prev)
		if (before->type == XML_ELEMENT_NODE && nd_streq0(ns_of(before), ns_of(node)))
			return false;
	return true;
}

/* Serialises a node so that it stands alone: with the namespaces that it uses declared in it. */
static int add_node(struct xml_in *in, struct nd_str *s, xmlNode *node)
{
	xmlNode *copy = xmlDocCopyNode(node, node->doc, 1);
	xmlBuffer *buf = xmlBufferCreate();
	int r = copy && buf ? xmlNodeDump(buf, node->doc, copy, 0, 0) : -1;

	if (r >= 0)
		nd_str_add(s, (const char *)xmlBufferContent(buf));
	xmlBufferFree(buf);
	xmlFreeNode(copy);
	return r < 0 ? nd_error_nomem(in->err) : 0;
}

static int add_child(struct xml_in *in, struct nd_str *s, xmlNode *node)
{
	if (node->type != XML_ELEMENT_NODE)
		return node->type == XML_TEXT_NODE ? add_node(in, s, node) : 0;
	if (!ns_of(node)) {
		xml_warn(in, node, "it has no namespace, dropped from <metadata>");
		return 0;
	}
	if (!is_first_of_ns(node)) {
		xml_warn(in, node, "<metadata> holds one element per namespace, dropped");
		return 0;
	}
	return add_node(in, s, node);
}

static bool has_element(const xmlNode *node)
{
	const xmlNode *child;

	for (child = node->children; child; child = child->next)
		if (child->type == XML_ELEMENT_NODE && ns_of(child))
			return true;
	return false;
}

static int metadata_parse(struct xml_in *in, const xmlNode *node, void *self)
{
	ND_AUTO(nd_str_free) struct nd_str s = { 0 };
	char **to = self;
	xmlNode *child;

	for (child = node->children; child; child = child->next) {
		int r = add_child(in, &s, child);

		if (r < 0)
			return r;
	}
	if (!has_element(node))
		return 0;
	*to = nd_str_take(&s);
	return *to ? 0 : nd_error_nomem(in->err);
}

static void metadata_format(struct xml_out *out, const void *self)
{
	const char *content = *(char *const *)self;

	if (!content)
		return;
	xml_out_indent(out);
	nd_str_add(&out->s, "<metadata>");
	nd_str_add(&out->s, content);
	nd_str_add(&out->s, "</metadata>\n");
}

static const struct xml_attr metadata_attrs[] = {
	{ .kind = XML_STR, .size = sizeof(char *) },
};

const struct xml_elem elem_metadata = {
	.name = "metadata", .size = sizeof(char *), XML_ATTRS(metadata_attrs),
	.parse = metadata_parse, .format = metadata_format,
};
