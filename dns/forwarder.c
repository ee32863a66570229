/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dns/forwarder.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "dns/exchange.h"
#include "dns/fair.h"
#include "dns/route.h"
#include "dns/timer.h"
#include "netd/base/array.h"
#include "netd/base/hash.h"

#define STARTS_PER_ROUND 64		/* between two looks at the clients' sockets */
#define ATTEMPTS_MAX 8			/* messages for one question */
#define HEDGE_MAX_MS 150		/* until the next upstream is asked, too */
#define HEDGE_MIN_MS 30
#define RETRY_MS 800			/* after all were asked; doubles */
#define BROKEN_RETRY_MS 250
#define LATE_MS 150			/* without an answer, when another upstream has answered */
#define FAILURES_MAX 2			/* then it is asked last ... */
#define PROBE_MS 3000			/* ... and tried beside the others now and then */
#define PEAK_MIN 256			/* questions at a time that take memory worth giving back */

/* Of questions and those who wait for them, and of questions under way. */
static const struct dns_fair_limits limits = {
	.bytes = 4 * 1024 * 1024, .client_bytes = 16 * 1024, .bytes_hard = 8 * 1024 * 1024,
	.active = 1024, .client_active = 8,
};

struct attempt {
	struct dns_exchange *exchange;	/* NULL: free, or it came to nothing */
	size_t peer;
	uint64_t sent_ms;
	bool tcp, edns;
};

/*
 * One question and all clients that wait for its answer:
 *
 *	QUEUED --its client's turn--> UNDER WAY --answer, or all failed, or deadline--> gone
 *	   `--deadline--> gone
 */
struct question {
	struct dns_fair_item item;	/* first: fair.h gives it back */
	struct dns_timer timer;
	struct dns_forwarder *owner;
	struct dns_question asked;
	size_t key_len;
	uint8_t key[DNS_KEY_MAX];
	struct dns_fair_client *payer;
	struct dns_waiter *waiters;
	struct dns_peers *peers;
	uint64_t deadline_ms;
	unsigned n_sent;		/* attempts made, in the order of turns */
	uint8_t rcode;			/* of the upstreams that could not answer */
	struct attempt attempts[ATTEMPTS_MAX];
};

/* A waiter and who pays for it. */
struct charged_waiter {
	struct dns_fair_client *payer;
	size_t bytes;
	struct dns_waiter waiter;	/* last: it ends in the packet */
};

struct dns_forwarder {
	struct dns_cache *cache;
	struct dns_counters *counters;
	dns_forwarder_done *done;
	void *context;
	struct dns_routes *routes;
	struct dns_upstream *own;
	size_t n_own;
	struct dns_exchanges *exchanges;
	struct dns_fair *fair;
	struct dns_timers timers;
	struct nd_hash *questions;	/* by key */
	size_t peak;			/* most questions since memory was last given back */
	uint8_t *body;			/* DNS_MESSAGE_MAX bytes: the answer at hand */
};

struct dns_forwarder *dns_forwarder_new(struct dns_loop *loop, struct dns_cache *cache,
					struct dns_counters *counters, dns_forwarder_done *done,
					void *context)
{
	struct dns_forwarder *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->cache = cache;
	f->counters = counters;
	f->done = done;
	f->context = context;
	f->exchanges = dns_exchanges_new(loop, counters);
	f->fair = dns_fair_new(&limits);
	f->questions = nd_hash_new();
	f->body = malloc(DNS_MESSAGE_MAX);	/* not cleared, so that it takes no memory yet */
	if (!f->body || !f->exchanges || !f->fair || !f->questions) {
		dns_forwarder_free(f);
		return NULL;
	}
	return f;
}

static void waiter_free(struct dns_forwarder *f, struct dns_waiter *w)
{
	struct charged_waiter *c =
		(struct charged_waiter *)((uint8_t *)w - offsetof(struct charged_waiter, waiter));

	dns_fair_release(f->fair, c->payer, c->bytes);
	free(c);
}

