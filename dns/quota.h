/* SPDX-License-Identifier: GPL-2.0-or-later */
/* quota.h -- who is still answered when queries come faster than they can be answered
 *
 * All guests share a socket's queue: one that floods it fills it, and the others' queries are lost
 * or wait behind its own. Answering is what takes time, reading little: so while the server is
 * pressed each client has a quota of answers in each few milliseconds, what is over that is read
 * and dropped as long as the queue is not short, and so it is kept short.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "dns/random.h"
#include "netd/base/addr.h"

struct dns_quota {
	struct dns_random *random;	/* borrowed */
	uint64_t pressed_until_ms;
	uint64_t tick, seed;
	unsigned n_clients, allowed;	/* in this tick: seen so far; answers for each */
	/* By two hashes of the address, others in each tick: a client exceeds its quota when both of its
	 * places are full, so hardly anybody pays for those who share one with him. */
	uint16_t used[2][4096];
};

/* A socket's queue, looked at after each batch of queries that came from it. */
struct dns_queue {
	uint64_t deep_since_ms;		/* 0: it is not */
	uint64_t bytes;			/* what the kernel charges to it */
	uint32_t lost;			/* packets for which there was no room, so far */
};

/* A queue that stays deep while it is worked on is a flood, and so is one that runs over; one that is
 * deep for once is a burst. lost: the kernel's count of packets that this socket dropped, or 0 while
 * others than those without room are in it. */
void dns_quota_look(struct dns_quota *q, struct dns_queue *queue, uint64_t queued_bytes,
		    uint32_t lost, uint64_t now_ms);

/* So little that nobody needs to be dropped. */
bool dns_queue_is_short(const struct dns_queue *queue);

static inline bool dns_quota_pressed(const struct dns_quota *q, uint64_t now_ms)
{
	return now_ms < q->pressed_until_ms;
}

/* False: the query is to be dropped. Always true while the server is not pressed. */
bool dns_quota_take(struct dns_quota *q, const struct dns_queue *queue,
		    const struct nd_ip *client, uint64_t now_ms);
