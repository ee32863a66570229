/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tcp.h -- clients that ask over TCP (RFC 7766)
 *
 * Queries may be pipelined and are answered in any order. Everything is bounded: connections in
 * all and per client, their idle time, a query's length, queries under way and unsent replies.
 */
#pragma once
#include <stdint.h>

#include "dns/answer.h"
#include "dns/loop.h"

struct dns_tcp;

/* All is borrowed. scratch: DNS_MESSAGE_MAX bytes for replies. NULL when memory runs out. */
struct dns_tcp *dns_tcp_new(struct dns_loop *loop, struct dns_answerer *answerer,
			    uint8_t *scratch);
void dns_tcp_free(struct dns_tcp *t);		/* NULL is fine */

/* Takes the listening socket, also on failure. 0 or -errno. */
int dns_tcp_listen(struct dns_tcp *t, int fd);

/* The late reply to a query whose asker.channel came from here; NULL: none is to be sent. */
void dns_tcp_reply(struct dns_tcp *t, void *channel, const uint8_t *reply, size_t len,
		   uint64_t now_ms);

/* Closes connections that were idle too long. */
void dns_tcp_expire(struct dns_tcp *t, uint64_t now_ms);
/* When expire() has something to do, or UINT64_MAX. */
uint64_t dns_tcp_next_ms(const struct dns_tcp *t);
size_t dns_tcp_clients(const struct dns_tcp *t);
