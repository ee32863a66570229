/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/ctl/verb.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "netd/base/array.h"
#include "netd/base/auto.h"
#include "netd/base/str.h"

#define ROWS_MAX 24

/* The second and later values of a row that may be given many times, in their order. */
struct again {
	size_t row;
	const char *value;
};

struct verb_args {
	const struct verb *verb;
	const char *values[ROWS_MAX];	/* by row; flags: their name */
	struct again *again;
	size_t n_again;
	int64_t numbers[ROWS_MAX];
	char **words;			/* those that ARG_WORDS or ARG_COMMAND took; borrowed */
	size_t n_words;
};

/* The words while they are parsed. */
struct parse {
	const struct verb *verb;
	struct verb_args *args;
	char *const *words;
	size_t n, at;
	bool no_options;		/* "--" was there */
	char *text;
	size_t text_size;
};

const struct verb *verb_find(const char *name)
{
	for (size_t g = 0; verb_groups[g]; g++)
		for (size_t i = 0; i < verb_groups[g]->n_verbs; i++)
			if (nd_streq(verb_groups[g]->verbs[i].name, name))
				return &verb_groups[g]->verbs[i];
	return NULL;
}

const struct verb_group *verb_group_find(const char *keyword)
{
	for (size_t g = 0; verb_groups[g]; g++)
		if (nd_streq(verb_groups[g]->keyword, keyword) ||
		    nd_streq(verb_groups[g]->title, keyword))
			return verb_groups[g];
	return NULL;
}

