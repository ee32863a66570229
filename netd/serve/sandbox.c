/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/serve/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/stat.h>
#include <unistd.h>

#include "filter.h"
#include "netd/base/auto.h"
#include "netd/base/confine.h"
#include "netd/base/sanitize.h"
#include "netd/serve/fds.h"

#define MIB (1024ul * 1024)

/* A sanitizer maps terabytes for itself, and the leak check is a debugger: both cannot be in
 * here. Leaks are looked for where the engines are tested. */
#if ND_SANITIZED
#define ADDRESS_SPACE_BYTES RLIM_INFINITY
#define DATA_BYTES RLIM_INFINITY
const char *__asan_default_options(void);
__attribute__((visibility("default"))) const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}
#else
#define ADDRESS_SPACE_BYTES (1024 * MIB)
#define DATA_BYTES (256 * MIB)		/* 65,000 reservations need about 60 */
#endif

/* The lease folder is looked at before it is entered: a wrong one would be a hole. */
static int folder_enter(const struct sandbox *s, struct nd_error *err)
{
	char name[ND_UUID_STRLEN];
	struct stat st;
	ND_AUTO(close) int root = open(s->lease_root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	ND_AUTO(close) int dir = -1;

	if (root < 0)
		return nd_error_sys(err, errno, "cannot open the lease folder '%s'", s->lease_root);
	nd_uuid_format(&s->uuid, name);
	dir = openat(root, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0 || fstat(dir, &st) < 0)
		return nd_error_sys(err, errno, "cannot open the lease folder '%s/%s'",
				    s->lease_root, name);
	if (st.st_uid != s->uid || (st.st_mode & 077))
		return nd_error_set(err, ND_ERR_INTERNAL, "the lease folder '%s/%s' does not belong "
				    "to uid %u alone", s->lease_root, name, s->uid);
	if (fchdir(dir) < 0 || chroot(".") < 0 || chdir("/") < 0)
		return nd_error_sys(err, errno, "cannot make the lease folder '%s/%s' the root",
				    s->lease_root, name);
	return 0;
}

int sandbox_prepare(struct nd_error *err)
{
	static const struct confine_limit limits[] = {
		{ RLIMIT_NOFILE, FD_LIMIT },
		/* Not RLIMIT_NPROC: it counts this uid's threads on the whole machine, and another
		 * netd (a test, a container) may use the same uids. The filter forbids new
		 * processes, and the address space bounds threads. */
		{ RLIMIT_DATA, DATA_BYTES },
		{ RLIMIT_AS, ADDRESS_SPACE_BYTES },
		{ RLIMIT_STACK, 8 * MIB },
		{ RLIMIT_FSIZE, 1024 * MIB },
		{ RLIMIT_CORE, 0 },
		{ RLIMIT_MEMLOCK, 0 },
		{ RLIMIT_MSGQUEUE, 0 },
		{ RLIMIT_RTPRIO, 0 },
	};
	int r = confine_limits(limits, ND_COUNT(limits), err);

	return r < 0 ? r : confine_bounding_set(err);
}

int sandbox_drop(const struct sandbox *s, struct nd_error *err)
{
	int r = folder_enter(s, err);

	if (r == 0)
		r = confine_ids(s->uid, err);
	return r < 0 ? r : confine_capabilities(err);
}

int sandbox_lock(struct nd_error *err)
{
	const struct confine_landlock files = { .files_below = "/" };	/* which is the lease folder */
	int r = confine_landlock(&files, err);

	return r < 0 ? r : confine_filter(filter_code, ND_COUNT(filter_code), SECCOMP_FILTER_FLAG_TSYNC, err);
}
