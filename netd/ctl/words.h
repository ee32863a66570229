/* SPDX-License-Identifier: GPL-2.0-or-later */
/* words.h -- a line of commands cut into words, by virsh's rules
 *
 * Words are parted by blanks; '...' keeps everything, "..." all but backslashes, a backslash
 * takes the next character as it is. ';' and a newline end a command, '#' starts a comment.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct word_list {
	char **words;		/* NULL stands between commands */
	size_t n;
	/* For completion: the last word is unfinished (no blank behind it), and was begun with
	 * this quote. */
	bool open_word;
	char quote;
};

/* 0, -EINVAL for a quote or backslash without an end (text says which; with partial set that is
 * no error), -ENOMEM. */
int words_split(const char *line, bool partial, struct word_list *out, const char **text);
void words_free(struct word_list *w);
