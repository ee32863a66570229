/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Listening sockets, the limits on sessions, and whose turn it is.
 *
 * Sessions are watched by an epoll descriptor of the server's own, which is one source of the
 * daemon's loop: with thousands of busy clients a turn of the loop stays cheap. A client that
 * waits for each reply is served as soon as its call arrives; those that have more than one call
 * waiting take turns behind it, one call each, for a bounded time.
 */
#include "netd/rpc/server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "netd/base/auto.h"
#include "netd/base/log.h"
#include "netd/rpc/protocol.h"
#include "netd/rpc/session.h"

#define EVENTS_PER_TURN 256
/* How many calls a client that is alone may make in a turn. */
#define CALLS_ALONE 32
/* How long a turn works on calls of clients that have many. */
#define BACKLOG_US 1000
#define ACCEPTS_PER_TURN 16
#define TICK_US 1000000u
/* A client that has not opened its connection for so long gives way to a new one. */
#define GIVE_WAY_US 1000000u

uint64_t rpc_server_now_us(struct rpc_server *srv)
{
	uint64_t now = 0;

	(void)sd_event_now(srv->opt.event, CLOCK_MONOTONIC, &now);	/* cannot fail here */
	return now;
}

/*
 * An event counter among the sessions' sockets stays readable while there is something to do. (A
 * deferred source of sd-event would stand before all others of the daemon's loop for as long as it
 * is on.)
 */
void rpc_server_want_turn(struct rpc_server *srv)
{
	uint64_t one = 1;

	if (!srv->turn_wanted)
		srv->turn_wanted = write(srv->wake_fd, &one, sizeof(one)) == sizeof(one);
}

static void turn_is_over(struct rpc_server *srv)
{
	uint64_t count;

	if (srv->turn_wanted && TAILQ_EMPTY(&srv->backlog) && TAILQ_EMPTY(&srv->dead))
		srv->turn_wanted = read(srv->wake_fd, &count, sizeof(count)) != sizeof(count);
}

static void reap(struct rpc_server *srv)
{
	struct rpc_session *s;

	while ((s = TAILQ_FIRST(&srv->dead))) {
		TAILQ_REMOVE(&srv->dead, s, entry);
		if (srv->opt.session_closed)
			srv->opt.session_closed(srv->opt.context, s);
		rpc_session_free(s);
	}
}

static uint64_t clock_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void work_on_backlog(struct rpc_server *srv)
{
	uint64_t end_us = clock_us() + BACKLOG_US;
	struct rpc_session *s;

	while ((s = TAILQ_FIRST(&srv->backlog))) {
		TAILQ_REMOVE(&srv->backlog, s, backlog_entry);
		s->in_backlog = false;
		rpc_session_work(s, 1);		/* goes to the end of the line if it has more */
		if (clock_us() >= end_us)
			return;
	}
}

static void turn(struct rpc_server *srv)
{
	struct epoll_event events[EVENTS_PER_TURN];
	int n = epoll_wait(srv->epoll_fd, events, EVENTS_PER_TURN, 0);
	unsigned budget = n == 1 ? CALLS_ALONE : 1;

	for (int i = 0; i < n; i++) {
		struct rpc_session *s = events[i].data.ptr;

		if (s && !s->dead)
			rpc_session_handle_events(s, events[i].events, budget);
	}
	work_on_backlog(srv);
	reap(srv);
	turn_is_over(srv);
}

static int handle_io(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	turn(arg);
	return 0;
}

static int handle_tick(sd_event_source *source, uint64_t usec, void *arg)
{
	struct rpc_server *srv = arg;
	uint64_t now = rpc_server_now_us(srv);
	struct rpc_session *s, *next;
	bool again = false;

	for (s = TAILQ_FIRST(&srv->sessions); s; s = next) {
		next = TAILQ_NEXT(s, entry);
		again |= rpc_session_tick(s, now);
	}
	srv->tick_on = false;
	if (again)
		rpc_server_want_tick(srv);
	rpc_server_accept_again(srv);
	return 0;
}

void rpc_server_want_tick(struct rpc_server *srv)
{
	if (srv->tick_on)
		return;
	srv->tick_on = true;
	(void)sd_event_source_set_time(srv->tick, rpc_server_now_us(srv) + TICK_US);
	(void)sd_event_source_set_enabled(srv->tick, SD_EVENT_ONESHOT);
}

static int watch(struct rpc_server *srv)
{
	struct epoll_event wake = { .events = EPOLLIN };
	int r;

	srv->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	srv->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (srv->epoll_fd < 0 || srv->wake_fd < 0 ||
	    epoll_ctl(srv->epoll_fd, EPOLL_CTL_ADD, srv->wake_fd, &wake) < 0)
		return -errno;
	r = sd_event_add_io(srv->opt.event, &srv->io, srv->epoll_fd, EPOLLIN, handle_io, srv);
	if (r >= 0)
		r = sd_event_add_time(srv->opt.event, &srv->tick, CLOCK_MONOTONIC, 0, TICK_US / 10,
				      handle_tick, srv);
	if (r >= 0)
		r = sd_event_source_set_enabled(srv->tick, SD_EVENT_OFF);
	return r;
}

