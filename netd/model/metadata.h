/* SPDX-License-Identifier: GPL-2.0-or-later */
/* metadata.h -- the <metadata> of a document: foreign elements, one per namespace, kept as text */
#pragma once
#include "netd/model/table.h"

/* For table rows: collects the content of <metadata> into a char * field of its own. */
extern const struct xml_elem elem_metadata;
