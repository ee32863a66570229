/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/vcpu.h"

#include <errno.h>
#include <linux/kvm.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "vmm/cpuid.h"

#define CR0_PE 0x1ull
#define CR0_ET 0x10ull
#define CR0_PG 0x80000000ull
#define CR4_PAE 0x20ull
#define EFER_LME 0x100ull
#define EFER_LMA 0x400ull

#define MSR_MISC_ENABLE 0x1a0
#define MISC_FAST_STRING 1
#define MSR_MTRR_DEFAULT 0x2ff
#define MTRR_ON_WRITE_BACK (1u << 11 | 6)

struct vcpu {
	unsigned id;
	int fd;
	struct kvm_run *run;
	size_t run_bytes;
};

/* The signal's handler has no other way to know whose thread it interrupted. */
static __thread struct kvm_run *kicked_run;

static void kicked(int signal)
{
	if (kicked_run)
		kicked_run->immediate_exit = 1;
}

int vcpu_kicks_prepare(void)
{
	struct sigaction a = { .sa_handler = kicked };

	sigemptyset(&a.sa_mask);
	return sigaction(VCPU_KICK_SIGNAL, &a, NULL) < 0 ? -errno : 0;
}

void vcpu_kicks_take(struct vcpu *v)
{
	kicked_run = v->run;
}

static struct kvm_segment flat(uint16_t selector, uint8_t type, bool code, bool long_mode)
{
	return (struct kvm_segment){
		.limit = 0xffffffff, .selector = selector, .type = type, .present = 1, .s = 1,
		.g = 1, .db = !(code && long_mode), .l = code && long_mode,
	};
}

static int sregs_set(struct vcpu *v, const struct boot_entry *e)
{
	struct kvm_sregs s;

	if (ioctl(v->fd, KVM_GET_SREGS, &s) < 0)
		return -errno;
	s.cs = flat(0x10, 0xb, true, e->long_mode);
	s.ds = s.es = s.fs = s.gs = s.ss = flat(0x18, 0x3, false, e->long_mode);
	s.tr = (struct kvm_segment){ .limit = 0x67, .type = 0xb, .present = 1 };
	s.gdt.base = BOOT_GDT;
	s.gdt.limit = 4 * 8 - 1;
	s.idt.limit = 0;
	s.cr0 = CR0_PE | CR0_ET;
	if (e->long_mode) {
		s.cr0 |= CR0_PG;
		s.cr3 = BOOT_PAGE_TABLES;
		s.cr4 = CR4_PAE;
		s.efer = EFER_LME | EFER_LMA;
	}
	return ioctl(v->fd, KVM_SET_SREGS, &s) < 0 ? -errno : 0;
}

static int start_set(struct vcpu *v, const struct boot_entry *e)
{
	struct kvm_regs regs = { .rip = e->rip, .rsi = e->rsi, .rbx = e->rbx, .rflags = 0x2,
				 .rsp = BOOT_PAGE_TABLES - 16 };
	int r = sregs_set(v, e);

	if (r == 0 && ioctl(v->fd, KVM_SET_REGS, &regs) < 0)
		r = -errno;
	return r;
}

static int msrs_set(struct vcpu *v)
{
	static const struct kvm_msr_entry entries[] = {
		{ .index = MSR_MISC_ENABLE, .data = MISC_FAST_STRING },
		{ .index = MSR_MTRR_DEFAULT, .data = MTRR_ON_WRITE_BACK },
	};
	union {
		struct kvm_msrs msrs;
		uint8_t bytes[sizeof(struct kvm_msrs) + sizeof(entries)];
	} u = { .msrs.nmsrs = ND_COUNT(entries) };

	memcpy(u.bytes + sizeof(u.msrs), entries, sizeof(entries));
	return ioctl(v->fd, KVM_SET_MSRS, &u) < 0 ? -errno : 0;
}

/* As after power on: the old interrupt lines come through the first vCPU's local APIC. */
static int lapic_set(struct vcpu *v)
{
	struct kvm_lapic_state lapic;
	uint32_t lint0 = 0x700, lint1 = 0x400;		/* ExtINT, NMI */

	if (ioctl(v->fd, KVM_GET_LAPIC, &lapic) < 0)
		return -errno;
	memcpy(lapic.regs + 0x350, &lint0, 4);
	memcpy(lapic.regs + 0x360, &lint1, 4);
	return ioctl(v->fd, KVM_SET_LAPIC, &lapic) < 0 ? -errno : 0;
}

static int run_map(struct vcpu *v, int kvm_fd)
{
	int size = ioctl(kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	void *p;

	if (size < 0)
		return -errno;
	p = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, v->fd, 0);
	if (p == MAP_FAILED)
		return -errno;
	v->run = p;
	v->run_bytes = (size_t)size;
	return 0;
}

