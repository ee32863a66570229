/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/daemon/child.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "netd/base/effect.h"
#include "netd/base/log.h"
#include "netd/daemon/launch.h"

/* One that was taken over may talk without end: so many messages at a time, so often. */
#define MESSAGES_PER_TURN 16
#define TURNS_INTERVAL_US 100000
#define TURNS_PER_INTERVAL 200

enum { FD_CHANNEL = 3 };		/* in the child: netd/serve/fds.h and netd-vmm know it too */

struct child {
	const struct child_kind *kind;
	pid_t pid;
	int pidfd;
	struct channel *channel;
	bool writable_wanted, channel_ended;
	struct child_hooks hooks;
	void *arg;
	sd_event *event;
	sd_event_source *channel_source, *pidfd_source;
	bool *freed;			/* set when the process is freed in one of its callbacks */
};

void child_free(struct child *p)
{
	if (!p)
		return;
	if (p->freed)
		*p->freed = true;
	sd_event_source_disable_unref(p->channel_source);
	sd_event_source_disable_unref(p->pidfd_source);
	channel_free(p->channel);
	if (p->pidfd >= 0)
		close(p->pidfd);
	free(p);
}

void child_set_owner(struct child *p, const struct child_hooks *hooks,
			     void *arg)
{
	p->hooks = *hooks;
	p->arg = arg;
}

pid_t child_pid(const struct child *p)
{
	return p->pid;
}

/* How it ended, as far as its parent can tell; an earlier netd's child is not ours to ask. */
static void end_describe(struct child *p, char *to, size_t size)
{
	siginfo_t info = { 0 };

	if (waitid(P_PIDFD, (id_t)p->pidfd, &info, WEXITED | WNOHANG) < 0 || info.si_pid == 0)
		snprintf(to, size, "ended");
	else
		launch_describe_end(&info, to, size);
}

static int on_pidfd(sd_event_source *source, int fd, uint32_t events, void *arg)
{
	struct child *p = arg;
	char why[128];

	end_describe(p, why, sizeof(why));
	(void)sd_event_source_set_enabled(source, SD_EVENT_OFF);	/* cannot fail */
	p->hooks.gone(p->arg, p, why);
	return 0;
}

/* The channel is of no use any more; only the end is waited for now. */
static void channel_end(struct child *p)
{
	p->channel_ended = true;
	p->channel_source = sd_event_source_disable_unref(p->channel_source);
}

static void channel_watch(struct child *p)
{
	bool want = channel_waiting(p->channel);

	if (p->channel_ended || want == p->writable_wanted)
		return;
	if (sd_event_source_set_io_events(p->channel_source, EPOLLIN | (want ? EPOLLOUT : 0)) >= 0)
		p->writable_wanted = want;
}

/* Whoever breaks the protocol, or hangs up without ending, is ended. */
static void channel_broken(struct child *p, int error)
{
	channel_end(p);
	if (error != -EPIPE)
		nd_log(LOG_WARNING, NULL, "%s (pid %d): %s on its channel", p->kind->noun, p->pid,
		       strerror(-error));
	child_kill(p);
}

static int on_channel(sd_event_source *source, int fd, uint32_t events, void *arg)
{
	struct child *p = arg;
	bool freed = false;
	int r = 0;

	if (events & EPOLLOUT)
		r = channel_flush(p->channel);
	for (int i = 0; i < MESSAGES_PER_TURN && r >= 0; i++) {
		struct channel_message m;

		r = channel_receive(p->channel, &m);
		if (r == 1) {
			p->freed = &freed;
			p->hooks.message(p->arg, p, &m);
			if (freed)
				return 0;
			p->freed = NULL;
			if (p->channel_ended)
				return 0;
		}
	}
	if (r < 0 && r != -EAGAIN)
		channel_broken(p, r);
	else
		channel_watch(p);
	return 0;
}

int child_send(struct child *p, uint16_t type, uint32_t serial, const void *body, size_t len,
	       const int *fds, size_t n_fds)
{
	int r = p->channel_ended ? -EPIPE : channel_send(p->channel, type, serial, body, len, fds,
							 n_fds);

	if (r == 0)
		channel_watch(p);
	return r;
}

void child_kill(struct child *p)
{
	channel_end(p);
	/* ESRCH: it is dead already, and `gone` is on its way. */
	(void)syscall(SYS_pidfd_send_signal, p->pidfd, SIGKILL, NULL, 0);
}

