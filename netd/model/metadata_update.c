/* SPDX-License-Identifier: GPL-2.0-or-later */
/* metadata_update.c -- reading and changing title, description and <metadata> */
#include <errno.h>
#include <libxml/parser.h>
#include <stdlib.h>
#include <string.h>

#include "netd/base/str.h"
#include "netd/model/metadata.h"
#include "netd/model/update.h"

static const char *ns_of(const xmlNode *node)
{
	return node->ns ? (const char *)node->ns->href : NULL;
}

static xmlNode *element_of_ns(xmlDoc *doc, const char *uri)
{
	xmlNode *child = xmlDocGetRootElement(doc)->children;

	for (; child; child = child->next)
		if (child->type == XML_ELEMENT_NODE && nd_streq0(ns_of(child), uri))
			return child;
	return NULL;
}

static int read_metadata(const struct metadata_texts *t, xmlDoc **out, struct nd_error *err)
{
	const char *xml = *t->metadata ? *t->metadata : "<metadata/>";

	return xml_doc_parse(xml, strlen(xml), "(metadata)", out, err);
}

/* The next node of the tree below top in document order, or NULL. */
static xmlNode *next_node(xmlNode *node, const xmlNode *top)
{
	if (node->children)
		return node->children;
	while (node != top && !node->next)
		node = node->parent;
	return node == top ? NULL : node->next;
}

/* Gives every element of the tree that is in namespace `from` the namespace `to`. */
static void move_to_ns(xmlNode *top, const char *from, xmlNs *to)
{
	xmlNode *node;

	for (node = top; node; node = next_node(node, top))
		if (node->type == XML_ELEMENT_NODE && nd_streq0(ns_of(node), from))
			node->ns = to;
}

/* Takes the declarations of a namespace that nothing uses any more off an element. */
static void drop_declarations(xmlNode *node, const char *uri)
{
	xmlNs **at = &node->nsDef;

	while (*at) {
		xmlNs *ns = *at;

		if (nd_streq((const char *)ns->href, uri)) {
			*at = ns->next;
			xmlFreeNs(ns);
		} else {
			at = &ns->next;
		}
	}
}

static bool attribute_uses(const xmlNode *top, const char *uri)
{
	xmlNode *node;
	const xmlAttr *attr;

	for (node = (xmlNode *)top; node; node = next_node(node, top))
		for (attr = node->type == XML_ELEMENT_NODE ? node->properties : NULL; attr;
		     attr = attr->next)
			if (attr->ns && nd_streq((const char *)attr->ns->href, uri))
				return true;
	return false;
}

/* The client gave the element without a namespace and gets it back so. */
static void strip_ns(xmlNode *top, const char *uri)
{
	xmlNode *node;

	if (attribute_uses(top, uri))
		return;
	move_to_ns(top, uri, NULL);
	for (node = top; node; node = next_node(node, top))
		if (node->type == XML_ELEMENT_NODE)
			drop_declarations(node, uri);
}

static int dump(xmlNode *node, int depth, char **out, struct nd_error *err)
{
	*out = metadata_dump(node, depth);
	return *out ? 0 : nd_error_nomem(err);
}

static int no_metadata(const struct metadata_texts *t, struct nd_error *err)
{
	return nd_error_set(err, t->missing, "Requested metadata element is not present");
}

static int get_element(const struct metadata_texts *t, const char *uri, char **out,
		       struct nd_error *err)
{
	ND_AUTO(xmlFreeDoc) xmlDoc *doc = NULL;
	xmlNode *node, *copy;
	int r;

	if (!uri)
		return nd_error_set(err, ND_ERR_INVALID_ARG, "uri must not be NULL");
	r = read_metadata(t, &doc, err);
	if (r < 0)
		return r;
	node = element_of_ns(doc, uri);
	if (!node)
		return no_metadata(t, err);
	copy = xmlDocCopyNode(node, doc, 1);
	if (!copy)
		return nd_error_nomem(err);
	strip_ns(copy, uri);
	r = dump(copy, 0, out, err);
	xmlFreeNode(copy);
	return r;
}

static int unknown_type(int type, struct nd_error *err)
{
	return nd_error_set(err, ND_ERR_INVALID_ARG, "invalid argument: unknown metadata type '%d'",
			    type);
}

int metadata_get(const struct metadata_texts *t, int type, const char *uri, char **out,
		 struct nd_error *err)
{
	const char *text;

	switch (type) {
	case METADATA_DESCRIPTION:
		text = *t->description;
		break;
	case METADATA_TITLE:
		text = *t->title;
		break;
	case METADATA_ELEMENT:
		return get_element(t, uri, out, err);
	default:
		return unknown_type(type, err);
	}
	if (!text)
		return no_metadata(t, err);
	*out = strdup(text);
	return *out ? 0 : nd_error_nomem(err);
}

