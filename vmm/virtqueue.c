/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/virtqueue.h"

#include <linux/virtio_ring.h>
#include <string.h>

#include "vmm/memory.h"

/* One read of guest memory, which the compiler may not repeat after a check. */
#define ONCE(x) (*(const volatile __typeof__(x) *)&(x))

void virtqueue_init(struct virtqueue *q, const struct memory *memory, uint16_t size_max)
{
	*q = (struct virtqueue){ .memory = memory, .size = size_max, .size_max = size_max };
}

void virtqueue_reset(struct virtqueue *q)
{
	virtqueue_init(q, q->memory, q->size_max);
}

bool virtqueue_break(struct virtqueue *q, const char *why)
{
	if (!q->broken)
		q->why = why;
	q->broken = true;
	return false;
}

/* A ring at an address that is aligned as 2.7 says. */
static void *ring_at(const struct virtqueue *q, uint64_t gpa, size_t len, unsigned align)
{
	return gpa & (align - 1) ? NULL : memory_at(q->memory, gpa, len);
}

bool virtqueue_start(struct virtqueue *q, bool event_idx, bool indirect)
{
	size_t n = q->size;

	if (!n || n & (n - 1) || n > q->size_max)
		return virtqueue_break(q, "its size is no power of 2 or above the device's");
	q->desc = ring_at(q, q->desc_gpa, n * sizeof(struct vring_desc), 16);
	q->avail = ring_at(q, q->avail_gpa, sizeof(struct vring_avail) + (n + 1) * 2, 2);
	q->used = ring_at(q, q->used_gpa,
			  sizeof(struct vring_used) + n * sizeof(struct vring_used_elem) + 2, 4);
	if (!q->desc || !q->avail || !q->used) {
		q->desc = NULL;
		return virtqueue_break(q, "its rings are not in RAM or not aligned");
	}
	q->event_idx = event_idx;
	q->indirect = indirect;
	q->next_avail = q->next_used = q->published = q->signalled = 0;
	q->signalled_valid = false;
	return true;
}

/* The entry behind each ring that the other side's event index lies in (2.7.7.2). */
static uint16_t *used_event(const struct virtqueue *q)
{
	return &q->avail->ring[q->size];
}

static uint16_t *avail_event(const struct virtqueue *q)
{
	return (uint16_t *)&q->used->ring[q->size];
}

/* How many the driver has put up that were not taken; more than the ring holds is a lie. */
static uint16_t avail_count(struct virtqueue *q)
{
	uint16_t n = __atomic_load_n(&q->avail->idx, __ATOMIC_ACQUIRE) - q->next_avail;

	if (n > q->size) {
		(void)virtqueue_break(q, "its available index is ahead by more than the ring holds");
		return 0;
	}
	return n;
}

uint16_t virtqueue_waiting(struct virtqueue *q)
{
	return virtqueue_running(q) ? avail_count(q) : 0;
}

/* A walk along one chain: through the ring's own table or, after an indirect descriptor, through
 * that one's. */
struct walk {
	const struct vring_desc *table;
	uint32_t n_table;
	uint32_t at;
	unsigned n_seen;		/* descriptors so far: bounds loops */
	bool in_indirect;
};

/* An indirect table may lie at any address. */
struct desc_anywhere {
	uint64_t addr;
	uint32_t len;
	uint16_t flags, next;
} __attribute__((packed));

static struct vring_desc desc_copy(const struct vring_desc *table, uint32_t i)
{
	const volatile struct desc_anywhere *d = (const volatile void *)
		((const uint8_t *)table + i * sizeof(*table));

	return (struct vring_desc){ .addr = d->addr, .len = d->len, .flags = d->flags,
				    .next = d->next };
}

/* Follows an indirect descriptor into its table (2.7.5.3). */
static bool walk_into(struct virtqueue *q, struct walk *w, const struct vring_desc *d)
{
	if (!q->indirect || w->in_indirect || d->flags & VRING_DESC_F_NEXT)
		return virtqueue_break(q, "an indirect descriptor stands where it may not");
	if (!d->len || d->len % sizeof(struct vring_desc))
		return virtqueue_break(q, "an indirect table's length is no number of descriptors");
	w->table = memory_at(q->memory, d->addr, d->len);
	if (!w->table)
		return virtqueue_break(q, "an indirect table is not in RAM");
	w->n_table = d->len / sizeof(struct vring_desc);
	w->at = 0;
	w->in_indirect = true;
	return true;
}

static bool chain_add(struct virtqueue *q, struct vq_chain *c, const struct vring_desc *d)
{
	struct iovec *v = &c->iov[c->n_out + c->n_in];
	bool in = d->flags & VRING_DESC_F_WRITE;
	uint32_t *sum = in ? &c->in_bytes : &c->out_bytes;

	if (!in && c->n_in)
		return virtqueue_break(q, "a buffer to read follows one to write");
	if (!d->len)
		return virtqueue_break(q, "a buffer has no length");
	if (__builtin_add_overflow(*sum, d->len, sum))
		return virtqueue_break(q, "a chain is longer than 4 GiB");
	v->iov_base = memory_at(q->memory, d->addr, d->len);
	v->iov_len = d->len;
	if (!v->iov_base)
		return virtqueue_break(q, "a buffer is not in RAM");
	*(in ? &c->n_in : &c->n_out) += 1;
	return true;
}

