/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/virtio_driver.h"

#include <check.h>
#include <string.h>

void *drv_at(struct memory *m, uint64_t gpa, uint64_t len)
{
	void *p = memory_at(m, gpa, len);

	ck_assert_msg(p, "guest address %#llx is not in RAM", (unsigned long long)gpa);
	return p;
}

void drv_queue_init(struct drv_queue *q, struct memory *memory, uint64_t gpa, uint16_t size)
{
	*q = (struct drv_queue){ .memory = memory, .size = size, .desc_gpa = gpa,
				 .avail_gpa = gpa + 0x8000, .used_gpa = gpa + 0xa000 };
	memset(drv_at(memory, gpa, DRV_QUEUE_BYTES), 0, DRV_QUEUE_BYTES);
	q->desc = drv_at(memory, q->desc_gpa, size * sizeof(struct vring_desc));
	q->avail = drv_at(memory, q->avail_gpa, 6 + 2 * size);
	q->used = drv_at(memory, q->used_gpa, 6 + 8 * size);
}

void drv_show(struct drv_queue *q, uint16_t head)
{
	q->avail->ring[q->next_avail++ & (q->size - 1)] = head;
	__atomic_store_n(&q->avail->idx, q->next_avail, __ATOMIC_RELEASE);
}

static struct vring_desc desc_of(const struct drv_buffer *b, bool last, uint16_t next)
{
	return (struct vring_desc){ .addr = b->gpa, .len = b->len, .next = last ? 0 : next,
				    .flags = (b->in ? VRING_DESC_F_WRITE : 0) |
					     (last ? 0 : VRING_DESC_F_NEXT) };
}

uint16_t drv_add(struct drv_queue *q, const struct drv_buffer *buffers, unsigned n)
{
	uint16_t head = q->next_desc & (q->size - 1);

	for (unsigned i = 0; i < n; i++) {
		uint16_t at = q->next_desc++ & (q->size - 1);

		q->desc[at] = desc_of(&buffers[i], i == n - 1, (at + 1) & (q->size - 1));
	}
	drv_show(q, head);
	return head;
}

uint16_t drv_add_indirect(struct drv_queue *q, const struct drv_buffer *buffers, unsigned n,
			  uint64_t table_gpa)
{
	uint16_t head = q->next_desc++ & (q->size - 1);

	for (unsigned i = 0; i < n; i++) {
		struct vring_desc d = desc_of(&buffers[i], i == n - 1, (uint16_t)(i + 1));

		memcpy(drv_at(q->memory, table_gpa + i * sizeof(d), sizeof(d)), &d, sizeof(d));
	}
	q->desc[head] = (struct vring_desc){ .addr = table_gpa, .flags = VRING_DESC_F_INDIRECT,
					     .len = n * (uint32_t)sizeof(struct vring_desc) };
	drv_show(q, head);
	return head;
}

bool drv_get(struct drv_queue *q, uint16_t *head_out, uint32_t *len_out)
{
	const struct vring_used_elem *e;

	if (__atomic_load_n(&q->used->idx, __ATOMIC_ACQUIRE) == q->next_used)
		return false;
	e = &q->used->ring[q->next_used++ & (q->size - 1)];
	*head_out = (uint16_t)e->id;
	*len_out = e->len;
	return true;
}

void drv_interrupts_on(struct drv_queue *q)
{
	q->avail->flags = 0;
	q->avail->ring[q->size] = q->next_used;
}

void drv_interrupts_off(struct drv_queue *q)
{
	q->avail->flags = VRING_AVAIL_F_NO_INTERRUPT;
	q->avail->ring[q->size] = q->next_used - 1;
}

bool drv_must_kick(const struct drv_queue *q, uint16_t from)
{
	if (!q->event_idx)
		return !(q->used->flags & VRING_USED_F_NO_NOTIFY);
	return vring_need_event(*(uint16_t *)&q->used->ring[q->size], q->next_avail, from);
}
