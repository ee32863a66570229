/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/daemon/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>

static int add_files(posix_spawn_file_actions_t *files, const struct launch *s)
{
	int r = s->folder ? posix_spawn_file_actions_addchdir_np(files, s->folder) : 0;

	for (size_t i = 0; r == 0 && i < s->n_fds; i++)
		r = s->fds[i] < 0 ? posix_spawn_file_actions_addopen(files, (int)i, "/dev/null", O_RDWR, 0)
				  : posix_spawn_file_actions_adddup2(files, s->fds[i], (int)i);
	return r ? r : posix_spawn_file_actions_addclosefrom_np(files, (int)s->n_fds);
}

int launch(const struct launch *s, pid_t *pid_out)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t none, all;
	int r;

	sigemptyset(&none);
	sigfillset(&all);
	if (posix_spawn_file_actions_init(&files) != 0)
		return -ENOMEM;
	if (posix_spawnattr_init(&attr) != 0) {
		posix_spawn_file_actions_destroy(&files);
		return -ENOMEM;
	}
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
				 POSIX_SPAWN_SETSID);
	r = add_files(&files, s);
	if (r == 0)
		r = posix_spawn(pid_out, s->path, &files, &attr, s->argv, s->environment);
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&attr);
	return -r;
}

void launch_describe_end(const siginfo_t *info, char *to, size_t size)
{
	if (info->si_code == CLD_EXITED)
		snprintf(to, size, "exited with status %d", info->si_status);
	else if (info->si_status == SIGSYS)
		snprintf(to, size, "was killed by its system call filter (the kernel's log names the "
			 "call: type=1326)");
	else
		snprintf(to, size, "was killed by signal %d (%s)", info->si_status,
			 strsignal(info->si_status));
}
