/* SPDX-License-Identifier: GPL-2.0-or-later */
/* batch.h -- queries taken from a UDP socket many at a time, and the replies made in their place
 *
 * Replies of one length to one address and port leave as one message that the kernel cuts up
 * (UDP_SEGMENT): what a datagram costs is mostly its way through the kernel.
 */
#pragma once
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dns/message.h"

#define DNS_BATCH 64

struct dns_batch;

/* A datagram: the query, and then its reply. */
struct dns_datagram {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} from;
	socklen_t from_len;
	bool cut;		/* it was longer than DNS_UDP_MAX bytes */
	size_t len;		/* of the query; of the reply, 0: none */
	uint8_t *packet;	/* DNS_UDP_MAX bytes */
};

/* NULL when memory runs out. */
struct dns_batch *dns_batch_new(void);
void dns_batch_free(struct dns_batch *b);	/* NULL is fine */

/* Takes what the socket has, without waiting: how many datagrams, at most DNS_BATCH. */
unsigned dns_batch_receive(struct dns_batch *b, int fd);
/* The i-th of them. */
struct dns_datagram *dns_batch_at(struct dns_batch *b, unsigned i);
/* Sends the replies. *no_segments: the socket's way does not take messages to be cut up (false at
 * first, kept by the caller). Returns how many could not be sent. */
unsigned dns_batch_send(struct dns_batch *b, int fd, bool *no_segments);
