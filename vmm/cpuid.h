/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cpuid.h -- what a vCPU tells about itself */
#pragma once
#include <stdbool.h>

#include "netd/base/error.h"

struct kvm_cpuid2;

/* What this KVM offers, which the caller frees. */
int cpuid_supported(int kvm_fd, struct kvm_cpuid2 **out, struct nd_error *err);

/* Makes of it what vCPU number id of n_cpus (each a core of its own in one package) shows: its
 * APIC id and topology; nothing that only the host can use. deadline_timer: KVM's APIC has one. */
void cpuid_fit(struct kvm_cpuid2 *c, unsigned id, unsigned n_cpus, bool deadline_timer);
