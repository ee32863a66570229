/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/rpc/session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "netd/base/auto.h"
#include "netd/base/log.h"
#include "netd/rpc/protocol.h"

struct rpc_out {
	STAILQ_ENTRY(rpc_out) entry;
	size_t len, sent;
	unsigned n_fds, fds_sent;
	int fds[RPC_FDS_MAX];
	uint8_t bytes[];
};

/* Before CONNECT_OPEN nothing long is said; a read-only client sends names and small documents. */
#define MESSAGE_MAX_WAITING 16384u
#define MESSAGE_MAX_READ_ONLY (256u * 1024)

static uint32_t message_max(const struct rpc_session *s)
{
	uint32_t most = s->server->opt.max_message_bytes ? s->server->opt.max_message_bytes
							 : RPC_MESSAGE_MAX;
	uint32_t wanted = !s->open ? MESSAGE_MAX_WAITING :
			  s->read_only ? MESSAGE_MAX_READ_ONLY : RPC_MESSAGE_MAX;

	return wanted < most ? wanted : most;
}

/* The length of the message that starts there, 0 when not even that has arrived. */
static uint32_t head_len(const struct rpc_session *s, size_t at)
{
	const uint8_t *p;

	if (s->in_len - at < 4)
		return 0;
	p = s->in + at;
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static bool head_complete(const struct rpc_session *s, size_t at)
{
	uint32_t len = head_len(s, at);

	return len && s->in_len - at >= len;
}

static bool may_work(const struct rpc_session *s)
{
	return !s->dead && !s->closing && s->n_calls < s->server->opt.max_calls_per_session &&
	       s->out_bytes < RPC_OUT_HIGH;
}

static bool wants_bytes(const struct rpc_session *s)
{
	if (s->dead || s->closing || s->eof || s->out_bytes >= RPC_OUT_HIGH)
		return false;
	return s->in_len - s->in_at < RPC_IN_KEEP || !head_complete(s, s->in_at);
}

static void watch(struct rpc_session *s)
{
	uint32_t interest = 0;
	struct epoll_event ev = { .data.ptr = s };

	if (s->dead)
		return;
	if (wants_bytes(s))
		interest |= EPOLLIN;
	if (!STAILQ_EMPTY(&s->out))
		interest |= EPOLLOUT;
	if (interest == s->interest)
		return;
	ev.events = interest;
	if (epoll_ctl(s->server->epoll_fd, EPOLL_CTL_MOD, s->fd, &ev) < 0) {
		rpc_session_kill(s, "it cannot be watched");
		return;
	}
	s->interest = interest;
}

static void backlog_set(struct rpc_session *s, bool on)
{
	struct rpc_server *srv = s->server;

	if (s->in_backlog == on)
		return;
	s->in_backlog = on;
	if (on)
		TAILQ_INSERT_TAIL(&srv->backlog, s, backlog_entry);
	else
		TAILQ_REMOVE(&srv->backlog, s, backlog_entry);
}

struct rpc_session *rpc_session_new(struct rpc_server *srv, int fd, bool read_only)
{
	struct rpc_session *s = calloc(1, sizeof(*s));
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = s };

	if (!s)
		return NULL;
	if (epoll_ctl(srv->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0) {
		free(s);
		return NULL;
	}
	s->server = srv;
	s->fd = fd;
	s->interest = EPOLLIN;
	s->read_only = read_only;
	s->uid = (uid_t)-1;
	s->gid = (gid_t)-1;
	s->born_us = s->heard_us = s->sent_us = rpc_server_now_us(srv);
	STAILQ_INIT(&s->out);
	TAILQ_INIT(&s->calls);
	TAILQ_INIT(&s->streams);
	TAILQ_INSERT_TAIL(&srv->sessions, s, entry);
	srv->n_sessions++;
	srv->n_waiting++;
	rpc_server_want_tick(srv);
	return s;
}

static void out_free(struct rpc_out *o)
{
	for (unsigned i = o->fds_sent; i < o->n_fds; i++)
		close(o->fds[i]);
	free(o);
}

void rpc_session_kill(struct rpc_session *s, const char *why)
{
	struct rpc_server *srv = s->server;

	if (s->dead)
		return;
	nd_log(LOG_DEBUG, NULL, "client with pid %d, uid %d: connection ends: %s", (int)s->pid,
	       (int)s->uid, why);
	s->dead = true;
	backlog_set(s, false);
	close(s->fd);		/* leaves epoll with it */
	s->fd = -1;
	rpc_calls_detach(s);
	TAILQ_REMOVE(&srv->sessions, s, entry);
	TAILQ_INSERT_TAIL(&srv->dead, s, entry);
	srv->n_sessions--;
	if (!s->open)
		srv->n_waiting--;
	rpc_server_want_turn(srv);
	rpc_server_accept_again(srv);
}

void rpc_session_free(struct rpc_session *s)
{
	struct rpc_out *o;

	rpc_streams_end(s);
	while ((o = STAILQ_FIRST(&s->out))) {
		STAILQ_REMOVE_HEAD(&s->out, entry);
		out_free(o);
	}
	free(s->in);
	free(s);
}

/* Output */

/* One zero byte with one descriptor, as libvirt's client expects after the message. */
static int fd_send(int sock, int fd)
{
	char zero = 0;
	struct iovec iov = { &zero, 1 };
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control.room),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(int));
	return sendmsg(sock, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* 1: gone, 0: the socket is full, -errno. */
static int out_send(struct rpc_session *s, struct rpc_out *o)
{
	while (o->sent < o->len) {
		ssize_t n = send(s->fd, o->bytes + o->sent, o->len - o->sent,
				 MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -errno;
		o->sent += (size_t)n;
		s->out_bytes -= (size_t)n;
		s->sent_us = rpc_server_now_us(s->server);
	}
	while (o->fds_sent < o->n_fds) {
		int r = fd_send(s->fd, o->fds[o->fds_sent]);

		if (r < 0)
			return r == -EAGAIN || r == -EINTR ? 0 : r;
		close(o->fds[o->fds_sent++]);
	}
	return 1;
}

static void flush(struct rpc_session *s)
{
	struct rpc_out *o;

	while (!s->dead && (o = STAILQ_FIRST(&s->out))) {
		int r = out_send(s, o);

		if (r < 0) {
			rpc_session_kill(s, "it does not take replies");
			return;
		}
		if (r == 0)
			break;
		STAILQ_REMOVE_HEAD(&s->out, entry);
		out_free(o);
	}
	if (s->dead)
		return;
	if (s->closing && STAILQ_EMPTY(&s->out) && s->n_calls == 0) {
		rpc_session_kill(s, "closed");
		return;
	}
	if (!STAILQ_EMPTY(&s->out))
		rpc_server_want_tick(s->server);
	if (s->out_bytes < RPC_OUT_HIGH)
		rpc_streams_ready(s);
}

void rpc_session_queue(struct rpc_session *s, const int *fds, unsigned n_fds)
{
	struct rpc_buffer *b = &s->server->encode;
	struct rpc_out *o = s->dead ? NULL : malloc(sizeof(*o) + b->len);

	if (!o) {
		for (unsigned i = 0; i < n_fds; i++)
			close(fds[i]);
		rpc_session_kill(s, "out of memory");
		return;
	}
	if (STAILQ_EMPTY(&s->out))
		s->sent_us = rpc_server_now_us(s->server);
	memset(o, 0, sizeof(*o));
	o->len = b->len;
	memcpy(o->bytes, b->bytes, b->len);
	for (unsigned i = 0; i < n_fds; i++)
		o->fds[o->n_fds++] = fds[i];
	STAILQ_INSERT_TAIL(&s->out, o, entry);
	s->out_bytes += o->len;
	if (b->size > RPC_OUT_EVENT_MAX)
		rpc_buffer_free(b);
}

/* Input */

static void keepalive_send(struct rpc_session *s, int32_t proc)
{
	struct rpc_header h = {
		.program = LV_KEEPALIVE_PROGRAM, .version = LV_KEEPALIVE_VERSION,
		.proc = proc, .type = LV_MESSAGE, .status = LV_OK,
	};

	if (rpc_message_encode(&s->server->encode, &h, 0, NULL, NULL) == 0)
		rpc_session_queue(s, NULL, 0);
}

static bool is_keepalive(const struct rpc_header *h)
{
	return h->program == LV_KEEPALIVE_PROGRAM && h->type == LV_MESSAGE;
}

/* What follows cannot be told apart from here on: calls before it are answered, then the session
 * ends as if the client had closed it. */
static void input_is_bad(struct rpc_session *s)
{
	nd_log(LOG_DEBUG, NULL, "client with pid %d, uid %d: a message's length is out of bounds",
	       (int)s->pid, (int)s->uid);
	s->in_len = s->in_scanned;
	s->eof = true;
}

/* Looks at the messages that became complete: pings are answered even while calls before them
 * wait for their turn. */
static void scan(struct rpc_session *s)
{
	while (!s->dead && s->in_len - s->in_scanned >= 4) {
		uint32_t len = head_len(s, s->in_scanned);
		struct rpc_header h;

		if (len < RPC_HEADER_SIZE || len > message_max(s)) {
			input_is_bad(s);
			return;
		}
		if (s->in_len - s->in_scanned < len)
			return;
		h = rpc_header_decode(s->in + s->in_scanned);
		if (is_keepalive(&h) && h.proc == LV_KEEPALIVE_PING)
			keepalive_send(s, LV_KEEPALIVE_PONG);
		s->in_scanned += len;
	}
}

static bool in_append(struct rpc_session *s, const uint8_t *bytes, size_t n)
{
	if (s->in_at) {
		memmove(s->in, s->in + s->in_at, s->in_len - s->in_at);
		s->in_len -= s->in_at;
		s->in_scanned -= s->in_at;
		s->in_at = 0;
	}
	if (s->in_len + n > s->in_size) {
		size_t size = s->in_len + n > s->in_size * 2 ? s->in_len + n : s->in_size * 2;
		uint8_t *p = realloc(s->in, size);

		if (!p)
			return false;
		s->in = p;
		s->in_size = size;
	}
	memcpy(s->in + s->in_len, bytes, n);
	s->in_len += n;
	return true;
}

static void in_release(struct rpc_session *s)
{
	if (s->in_at < s->in_len)
		return;
	free(s->in);
	s->in = NULL;
	s->in_at = s->in_scanned = s->in_len = s->in_size = 0;
}

static void read_some(struct rpc_session *s)
{
	struct rpc_server *srv = s->server;
	size_t want = head_len(s, s->in_at) > RPC_IN_KEEP ? RPC_SCRATCH_SIZE : RPC_IN_KEEP;
	ssize_t n = recv(s->fd, srv->scratch, want, MSG_DONTWAIT);

	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR)
			rpc_session_kill(s, "reading failed");
		return;
	}
	if (n == 0) {
		s->eof = true;
		return;
	}
	s->heard_us = rpc_server_now_us(srv);
	s->pings = 0;
	if (!in_append(s, srv->scratch, (size_t)n)) {
		rpc_session_kill(s, "out of memory");
		return;
	}
	scan(s);
	if (!s->dead && !head_complete(s, s->in_at))
		rpc_server_want_tick(srv);
}

