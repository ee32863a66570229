/* SPDX-License-Identifier: GPL-2.0-or-later */
/* xpath.h -- parts of a document, as virsh's --xpath prints them */
#pragma once
#include <stdbool.h>

/* Prints each node that matches, or all in one <nodes> element. 0, or -1 after the error was
 * printed; no match is no error. */
int xpath_print(const char *xml, const char *expression, bool wrap);
