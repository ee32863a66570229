/* SPDX-License-Identifier: GPL-2.0-or-later */
/* session.h -- one client's connection, as server.c, session.c and call.c share it
 *
 *	accept -> (credentials) -> waiting for CONNECT_OPEN -> open -> closing -> dead -> freed
 *
 * Bytes that arrive are kept until they make whole messages. Keepalive is answered when it
 * arrives; calls are taken in order, a few per turn, while fewer than the limit are in work and
 * the client reads what it is sent. Nothing here blocks. A dead session is freed at the end of
 * the server's turn, so that callers up the stack may still look at it.
 */
#pragma once
#include <sys/queue.h>

#include "netd/rpc/frame.h"
#include "netd/rpc/server.h"

struct rpc_out;			/* a message that is not sent yet */

struct rpc_listener {
	struct rpc_server *server;
	int fd;
	bool read_only;
	gid_t group_gid;
	sd_event_source *source;
	TAILQ_ENTRY(rpc_listener) entry;
};

TAILQ_HEAD(rpc_call_list, rpc_call);
TAILQ_HEAD(rpc_stream_list, rpc_stream);
TAILQ_HEAD(rpc_session_list, rpc_session);

struct rpc_session {
	struct rpc_server *server;
	TAILQ_ENTRY(rpc_session) entry;		/* server's sessions, or its dead ones */
	TAILQ_ENTRY(rpc_session) backlog_entry;
	int fd;
	uint32_t interest;			/* what epoll watches */
	bool in_backlog, in_turn, dead, closing, eof;
	bool open, authenticated, refused, read_only, keepalive;
	uid_t uid;
	gid_t gid;
	pid_t pid;
	void *data;				/* the daemon's */

	uint8_t *in;				/* NULL while nothing is kept */
	size_t in_at, in_scanned, in_len, in_size;
	STAILQ_HEAD(, rpc_out) out;
	size_t out_bytes;

	struct rpc_call_list calls;
	struct rpc_stream_list streams;
	unsigned n_calls;

	uint64_t born_us, heard_us, sent_us;
	unsigned pings;				/* sent since the client was last heard */
};

struct rpc_server {
	struct rpc_server_options opt;
	int epoll_fd, wake_fd;
	sd_event_source *io, *tick;
	bool tick_on, turn_wanted;
	TAILQ_HEAD(, rpc_listener) listeners;
	struct rpc_session_list sessions, backlog, dead;
	unsigned n_sessions, n_waiting;		/* waiting: not open yet */
	bool accept_paused;
	struct rpc_buffer encode;		/* for messages being made */
	uint8_t *scratch;			/* for bytes just read */
};

#define RPC_SCRATCH_SIZE 65536u
/* What is kept of a client's unread calls, and above which its calls wait for it to read. */
#define RPC_IN_KEEP 16384u
#define RPC_OUT_HIGH (256u * 1024)
/* Above this an event finds its client too slow. */
#define RPC_OUT_EVENT_MAX (1024u * 1024)
#define RPC_STALL_S 30
#define RPC_KEEPALIVE_INTERVAL_S 5
#define RPC_KEEPALIVE_COUNT 5

/* session.c */
struct rpc_session *rpc_session_new(struct rpc_server *srv, int fd, bool read_only);
void rpc_session_free(struct rpc_session *s);
/* Marks it dead and closes its socket; why is for the log. */
void rpc_session_kill(struct rpc_session *s, const char *why);
/* budget: how many calls it may make now; 1 means that other clients wait as well. */
void rpc_session_handle_events(struct rpc_session *s, uint32_t events, unsigned budget);
/* Takes up to budget calls that have arrived. */
void rpc_session_work(struct rpc_session *s, unsigned budget);
/* Queues the message in the server's encode buffer; fds are taken. */
void rpc_session_queue(struct rpc_session *s, const int *fds, unsigned n_fds);
/* After a call ended: sends, closes, or goes on with what waits. */
void rpc_session_continue(struct rpc_session *s);
/* Checks deadlines, sends a ping when one is due. True when it wants to be asked again. */
bool rpc_session_tick(struct rpc_session *s, uint64_t now_us);

/* call.c */
void rpc_call_take(struct rpc_session *s, const struct rpc_header *h, const uint8_t *payload,
		   size_t len);
void rpc_calls_detach(struct rpc_session *s);
const struct rpc_header *rpc_call_header(const struct rpc_call *c);

/* stream.c */
void rpc_streams_take(struct rpc_session *s, const struct rpc_header *h, const uint8_t *payload,
		      size_t len);
/* The client reads again: their owners may go on. */
void rpc_streams_ready(struct rpc_session *s);
void rpc_streams_end(struct rpc_session *s);

/* server.c */
uint64_t rpc_server_now_us(struct rpc_server *srv);
void rpc_server_want_tick(struct rpc_server *srv);
/* Asks for a turn: there is a backlog, or a dead session to free. */
void rpc_server_want_turn(struct rpc_server *srv);
void rpc_server_accept_again(struct rpc_server *srv);
