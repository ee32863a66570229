/* SPDX-License-Identifier: GPL-2.0-or-later */
/* virtio_guest.h -- a guest's driver for one virtio device on PCI, for tests
 *
 * It finds the device as a kernel does (capabilities, BAR, common configuration) and runs its queues in
 * memory that nobody else uses. There is no KVM: the loop runs when the test says so.
 */
#pragma once
#include "tests/unit/virtio_driver.h"
#include "vmm/loop.h"
#include "vmm/pci.h"

#define GUEST_RAM (64u << 20)
#define GUEST_RINGS 0x100000u		/* the first queue's; DRV_QUEUE_BYTES each */
#define GUEST_DATA 0x1000000u		/* for the test's buffers */

struct guest {
	struct memory *memory;
	struct loop *loop;
	struct pci_bus *bus;
	unsigned slot;
	uint64_t common, isr, device, notify;	/* addresses; 0: there is none */
	uint32_t notify_step;
	unsigned window;		/* in configuration space */
	uint64_t features;
	unsigned eventfds;		/* addresses whose writes KVM would turn into eventfds */
	struct drv_queue queues[20];
};

void guest_init(struct guest *g);
void guest_fini(struct guest *g);

/* Looks at the slot. */
void guest_find(struct guest *g, unsigned slot);
uint64_t guest_read(struct guest *g, uint64_t gpa, unsigned len);
void guest_write(struct guest *g, uint64_t gpa, uint64_t value, unsigned len);
uint8_t guest_status(struct guest *g);
void guest_set_status(struct guest *g, uint8_t status);
uint64_t guest_offered(struct guest *g);
/* Reset, and status up to FEATURES_OK with these features; whether the device took them. */
bool guest_negotiate(struct guest *g, uint64_t features);
/* Rings of the size, vector queue + 1, enabled. */
void guest_queue(struct guest *g, unsigned queue, uint16_t size);
/* All that a driver does: the features of the offer, all queues with this size, DRIVER_OK. */
void guest_drive(struct guest *g, uint64_t features, uint16_t size);
void guest_kick(struct guest *g, unsigned queue);
/* Interrupts of a vector since the last time. */
uint64_t guest_interrupts(struct guest *g, unsigned vector);
/* Runs the loop until nothing is ready any more. */
void guest_run(struct guest *g);
/* Runs the loop for as long as the queue gives nothing back, up to some seconds. */
bool guest_wait(struct guest *g, unsigned queue, uint16_t *head_out, uint32_t *len_out);
