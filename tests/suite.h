/* SPDX-License-Identifier: GPL-2.0-or-later */
/* suite.h -- the end of a test program's main() */
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
