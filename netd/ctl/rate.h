/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rate.h -- a bandwidth as virsh's commands take it: AVERAGE[,PEAK[,BURST[,FLOOR]]] */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct rate {
	uint64_t average, peak, floor;		/* KiB/s */
	uint64_t burst;				/* KiB */
};

/* 0: what was left out. 0, or -1 after the failure was printed. */
int rate_parse(const char *text, struct rate *out);
/*
 * Whether a direction can have it; prints virsh's words when it cannot. must_be: a rate of nothing
 * is refused too, which elsewhere takes the limit away.
 */
int rate_check(const struct rate *r, bool inbound, bool must_be);

/* --inbound and --outbound */
#define ARG_RATES \
	{ "inbound", ARG_NAMED, "what the guest receives: average[,peak[,burst[,floor]]] in KiB/s and KiB" }, \
	{ "outbound", ARG_NAMED, "what the guest sends: average[,peak[,burst]]" }