static int fail(struct parse *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static int fail(struct parse *p, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(p->text, p->text_size, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

static int number_parse(const char *text, int64_t *out)
{
	char *end;

	errno = 0;
	*out = strtoll(text, &end, 0);
	return *text && !*end && errno == 0 ? 0 : -EINVAL;
}

static int store(struct parse *p, size_t row, const char *value)
{
	const struct arg_row *r = &p->verb->rows[row];
	struct again *again;

	if (!p->args->values[row]) {
		p->args->values[row] = value;
		return 0;
	}
	if (!r->many)
		return fail(p, "option --%s already seen", r->name);
	again = nd_array_add(p->args->again, p->args->n_again);
	if (!again)
		return fail(p, "out of memory");
	*again = (struct again){ row, value };
	return 0;
}

static int take_command(struct parse *p, size_t row)
{
	if (p->at < p->n && nd_streq(p->words[p->at], "--"))
		p->at++;
	if (p->at == p->n)
		return fail(p, "option --%s needs a command behind it", p->verb->rows[row].name);
	while (p->at < p->n)
		p->args->words[p->args->n_words++] = p->words[p->at++];
	return store(p, row, p->verb->rows[row].name);
}

/* value: what followed '=', or NULL. */
static int take_option(struct parse *p, size_t row, const char *value)
{
	const struct arg_row *r = &p->verb->rows[row];

	if (r->kind == ARG_FLAG && value)
		return fail(p, "invalid '=' after option --%s", r->name);
	if (r->kind == ARG_FLAG)
		return store(p, row, r->name);
	if (r->kind == ARG_COMMAND)
		return take_command(p, row);
	if (!value && p->at == p->n)
		return fail(p, "expected syntax: --%s <%s>", r->name,
			    r->number ? "number" : "string");
	return store(p, row, value ? value : p->words[p->at++]);
}

static int take_long(struct parse *p, const char *word)
{
	const char *eq = strchr(word, '=');
	size_t len = eq ? (size_t)(eq - word) : strlen(word);

	for (size_t i = 0; i < p->verb->n_rows; i++) {
		const struct arg_row *r = &p->verb->rows[i];

		if (r->kind != ARG_WORDS && strlen(r->name) == len &&
		    memcmp(r->name, word, len) == 0)
			return take_option(p, i, eq ? eq + 1 : NULL);
	}
	return fail(p, "command '%s' doesn't support option --%.*s", p->verb->name, (int)len, word);
}

static bool is_letter_option(const struct verb *v, const char *word, size_t *row_out)
{
	if (word[0] != '-' || !word[1] || word[2])
		return false;
	for (size_t i = 0; i < v->n_rows; i++) {
		if (v->rows[i].letter == word[1]) {
			*row_out = i;
			return true;
		}
	}
	return false;
}

static int take_positional(struct parse *p, const char *word)
{
	for (size_t i = 0; i < p->verb->n_rows; i++) {
		const struct arg_row *r = &p->verb->rows[i];

		if (r->kind == ARG_WORDS) {
			p->args->words[p->args->n_words++] = (char *)word;
			return 0;
		}
		if ((r->kind == ARG_REQUIRED || r->kind == ARG_OPTIONAL) && !p->args->values[i])
			return store(p, i, word);
	}
	return fail(p, "unexpected data '%s'", word);
}

static int take_word(struct parse *p)
{
	const char *word = p->words[p->at++];
	size_t row;

	if (p->no_options)
		return take_positional(p, word);
	if (nd_streq(word, "--")) {
		p->no_options = true;
		return 0;
	}
	if (strncmp(word, "--", 2) == 0)
		return take_long(p, word + 2);
	if (is_letter_option(p->verb, word, &row))
		return take_option(p, row, NULL);
	return take_positional(p, word);
}

/* The first value that its row does not take. */
static int check_values(struct parse *p)
{
	for (size_t i = 0; i < p->verb->n_rows; i++) {
		const struct arg_row *r = &p->verb->rows[i];
		const char *value = p->args->values[i];

		if (value && r->number && number_parse(value, &p->args->numbers[i]) < 0) {
			(void)fail(p, "Numeric value '%s' for <%s> option is malformed or out of "
				   "range", value, r->name);
			return -EDOM;
		}
		if (value && r->kind == ARG_REQUIRED && !*value) {
			(void)fail(p, "Failed to get option '%s': Option argument is empty",
				   r->name);
			return -EDOM;
		}
	}
	return 0;
}

static int check_required(struct parse *p)
{
	for (size_t i = 0; i < p->verb->n_rows; i++)
		if (p->verb->rows[i].kind == ARG_REQUIRED && !p->args->values[i])
			return fail(p, "command '%s' requires <%s> option", p->verb->name,
				    p->verb->rows[i].name);
	return 0;
}

void verb_args_free(struct verb_args *args)
{
	if (!args)
		return;
	free(args->words);
	free(args->again);
	free(args);
}

int verb_args_parse(const struct verb *v, char *const *words, size_t n_words,
		    struct verb_args **out, char *text, size_t text_size)
{
	struct verb_args *args = calloc(1, sizeof(*args));
	struct parse p = {
		.verb = v, .args = args, .words = words, .n = n_words,
		.text = text, .text_size = text_size,
	};
	int r = 0;

	if (args)
		args->words = calloc(n_words + 1, sizeof(*args->words));
	if (!args || !args->words) {
		free(args);
		return fail(&p, "out of memory");
	}
	args->verb = v;
	while (r == 0 && p.at < p.n)
		r = take_word(&p);
	if (r == 0)
		r = check_required(&p);
	if (r == 0)
		r = check_values(&p);
	if (r < 0) {
		verb_args_free(args);
		return r;
	}
	*out = args;
	return 0;
}

/* The row must be there: the verb that asks owns the table. */
static size_t row_of(const struct verb_args *args, const char *name)
{
	for (size_t i = 0; i < args->verb->n_rows; i++)
		if (nd_streq(args->verb->rows[i].name, name))
			return i;
	abort();
}

const char *arg_string(const struct verb_args *args, const char *name)
{
	return args->values[row_of(args, name)];
}

const char *arg_nth(const struct verb_args *args, const char *name, size_t n)
{
	size_t row = row_of(args, name);

	if (n == 0)
		return args->values[row];
	for (size_t i = 0; i < args->n_again; i++)
		if (args->again[i].row == row && --n == 0)
			return args->again[i].value;
	return NULL;
}

bool arg_flag(const struct verb_args *args, const char *name)
{
	return args->values[row_of(args, name)] != NULL;
}

bool arg_number(const struct verb_args *args, const char *name, int64_t *out)
{
	size_t row = row_of(args, name);

	if (!args->values[row])
		return false;
	*out = args->numbers[row];
	return true;
}

bool arg_json(const struct verb_args *args)
{
	for (size_t i = 0; i < args->verb->n_rows; i++)
		if (nd_streq(args->verb->rows[i].name, "json"))
			return args->values[i] != NULL;
	return false;
}

char *const *arg_words(const struct verb_args *args, size_t *n_out)
{
	*n_out = args->n_words;
	return args->words;
}

static const char *value_name(const struct arg_row *r)
{
	return r->number ? "number" : "string";
}

static void print_synopsis(const struct verb *v)
{
	printf("\n  SYNOPSIS\n    %s", v->name);
	for (size_t i = 0; i < v->n_rows; i++) {
		const struct arg_row *r = &v->rows[i];

		if (r->kind == ARG_FLAG)
			printf(" [--%s]", r->name);
		else if (r->kind == ARG_REQUIRED)
			printf(" <%s>", r->name);
		else if (r->kind == ARG_OPTIONAL || r->kind == ARG_NAMED)
			printf(" [--%s <%s>]%s", r->name, value_name(r), r->many ? "..." : "");
		else if (r->kind == ARG_COMMAND)
			printf(" [--%s -- <command>...]", r->name);
		else
			printf(" [<%s>]...", r->name);
	}
	printf("\n");
}

static void print_option(const struct arg_row *r)
{
	char buf[128], letter[8] = "";

	if (r->letter)
		snprintf(letter, sizeof(letter), "-%c | ", r->letter);
	if (r->kind == ARG_FLAG)
		snprintf(buf, sizeof(buf), "%s--%s", letter, r->name);
	else if (r->kind == ARG_REQUIRED)
		snprintf(buf, sizeof(buf), "[--%s] <%s>", r->name, value_name(r));
	else if (r->kind == ARG_COMMAND)
		snprintf(buf, sizeof(buf), "--%s -- <command>...", r->name);
	else if (r->kind == ARG_WORDS)
		snprintf(buf, sizeof(buf), "<%s>...", r->name);
	else
		snprintf(buf, sizeof(buf), "%s--%s <%s>", letter, r->name, value_name(r));
	printf("    %-15s  %s\n", buf, r->help);
}

void verb_print_help(const struct verb *v)
{
	printf("  NAME\n    %s - %s\n", v->name, v->summary);
	print_synopsis(v);
	if (v->description)
		printf("\n  DESCRIPTION\n    %s\n", v->description);
	if (v->n_rows)
		printf("\n  OPTIONS\n");
	for (size_t i = 0; i < v->n_rows; i++)
		print_option(&v->rows[i]);
	printf("\n");
}

void verb_print_group(const struct verb_group *g)
{
	printf(" %s (help keyword '%s'):\n", g->title, g->keyword);
	for (size_t i = 0; i < g->n_verbs; i++)
		if (!g->verbs[i].hidden)
			printf("    %-30s %s\n", g->verbs[i].name, g->verbs[i].summary);
	printf("\n");
}
