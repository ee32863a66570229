/* SPDX-License-Identifier: GPL-2.0-or-later */
/* verb.h -- netdctl's commands as tables: name, arguments, help, what runs them
 *
 * Parsing, help, completion and the shell all walk the same tables; a new command is a row and
 * a function. The rules of the command line are virsh's: options start with two dashes and may
 * stand anywhere, what they do not claim fills the positional arguments in order.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "netd/base/error.h"

struct ctl;

enum arg_kind {
	ARG_FLAG,		/* --name */
	ARG_REQUIRED,		/* VALUE or --name VALUE */
	ARG_OPTIONAL,		/* the same, may be left out */
	ARG_NAMED,		/* --name VALUE only */
	ARG_WORDS,		/* all words that no other row takes: the last row */
	ARG_COMMAND,		/* --name [--] WORDS...: takes everything behind it */
};

/* What a value can be completed with. */
enum arg_values {
	VALUES_NONE = 0,
	VALUES_NETWORK, VALUES_ACTIVE, VALUES_INACTIVE, VALUES_PERSISTENT, VALUES_UUID,
	VALUES_PORT, VALUES_FILE, VALUES_EVENT, VALUES_UPDATE_COMMAND, VALUES_UPDATE_SECTION,
	VALUES_MAC, VALUES_VERB,
	VALUES_DOMAIN, VALUES_DOMAIN_ACTIVE, VALUES_DOMAIN_INACTIVE, VALUES_DOMAIN_PERSISTENT,
	VALUES_INTERFACE, VALUES_INTERFACE_TYPE, VALUES_LINK_STATE, VALUES_ADDRESS_SOURCE,
	VALUES_DOMAIN_EVENT, VALUES_FILTER, VALUES_BINDING,
};

struct arg_row {
	const char *name;
	enum arg_kind kind;
	const char *help;
	enum arg_values values;
	bool number;
	char letter;			/* -L, 0: none */
	bool many;			/* may be given again: arg_nth() */
};

struct verb_args;

struct verb {
	const char *name, *summary, *description;
	/* 0, or -1 after line one of the failure was printed; err is line two where set. */
	int (*run)(struct ctl *ctl, const struct verb_args *args, struct nd_error *err);
	const struct arg_row *rows;
	size_t n_rows;
	bool no_connection;		/* runs without a daemon */
	bool hidden;
};

struct verb_group {
	const char *title, *keyword;
	const struct verb *verbs;
	size_t n_verbs;
};

/* Ends with a NULL. */
extern const struct verb_group *const verb_groups[];

const struct verb *verb_find(const char *name);
const struct verb_group *verb_group_find(const char *keyword);

/*
 * Parses the words behind a verb's name. Words are borrowed for as long as the arguments. On
 * failure the sentence is in text (without "error: "); -EDOM when only a value is wrong, which virsh
 * takes as a failure of the command itself, else -EINVAL.
 */
int verb_args_parse(const struct verb *v, char *const *words, size_t n_words,
		    struct verb_args **out, char *text, size_t text_size);
void verb_args_free(struct verb_args *args);

/* All name a row of the verb. NULL: not given. */
const char *arg_string(const struct verb_args *args, const char *name);
/* Of a row that may be given many times; NULL behind the last. */
const char *arg_nth(const struct verb_args *args, const char *name, size_t n);
bool arg_flag(const struct verb_args *args, const char *name);
/* False when it was not given. */
bool arg_number(const struct verb_args *args, const char *name, int64_t *out);
/* The verb has --json and it was given. */
bool arg_json(const struct verb_args *args);
/* What ARG_WORDS or ARG_COMMAND took. */
char *const *arg_words(const struct verb_args *args, size_t *n_out);

void verb_print_help(const struct verb *v);
void verb_print_group(const struct verb_group *g);

#define ARG_NETWORK(what) \
	{ "network", ARG_REQUIRED, "network name or uuid", what }
#define ARG_JSON \
	{ "json", ARG_FLAG, "print JSON" }
#define VERB_ROWS(array) .rows = array, .n_rows = sizeof(array) / sizeof((array)[0])
