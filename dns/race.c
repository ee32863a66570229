/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dns/race.h"

#include <stdlib.h>
#include <string.h>

#define HEDGE_MIN_MS 80			/* until the next upstream is asked, too */
#define HEDGE_MAX_MS 200
#define RETRY_MS 800			/* after all were asked; doubles */
#define BROKEN_RETRY_MS 250
#define LATE_MS 150			/* without an answer, when another upstream has answered */
#define NO_MS 800			/* so long a "no" waits for upstreams that are preferred */
#define FAILURES_MAX 2			/* then it is asked last ... */
#define PROBE_MS 3000			/* ... and tried beside the others now and then */
#define NO_EDNS_MS (3600 * 1000)

struct dns_spare {
	struct dns_response response;
	size_t peer;
	uint8_t body[];
};

void dns_race_init(struct dns_race *r, const struct dns_course *course,
		   const struct dns_question *asked, struct dns_peers *peers, bool trusted,
		   uint64_t now_ms)
{
	*r = (struct dns_race){ .course = course, .asked = *asked, .peers = dns_peers_ref(peers),
				.trusted = trusted, .start_ms = now_ms, .deadline_ms = now_ms + DNS_RACE_MS,
				.rcode = DNS_SERVFAIL };
}

void dns_race_fini(struct dns_race *r)
{
	for (size_t i = 0; i < r->n_sent; i++)
		dns_exchange_cancel(r->attempts[i].exchange);
	dns_peers_unref(r->peers);
	free(r->spare);
}

static bool is_own(const struct dns_course *c, const struct dns_upstream *where)
{
	for (size_t i = 0; i < c->n_own; i++)
		if (c->own[i].port == where->port && nd_ip_equal(&c->own[i].addr, &where->addr))
			return true;
	return false;
}

static bool peer_fails(const struct dns_peer *p)
{
	return p->failures >= FAILURES_MAX;
}

static void peer_failed(struct dns_peer *p, uint64_t now_ms)
{
	if (p->failures < FAILURES_MAX)
		p->failures++;
	p->probe_ms = now_ms + PROBE_MS;
}

static void peer_answered(struct dns_peer *p, uint64_t rtt_ms)
{
	uint32_t rtt = rtt_ms < 10000 ? (uint32_t)rtt_ms : 10000;

	p->failures = 0;
	p->rtt_ms = p->rtt_ms ? (p->rtt_ms * 7 + rtt) / 8 : rtt;
}

static size_t attempts_at(const struct dns_race *r, size_t peer)
{
	size_t n = 0;

	for (size_t i = 0; i < r->n_sent; i++)
		n += r->attempts[i].peer == peer;
	return n;
}

static size_t attempts_open(const struct dns_race *r)
{
	size_t n = 0;

	for (size_t i = 0; i < r->n_sent; i++)
		n += r->attempts[i].exchange != NULL;
	return n;
}

/* The peer whose turn it is: that with the fewest attempts, of these one that answers rather than
 * one that fails, of these the first. False when all of them are this server itself. */
static bool peer_choose(const struct dns_race *r, size_t *out)
{
	size_t best = SIZE_MAX;

	for (size_t i = 0; i < r->peers->n; i++) {
		const struct dns_peer *p = &r->peers->items[i];
		size_t rank = attempts_at(r, i) * 2 + peer_fails(p);

		if (rank < best && !is_own(r->course, &p->where)) {
			best = rank;
			*out = i;
		}
	}
	return best != SIZE_MAX;
}

static void attempt_done(void *context, struct dns_exchange *e, enum dns_exchange_result result,
			 const uint8_t *packet, size_t len, uint64_t now_ms);

/* Sends the question to a peer. False when that is not possible now. */
static bool attempt_start(struct dns_race *r, size_t peer, bool tcp, uint64_t now_ms)
{
	struct dns_peer *p = &r->peers->items[peer];
	struct dns_attempt *a;
	struct dns_exchange_ask ask = {
		.to = &p->where, .question = &r->asked, .tcp = tcp,
		.edns = now_ms >= p->edns_again_ms,
		.mix_case = p->case_misses < DNS_CASE_MISSES_MAX,
		.done = attempt_done, .context = r,
	};

	if (r->n_sent >= DNS_RACE_ATTEMPTS)
		return false;
	a = &r->attempts[r->n_sent++];
	*a = (struct dns_attempt){ .peer = peer, .sent_ms = now_ms, .tcp = tcp, .edns = ask.edns };
	a->exchange = dns_exchange_start(r->course->exchanges, &ask);
	if (!a->exchange)
		peer_failed(p, now_ms);
	return a->exchange;
}

