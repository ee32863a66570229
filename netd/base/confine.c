/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/base/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "netd/base/auto.h"

/* Newer than the headers of the oldest system that netd builds on. */
#define LL_FS_REFER (1ULL << 13)
#define LL_FS_TRUNCATE (1ULL << 14)
#define LL_FS_IOCTL_DEV (1ULL << 15)
#define LL_NET_BIND_TCP (1ULL << 0)
#define LL_NET_CONNECT_TCP (1ULL << 1)
#define LL_SCOPE_ABSTRACT_UNIX (1ULL << 0)
#define LL_SCOPE_SIGNAL (1ULL << 1)

int confine_limits(const struct confine_limit *limits, size_t n, struct nd_error *err)
{
	for (size_t i = 0; i < n; i++) {
		struct rlimit now;
		rlim_t max = limits[i].max;

		if (getrlimit(limits[i].what, &now) == 0 && now.rlim_max < max)
			max = now.rlim_max;
		if (setrlimit(limits[i].what, &(struct rlimit){ max, max }) < 0)
			return nd_error_sys(err, errno, "cannot set resource limit %d", limits[i].what);
	}
	return 0;
}

/* The bounding set ends at the first number that the kernel does not know. */
int confine_bounding_set(struct nd_error *err)
{
	for (unsigned long cap = 0; prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0; cap++)
		;
	return errno == EINVAL ? 0 : nd_error_sys(err, errno, "cannot drop the capability bounding set");
}

int confine_ids(uid_t uid, struct nd_error *err)
{
	const unsigned long bits = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED |
				   SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED |
				   SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;

	if (prctl(PR_SET_SECUREBITS, bits, 0, 0, 0) < 0)
		return nd_error_sys(err, errno, "cannot set the secure bits");
	if (setgroups(0, NULL) < 0 || setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0)
		return nd_error_sys(err, errno, "cannot become uid %u", uid);
	return 0;
}

int confine_capabilities(struct nd_error *err)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2] = { 0 };

	if (syscall(SYS_capset, &head, none) < 0)
		return nd_error_sys(err, errno, "cannot drop all capabilities");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return nd_error_sys(err, errno, "cannot give up new privileges");
	return 0;
}

/* Declared here with all fields known today: the kernel takes the size that its version knows. */
struct landlock_attr {
	uint64_t fs, net, scoped;
};

static uint64_t all_fs_rights(int abi)
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

/* True: the rule is in. */
static bool allow_files(int ruleset, int abi, const char *folder)
{
	struct landlock_path_beneath_attr rule = {
		.allowed_access = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE |
				  LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |
				  LANDLOCK_ACCESS_FS_MAKE_REG | (abi >= 3 ? LL_FS_TRUNCATE : 0),
	};
	ND_AUTO(close) int fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);

	rule.parent_fd = fd;
	return fd >= 0 && syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0;
}

int confine_landlock(const struct confine_landlock *l, struct nd_error *err)
{
	int abi = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	struct landlock_attr attr = {
		.fs = all_fs_rights(abi),
		.net = abi < 4 ? 0 : LL_NET_BIND_TCP | (l->no_connect ? LL_NET_CONNECT_TCP : 0),
		.scoped = abi >= 6 ? LL_SCOPE_ABSTRACT_UNIX | LL_SCOPE_SIGNAL : 0,
	};
	size_t size = abi >= 6 ? 24 : abi >= 4 ? 16 : 8;
	ND_AUTO(close) int ruleset = -1;

	if (abi < 1)
		return 0;	/* uid, chroot and filter hold without it */
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
	if (ruleset < 0 || (l->files_below && !allow_files(ruleset, abi, l->files_below)) ||
	    syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
		return nd_error_sys(err, errno, "cannot lock the file system with Landlock");
	return 0;
}

int confine_filter(const struct sock_filter *code, size_t n, unsigned flags, struct nd_error *err)
{
	const struct sock_fprog filter = { .len = (unsigned short)n,
					   .filter = (struct sock_filter *)code };

	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &filter) != 0)
		return nd_error_sys(err, errno, "cannot set the system call filter");
	return 0;
}
