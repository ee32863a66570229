/* SPDX-License-Identifier: GPL-2.0-or-later */
/* client.h -- the client side of the RPC: one connection, calls that wait for their reply
 *
 * For netdctl. Events and a stream's bytes that arrive while a call waits go to their handlers;
 * rpc_client_wait() takes those that come in between. Keepalive is answered, and sent while
 * waiting, whoever the daemon is.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "netd/base/auto.h"
#include "netd/rpc/frame.h"

struct rpc_client;

struct rpc_client_options {
	const char *uri;
	bool read_only;
};

/* Called for each event message; payload is valid during the call. */
typedef void (*rpc_event_handler)(void *arg, uint32_t program, int32_t proc,
				  const uint8_t *payload, size_t len);

/* Connects, authenticates and opens. */
int rpc_client_new(const struct rpc_client_options *opt, struct rpc_client **out,
		   struct nd_error *err);
/* Says goodbye and closes; NULL is fine. */
void rpc_client_free(struct rpc_client *c);
ND_DEFINE_AUTO(struct rpc_client *, rpc_client_free)

/* The URI that CONNECT_OPEN was given. Borrowed. */
const char *rpc_client_name(const struct rpc_client *c);
/* False once the connection is broken: every further call fails. */
bool rpc_client_is_alive(const struct rpc_client *c);
void rpc_client_set_events(struct rpc_client *c, rpc_event_handler handle, void *arg);

struct rpc_request {
	uint32_t program;
	int32_t proc;
	xdrproc_t args_xdr;		/* NULL: none */
	void *args;
	xdrproc_t ret_xdr;		/* NULL: none */
	void *ret;			/* zeroed by the call; free with xdr_free() on success */
	int *fds;			/* room for max_fds descriptors that come with the reply */
	unsigned max_fds, n_fds;
};

/* One call. The daemon's error arrives in err with its code; *domain_out (NULL is fine) is 0 for
 * errors that did not come from the daemon. */
int rpc_client_call(struct rpc_client *c, struct rpc_request *rq, int *domain_out,
		    struct nd_error *err);

/* Handles what arrives for up to timeout_ms (-1: for ever). 1: something came, 0: time is over,
 * -EINTR: a signal, others with err: the connection is broken. */
int rpc_client_wait(struct rpc_client *c, int timeout_ms, struct nd_error *err);
/* Becomes readable when rpc_client_wait() has something to do. Borrowed. */
int rpc_client_fd(const struct rpc_client *c);

/*
 * A stream: bytes both ways beside the calls, opened by one of them. A client has one at a time.
 * Both hooks are called from within calls and rpc_client_wait(). After `end` nothing more comes;
 * the stream is still to be finished.
 */
struct rpc_client_stream_hooks {
	void (*data)(void *arg, const uint8_t *bytes, size_t len);
	/* err is NULL when the daemon has no more to send, else why it gave the stream up. */
	void (*end)(void *arg, const struct nd_error *err);
};

/* The call, and the stream with it when it succeeds. hooks are borrowed until it is finished. */
int rpc_client_stream_open(struct rpc_client *c, struct rpc_request *rq,
			   const struct rpc_client_stream_hooks *hooks, void *arg,
			   struct nd_error *err);
/* Waits while the daemon does not read. */
int rpc_client_stream_send(struct rpc_client *c, const void *bytes, size_t len,
			   struct nd_error *err);
/* Says that there is no more to send, drops what still comes, and waits until the daemon has
 * confirmed. Without a stream nothing happens. */
int rpc_client_stream_finish(struct rpc_client *c, struct nd_error *err);
