/* SPDX-License-Identifier: GPL-2.0-or-later */
/* launch.h -- a program is started with nothing of netd's
 *
 * Descriptors, signal mask and handlers, environment, terminal and process group stay behind: it leads
 * a session of its own.
 */
#pragma once
#include <signal.h>
#include <stddef.h>
#include <sys/types.h>

struct launch {
	const char *path;
	char *const *argv;		/* argv[0] included; NULL at the end */
	char *const *environment;	/* all of it; NULL at the end */
	const char *folder;		/* where it starts; NULL: where netd is */
	const int *fds;			/* which become 0, 1, ... in it; -1: /dev/null. No others reach it. */
	size_t n_fds;
};

/* 0, or a negative errno, also for a path that cannot be executed. */
int launch(const struct launch *what, pid_t *pid_out);

/* How a process ended, by waitid(2), as the end of a sentence: "exited with status 3". */
void launch_describe_end(const siginfo_t *info, char *to, size_t size);