/* Puts the element that the client gave into its namespace. */
static int inject_ns(xmlNode *root, const char *key, const char *uri, struct nd_error *err)
{
	xmlNs *ns;

	if (ns_of(root))
		return nd_streq(ns_of(root), uri) ? 0
			: nd_error_set(err, ND_ERR_INVALID_ARG, "the element is in the namespace "
				       "'%.200s', not in '%.200s'", ns_of(root), uri);
	if (xmlValidateNCName((const xmlChar *)key, 0) != 0)
		return nd_error_set(err, ND_ERR_INVALID_ARG,
				    "'%.200s' cannot be the prefix of a namespace", key);
	ns = xmlNewNs(root, (const xmlChar *)uri, (const xmlChar *)key);
	if (!ns)
		return nd_error_set(err, ND_ERR_INVALID_ARG,
				    "the element declares the prefix '%.200s' itself", key);
	move_to_ns(root, NULL, ns);
	return 0;
}

static int add_element(xmlDoc *doc, const char *text, const char *key, const char *uri,
		       struct nd_error *err)
{
	ND_AUTO(xmlFreeDoc) xmlDoc *given = NULL;
	xmlNode *copy;
	int r = xml_doc_parse(text, strlen(text), "(metadata_xml)", &given, err);

	if (r == 0)
		r = inject_ns(xmlDocGetRootElement(given), key, uri, err);
	if (r < 0)
		return r;
	copy = xmlDocCopyNode(xmlDocGetRootElement(given), doc, 1);
	if (!copy)
		return nd_error_nomem(err);
	if (!xmlAddChild(xmlDocGetRootElement(doc), copy)) {
		xmlFreeNode(copy);
		return nd_error_nomem(err);
	}
	return 0;
}

static int set_element(const struct metadata_texts *t, const char *text, const char *key, const char *uri,
		       struct nd_error *err)
{
	ND_AUTO(xmlFreeDoc) xmlDoc *doc = NULL;
	xmlNode *old;
	int r;

	if (!uri || !*uri)
		return nd_error_set(err, ND_ERR_INVALID_ARG, "uri must not be NULL");
	if (text && !key)
		return nd_error_set(err, ND_ERR_INVALID_ARG, "key must not be NULL");
	r = read_metadata(t, &doc, err);
	if (r < 0)
		return r;
	old = element_of_ns(doc, uri);
	if (old) {
		xmlUnlinkNode(old);
		xmlFreeNode(old);
	}
	r = text ? add_element(doc, text, key, uri, err) : 0;
	if (r < 0)
		return r;
	free(*t->metadata);
	*t->metadata = NULL;
	if (!xmlDocGetRootElement(doc)->children)
		return 0;
	return dump(xmlDocGetRootElement(doc), 1, t->metadata, err);
}

static int set_text(char **to, const char *text, struct nd_error *err)
{
	free(*to);
	*to = NULL;
	if (!text || !*text)
		return 0;
	*to = strdup(text);
	return *to ? 0 : nd_error_nomem(err);
}

int metadata_unprintable(struct nd_error *err)
{
	return nd_error_set(err, ND_ERR_INVALID_ARG, "the text has characters that XML cannot hold");
}

int metadata_set(const struct metadata_texts *t, int type, const char *text, const char *key,
		 const char *uri, struct nd_error *err)
{
	if (type == METADATA_ELEMENT)
		return set_element(t, text, key, uri, err);
	if (type != METADATA_TITLE && type != METADATA_DESCRIPTION)
		return unknown_type(type, err);
	if (key || uri)
		return nd_error_set(err, ND_ERR_INVALID_ARG,
				    "key and uri are only for a metadata element");
	if (type == METADATA_DESCRIPTION)
		return set_text(t->description, text, err);
	if (text && strchr(text, '\n'))
		return nd_error_set(err, ND_ERR_INVALID_ARG,
				    "metadata title can't contain newlines");
	return set_text(t->title, text, err);
}

/* ---- of a network ---- */

static struct metadata_texts texts_of(struct net_def *def)
{
	return (struct metadata_texts){ &def->title, &def->description, &def->metadata,
					ND_ERR_NO_NETWORK_METADATA };
}

int net_def_get_metadata(const struct net_def *def, int type, const char *uri, char **out,
			 struct nd_error *err)
{
	const struct metadata_texts t = texts_of((struct net_def *)def);	/* only read */

	return metadata_get(&t, type, uri, out, err);
}

/* A client's string may hold what XML cannot: control characters, broken UTF-8. */
static int check_printable(const struct net_def *def, struct nd_error *err)
{
	ND_AUTO(free) char *xml = net_def_format(def, 0);
	ND_AUTO(net_def_free) struct net_def *again = NULL;

	if (!xml)
		return nd_error_nomem(err);
	return net_def_parse(xml, strlen(xml), &again, NULL) < 0 ? metadata_unprintable(err) : 0;
}

int net_def_set_metadata(const struct net_def *def, int type, const char *text, const char *key,
			 const char *uri, struct net_def **out, struct nd_error *err)
{
	ND_AUTO(net_def_free) struct net_def *copy = net_def_copy(def);
	struct metadata_texts t;
	int r;

	if (!copy)
		return nd_error_nomem(err);
	t = texts_of(copy);
	r = metadata_set(&t, type, text, key, uri, err);
	if (r == 0)
		r = check_printable(copy, err);
	if (r < 0)
		return r;
	*out = nd_take_ptr(&copy);
	return 0;
}
