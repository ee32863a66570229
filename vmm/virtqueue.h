/* SPDX-License-Identifier: GPL-2.0-or-later */
/* virtqueue.h -- the device's end of a split virtqueue (virtio 1.2, 2.7)
 *
 * The rings lie in the guest's memory and the guest may change any byte of them at any time.
 * So whatever is read is copied first and checked then, addresses become pointers only through
 * memory_at(), and a ring that breaks a rule marks its queue `broken`: from then on it yields
 * nothing, until it is stopped and started anew. Nothing here allocates or blocks.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct memory;
struct vring_desc;
struct vring_avail;
struct vring_used;

#define VIRTQUEUE_SIZE_MAX 1024		/* also the most that readv() and writev() take at once */

struct virtqueue {
	/* what the driver sets while the queue is stopped; the transport checks nothing of it */
	uint64_t desc_gpa, avail_gpa, used_gpa;
	uint16_t size;			/* a power of 2, at most size_max */
	uint16_t size_max;		/* what the device offers: the longest chain, too */

	/* the rest is virtqueue.c's */
	const struct memory *memory;
	struct vring_desc *desc;	/* NULL: stopped */
	struct vring_avail *avail;
	struct vring_used *used;
	uint16_t next_avail;		/* the next entry to take from the avail ring */
	uint16_t next_used;		/* the next to fill in the used ring */
	uint16_t published;		/* the used index that the guest sees */
	uint16_t signalled;		/* the used index at the last question whether to signal */
	bool signalled_valid;
	bool event_idx, indirect;
	bool broken;
	const char *why;		/* what the ring did, once broken; static storage */
};

/* A chain of buffers: first those that the device reads, then those that it writes. */
struct vq_chain {
	struct iovec *iov;
	uint16_t head;
	uint16_t n_out, n_in;		/* items of iov */
	uint32_t out_bytes, in_bytes;
};

void virtqueue_init(struct virtqueue *q, const struct memory *memory, uint16_t size_max);

/* Takes the rings into use at the addresses and with the size that were set. False, and the queue
 * broken, when they are not in RAM, not aligned or the size is none. */
bool virtqueue_start(struct virtqueue *q, bool event_idx, bool indirect);
/* Back to what virtqueue_init() left. */
void virtqueue_reset(struct virtqueue *q);
static inline bool virtqueue_running(const struct virtqueue *q)
{
	return q->desc && !q->broken;
}

/* Takes the next chain. Its iovecs are put at iov, which has room for size_max items. False: there is
 * none, or the queue is broken. */
bool virtqueue_pop(struct virtqueue *q, struct iovec *iov, struct vq_chain *chain_out);
/* The last n chains were not touched, and come again with the next pop. */
void virtqueue_unpop(struct virtqueue *q, uint16_t n);
/* How many chains the driver has put up and nobody has taken; a hint. */
uint16_t virtqueue_waiting(struct virtqueue *q);

/* Gives a chain back, of which the device has written written_bytes; the guest sees it with the next
 * virtqueue_publish(). */
void virtqueue_push(struct virtqueue *q, uint16_t head, uint32_t written_bytes);
/* Shows the guest what was pushed. True: it wants an interrupt for it. */
bool virtqueue_publish(struct virtqueue *q);

/* The guest need not kick (as long as the device works on the queue). */
void virtqueue_kicks_off(struct virtqueue *q);
/* The guest must kick for the next chain. True: there is one already, which it did not kick for. */
bool virtqueue_kicks_on(struct virtqueue *q);

/* Marks the queue broken; why is a constant. Always false. */
bool virtqueue_break(struct virtqueue *q, const char *why);

/* Bytes at an offset into buffers; how many there were (at most n). */
size_t iov_read(const struct iovec *iov, unsigned n_iov, size_t offset, void *to, size_t n);
size_t iov_write(const struct iovec *iov, unsigned n_iov, size_t offset, const void *from, size_t n);
/* Leaves out the first n bytes: moves *iov and *n_iov forward and shortens the first item. */
void iov_skip(struct iovec **iov, unsigned *n_iov, size_t n);
/* Cuts the buffers to n bytes; how many items are left. */
unsigned iov_cut(struct iovec *iov, unsigned n_iov, size_t n);