/* Peers that were asked long enough ago and did not answer, as another one did or the time is
 * over: they failed. */
static void losers_failed(struct dns_race *r, size_t winner, uint64_t now_ms)
{
	for (size_t i = 0; i < r->n_sent; i++) {
		const struct dns_attempt *a = &r->attempts[i];
		struct dns_peer *p = &r->peers->items[a->peer];

		if (!a->exchange || a->peer == winner)
			continue;
		if (now_ms - a->sent_ms >= LATE_MS && now_ms - a->sent_ms >= 4u * p->rtt_ms) {
			r->course->counters->upstream_timeouts++;
			peer_failed(p, now_ms);
		}
	}
}

/* With what there is: a "no" that nobody contradicted, or nothing. */
static void race_end(struct dns_race *r, uint64_t now_ms)
{
	struct dns_spare *s = r->spare;

	losers_failed(r, s ? s->peer : SIZE_MAX, now_ms);
	r->course->over(r, s ? &s->response : NULL, s ? s->body : NULL, now_ms);
}

static void wake_at(struct dns_race *r, uint64_t at_ms)
{
	if (r->spare && at_ms > r->start_ms + NO_MS)
		at_ms = r->start_ms + NO_MS;
	r->course->wake(r, at_ms < r->deadline_ms ? at_ms : r->deadline_ms);
}

/* How long the peer that was just asked is waited for before the next one is asked, too. */
static uint64_t patience_ms(const struct dns_race *r, const struct dns_peer *p)
{
	uint64_t hedge = p->rtt_ms ? p->rtt_ms * 3 : HEDGE_MAX_MS;

	if (r->n_sent >= r->peers->n)
		return (uint64_t)RETRY_MS << (r->n_sent / r->peers->n - 1);
	return hedge < HEDGE_MIN_MS ? HEDGE_MIN_MS : hedge > HEDGE_MAX_MS ? HEDGE_MAX_MS : hedge;
}

/* Beside the first message: one to each peer that fails, to see whether it still does. */
static void peers_probe(struct dns_race *r, size_t asked, uint64_t now_ms)
{
	for (size_t i = 0; i < r->peers->n; i++) {
		struct dns_peer *p = &r->peers->items[i];

		if (i == asked || !peer_fails(p) || p->probe_ms > now_ms ||
		    is_own(r->course, &p->where))
			continue;
		p->probe_ms = now_ms + PROBE_MS;
		(void)attempt_start(r, i, false, now_ms);	/* only a probe */
	}
}

void dns_race_turn(struct dns_race *r, uint64_t now_ms)
{
	size_t peer;
	bool sent;

	if (now_ms >= r->deadline_ms || (r->spare && now_ms >= r->start_ms + NO_MS)) {
		race_end(r, now_ms);
		return;
	}
	if (!peer_choose(r, &peer)) {
		r->rcode = DNS_REFUSED;
		race_end(r, now_ms);
		return;
	}
	sent = attempt_start(r, peer, false, now_ms);
	if (sent && r->n_sent == 1)
		peers_probe(r, peer, now_ms);
	if (!attempts_open(r) && r->n_sent >= DNS_RACE_ATTEMPTS) {
		race_end(r, now_ms);
		return;
	}
	wake_at(r, now_ms + (sent ? patience_ms(r, &r->peers->items[peer]) :
				    r->n_sent < r->peers->n ? 0 : BROKEN_RETRY_MS));
}

/* An attempt came to nothing: the next peer at once, or (again) soon the same ones. */
static void attempt_failed(struct dns_race *r, bool again, uint64_t now_ms)
{
	if (r->n_sent < r->peers->n)
		dns_race_turn(r, now_ms);
	else if (again && !r->spare && !attempts_open(r) && r->n_sent < 2 * r->peers->n &&
		 r->n_sent < DNS_RACE_ATTEMPTS)
		wake_at(r, now_ms + BROKEN_RETRY_MS);
	else if (!attempts_open(r))
		race_end(r, now_ms);
}

