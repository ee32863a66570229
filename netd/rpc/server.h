/* SPDX-License-Identifier: GPL-2.0-or-later */
/* server.h -- the server side of libvirt's RPC: framing, sessions, dispatch by table
 *
 * Adding a call is a row in a program's method table and a handler. The server owns sockets,
 * decoding, read-only enforcement, limits and keepalive; handlers see decoded arguments and either
 * answer at once or later. Runs on the daemon's sd-event loop, never blocks.
 */
#pragma once
#include <rpc/xdr.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "netd/base/error.h"

struct rpc_server;
struct rpc_session;	/* one client connection */
struct rpc_call;	/* one call that is not answered yet */

/* A method without a handler answers "not supported" with its API name. */
enum { RPC_DONE = 0, RPC_PENDING = 1 };

/*
 * args: decoded, owned by the server, valid until the call is answered. ret: zeroed storage of
 * the method's ret type; what it points to must be malloc'ed, it is freed with xdr_free() after
 * encoding. Returns RPC_DONE, RPC_PENDING (answer later with rpc_call_reply/_fail) or a negative
 * errno with err set.
 */
typedef int (*rpc_handler)(struct rpc_call *call, void *args, void *ret, struct nd_error *err);

enum {
	RPC_READ_ONLY = 1 << 0,		/* allowed in a read-only session */
	RPC_BEFORE_OPEN = 1 << 1,	/* allowed before CONNECT_OPEN */
	RPC_BEFORE_AUTH = 1 << 2,
};

struct rpc_method {
	int32_t proc;
	const char *api;		/* libvirt's API name, for error texts: "virNetworkCreate" */
	int domain;			/* VIR_FROM_* of errors that the handler returns */
	unsigned flags;
	xdrproc_t args, ret;		/* NULL: empty */
	size_t args_size, ret_size;
	rpc_handler handle;
};

struct rpc_program {
	uint32_t number, version;
	const struct rpc_method *methods;
	size_t n_methods;
};

struct rpc_server_options {
	sd_event *event;		/* borrowed */
	const struct rpc_program *const *programs;	/* borrowed */
	size_t n_programs;
	void *context;			/* for handlers: rpc_call_context() */
	unsigned max_sessions, max_unauthenticated, max_calls_per_session;
	uint32_t max_message_bytes;	/* of clients that may change things; 0: the protocol's limit */
	uint32_t auth_timeout_s;
	/* May be NULL. True: calls before rpc_session_set_authenticated() are refused, but for
	 * those that RPC_BEFORE_AUTH marks. Asked once, when the peer's credentials are known. */
	bool (*needs_auth)(void *context, struct rpc_session *s);
	/* May be NULL. Judges each call that is decoded and that the session may make, but for those
	 * of RPC_BEFORE_OPEN: 0, or RPC_PENDING and rpc_call_go_on() or rpc_call_fail() later, or a
	 * negative errno with err set. */
	int (*authorize)(void *context, struct rpc_call *call, const struct rpc_method *m, void *args,
			 struct nd_error *err);
	/* May be NULL. Called when a session has ended, so that its event registrations go: never
	 * while another call into the server is on the stack. */
	void (*session_closed)(void *context, struct rpc_session *s);
};

int rpc_server_new(const struct rpc_server_options *opt, struct rpc_server **out,
		   struct nd_error *err);
void rpc_server_free(struct rpc_server *s);

/* Takes a listening socket, and makes it non-blocking. read_only: every session on it is.
 * group_gid: peers in that group (and root, and our own uid) may connect; (gid_t)-1: everyone. */
int rpc_server_listen(struct rpc_server *s, int fd, bool read_only, gid_t group_gid,
		      struct nd_error *err);

/* Takes a socket that is connected to one client already: as if it had come through a listening
 * one. Closed on failure. */
int rpc_server_adopt(struct rpc_server *s, int fd, bool read_only, gid_t group_gid,
		     struct nd_error *err);

void *rpc_call_context(struct rpc_call *c);
/* NULL once the client is gone: only in a pending call. */
struct rpc_session *rpc_call_session(struct rpc_call *c);
/* The ret storage of a pending call, to fill before rpc_call_reply(). */
void *rpc_call_ret(struct rpc_call *c);
/* Both end the call; when its session is gone meanwhile they only free it. From the loop's thread
 * only. */
void rpc_call_reply(struct rpc_call *c);
void rpc_call_fail(struct rpc_call *c, const struct nd_error *err);
/* A call that the server's authorize() kept: it is allowed, and its handler runs. */
void rpc_call_go_on(struct rpc_call *c);
/* A descriptor to pass with the reply (REPLY_WITH_FDS); taken, also on failure. At most 32, else
 * -E2BIG. */
int rpc_call_add_fd(struct rpc_call *c, int fd);

bool rpc_session_read_only(const struct rpc_session *s);
void rpc_session_set_read_only(struct rpc_session *s);
void rpc_session_set_authenticated(struct rpc_session *s);
bool rpc_session_is_authenticated(const struct rpc_session *s);
bool rpc_session_is_open(const struct rpc_session *s);
void rpc_session_set_open(struct rpc_session *s, bool open);
/* Closes after the reply of the call in hand has been sent. */
void rpc_session_close_after_reply(struct rpc_session *s);
/* Starts the server's own keepalive pings (the client asked for feature 10). */
void rpc_session_start_keepalive(struct rpc_session *s);
uid_t rpc_session_uid(const struct rpc_session *s);
gid_t rpc_session_gid(const struct rpc_session *s);
pid_t rpc_session_pid(const struct rpc_session *s);
/* By what the kernel knew of the peer when it connected. */
bool rpc_session_in_group(const struct rpc_session *s, gid_t group);
/* A new descriptor of the peer's process, which is that of pid for as long as the process has not
 * ended; -1 where the kernel cannot tell. */
int rpc_session_peer_pidfd(const struct rpc_session *s);
/* A pointer of the daemon's own, NULL at first. */
void *rpc_session_data(const struct rpc_session *s);
void rpc_session_set_data(struct rpc_session *s, void *data);

/* Sends a MESSAGE (event) to one session; dropped with the session when its queue is full. */
void rpc_session_send_event(struct rpc_session *s, uint32_t program, int32_t proc,
			    xdrproc_t xdr, void *payload);
/* Walks live sessions; stop by returning non-zero. */
int rpc_server_each_session(struct rpc_server *s, int (*each)(struct rpc_session *s, void *arg),
			    void *arg);