/* Tells everybody who waits and forgets the question. body as for dns_forwarder_done. */
static void question_end(struct question *q, const struct dns_body *body)
{
	struct dns_forwarder *f = q->owner;

	nd_hash_remove(f->questions, q->key, q->key_len);
	dns_timer_cancel(&f->timers, &q->timer);
	dns_fair_done(f->fair, &q->item);
	for (size_t i = 0; i < ATTEMPTS_MAX; i++)
		dns_exchange_cancel(q->attempts[i].exchange);
	while (q->waiters) {
		struct dns_waiter *w = q->waiters;

		q->waiters = w->next;
		f->done(f->context, w, body);
		waiter_free(f, w);
	}
	dns_fair_release(f->fair, q->payer, sizeof(*q));
	dns_peers_unref(q->peers);
	free(q);
}

void dns_forwarder_free(struct dns_forwarder *f)
{
	struct dns_timer *t;

	if (!f)
		return;
	while ((t = dns_timer_first(&f->timers)))
		question_end((struct question *)((uint8_t *)t - offsetof(struct question, timer)),
			     NULL);
	dns_exchanges_free(f->exchanges);
	dns_fair_free(f->fair);
	dns_timers_fini(&f->timers);
	dns_routes_free(f->routes);
	nd_hash_free(f->questions);
	free(f->body);
	free(f->own);
	free(f);
}

int dns_forwarder_configure(struct dns_forwarder *f, const struct dns_config *config,
			    struct nd_error *err)
{
	struct dns_routes *routes;
	int r = dns_routes_new(config, f->routes, &routes, err);

	if (r < 0)
		return r;
	if (!f->routes || !dns_routes_equal(f->routes, routes))
		dns_cache_clear(f->cache);
	dns_routes_free(f->routes);
	f->routes = routes;
	return 0;
}

int dns_forwarder_set_upstreams(struct dns_forwarder *f, const struct dns_upstream *upstreams,
				size_t n, struct nd_error *err)
{
	bool changed;

	if (dns_routes_set_upstreams(f->routes, upstreams, n, &changed) < 0)
		return nd_error_nomem(err);
	if (changed)
		dns_cache_clear(f->cache);
	return 0;
}

int dns_forwarder_add_own(struct dns_forwarder *f, const struct dns_upstream *own)
{
	struct dns_upstream *o = nd_array_add(f->own, f->n_own);

	if (!o)
		return -ENOMEM;
	*o = *own;
	return 0;
}

