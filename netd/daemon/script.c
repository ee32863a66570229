/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/daemon/script.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "netd/base/effect.h"
#include "netd/base/log.h"
#include "netd/daemon/launch.h"

/* So much of its output is kept, from the end, and so much of that goes into an error. */
enum { SAID_MAX = 4000, TOLD_MAX = 500 };
/* It may talk without end: so many pieces at a time, so often. */
#define PIECES_INTERVAL_US 100000
#define PIECES_PER_INTERVAL 200
/* What a pipe can hold when it has ended (64 KiB): more is from what it left running. */
#define PIECES_AT_END 32

struct script {
	struct script_spec spec;
	script_done done;
	void *arg;
	pid_t pid;			/* 0: reaped, or not started */
	int pidfd, output_fd;
	sd_event_source *end_source, *output_source, *timer;
	bool late;
	char said[SAID_MAX + 1];
	size_t n_said;
	bool said_more;			/* what came first is lost */
};

/* While the process is not reaped, no other group can have its number. */
static void kill_group(const struct script *s)
{
	(void)kill(-s->pid, SIGKILL);	/* fails when all of it has ended */
}

static void stop_watching(struct script *s)
{
	s->end_source = sd_event_source_disable_unref(s->end_source);
	s->output_source = sd_event_source_disable_unref(s->output_source);
	s->timer = sd_event_source_disable_unref(s->timer);
}

void script_free(struct script *s)
{
	if (!s)
		return;
	stop_watching(s);
	if (s->pid) {
		kill_group(s);
		(void)waitpid(s->pid, NULL, 0);
	}
	if (s->pidfd >= 0)
		close(s->pidfd);
	if (s->output_fd >= 0)
		close(s->output_fd);
	free(s);
}

/* ---- what it says ---- */

static void keep(struct script *s, const char *bytes, size_t n)
{
	size_t drop = s->n_said + n > SAID_MAX ? s->n_said + n - SAID_MAX : 0;

	s->said_more |= drop > 0;
	memmove(s->said, s->said + drop, s->n_said - drop);
	s->n_said -= drop;
	memcpy(s->said + s->n_said, bytes, n);
	s->n_said += n;
}

/* False: there is nothing more for now, or at all. */
static bool read_piece(struct script *s)
{
	char piece[2048];
	ssize_t n = read(s->output_fd, piece, sizeof(piece));

	if (n > 0)
		keep(s, piece, (size_t)n);
	else if (n == 0)
		s->output_source = sd_event_source_disable_unref(s->output_source);
	return n > 0;
}

static int on_output(sd_event_source *source, int fd, uint32_t events, void *arg)
{
	(void)read_piece(arg);
	return 0;
}

/* Lines of ASCII: it goes to logs and to clients. */
static void clean(struct script *s)
{
	while (s->n_said && s->said[s->n_said - 1] == '\n')
		s->n_said--;
	s->said[s->n_said] = '\0';
	for (size_t i = 0; i < s->n_said; i++)
		if (s->said[i] != '\n' && ((unsigned char)s->said[i] < ' ' || (unsigned char)s->said[i] > '~'))
			s->said[i] = '?';
}

static void log_said(const struct script *s)
{
	const char *line = s->said;

	if (s->said_more)
		nd_log(LOG_INFO, s->spec.object, "%s: ... (it said more than %d bytes)", s->spec.path, SAID_MAX);
	while (*line) {
		size_t len = strcspn(line, "\n");

		nd_log(LOG_INFO, s->spec.object, "%s: %.*s", s->spec.path, (int)len, line);
		line += len + (line[len] == '\n');
	}
}

/* ---- its end ---- */

