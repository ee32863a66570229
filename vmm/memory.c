/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#define HUGE_PAGE (2ull << 20)

struct memory {
	uint64_t bytes;
	uint8_t *host;			/* at a huge page's start */
	uint8_t *mapped;		/* bytes + HUGE_PAGE of addresses */
	struct memory_region regions[2];
	size_t n_regions;
};

static void regions_lay_out(struct memory *m)
{
	uint64_t low = m->bytes < MEMORY_HOLE ? m->bytes : MEMORY_HOLE;

	m->regions[m->n_regions++] = (struct memory_region){ 0, low, m->host };
	if (m->bytes > low)
		m->regions[m->n_regions++] =
			(struct memory_region){ MEMORY_HIGH, m->bytes - low, m->host + low };
}

/* KVM maps a huge page of the host as one of the guest's only where both addresses begin with one. */
static int map(struct memory *m, uint64_t ram_bytes, struct nd_error *err)
{
	m->mapped = mmap(NULL, ram_bytes + HUGE_PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (m->mapped == MAP_FAILED)
		return nd_error_sys(err, errno, "cannot map %llu MiB for the guest",
				    (unsigned long long)(ram_bytes >> 20));
	m->bytes = ram_bytes;
	m->host = m->mapped + (-(uintptr_t)m->mapped & (HUGE_PAGE - 1));
	return 0;
}

int memory_new(uint64_t ram_bytes, struct memory **out, struct nd_error *err)
{
	ND_AUTO(memory_free) struct memory *m = calloc(1, sizeof(*m));
	int r;

	if (!m)
		return nd_error_nomem(err);
	m->mapped = MAP_FAILED;
	if (ram_bytes < MEMORY_MIN || ram_bytes > MEMORY_MAX || ram_bytes % 4096)
		return nd_error_set(err, ND_ERR_CONFIG_UNSUPPORTED,
				    "%llu bytes of memory are not between %llu and %llu MiB in whole "
				    "pages", (unsigned long long)ram_bytes, MEMORY_MIN >> 20,
				    MEMORY_MAX >> 20);
	r = map(m, ram_bytes, err);
	if (r < 0)
		return r;
	/* Kernels without them: small pages do. */
	(void)madvise(m->host, ram_bytes, MADV_HUGEPAGE);
	/* A dump of this process shall not hold the guest's secrets. Old kernels: no harm. */
	(void)madvise(m->host, ram_bytes, MADV_DONTDUMP);
	regions_lay_out(m);
	*out = nd_take_ptr(&m);
	return 0;
}

void memory_free(struct memory *m)
{
	if (!m)
		return;
	if (m->mapped != MAP_FAILED)
		munmap(m->mapped, m->bytes + HUGE_PAGE);
	free(m);
}

void *memory_at(const struct memory *m, uint64_t gpa, uint64_t len_bytes)
{
	for (size_t i = 0; i < m->n_regions; i++) {
		const struct memory_region *r = &m->regions[i];
		uint64_t offset = gpa - r->gpa;

		if (gpa >= r->gpa && offset < r->len_bytes)
			return len_bytes <= r->len_bytes - offset ? (uint8_t *)r->host + offset : NULL;
	}
	return NULL;
}

size_t memory_regions(const struct memory *m, const struct memory_region **out)
{
	*out = m->regions;
	return m->n_regions;
}

uint64_t memory_bytes(const struct memory *m)
{
	return m->bytes;
}

int memory_clear(struct memory *m, struct nd_error *err)
{
	if (madvise(m->host, m->bytes, MADV_DONTNEED) < 0)
		return nd_error_sys(err, errno, "cannot clear the guest's memory");
	return 0;
}
