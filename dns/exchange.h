/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exchange.h -- one question sent to one upstream, and what comes back
 *
 * Over UDP each question has a random id, random letter cases in its name (as
 * draft-vixie-dnsext-dns0x20 says) and, while there are descriptors, a socket and so a source port
 * of its own (RFC 5452); the sockets are connected, so the kernel drops what comes from anywhere
 * else.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dns/config.h"
#include "dns/loop.h"
#include "dns/response.h"
#include "dns/server.h"

struct dns_exchanges;
struct dns_exchange;

enum dns_exchange_result {
	DNS_EXCHANGE_ANSWER,	/* packet is an answer to the question */
	DNS_EXCHANGE_DOUBTFUL,	/* an answer in other letter cases, or somebody is guessing ids:
				 * ask again over TCP */
	DNS_EXCHANGE_BROKEN,	/* the upstream cannot be reached */
};

/* The exchange is over, but stays until it is cancelled (which the function may do). */
typedef void dns_exchange_done(void *context, struct dns_exchange *e,
			       enum dns_exchange_result result, const uint8_t *packet, size_t len,
			       uint64_t now_ms);

struct dns_exchange_ask {
	const struct dns_upstream *to;
	const struct dns_question *question;
	bool tcp, edns, mix_case;
	dns_exchange_done *done;
	void *context;
};

/* Everything is borrowed. NULL when memory runs out. */
struct dns_exchanges *dns_exchanges_new(struct dns_loop *loop, struct dns_counters *counters);
/* All exchanges were cancelled. NULL is fine. */
void dns_exchanges_free(struct dns_exchanges *x);

/* Sends the question. NULL when that is not possible now. */
struct dns_exchange *dns_exchange_start(struct dns_exchanges *x,
					const struct dns_exchange_ask *ask);
void dns_exchange_cancel(struct dns_exchange *e);	/* NULL is fine */
