/* SPDX-License-Identifier: GPL-2.0-or-later */
/* virtio_driver.h -- a guest's end of virtqueues, for tests: in guest memory that is only memory
 *
 * The driver keeps no secrets from the test: rings and descriptors can be spoilt at will.
 */
#pragma once
#include <linux/virtio_ring.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/memory.h"

struct drv_queue {
	struct memory *memory;
	uint64_t desc_gpa, avail_gpa, used_gpa;
	uint16_t size;
	bool event_idx;
	uint16_t next_desc;		/* descriptors are used in turn */
	uint16_t next_avail, next_used;
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
};

struct drv_buffer {
	uint64_t gpa;
	uint32_t len;
	bool in;			/* the device writes it */
};

/* Rings at gpa, which is a page's start; they end before gpa + DRV_QUEUE_BYTES. */
#define DRV_QUEUE_BYTES 0x10000
void drv_queue_init(struct drv_queue *q, struct memory *memory, uint64_t gpa, uint16_t size);
/* Puts a chain up, and shows it; its head. With table_gpa the chain is an indirect table there. */
uint16_t drv_add(struct drv_queue *q, const struct drv_buffer *buffers, unsigned n);
uint16_t drv_add_indirect(struct drv_queue *q, const struct drv_buffer *buffers, unsigned n,
			  uint64_t table_gpa);
/* Shows the device a head, whatever it is. */
void drv_show(struct drv_queue *q, uint16_t head);
/* The next chain that came back. False: none. */
bool drv_get(struct drv_queue *q, uint16_t *head_out, uint32_t *len_out);
/* The driver's wish: an interrupt for the chain that comes back next (event index), or any (flags). */
void drv_interrupts_on(struct drv_queue *q);
void drv_interrupts_off(struct drv_queue *q);
/* Whether the device asked for a kick for what was shown since `from`. */
bool drv_must_kick(const struct drv_queue *q, uint16_t from);
/* The guest's memory as a pointer, for tests to read and write. */
void *drv_at(struct memory *m, uint64_t gpa, uint64_t len);
