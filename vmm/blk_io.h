/* SPDX-License-Identifier: GPL-2.0-or-later */
/* blk_io.h -- reading and writing one image, many requests at a time
 *
 * With io_uring, which is bound to this image and to the few operations below before it takes the
 * first request: a ring is a way round seccomp otherwise. Where the kernel refuses the ring, with
 * preadv() and pwritev(), one request after the other.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "netd/base/auto.h"
#include "netd/base/error.h"

struct blk_io;

#define BLK_IOV_MAX 128			/* items of a request's iov */

enum blk_op {
	BLK_READ,
	BLK_WRITE,
	BLK_FLUSH,			/* what was written is on the disk */
	BLK_DISCARD,			/* what the bytes hold does not matter; a hint */
	BLK_ZERO,			/* the bytes read as zeros, and keep their place */
	BLK_ZERO_UNMAP,			/* ... and need no place */
};

/* The caller's, until it is done. Offset and length are inside the image: the caller has checked. */
struct blk_request {
	enum blk_op op;
	uint64_t offset, bytes;		/* count down as parts are done */
	struct iovec *iov;		/* READ, WRITE: the data. ZERO: room for BLK_IOV_MAX items */
	unsigned n_iov;
	int result;			/* 0 or -errno */
	struct blk_request *next;
};

typedef void blk_done(void *ctx, struct blk_request *rq);

/* fd stays the caller's. depth: at most so many requests are under way. log_name: for the line that says
 * that there is no io_uring. */
int blk_io_new(int fd, unsigned depth, const char *log_name, struct blk_io **out, struct nd_error *err);
/* Nothing may be under way. */
void blk_io_free(struct blk_io *io);
ND_DEFINE_AUTO(struct blk_io *, blk_io_free)

/* Readable when requests are done, or -1: all are done when blk_io_run() returns. */
int blk_io_fd(const struct blk_io *io);
void blk_io_add(struct blk_io *io, struct blk_request *rq);
/* Hands the added requests to the kernel, and those that are done to `done`, which may add new ones. */
void blk_io_run(struct blk_io *io, blk_done *done, void *ctx);
