/* SPDX-License-Identifier: GPL-2.0-or-later */
/* channel.h -- messages between netd and a process that it started, over a SOCK_SEQPACKET socket
 *
 * A message is a header and a body. A body that does not fit one packet travels in pieces, one
 * after the other; pieces of two messages never mix. Both ends treat the other's bytes as
 * hostile: the process may have been taken over by a guest. What the messages are is said where
 * the process lives (netd/serve/channel.h, vmm/message.h); this is the framing alone.
 *
 * CHANNEL_HELLO and CHANNEL_QUIT keep their form for ever, so that netd can meet a process of any
 * other build and at least end it.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "netd/base/auto.h"
#include "netd/base/cursor.h"

#define CHANNEL_HEADER_BYTES 24
#define CHANNEL_PACKET_MAX 32768	/* header and piece */
#define CHANNEL_BODY_MAX (64u << 20)	/* 65,000 reservations with the longest client-ids fit */
#define CHANNEL_FDS_MAX 200		/* SCM_MAX_FD is 253 */

enum {
	CHANNEL_HELLO = 1,
	CHANNEL_QUIT = 2,
};

/* Which conversation it is: a packet of another magic is refused. */
struct channel_protocol {
	uint32_t magic;
	uint16_t version;		/* put into what is sent; what comes is for the caller */
};

struct channel_message {
	uint16_t version, type;
	uint32_t serial;		/* of the request; 0: not an answer */
	struct rd body;
};

/* Sends and receives on one socket; never blocks. */
struct channel;

/* Takes fd, which must be a non-blocking SOCK_SEQPACKET socket. NULL: out of memory. */
struct channel *channel_new(int fd, const struct channel_protocol *protocol);
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
int channel_send(struct channel *c, uint16_t type, uint32_t serial, const void *body,
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
 * caller owns them. Only who may be sent some calls this. */
int channel_receive_fds(struct channel *c, struct channel_message *out, int *fds_out,
			size_t *n_fds_out);

/* The framing without a socket, for channel_receive() and its fuzz test: feeds one packet. */
struct channel_input {
	uint8_t *body;			/* a message in pieces; NULL: none begun */
	uint32_t have, total, serial;
	uint16_t version, type;
};

/* As channel_receive(); a message of one packet is returned without a copy. */
int channel_input_packet(struct channel_input *in, uint32_t magic, const void *packet, size_t len,
			 struct channel_message *out);
void channel_input_fini(struct channel_input *in);
