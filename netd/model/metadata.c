/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/model/metadata.h"

#include <stdlib.h>
#include <string.h>

#include "netd/base/auto.h"
#include "netd/base/hash.h"
#include "netd/base/str.h"

static const char *ns_of(const xmlNode *node)
{
	return node->ns ? (const char *)node->ns->href : NULL;
}

/* Whether a child of <metadata> is kept; says so when it is not. */
static bool is_kept(struct xml_in *in, const xmlNode *node, struct nd_hash *seen)
{
	const char *ns = ns_of(node);

	if (node->type != XML_ELEMENT_NODE)
		return false;
	if (!ns) {
		xml_warn(in, node, "it has no namespace, dropped from <metadata>");
		return false;
	}
	if (nd_hash_find(seen, ns, strlen(ns))) {
		xml_warn(in, node, "<metadata> holds one element per namespace, dropped");
		return false;
	}
	/* Without memory a second one is kept: no harm but for its readers. */
	(void)nd_hash_set(seen, ns, strlen(ns), (void *)node);
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

static void drop_children(struct xml_in *in, const xmlNode *original, xmlNode *copy,
			  struct nd_hash *seen)
{
	xmlNode *child, *next;
	const xmlNode *node = original->children;

	for (child = copy->children; child; child = next, node = node->next) {
		next = child->next;
		if (!is_kept(in, node, seen))
			drop_child(child);
	}
}

static int metadata_parse(struct xml_in *in, const xmlNode *node, void *self)
{
	char **to = self;
	/* A copy declares all namespaces that it uses, also those of elements above it. */
	xmlNode *copy = xmlDocCopyNode((xmlNode *)node, node->doc, 1);
	struct nd_hash *seen = nd_hash_new();
	int r = copy && seen ? 0 : nd_error_nomem(in->err);

	if (r == 0)
		drop_children(in, node, copy, seen);
	if (r == 0 && copy->children) {
		*to = metadata_dump(copy, 1);
		if (!*to)
			r = nd_error_nomem(in->err);
	}
	nd_hash_free(seen);
	xmlFreeNode(copy);
	return r;
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
