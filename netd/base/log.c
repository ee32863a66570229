/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Set once by main() through nd_log_init() before any thread starts. */
static const char *log_program = "netd";
static int log_max_level = LOG_INFO;
static bool log_tty;

void nd_log_init(const char *program, int max_level)
{
	log_program = program;
	log_max_level = max_level;
	log_tty = isatty(STDERR_FILENO) == 1;
}

bool nd_log_enabled(int level)
{
	return level <= log_max_level;
}

static void log_line(int level, const char *object, const char *fmt, va_list ap)
{
	char line[2048];
	int len;

	if (log_tty)
		len = snprintf(line, sizeof(line), "%s: ", log_program);
	else
		len = snprintf(line, sizeof(line), "<%d>%s: ", level, log_program);
	if (object)
		len += snprintf(line + len, sizeof(line) - (size_t)len, "%.200s: ", object);
	len += vsnprintf(line + len, sizeof(line) - (size_t)len, fmt, ap);
	if (len > (int)sizeof(line) - 2)
		len = (int)sizeof(line) - 2;
	for (int i = 0; i < len; i++)	/* a guest's name must not forge a second line */
		if ((unsigned char)line[i] < 0x20)
			line[i] = '?';
	line[len++] = '\n';
	/* One write per line, so that lines of several processes do not mix. A failure to log
	 * has nowhere to go. */
	ssize_t n = write(STDERR_FILENO, line, (size_t)len);
	(void)n;
}

void nd_log(int level, const char *object, const char *fmt, ...)
{
	va_list ap;

	if (!nd_log_enabled(level))
		return;
	va_start(ap, fmt);
	log_line(level, object, fmt, ap);
	va_end(ap);
}

void nd_log_limited(struct nd_log_limit *limit, int level, const char *object, const char *fmt, ...)
{
	struct timespec now;
	va_list ap;

	if (!nd_log_enabled(level))
		return;
	clock_gettime(CLOCK_MONOTONIC, &now);
	if ((uint64_t)now.tv_sec - limit->since_s >= limit->interval_s) {
		if (limit->suppressed)
			nd_log(level, object, "%u similar lines left out", limit->suppressed);
		limit->since_s = (uint64_t)now.tv_sec;
		limit->printed = limit->suppressed = 0;
	}
	if (limit->printed >= limit->burst) {
		limit->suppressed++;
		return;
	}
	limit->printed++;
	va_start(ap, fmt);
	log_line(level, object, fmt, ap);
	va_end(ap);
}
