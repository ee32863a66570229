/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Leaves and bits: Intel SDM volume 2, CPUID; AMD APM volume 3, appendix E; Linux'
 * Documentation/virt/kvm/x86/cpuid.rst for 0x40000000 on.
 */
#include "vmm/cpuid.h"

#include <errno.h>
#include <linux/kvm.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "netd/base/auto.h"

#define ENTRIES 256

#define L1_ECX_MONITOR (1u << 3)
#define L1_ECX_VMX (1u << 5)
#define L1_ECX_DEADLINE (1u << 24)
#define L1_ECX_HYPERVISOR (1u << 31)
#define L1_EDX_HTT (1u << 28)
#define X1_ECX_CMP_LEGACY (1u << 1)
#define X1_ECX_SVM (1u << 2)
#define X1_ECX_TOPOLOGY_EXT (1u << 22)
#define SHARING_SHIFT 14		/* leaf 4 and 0x8000001d: threads that share the cache, less 1 */
#define SHARING_MASK 0xfffu
#define CORES_SHIFT 26			/* leaf 4: cores in the package, less 1 */

int cpuid_supported(int kvm_fd, struct kvm_cpuid2 **out, struct nd_error *err)
{
	struct kvm_cpuid2 *c = calloc(1, sizeof(*c) + ENTRIES * sizeof(c->entries[0]));

	if (!c)
		return nd_error_nomem(err);
	c->nent = ENTRIES;
	if (ioctl(kvm_fd, KVM_GET_SUPPORTED_CPUID, c) < 0) {
		int code = errno;

		free(c);
		return nd_error_sys(err, code, "KVM does not say what CPUID can show");
	}
	*out = c;
	return 0;
}

/* The number of bits that hold the ids 0 to n - 1. */
static unsigned id_bits(unsigned n)
{
	unsigned bits = 0;

	while (1u << bits < n)
		bits++;
	return bits;
}

static void bits_set(uint32_t *reg, uint32_t bits, bool on)
{
	*reg = on ? *reg | bits : *reg & ~bits;
}

static void basic_fit(struct kvm_cpuid_entry2 *e, unsigned id, unsigned n_cpus, bool deadline_timer)
{
	e->ebx = (e->ebx & 0xffff) | n_cpus << 16 | id << 24;
	bits_set(&e->ecx, L1_ECX_MONITOR | L1_ECX_VMX, false);
	bits_set(&e->ecx, L1_ECX_HYPERVISOR, true);
	bits_set(&e->ecx, L1_ECX_DEADLINE, deadline_timer);
	bits_set(&e->edx, L1_EDX_HTT, n_cpus > 1);
}

/* Caches of level 1 and 2 are a core's own, higher ones the package's. */
static void cache_fit(struct kvm_cpuid_entry2 *e, unsigned n_cpus)
{
	unsigned level = e->eax >> 5 & 7, sharing = level > 2 ? n_cpus - 1 : 0;

	if ((e->eax & 0x1f) == 0)
		return;			/* no cache: the end of the list */
	e->eax = (e->eax & ~(SHARING_MASK << SHARING_SHIFT)) | sharing << SHARING_SHIFT;
	if (e->function == 4)
		e->eax = (e->eax & ((1u << CORES_SHIFT) - 1)) | (n_cpus - 1) << CORES_SHIFT;
}

/* Subleaf 0: threads of a core (one), 1: cores of the package, others: the end. */
static void topology_fit(struct kvm_cpuid_entry2 *e, unsigned id, unsigned n_cpus)
{
	static const uint32_t kind[] = { 1, 2 };

	e->eax = e->index == 1 ? id_bits(n_cpus) : 0;
	e->ebx = e->index == 0 ? 1 : e->index == 1 ? n_cpus : 0;
	e->ecx = e->index | (e->index < 2 ? kind[e->index] << 8 : 0);
	e->edx = id;
}

static void entry_fit(struct kvm_cpuid_entry2 *e, unsigned id, unsigned n_cpus, bool deadline_timer)
{
	switch (e->function) {
	case 1:
		basic_fit(e, id, n_cpus, deadline_timer);
		break;
	case 4:
	case 0x8000001d:
		cache_fit(e, n_cpus);
		break;
	case 5:			/* MONITOR */
	case 0xa:		/* performance counters are the host's */
	case 0x12:		/* SGX */
	case 0x14:		/* processor trace */
	case 0x8000000a:	/* SVM */
		e->eax = e->ebx = e->ecx = e->edx = 0;
		break;
	case 6:			/* power and heat: only that the APIC timer always runs */
		e->eax &= 1u << 2;
		e->ebx = e->ecx = e->edx = 0;
		break;
	case 0xb:
	case 0x1f:
		topology_fit(e, id, n_cpus);
		break;
	case 0x80000001:
		bits_set(&e->ecx, X1_ECX_SVM, false);
		bits_set(&e->ecx, X1_ECX_CMP_LEGACY, n_cpus > 1);
		break;
	case 0x80000008:
		e->ecx = id_bits(n_cpus) << 12 | (n_cpus - 1);
		break;
	case 0x8000001e:
		e->eax = id;
		e->ebx = id;
		e->ecx = 0;
		break;
	default:
		break;
	}
}

static struct kvm_cpuid_entry2 *find(struct kvm_cpuid2 *c, uint32_t function, uint32_t index)
{
	for (uint32_t i = 0; i < c->nent; i++)
		if (c->entries[i].function == function && c->entries[i].index == index)
			return &c->entries[i];
	return NULL;
}

/* KVM lists the leaf with its first subleaf only where the host has no topology to tell. */
static void topology_complete(struct kvm_cpuid2 *c, unsigned id, unsigned n_cpus)
{
	struct kvm_cpuid_entry2 *first = find(c, 0xb, 0);

	for (uint32_t i = first ? 1 : 3; i < 3; i++) {
		struct kvm_cpuid_entry2 *e = find(c, 0xb, i);

		if (e || c->nent == ENTRIES)
			continue;
		e = &c->entries[c->nent++];
		*e = (struct kvm_cpuid_entry2){ .function = 0xb, .index = i,
						.flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX };
		topology_fit(e, id, n_cpus);
	}
}

void cpuid_fit(struct kvm_cpuid2 *c, unsigned id, unsigned n_cpus, bool deadline_timer)
{
	for (uint32_t i = 0; i < c->nent; i++)
		entry_fit(&c->entries[i], id, n_cpus, deadline_timer);
	topology_complete(c, id, n_cpus);
}
