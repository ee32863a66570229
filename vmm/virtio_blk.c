/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/virtio_blk.h"

#include <endian.h>
#include <errno.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_ids.h>
#include <poll.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/blk_io.h"
#include "vmm/virtio.h"

#define BIT(feature) (1ull << (feature))
#define QUEUE_SIZE 128
#define SEGMENTS_MAX (QUEUE_SIZE - 2)	/* beside the header and the status */
#define SECTOR 512
#define SERIAL_BYTES 20			/* VIRTIO_BLK_ID_BYTES */
#define DISCARD_SECTORS_MAX (1u << 22)	/* 2 GiB and ... */
#define ZERO_SECTORS_MAX (1u << 17)	/* ... 64 MiB, which may have to be written */
#define BUDGET 64

/* A request under way. */
struct slot {
	struct blk_request rq;
	struct iovec iov[BLK_IOV_MAX];
	struct slot *next_free;
	uint8_t *status;		/* in the guest's memory */
	uint64_t bytes;			/* of data, for the count */
	uint32_t in_bytes;		/* what the guest gets back, the status included */
	uint16_t head;
};

_Static_assert(QUEUE_SIZE <= BLK_IOV_MAX, "a chain fits a slot");

struct virtio_blk {
	struct virtio_device device;
	char *name;
	struct blk_io *io;
	struct loop_watch watch;	/* of io: something is done */
	int fd;
	bool read_only, discard;
	uint64_t sectors;
	struct blk_counters counters;
	char serial[SERIAL_BYTES];	/* not terminated when it is full */
	struct slot *free_slots;
	unsigned n_busy;
	struct slot slots[QUEUE_SIZE];
};

struct blk_counters virtio_blk_count(const struct virtio_blk *b)
{
	return b->counters;
}

struct virtio_device *virtio_blk_device(struct virtio_blk *b)
{
	return &b->device;
}

static struct virtqueue *queue(struct virtio_blk *b)
{
	return &b->device.queues[0].vq;
}

static void slot_put(struct virtio_blk *b, struct slot *s)
{
	s->next_free = b->free_slots;
	b->free_slots = s;
	b->n_busy--;
}

/* The guest gets its chain back, and the status with it; of a driver that is gone nothing is touched. */
static void slot_finish(struct virtio_blk *b, struct slot *s, uint8_t status)
{
	if (virtio_queue_live(&b->device, 0)) {
		*s->status = status;
		virtqueue_push(queue(b), s->head, s->in_bytes);
	}
	slot_put(b, s);
}

static void count(struct blk_counters *c, const struct slot *s)
{
	if (s->rq.result < 0) {
		c->errors++;
	} else if (s->rq.op == BLK_READ) {
		c->rd_requests++;
		c->rd_bytes += s->bytes;
	} else if (s->rq.op == BLK_FLUSH) {
		c->flushes++;
	} else {
		c->wr_requests++;
		c->wr_bytes += s->bytes;
	}
}

static void request_done(void *ctx, struct blk_request *rq)
{
	struct slot *s = (struct slot *)((uint8_t *)rq - offsetof(struct slot, rq));

	count(&((struct virtio_blk *)ctx)->counters, s);
	slot_finish(ctx, s, rq->result < 0 ? VIRTIO_BLK_S_IOERR : VIRTIO_BLK_S_OK);
}

static bool in_disk(const struct virtio_blk *b, uint64_t sector, uint64_t n_sectors)
{
	return sector <= b->sectors && n_sectors <= b->sectors - sector;
}

/* The kinds of requests. Each returns a status when the request is over at once, or BEGUN. */

#define BEGUN (-1)

static int begin(struct virtio_blk *b, struct slot *s, enum blk_op op, uint64_t sector,
		 uint64_t bytes)
{
	s->rq.op = op;
	s->rq.offset = sector * SECTOR;
	s->rq.bytes = s->bytes = bytes;
	blk_io_add(b->io, &s->rq);
	return BEGUN;
}

static int do_data(struct virtio_blk *b, struct slot *s, const struct vq_chain *c, bool write,
		   uint64_t sector)
{
	struct iovec *iov = c->iov;
	unsigned n = c->n_out;
	uint32_t bytes;

	if (write) {
		iov_skip(&iov, &n, sizeof(struct virtio_blk_outhdr));
		bytes = c->out_bytes - sizeof(struct virtio_blk_outhdr);
	} else {
		iov += c->n_out;
		n = iov_cut(iov, c->n_in, c->in_bytes - 1);
		bytes = c->in_bytes - 1;
	}
	if (bytes % SECTOR || !in_disk(b, sector, bytes / SECTOR) || (write && b->read_only))
		return VIRTIO_BLK_S_IOERR;
	if (!bytes)
		return VIRTIO_BLK_S_OK;
	s->rq.iov = iov;
	s->rq.n_iov = n;
	return begin(b, s, write ? BLK_WRITE : BLK_READ, sector, bytes);
}

