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

/* Whether a child of <metadata> is kept; says so when it is not. */
static bool is_kept(struct xml_in *in, const xmlNode *node)
{
	if (node->type != XML_ELEMENT_NODE)
		return false;
	if (!ns_of(node)) {
		xml_warn(in, node, "it has no namespace, dropped from <metadata>");
		return false;
	}
	if (!is_first_of_ns(node)) {
		xml_warn(in, node, "<metadata> holds one element per namespace, dropped");
		return false;
	}
	return true;
}

static void drop_child(xmlNode *node)
{
	xmlUnlinkNode(node);
	xmlFreeNode(node);
}

char *metadata_dump(xmlNode *node, int depth)
{
	xmlBuffer *buf = xmlBufferCreate();
	char *text = NULL;

	if (buf && xmlNodeDump(buf, node->doc, node, depth, 1) >= 0)
		text = strdup((const char *)xmlBufferContent(buf));
	xmlBufferFree(buf);
	return text;
}

static int metadata_parse(struct xml_in *in, const xmlNode *node, void *self)
{
	char **to = self;
	/* A copy declares all namespaces that it uses, also those of elements above it. */
	xmlNode *copy = xmlDocCopyNode((xmlNode *)node, node->doc, 1);
	xmlNode *child, *next;
	const xmlNode *original = node->children;

	if (!copy)
		return nd_error_nomem(in->err);
	for (child = copy->children; child; child = next, original = original->next) {
		next = child->next;
		if (!is_kept(in, original))
			drop_child(child);
	}
	if (copy->children) {
		*to = metadata_dump(copy, 1);
		if (!*to) {
			xmlFreeNode(copy);
			return nd_error_nomem(in->err);
		}
	}
	xmlFreeNode(copy);
	return 0;
}

static void metadata_format(struct xml_out *out, const void *self)
{
	const char *content = *(char *const *)self;

	if (!content)
		return;
	xml_out_indent(out);
	nd_str_add(&out->s, content);
	nd_str_add(&out->s, "\n");
}

static const struct xml_attr metadata_attrs[] = {
	{ .kind = XML_STR, .size = sizeof(char *) },
};

const struct xml_elem elem_metadata = {
	.name = "metadata", .size = sizeof(char *), XML_ATTRS(metadata_attrs),
	.parse = metadata_parse, .format = metadata_format,
};
