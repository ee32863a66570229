/* SPDX-License-Identifier: GPL-2.0-or-later */
/* metadata.h -- the <metadata> of a document: foreign elements, one per namespace, kept as text */
#pragma once
#include "netd/model/table.h"

/* For table rows: keeps <metadata> as text in a char * field. */
extern const struct xml_elem elem_metadata;

/* The node as text, indented as at this depth of a document; caller frees, NULL: no memory. */
char *metadata_dump(xmlNode *node, int depth);
