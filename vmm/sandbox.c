/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/sandbox.h"

#include <linux/filter.h>
#include <linux/seccomp.h>

#include "netd/base/auto.h"
#include "netd/base/confine.h"
#include "netd/base/sanitize.h"
#include "vmm/filter.h"

#define MIB (1024ull * 1024)

/* A sanitizer maps terabytes for itself, and the leak check is a debugger. */
#if ND_SANITIZED
#define ADDRESS_SPACE(ram) RLIM_INFINITY
#define DATA_BYTES(ram) RLIM_INFINITY
const char *__asan_default_options(void);
__attribute__((visibility("default"))) const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}
#else
#define ADDRESS_SPACE(ram) ((ram) + 1024 * MIB)
#define DATA_BYTES(ram) ((ram) + 256 * MIB)		/* private memory counts, and RAM is some */
#endif

int sandbox_drop(uid_t uid, uint64_t ram_bytes, struct nd_error *err)
{
	const struct confine_limit limits[] = {
		{ RLIMIT_NOFILE, 4096 },
		{ RLIMIT_DATA, DATA_BYTES(ram_bytes) },
		{ RLIMIT_AS, ADDRESS_SPACE(ram_bytes) },
		{ RLIMIT_STACK, 8 * MIB },
		{ RLIMIT_CORE, 0 },
		{ RLIMIT_MSGQUEUE, 0 },
		{ RLIMIT_RTPRIO, 0 },
	};
	int r = confine_limits(limits, ND_COUNT(limits), err);

	if (r == 0 && uid)
		r = confine_bounding_set(err);
	if (r == 0 && uid)
		r = confine_ids(uid, err);
	return r < 0 ? r : confine_capabilities(err);
}

/* Everything that Landlock knows of is forbidden, and there is no exception. */
int sandbox_lock(struct nd_error *err)
{
	const struct confine_landlock nothing = { .no_connect = true };
	int r = confine_landlock(&nothing, err);

	return r < 0 ? r : confine_filter(filter_io, ND_COUNT(filter_io), SECCOMP_FILTER_FLAG_TSYNC, err);
}

int sandbox_vcpu(struct nd_error *err)
{
	return confine_filter(filter_vcpu, ND_COUNT(filter_vcpu), 0, err);
}
