/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vm.h -- a KVM virtual machine: memory slots, the interrupt controllers in the kernel, and the
 * eventfds that the kernel ties to interrupts and to the guest's writes
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "netd/base/auto.h"
#include "netd/base/error.h"
#include "vmm/memory.h"
#include "vmm/pci.h"

struct vm;

/* Checks that kvm_fd (borrowed) is a KVM that has what is needed. */
int vm_kvm_check(int kvm_fd, struct nd_error *err);
/* The memory must outlive it. */
int vm_new(int kvm_fd, const struct memory *m, struct vm **out, struct nd_error *err);
/* vCPUs must be gone. */
void vm_free(struct vm *vm);
ND_DEFINE_AUTO(struct vm *, vm_free)

int vm_fd(const struct vm *vm);
/* The level of one of the 24 wired lines. */
void vm_irq_set(struct vm *vm, unsigned line, bool high);

/* The members of struct pci_host, with arg a struct vm. */
int vm_msi_set(void *vm, int fd, uint64_t address, uint32_t data);
void vm_msi_clear(void *vm, int fd);
int vm_notify_set(void *vm, uint64_t gpa, int fd);
void vm_notify_clear(void *vm, uint64_t gpa, int fd);
