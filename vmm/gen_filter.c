/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gen_filter -- prints netd-vmm's system call filters as C: filter_io for the I/O thread, which
 * vCPU threads inherit, and filter_vcpu, which they add. What neither allows ends the process.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if_tun.h>
#include <linux/kvm.h>
#include <linux/vhost.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netd/base/sanitize.h"

#define INT_MASK 0xffffffffu
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void check(int r, const char *what)
{
	if (r >= 0)
		return;
	fprintf(stderr, "gen_filter: %s: %d\n", what, r);
	exit(1);
}

static void allow(scmp_filter_ctx ctx, const int *calls, size_t n)
{
	for (size_t i = 0; i < n; i++)
		check(seccomp_rule_add(ctx, SCMP_ACT_ALLOW, calls[i], 0), "allow");
}

/* The call with an int argument of exactly this value. */
static void allow_int(scmp_filter_ctx ctx, int call, unsigned arg, unsigned value)
{
	check(seccomp_rule_add(ctx, SCMP_ACT_ALLOW, call, 1,
			       SCMP_CMP(arg, SCMP_CMP_MASKED_EQ, INT_MASK, value)), "allow_int");
}

static void allow_ioctls(scmp_filter_ctx ctx, const unsigned *requests, size_t n)
{
	for (size_t i = 0; i < n; i++)
		allow_int(ctx, SCMP_SYS(ioctl), 1, requests[i]);
}

/* What a device does when the guest sets it up, resets it or lets go of it, on either thread. */
static void allow_devices(scmp_filter_ctx ctx)
{
	static const int calls[] = {
		SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(readv), SCMP_SYS(writev), SCMP_SYS(close),
		SCMP_SYS(epoll_ctl), SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(io_uring_enter),
		SCMP_SYS(eventfd2),
		/* memory and locks */
		SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise),
		SCMP_SYS(futex), SCMP_SYS(sched_yield),
		/* signals and the thread's end */
		SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigprocmask), SCMP_SYS(restart_syscall),
		SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(getpid), SCMP_SYS(gettid),
		SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday), SCMP_SYS(time),
	};
	static const unsigned ioctls[] = {
		KVM_SET_GSI_ROUTING, KVM_IRQFD, KVM_IOEVENTFD, KVM_IRQ_LINE,
		/* a queue that starts or stops, in the kernel or here */
		VHOST_SET_OWNER, VHOST_RESET_OWNER, VHOST_GET_FEATURES, VHOST_SET_FEATURES,
		VHOST_SET_MEM_TABLE, VHOST_SET_VRING_NUM, VHOST_SET_VRING_ADDR, VHOST_SET_VRING_BASE,
		VHOST_GET_VRING_BASE, VHOST_SET_VRING_KICK, VHOST_SET_VRING_CALL, VHOST_SET_VRING_ERR,
		VHOST_GET_BACKEND_FEATURES, VHOST_SET_BACKEND_FEATURES, VHOST_NET_SET_BACKEND,
		TUNSETOFFLOAD, TUNSETQUEUE, TUNSETTXFILTER,
	};

	allow(ctx, calls, COUNT(calls));
	allow_ioctls(ctx, ioctls, COUNT(ioctls));
	check(seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
			       SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)), "mmap");
	check(seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
			       SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)), "mprotect");
	/* Kicking another vCPU, and nothing else: the filter cannot know the process' number. */
	allow_int(ctx, SCMP_SYS(tgkill), 2, SIGUSR1);
}

static void allow_vcpu(scmp_filter_ctx ctx)
{
	static const unsigned ioctls[] = { KVM_RUN, KVM_GET_REGS };
	static const int calls[] = { SCMP_SYS(set_robust_list), SCMP_SYS(rseq) };

	allow_ioctls(ctx, ioctls, COUNT(ioctls));
	allow(ctx, calls, COUNT(calls));
}

/* Exactly what pthread_create() asks for. The C library tries clone3 first, whose flags no filter
 * sees, and goes on to clone when there is none. */
static void allow_threads(scmp_filter_ctx ctx)
{
	const unsigned flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SYSVSEM | CLONE_SIGHAND |
			       CLONE_THREAD | CLONE_SETTLS | CLONE_PARENT_SETTID |
			       CLONE_CHILD_CLEARTID;

	check(seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
			       SCMP_A0(SCMP_CMP_EQ, flags)), "clone");
	check(seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0), "clone3");
}

