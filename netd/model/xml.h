/* SPDX-License-Identifier: GPL-2.0-or-later */
/* xml.h -- documents from outside become trees, or an error that a person can find the place of
 *
 * The only place where libxml2 parses. No network, no DTD (so no entities), bounded size and
 * depth, no libxml2 message on stderr.
 */
#pragma once
#include <libxml/tree.h>
#include <stdbool.h>
#include <stddef.h>

#include "netd/base/auto.h"
#include "netd/base/error.h"

/* What a parse ignored, one line each, for the log. */
struct xml_warnings {
	char **lines;
	size_t n;
};

#define XML_MAX_WARNINGS 64		/* the last one then says that there are more */

/* State of one parse. */
struct xml_in {
	struct xml_warnings *warnings;	/* NULL: nobody wants them */
	struct nd_error *err;
	bool strict;			/* what would be ignored is refused instead */
	bool live;			/* netd's own document: output-only values are read too */
};

/*
 * Parses len bytes into a tree. what: the document's name in messages ("(network_definition)").
 * Not well-formed, too large, too deep or with a DTD: ND_ERR_XML_DETAIL with line, reason, the
 * line itself and a caret under the place. The caller frees *out with xmlFreeDoc().
 */
int xml_doc_parse(const char *xml, size_t len, const char *what, xmlDoc **out,
		  struct nd_error *err);

/* The root element when it has this name, else ND_ERR_XML. */
int xml_doc_root(xmlDoc *doc, const char *name, xmlNode **out, struct nd_error *err);

/* Sets "<ELEMENT> (line N): SENTENCE"; returns the negative code. */
int xml_fail(struct xml_in *in, const xmlNode *node, enum nd_err kind, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* The same for a struct that only remembers its line; without "(line N)" when that is 0. */
int xml_fail_at(struct nd_error *err, const char *element, int line, enum nd_err kind,
		const char *fmt, ...) __attribute__((format(printf, 5, 6)));

void xml_warn(struct xml_in *in, const xmlNode *node, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

void xml_warn_at(struct xml_in *in, const char *element, int line, const char *sentence);

void xml_warnings_fini(struct xml_warnings *w);

/* The value of an attribute without namespace, which the caller frees, or NULL. */
char *xml_prop(const xmlNode *node, const char *name);

static inline void nd_auto_xmlFreeDoc(xmlDoc **doc)
{
	if (*doc)
		xmlFreeDoc(*doc);
}
