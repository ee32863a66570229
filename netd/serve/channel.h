/* SPDX-License-Identifier: GPL-2.0-or-later */
/* channel.h -- messages between netd and a netd-serve, over a SOCK_SEQPACKET socket
 *
 * A message is a header and a body. A body that does not fit one packet travels in pieces, one
 * after the other; pieces of two messages never mix. Both ends treat the other's bytes as
 * hostile: a server may have been taken over by a guest.
 *
 *	netd                          netd-serve
 *	      <------- HELLO -------        at once, from a spare as from one that serves
 *	      -- START, descriptors ->      once in a server's life
 *	      <-- STARTED or FAILED -
 *	      <------- LEASES -------       all leases, after STARTED and after a new connection
 *	      <----- LEASE_EVENT ----       one changed
 *	      -- CONFIG, PORTS, ... ->      each answered by DONE or FAILED with the same serial
 *	      --------- QUIT -------->
 *
 * CHANNEL_HELLO and CHANNEL_QUIT keep their form for ever, so that netd can meet a server of any
 * other build and at least end it.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "netd/base/auto.h"
#include "netd/base/cursor.h"

#define CHANNEL_MAGIC 0x6e647376u	/* "ndsv" */
#define CHANNEL_VERSION 1		/* raised when a body changes its form */
#define CHANNEL_HEADER_BYTES 24
#define CHANNEL_PACKET_MAX 32768	/* header and piece */
#define CHANNEL_BODY_MAX (64u << 20)	/* 65,000 reservations with the longest client-ids fit */
#define CHANNEL_FDS_MAX 200		/* SCM_MAX_FD is 253 */

enum channel_type {
	CHANNEL_HELLO = 1,
	CHANNEL_QUIT = 2,
	CHANNEL_START = 16,
	CHANNEL_STARTED,
	CHANNEL_DONE,
	CHANNEL_FAILED,
	CHANNEL_CONFIG,
	CHANNEL_UPSTREAMS,
	CHANNEL_PORTS,
	CHANNEL_LEASES,
	CHANNEL_LEASE_EVENT,
	CHANNEL_STATS_GET,
	CHANNEL_STATS,
	CHANNEL_PING,
	CHANNEL_PONG,
	CHANNEL_GONE,
};

struct channel_message {
	uint16_t version, type;
	uint32_t serial;		/* of the request; 0: not an answer */
	struct rd body;
};

/* Sends and receives on one socket; never blocks. */
struct channel;

/* Takes fd, which must be a non-blocking SOCK_SEQPACKET socket. NULL: out of memory. */
struct channel *channel_new(int fd);
void channel_free(struct channel *c);		/* closes its socket; NULL is fine */
ND_DEFINE_AUTO(struct channel *, channel_free)
int channel_fd(const struct channel *c);
/* Frees the channel and hands its socket to the caller. */
int channel_take_fd(struct channel *c);

/*
 * Queues a message and sends what the socket takes now. The bytes are copied. fds (borrowed) go
 * with the first packet. -ENOBUFS when more than queue_max bytes would wait (one message always
 * may), -EMSGSIZE for a body above CHANNEL_BODY_MAX, or what sendmsg said.
 */
int channel_send(struct channel *c, enum channel_type type, uint32_t serial, const void *body,
		 size_t len, const int *fds, size_t n_fds);
/* Bytes of bodies that may wait for a peer that does not read. Default: CHANNEL_BODY_MAX. */
void channel_set_queue_max(struct channel *c, size_t bytes);
/* Sends what waits, as far as the socket takes it. 0 or -errno. */
int channel_flush(struct channel *c);
/* Something waits: poll for EPOLLOUT too. */
bool channel_waiting(const struct channel *c);

/*
 * Reads at most one packet. 1: *out is a whole message, its body valid until the next call;
 * 0: nothing whole yet, call again when readable; -EAGAIN: no packet there; -EPIPE: the peer is
 * gone; -EBADMSG: not this protocol, or a body too long. Descriptors are neither asked for nor
 * accepted.
 */
int channel_receive(struct channel *c, struct channel_message *out);
/* The same, and up to CHANNEL_FDS_MAX descriptors that came with the message's packets: the
 * caller owns them. Only a spare server calls this. */
int channel_receive_fds(struct channel *c, struct channel_message *out, int *fds_out,
			size_t *n_fds_out);

/* The framing without a socket, for channel_receive() and its fuzz test: feeds one packet. */
struct channel_input {
	uint8_t *body;			/* a message in pieces; NULL: none begun */
	uint32_t have, total, serial;
	uint16_t version, type;
};

/* As channel_receive(); a message of one packet is returned without a copy. */
int channel_input_packet(struct channel_input *in, const void *packet, size_t len,
			 struct channel_message *out);
void channel_input_fini(struct channel_input *in);
