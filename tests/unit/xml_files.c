/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/xml_files.h"

#include <check.h>
#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "netd/base/auto.h"
#include "netd/base/str.h"

char *xml_files_path(const char *name)
{
	const char *dir = getenv("NETD_XML_TESTS");
	char *path;

	ck_assert_msg(dir, "NETD_XML_TESTS is not set");
	ck_assert_int_gt(asprintf(&path, "%s/%s", dir, name), 0);
	return path;
}

void xml_files_each(const char *pattern, void (*check)(const char *path))
{
	ND_AUTO(free) char *full = xml_files_path(pattern);
	glob_t found = { 0 };

	ck_assert_int_eq(glob(full, 0, NULL, &found), 0);
	for (size_t i = 0; i < found.gl_pathc; i++)
		check(found.gl_pathv[i]);
	globfree(&found);
}

char *xml_files_beside(const char *path, const char *suffix)
{
	char *other;

	ck_assert_int_gt(asprintf(&other, "%.*s.%s", (int)(strlen(path) - 4), path, suffix), 0);
	return other;
}

char *xml_files_read_if_there(const char *path)
{
	ND_AUTO(fclose) FILE *f = fopen(path, "re");
	struct nd_str s = { 0 };
	char buf[4096];
	size_t n;

	while (f && (n = fread(buf, 1, sizeof(buf), f)) > 0)
		nd_str_addn(&s, buf, n);
	return nd_str_take(&s);
}

char *xml_files_read(const char *path)
{
	ck_assert_msg(access(path, R_OK) == 0, "cannot open %s: %s", path, strerror(errno));
	return xml_files_read_if_there(path);
}

void xml_files_expect(const char *path, const char *suffix, const char *got)
{
	ND_AUTO(free) char *other = xml_files_beside(path, suffix);
	ND_AUTO(free) char *want = xml_files_read(other);

	ck_assert_msg(nd_streq(got, want), "%s: not as in the file, but\n%s", other, got);
}
