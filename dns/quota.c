/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dns/quota.h"

#include <string.h>

#define DEEP_BYTES (1024 * 1024)	/* some 1,300 queries: 5 ms of work */
#define DEEP_MS 20
#define SHORT_BYTES (256 * 1024)	/* a millisecond of work: nobody needs to be dropped */
#define PRESSED_MS 1000			/* after the last query that was over its quota */
#define TICK_MS 20
#define ANSWERS_PER_TICK 512		/* shared out among the clients of the last tick */
#define ANSWERS_MIN 4

bool dns_queue_is_short(const struct dns_queue *queue)
{
	return queue->bytes < SHORT_BYTES;
}

void dns_quota_look(struct dns_quota *q, struct dns_queue *queue, uint64_t queued_bytes,
		    uint32_t lost, uint64_t now_ms)
{
	if (lost && lost != queue->lost) {
		q->pressed_until_ms = now_ms + PRESSED_MS;
		queue->lost = lost;
	}
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
	/* Clients that share their places now will not in the next tick; and nobody can aim. */
	dns_random_bytes(q->random, &q->seed, sizeof(q->seed));
}

static void places_of(struct dns_quota *q, const struct nd_ip *client, uint16_t *out[2])
{
	uint64_t words[2] = { 0 };
	size_t len;
	const uint8_t *bytes = nd_ip_bytes(client, &len);

	memcpy(words, bytes, len);
	words[0] = (words[0] ^ q->seed) * 0x9e3779b97f4a7c15;
	words[1] = (words[1] ^ words[0] >> 32 ^ words[0]) * 0xd6e8feb86659fd93;
	out[0] = &q->used[0][words[1] >> 52];
	out[1] = &q->used[1][words[1] >> 40 & 0xfff];
}

bool dns_quota_take(struct dns_quota *q, const struct dns_queue *queue,
		    const struct nd_ip *client, uint64_t now_ms)
{
	uint16_t *places[2], used;

	if (!dns_quota_pressed(q, now_ms))
		return true;
	if (now_ms / TICK_MS != q->tick)
		tick_begin(q, now_ms / TICK_MS);
	places_of(q, client, places);
	used = *places[0] < *places[1] ? *places[0] : *places[1];
	if (used < q->allowed) {
		q->n_clients += used == 0;
		for (int i = 0; i < 2; i++)
			*places[i] += *places[i] == used;
		return true;
	}
	if (dns_queue_is_short(queue))
		return true;
	q->pressed_until_ms = now_ms + PRESSED_MS;
	return false;
}
