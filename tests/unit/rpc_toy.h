/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rpc_toy.h -- a server with a toy program on an event loop of its own, and a client's end of it */
#pragma once
#include <check.h>
#include <stdint.h>
#include <sys/types.h>

#include "netd/rpc/frame.h"
#include "netd/rpc/netd.h"
#include "netd/rpc/protocol.h"
#include "netd/rpc/server.h"

#define UUID_HEX "000102030405060708090a0b0c0d0e0f"
#define UUID_BYTES "\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f"

struct fixture {
	sd_event *event;
	struct rpc_server *server;
	int fd;				/* the client's end */
	struct rpc_call *pending[64];
	unsigned n_pending, n_closed;
	struct rpc_session *session;	/* of the last OPEN */
	bool needs_auth;
	struct rpc_stream *stream;	/* the last one opened */
	unsigned n_streams_closed;
};

int client_new(struct fixture *f, bool read_only);
void fixture_start(struct fixture *f);
void fixture_stop(struct fixture *f);
void loop(struct fixture *f);
void loop_for(struct fixture *f, int ms);
size_t unhex(const char *hex, uint8_t *out);
void feed_bytes(struct fixture *f, const void *bytes, size_t n);
void feed(struct fixture *f, const char *hex);
/* What the server sent so far; -1: it closed the connection and sent nothing. */
ssize_t got(struct fixture *f, uint8_t *buf, size_t size);
void expect(struct fixture *f, const char *hex);
void expect_closed(struct fixture *f);
void send_message(struct fixture *f, const struct rpc_header *h, xdrproc_t xdr, void *args);
struct rpc_header call_header(int32_t proc, uint32_t serial);
void send_call(struct fixture *f, int32_t proc, uint32_t serial, xdrproc_t xdr, void *args);
/* Reads one reply whole; its payload is at buf + RPC_HEADER_SIZE. */
struct rpc_header read_reply(struct fixture *f, uint8_t *buf, size_t size);
void expect_error(struct fixture *f, const struct rpc_header *call, int code, int domain,
		 const char *text);
void open_connection(struct fixture *f, unsigned flags);
void lookup(struct fixture *f, uint32_t serial);
void expect_lookup(struct fixture *f, uint32_t serial);
void create(struct fixture *f, uint32_t serial);

#define CALL_AUTH_LIST "0000001c 20008086 00000001 00000042 00000000 00000000 00000000"
#define REPLY_AUTH_LIST \
	"00000024 20008086 00000001 00000042 00000001 00000000 00000000 00000001 00000000"
#define CALL_OPEN "0000003c 20008086 00000001 00000001 00000000 00000002 00000000" \
	"00000001 00000011 6e6574776f726b3a2f2f2f73797374656d 000000 00000000"
#define REPLY_OPEN "0000001c 20008086 00000001 00000001 00000001 00000002 00000000"
#define PING "0000001c 6b656570 00000001 00000001 00000002 00000000 00000000"
#define PONG "0000001c 6b656570 00000001 00000002 00000002 00000000 00000000"
