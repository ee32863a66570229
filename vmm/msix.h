/* SPDX-License-Identifier: GPL-2.0-or-later */
/* msix.h -- the MSI-X table and pending bits of one function (PCI Local Bus 3.0, 6.8.2)
 *
 * Each vector is an eventfd for the whole life of the table. An unmasked vector's is tied to its
 * message by the host; while it is masked, the eventfd's own counter is the pending bit: the host
 * sends what is in it when it is tied again.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "netd/base/auto.h"

struct msix;
struct pci_host;

/* NULL: out of memory or descriptors. */
struct msix *msix_new(unsigned n_vectors);
/* The host must be detached. NULL is fine. */
void msix_free(struct msix *m);
ND_DEFINE_AUTO(struct msix *, msix_free)

/* Bytes of the BAR, and where in it the pending bits are. */
uint64_t msix_bar_bytes(const struct msix *m);
uint32_t msix_pba_offset(const struct msix *m);
int msix_vector_fd(const struct msix *m, unsigned vector);
unsigned msix_vectors(const struct msix *m);

/* NULL: no vector is tied any more. Borrowed. */
void msix_host_set(struct msix *m, const struct pci_host *host);
/* The message control register: enabled, and all masked. */
void msix_control_set(struct msix *m, bool enabled, bool all_masked);
void msix_reset(struct msix *m);

void msix_read(struct msix *m, uint64_t offset, void *data, unsigned len_bytes);
void msix_write(struct msix *m, uint64_t offset, const void *data, unsigned len_bytes);