static bool is_own(const struct dns_forwarder *f, const struct dns_upstream *where)
{
	for (size_t i = 0; i < f->n_own; i++)
		if (f->own[i].port == where->port && nd_ip_equal(&f->own[i].addr, &where->addr))
			return true;
	return false;
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

static size_t attempts_at(const struct question *q, size_t peer)
{
	size_t n = 0;

	for (size_t i = 0; i < q->n_sent; i++)
		n += q->attempts[i].peer == peer;
	return n;
}

/* The peer whose turn it is: that with the fewest attempts, of these one that answers rather than
 * one that failed, of these the first. False when all of them are this server itself. */
static bool peer_choose(const struct question *q, size_t *out)
{
	size_t best = SIZE_MAX;

	for (size_t i = 0; i < q->peers->n; i++) {
		const struct dns_peer *p = &q->peers->items[i];
		size_t rank = attempts_at(q, i) * 2 + (p->failures >= FAILURES_MAX);

		if (rank < best && !is_own(q->owner, &p->where)) {
			best = rank;
			*out = i;
		}
	}
	return best != SIZE_MAX;
}

static void attempt_done(void *context, struct dns_exchange *e, enum dns_exchange_result result,
			 const uint8_t *packet, size_t len, uint64_t now_ms);

/* Sends the question to a peer. False when that is not possible now. */
static bool attempt_start(struct question *q, size_t peer, bool tcp, uint64_t now_ms)
{
	struct dns_peer *p = &q->peers->items[peer];
	struct attempt *a;
	struct dns_exchange_ask ask = {
		.to = &p->where, .question = &q->asked, .tcp = tcp, .edns = !p->no_edns,
		.mix_case = p->case_misses < DNS_CASE_MISSES_MAX,
		.done = attempt_done, .context = q,
	};

	if (q->n_sent >= ATTEMPTS_MAX)
		return false;
	a = &q->attempts[q->n_sent++];
	*a = (struct attempt){ .peer = peer, .sent_ms = now_ms, .tcp = tcp, .edns = ask.edns };
	a->exchange = dns_exchange_start(q->owner->exchanges, &ask);
	if (!a->exchange)
		peer_failed(p, now_ms);
	return a->exchange;
}

static size_t attempts_open(const struct question *q)
{
	size_t n = 0;

	for (size_t i = 0; i < q->n_sent; i++)
		n += q->attempts[i].exchange != NULL;
	return n;
}

static void question_wake_at(struct question *q, uint64_t at_ms)
{
	/* It only moves: that needs no memory. */
	(void)dns_timer_set(&q->owner->timers, &q->timer,
			    at_ms < q->deadline_ms ? at_ms : q->deadline_ms);
}

/* How long the peer that was just asked is waited for before the next one is asked, too. */
static uint64_t patience_ms(const struct question *q, const struct dns_peer *p)
{
	uint64_t hedge = p->rtt_ms ? p->rtt_ms * 3 : HEDGE_MAX_MS;

	if (q->n_sent >= q->peers->n)
		return (uint64_t)RETRY_MS << (q->n_sent / q->peers->n - 1);
	return hedge < HEDGE_MIN_MS ? HEDGE_MIN_MS : hedge > HEDGE_MAX_MS ? HEDGE_MAX_MS : hedge;
}

static void question_fail(struct question *q)
{
	q->owner->counters->servfail++;
	question_end(q, &(struct dns_body){ .rcode = q->rcode });
}

/* One more message for the question, to the peer whose turn it is; and beside it to one that
 * failed, to see whether it still does. */
static void question_try(struct question *q, uint64_t now_ms)
{
	size_t peer;
	bool sent;

	if (!peer_choose(q, &peer)) {
		q->rcode = DNS_REFUSED;
		question_fail(q);
		return;
	}
	sent = attempt_start(q, peer, false, now_ms);
	if (sent && q->n_sent == 1)
		for (size_t i = 0; i < q->peers->n; i++) {
			struct dns_peer *p = &q->peers->items[i];

			if (i == peer || p->failures < FAILURES_MAX || p->probe_ms > now_ms ||
			    is_own(q->owner, &p->where))
				continue;
			p->probe_ms = now_ms + PROBE_MS;
			(void)attempt_start(q, i, false, now_ms);	/* only a probe */
		}
	if (!attempts_open(q) && q->n_sent >= ATTEMPTS_MAX) {
		question_fail(q);
		return;
	}
	question_wake_at(q, now_ms + (sent ? patience_ms(q, &q->peers->items[peer]) :
					     q->n_sent < q->peers->n ? 0 : BROKEN_RETRY_MS));
}

/* An attempt came to nothing: the next peer at once, or (again) soon the same ones. */
static void attempt_failed(struct question *q, bool again, uint64_t now_ms)
{
	if (q->n_sent < q->peers->n)
		question_try(q, now_ms);
	else if (again && !attempts_open(q) && q->n_sent < 2 * q->peers->n &&
		 q->n_sent < ATTEMPTS_MAX)
		question_wake_at(q, now_ms + BROKEN_RETRY_MS);
	else if (!attempts_open(q))
		question_fail(q);
}

/* Peers that were asked long enough before the one that answered and did not: they failed. */
static void losers_failed(struct question *q, size_t winner, uint64_t now_ms)
{
	for (size_t i = 0; i < q->n_sent; i++) {
		const struct attempt *a = &q->attempts[i];
		struct dns_peer *p = &q->peers->items[a->peer];

		if (!a->exchange || a->peer == winner)
			continue;
		if (now_ms - a->sent_ms >= LATE_MS && now_ms - a->sent_ms >= 4u * p->rtt_ms) {
			q->owner->counters->upstream_timeouts++;
			peer_failed(p, now_ms);
		}
	}
}

/* A usable answer: for everybody who waits, and for the cache. */
static void question_answered(struct question *q, const struct dns_response *response,
			      uint64_t now_ms)
{
	struct dns_forwarder *f = q->owner;
	struct dns_body body = { .rcode = response->rcode, .n_answers = response->n_answers,
				 .n_authority = response->n_authority, .wire = f->body,
				 .len = response->len };

	dns_cache_add(f->cache, &q->asked, response, f->body, now_ms);
	question_end(q, &body);
}

/* The upstream says that it cannot answer. */
static void question_declined(struct question *q, const struct attempt *a, uint8_t rcode,
			      uint64_t now_ms)
{
	struct dns_peer *p = &q->peers->items[a->peer];

	if (a->edns && (rcode == DNS_FORMERR || rcode == DNS_NOTIMP) && !p->no_edns) {
		p->no_edns = true;	/* RFC 6891 7 */
		if (attempt_start(q, a->peer, a->tcp, now_ms))
			return;
	}
	q->rcode = rcode;
	attempt_failed(q, false, now_ms);
}

static void attempt_answered(struct question *q, struct attempt *a, const uint8_t *packet,
			     size_t len, uint64_t now_ms)
{
	struct dns_forwarder *f = q->owner;
	struct wr w = wr_init(f->body, DNS_MESSAGE_MAX);
	struct dns_response response;

	if (dns_response_decode(packet, len, &q->asked, &w, &response) < 0) {
		q->rcode = DNS_SERVFAIL;
		attempt_failed(q, true, now_ms);
		return;
	}
	if (!a->tcp)
		peer_answered(&q->peers->items[a->peer], now_ms - a->sent_ms);
	if (response.truncated && !a->tcp) {
		if (!attempt_start(q, a->peer, true, now_ms))
			attempt_failed(q, true, now_ms);
	} else if (response.truncated ||
		   (response.rcode != DNS_NOERROR && response.rcode != DNS_NXDOMAIN)) {
		question_declined(q, a, response.truncated ? DNS_SERVFAIL : response.rcode,
				  now_ms);
	} else {
		losers_failed(q, a->peer, now_ms);
		question_answered(q, &response, now_ms);
	}
}

static void attempt_done(void *context, struct dns_exchange *e, enum dns_exchange_result result,
			 const uint8_t *packet, size_t len, uint64_t now_ms)
{
	struct question *q = context;
	struct attempt *a = q->attempts;
	struct dns_peer *p;

	while (a->exchange != e)
		a++;
	dns_exchange_cancel(e);
	a->exchange = NULL;
	p = &q->peers->items[a->peer];
	switch (result) {
	case DNS_EXCHANGE_ANSWER:
		attempt_answered(q, a, packet, len, now_ms);
		return;
	case DNS_EXCHANGE_DOUBTFUL:
		/* After a few of these it is the upstream that does not keep the case. */
		if (p->case_misses < DNS_CASE_MISSES_MAX)
			p->case_misses++;
		if (!attempt_start(q, a->peer, true, now_ms))
			attempt_failed(q, true, now_ms);
		return;
	case DNS_EXCHANGE_BROKEN:
		p->failures = FAILURES_MAX;
		peer_failed(p, now_ms);
		attempt_failed(q, true, now_ms);
		return;
	}
}

static struct dns_waiter *waiter_new(struct dns_forwarder *f, const struct dns_query *query,
				     const uint8_t *packet, const struct dns_asker *asker,
				     struct dns_fair_client **payer_out)
{
	size_t bytes = sizeof(struct charged_waiter) + query->question_end;
	struct dns_fair_client *payer = dns_fair_charge(f->fair, &asker->client, bytes);
	struct charged_waiter *c = payer ? malloc(bytes) : NULL;

	if (!c) {
		if (payer)
			dns_fair_release(f->fair, payer, bytes);
		return NULL;
	}
	c->payer = *payer_out = payer;
	c->bytes = bytes;
	c->waiter.next = NULL;
	c->waiter.asker = *asker;
	c->waiter.query = *query;
	memcpy(c->waiter.packet, packet, query->question_end);
	return &c->waiter;
}

static struct question *question_new(struct dns_forwarder *f, const struct dns_question *asked,
				     struct dns_peers *peers, const struct dns_asker *asker,
				     uint64_t now_ms)
{
	struct dns_fair_client *payer = dns_fair_charge(f->fair, &asker->client,
							sizeof(struct question));
	struct question *q = payer ? calloc(1, sizeof(*q)) : NULL;

	if (q) {
		q->owner = f;
		q->asked = *asked;
		q->key_len = dns_question_key(asked, q->key);
		q->payer = payer;
		q->rcode = DNS_SERVFAIL;
		q->deadline_ms = now_ms + DNS_FORWARD_TIMEOUT_MS;
		if (dns_timer_set(&f->timers, &q->timer, q->deadline_ms) == 0) {
			if (nd_hash_set(f->questions, q->key, q->key_len, q) == 0) {
				q->peers = dns_peers_ref(peers);
				dns_fair_push(f->fair, payer, &q->item);
				return q;
			}
			dns_timer_cancel(&f->timers, &q->timer);
		}
		free(q);
	}
	if (payer)
		dns_fair_release(f->fair, payer, sizeof(*q));
	return NULL;
}

enum dns_ask_result dns_forwarder_ask(struct dns_forwarder *f, const struct dns_query *query,
				      const uint8_t *packet, const struct dns_asker *asker,
				      uint64_t now_ms)
{
	struct dns_peers *peers = dns_routes_find(f->routes, &query->name);
	uint8_t key[DNS_KEY_MAX];
	struct dns_question asked;
	struct dns_fair_client *payer;
	struct dns_waiter *w;
	struct question *q;

	if (!peers)
		return DNS_ASK_NO_UPSTREAM;
	w = waiter_new(f, query, packet, asker, &payer);
	if (!w)
		return DNS_ASK_OVER_SHARE;
	dns_question_of(query, &asked);
	q = nd_hash_find(f->questions, key, dns_question_key(&asked, key));
	if (!q) {
		q = question_new(f, &asked, peers, asker, now_ms);
		if (!q) {
			waiter_free(f, w);
			return DNS_ASK_OVER_SHARE;
		}
		f->counters->forwarded++;
	} else {
		f->counters->coalesced++;
		if (q->item.queued && q->item.client != payer) {
			/* Its turn must not come later because somebody busier asked first. */
			dns_fair_done(f->fair, &q->item);
			dns_fair_push(f->fair, payer, &q->item);
		}
	}
	w->next = q->waiters;
	q->waiters = w;
	return DNS_ASK_UNDER_WAY;
}

/* A flood is over: what it took goes back to the system. */
static void memory_rest(struct dns_forwarder *f)
{
	size_t n = nd_hash_count(f->questions);

	if (n > f->peak)
		f->peak = n;
	if (n || f->peak < PEAK_MIN)
		return;
	f->peak = 0;
	(void)malloc_trim(0);	/* nothing to give back is fine */
}

void dns_forwarder_run(struct dns_forwarder *f, uint64_t now_ms)
{
	struct dns_timer *t;

	while ((t = dns_timer_first(&f->timers)) && t->at_ms <= now_ms) {
		struct question *q =
			(struct question *)((uint8_t *)t - offsetof(struct question, timer));

		if (now_ms < q->deadline_ms) {
			question_try(q, now_ms);
			continue;
		}
		losers_failed(q, SIZE_MAX, now_ms);
		question_fail(q);
	}
	for (int i = 0; i < STARTS_PER_ROUND; i++) {
		struct question *q = (struct question *)dns_fair_next(f->fair);

		if (!q)
			break;
		question_try(q, now_ms);
	}
	memory_rest(f);
}

uint64_t dns_forwarder_next_ms(const struct dns_forwarder *f)
{
	const struct dns_timer *t = dns_timer_first(&f->timers);

	if (dns_fair_ready(f->fair))
		return 0;
	return t ? t->at_ms : DNS_NEVER;
}

size_t dns_forwarder_in_flight(const struct dns_forwarder *f)
{
	return nd_hash_count(f->questions);
}
