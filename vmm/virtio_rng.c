/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/virtio_rng.h"

#include <errno.h>
#include <linux/virtio_ids.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/timerfd.h>
#include <time.h>

#include "vmm/virtio.h"

#define QUEUE_SIZE 64
#define CHUNK 256			/* getrandom() gives so much in one piece, whatever happens */

struct virtio_rng {
	struct virtio_device device;
	char *name;
	uint32_t bytes_per_period, period_ms;
	uint64_t period_start_ms;
	uint32_t left;			/* bytes, in this period */
	int timer_fd;			/* fires when the next period begins, if the guest waits for it */
	struct loop_watch watch;	/* of timer_fd */
	struct iovec iov[QUEUE_SIZE];
};

struct virtio_device *virtio_rng_device(struct virtio_rng *r)
{
	return &r->device;
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void budget_renew(struct virtio_rng *r, uint64_t now)
{
	if (now - r->period_start_ms < r->period_ms)
		return;
	r->period_start_ms = now;
	r->left = r->bytes_per_period;
}

static void timer_arm(struct virtio_rng *r, uint64_t now)
{
	uint64_t wait_ms = r->period_start_ms + r->period_ms - now;
	struct itimerspec t = { .it_value = { .tv_sec = (time_t)(wait_ms / 1000),
					      .tv_nsec = (long)(wait_ms % 1000) * 1000000 } };

	(void)timerfd_settime(r->timer_fd, 0, &t, NULL);	/* of ours, with a sane time */
}

/* As many random bytes as the chain and the period's rest allow; the specification lets a device give
 * less than there is room for, but something. */
static uint32_t fill(struct virtio_rng *r, const struct vq_chain *c)
{
	uint32_t wanted = c->in_bytes < r->left ? c->in_bytes : r->left, done = 0;
	uint8_t chunk[CHUNK];

	while (done < wanted) {
		uint32_t n = wanted - done < CHUNK ? wanted - done : CHUNK;

		if (getrandom(chunk, n, 0) != (ssize_t)n)
			break;
		(void)iov_write(c->iov + c->n_out, c->n_in, done, chunk, n);
		done += n;
	}
	explicit_bzero(chunk, sizeof(chunk));
	r->left -= done;
	return done;
}

static void rng_kick(void *self, unsigned index)
{
	struct virtio_rng *r = self;
	struct virtqueue *q = &r->device.queues[0].vq;
	uint64_t now = now_ms();
	struct vq_chain c;

	budget_renew(r, now);
	while (r->left && virtqueue_pop(q, r->iov, &c)) {
		if (!c.in_bytes) {
			(void)virtqueue_break(q, "a buffer for entropy is not for writing");
			break;
		}
		virtqueue_push(q, c.head, fill(r, &c));
	}
	if (r->left && virtqueue_kicks_on(q))
		virtio_queue_again(&r->device, 0);
	virtio_queue_publish(&r->device, 0);
	if (!r->left)
		timer_arm(r, now);
}

static void handle_timer(struct loop_watch *w, uint32_t events)
{
	struct virtio_rng *r = loop_owner(w, struct virtio_rng, watch);
	uint64_t n;

	(void)!read(r->timer_fd, &n, sizeof(n));
	if (virtio_queue_live(&r->device, 0))
		rng_kick(r, 0);
}

static void rng_start(void *self)
{
}

static bool rng_reset(void *self)
{
	return true;
}

static void rng_config_read(void *self, unsigned offset, void *to, unsigned len)
{
	memset(to, 0, len);		/* it has none: config_bytes is 0 */
}

static const struct virtio_ops rng_ops = {
	.config_read = rng_config_read,
	.start = rng_start,
	.kick = rng_kick,
	.reset = rng_reset,
};

static int rng_init(struct virtio_rng *r, const struct virtio_rng_spec *spec, struct nd_error *err)
{
	static const uint16_t sizes[] = { QUEUE_SIZE };
	int e;

	r->bytes_per_period = spec->bytes_per_period ? spec->bytes_per_period : RNG_BYTES_DEFAULT;
	r->period_ms = spec->period_ms ? spec->period_ms : 1000;
	r->name = strdup(spec->name);
	if (!r->name)
		return nd_error_nomem(err);
	r->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (r->timer_fd < 0)
		return nd_error_sys(err, errno, "cannot make a timer");
	r->device.ops = &rng_ops;
	r->device.self = r;
	r->device.name = r->name;
	r->device.type = VIRTIO_ID_RNG;
	r->device.n_queues = 1;
	e = virtio_init(&r->device, sizes, err);
	if (e < 0) {
		r->device.n_queues = 0;
		return e;
	}
	r->watch = (struct loop_watch){ .fd = r->timer_fd, .ready = handle_timer };
	e = loop_add(r->device.loop, &r->watch, EPOLLIN);
	return e < 0 ? nd_error_sys(err, -e, "cannot wait for time") : 0;
}

int virtio_rng_new(const struct virtio_rng_spec *spec, const struct memory *memory,
		   struct loop *loop, struct virtio_rng **out, struct nd_error *err)
{
	ND_AUTO(virtio_rng_free) struct virtio_rng *r = calloc(1, sizeof(*r));
	int e;

	if (!r)
		return nd_error_nomem(err);
	r->timer_fd = -1;
	r->device.memory = memory;
	r->device.loop = loop;
	e = rng_init(r, spec, err);
	if (e < 0)
		return nd_error_prefix(err, "rng");
	*out = nd_take_ptr(&r);
	return 0;
}

void virtio_rng_free(struct virtio_rng *r)
{
	if (!r)
		return;
	loop_remove(r->device.loop, &r->watch);
	if (r->device.n_queues)
		virtio_fini(&r->device);
	if (r->timer_fd >= 0)
		close(r->timer_fd);
	free(r->name);
	free(r);
}
