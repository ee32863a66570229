/* SPDX-License-Identifier: GPL-2.0-or-later */
/* document.h -- what the verbs that print and change documents share */
#pragma once
#include "netd/ctl/verb.h"

/* A document that can be edited: how it is had and stored, and what its owner is called. */
struct document_kind {
	const char *before, *after;	/* its name stands between them: "Domain '", "'" */
	/* The definition as it is now; the caller frees. */
	int (*get)(struct ctl *ctl, const void *object, char **out, struct nd_error *err);
	/* Stores a new one; flags are those of the edit. The name it has now, to be freed. */
	int (*define)(struct ctl *ctl, char *xml, unsigned flags, char **name_out,
		      struct nd_error *err);
};

/* Runs the editor until what it wrote is stored, was not changed, or is given up. Nothing is stored
 * when somebody else changed the document meanwhile. */
int document_edit(struct ctl *ctl, const struct document_kind *kind, const void *object,
		  const char *name, unsigned flags, struct nd_error *err);

/* Prints a document by the options json, xpath and wrap of its verb. 0 or -1. */
int document_print(const struct verb_args *args, const char *xml);
/* --live, --config, --current as AFFECT_ flags. 0, or -1 when they exclude each other. */
int document_affect(const struct verb_args *args, unsigned *flags_out);

#define ARG_XPATH \
	{ "xpath", ARG_NAMED, "xpath expression to filter the XML document" }, \
	{ "wrap", ARG_FLAG, "wrap xpath results in an common root element" }