static int do_range(struct virtio_blk *b, struct slot *s, const struct vq_chain *c, bool zero)
{
	struct virtio_blk_discard_write_zeroes range;
	uint32_t n_sectors, flags;
	uint64_t sector;
	bool unmap;

	if (c->out_bytes != sizeof(struct virtio_blk_outhdr) + sizeof(range) ||
	    (!zero && !b->discard))
		return VIRTIO_BLK_S_UNSUPP;	/* one segment: more are not offered */
	(void)iov_read(c->iov, c->n_out, sizeof(struct virtio_blk_outhdr), &range, sizeof(range));
	sector = le64toh(range.sector);
	n_sectors = le32toh(range.num_sectors);
	flags = le32toh(range.flags);
	unmap = flags & VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP;
	if (flags & ~(uint32_t)VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP || (!zero && unmap))
		return VIRTIO_BLK_S_UNSUPP;
	if (b->read_only || !in_disk(b, sector, n_sectors) ||
	    n_sectors > (zero ? ZERO_SECTORS_MAX : DISCARD_SECTORS_MAX))
		return VIRTIO_BLK_S_IOERR;
	if (!n_sectors)
		return VIRTIO_BLK_S_OK;
	s->rq.iov = s->iov;
	return begin(b, s, !zero ? BLK_DISCARD : unmap && b->discard ? BLK_ZERO_UNMAP : BLK_ZERO,
		     sector, (uint64_t)n_sectors * SECTOR);
}

static int do_get_id(struct virtio_blk *b, const struct vq_chain *c)
{
	uint32_t room = c->in_bytes - 1;

	(void)iov_write(c->iov + c->n_out, c->n_in, 0, b->serial,
			room < SERIAL_BYTES ? room : SERIAL_BYTES);
	return VIRTIO_BLK_S_OK;
}

static int request_begin(struct virtio_blk *b, struct slot *s, const struct vq_chain *c)
{
	struct virtio_blk_outhdr h;

	(void)iov_read(c->iov, c->n_out, 0, &h, sizeof(h));
	switch (le32toh(h.type)) {
	case VIRTIO_BLK_T_IN:
		return do_data(b, s, c, false, le64toh(h.sector));
	case VIRTIO_BLK_T_OUT:
		s->in_bytes = 1;
		return do_data(b, s, c, true, le64toh(h.sector));
	case VIRTIO_BLK_T_FLUSH:
		s->in_bytes = 1;
		return b->read_only ? VIRTIO_BLK_S_OK : begin(b, s, BLK_FLUSH, 0, 0);
	case VIRTIO_BLK_T_GET_ID:
		return do_get_id(b, c);
	case VIRTIO_BLK_T_DISCARD:
		s->in_bytes = 1;
		return do_range(b, s, c, false);
	case VIRTIO_BLK_T_WRITE_ZEROES:
		s->in_bytes = 1;
		return do_range(b, s, c, true);
	}
	return VIRTIO_BLK_S_UNSUPP;
}

/* Takes one chain and begins what it asks for. False: none, or no slot for it. */
static bool take_one(struct virtio_blk *b)
{
	struct slot *s = b->free_slots;
	struct vq_chain c;
	struct iovec *last;
	int status;

	if (!s || !virtqueue_pop(queue(b), s->iov, &c))
		return false;
	if (c.out_bytes < sizeof(struct virtio_blk_outhdr) || !c.in_bytes)
		return virtqueue_break(queue(b), "a request lacks its header or its status");
	b->free_slots = s->next_free;
	b->n_busy++;
	last = &c.iov[c.n_out + c.n_in - 1];
	s->status = (uint8_t *)last->iov_base + last->iov_len - 1;
	s->head = c.head;
	s->in_bytes = c.in_bytes;
	status = request_begin(b, s, &c);
	if (status != BEGUN)
		slot_finish(b, s, (uint8_t)status);
	return true;
}

/* Moves on whatever can be: what is done goes to the guest, what it asks for to the kernel. */
static void work(struct virtio_blk *b)
{
	unsigned n = 0;

	virtqueue_kicks_off(queue(b));
	for (;;) {
		while (n < BUDGET && take_one(b))
			n++;
		blk_io_run(b->io, request_done, b);
		/* without a slot the kick is not needed: a request that is done brings us here */
		if (n >= BUDGET || !b->free_slots || !virtqueue_kicks_on(queue(b)))
			break;
		virtqueue_kicks_off(queue(b));
		n++;	/* a driver that takes back what it shows would have us here for ever */
	}
	virtio_queue_publish(&b->device, 0);
	if (n >= BUDGET)
		virtio_queue_again(&b->device, 0);
}

static void blk_kick(void *self, unsigned index)
{
	work(self);
}

static void handle_done(struct loop_watch *w, uint32_t events)
{
	struct virtio_blk *b = loop_owner(w, struct virtio_blk, watch);

	if (virtio_queue_live(&b->device, 0))
		work(b);
	else
		blk_io_run(b->io, request_done, b);
	if (!b->n_busy)
		virtio_reset_done(&b->device);
}

