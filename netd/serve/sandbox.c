/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/serve/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "filter.h"
#include "netd/base/auto.h"
#include "netd/base/sanitize.h"
#include "netd/serve/fds.h"

/* Newer than the headers of the oldest system that netd builds on. */
#define LL_FS_REFER (1ULL << 13)
#define LL_FS_TRUNCATE (1ULL << 14)
#define LL_FS_IOCTL_DEV (1ULL << 15)
#define LL_NET_BIND_TCP (1ULL << 0)
#define LL_SCOPE_ABSTRACT_UNIX (1ULL << 0)
#define LL_SCOPE_SIGNAL (1ULL << 1)

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

/* The bounding set ends at the first number that the kernel does not know. */
static int bounding_set_drop(struct nd_error *err)
{
	for (unsigned long cap = 0; prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0; cap++)
		;
	return errno == EINVAL ? 0 : nd_error_sys(err, errno, "cannot drop the capability bounding set");
}

static int ids_drop(uid_t uid, struct nd_error *err)
{
	const unsigned long bits = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED |
				   SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED |
				   SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2] = { 0 };

	if (prctl(PR_SET_SECUREBITS, bits, 0, 0, 0) < 0)
		return nd_error_sys(err, errno, "cannot set the secure bits");
	if (setgroups(0, NULL) < 0 || setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0)
		return nd_error_sys(err, errno, "cannot become uid %u", uid);
	if (syscall(SYS_capset, &head, none) < 0)
		return nd_error_sys(err, errno, "cannot drop all capabilities");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return nd_error_sys(err, errno, "cannot give up new privileges");
	return 0;
}

static int limits_set(struct nd_error *err)
{
	static const struct {
		int what;
		rlim_t max;
	} limits[] = {
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

int sandbox_prepare(struct nd_error *err)
{
	int r = limits_set(err);

	return r < 0 ? r : bounding_set_drop(err);
}

int sandbox_drop(const struct sandbox *s, struct nd_error *err)
{
	int r = folder_enter(s, err);

	return r < 0 ? r : ids_drop(s->uid, err);
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

/* Only plain files, in the root (which is the lease folder), may be opened, made and removed.
 * read_dir: without it SQLite could not open the folder and would silently skip its fsync. */
static int landlock_lock(struct nd_error *err)
{
	int abi = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	struct landlock_attr attr = {
		.fs = landlock_fs_rights(abi),
		.net = abi >= 4 ? LL_NET_BIND_TCP : 0,
		.scoped = abi >= 6 ? LL_SCOPE_ABSTRACT_UNIX | LL_SCOPE_SIGNAL : 0,
	};
	size_t size = abi >= 6 ? 24 : abi >= 4 ? 16 : 8;
	struct landlock_path_beneath_attr rule = {
		.allowed_access = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE |
				  LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |
				  LANDLOCK_ACCESS_FS_MAKE_REG | (abi >= 3 ? LL_FS_TRUNCATE : 0),
	};
	ND_AUTO(close) int ruleset = -1;
	ND_AUTO(close) int root = -1;

	if (abi < 1)
		return 0;	/* chroot, uid and filter hold without it */
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
	root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	rule.parent_fd = root;
	if (ruleset < 0 || root < 0 ||
	    syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0 ||
	    syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
		return nd_error_sys(err, errno, "cannot lock the file system with Landlock");
	return 0;
}

int sandbox_lock(struct nd_error *err)
{
	const struct sock_fprog filter = {
		.len = ND_COUNT(filter_code), .filter = (struct sock_filter *)filter_code,
	};
	int r = landlock_lock(err);

	if (r < 0)
		return r;
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &filter) != 0)
		return nd_error_sys(err, errno, "cannot set the system call filter");
	return 0;
}