int vcpu_new(const struct vm *vm, int kvm_fd, unsigned id, unsigned n_cpus,
	     struct kvm_cpuid2 *cpuid, const struct boot_entry *entry, struct vcpu **out,
	     struct nd_error *err)
{
	ND_AUTO(vcpu_free) struct vcpu *v = calloc(1, sizeof(*v));
	bool deadline = ioctl(kvm_fd, KVM_CHECK_EXTENSION, KVM_CAP_TSC_DEADLINE_TIMER) > 0;
	int r;

	if (!v)
		return nd_error_nomem(err);
	v->id = id;
	v->fd = ioctl(vm_fd(vm), KVM_CREATE_VCPU, (unsigned long)id);
	if (v->fd < 0)
		return nd_error_sys(err, errno, "cannot make vCPU %u", id);
	cpuid_fit(cpuid, id, n_cpus, deadline);
	r = run_map(v, kvm_fd);
	if (r == 0 && ioctl(v->fd, KVM_SET_CPUID2, cpuid) < 0)
		r = -errno;
	if (r == 0)
		r = msrs_set(v);
	if (r == 0)
		r = lapic_set(v);
	if (r == 0 && id == 0)
		r = start_set(v, entry);
	if (r < 0)
		return nd_error_sys(err, -r, "cannot set up vCPU %u", id);
	*out = nd_take_ptr(&v);
	return 0;
}

void vcpu_free(struct vcpu *v)
{
	if (!v)
		return;
	if (v->run)
		munmap(v->run, v->run_bytes);
	if (v->fd >= 0)
		close(v->fd);
	free(v);
}

/* Repeated accesses (INS, OUTS) come as one exit with count items. The numbers are KVM's. */
static void port_exit(struct vcpu *v, const struct vcpu_exits *x)
{
	uint8_t *data = (uint8_t *)v->run + v->run->io.data_offset;

	for (uint32_t i = 0; i < v->run->io.count; i++, data += v->run->io.size) {
		if (v->run->io.direction == KVM_EXIT_IO_IN)
			x->port_read(x->arg, v->run->io.port, data, v->run->io.size);
		else
			x->port_write(x->arg, v->run->io.port, data, v->run->io.size);
	}
}

static void memory_exit(struct vcpu *v, const struct vcpu_exits *x)
{
	struct kvm_run *run = v->run;

	if (run->mmio.is_write)
		x->memory_write(x->arg, run->mmio.phys_addr, run->mmio.data, run->mmio.len);
	else
		x->memory_read(x->arg, run->mmio.phys_addr, run->mmio.data, run->mmio.len);
}

static enum vcpu_end broken(struct vcpu *v, struct nd_error *err, const char *what, uint64_t detail)
{
	struct kvm_regs regs = { 0 };

	(void)ioctl(v->fd, KVM_GET_REGS, &regs);	/* for the sentence only */
	nd_error_set(err, ND_ERR_INTERNAL, "vCPU %u: %s (0x%llx) at 0x%llx", v->id, what,
		     (unsigned long long)detail, (unsigned long long)regs.rip);
	return VCPU_BROKEN;
}

enum vcpu_end vcpu_run(struct vcpu *v, const struct vcpu_exits *exits, struct nd_error *err)
{
	struct kvm_run *run = v->run;

	if (ioctl(v->fd, KVM_RUN, 0) < 0) {
		if (errno != EINTR && errno != EAGAIN) {
			nd_error_sys(err, errno, "vCPU %u: KVM cannot run it", v->id);
			return VCPU_BROKEN;
		}
		run->immediate_exit = 0;
		return VCPU_EXITED;
	}
	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		port_exit(v, exits);
		return VCPU_EXITED;
	case KVM_EXIT_MMIO:
		memory_exit(v, exits);
		return VCPU_EXITED;
	case KVM_EXIT_INTR:
	case KVM_EXIT_IRQ_WINDOW_OPEN:
	case KVM_EXIT_HLT:
		return VCPU_EXITED;
	case KVM_EXIT_SHUTDOWN:
	case KVM_EXIT_SYSTEM_EVENT:
		return VCPU_RESET;
	case KVM_EXIT_FAIL_ENTRY:
		return broken(v, err, "the processor refuses the guest's state",
			      run->fail_entry.hardware_entry_failure_reason);
	case KVM_EXIT_INTERNAL_ERROR:
		return broken(v, err, "KVM gave up on an instruction", run->internal.suberror);
	default:
		return broken(v, err, "an exit that nobody asked for", run->exit_reason);
	}
}
