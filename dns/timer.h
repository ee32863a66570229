/* SPDX-License-Identifier: GPL-2.0-or-later */
/* timer.h -- which of many is due next: a binary heap with the entries inside their owners */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct dns_timer {
	uint64_t at_ms;
	size_t slot;		/* 1-based place in the heap; 0: not set */
};

struct dns_timers {
	struct dns_timer **heap;	/* heap[0] is unused */
	size_t n, size;
};

/* Sets or moves a timer. 0 or -ENOMEM (never when it only moves). */
int dns_timer_set(struct dns_timers *t, struct dns_timer *timer, uint64_t at_ms);
/* Fine when it is not set. */
void dns_timer_cancel(struct dns_timers *t, struct dns_timer *timer);
/* The earliest, or NULL. */
struct dns_timer *dns_timer_first(const struct dns_timers *t);
void dns_timers_fini(struct dns_timers *t);