int rpc_server_new(const struct rpc_server_options *opt, struct rpc_server **out,
		   struct nd_error *err)
{
	struct rpc_server *srv = calloc(1, sizeof(*srv));
	int r;

	if (!srv)
		return nd_error_nomem(err);
	srv->opt = *opt;
	TAILQ_INIT(&srv->listeners);
	TAILQ_INIT(&srv->sessions);
	TAILQ_INIT(&srv->backlog);
	TAILQ_INIT(&srv->dead);
	srv->scratch = malloc(RPC_SCRATCH_SIZE);
	srv->epoll_fd = srv->wake_fd = -1;
	r = srv->scratch ? watch(srv) : -ENOMEM;
	if (r < 0) {
		rpc_server_free(srv);
		return nd_error_sys(err, -r, "cannot watch clients");
	}
	*out = srv;
	return 0;
}

static void listener_free(struct rpc_listener *l)
{
	sd_event_source_disable_unref(l->source);
	if (l->fd >= 0)
		close(l->fd);
	free(l);
}

void rpc_server_free(struct rpc_server *srv)
{
	struct rpc_listener *l;
	struct rpc_session *s;

	if (!srv)
		return;
	while ((l = TAILQ_FIRST(&srv->listeners))) {
		TAILQ_REMOVE(&srv->listeners, l, entry);
		listener_free(l);
	}
	while ((s = TAILQ_FIRST(&srv->sessions)))
		rpc_session_kill(s, "the daemon stops");
	reap(srv);
	sd_event_source_disable_unref(srv->io);
	sd_event_source_disable_unref(srv->tick);
	if (srv->epoll_fd >= 0)
		close(srv->epoll_fd);
	if (srv->wake_fd >= 0)
		close(srv->wake_fd);
	rpc_buffer_free(&srv->encode);
	free(srv->scratch);
	free(srv);
}

/* Who may come in */

static bool in_group(int fd, gid_t primary, gid_t group)
{
	gid_t groups[256];
	socklen_t len = sizeof(groups);

	if (primary == group)
		return true;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) < 0)
		return false;
	for (size_t i = 0; i < len / sizeof(groups[0]); i++)
		if (groups[i] == group)
			return true;
	return false;
}

bool rpc_session_in_group(const struct rpc_session *s, gid_t group)
{
	return in_group(s->fd, s->gid, group);
}

static void credentials_take(struct rpc_session *s, gid_t group_gid)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	s->refused = group_gid != (gid_t)-1;
	if (getsockopt(s->fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0) {
		s->uid = cred.uid;
		s->gid = cred.gid;
		s->pid = cred.pid;
		if (cred.uid == 0 || cred.uid == geteuid() ||
		    in_group(s->fd, cred.gid, group_gid))
			s->refused = false;
	}
	s->authenticated = !s->refused;
}

int rpc_server_adopt(struct rpc_server *srv, int fd, bool read_only, gid_t group_gid,
		     struct nd_error *err)
{
	struct rpc_session *s = rpc_session_new(srv, fd, read_only);

	if (!s) {
		close(fd);
		return nd_error_nomem(err);
	}
	credentials_take(s, group_gid);
	if (s->authenticated && srv->opt.needs_auth)
		s->authenticated = !srv->opt.needs_auth(srv->opt.context, s);
	return 0;
}

/* Ends the oldest session that has not been opened, when that is old enough. */
static bool make_room(struct rpc_server *srv)
{
	uint64_t now = rpc_server_now_us(srv);
	struct rpc_session *s;

	TAILQ_FOREACH(s, &srv->sessions, entry) {
		if (s->open)
			continue;
		if (now - s->born_us < GIVE_WAY_US)
			return false;
		rpc_session_kill(s, "it was not opened and gives way to another");
		return true;
	}
	return false;
}

/* One session in eight is kept for the read-write socket. */
static bool has_room(struct rpc_server *srv, const struct rpc_listener *l)
{
	unsigned max = srv->opt.max_sessions;

	if (l->read_only)
		max -= max / 8;
	if (srv->n_sessions >= max)
		return false;
	return srv->n_waiting < srv->opt.max_unauthenticated || make_room(srv);
}

static void accept_pause(struct rpc_server *srv, struct rpc_listener *l)
{
	srv->accept_paused = true;
	(void)sd_event_source_set_enabled(l->source, SD_EVENT_OFF);
	rpc_server_want_tick(srv);	/* room may come with time */
}

