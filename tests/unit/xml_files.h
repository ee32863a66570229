/* SPDX-License-Identifier: GPL-2.0-or-later */
/* xml_files.h -- the documents below tests/xml (NETD_XML_TESTS) and what stands beside them */
#pragma once

/* Calls check for each file that fits; there must be at least one. pattern: below NETD_XML_TESTS. */
void xml_files_each(const char *pattern, void (*check)(const char *path));
/* The path of a file there; caller frees. */
char *xml_files_path(const char *name);
/* The path with another suffix than .xml; caller frees. */
char *xml_files_beside(const char *path, const char *suffix);
/* What stands beside it is `got`. */
void xml_files_expect(const char *path, const char *suffix, const char *got);
/* The content; caller frees. A file that is not there ends the test ... */
char *xml_files_read(const char *path);
/* ... or is empty. */
char *xml_files_read_if_there(const char *path);
