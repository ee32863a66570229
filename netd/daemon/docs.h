/* SPDX-License-Identifier: GPL-2.0-or-later */
/* docs.h -- a directory of documents, one NAME.xml each, and the links that start them at boot */
#pragma once
#include <limits.h>
#include <stddef.h>

#include "netd/base/error.h"

#define DOCS_SUFFIX ".xml"

/* A name is anything without '/' and newline; the suffix keeps "." and ".." harmless. noun: what
 * is so named, for the error of one that is too long. */
int docs_file_name(const char *noun, const char *name, char out[NAME_MAX + 1],
		   struct nd_error *err);

/* A link to ../FILE, in place also after a power cut, or nothing. 0 or -errno. */
int docs_link(int dir_fd, const char *file);

/* Calls each(file name, its text) for every NAME.xml of a directory. Returns how many could not
 * be read; those are in the log. */
unsigned docs_each(int dir_fd, const char *path,
		   void (*each)(void *arg, const char *file, const char *text, size_t len), void *arg);

/* The document inside a status file of ours, from the first `open` to the last `close`; NULL when
 * it is not whole. *len is its length. */
const char *docs_inner(const char *text, size_t *len, const char *open, const char *close);

/* Removes links to definitions that are gone. */
void docs_sweep_links(int dir_fd);
