/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dns/timer.h"

#include <errno.h>
#include <stdlib.h>

static void place(struct dns_timers *t, struct dns_timer *timer, size_t slot)
{
	t->heap[slot] = timer;
	timer->slot = slot;
}

static void sift(struct dns_timers *t, struct dns_timer *timer, size_t slot)
{
	while (slot > 1 && t->heap[slot / 2]->at_ms > timer->at_ms) {
		place(t, t->heap[slot / 2], slot);
		slot /= 2;
	}
	for (;;) {
		size_t child = slot * 2;

		if (child > t->n)
			break;
		if (child < t->n && t->heap[child + 1]->at_ms < t->heap[child]->at_ms)
			child++;
		if (t->heap[child]->at_ms >= timer->at_ms)
			break;
		place(t, t->heap[child], slot);
		slot = child;
	}
	place(t, timer, slot);
}

int dns_timer_set(struct dns_timers *t, struct dns_timer *timer, uint64_t at_ms)
{
	if (!timer->slot) {
		if (t->n + 2 > t->size) {
			size_t size = t->size ? t->size * 2 : 16;
			struct dns_timer **heap = reallocarray(t->heap, size, sizeof(*heap));

			if (!heap)
				return -ENOMEM;
			t->heap = heap;
			t->size = size;
		}
		timer->slot = ++t->n;
	}
	timer->at_ms = at_ms;
	t->heap[timer->slot] = timer;
	sift(t, timer, timer->slot);
	return 0;
}

void dns_timer_cancel(struct dns_timers *t, struct dns_timer *timer)
{
	size_t slot = timer->slot;
	struct dns_timer *last;

	if (!slot)
		return;
	timer->slot = 0;
	last = t->heap[t->n--];
	if (last != timer)
		sift(t, last, slot);
}

struct dns_timer *dns_timer_first(const struct dns_timers *t)
{
	return t->n ? t->heap[1] : NULL;
}

void dns_timers_fini(struct dns_timers *t)
{
	free(t->heap);
	*t = (struct dns_timers){ 0 };
}
