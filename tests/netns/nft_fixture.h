/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nft_fixture.h -- for tests of the nftables engines: a namespace, what nft(8) says, what it costs */
#pragma once
#include <check.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#include "netd/base/auto.h"
#include "netd/base/str.h"

static inline void own_namespace(void)
{
	ck_assert_msg(unshare(CLONE_NEWNET) == 0, "unshare: %s", strerror(errno));
}

/* Output of a shell command (its stderr too); *status_out may be NULL: then it must be 0. */
static inline char *shell(const char *command, int *status_out)
{
	struct nd_str s = { 0 };
	char buf[4096];
	FILE *f = popen(command, "r");
	size_t n;
	int status;

	ck_assert_ptr_nonnull(f);
	while ((n = fread(buf, 1, sizeof(buf), f)) > 0)
		nd_str_addn(&s, buf, n);
	status = pclose(f);
	if (status_out)
		*status_out = status;
	else
		ck_assert_msg(status == 0, "%s: %s", command, s.text);
	return nd_str_take(&s);
}

static inline void assert_ruleset_empty(void)
{
	ND_AUTO(free) char *text = shell("nft list ruleset 2>&1", NULL);

	ck_assert_str_eq(text, "");
}

/* Linux 6.9 */
static inline bool kernel_persists(void)
{
	struct utsname u;
	int major = 0, minor = 0;

	uname(&u);
	sscanf(u.release, "%d.%d", &major, &minor);
	return major > 6 || (major == 6 && minor >= 9);
}

static inline double cpu_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}
