/* SPDX-License-Identifier: GPL-2.0-or-later */
/* table.h -- columns for a terminal, as virsh prints them
 *
 * Every cell has one blank before it; all but the last column are filled up to the widest cell
 * and two more blanks. Control characters in a cell are shown as \xNN, so that a guest's host name cannot
 * drive the terminal.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct table;

/* n_columns headers, borrowed for as long as the table. NULL: out of memory. */
struct table *table_new(const char *const *headers, size_t n_columns);
void table_free(struct table *t);

static inline void nd_auto_table_free(struct table **t)
{
	if (*t)
		table_free(*t);
}

/* One row of n_columns cells, copied; NULL is shown as "-". A table that is NULL, or had no memory
 * for a row, is told by what prints it. */
void table_add(struct table *t, const char *const *cells);
/* The whole text, to be freed; NULL: out of memory. */
char *table_format(const struct table *t, bool with_header);
/* The same on standard output. 0, or -1 after the failure was printed. */
int table_print(const struct table *t, bool with_header);
