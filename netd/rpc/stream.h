/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stream.h -- bytes both ways beside the calls of a session, opened by a call
 *
 * The reply of that call comes first. There is no window: what does not fit into the session's
 * queue waits with the sender until `ready`. A stream ends when the client finishes or aborts it,
 * when its session ends, or here; then its owner's pointer is no more.
 */
#pragma once
#include "netd/rpc/server.h"

struct rpc_stream;

/* Called from the server's turn, never from within a call into the stream. */
struct rpc_stream_hooks {
	void (*data)(void *arg, const uint8_t *bytes, size_t len);	/* from the client */
	void (*ready)(void *arg);		/* rpc_stream_may_send() is true again, or still */
	void (*closed)(void *arg);		/* the client, or its session, has ended it */
};

/* In the handler of a call that is about to be answered. hooks are borrowed. */
int rpc_stream_open(struct rpc_call *call, const struct rpc_stream_hooks *hooks, void *arg,
		    struct rpc_stream **out, struct nd_error *err);
bool rpc_stream_may_send(const struct rpc_stream *t);
void rpc_stream_send(struct rpc_stream *t, const void *bytes, size_t len);
/* End of data; what the client still sends is dropped, `closed` is not called. */
void rpc_stream_end(struct rpc_stream *t);
/* The same with an error. */
void rpc_stream_fail(struct rpc_stream *t, const struct nd_error *err);
