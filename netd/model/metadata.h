/* SPDX-License-Identifier: GPL-2.0-or-later */
/* metadata.h -- what a document's users keep in it: title, description, and <metadata>, foreign elements, one per
 * namespace, kept as text */
#pragma once
#include "netd/model/table.h"

/* For table rows: keeps <metadata> as text in a char * field. */
extern const struct xml_elem elem_metadata;

/* The node as text, indented as at this depth of a document; caller frees, NULL: no memory. */
char *metadata_dump(xmlNode *node, int depth);

/* The numbers of the wire (virNetworkMetadataType, virDomainMetadataType). */
enum metadata_type {
	METADATA_DESCRIPTION,
	METADATA_TITLE,
	METADATA_ELEMENT,
};

/* Where a document has them (malloc or NULL), and the error when one that is asked for is not there. */
struct metadata_texts {
	char **title, **description, **metadata;
	enum nd_err missing;
};

/* The text, which the caller frees. Errors: ND_ERR_INVALID_ARG, `missing`. */
int metadata_get(const struct metadata_texts *t, int type, const char *uri, char **out,
		 struct nd_error *err);
/*
 * Replaces one; text NULL (or, for title and description, empty) removes it. key, uri: prefix and namespace
 * of the element, NULL for the other two. What XML cannot hold is not looked for. Errors: ND_ERR_INVALID_ARG,
 * ND_ERR_XML_DETAIL.
 */
int metadata_set(const struct metadata_texts *t, int type, const char *text, const char *key,
		 const char *uri, struct nd_error *err);
/* The error for a document that cannot be read again after that. */
int metadata_unprintable(struct nd_error *err);