static bool chain_walk(struct virtqueue *q, struct vq_chain *c)
{
	struct walk w = { .table = q->desc, .n_table = q->size, .at = c->head };

	for (;;) {
		struct vring_desc d;

		if (w.at >= w.n_table)
			return virtqueue_break(q, "a chain leads out of its table");
		d = desc_copy(w.table, w.at);
		if (d.flags & VRING_DESC_F_INDIRECT) {
			if (!walk_into(q, &w, &d))
				return false;
			continue;
		}
		if (++w.n_seen > q->size_max)
			return virtqueue_break(q, "a chain is longer than the queue");
		if (!chain_add(q, c, &d))
			return false;
		if (!(d.flags & VRING_DESC_F_NEXT))
			return true;
		w.at = d.next;
	}
}

bool virtqueue_pop(struct virtqueue *q, struct iovec *iov, struct vq_chain *chain_out)
{
	struct vq_chain c = { .iov = iov };

	if (!virtqueue_running(q) || !avail_count(q))
		return false;
	c.head = ONCE(q->avail->ring[q->next_avail & (q->size - 1)]);
	if (c.head >= q->size)
		return virtqueue_break(q, "the available ring names a descriptor that is none");
	if (!chain_walk(q, &c))
		return false;
	q->next_avail++;
	*chain_out = c;
	return true;
}

void virtqueue_unpop(struct virtqueue *q, uint16_t n)
{
	q->next_avail -= n;
}

void virtqueue_push(struct virtqueue *q, uint16_t head, uint32_t written_bytes)
{
	struct vring_used_elem *e;

	if (!virtqueue_running(q))
		return;
	e = &q->used->ring[q->next_used++ & (q->size - 1)];
	e->id = head;
	e->len = written_bytes;
}

/* 2.7.7.2 and 2.7.10: whether the driver asked to hear of what was published since the last time. */
static bool wants_signal(struct virtqueue *q)
{
	uint16_t was = q->signalled;
	bool first = !q->signalled_valid;

	/* what is published must be visible before the driver's wish is read */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!q->event_idx)
		return !(ONCE(q->avail->flags) & VRING_AVAIL_F_NO_INTERRUPT);
	q->signalled = q->published;
	q->signalled_valid = true;
	return first || vring_need_event(ONCE(*used_event(q)), q->published, was);
}

bool virtqueue_publish(struct virtqueue *q)
{
	if (!virtqueue_running(q) || q->published == q->next_used)
		return false;
	q->published = q->next_used;
	__atomic_store_n(&q->used->idx, q->published, __ATOMIC_RELEASE);
	return wants_signal(q);
}

void virtqueue_kicks_off(struct virtqueue *q)
{
	/* with event indices the old one is left to grow stale */
	if (virtqueue_running(q) && !q->event_idx)
		*(volatile uint16_t *)&q->used->flags = VRING_USED_F_NO_NOTIFY;
}

bool virtqueue_kicks_on(struct virtqueue *q)
{
	if (!virtqueue_running(q))
		return false;
	if (q->event_idx)
		*(volatile uint16_t *)avail_event(q) = q->next_avail;
	else
		*(volatile uint16_t *)&q->used->flags = 0;
	/* the wish must be visible before the ring is looked at once more */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return avail_count(q) > 0;
}

size_t iov_read(const struct iovec *iov, unsigned n_iov, size_t offset, void *to, size_t n)
{
	size_t done = 0;

	for (unsigned i = 0; i < n_iov && done < n; i++) {
		size_t part;

		if (offset >= iov[i].iov_len) {
			offset -= iov[i].iov_len;
			continue;
		}
		part = iov[i].iov_len - offset < n - done ? iov[i].iov_len - offset : n - done;
		memcpy((uint8_t *)to + done, (const uint8_t *)iov[i].iov_base + offset, part);
		done += part;
		offset = 0;
	}
	return done;
}

size_t iov_write(const struct iovec *iov, unsigned n_iov, size_t offset, const void *from, size_t n)
{
	size_t done = 0;

	for (unsigned i = 0; i < n_iov && done < n; i++) {
		size_t part;

		if (offset >= iov[i].iov_len) {
			offset -= iov[i].iov_len;
			continue;
		}
		part = iov[i].iov_len - offset < n - done ? iov[i].iov_len - offset : n - done;
		memcpy((uint8_t *)iov[i].iov_base + offset, (const uint8_t *)from + done, part);
		done += part;
		offset = 0;
	}
	return done;
}

void iov_skip(struct iovec **iov, unsigned *n_iov, size_t n)
{
	while (*n_iov && n >= (*iov)->iov_len) {
		n -= (*iov)->iov_len;
		++*iov;
		--*n_iov;
	}
	if (*n_iov && n) {
		(*iov)->iov_base = (uint8_t *)(*iov)->iov_base + n;
		(*iov)->iov_len -= n;
	}
}

unsigned iov_cut(struct iovec *iov, unsigned n_iov, size_t n)
{
	for (unsigned i = 0; i < n_iov; i++) {
		if (n <= iov[i].iov_len) {
			iov[i].iov_len = n;
			return n ? i + 1 : i;
		}
		n -= iov[i].iov_len;
	}
	return n_iov;
}
