/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runs tests/xml: pass-NAME.xml must print as pass-NAME.out, fail-NAME.xml must fail with the
 * class and sentence in fail-NAME.err. The directory comes in NETD_XML_TESTS. */
#include <check.h>
#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "netd/base/auto.h"
#include "netd/base/str.h"
#include "netd/model/network.h"

static char *read_file(const char *path)
{
	ND_AUTO(fclose) FILE *f = fopen(path, "re");
	struct nd_str s = { 0 };
	char buf[4096];
	size_t n;

	ck_assert_msg(f, "cannot open %s: %s", path, strerror(errno));
	while ((n = fread(buf, 1, sizeof(buf), f)) > 0)
		nd_str_addn(&s, buf, n);
	return nd_str_take(&s);
}

static char *beside(const char *path, const char *suffix)
{
	char *other;

	ck_assert_int_gt(asprintf(&other, "%.*s.%s", (int)(strlen(path) - 4), path, suffix), 0);
	return other;
}

/* Calls check for each file; there must be at least one. */
static void each(const char *pattern, void (*check)(const char *path))
{
	const char *dir = getenv("NETD_XML_TESTS");
	ND_AUTO(free) char *full = NULL;
	glob_t found = { 0 };
	size_t i;

	ck_assert_msg(dir, "NETD_XML_TESTS is not set");
	ck_assert_int_gt(asprintf(&full, "%s/%s", dir, pattern), 0);
	ck_assert_int_eq(glob(full, 0, NULL, &found), 0);
	for (i = 0; i < found.gl_pathc; i++)
		check(found.gl_pathv[i]);
	globfree(&found);
}

static struct net_def *parse_ok(const char *path, const char *xml)
{
	struct nd_error err = { 0 };
	struct net_def *def = NULL;

	ck_assert_msg(net_def_parse(xml, strlen(xml), &def, &err) == 0, "%s: %s", path, err.text);
	return def;
}

static void prints_as_expected(const char *path)
{
	ND_AUTO(free) char *xml = read_file(path);
	ND_AUTO(free) char *out = beside(path, "out");
	ND_AUTO(free) char *expected = read_file(out);
	ND_AUTO(net_def_free) struct net_def *def = parse_ok(path, xml);
	ND_AUTO(free) char *printed = net_def_format(def, 0);

	ck_assert_msg(nd_streq(printed, expected), "%s prints as\n%s", path, printed);
}

static void comes_back_the_same(const char *path)
{
	ND_AUTO(free) char *xml = read_file(path);
	ND_AUTO(net_def_free) struct net_def *def = parse_ok(path, xml);
	ND_AUTO(free) char *printed = net_def_format(def, 0);
	ND_AUTO(net_def_free) struct net_def *again = parse_ok(path, printed);
	ND_AUTO(free) char *reprinted = net_def_format(again, 0);

	ck_assert_msg(net_def_equal(def, again), "%s changes when printed as\n%s", path, printed);
	ck_assert_str_eq(printed, reprinted);
}

static void copies_whole(const char *path)
{
	ND_AUTO(free) char *xml = read_file(path);
	struct net_def *def = parse_ok(path, xml);
	ND_AUTO(free) char *printed = net_def_format(def, 0);
	ND_AUTO(net_def_free) struct net_def *copy = net_def_copy(def);
	ND_AUTO(free) char *copied = NULL;

	net_def_free(def);	/* first: the copy must not lean on it */
	copied = net_def_format(copy, 0);
	ck_assert_str_eq(printed, copied);
}

START_TEST(every_passing_document_prints_as_expected)
{
	each("pass-*.xml", prints_as_expected);
}
END_TEST

START_TEST(every_printed_document_parses_to_the_same)
{
	each("pass-*.xml", comes_back_the_same);
}
END_TEST

START_TEST(a_copy_prints_the_same_after_the_original_is_gone)
{
	each("pass-*.xml", copies_whole);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("network_xml");
	TCase *tc = tcase_create("files");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tc, every_passing_document_prints_as_expected);
	tcase_add_test(tc, every_printed_document_parses_to_the_same);
	tcase_add_test(tc, a_copy_prints_the_same_after_the_original_is_gone);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
