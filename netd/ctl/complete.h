/* SPDX-License-Identifier: GPL-2.0-or-later */
/* complete.h -- what could come next on a command line, from the verbs' tables and the daemon */
#pragma once
#include <stddef.h>

#include "netd/ctl/ctl.h"

struct completions {
	char **words;
	size_t n;
};

/* words: those before the one that is being typed (the first is the verb); start: what is typed
 * of that one so far. Names from the daemon are left out silently when it does not answer. */
void complete_words(struct ctl *ctl, char *const *words, size_t n, const char *start,
		    struct completions *out);
void completions_free(struct completions *c);
