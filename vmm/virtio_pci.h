/* SPDX-License-Identifier: GPL-2.0-or-later */
/* virtio_pci.h -- the modern PCI transport (virtio 1.2, 4.1)
 *
 * BAR 0 holds the four structures, each on a page of its own; BAR 2 the MSI-X table. Each queue has its
 * own notification address, which KVM turns into an eventfd, and its own vector. There is no pin
 * interrupt: a driver without MSI-X has to poll.
 */
#pragma once
#include <stdint.h>

#include "netd/base/auto.h"
#include "netd/base/error.h"

struct pci_bus;
struct virtio_device;
struct virtio_pci;

/* Puts the device, which is borrowed and has to be freed later than this, into a slot of the bus. */
int virtio_pci_new(struct pci_bus *bus, unsigned slot, struct virtio_device *device,
		   struct virtio_pci **out, struct nd_error *err);
/* Takes it off the bus. The device must not be reset afterwards: free it. */
void virtio_pci_free(struct virtio_pci *p);
ND_DEFINE_AUTO(struct virtio_pci *, virtio_pci_free)

/* fn is called when the guest has ejected it: it is out of its slot, and may be freed there. */
void virtio_pci_on_eject(struct virtio_pci *p, void (*fn)(void *arg), void *arg);
struct pci_function *virtio_pci_function(struct virtio_pci *p);
