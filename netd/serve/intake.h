/* SPDX-License-Identifier: GPL-2.0-or-later */
/* intake.h -- frames from the packet socket, a bounded and fair amount at a time
 *
 * One turn takes what waits, up to INTAKE_FRAMES. Frames within their sender's share are served
 * first, the others after them. Under a flood, which is many full turns in a row, the others are
 * served only while the socket was empty and the turn's time is not used up: nearly all of a turn
 * is then spent on emptying the socket, whose overrun would hit everybody. What a busy relay
 * sends in a burst is no flood.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "netd/base/auto.h"
#include "netd/serve/share.h"

#define INTAKE_FRAMES 64
#define INTAKE_PATIENCE 32	/* full turns in a row that are no flood yet, but a burst */
#define INTAKE_EXTRA_US 1000	/* for frames beyond their sender's share, each turn of a flood */

struct intake;

struct intake_counters {
	uint64_t frames;
	uint64_t served;
	uint64_t over_share;		/* served although beyond the sender's share */
	uint64_t dropped_share;		/* not served: beyond the share, and others waited */
	uint64_t dropped_foreign;	/* tagged, not from this bridge's segment, or short */
	uint64_t dropped_kernel;	/* the socket's buffer was full */
};

/* NULL: out of memory. */
struct intake *intake_new(void);
void intake_free(struct intake *in);		/* NULL is fine; fd is not its own */
ND_DEFINE_AUTO(struct intake *, intake_free)

typedef void (*intake_frame)(void *arg, const void *frame, size_t len, bool csum_partial);

/* One turn on the packet socket fd. True: more frames probably wait. */
bool intake_turn(struct intake *in, int fd, struct share *share, intake_frame each, void *arg);

/* Gives the buffers' memory back; called when the server has been idle for a while. */
void intake_rest(struct intake *in);

/* fd: asked for the kernel's own drops. */
void intake_counters(struct intake *in, int fd, struct intake_counters *out);