/* Replies and events from a client have no receiver: dropped, as libvirt does. */
static void take_message(struct rpc_session *s, const struct rpc_header *h, const uint8_t *payload)
{
	if (h->type == LV_CALL)
		rpc_call_take(s, h, payload, h->len - RPC_HEADER_SIZE);
	else if (h->type == LV_STREAM)
		rpc_streams_take(s, h, payload, h->len - RPC_HEADER_SIZE);
	else if (h->type == LV_CALL_WITH_FDS)
		/* Feature 8 is not offered; what follows the message could not be told apart. */
		rpc_session_kill(s, "it passes descriptors");
}

void rpc_session_work(struct rpc_session *s, unsigned budget)
{
	s->in_turn = true;
	while (budget && may_work(s) && s->in_at < s->in_scanned) {
		struct rpc_header h = rpc_header_decode(s->in + s->in_at);
		size_t at = s->in_at;

		/* Moved first: a handler that answers at once may look at the session. */
		s->in_at += h.len;
		if (is_keepalive(&h))
			continue;
		take_message(s, &h, s->in + at + RPC_HEADER_SIZE);
		budget--;
	}
	s->in_turn = false;
	if (!s->dead)
		in_release(s);
	rpc_session_continue(s);
}

void rpc_session_continue(struct rpc_session *s)
{
	bool more;

	if (s->in_turn)
		return;
	flush(s);
	if (s->dead)
		return;
	more = may_work(s) && s->in_at < s->in_scanned;
	if (s->eof && s->in_at == s->in_scanned && !s->closing) {
		/* It may have closed only its sending side, and wait for replies. */
		s->closing = true;
		flush(s);
		if (s->dead)
			return;
	}
	backlog_set(s, more);
	if (more)
		rpc_server_want_turn(s->server);
	watch(s);
}

