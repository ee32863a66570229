/* SPDX-License-Identifier: GPL-2.0-or-later */
/* document.h -- what the verbs that print and change documents share */
#pragma once
#include "netd/ctl/verb.h"

/* Prints a document by the options json, xpath and wrap of its verb. 0 or -1. */
int document_print(const struct verb_args *args, const char *xml);
/* --live, --config, --current as AFFECT_ flags. 0, or -1 when they exclude each other. */
int document_affect(const struct verb_args *args, unsigned *flags_out);

#define ARG_XPATH \
	{ "xpath", ARG_NAMED, "xpath expression to filter the XML document" }, \
	{ "wrap", ARG_FLAG, "wrap xpath results in an common root element" }
