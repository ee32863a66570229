/* SPDX-License-Identifier: GPL-2.0-or-later */
/* virtio_rng.h -- the entropy device (virtio 1.2, 5.4): the host's getrandom(), so much a second */
#pragma once
#include <stdint.h>

#include "netd/base/auto.h"
#include "netd/base/error.h"

struct loop;
struct memory;
struct virtio_device;
struct virtio_rng;

struct virtio_rng_spec {
	const char *name;		/* for the log, copied */
	uint32_t bytes_per_period;	/* 0: RNG_BYTES_DEFAULT */
	uint32_t period_ms;		/* 0: a second */
};

#define RNG_BYTES_DEFAULT (1u << 20)

int virtio_rng_new(const struct virtio_rng_spec *spec, const struct memory *memory,
		   struct loop *loop, struct virtio_rng **out, struct nd_error *err);
void virtio_rng_free(struct virtio_rng *r);
ND_DEFINE_AUTO(struct virtio_rng *, virtio_rng_free)

/* For the transport. */
struct virtio_device *virtio_rng_device(struct virtio_rng *r);
