/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pci.h -- one PCI bus and the functions on it: configuration space, BARs, capabilities, MSI-X
 *
 * A device (virtio's transport) makes a function, gives it BARs and capabilities and plugs it into
 * a slot. The guest's accesses come in by pci_conf1_*() and pci_bus_*(); what they need of the
 * hypervisor goes out by struct pci_host, which is KVM in the program and a recorder in tests.
 * Everything here runs under the loop's lock.
 *
 * Only function 0 of each slot, only 64-bit memory BARs, only MSI-X: a guest without MSI-X gets no
 * interrupt.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "netd/base/auto.h"
#include "netd/base/error.h"

#define PCI_SLOTS 32
#define PCI_CONFIG_BYTES 256
#define PCI_MMIO_BASE 0xc0000000ull	/* where BARs are put; the guest may move them */
#define PCI_MMIO_END 0xe0000000ull	/* 16 MiB for each slot */
#define PCI_SLOT_MMIO_BYTES ((PCI_MMIO_END - PCI_MMIO_BASE) / PCI_SLOTS)
#define PCI_MSIX_MAX 128		/* vectors of one function */

/* What the bus needs of the hypervisor. All may be NULL in tests. 0 or -errno. */
struct pci_host {
	void *arg;
	/* An interrupt message is sent whenever fd (an eventfd) is written, until msi_clear; also
	 * when it was written before. Called again for the same fd: another message. */
	int (*msi_set)(void *arg, int fd, uint64_t address, uint32_t data);
	void (*msi_clear)(void *arg, int fd);
	/* fd is written whenever the guest writes to this address, whatever and in any width. */
	int (*notify_set)(void *arg, uint64_t gpa, int fd);
	void (*notify_clear)(void *arg, uint64_t gpa, int fd);
};

struct pci_ops {
	/* An access inside a BAR: offset + len_bytes is within its size, len_bytes is 1, 2, 4 or 8. */
	void (*bar_read)(void *dev, unsigned bar, uint64_t offset, void *data, unsigned len_bytes);
	void (*bar_write)(void *dev, unsigned bar, uint64_t offset, const void *data,
			  unsigned len_bytes);
	/* Optional: before a read and after a write of the configuration space from 0x40 on. */
	void (*config_read)(void *dev, unsigned offset, unsigned len_bytes);
	void (*config_written)(void *dev, unsigned offset, unsigned len_bytes);
	void (*reset)(void *dev);
	/* Optional: the function is out of its slot (the guest ejected it); free it and yourself. */
	void (*ejected)(void *dev);
};

struct pci_ids {
	uint16_t vendor, device, subvendor, subdevice;
	uint8_t revision;
	uint32_t class_code;		/* 24 bits: class, subclass, interface */
};

struct pci_bus;
struct pci_function;

struct pci_bus *pci_bus_new(const struct pci_host *host);	/* NULL: out of memory */
/* The functions stay their owners'. */
void pci_bus_free(struct pci_bus *b);
ND_DEFINE_AUTO(struct pci_bus *, pci_bus_free)

/* NULL: out of memory. dev is handed to the ops. */
struct pci_function *pci_function_new(const struct pci_ids *ids, const struct pci_ops *ops, void *dev);
/* Takes it out of its slot first. NULL is fine. */
void pci_function_free(struct pci_function *f);
ND_DEFINE_AUTO(struct pci_function *, pci_function_free)

/* A 64-bit memory BAR in registers bar and bar + 1 (bar is 0, 2 or 4). size_bytes: a power of two
 * from 4096. The BARs of one function fit PCI_SLOT_MMIO_BYTES. 0 or -EINVAL. */
int pci_add_bar(struct pci_function *f, unsigned bar, uint64_t size_bytes);
/* body is what follows the capability's id and next pointer, len its bytes. Returns the offset of
 * the capability (of its id), or -ENOSPC. The guest can only read it; see pci_writable(). */
int pci_add_capability(struct pci_function *f, uint8_t id, const void *body, size_t len);
/* Lets the guest write these bytes of the configuration space. */
void pci_writable(struct pci_function *f, unsigned offset, unsigned len_bytes);
/* The configuration space as the guest reads it, for config_read() and config_written(). */
uint8_t *pci_config(struct pci_function *f);
/* Capability and a BAR of its own with table and pending bits. 0 or -errno. */
int pci_add_msix(struct pci_function *f, unsigned bar, unsigned n_vectors);
/* The eventfd that interrupts when 1 is written to it, or -1 when there is no such vector. Given
 * to KVM, it works from the kernel too (vhost). Masked vectors keep what is written. Borrowed;
 * the same for the life of the function. */
int msix_fd(struct pci_function *f, unsigned vector);
/* Any vector is masked or the guest has MSI-X disabled: nothing would come through now. */
bool msix_enabled(const struct pci_function *f);

/* A write of the guest to this place of the BAR writes eventfd (borrowed), wherever the guest moves the
 * BAR. To be called before the function is plugged. 0 or -errno. */
int pci_notify_fd(struct pci_function *f, unsigned bar, uint64_t offset, int eventfd);
/* Ends it: no write comes any more when it returns. */
void pci_notify_end(struct pci_function *f, unsigned bar, uint64_t offset, int eventfd);

/* 0, -EBUSY: somebody is there, -EINVAL: no such slot, or what the hypervisor said. */
int pci_bus_plug(struct pci_bus *b, unsigned slot, struct pci_function *f);
void pci_bus_unplug(struct pci_bus *b, struct pci_function *f);
struct pci_function *pci_bus_find(const struct pci_bus *b, unsigned slot);
/* The lowest free slot from 1 on, or -ENOSPC. */
int pci_bus_free_slot(const struct pci_bus *b);
/* All functions as after power on; their BARs where they were first. Calls their reset. */
void pci_bus_reset(struct pci_bus *b);
/* Hands a function that the guest ejected to its ejected(). */
void pci_bus_eject(struct pci_bus *b, unsigned slot);

/* Ports 0xcf8 to 0xcff: port is relative to 0xcf8. */
void pci_conf1_read(struct pci_bus *b, unsigned port, void *data, unsigned len_bytes);
void pci_conf1_write(struct pci_bus *b, unsigned port, const void *data, unsigned len_bytes);
/* False: no BAR there. */
bool pci_bus_read(struct pci_bus *b, uint64_t gpa, void *data, unsigned len_bytes);
bool pci_bus_write(struct pci_bus *b, uint64_t gpa, const void *data, unsigned len_bytes);

/* Straight to a function's configuration space, offset + len_bytes checked. For conf1 and tests. */
uint32_t pci_function_read(struct pci_function *f, unsigned offset, unsigned len_bytes);
void pci_function_write(struct pci_function *f, unsigned offset, uint32_t value, unsigned len_bytes);
