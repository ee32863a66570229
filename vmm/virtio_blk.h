/* SPDX-License-Identifier: GPL-2.0-or-later */
/* virtio_blk.h -- the disk (virtio 1.2, 5.2): a raw image or a block device
 *
 * One queue. Requests are checked here, blk_io.c does them.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "netd/base/auto.h"
#include "netd/base/error.h"

struct loop;
struct memory;
struct virtio_blk;
struct virtio_device;

/* Requests that are done; wr: discarded and zeroed bytes, too. */
struct blk_counters {
	uint64_t rd_requests, rd_bytes, wr_requests, wr_bytes, flushes, errors;
};

struct virtio_blk_spec {
	const char *name;		/* for the log, copied */
	int fd;				/* taken */
	bool read_only;
	bool discard;			/* the guest may give places in the image back */
	uint64_t size_bytes;		/* a last part of a sector is not shown */
	const char *serial;		/* up to 20 characters, or NULL */
};

/* Takes the descriptor, also when it fails. */
int virtio_blk_new(const struct virtio_blk_spec *spec, const struct memory *memory,
		   struct loop *loop, struct virtio_blk **out, struct nd_error *err);
/* Waits for requests that are under way. */
void virtio_blk_free(struct virtio_blk *b);
ND_DEFINE_AUTO(struct virtio_blk *, virtio_blk_free)

struct blk_counters virtio_blk_count(const struct virtio_blk *b);

/* For the transport. */
struct virtio_device *virtio_blk_device(struct virtio_blk *b);