/* Puts channel and pidfd into the loop. p owns both already. */
static int process_watch(struct child *p, struct nd_error *err)
{
	int r;

	p->pidfd = (int)syscall(SYS_pidfd_open, p->pid, 0);
	if (p->pidfd < 0)
		return nd_error_sys(err, errno, "cannot watch %s (pid %d)", p->kind->noun, p->pid);
	r = sd_event_add_io(p->event, &p->channel_source, channel_fd(p->channel), EPOLLIN,
			    on_channel, p);
	if (r >= 0)
		r = sd_event_source_set_ratelimit(p->channel_source, TURNS_INTERVAL_US,
						  TURNS_PER_INTERVAL);
	if (r >= 0)
		r = sd_event_add_io(p->event, &p->pidfd_source, p->pidfd, EPOLLIN, on_pidfd, p);
	/* What it said last is read before its end is noticed. */
	if (r >= 0)
		r = sd_event_source_set_priority(p->pidfd_source, SD_EVENT_PRIORITY_NORMAL + 1);
	if (r < 0)
		return nd_error_sys(err, -r, "cannot watch %s (pid %d)", p->kind->noun, p->pid);
	return 0;
}

static struct child *process_new(sd_event *event, const struct child_kind *kind, int fd,
				 const struct child_hooks *hooks, void *arg)
{
	struct child *p = calloc(1, sizeof(*p));

	if (p)
		p->channel = kind->channel_new(fd);
	if (!p || !p->channel) {
		close(fd);
		free(p);
		return NULL;
	}
	p->kind = kind;
	p->pidfd = -1;
	p->event = event;
	p->hooks = *hooks;
	p->arg = arg;
	return p;
}

/* Nothing of netd reaches the child but stderr and the channel. */
static int start(const char *path, char *const argv[], int channel_fd, pid_t *pid_out)
{
	/* Symbols are looked up while a spare waits, not during a start, and before a sandbox is
	 * closed. */
	char *const environment[] = { (char *)"LD_BIND_NOW=1", NULL };
	const int fds[] = { -1, -1, STDERR_FILENO, [FD_CHANNEL] = channel_fd };
	const struct launch what = { .path = path, .argv = argv, .environment = environment,
				    .fds = fds, .n_fds = ND_COUNT(fds) };

	return launch(&what, pid_out);
}

int child_spawn(sd_event *event, const struct child_kind *kind, const char *path,
		char *const argv[], const struct child_hooks *hooks, void *arg, struct child **out,
		struct nd_error *err)
{
	ND_AUTO(child_free) struct child *p = NULL;
	int ends[2], r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0)
		return nd_error_sys(err, errno, "cannot make a channel to %s", kind->noun);
	p = process_new(event, kind, ends[0], hooks, arg);
	r = p ? nd_effect(ND_EFFECT_PROCESS, kind->noun) : -ENOMEM;
	if (r == 0)
		r = start(path, argv, ends[1], &p->pid);
	close(ends[1]);
	if (r < 0)
		return nd_error_sys(err, -r, "cannot start '%s'", path);
	r = process_watch(p, err);
	if (r < 0) {
		(void)kill(p->pid, SIGKILL);	/* our own child, not reaped yet */
		(void)waitpid(p->pid, NULL, 0);
		return r;
	}
	*out = nd_take_ptr(&p);
	return 0;
}

int child_adopt(sd_event *event, const struct child_kind *kind, int fd, uid_t uid,
		const struct child_hooks *hooks, void *arg, struct child **out, struct nd_error *err)
{
	ND_AUTO(child_free) struct child *p = process_new(event, kind, fd, hooks, arg);
	struct ucred peer;
	socklen_t len = sizeof(peer);
	int r;

	if (!p)
		return nd_error_nomem(err);
	/* The kernel noted these when the process called listen(), after it had become uid. */
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return nd_error_sys(err, errno, "cannot tell who listens");
	if (peer.pid <= 0 || peer.uid == 0 || (uid != (uid_t)-1 && peer.uid != uid))
		return nd_error_set(err, ND_ERR_INTERNAL, "process %d with uid %u listens in the "
				    "place of a %s with uid %u", peer.pid, peer.uid, kind->noun, uid);
	p->pid = peer.pid;
	r = process_watch(p, err);
	if (r < 0)
		return r;
	*out = nd_take_ptr(&p);
	return 0;
}