/* The upstream says that it cannot answer. */
static void declined(struct dns_race *r, const struct dns_attempt *a, uint8_t rcode,
		     uint64_t now_ms)
{
	if (a->edns && (rcode == DNS_FORMERR || rcode == DNS_NOTIMP)) {
		r->peers->items[a->peer].edns_again_ms = now_ms + NO_EDNS_MS;	/* RFC 6891 7 */
		if (attempt_start(r, a->peer, a->tcp, now_ms))
			return;
	}
	r->rcode = rcode;
	attempt_failed(r, false, now_ms);
}

/* A peer that comes before this one and answers as a rule has not answered yet. */
static bool better_one_open(const struct dns_race *r, size_t peer)
{
	for (size_t i = 0; i < r->n_sent; i++)
		if (r->attempts[i].exchange && r->attempts[i].peer < peer &&
		    !peer_fails(&r->peers->items[r->attempts[i].peer]))
			return true;
	return false;
}

/* Keeps a "no" for the case that nobody says otherwise. False: no memory, or there is one. */
static bool spare_keep(struct dns_race *r, size_t peer, const struct dns_response *response,
		       uint64_t now_ms)
{
	struct dns_spare *s = r->spare ? NULL : malloc(sizeof(*s) + response->len);

	if (!s)
		return r->spare;
	s->response = *response;
	s->peer = peer;
	memcpy(s->body, r->course->body, response->len);
	r->spare = s;
	wake_at(r, r->start_ms + NO_MS > now_ms ? r->start_ms + NO_MS : now_ms);
	return true;
}

static void useful_answer(struct dns_race *r, size_t peer, const struct dns_response *response,
			  uint64_t now_ms)
{
	bool no = response->rcode == DNS_NXDOMAIN || !response->n_answers;

	if (no && now_ms < r->start_ms + NO_MS && better_one_open(r, peer) &&
	    spare_keep(r, peer, response, now_ms))
		return;
	losers_failed(r, peer, now_ms);
	r->course->over(r, response, r->course->body, now_ms);
}

/* Where this peer's answer may not lead, or NULL: a server in the network knows its neighbours. */
static const struct dns_inside *inside_for(const struct dns_race *r, size_t peer)
{
	const struct dns_inside *in = &r->course->inside;

	return r->trusted || dns_inside_network(in, &r->peers->items[peer].where.addr) ? NULL : in;
}

static void attempt_answered(struct dns_race *r, const struct dns_attempt *a,
			     const uint8_t *packet, size_t len, uint64_t now_ms)
{
	struct wr w = wr_init(r->course->body, DNS_MESSAGE_MAX);
	struct dns_response response;

	if (dns_response_decode(packet, len, &r->asked, inside_for(r, a->peer), &w,
				&response) < 0) {
		r->rcode = DNS_SERVFAIL;
		attempt_failed(r, true, now_ms);
		return;
	}
	if (!a->tcp)
		peer_answered(&r->peers->items[a->peer], now_ms - a->sent_ms);
	if (response.truncated && !a->tcp) {
		if (!attempt_start(r, a->peer, true, now_ms))
			attempt_failed(r, true, now_ms);
	} else if (response.truncated) {
		declined(r, a, DNS_SERVFAIL, now_ms);
	} else if (response.rcode != DNS_NOERROR && response.rcode != DNS_NXDOMAIN) {
		declined(r, a, response.rcode, now_ms);
	} else {
		useful_answer(r, a->peer, &response, now_ms);
	}
}

static void attempt_done(void *context, struct dns_exchange *e, enum dns_exchange_result result,
			 const uint8_t *packet, size_t len, uint64_t now_ms)
{
	struct dns_race *r = context;
	struct dns_attempt *a = r->attempts;
	struct dns_peer *p;

	while (a->exchange != e)
		a++;
	dns_exchange_cancel(e);
	a->exchange = NULL;
	p = &r->peers->items[a->peer];
	switch (result) {
	case DNS_EXCHANGE_ANSWER:
		attempt_answered(r, a, packet, len, now_ms);
		return;
	case DNS_EXCHANGE_DOUBTFUL:
		/* After a few of these it is the upstream that does not keep the case. */
		if (p->case_misses < DNS_CASE_MISSES_MAX)
			p->case_misses++;
		if (!attempt_start(r, a->peer, true, now_ms))
			attempt_failed(r, true, now_ms);
		return;
	case DNS_EXCHANGE_BROKEN:
		p->failures = FAILURES_MAX;
		peer_failed(p, now_ms);
		attempt_failed(r, true, now_ms);
		return;
	}
}
