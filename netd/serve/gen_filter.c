/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gen_filter.c -- writes netd-serve's system call filter as a C table, at build time
 *
 * So the server itself neither links libseccomp nor spends its start on compiling a filter.
 * Everything that is not named here kills the process. The kernel looks only at the lower half
 * of a descriptor argument, so descriptors are compared under a mask: a comparison of all 64
 * bits could be walked round with a number that differs in the upper half.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netd/base/sanitize.h"
#include "netd/serve/fds.h"

#define INT_MASK 0xffffffffu

static void check(int r, const char *what)
{
	if (r >= 0)
		return;
	fprintf(stderr, "gen_filter: %s: %d\n", what, r);
	exit(1);
}

static void allow(scmp_filter_ctx ctx, int call)
{
	check(seccomp_rule_add(ctx, SCMP_ACT_ALLOW, call, 0), "allow");
}

/* The call with an int argument of exactly this value. */
static void allow_int(scmp_filter_ctx ctx, int call, unsigned arg, unsigned value)
{
	check(seccomp_rule_add(ctx, SCMP_ACT_ALLOW, call, 1,
			       SCMP_CMP(arg, SCMP_CMP_MASKED_EQ, INT_MASK, value)), "allow_int");
}

/* The call on descriptors from FD_FREE on: one of the bits above FD_FREE_BITS is set. */
static void allow_free_fd(scmp_filter_ctx ctx, int call)
{
	for (unsigned bit = FD_FREE_BITS; bit < FD_LIMIT_BITS; bit++)
		check(seccomp_rule_add(ctx, SCMP_ACT_ALLOW, call, 1,
				       SCMP_A0(SCMP_CMP_MASKED_EQ, 1u << bit, 1u << bit)),
		      "allow_free_fd");
}

static void allow_plain_calls(scmp_filter_ctx ctx)
{
	static const int calls[] = {
		/* the loop, and closing what it opened */
		SCMP_SYS(epoll_create1), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait),
		SCMP_SYS(epoll_ctl), SCMP_SYS(close),
		SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(writev), SCMP_SYS(recvfrom),
		/* the lease database: its folder is all that can be opened */
		SCMP_SYS(openat), SCMP_SYS(open), SCMP_SYS(newfstatat), SCMP_SYS(fstat),
		SCMP_SYS(stat), SCMP_SYS(lstat), SCMP_SYS(statx), SCMP_SYS(access),
		SCMP_SYS(faccessat), SCMP_SYS(faccessat2), SCMP_SYS(readlink), SCMP_SYS(getcwd),
		SCMP_SYS(lseek), SCMP_SYS(pread64), SCMP_SYS(pwrite64), SCMP_SYS(fsync),
		SCMP_SYS(fallocate),
		SCMP_SYS(fdatasync), SCMP_SYS(unlink), SCMP_SYS(rename), SCMP_SYS(getdents64),
		/* memory, threads, clocks */
		SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise),
		SCMP_SYS(futex), SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(rt_sigprocmask),
		SCMP_SYS(rt_sigaction),
		SCMP_SYS(rt_sigreturn), SCMP_SYS(sched_yield), SCMP_SYS(restart_syscall),
		SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday), SCMP_SYS(time),
		SCMP_SYS(clock_nanosleep), SCMP_SYS(nanosleep), SCMP_SYS(getrandom),
		SCMP_SYS(eventfd2), SCMP_SYS(exit), SCMP_SYS(exit_group),
		/* who am I */
		SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(getuid), SCMP_SYS(geteuid),
		/* DNS: the filter of the output hook says where to */
		SCMP_SYS(connect), SCMP_SYS(getsockopt), SCMP_SYS(getsockname), SCMP_SYS(getpeername),
		SCMP_SYS(shutdown), SCMP_SYS(accept4),
	};

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		allow(ctx, calls[i]);
}

/* Never on the packet socket, whose filter is netd's. */
static void allow_option(scmp_filter_ctx ctx, unsigned level, unsigned name)
{
	for (unsigned bit = FD_FREE_BITS; bit < FD_LIMIT_BITS; bit++)
		check(seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(setsockopt), 3,
			SCMP_A0(SCMP_CMP_MASKED_EQ, 1u << bit, 1u << bit),
			SCMP_A1(SCMP_CMP_MASKED_EQ, INT_MASK, level),
			SCMP_A2(SCMP_CMP_MASKED_EQ, INT_MASK, name)), "setsockopt");
}

