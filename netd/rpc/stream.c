/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/rpc/stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "netd/rpc/protocol.h"
#include "netd/rpc/session.h"

/* What one session may have open. */
#define STREAMS_MAX 64
/* As libvirt's daemon: no client has to take more at a time. */
#define CHUNK_MAX 262120u

struct rpc_stream {
	TAILQ_ENTRY(rpc_stream) entry;
	struct rpc_session *session;
	struct rpc_header header;	/* of the call that opened it */
	const struct rpc_stream_hooks *hooks;	/* NULL: its owner has ended it */
	void *arg;
};

int rpc_stream_open(struct rpc_call *call, const struct rpc_stream_hooks *hooks, void *arg,
		    struct rpc_stream **out, struct nd_error *err)
{
	struct rpc_session *s = rpc_call_session(call);
	struct rpc_stream *t;
	unsigned n = 0;

	TAILQ_FOREACH(t, &s->streams, entry)
		n++;
	if (n >= STREAMS_MAX)
		return nd_error_set(err, ND_ERR_OPERATION_FAILED,
				    "this connection has %d streams open already", STREAMS_MAX);
	t = calloc(1, sizeof(*t));
	if (!t)
		return nd_error_nomem(err);
	t->session = s;
	t->header = *rpc_call_header(call);
	t->hooks = hooks;
	t->arg = arg;
	TAILQ_INSERT_TAIL(&s->streams, t, entry);
	*out = t;
	return 0;
}

static void stream_free(struct rpc_stream *t)
{
	TAILQ_REMOVE(&t->session->streams, t, entry);
	free(t);
}

/* One packet of raw bytes. */
static void send_packet(struct rpc_stream *t, enum lv_message_status status, const void *bytes,
			size_t len)
{
	struct rpc_buffer *b = &t->session->server->encode;
	struct rpc_header h = t->header;

	if (t->session->dead)
		return;
	h.type = LV_STREAM;
	h.status = status;
	if (rpc_raw_encode(b, &h, bytes, len) < 0)
		rpc_session_kill(t->session, "out of memory");
	else
		rpc_session_queue(t->session, NULL, 0);
}

bool rpc_stream_may_send(const struct rpc_stream *t)
{
	return !t->session->dead && t->session->out_bytes < RPC_OUT_HIGH;
}

void rpc_stream_send(struct rpc_stream *t, const void *bytes, size_t len)
{
	const uint8_t *at = bytes;

	while (len) {
		size_t n = len < CHUNK_MAX ? len : CHUNK_MAX;

		send_packet(t, LV_CONTINUE, at, n);
		at += n;
		len -= n;
	}
	rpc_session_continue(t->session);
}

/* The client answers the end of data with its own; until then the stream is only a place for that. */
void rpc_stream_end(struct rpc_stream *t)
{
	t->hooks = NULL;
	send_packet(t, LV_CONTINUE, NULL, 0);
	rpc_session_continue(t->session);
}

void rpc_stream_fail(struct rpc_stream *t, const struct nd_error *err)
{
	struct rpc_session *s = t->session;
	struct rpc_header h = t->header;

	stream_free(t);
	if (s->dead)
		return;
	h.type = LV_STREAM;
	if (rpc_error_encode(&s->server->encode, &h, err, RPC_DOMAIN_DOMAIN) < 0)
		rpc_session_kill(s, "out of memory");
	else
		rpc_session_queue(s, NULL, 0);
	rpc_session_continue(s);
}

/* ---- for the session ---- */

static void closed(struct rpc_stream *t)
{
	const struct rpc_stream_hooks *hooks = t->hooks;
	void *arg = t->arg;

	stream_free(t);
	if (hooks)
		hooks->closed(arg);
}

void rpc_streams_take(struct rpc_session *s, const struct rpc_header *h, const uint8_t *payload,
		      size_t len)
{
	struct rpc_stream *t;

	TAILQ_FOREACH(t, &s->streams, entry)
		if (t->header.program == h->program && t->header.proc == h->proc &&
		    t->header.serial == h->serial)
			break;
	if (!t)
		return;		/* late, for one that is gone */
	if (h->status == LV_CONTINUE) {
		if (t->hooks && len)
			t->hooks->data(t->arg, payload, len);
		return;
	}
	/* Finished or aborted: both are confirmed the same way. */
	send_packet(t, LV_OK, NULL, 0);
	closed(t);
}

void rpc_streams_ready(struct rpc_session *s)
{
	struct rpc_stream *t;

	TAILQ_FOREACH(t, &s->streams, entry)
		if (t->hooks)
			t->hooks->ready(t->arg);
}

void rpc_streams_end(struct rpc_session *s)
{
	struct rpc_stream *t;

	while ((t = TAILQ_FIRST(&s->streams)))
		closed(t);
}
