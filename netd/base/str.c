/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/base/str.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool make_room(struct nd_str *s, size_t more)
{
	size_t need = s->len + more + 1;
	size_t size = s->size ? s->size : 64;
	char *text;

	if (s->failed)
		return false;
	if (need <= s->size)
		return true;
	while (size < need)
		size *= 2;
	text = realloc(s->text, size);
	if (!text) {
		s->failed = true;
		return false;
	}
	s->text = text;
	s->size = size;
	return true;
}

void nd_str_addn(struct nd_str *s, const char *text, size_t len)
{
	if (!make_room(s, len))
		return;
	memcpy(s->text + s->len, text, len);
	s->len += len;
	s->text[s->len] = '\0';
}

void nd_str_add(struct nd_str *s, const char *text)
{
	nd_str_addn(s, text, strlen(text));
}

void nd_str_addf(struct nd_str *s, const char *fmt, ...)
{
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (len < 0 || !make_room(s, (size_t)len))
		return;
	va_start(ap, fmt);
	vsnprintf(s->text + s->len, (size_t)len + 1, fmt, ap);
	va_end(ap);
	s->len += (size_t)len;
}

void nd_str_add_xml(struct nd_str *s, const char *text)
{
	for (; *text; text++) {
		switch (*text) {
		case '&':  nd_str_add(s, "&amp;"); break;
		case '<':  nd_str_add(s, "&lt;"); break;
		case '>':  nd_str_add(s, "&gt;"); break;
		case '\'': nd_str_add(s, "&apos;"); break;
		case '"':  nd_str_add(s, "&quot;"); break;
		default:   nd_str_addn(s, text, 1);
		}
	}
}

char *nd_str_take(struct nd_str *s)
{
	char *text;

	nd_str_addn(s, "", 0);
	text = s->failed ? NULL : s->text;
	if (s->failed)
		free(s->text);
	*s = (struct nd_str){ 0 };
	return text;
}

void nd_str_free(struct nd_str *s)
{
	free(s->text);
	*s = (struct nd_str){ 0 };
}

bool nd_streq0(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

bool nd_parse_uint(const char *text, int base, uint64_t min, uint64_t max, uint64_t *out)
{
	unsigned long long v;
	char *end;

	if (!isxdigit((unsigned char)*text))
		return false;
	errno = 0;
	v = strtoull(text, &end, base);
	if (errno || *end || v < min || v > max)
		return false;
	*out = v;
	return true;
}
