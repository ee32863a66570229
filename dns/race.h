/* SPDX-License-Identifier: GPL-2.0-or-later */
/* race.h -- one question, asked of several upstreams until one answers
 *
 * The first upstream in the list that answers is preferred: the next is asked, too, once it takes
 * its time, and the first useful answer wins. A "no" of a later one counts only when those before
 * it had time to answer: it may know less (the first one may be a VPN's). Upstreams that fail are
 * asked last, and tried beside the others now and then.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dns/exchange.h"
#include "dns/response.h"
#include "dns/route.h"
#include "dns/server.h"

#define DNS_RACE_MS 4000	/* stub resolvers give up after five seconds */
#define DNS_RACE_ATTEMPTS 8	/* messages for one question */

struct dns_race;

/* What all races share; everything is borrowed. */
struct dns_course {
	struct dns_exchanges *exchanges;
	struct dns_counters *counters;
	const struct dns_upstream *own;	/* addresses of this server: never asked */
	size_t n_own;
	struct dns_inside inside;
	uint8_t *body;			/* DNS_MESSAGE_MAX bytes for the answer at hand */
	/* dns_race_turn() is to be called then. */
	void (*wake)(struct dns_race *r, uint64_t at_ms);
	/* It is over; response NULL: nobody answered, r->rcode says how. The function ends the
	 * race with dns_race_fini(). */
	void (*over)(struct dns_race *r, const struct dns_response *response, const uint8_t *body,
		     uint64_t now_ms);
};

struct dns_attempt {
	struct dns_exchange *exchange;	/* NULL: it came to nothing */
	size_t peer;
	uint64_t sent_ms;
	bool tcp, edns;
};

struct dns_race {
	const struct dns_course *course;
	struct dns_question asked;
	struct dns_peers *peers;
	bool trusted;			/* the answer may lead inside */
	uint64_t start_ms, deadline_ms;
	unsigned n_sent;		/* attempts so far */
	uint8_t rcode;			/* of the upstreams that could not answer */
	struct dns_attempt attempts[DNS_RACE_ATTEMPTS];
	struct dns_spare *spare;	/* a "no" that waits for those before it, or NULL */
};

/* trusted: the name's answer may lead inside (inside.h). now_ms: from here on the deadline counts.
 * The race begins with its first turn. */
void dns_race_init(struct dns_race *r, const struct dns_course *course,
		   const struct dns_question *asked, struct dns_peers *peers, bool trusted,
		   uint64_t now_ms);
void dns_race_fini(struct dns_race *r);

/* Sends the next message, or ends the race at its deadline. */
void dns_race_turn(struct dns_race *r, uint64_t now_ms);