static bool has_several_calls(const struct rpc_session *s)
{
	size_t first = head_len(s, s->in_at);

	return first && s->in_scanned > s->in_at + first;
}

void rpc_session_handle_events(struct rpc_session *s, uint32_t events, unsigned budget)
{
	if (events & EPOLLIN && wants_bytes(s))
		read_some(s);
	else if (events & (EPOLLHUP | EPOLLERR))
		/* Calls in work go on; nobody waits for their replies. */
		rpc_session_kill(s, "the client is gone");
	if (s->dead)
		return;
	/* With others waiting, one that has several calls takes its turn behind those with one. */
	if (s->in_backlog || (budget == 1 && has_several_calls(s)))
		budget = 0;
	rpc_session_work(s, budget);
}

bool rpc_session_tick(struct rpc_session *s, uint64_t now_us)
{
	uint64_t silent_s = (now_us - s->heard_us) / 1000000;
	bool partial = s->in_len > s->in_scanned;

	if (!s->open && now_us - s->born_us >= s->server->opt.auth_timeout_s * 1000000ull)
		rpc_session_kill(s, "it was not opened in time");
	else if (partial && silent_s >= RPC_STALL_S)
		rpc_session_kill(s, "a message did not arrive in time");
	else if (!STAILQ_EMPTY(&s->out) && (now_us - s->sent_us) / 1000000 >= RPC_STALL_S)
		rpc_session_kill(s, "the client does not read");
	else if (s->keepalive && silent_s >= RPC_KEEPALIVE_INTERVAL_S * (s->pings + 1ull)) {
		if (s->pings >= RPC_KEEPALIVE_COUNT) {
			rpc_session_kill(s, "the client does not answer pings");
			return false;
		}
		s->pings++;
		keepalive_send(s, LV_KEEPALIVE_PING);
		rpc_session_continue(s);
	}
	return !s->dead && (!s->open || partial || !STAILQ_EMPTY(&s->out) || s->keepalive);
}