void rpc_server_accept_again(struct rpc_server *srv)
{
	struct rpc_listener *l;

	if (!srv->accept_paused)
		return;
	srv->accept_paused = false;
	TAILQ_FOREACH(l, &srv->listeners, entry)
		(void)sd_event_source_set_enabled(l->source, SD_EVENT_ON);
}

static int handle_accept(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	struct rpc_listener *l = arg;

	for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
		struct nd_error err = { 0 };
		int client;

		if (!has_room(l->server, l)) {
			accept_pause(l->server, l);
			break;
		}
		client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (client < 0) {
			if (errno == EMFILE || errno == ENFILE || errno == ENOMEM)
				accept_pause(l->server, l);
			break;
		}
		if (rpc_server_adopt(l->server, client, l->read_only, l->group_gid, &err) < 0)
			nd_log(LOG_WARNING, NULL, "a client was turned away: %s", err.text);
	}
	return 0;
}

int rpc_server_listen(struct rpc_server *srv, int fd, bool read_only, gid_t group_gid,
		      struct nd_error *err)
{
	struct rpc_listener *l = calloc(1, sizeof(*l));
	int r;

	if (!l) {
		close(fd);
		return nd_error_nomem(err);
	}
	*l = (struct rpc_listener){
		.server = srv, .fd = fd, .read_only = read_only, .group_gid = group_gid,
	};
	/* One that systemd passes blocks, and accepting takes all that wait and one more. */
	if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0) {
		r = -errno;
		listener_free(l);
		return nd_error_sys(err, -r, "cannot use the socket for clients");
	}
	r = sd_event_add_io(srv->opt.event, &l->source, fd, EPOLLIN, handle_accept, l);
	if (r < 0) {
		listener_free(l);
		return nd_error_sys(err, -r, "cannot watch the socket for clients");
	}
	TAILQ_INSERT_TAIL(&srv->listeners, l, entry);
	return 0;
}

/* What handlers ask and tell */

bool rpc_session_read_only(const struct rpc_session *s)
{
	return s->read_only;
}

void rpc_session_set_read_only(struct rpc_session *s)
{
	s->read_only = true;
}

bool rpc_session_is_authenticated(const struct rpc_session *s)
{
	return s->authenticated;
}

void rpc_session_set_authenticated(struct rpc_session *s)
{
	s->authenticated = true;
}

bool rpc_session_is_open(const struct rpc_session *s)
{
	return s->open;
}

void rpc_session_set_open(struct rpc_session *s, bool open)
{
	if (s->open == open || s->dead)
		return;
	s->open = open;
	s->server->n_waiting += open ? -1 : 1;
	rpc_server_accept_again(s->server);
}

void rpc_session_close_after_reply(struct rpc_session *s)
{
	s->closing = true;
}

void rpc_session_start_keepalive(struct rpc_session *s)
{
	s->keepalive = true;
	rpc_server_want_tick(s->server);
}

uid_t rpc_session_uid(const struct rpc_session *s)
{
	return s->uid;
}

gid_t rpc_session_gid(const struct rpc_session *s)
{
	return s->gid;
}

pid_t rpc_session_pid(const struct rpc_session *s)
{
	return s->pid;
}

/* Linux 6.5; the C library's headers may be older. */
#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

int rpc_session_peer_pidfd(const struct rpc_session *s)
{
	int fd = -1;
	socklen_t len = sizeof(fd);

	return getsockopt(s->fd, SOL_SOCKET, SO_PEERPIDFD, &fd, &len) == 0 ? fd : -1;
}

void *rpc_session_data(const struct rpc_session *s)
{
	return s->data;
}

void rpc_session_set_data(struct rpc_session *s, void *data)
{
	s->data = data;
}

void rpc_session_send_event(struct rpc_session *s, uint32_t program, int32_t proc,
			    xdrproc_t xdr, void *payload)
{
	struct rpc_header h = {
		.program = program, .version = 1, .proc = proc, .type = LV_MESSAGE,
		.serial = 1, .status = LV_OK,
	};

	if (s->dead || s->closing)
		return;
	if (s->out_bytes > RPC_OUT_EVENT_MAX) {
		rpc_session_kill(s, "it is too slow for its events");
		return;
	}
	if (rpc_message_encode(&s->server->encode, &h, 0, xdr, payload) < 0) {
		nd_log(LOG_ERR, NULL, "event %d cannot be encoded", (int)proc);
		return;
	}
	rpc_session_queue(s, NULL, 0);
	rpc_session_continue(s);
}

int rpc_server_each_session(struct rpc_server *srv,
			    int (*each)(struct rpc_session *s, void *arg), void *arg)
{
	struct rpc_session *s, *next;
	int r = 0;

	for (s = TAILQ_FIRST(&srv->sessions); s && r == 0; s = next) {
		next = TAILQ_NEXT(s, entry);	/* each() may end its session */
		r = each(s, arg);
	}
	return r;
}
