/* SPDX-License-Identifier: GPL-2.0-or-later */
/* memory.h -- the guest's RAM
 *
 * Private memory of this process, in huge pages where the kernel has some: KVM and vhost-net work on the process's own
 * addresses, so nobody needs a descriptor of it. Guest addresses from MEMORY_HOLE to 4 GiB belong to devices, so RAM
 * above it continues at 4 GiB. Every address that comes from the guest is turned into a pointer
 * by memory_at() and by nothing else; the guest can write what is behind it at any time, so what
 * is checked has to be copied first.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "netd/base/auto.h"
#include "netd/base/error.h"

#define MEMORY_HOLE 0xc0000000ull
#define MEMORY_HIGH 0x100000000ull
#define MEMORY_MIN (16ull << 20)
#define MEMORY_MAX (1ull << 40)

struct memory;

/* For KVM's slots and vhost's memory table. */
struct memory_region {
	uint64_t gpa, len_bytes;
	void *host;
};

/* ram_bytes: a multiple of 4096 from MEMORY_MIN to MEMORY_MAX. Pages are taken when touched. */
int memory_new(uint64_t ram_bytes, struct memory **out, struct nd_error *err);
void memory_free(struct memory *m);
ND_DEFINE_AUTO(struct memory *, memory_free)

/* NULL unless wholly in RAM and contiguous on the host. A length of 0 is fine in RAM. */
void *memory_at(const struct memory *m, uint64_t gpa, uint64_t len_bytes);

/* One or two regions, sorted. Borrowed. */
size_t memory_regions(const struct memory *m, const struct memory_region **out);
uint64_t memory_bytes(const struct memory *m);

/* All zero again, its pages given back: for a reset. */
int memory_clear(struct memory *m, struct nd_error *err);
