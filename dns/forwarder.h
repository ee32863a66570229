/* SPDX-License-Identifier: GPL-2.0-or-later */
/* forwarder.h -- questions that only upstreams can answer
 *
 * The same question by several clients is asked once. Each client has a share of the memory and
 * of the questions under way: whoever asks much waits behind whoever asks little. Every question
 * that was taken on is answered, with SERVFAIL after DNS_RACE_MS (race.h) at the latest.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dns/answer.h"
#include "dns/loop.h"

#define DNS_NEVER UINT64_MAX

struct dns_forwarder;

/* A client that waits for an answer. question: header and question as the client sent them. */
struct dns_waiter {
	struct dns_waiter *next;
	struct dns_asker asker;
	struct dns_query query;
	uint8_t packet[];	/* query.question_end bytes */
};

/* Called once for each waiter, which is freed afterwards. body NULL: no reply is to be sent, since
 * the forwarder is being freed. */
typedef void dns_forwarder_done(void *context, const struct dns_waiter *w,
				const struct dns_body *body);

/* network: for log lines. Everything passed in is borrowed and outlives the forwarder. NULL when
 * memory runs out. */
struct dns_forwarder *dns_forwarder_new(const char *network, struct dns_loop *loop,
					struct dns_cache *cache, struct dns_counters *counters,
					dns_forwarder_done *done, void *context);
void dns_forwarder_free(struct dns_forwarder *f);	/* NULL is fine */

/* Replaces rules and upstreams. What is known of an upstream that stays is kept, questions under
 * way go on with the old ones. Forgets the cache when something changed. */
int dns_forwarder_configure(struct dns_forwarder *f, const struct dns_config *config,
			    struct nd_error *err);
int dns_forwarder_set_upstreams(struct dns_forwarder *f, const struct dns_upstream *upstreams,
				size_t n, struct nd_error *err);

/* An address that this server listens on, and that is no upstream therefore. 0 or -ENOMEM. */
int dns_forwarder_add_own(struct dns_forwarder *f, const struct dns_upstream *own);

enum dns_ask_result {
	DNS_ASK_UNDER_WAY,	/* done() will be called */
	DNS_ASK_OVER_SHARE,
	DNS_ASK_NO_UPSTREAM,
};

/* packet: the query's header and question as they came. All is copied. */
enum dns_ask_result dns_forwarder_ask(struct dns_forwarder *f, const struct dns_query *q,
				      const uint8_t *packet, const struct dns_asker *asker,
				      uint64_t now_ms);

/* Starts what waits for its turn and handles what is overdue. */
void dns_forwarder_run(struct dns_forwarder *f, uint64_t now_ms);
/* When run() is to be called next: a time, 0 for at once, or DNS_NEVER. */
uint64_t dns_forwarder_next_ms(const struct dns_forwarder *f);

size_t dns_forwarder_in_flight(const struct dns_forwarder *f);
