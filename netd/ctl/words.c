/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/ctl/words.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "netd/base/array.h"
#include "netd/base/str.h"

struct split {
	const char *at;
	struct word_list *out;
	struct nd_str word;
	bool in_word;
	char quote;		/* ' or " while inside */
};

void words_free(struct word_list *w)
{
	for (size_t i = 0; i < w->n; i++)
		free(w->words[i]);
	free(w->words);
	*w = (struct word_list){ 0 };
}

static int add(struct split *s, char *word)
{
	char **slot = nd_array_add(s->out->words, s->out->n);

	if (!slot) {
		free(word);
		return -ENOMEM;
	}
	*slot = word;
	return 0;
}

static int word_end(struct split *s)
{
	char *word;

	if (!s->in_word)
		return 0;
	s->in_word = false;
	word = nd_str_take(&s->word);
	return word ? add(s, word) : -ENOMEM;
}

static int command_end(struct split *s)
{
	int r = word_end(s);

	if (r == 0 && s->out->n && s->out->words[s->out->n - 1])
		r = add(s, NULL);
	return r;
}

/* The character at the cursor, inside or outside quotes. */
static int take(struct split *s)
{
	char c = *s->at++;

	if (s->quote == '\'' || (s->quote && c != '\\')) {
		if (c == s->quote)
			s->quote = 0;
		else
			nd_str_addn(&s->word, &c, 1);
		return 0;
	}
	if (c == '\\' && *s->at) {
		s->in_word = true;
		nd_str_addn(&s->word, s->at++, 1);
		return 0;
	}
	if (strchr(" \t\r", c))
		return word_end(s);
	if (c == ';' || c == '\n')
		return command_end(s);
	if (c == '#' && !s->in_word) {
		s->at += strcspn(s->at, "\n");
		return 0;
	}
	s->in_word = true;
	if (c == '\'' || c == '"')
		s->quote = c;
	else
		nd_str_addn(&s->word, &c, 1);
	return 0;
}

int words_split(const char *line, bool partial, struct word_list *out, const char **text)
{
	struct word_list list = { 0 };
	struct split s = { .at = line, .out = &list };
	int r = 0;

	while (r == 0 && *s.at)
		r = take(&s);
	if (r == 0 && s.quote && !partial) {
		*text = s.quote == '"' ? "missing \"" : "missing '";
		r = -EINVAL;
	}
	list.open_word = s.in_word;
	list.quote = s.quote;
	if (r == 0)
		r = word_end(&s);
	nd_str_free(&s.word);
	if (r < 0) {
		words_free(&list);
		return r;
	}
	*out = list;
	return 0;
}
