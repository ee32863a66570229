/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/ctl/table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>
#include <wctype.h>

#include "netd/base/array.h"
#include "netd/base/auto.h"
#include "netd/base/str.h"
#include "netd/ctl/ctl.h"

struct cell {
	char *text;
	size_t width;
};

struct table {
	size_t n_columns;
	struct cell *cells;		/* row by row; the first row is the header */
	size_t n_cells;
	bool failed;			/* out of memory: sticks */
};

/* Appends one character of text, or its bytes as \xNN; how many bytes it took. */
static size_t add_character(struct nd_str *out, size_t *width, const char *text, size_t left)
{
	mbstate_t state = { 0 };
	wchar_t wc;
	size_t n = mbrtowc(&wc, text, left, &state);

	if (n != (size_t)-1 && n != (size_t)-2 && n != 0 && iswprint((wint_t)wc)) {
		int columns = wcwidth(wc);

		nd_str_addn(out, text, n);
		*width += columns > 0 ? (size_t)columns : 0;
		return n;
	}
	nd_str_addf(out, "\\x%02x", (unsigned char)*text);
	*width += 4;
	return 1;
}

static int cell_init(struct cell *c, const char *text)
{
	struct nd_str out = { 0 };
	size_t len;

	text = text ? text : "-";
	for (len = strlen(text); len;) {
		size_t n = add_character(&out, &c->width, text, len);

		text += n;
		len -= n;
	}
	c->text = nd_str_take(&out);
	return c->text ? 0 : -ENOMEM;
}

void table_add(struct table *t, const char *const *cells)
{
	for (size_t i = 0; t && !t->failed && i < t->n_columns; i++) {
		struct cell *c = nd_array_add(t->cells, t->n_cells);

		t->failed = !c || cell_init(c, cells[i]) < 0;
	}
}

struct table *table_new(const char *const *headers, size_t n_columns)
{
	struct table *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->n_columns = n_columns;
	table_add(t, headers);
	return t;
}

void table_free(struct table *t)
{
	for (size_t i = 0; i < t->n_cells; i++)
		free(t->cells[i].text);
	free(t->cells);
	free(t);
}

static size_t column_width(const struct table *t, size_t column, size_t first_row)
{
	size_t width = 0;

	for (size_t i = first_row * t->n_columns + column; i < t->n_cells; i += t->n_columns)
		if (t->cells[i].width > width)
			width = t->cells[i].width;
	return width;
}

static void add_blanks(struct nd_str *out, size_t n)
{
	while (n--)
		nd_str_add(out, " ");
}

static void add_row(struct nd_str *out, const struct table *t, size_t row, const size_t *widths)
{
	for (size_t i = 0; i < t->n_columns; i++) {
		const struct cell *c = &t->cells[row * t->n_columns + i];

		nd_str_add(out, " ");
		nd_str_add(out, c->text);
		if (i + 1 < t->n_columns)
			add_blanks(out, widths[i] - c->width + 2);
	}
	nd_str_add(out, "\n");
}

char *table_format(const struct table *t, bool with_header)
{
	size_t *widths = t && !t->failed ? calloc(t->n_columns, sizeof(*widths)) : NULL;
	size_t first = with_header ? 0 : 1, n_rows, rule = 0;
	struct nd_str out = { 0 };

	if (!widths)
		return NULL;
	n_rows = t->n_cells / t->n_columns;
	for (size_t i = 0; i < t->n_columns; i++) {
		widths[i] = column_width(t, i, first);
		rule += widths[i] + 3;
	}
	for (size_t row = first; row < n_rows; row++) {
		add_row(&out, t, row, widths);
		if (row == 0) {
			while (rule--)
				nd_str_add(&out, "-");
			nd_str_add(&out, "\n");
		}
	}
	free(widths);
	return nd_str_take(&out);
}

int table_print(const struct table *t, bool with_header)
{
	ND_AUTO(free) char *text = table_format(t, with_header);

	if (!text)
		return ctl_error("out of memory");
	fputs(text, stdout);
	return 0;
}
