/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/sandbox.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "netd/base/auto.h"
#include "netd/base/sanitize.h"
#include "vmm/filter.h"

/* Newer than the headers of the oldest system that netd builds on. */
#define LL_FS_REFER (1ULL << 13)
#define LL_FS_TRUNCATE (1ULL << 14)
#define LL_FS_IOCTL_DEV (1ULL << 15)
#define LL_NET_BIND_TCP (1ULL << 0)
#define LL_NET_CONNECT_TCP (1ULL << 1)
#define LL_SCOPE_ABSTRACT_UNIX (1ULL << 0)
#define LL_SCOPE_SIGNAL (1ULL << 1)

#define MIB (1024ull * 1024)

/* A sanitizer maps terabytes for itself, and the leak check is a debugger. */
#if ND_SANITIZED
#define ADDRESS_SPACE(ram) RLIM_INFINITY
#define DATA_BYTES RLIM_INFINITY
const char *__asan_default_options(void);
__attribute__((visibility("default"))) const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}
#else
#define ADDRESS_SPACE(ram) ((ram) + 1024 * MIB)
#define DATA_BYTES (256 * MIB)
#endif

static int limits_set(uint64_t ram_bytes, struct nd_error *err)
{
	const struct {
		int what;
		rlim_t max;
	} limits[] = {
		{ RLIMIT_NOFILE, 4096 },
		{ RLIMIT_DATA, DATA_BYTES },
		{ RLIMIT_AS, ADDRESS_SPACE(ram_bytes) },
		{ RLIMIT_STACK, 8 * MIB },
		{ RLIMIT_CORE, 0 },
		{ RLIMIT_MSGQUEUE, 0 },
		{ RLIMIT_RTPRIO, 0 },
	};

	for (size_t i = 0; i < ND_COUNT(limits); i++) {
		struct rlimit now;
		rlim_t max = limits[i].max;

		/* Only downwards: to raise a limit takes a capability that netd need not have. */
		if (getrlimit(limits[i].what, &now) == 0 && now.rlim_max < max)
			max = now.rlim_max;
		if (setrlimit(limits[i].what, &(struct rlimit){ max, max }) < 0)
			return nd_error_sys(err, errno, "cannot set resource limit %d",
					    limits[i].what);
	}
	return 0;
}

static int capabilities_drop(struct nd_error *err)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2] = { 0 };

	if (syscall(SYS_capset, &head, none) < 0)
		return nd_error_sys(err, errno, "cannot drop all capabilities");
	return 0;
}

static int ids_drop(uid_t uid, struct nd_error *err)
{
	const unsigned long bits = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED |
				   SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED |
				   SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;

	/* The bounding set ends at the first number that the kernel does not know. */
	for (unsigned long cap = 0; prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0; cap++)
		;
	if (errno != EINVAL)
		return nd_error_sys(err, errno, "cannot drop the capability bounding set");
	if (prctl(PR_SET_SECUREBITS, bits, 0, 0, 0) < 0)
		return nd_error_sys(err, errno, "cannot set the secure bits");
	if (setgroups(0, NULL) < 0 || setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0)
		return nd_error_sys(err, errno, "cannot become uid %u", uid);
	return 0;
}

int sandbox_drop(uid_t uid, uint64_t ram_bytes, struct nd_error *err)
{
	int r = limits_set(ram_bytes, err);

	if (r == 0 && uid)
		r = ids_drop(uid, err);
	if (r == 0)
		r = capabilities_drop(err);
	if (r < 0)
		return r;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return nd_error_sys(err, errno, "cannot give up new privileges");
	return 0;
}

/* Declared here with all fields known today: the kernel takes the size that its version knows. */
struct landlock_attr {
	uint64_t fs, net, scoped;
};

static uint64_t landlock_fs_rights(int abi)
{
	uint64_t rights = LL_FS_REFER - 1;

	if (abi >= 2)
		rights |= LL_FS_REFER;
	if (abi >= 3)
		rights |= LL_FS_TRUNCATE;
	if (abi >= 5)
		rights |= LL_FS_IOCTL_DEV;
	return rights;
}

/* Everything that Landlock knows of is forbidden, and there is no exception. What is open already
 * stays usable. */
static int landlock_lock(struct nd_error *err)
{
	int abi = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	struct landlock_attr attr = {
		.fs = landlock_fs_rights(abi),
		.net = abi >= 4 ? LL_NET_BIND_TCP | LL_NET_CONNECT_TCP : 0,
		.scoped = abi >= 6 ? LL_SCOPE_ABSTRACT_UNIX | LL_SCOPE_SIGNAL : 0,
	};
	size_t size = abi >= 6 ? 24 : abi >= 4 ? 16 : 8;
	ND_AUTO(close) int ruleset = -1;

	if (abi < 1)
		return 0;	/* uid and filter hold without it */
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
	if (ruleset < 0 || syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
		return nd_error_sys(err, errno, "cannot lock the file system with Landlock");
	return 0;
}

static int filter_set(const struct sock_filter *code, size_t n, unsigned flags, struct nd_error *err)
{
	const struct sock_fprog filter = { .len = (unsigned short)n,
					   .filter = (struct sock_filter *)code };

	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &filter) != 0)
		return nd_error_sys(err, errno, "cannot set the system call filter");
	return 0;
}

int sandbox_lock(struct nd_error *err)
{
	int r = landlock_lock(err);

	return r < 0 ? r : filter_set(filter_io, ND_COUNT(filter_io), SECCOMP_FILTER_FLAG_TSYNC, err);
}

int sandbox_vcpu(struct nd_error *err)
{
	return filter_set(filter_vcpu, ND_COUNT(filter_vcpu), 0, err);
}
