/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vcpu.h -- one virtual processor: its registers, and running it until the guest wants something */
#pragma once
#include <stdint.h>

#include "netd/base/auto.h"
#include "netd/base/error.h"
#include "vmm/boot.h"
#include "vmm/vm.h"

struct vcpu;
struct kvm_cpuid2;

/* Who answers the guest. */
struct vcpu_exits {
	void *arg;
	void (*port_read)(void *arg, uint16_t port, void *data, unsigned len_bytes);
	void (*port_write)(void *arg, uint16_t port, const void *data, unsigned len_bytes);
	void (*memory_read)(void *arg, uint64_t gpa, void *data, unsigned len_bytes);
	void (*memory_write)(void *arg, uint64_t gpa, const void *data, unsigned len_bytes);
};

enum vcpu_end {
	VCPU_EXITED = 1,		/* an exit was answered, or a signal came: go on */
	VCPU_RESET,			/* triple fault, or KVM says that the guest wants one */
	VCPU_BROKEN,			/* KVM cannot go on: see *err */
};

/* cpuid (borrowed) is cpuid_fit()ted here. The first one (id 0) starts at entry, others wait for
 * it to wake them. */
int vcpu_new(const struct vm *vm, int kvm_fd, unsigned id, unsigned n_cpus,
	     struct kvm_cpuid2 *cpuid, const struct boot_entry *entry, struct vcpu **out,
	     struct nd_error *err);
void vcpu_free(struct vcpu *v);
ND_DEFINE_AUTO(struct vcpu *, vcpu_free)

/* Runs the guest until the next exit, and has it answered. On the thread of this vCPU. */
enum vcpu_end vcpu_run(struct vcpu *v, const struct vcpu_exits *exits, struct nd_error *err);

/* From this vCPU's thread once, before it runs: VCPU_KICK_SIGNAL then ends vcpu_run(), also when
 * it comes just before it. */
#define VCPU_KICK_SIGNAL SIGUSR1
void vcpu_kicks_take(struct vcpu *v);
/* In main(), before there are threads. */
int vcpu_kicks_prepare(void);