static int describe_failure(struct script *s, const siginfo_t *info, struct nd_error *err)
{
	const char *told = s->n_said > TOLD_MAX ? s->said + s->n_said - TOLD_MAX : s->said;
	char why[128];

	for (char *c = s->said; (c = strchr(c, '\n'));)
		*c = ';';
	if (s->late)
		snprintf(why, sizeof(why), "did not end within %u s, and was killed", s->spec.limit_s);
	else
		launch_describe_end(info, why, sizeof(why));
	return nd_error_set(err, s->late ? ND_ERR_OPERATION_TIMEOUT : ND_ERR_OPERATION_FAILED,
			    "<%s>: '%.200s' %s%s%s%s", s->spec.element, s->spec.path, why, *told ? ": " : "",
			    told > s->said ? "..." : "", told);
}

static int on_end(sd_event_source *source, int fd, uint32_t events, void *arg)
{
	struct script *s = arg;
	siginfo_t info = { 0 };
	struct nd_error err = { 0 };
	bool good;

	for (int i = 0; i < PIECES_AT_END && read_piece(s); i++)
		;
	(void)waitid(P_PIDFD, (id_t)s->pidfd, &info, WEXITED | WNOHANG | WNOWAIT);	/* our own, and dead */
	good = !s->late && info.si_code == CLD_EXITED && info.si_status == 0;
	if (!good)	/* what it left running when it worked is its own affair */
		kill_group(s);
	(void)waitid(P_PIDFD, (id_t)s->pidfd, &info, WEXITED);
	s->pid = 0;
	stop_watching(s);
	clean(s);
	log_said(s);
	if (!good)
		describe_failure(s, &info, &err);
	s->done(s->arg, good ? NULL : &err);
	return 0;
}

static int on_late(sd_event_source *source, uint64_t usec, void *arg)
{
	struct script *s = arg;

	s->late = true;
	kill_group(s);
	return 0;
}

/* ---- its start ---- */

static int watch(struct script *s, sd_event *event)
{
	int r;

	s->pidfd = (int)syscall(SYS_pidfd_open, s->pid, 0);
	if (s->pidfd < 0)
		return -errno;
	r = sd_event_add_io(event, &s->end_source, s->pidfd, EPOLLIN, on_end, s);
	if (r >= 0)
		r = sd_event_add_io(event, &s->output_source, s->output_fd, EPOLLIN, on_output, s);
	if (r >= 0)
		r = sd_event_source_set_ratelimit(s->output_source, PIECES_INTERVAL_US, PIECES_PER_INTERVAL);
	if (r >= 0)
		r = sd_event_add_time_relative(event, &s->timer, CLOCK_MONOTONIC,
					       s->spec.limit_s * UINT64_C(1000000), 0, on_late, s);
	return r;
}

static int start_process(struct script *s)
{
	char *const argv[] = { (char *)s->spec.path, (char *)s->spec.arg, NULL };
	char *const environment[] = { (char *)"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", NULL };
	struct launch what = { .path = s->spec.path, .argv = argv, .environment = environment, .folder = "/" };
	int ends[2], r;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	s->output_fd = ends[0];
	what.fds = (const int[]){ -1, ends[1], ends[1] };
	what.n_fds = 3;
	r = fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0 ? -errno : nd_effect(ND_EFFECT_PROCESS, s->spec.element);
	if (r == 0)
		r = launch(&what, &s->pid);
	close(ends[1]);
	return r;
}

int script_start(sd_event *event, const struct script_spec *spec, script_done done, void *arg,
		 struct script **out, struct nd_error *err)
{
	ND_AUTO(script_free) struct script *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return nd_error_nomem(err);
	s->spec = *spec;
	s->done = done;
	s->arg = arg;
	s->pidfd = s->output_fd = -1;
	r = start_process(s);
	if (r < 0) {
		s->pid = 0;	/* it may be written even so */
		return nd_error_sys(err, -r, "<%s>: cannot run '%.300s'", spec->element, spec->path);
	}
	r = watch(s, event);
	if (r < 0)
		return nd_error_sys(err, -r, "<%s>: cannot watch '%.300s'", spec->element, spec->path);
	*out = nd_take_ptr(&s);
	return 0;
}