static void blk_start(void *self)
{
}

static bool blk_reset(void *self)
{
	struct virtio_blk *b = self;

	return !b->n_busy;
}

/* The kernel still writes to the guest's memory and reads our slots. */
static void blk_drain(void *self)
{
	struct virtio_blk *b = self;

	b->device.resetting = true;
	while (b->n_busy) {
		struct pollfd p = { .fd = blk_io_fd(b->io), .events = POLLIN };

		(void)poll(&p, 1, -1);
		blk_io_run(b->io, request_done, b);
	}
	virtio_reset_done(&b->device);
}

static void blk_config_read(void *self, unsigned offset, void *to, unsigned len)
{
	struct virtio_blk *b = self;
	struct virtio_blk_config c = {
		.capacity = htole64(b->sectors),
		.seg_max = htole32(SEGMENTS_MAX),
		.blk_size = htole32(SECTOR),
		.max_discard_sectors = htole32(DISCARD_SECTORS_MAX),
		.max_discard_seg = htole32(1),
		.discard_sector_alignment = htole32(1),
		.max_write_zeroes_sectors = htole32(ZERO_SECTORS_MAX),
		.max_write_zeroes_seg = htole32(1),
		.write_zeroes_may_unmap = b->discard,
	};

	memcpy(to, (const uint8_t *)&c + offset, len);
}

static const struct virtio_ops blk_ops = {
	.config_read = blk_config_read,
	.start = blk_start,
	.kick = blk_kick,
	.reset = blk_reset,
	.drain = blk_drain,
};

static int device_init(struct virtio_blk *b, struct nd_error *err)
{
	static const uint16_t sizes[] = { QUEUE_SIZE };
	uint64_t changes = BIT(VIRTIO_BLK_F_WRITE_ZEROES);

	if (b->discard)
		changes |= BIT(VIRTIO_BLK_F_DISCARD);
	b->device.ops = &blk_ops;
	b->device.self = b;
	b->device.name = b->name;
	b->device.type = VIRTIO_ID_BLOCK;
	b->device.offered = BIT(VIRTIO_BLK_F_SEG_MAX) | BIT(VIRTIO_BLK_F_BLK_SIZE) |
			    BIT(VIRTIO_BLK_F_FLUSH) |
			    (b->read_only ? BIT(VIRTIO_BLK_F_RO) : changes);
	b->device.config_bytes = offsetof(struct virtio_blk_config, unused1);
	b->device.n_queues = 1;
	return virtio_init(&b->device, sizes, err);
}

static int blk_init(struct virtio_blk *b, const struct virtio_blk_spec *spec, struct nd_error *err)
{
	int r;

	b->name = strdup(spec->name);
	if (!b->name)
		return nd_error_nomem(err);
	b->read_only = spec->read_only;
	b->discard = spec->discard && !spec->read_only;
	b->sectors = spec->size_bytes / SECTOR;
	if (spec->serial)
		memcpy(b->serial, spec->serial, strnlen(spec->serial, SERIAL_BYTES));
	for (unsigned i = QUEUE_SIZE; i-- > 0; ) {
		b->slots[i].next_free = b->free_slots;
		b->free_slots = &b->slots[i];
	}
	r = blk_io_new(b->fd, QUEUE_SIZE, b->name, &b->io, err);
	if (r < 0)
		return r;
	r = device_init(b, err);
	if (r < 0) {
		b->device.n_queues = 0;
		return r;
	}
	b->watch = (struct loop_watch){ .fd = blk_io_fd(b->io), .ready = handle_done };
	if (b->watch.fd < 0)
		return 0;
	r = loop_add(b->device.loop, &b->watch, EPOLLIN);
	return r < 0 ? nd_error_sys(err, -r, "cannot wait for the disk") : 0;
}

int virtio_blk_new(const struct virtio_blk_spec *spec, const struct memory *memory,
		   struct loop *loop, struct virtio_blk **out, struct nd_error *err)
{
	ND_AUTO(close) int fd = spec->fd;
	ND_AUTO(virtio_blk_free) struct virtio_blk *b = calloc(1, sizeof(*b));
	int r;

	if (!b)
		return nd_error_nomem(err);
	b->fd = nd_take_fd(&fd);
	b->device.memory = memory;
	b->device.loop = loop;
	r = blk_init(b, spec, err);
	if (r < 0)
		return nd_error_prefix(err, "disk %s", spec->name);
	*out = nd_take_ptr(&b);
	return 0;
}

void virtio_blk_free(struct virtio_blk *b)
{
	if (!b)
		return;
	blk_drain(b);
	loop_remove(b->device.loop, &b->watch);
	if (b->device.n_queues)
		virtio_fini(&b->device);
	blk_io_free(b->io);
	close(b->fd);
	free(b->name);
	free(b);
}
