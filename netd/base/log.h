/* SPDX-License-Identifier: GPL-2.0-or-later */
/* log.h -- one line per event, to stderr with the priority that journald reads
 *
 * Info: a life-cycle change. Warning: netd carries on, someone should look. Error: a request
 * failed, in the sentence the client got. Packets are debug; what a guest can trigger goes
 * through a struct nd_log_limit.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <syslog.h>

/* program: shown in front of each line on a terminal, borrowed for ever. max_level: LOG_DEBUG... */
void nd_log_init(const char *program, int max_level);

/* True when a line of this level would be printed: guards costly arguments. */
bool nd_log_enabled(int level);

/* object: the network, guest or client that the line is about, NULL for the program itself. */
void nd_log(int level, const char *object, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* At most burst lines per interval_s; what was left out is counted in the next line. */
struct nd_log_limit {
	uint32_t interval_s, burst;
	uint64_t since_s;
	uint32_t printed, suppressed;
};

void nd_log_limited(struct nd_log_limit *limit, int level, const char *object, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
