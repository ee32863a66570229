/* SPDX-License-Identifier: GPL-2.0-or-later */
/* child.h -- one process of netd's, a server or a guest: its channel, its end
 *
 * One that netd started, or one that an earlier netd left: the same here. Messages and the end come
 * as callbacks from the event loop, never from within a call.
 */
#pragma once
#include <sys/types.h>
#include <systemd/sd-event.h>

#include "netd/base/auto.h"
#include "netd/base/error.h"
#include "netd/base/channel.h"

struct child;

struct child_hooks {
	/* m's body is valid during the call. The process may be freed in it. */
	void (*message)(void *arg, struct child *p, struct channel_message *m);
	/* It answers no more: why is a sentence's end ("was killed by signal 11"). The process is
	 * dead, or (adopted ones) has closed the channel and been killed. May be freed in it. */
	void (*gone)(void *arg, struct child *p, const char *why);
};

/* What is run; borrowed, and must last as long as its processes. */
struct child_kind {
	const char *noun;			/* "netd-serve", for messages */
	struct channel *(*channel_new)(int fd);
};

/* Starts path with the channel at descriptor 3. argv[0] is path. hooks are copied. */
int child_spawn(sd_event *event, const struct child_kind *kind, const char *path,
		char *const argv[], const struct child_hooks *hooks, void *arg, struct child **out,
		struct nd_error *err);

/* Takes fd, a connected channel to a process that must run as uid ((uid_t)-1: any but root). */
int child_adopt(sd_event *event, const struct child_kind *kind, int fd, uid_t uid,
		const struct child_hooks *hooks, void *arg, struct child **out, struct nd_error *err);

/* Another owner, for a spare that gets work and for a server that is on its way out. */
void child_set_owner(struct child *p, const struct child_hooks *hooks,
			     void *arg);
pid_t child_pid(const struct child *p);

/* As channel_send(); what waits is sent when there is room. */
int child_send(struct child *p, uint16_t type, uint32_t serial, const void *body, size_t len,
	       const int *fds, size_t n_fds);

/* SIGKILL; `gone` follows. */
void child_kill(struct child *p);

/* Lets go: closes the channel. A spare ends by that, others go on. NULL is fine. */
void child_free(struct child *p);
ND_DEFINE_AUTO(struct child *, child_free)
