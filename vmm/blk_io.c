/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/blk_io.h"

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "netd/base/log.h"
#include "vmm/virtqueue.h"

#define ZEROS_BYTES 65536

struct blk_io {
	int fd;
	bool has_ring;
	struct io_uring ring;
	bool no_discard, no_zero_range, no_punch;	/* the file system cannot */
	struct blk_request *done, **done_end;		/* without a ring: done and not yet told */
};

static const uint8_t zeros[ZEROS_BYTES];

/* liburing 2.3 (Debian 12) declares these two and does not export them: the system call itself. */
static int ring_register(struct io_uring *ring, unsigned opcode, const void *arg, unsigned n)
{
	return syscall(SYS_io_uring_register, ring->ring_fd, opcode, arg, n) < 0 ? -errno : 0;
}

/* What the ring may do from now on, whoever fills it. */
static int ring_restrict(struct io_uring *ring)
{
	struct io_uring_restriction r[] = {
		{ .opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_READV },
		{ .opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_WRITEV },
		{ .opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_FSYNC },
		{ .opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_FALLOCATE },
		{ .opcode = IORING_RESTRICTION_SQE_FLAGS_REQUIRED, .sqe_flags = IOSQE_FIXED_FILE },
	};

	return ring_register(ring, IORING_REGISTER_RESTRICTIONS, r, ND_COUNT(r));
}

