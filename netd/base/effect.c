/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/base/effect.h"

#ifdef ND_FAULTS
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const kind_names[] = { "rtnl", "nft", "ioctl", "file", "process" };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned long count;

static int error_number(const char *name)
{
	for (int e = 1; e < 134; e++) {
		const char *n = strerrorname_np(e);

		if (n && strcmp(n, name) == 0)
			return e;
	}
	return EIO;
}

static void count_line(const char *path, unsigned long n, enum nd_effect_kind kind, const char *what)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	if (fd < 0)
		return;
	dprintf(fd, "%lu %s %s\n", n, kind_names[kind], what);
	close(fd);
}

int nd_effect(enum nd_effect_kind kind, const char *what)
{
	const char *spec = getenv("NETD_FAULT");
	unsigned long mine, at;
	char *rest;

	if (!spec)
		return 0;
	pthread_mutex_lock(&lock);
	mine = ++count;
	pthread_mutex_unlock(&lock);
	if (strncmp(spec, "count:", 6) == 0) {
		count_line(spec + 6, mine, kind, what);
		return 0;
	}
	at = strtoul(spec, &rest, 10);
	if (mine != at || *rest != ':')
		return 0;
	if (strcmp(rest + 1, "kill") == 0)
		kill(getpid(), SIGKILL);
	return -error_number(rest + 1);
}
#endif
