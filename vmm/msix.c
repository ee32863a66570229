/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/msix.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "vmm/pci.h"

#define ENTRY_BYTES 16
#define CONTROL_AT 12		/* in an entry */
#define CONTROL_MASK 1u

struct vector {
	uint8_t entry[ENTRY_BYTES];	/* little endian, as the guest sees it */
	int fd;
	bool tied;
};

struct msix {
	const struct pci_host *host;
	bool enabled, all_masked;
	unsigned n;
	struct vector vectors[];
};

struct msix *msix_new(unsigned n_vectors)
{
	ND_AUTO(msix_free) struct msix *m = NULL;

	if (n_vectors == 0 || n_vectors > PCI_MSIX_MAX)
		return NULL;
	m = calloc(1, sizeof(*m) + n_vectors * sizeof(m->vectors[0]));
	if (!m)
		return NULL;
	for (; m->n < n_vectors; m->n++) {
		struct vector *v = &m->vectors[m->n];

		v->entry[CONTROL_AT] = CONTROL_MASK;
		v->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (v->fd < 0)
			return NULL;
	}
	return nd_take_ptr(&m);
}

void msix_free(struct msix *m)
{
	if (!m)
		return;
	msix_host_set(m, NULL);
	for (unsigned i = 0; i < m->n; i++)
		close(m->vectors[i].fd);
	free(m);
}

uint32_t msix_pba_offset(const struct msix *m)
{
	return PCI_MSIX_MAX * ENTRY_BYTES;
}

uint64_t msix_bar_bytes(const struct msix *m)
{
	return 4096;		/* 2048 of table at most, and 16 of pending bits */
}

int msix_vector_fd(const struct msix *m, unsigned vector)
{
	return vector < m->n ? m->vectors[vector].fd : -1;
}

unsigned msix_vectors(const struct msix *m)
{
	return m->n;
}

static void tie(struct msix *m, struct vector *v)
{
	uint32_t low, high, data;

	memcpy(&low, v->entry, 4);
	memcpy(&high, v->entry + 4, 4);
	memcpy(&data, v->entry + 8, 4);
	/* A message that the host cannot send is the guest's fault: its interrupt does not come. */
	if (m->host->msi_set &&
	    m->host->msi_set(m->host->arg, v->fd, (uint64_t)high << 32 | low, data) == 0)
		v->tied = true;
}

static void untie(const struct pci_host *host, struct vector *v)
{
	if (v->tied)
		host->msi_clear(host->arg, v->fd);
	v->tied = false;
}

static bool wants(const struct msix *m, const struct vector *v)
{
	return m->host && m->enabled && !m->all_masked && !(v->entry[CONTROL_AT] & CONTROL_MASK);
}

static void update(struct msix *m, struct vector *v)
{
	if (!wants(m, v))
		untie(m->host, v);
	else if (!v->tied)
		tie(m, v);
}

void msix_host_set(struct msix *m, const struct pci_host *host)
{
	for (unsigned i = 0; m->host && i < m->n; i++)
		untie(m->host, &m->vectors[i]);
	m->host = host;
	for (unsigned i = 0; host && i < m->n; i++)
		update(m, &m->vectors[i]);
}

void msix_control_set(struct msix *m, bool enabled, bool all_masked)
{
	m->enabled = enabled;
	m->all_masked = all_masked;
	for (unsigned i = 0; m->host && i < m->n; i++)
		update(m, &m->vectors[i]);
}

void msix_reset(struct msix *m)
{
	msix_control_set(m, false, false);
	for (unsigned i = 0; i < m->n; i++) {
		uint64_t pending;

		memset(m->vectors[i].entry, 0, ENTRY_BYTES);
		m->vectors[i].entry[CONTROL_AT] = CONTROL_MASK;
		(void)!read(m->vectors[i].fd, &pending, sizeof(pending));	/* often none */
	}
}

static bool is_pending(const struct vector *v)
{
	struct pollfd p = { .fd = v->fd, .events = POLLIN };

	return !v->tied && poll(&p, 1, 0) == 1;
}

static uint8_t pending_byte(const struct msix *m, uint64_t at)
{
	uint8_t bits = 0;

	for (unsigned i = 0; i < 8 && at * 8 + i < m->n; i++)
		bits |= is_pending(&m->vectors[at * 8 + i]) << i;
	return bits;
}

static uint8_t byte_at(const struct msix *m, uint64_t offset)
{
	if (offset < (uint64_t)m->n * ENTRY_BYTES)
		return m->vectors[offset / ENTRY_BYTES].entry[offset % ENTRY_BYTES];
	if (offset >= msix_pba_offset(m) && offset < msix_pba_offset(m) + PCI_MSIX_MAX / 8)
		return pending_byte(m, offset - msix_pba_offset(m));
	return 0;
}

void msix_read(struct msix *m, uint64_t offset, void *data, unsigned len_bytes)
{
	for (unsigned i = 0; i < len_bytes; i++)
		((uint8_t *)data)[i] = byte_at(m, offset + i);
}

/* 6.8.2: only whole aligned registers. Reserved bits of the vector control stay 0. A message that
 * is changed while it is not masked takes effect at once, as some guests expect. */
void msix_write(struct msix *m, uint64_t offset, const void *data, unsigned len_bytes)
{
	struct vector *v;

	if ((len_bytes != 4 && len_bytes != 8) || offset % len_bytes ||
	    offset >= (uint64_t)m->n * ENTRY_BYTES)
		return;
	v = &m->vectors[offset / ENTRY_BYTES];
	if (memcmp(v->entry + offset % ENTRY_BYTES, data, len_bytes) == 0)
		return;
	memcpy(v->entry + offset % ENTRY_BYTES, data, len_bytes);
	v->entry[CONTROL_AT] &= CONTROL_MASK;
	memset(v->entry + CONTROL_AT + 1, 0, 3);
	if (v->tied && offset % ENTRY_BYTES < CONTROL_AT && wants(m, v))
		tie(m, v);
	else if (m->host)
		update(m, v);
}
