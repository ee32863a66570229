/* SPDX-License-Identifier: GPL-2.0-or-later */
/* serve_process.h -- one netd-serve process: its channel, its end
 *
 * A spare, one that serves, or one that an earlier netd left: all the same here. Messages and the
 * end come as callbacks from the event loop, never from within a call.
 */
#pragma once
#include <sys/types.h>
#include <systemd/sd-event.h>

#include "netd/base/auto.h"
#include "netd/base/error.h"
#include "netd/serve/channel.h"

struct serve_process;

struct serve_process_hooks {
	/* m's body is valid during the call. The process may be freed in it. */
	void (*message)(void *arg, struct serve_process *p, struct channel_message *m);
	/* It answers no more: why is a sentence's end ("was killed by signal 11"). The process is
	 * dead, or (adopted ones) has closed the channel and been killed. May be freed in it. */
	void (*gone)(void *arg, struct serve_process *p, const char *why);
};

/* Starts a spare. hooks are copied. */
int serve_process_spawn(sd_event *event, const char *program, const char *lease_dir,
			const struct serve_process_hooks *hooks, void *arg,
			struct serve_process **out, struct nd_error *err);

/* Takes fd, a connected channel to a server that must run as uid ((uid_t)-1: any but root). */
int serve_process_adopt(sd_event *event, int fd, uid_t uid,
			const struct serve_process_hooks *hooks, void *arg,
			struct serve_process **out, struct nd_error *err);

/* Another owner, for a spare that gets work and for a server that is on its way out. */
void serve_process_set_owner(struct serve_process *p, const struct serve_process_hooks *hooks,
			     void *arg);
pid_t serve_process_pid(const struct serve_process *p);

/* As channel_send(); what waits is sent when there is room. */
int serve_process_send(struct serve_process *p, uint16_t type, uint32_t serial,
		       const void *body, size_t len, const int *fds, size_t n_fds);

/* SIGKILL; `gone` follows. */
void serve_process_kill(struct serve_process *p);

/* Lets go: closes the channel. A spare ends by that, a server serves on. NULL is fine. */
void serve_process_free(struct serve_process *p);
ND_DEFINE_AUTO(struct serve_process *, serve_process_free)