static int ring_init(struct blk_io *io, unsigned depth)
{
	struct io_uring_params params = { .flags = IORING_SETUP_R_DISABLED };
	int r = io_uring_queue_init_params(depth, &io->ring, &params);

	if (r < 0)
		return r;
	r = io_uring_register_files(&io->ring, &io->fd, 1);
	if (r >= 0)
		r = ring_restrict(&io->ring);
	if (r >= 0)
		r = ring_register(&io->ring, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
	if (r < 0)
		io_uring_queue_exit(&io->ring);
	return r;
}

int blk_io_new(int fd, unsigned depth, const char *log_name, struct blk_io **out, struct nd_error *err)
{
	struct blk_io *io = calloc(1, sizeof(*io));
	int r;

	if (!io)
		return nd_error_nomem(err);
	io->fd = fd;
	io->done_end = &io->done;
	r = ring_init(io, depth);
	io->has_ring = r >= 0;
	if (r < 0)
		nd_log(LOG_INFO, log_name, "the kernel gives no io_uring (%s): the disk is read and "
		       "written one request after the other", strerror(-r));
	*out = io;
	return 0;
}

void blk_io_free(struct blk_io *io)
{
	if (!io)
		return;
	if (io->has_ring)
		io_uring_queue_exit(&io->ring);
	free(io);
}

int blk_io_fd(const struct blk_io *io)
{
	return io->has_ring ? io->ring.ring_fd : -1;
}

/* Zeros for as much of the request as its iovecs can hold. */
static void zeros_fill(struct blk_request *rq)
{
	uint64_t left = rq->bytes;

	for (rq->n_iov = 0; left && rq->n_iov < BLK_IOV_MAX; rq->n_iov++) {
		size_t n = left < ZEROS_BYTES ? (size_t)left : ZEROS_BYTES;

		rq->iov[rq->n_iov] = (struct iovec){ (void *)zeros, n };	/* only read */
		left -= n;
	}
}

/* How a request is begun, or gone on with. */
enum step { STEP_READ, STEP_WRITE, STEP_SYNC, STEP_ALLOCATE, STEP_NONE };

static enum step step_of(struct blk_io *io, struct blk_request *rq, int *mode_out)
{
	int punch = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;

	switch (rq->op) {
	case BLK_READ:
		return STEP_READ;
	case BLK_WRITE:
		return STEP_WRITE;
	case BLK_FLUSH:
		return STEP_SYNC;
	case BLK_DISCARD:
		*mode_out = punch;
		return io->no_discard ? STEP_NONE : STEP_ALLOCATE;
	case BLK_ZERO:
		*mode_out = FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE;
		if (!io->no_zero_range)
			return STEP_ALLOCATE;
		break;
	case BLK_ZERO_UNMAP:
		*mode_out = punch;
		if (!io->no_punch)
			return STEP_ALLOCATE;
		break;
	}
	zeros_fill(rq);
	return STEP_WRITE;
}

/* The file system cannot do it this way; false: there is another. */
static bool cannot(struct blk_io *io, struct blk_request *rq)
{
	if (rq->op == BLK_DISCARD) {
		io->no_discard = true;		/* it was a hint */
		rq->result = 0;
		return true;
	}
	*(rq->op == BLK_ZERO ? &io->no_zero_range : &io->no_punch) = true;
	return false;
}

/* The kernel's answer to the step. False: there is more to do. */
static bool step_done(struct blk_io *io, struct blk_request *rq, enum step step, int result)
{
	if (result == -EINTR || result == -EAGAIN)
		return false;
	if (step == STEP_ALLOCATE && (result == -EOPNOTSUPP || result == -ENOSYS))
		return cannot(io, rq);
	rq->result = result < 0 ? result : 0;
	if (result < 0 || step == STEP_SYNC || step == STEP_ALLOCATE || step == STEP_NONE)
		return true;
	if (!result && rq->bytes) {
		rq->result = -EIO;		/* the image has become shorter */
		return true;
	}
	rq->bytes -= (uint64_t)result;
	rq->offset += (uint64_t)result;
	if (rq->bytes && (rq->op == BLK_READ || rq->op == BLK_WRITE))
		iov_skip(&rq->iov, &rq->n_iov, (size_t)result);
	return !rq->bytes;
}

static void keep_done(struct blk_io *io, struct blk_request *rq)
{
	rq->next = NULL;
	*io->done_end = rq;
	io->done_end = &rq->next;
}

static int step_now(struct blk_io *io, const struct blk_request *rq, enum step step, int mode)
{
	ssize_t r = 0;

	switch (step) {
	case STEP_READ:
		r = preadv(io->fd, rq->iov, (int)rq->n_iov, (off_t)rq->offset);
		break;
	case STEP_WRITE:
		r = pwritev(io->fd, rq->iov, (int)rq->n_iov, (off_t)rq->offset);
		break;
	case STEP_SYNC:
		r = fdatasync(io->fd);
		break;
	case STEP_ALLOCATE:
		r = fallocate(io->fd, mode, (off_t)rq->offset, (off_t)rq->bytes);
		break;
	case STEP_NONE:
		break;
	}
	return r < 0 ? -errno : (int)r;
}

static void run_now(struct blk_io *io, struct blk_request *rq)
{
	enum step step;
	int mode = 0;

	do
		step = step_of(io, rq, &mode);
	while (!step_done(io, rq, step, step_now(io, rq, step, mode)));
	keep_done(io, rq);
}

/* The step's kind travels in the low bits of the request's address. */
static void ring_put(struct blk_io *io, struct blk_request *rq)
{
	int mode = 0;
	enum step step = step_of(io, rq, &mode);
	struct io_uring_sqe *sqe;

	if (step == STEP_NONE) {
		(void)step_done(io, rq, step, 0);
		keep_done(io, rq);
		return;
	}
	/* full only with entries that the kernel has not taken yet, which it does at once */
	while (!(sqe = io_uring_get_sqe(&io->ring)))
		(void)io_uring_submit(&io->ring);
	if (step == STEP_READ)
		io_uring_prep_readv(sqe, 0, rq->iov, rq->n_iov, rq->offset);
	else if (step == STEP_WRITE)
		io_uring_prep_writev(sqe, 0, rq->iov, rq->n_iov, rq->offset);
	else if (step == STEP_SYNC)
		io_uring_prep_fsync(sqe, 0, IORING_FSYNC_DATASYNC);
	else
		io_uring_prep_fallocate(sqe, 0, mode, (off_t)rq->offset, (off_t)rq->bytes);
	sqe->flags |= IOSQE_FIXED_FILE;
	io_uring_sqe_set_data64(sqe, (uintptr_t)rq | step);
}

void blk_io_add(struct blk_io *io, struct blk_request *rq)
{
	if (io->has_ring)
		ring_put(io, rq);
	else
		run_now(io, rq);
}

static void tell_done(struct blk_io *io, blk_done *done, void *ctx)
{
	while (io->done) {
		struct blk_request *rq = io->done;

		io->done = rq->next;
		if (!io->done)
			io->done_end = &io->done;
		done(ctx, rq);
	}
}

static bool ring_reap(struct blk_io *io, blk_done *done, void *ctx)
{
	struct io_uring_cqe *cqe;
	bool any = false;

	while (io_uring_peek_cqe(&io->ring, &cqe) == 0) {
		struct blk_request *rq = (void *)(uintptr_t)(cqe->user_data & ~7ull);
		enum step step = cqe->user_data & 7;
		int result = cqe->res;

		io_uring_cqe_seen(&io->ring, cqe);
		if (step_done(io, rq, step, result))
			done(ctx, rq);
		else
			ring_put(io, rq);
		any = true;
	}
	return any;
}

void blk_io_run(struct blk_io *io, blk_done *done, void *ctx)
{
	do {
		tell_done(io, done, ctx);
		if (!io->has_ring)
			continue;
		(void)io_uring_submit(&io->ring);	/* what stays behind goes with the next */
	} while (io->done || (io->has_ring && ring_reap(io, done, ctx)));
}
