/* SPDX-License-Identifier: GPL-2.0-or-later */
/* intake.h -- frames from the packet socket, a bounded and fair amount at a time
 *
 * One turn takes what waits, up to INTAKE_FRAMES. Frames within their sender's share are served
 * first, the others after them. What a busy relay sends in a burst is no flood; many full turns in a
 * row are. While a flood lasts
 *	- the socket is looked at every INTAKE_PAUSE_MS only, and emptied: waking up for each of its
 *	  frames would make the server one that uses its processor all the time, and the scheduler
 *	  lets such a one wait for tens of milliseconds when the machine is busy
 *	- strangers' frames, and those beyond their sender's share, get a limited time each turn. It is
 *	  nearly nothing for a while after the server was woken up late, which says that others want
 *	  the processor too, and grows when that does not happen.
 * So a plugged guest within its share waits for a pause and that time at most. While no such guest has
 * asked for some seconds there is nobody to save a processor for: then nothing pauses, and all get what
 * a turn of bounded length has time for.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "netd/base/auto.h"
#include "netd/serve/share.h"

#define INTAKE_FRAMES 64
#define INTAKE_PATIENCE 32	/* full turns in a row that are no flood yet, but a burst */
#define INTAKE_PAUSE_MS 2	/* between the turns of a flood */

struct intake;

struct intake_counters {
	uint64_t frames;
	uint64_t served;
	uint64_t over_share;		/* served although beyond the sender's share */
	uint64_t dropped_share;		/* not served: strangers' or beyond the share, in a flood */
	uint64_t dropped_foreign;	/* tagged, not from this bridge's segment, or short */
	uint64_t dropped_kernel;	/* the socket's buffer was full */
};

/* NULL: out of memory. */
struct intake *intake_new(void);
void intake_free(struct intake *in);		/* NULL is fine; fd is not its own */
ND_DEFINE_AUTO(struct intake *, intake_free)

typedef void (*intake_frame)(void *arg, const void *frame, size_t len, bool csum_partial);

/* One turn on the packet socket fd. True: there is a flood and a guest to guard from it, the next turn is
 * due INTAKE_PAUSE_MS from now, whatever the socket says; false: it is due when the socket is readable. */
bool intake_turn(struct intake *in, int fd, struct share *share, intake_frame each, void *arg);

/* Gives the buffers' memory back; called when the server has been idle for a while. */
void intake_rest(struct intake *in);

/* fd: asked for the kernel's own drops. */
void intake_counters(struct intake *in, int fd, struct intake_counters *out);
