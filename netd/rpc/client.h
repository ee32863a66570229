/* SPDX-License-Identifier: GPL-2.0-or-later */
/* client.h -- the client side of the RPC: one connection, calls that wait for their reply
 *
 * For netdctl. Events that arrive while a call waits go to the handler; rpc_client_wait() takes
 * those that come in between. Keepalive is answered, and sent while waiting, whoever the daemon is.
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
