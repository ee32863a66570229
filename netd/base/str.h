/* SPDX-License-Identifier: GPL-2.0-or-later */
/* str.h -- a growing string for what netd prints (XML, plans, tables) and bounded text parsing */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nd_str {
	char *text;		/* NUL-terminated once something was added, else NULL */
	size_t len, size;
	bool failed;		/* out of memory: sticks */
};

void nd_str_add(struct nd_str *s, const char *text);
void nd_str_addn(struct nd_str *s, const char *text, size_t len);
void nd_str_addf(struct nd_str *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Adds text with &, <, >, ', " as entities, fit for an attribute in single quotes. */
void nd_str_add_xml(struct nd_str *s, const char *text);

/* Hands the text to the caller, who frees it; "" instead of NULL when nothing was added.
 * NULL when memory ran out. The nd_str is empty afterwards. */
char *nd_str_take(struct nd_str *s);
void nd_str_free(struct nd_str *s);

static inline void nd_auto_nd_str_free(struct nd_str *s)
{
	nd_str_free(s);
}

static inline bool nd_streq(const char *a, const char *b)
{
	return __builtin_strcmp(a, b) == 0;
}

/* Equal, where NULL equals only NULL. */
bool nd_streq0(const char *a, const char *b);

/* The whole of text is a number in the base (0: as in C) and min <= it <= max: true and stored.
 * No sign, no blanks. */
bool nd_parse_uint(const char *text, int base, uint64_t min, uint64_t max, uint64_t *out);
