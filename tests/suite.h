/* SPDX-License-Identifier: GPL-2.0-or-later */
/* suite.h -- what every test program's main() does */
#pragma once
#include <check.h>
#include <stdlib.h>

/* Runs the suite, which goes with it. The program's exit status. */
static inline int suite_run(Suite *s)
{
	SRunner *runner = srunner_create(s);
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* The same for one case, whose tests add_tests adds and which all stand between set_up and tear_down. */
static inline int suite_run_case(const char *name, void (*set_up)(void), void (*tear_down)(void),
				 void (*add_tests)(TCase *t))
{
	Suite *s = suite_create(name);
	TCase *t = tcase_create(name);

	suite_add_tcase(s, t);
	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, set_up, tear_down);
	add_tests(t);
	return suite_run(s);
}