static void allow_sockets(scmp_filter_ctx ctx)
{
	static const int families[] = { AF_INET, AF_INET6 }, types[] = { SOCK_DGRAM, SOCK_STREAM };
	const unsigned flags = SOCK_NONBLOCK | SOCK_CLOEXEC;

	for (int f = 0; f < 2; f++)
		for (int t = 0; t < 2; t++)
			check(seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socket), 3,
				SCMP_A0(SCMP_CMP_MASKED_EQ, INT_MASK, families[f]),
				SCMP_A1(SCMP_CMP_MASKED_EQ, INT_MASK & ~flags, types[t]),
				SCMP_A2(SCMP_CMP_MASKED_EQ, INT_MASK, 0)), "socket");
	allow_option(ctx, IPPROTO_TCP, TCP_NODELAY);
	/* DNS under a flood: classic BPF, which anybody may attach to sockets of his own. */
	allow_option(ctx, SOL_SOCKET, SO_ATTACH_FILTER);
	allow_option(ctx, SOL_SOCKET, SO_DETACH_FILTER);
}

/* An address can sit inside the msghdr of sendmsg, where no filter sees it: so sendmsg is not for
 * the packet socket, which sends by write and by sendto without an address. */
static void allow_messages(scmp_filter_ctx ctx)
{
	check(seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(sendto), 1,
			       SCMP_A4(SCMP_CMP_EQ, 0)), "sendto");
	allow_free_fd(ctx, SCMP_SYS(sendto));
	allow_free_fd(ctx, SCMP_SYS(sendmsg));
	allow_free_fd(ctx, SCMP_SYS(sendmmsg));
	allow_int(ctx, SCMP_SYS(sendmsg), 0, FD_CHANNEL);
	/* Not on the first channel: no descriptor comes in. */
	allow_free_fd(ctx, SCMP_SYS(recvmsg));
	allow_free_fd(ctx, SCMP_SYS(recvmmsg));
	allow_int(ctx, SCMP_SYS(recvmmsg), 0, FD_PACKET);
}

static void allow_files_and_memory(scmp_filter_ctx ctx)
{
	static const int cmds[] = { F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_GETLK, F_SETLK, F_SETLKW };

	for (size_t i = 0; i < sizeof(cmds) / sizeof(cmds[0]); i++)
		allow_int(ctx, SCMP_SYS(fcntl), 1, cmds[i]);
	allow_free_fd(ctx, SCMP_SYS(ftruncate));
	check(seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
			       SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)), "mmap");
	check(seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
			       SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)), "mprotect");
}

/* The thread of the lease store: exactly what pthread_create() asks for. The C library tries
 * clone3 first, whose flags no filter sees, and goes on to clone when there is none. */
static void allow_threads(scmp_filter_ctx ctx)
{
	const unsigned flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SYSVSEM | CLONE_SIGHAND |
			       CLONE_THREAD | CLONE_SETTLS | CLONE_PARENT_SETTID |
			       CLONE_CHILD_CLEARTID;

	check(seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
			       SCMP_A0(SCMP_CMP_EQ, flags)), "clone");
	check(seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0), "clone3");
}

/* Never in a build for production. */
static void allow_sanitizers(scmp_filter_ctx ctx)
{
#if ND_SANITIZED
	allow(ctx, SCMP_SYS(sigaltstack));
	allow(ctx, SCMP_SYS(sched_getaffinity));
#else
	(void)ctx;
#endif
}

int main(void)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
	FILE *file = tmpfile();
	struct sock_filter f;

	if (!ctx || !file)
		return 1;
	check(seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2), "optimize");
	allow_plain_calls(ctx);
	allow_sockets(ctx);
	allow_messages(ctx);
	allow_files_and_memory(ctx);
	allow_threads(ctx);
	allow_sanitizers(ctx);
	check(seccomp_export_bpf(ctx, fileno(file)), "export");
	if (lseek(fileno(file), 0, SEEK_SET) < 0)
		return 1;
	puts("/* Generated by gen_filter.c. */");
	puts("static const struct sock_filter filter_code[] = {");
	while (read(fileno(file), &f, sizeof(f)) == sizeof(f))
		printf("\t{ 0x%04x, %u, %u, 0x%08x },\n", f.code, f.jt, f.jf, f.k);
	puts("};");
	seccomp_release(ctx);
	fclose(file);
	return 0;
}