static void allow_io(scmp_filter_ctx ctx)
{
	static const int calls[] = {
		SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait), SCMP_SYS(pread64), SCMP_SYS(fstat),
		SCMP_SYS(newfstatat),
		/* netd: the channel, and one that comes after a restart; descriptors of new NICs */
		SCMP_SYS(accept4), SCMP_SYS(getsockopt), SCMP_SYS(recvmsg), SCMP_SYS(sendmsg),
		SCMP_SYS(recvfrom), SCMP_SYS(nanosleep), SCMP_SYS(clock_nanosleep),
		SCMP_SYS(getrandom), SCMP_SYS(rt_sigaction), SCMP_SYS(sched_getaffinity),
		SCMP_SYS(timerfd_create),	/* of a plugged NIC */
		/* entropy's next portion; a disk where the kernel gives no io_uring */
		SCMP_SYS(timerfd_settime), SCMP_SYS(preadv), SCMP_SYS(pwritev), SCMP_SYS(fdatasync),
		SCMP_SYS(fallocate),
		/* the filter of a vCPU's thread, which can only take away */
		SCMP_SYS(seccomp),
	};
	static const unsigned ioctls[] = {
		KVM_CHECK_EXTENSION, KVM_CREATE_VM, KVM_GET_VCPU_MMAP_SIZE, KVM_GET_SUPPORTED_CPUID,
		KVM_SET_USER_MEMORY_REGION, KVM_SET_TSS_ADDR, KVM_SET_IDENTITY_MAP_ADDR,
		KVM_CREATE_IRQCHIP, KVM_CREATE_PIT2, KVM_CREATE_VCPU, KVM_SET_CPUID2, KVM_SET_MSRS,
		/* a NIC that is plugged into a running guest */
		TUNGETIFF, TUNSETVNETHDRSZ,
		KVM_GET_LAPIC, KVM_SET_LAPIC, KVM_GET_SREGS, KVM_SET_SREGS, KVM_SET_REGS,
	};

	static const int commands[] = { F_GETFL, F_SETFL, F_GETFD, F_SETFD, F_DUPFD_CLOEXEC };

	allow(ctx, calls, COUNT(calls));
	allow_ioctls(ctx, ioctls, COUNT(ioctls));
	for (size_t i = 0; i < COUNT(commands); i++)
		allow_int(ctx, SCMP_SYS(fcntl), 1, (unsigned)commands[i]);
	allow_threads(ctx);
}

/* Never in a build for production. */
static void allow_sanitizers(scmp_filter_ctx ctx)
{
#if ND_SANITIZED
	allow(ctx, (int[]){ SCMP_SYS(sigaltstack), SCMP_SYS(getrlimit), SCMP_SYS(prlimit64) }, 3);
#else
	(void)ctx;
#endif
}

static void print(scmp_filter_ctx ctx, const char *name)
{
	FILE *file = tmpfile();
	struct sock_filter f;

	if (!file)
		exit(1);
	check(seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2), "optimize");
	check(seccomp_export_bpf(ctx, fileno(file)), "export");
	if (lseek(fileno(file), 0, SEEK_SET) < 0)
		exit(1);
	printf("static const struct sock_filter %s[] = {\n", name);
	while (read(fileno(file), &f, sizeof(f)) == sizeof(f))
		printf("\t{ 0x%04x, %u, %u, 0x%08x },\n", f.code, f.jt, f.jf, f.k);
	puts("};");
	fclose(file);
}

int main(void)
{
	scmp_filter_ctx io = seccomp_init(SCMP_ACT_KILL_PROCESS);
	scmp_filter_ctx vcpu = seccomp_init(SCMP_ACT_KILL_PROCESS);

	if (!io || !vcpu)
		return 1;
	allow_devices(io);
	allow_vcpu(io);
	allow_io(io);
	allow_sanitizers(io);
	allow_devices(vcpu);
	allow_vcpu(vcpu);
	allow_sanitizers(vcpu);
	puts("/* Generated by gen_filter.c. */");
	print(io, "filter_io");
	print(vcpu, "filter_vcpu");
	seccomp_release(io);
	seccomp_release(vcpu);
	return 0;
}
