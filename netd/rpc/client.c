/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/rpc/client.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "netd/base/cursor.h"
#include "netd/rpc/connect.h"
#include "netd/rpc/protocol.h"
#include "netd/rpc/uri.h"

#define PING_EVERY_MS 5000
#define PINGS_MAX 6
/* How long the daemon may take to answer CONNECT_CLOSE. */
#define GOODBYE_MS 2000

/* Of the call that opened it; hooks are NULL once its user hears no more. */
struct client_stream {
	bool open;
	struct rpc_header call;
	const struct rpc_client_stream_hooks *hooks;
	void *arg;
};

struct rpc_client {
	struct rpc_uri uri;
	struct rpc_connection conn;
	bool broken;
	uint32_t serial;
	uint8_t *in;
	size_t in_len, in_size;
	struct rpc_buffer encode;
	rpc_event_handler handle_event;
	void *event_arg;
	struct client_stream stream;
	int64_t heard_ms;
	unsigned pings;
};

/* The call that is waited for, and its reply. */
struct waiting {
	struct rpc_header call;
	bool done;
	struct rpc_header reply;
	uint8_t *payload;		/* owned */
};

static bool same_call(const struct rpc_header *a, const struct rpc_header *b)
{
	return a->serial == b->serial && a->program == b->program && a->proc == b->proc;
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int broken(struct rpc_client *c, struct nd_error *err, int code, const char *what)
{
	c->broken = true;
	return nd_error_sys(err, code, "the connection to the daemon is broken: %s", what);
}

static int send_all(struct rpc_client *c, const uint8_t *bytes, size_t len, struct nd_error *err)
{
	while (len) {
		ssize_t n = send(c->conn.fd, bytes, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return broken(c, err, errno, "sending failed");
		bytes += n;
		len -= (size_t)n;
	}
	return 0;
}

static int send_keepalive(struct rpc_client *c, int32_t proc, struct nd_error *err)
{
	struct rpc_header h = {
		.len = RPC_HEADER_SIZE, .program = LV_KEEPALIVE_PROGRAM,
		.version = LV_KEEPALIVE_VERSION, .proc = proc, .type = LV_MESSAGE,
	};
	uint8_t bytes[RPC_HEADER_SIZE];

	rpc_header_encode(&h, bytes);
	return send_all(c, bytes, sizeof(bytes), err);
}

static void stream_end(struct client_stream *t, const struct nd_error *err)
{
	const struct rpc_client_stream_hooks *hooks = t->hooks;

	t->hooks = NULL;
	if (hooks)
		hooks->end(t->arg, err);
}

/* One packet; what comes late for a stream that is gone is dropped. */
static void stream_take(struct client_stream *t, const struct rpc_header *h,
			const uint8_t *payload, size_t len)
{
	struct nd_error err = { 0 };

	if (!t->open || !same_call(h, &t->call))
		return;
	if (h->status == LV_CONTINUE && len) {
		if (t->hooks)
			t->hooks->data(t->arg, payload, len);
		return;
	}
	t->open = h->status == LV_CONTINUE;
	if (h->status == LV_ERROR)
		rpc_error_decode(payload, len, &err, NULL);
	stream_end(t, h->status == LV_ERROR ? &err : NULL);
}

/* Hands one whole message to whom it is for. */
static int message_take(struct rpc_client *c, struct waiting *w, const struct rpc_header *h,
			const uint8_t *payload, struct nd_error *err)
{
	size_t len = h->len - RPC_HEADER_SIZE;

	if (h->program == LV_KEEPALIVE_PROGRAM)
		return h->proc == LV_KEEPALIVE_PING ? send_keepalive(c, LV_KEEPALIVE_PONG, err) : 0;
	if (h->type == LV_MESSAGE) {
		if (c->handle_event)
			c->handle_event(c->event_arg, h->program, h->proc, payload, len);
		return 0;
	}
	if (h->type == LV_STREAM)
		stream_take(&c->stream, h, payload, len);
	if (h->type != LV_REPLY && h->type != LV_REPLY_WITH_FDS)
		return 0;
	if (!w || w->done || !same_call(h, &w->call))
		return broken(c, err, EPROTO, "a reply came that belongs to no call");
	w->payload = malloc(len + 1);
	if (!w->payload)
		return nd_error_nomem(err);
	memcpy(w->payload, payload, len);
	w->reply = *h;
	w->done = true;
	return 0;
}

/*
 * Handles the whole messages in the buffer. Stops behind the reply that is waited for, and before
 * the bytes that carry its descriptors.
 */
static int messages_take(struct rpc_client *c, struct waiting *w, struct nd_error *err)
{
	size_t at = 0;
	int r = 0;

	while (r == 0 && c->in_len - at >= RPC_HEADER_SIZE && !(w && w->done)) {
		struct rpc_header h = rpc_header_decode(c->in + at);

		if (h.len < RPC_HEADER_SIZE || h.len > RPC_MESSAGE_MAX)
			return broken(c, err, EPROTO, "a message's length is out of bounds");
		if (c->in_len - at < h.len)
			break;
		r = message_take(c, w, &h, c->in + at + RPC_HEADER_SIZE, err);
		at += h.len;
	}
	memmove(c->in, c->in + at, c->in_len - at);
	c->in_len -= at;
	return r;
}

/* How many bytes may be read: never beyond the current message, since descriptors travel with
 * the bytes that follow it. */
static size_t bytes_wanted(const struct rpc_client *c)
{
	if (c->in_len < RPC_HEADER_SIZE)
		return RPC_HEADER_SIZE - c->in_len;
	return rpc_header_decode(c->in).len - c->in_len;
}

static int read_some(struct rpc_client *c, struct nd_error *err)
{
	size_t want = bytes_wanted(c);
	ssize_t n;

	if (c->in_len + want > c->in_size) {
		uint8_t *p = realloc(c->in, c->in_len + want);

		if (!p)
			return nd_error_nomem(err);
		c->in = p;
		c->in_size = c->in_len + want;
	}
	n = recv(c->conn.fd, c->in + c->in_len, want, MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : broken(c, err, errno, "reading failed");
	if (n == 0)
		return broken(c, err, EPIPE, "the daemon closed it");
	c->in_len += (size_t)n;
	c->heard_ms = now_ms();
	c->pings = 0;
	return 0;
}

static int ping_when_due(struct rpc_client *c, struct nd_error *err)
{
	if (now_ms() - c->heard_ms < PING_EVERY_MS * (int64_t)(c->pings + 1))
		return 0;
	if (c->pings == PINGS_MAX)
		return broken(c, err, ETIMEDOUT, "the daemon does not answer");
	c->pings++;
	return send_keepalive(c, LV_KEEPALIVE_PING, err);
}

/* Waits until bytes are there, or until deadline_ms (-1: none): 1, 0, -EINTR. */
static int wait_readable(struct rpc_client *c, int64_t deadline_ms, struct nd_error *err)
{
	struct pollfd p = { .fd = c->conn.fd, .events = POLLIN };

	for (;;) {
		int64_t left = deadline_ms < 0 ? PING_EVERY_MS : deadline_ms - now_ms();
		int r;

		if (left < 0)
			left = 0;
		r = poll(&p, 1, (int)(left < PING_EVERY_MS ? left : PING_EVERY_MS));
		if (r != 0)
			return r < 0 ? -errno : 1;
		r = ping_when_due(c, err);
		if (r < 0)
			return r;
		if (deadline_ms >= 0 && now_ms() >= deadline_ms)
			return 0;
	}
}

static int closed(struct nd_error *err)
{
	return nd_error_set(err, ND_ERR_INTERNAL, "client socket is closed");
}

/* The same, and handles what has come. What broke the connection may still be in the buffer, and
 * is not looked at again. */
static int take_some(struct rpc_client *c, struct waiting *w, int64_t deadline_ms,
		     struct nd_error *err)
{
	int r = c->broken ? closed(err) : wait_readable(c, deadline_ms, err);

	if (r <= 0)
		return r;
	r = read_some(c, err);
	if (r == 0)
		r = messages_take(c, w, err);
	return r < 0 ? r : 1;
}

/* Descriptors come one by one, each with a zero byte. */
static int fd_receive(struct rpc_client *c, struct nd_error *err)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	char zero;
	struct iovec iov = { &zero, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *head;
	ssize_t n;
	int fd;

	do {
		n = recvmsg(c->conn.fd, &msg, MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n <= 0)
		return broken(c, err, n < 0 ? errno : EPIPE, "no descriptor came");
	head = CMSG_FIRSTHDR(&msg);
	if (!head || head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS ||
	    head->cmsg_len != CMSG_LEN(sizeof(int)))
		return broken(c, err, EPROTO, "a descriptor is missing");
	memcpy(&fd, CMSG_DATA(head), sizeof(fd));
	return fd;
}

static int fds_receive(struct rpc_client *c, unsigned n, struct rpc_request *rq,
		       struct nd_error *err)
{
	rq->n_fds = 0;
	for (unsigned i = 0; i < n; i++) {
		int fd = fd_receive(c, err);

		if (fd < 0) {
			while (rq->n_fds)
				close(rq->fds[--rq->n_fds]);
			return fd;
		}
		if (rq->n_fds < rq->max_fds)
			rq->fds[rq->n_fds++] = fd;
		else
			close(fd);
	}
	return 0;
}

static int reply_decode(struct rpc_client *c, const struct waiting *w, struct rpc_request *rq,
			int *domain_out, struct nd_error *err)
{
	struct rd r = rd_init(w->payload, w->reply.len - RPC_HEADER_SIZE);
	uint32_t n_fds = w->reply.type == LV_REPLY_WITH_FDS ? rd_u32(&r) : 0;
	int result;

	if (r.bad || n_fds > RPC_FDS_MAX)
		return broken(c, err, EPROTO, "a reply has too many descriptors");
	result = n_fds ? fds_receive(c, n_fds, rq, err) : 0;
	if (result < 0)
		return result;
	if (w->reply.status != LV_OK) {
		rpc_error_decode(r.at, rd_left(&r), err, domain_out);
		return -(err->code ? err->code : EINVAL);
	}
	if (rq->ret_xdr && !rpc_payload_decode(r.at, rd_left(&r), rq->ret_xdr, rq->ret))
		return broken(c, err, EPROTO, "a reply cannot be decoded");
	return 0;
}

static int reply_wait(struct rpc_client *c, struct waiting *w, int64_t deadline_ms,
		      struct nd_error *err)
{
	while (!w->done) {
		int r = take_some(c, w, deadline_ms, err);

		if (r == 0)
			return broken(c, err, ETIMEDOUT, "no reply came");
		if (r < 0 && r != -EINTR)	/* the daemon has the call: there is no taking it back */
			return r;
	}
	return 0;
}

static int call(struct rpc_client *c, struct rpc_request *rq, int64_t deadline_ms,
		int *domain_out, struct nd_error *err)
{
	struct waiting w = { .call = {
		.program = rq->program, .version = 1, .proc = rq->proc, .type = LV_CALL,
		.serial = c->serial++,
	} };
	int r;

	if (c->broken)
		return closed(err);
	r = rpc_message_encode(&c->encode, &w.call, 0, rq->args_xdr, rq->args);
	if (r == -EMSGSIZE)
		return nd_error_set(err, ND_ERR_INVALID_ARG,
				    "an argument is longer than the protocol allows");
	if (r < 0)
		return nd_error_nomem(err);
	c->heard_ms = now_ms();
	c->pings = 0;
	r = send_all(c, c->encode.bytes, c->encode.len, err);
	if (r == 0)
		r = reply_wait(c, &w, deadline_ms, err);
	if (r == 0)
		r = reply_decode(c, &w, rq, domain_out, err);
	free(w.payload);
	return r;
}

int rpc_client_call(struct rpc_client *c, struct rpc_request *rq, int *domain_out,
		    struct nd_error *err)
{
	struct nd_error own = { 0 };

	if (domain_out)
		*domain_out = 0;
	return call(c, rq, -1, domain_out, err ? err : &own);
}

int rpc_client_wait(struct rpc_client *c, int timeout_ms, struct nd_error *err)
{
	return take_some(c, NULL, timeout_ms < 0 ? -1 : now_ms() + timeout_ms, err);
}

int rpc_client_fd(const struct rpc_client *c)
{
	return c->conn.fd;
}

/* Streams */

int rpc_client_stream_open(struct rpc_client *c, struct rpc_request *rq,
			   const struct rpc_client_stream_hooks *hooks, void *arg,
			   struct nd_error *err)
{
	int r;

	if (c->stream.open)
		return nd_error_set(err, ND_ERR_OPERATION_FAILED,
				    "this connection has a stream open already");
	/* Before the reply: what follows it at once is the stream's already. */
	c->stream = (struct client_stream){
		.open = true, .hooks = hooks, .arg = arg,
		.call = { .program = rq->program, .proc = rq->proc, .serial = c->serial },
	};
	r = rpc_client_call(c, rq, NULL, err);
	if (r < 0)
		c->stream = (struct client_stream){ 0 };
	return r;
}

static int stream_packet(struct rpc_client *c, enum lv_message_status status, const void *bytes,
			 size_t len, struct nd_error *err)
{
	struct rpc_header h = c->stream.call;

	if (c->broken)
		return closed(err);
	h.version = LV_VERSION;
	h.type = LV_STREAM;
	h.status = status;
	if (rpc_raw_encode(&c->encode, &h, bytes, len) < 0)
		return nd_error_nomem(err);
	return send_all(c, c->encode.bytes, c->encode.len, err);
}

int rpc_client_stream_send(struct rpc_client *c, const void *bytes, size_t len,
			   struct nd_error *err)
{
	if (!c->stream.open)
		return nd_error_set(err, ND_ERR_OPERATION_INVALID, "the stream is closed");
	return stream_packet(c, LV_CONTINUE, bytes, len, err);
}

int rpc_client_stream_finish(struct rpc_client *c, struct nd_error *err)
{
	int64_t deadline_ms = now_ms() + GOODBYE_MS;
	int r;

	if (!c->stream.open)
		return 0;
	c->stream.hooks = NULL;
	r = stream_packet(c, LV_OK, NULL, 0, err);
	while (r >= 0 && c->stream.open) {
		r = take_some(c, NULL, deadline_ms, err);
		if (r == 0)
			return broken(c, err, ETIMEDOUT, "the end of a stream is not confirmed");
		if (r == -EINTR)
			r = 0;
	}
	c->stream.open = false;
	return r < 0 ? r : 0;
}

/* Opening */

static int authenticate(struct rpc_client *c, struct nd_error *err)
{
	struct lv_auth_list_ret types = { 0 };
	struct lv_int_ret complete = { 0 };
	struct rpc_request list = {
		.program = LV_PROGRAM, .proc = LV_PROC_AUTH_LIST,
		.ret_xdr = (xdrproc_t)xdr_lv_auth_list_ret, .ret = &types,
	};
	struct rpc_request polkit = {
		.program = LV_PROGRAM, .proc = LV_PROC_AUTH_POLKIT,
		.ret_xdr = (xdrproc_t)xdr_lv_int_ret, .ret = &complete,
	};
	lv_auth_type type;
	int r = rpc_client_call(c, &list, NULL, err);

	if (r < 0)
		return r;
	type = types.types.types_len ? types.types.types_val[0] : LV_AUTH_NONE;
	xdr_free((xdrproc_t)xdr_lv_auth_list_ret, &types);
	if (type == LV_AUTH_SASL)
		return nd_error_set(err, ND_ERR_AUTH_FAILED,
				    "the daemon asks for SASL, which is not supported");
	return type == LV_AUTH_POLKIT ? rpc_client_call(c, &polkit, NULL, err) : 0;
}

static int open_session(struct rpc_client *c, bool read_only, struct nd_error *err)
{
	struct lv_connect_open_args args = { .name = &c->uri.name, .flags = read_only };
	struct rpc_request rq = {
		.program = LV_PROGRAM, .proc = LV_PROC_CONNECT_OPEN,
		.args_xdr = (xdrproc_t)xdr_lv_connect_open_args, .args = &args,
	};
	int r = authenticate(c, err);

	return r < 0 ? r : rpc_client_call(c, &rq, NULL, err);
}

int rpc_client_new(const struct rpc_client_options *opt, struct rpc_client **out,
		   struct nd_error *err)
{
	ND_AUTO(rpc_client_free) struct rpc_client *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return nd_error_nomem(err);
	c->conn.fd = -1;
	c->broken = true;
	r = rpc_uri_parse(opt->uri, &c->uri, err);
	if (r == 0)
		r = rpc_connect(&c->uri, opt->read_only, &c->conn, err);
	if (r < 0)
		return r;
	c->broken = false;
	r = open_session(c, opt->read_only, err);
	if (r < 0) {
		c->broken = true;
		return r;
	}
	*out = nd_take_ptr(&c);
	return 0;
}

static void goodbye(struct rpc_client *c)
{
	struct rpc_request rq = { .program = LV_PROGRAM, .proc = LV_PROC_CONNECT_CLOSE };
	struct nd_error err = { 0 };

	/* The connection ends whatever the answer. */
	(void)call(c, &rq, now_ms() + GOODBYE_MS, NULL, &err);
}

void rpc_client_free(struct rpc_client *c)
{
	if (!c)
		return;
	if (!c->broken)
		goodbye(c);
	rpc_connection_close(&c->conn);
	rpc_uri_fini(&c->uri);
	rpc_buffer_free(&c->encode);
	free(c->in);
	free(c);
}

const char *rpc_client_name(const struct rpc_client *c)
{
	return c->uri.name;
}

bool rpc_client_is_alive(const struct rpc_client *c)
{
	return !c->broken;
}

void rpc_client_set_events(struct rpc_client *c, rpc_event_handler handle, void *arg)
{
	c->handle_event = handle;
	c->event_arg = arg;
}
