/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dns/quota.h"

#include <string.h>

#define DEEP_BYTES (1024 * 1024)	/* some 1,300 queries: 5 ms of work */
#define DEEP_MS 20
#define SHORT_BYTES (256 * 1024)	/* a millisecond of work: nobody needs to be dropped */
#define PRESSED_MS 1000			/* after the last query that was over its quota */
#define TICK_MS 10
#define ANSWERS_PER_TICK 512		/* shared out among the clients of the last tick */
#define ANSWERS_MIN 4

void dns_quota_look(struct dns_quota *q, struct dns_queue *queue, uint64_t queued_bytes,
		    uint64_t now_ms)
{
	queue->bytes = queued_bytes;
	if (queued_bytes < DEEP_BYTES)
		queue->deep_since_ms = 0;
	else if (!queue->deep_since_ms)
		queue->deep_since_ms = now_ms;
	else if (now_ms - queue->deep_since_ms >= DEEP_MS)
		q->pressed_until_ms = now_ms + PRESSED_MS;
}

static void tick_begin(struct dns_quota *q, uint64_t tick)
{
	q->allowed = q->n_clients ? ANSWERS_PER_TICK / q->n_clients : ANSWERS_PER_TICK;
	if (q->allowed < ANSWERS_MIN)
		q->allowed = ANSWERS_MIN;
	q->tick = tick;
	q->n_clients = 0;
	memset(q->used, 0, sizeof(q->used));
	/* Two clients that share a place now will not in the next tick; and nobody can aim. */
	dns_random_bytes(q->random, &q->seed, sizeof(q->seed));
}

static uint16_t *place_of(struct dns_quota *q, const struct nd_ip *client)
{
	uint64_t words[2] = { 0 };
	size_t len;
	const uint8_t *bytes = nd_ip_bytes(client, &len);

	memcpy(words, bytes, len);
	words[0] = (words[0] ^ q->seed) * 0x9e3779b97f4a7c15;
	words[1] = (words[1] ^ words[0] >> 32 ^ words[0]) * 0xd6e8feb86659fd93;
	return &q->used[words[1] >> 52];
}

bool dns_quota_take(struct dns_quota *q, const struct dns_queue *queue,
		    const struct nd_ip *client, uint64_t now_ms)
{
	uint16_t *used;

	if (!dns_quota_pressed(q, now_ms))
		return true;
	if (now_ms / TICK_MS != q->tick)
		tick_begin(q, now_ms / TICK_MS);
	used = place_of(q, client);
	if (*used < q->allowed) {
		q->n_clients += *used == 0;
		(*used)++;
		return true;
	}
	if (queue->bytes < SHORT_BYTES)
		return true;
	q->pressed_until_ms = now_ms + PRESSED_MS;
	return false;
}
