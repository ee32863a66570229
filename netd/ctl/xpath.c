/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/ctl/xpath.h"

#include <libxml/parser.h>
#include <libxml/xpath.h>
#include <libxml/xpathInternals.h>
#include <stdio.h>
#include <string.h>

#include "netd/base/auto.h"
#include "netd/ctl/ctl.h"

ND_DEFINE_AUTO(xmlDocPtr, xmlFreeDoc)
ND_DEFINE_AUTO(xmlBufferPtr, xmlBufferFree)
ND_DEFINE_AUTO(xmlXPathContextPtr, xmlXPathFreeContext)
ND_DEFINE_AUTO(xmlXPathObjectPtr, xmlXPathFreeObject)

static int print_node(xmlDocPtr doc, xmlNodePtr node)
{
	ND_AUTO(xmlBufferFree) xmlBufferPtr buf = xmlBufferCreate();

	if (!buf || xmlNodeDump(buf, doc, node, 0, 1) < 0)
		return ctl_error("the result cannot be printed");
	printf("%s\n", (const char *)xmlBufferContent(buf));
	return 0;
}

static int print_wrapped(xmlNodeSetPtr nodes)
{
	ND_AUTO(xmlFreeDoc) xmlDocPtr doc = xmlNewDoc(BAD_CAST "1.0");
	xmlNodePtr root = doc ? xmlNewDocNode(doc, NULL, BAD_CAST "nodes", NULL) : NULL;

	if (!root)
		return ctl_error("out of memory");
	xmlDocSetRootElement(doc, root);
	for (int i = 0; i < nodes->nodeNr; i++) {
		xmlNodePtr copy = xmlDocCopyNode(nodes->nodeTab[i], doc, 1);

		if (!copy)
			return ctl_error("out of memory");
		xmlAddChild(root, copy);
	}
	return print_node(doc, root);
}

/* libxml2 would print its own message, with the whole expression under it. */
static void be_silent(void *arg, const char *fmt, ...)
{
}

int xpath_print(const char *xml, const char *expression, bool wrap)
{
	ND_AUTO(xmlFreeDoc) xmlDocPtr doc = xmlReadMemory(xml, (int)strlen(xml), NULL, NULL,
							  XML_PARSE_NONET | XML_PARSE_NOERROR |
							  XML_PARSE_NOBLANKS);
	ND_AUTO(xmlXPathFreeContext) xmlXPathContextPtr context =
		doc ? xmlXPathNewContext(doc) : NULL;
	ND_AUTO(xmlXPathFreeObject) xmlXPathObjectPtr found = NULL;
	int r = 0;

	if (!context)
		return ctl_error("the daemon's document cannot be parsed");
	xmlSetGenericErrorFunc(NULL, be_silent);
	found = xmlXPathEval(BAD_CAST expression, context);
	xmlSetGenericErrorFunc(NULL, NULL);
	if (!found)
		return ctl_error("Failed to evaluate xpath expression '%s'", expression);
	if (found->type != XPATH_NODESET || !found->nodesetval || found->nodesetval->nodeNr == 0)
		return 0;
	if (wrap)
		return print_wrapped(found->nodesetval);
	for (int i = 0; r == 0 && i < found->nodesetval->nodeNr; i++)
		r = print_node(doc, found->nodesetval->nodeTab[i]);
	return r;
}
