/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dns/forwarder.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "dns/exchange.h"
#include "dns/fair.h"
#include "dns/race.h"
#include "dns/route.h"
#include "dns/timer.h"
#include "netd/base/array.h"
#include "netd/base/hash.h"
#include "netd/base/log.h"

#define STARTS_PER_ROUND 64		/* between two looks at the clients' sockets */
#define PEAK_MIN 256			/* questions at a time that take memory worth giving back */

/* Of questions and those who wait for them, and of questions under way. */
static const struct dns_fair_limits limits = {
	.bytes = 4 * 1024 * 1024, .client_bytes = 16 * 1024, .bytes_hard = 8 * 1024 * 1024,
	.active = 1024, .client_active = 8,
};

/*
 * One question and all clients that wait for its answer:
 *
 *	QUEUED --its client's turn--> RACING --over--> gone
 *	   `--deadline--> gone
 */
struct question {
	struct dns_fair_item item;	/* first: fair.h gives it back */
	struct dns_timer timer;
	struct dns_race race;
	struct dns_forwarder *owner;
	size_t key_len;			/* 0: no longer found by it */
	uint8_t key[DNS_KEY_MAX];
	struct dns_fair_client *payer;
	struct dns_waiter *waiters;
};

/* A waiter and who pays for it. */
struct charged_waiter {
	struct dns_fair_client *payer;
	size_t bytes;
	struct dns_waiter waiter;	/* last: it ends in the packet */
};

struct dns_forwarder {
	const char *network;
	struct dns_cache *cache;
	struct dns_counters *counters;
	dns_forwarder_done *done;
	void *context;
	struct dns_routes *routes;
	struct dns_upstream *own;
	struct dns_course course;
	struct dns_fair *fair;
	struct dns_timers timers;
	struct nd_hash *questions;	/* by key */
	size_t peak;			/* most questions since memory was last given back */
	struct nd_log_limit inside_log;
};

static void question_wake(struct dns_race *race, uint64_t at_ms);
static void question_over(struct dns_race *race, const struct dns_response *response,
			  const uint8_t *body, uint64_t now_ms);

struct dns_forwarder *dns_forwarder_new(const char *network, struct dns_loop *loop,
					struct dns_cache *cache, struct dns_counters *counters,
					dns_forwarder_done *done, void *context)
{
	struct dns_forwarder *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->network = network;
	f->inside_log = (struct nd_log_limit){ .interval_s = 60, .burst = 5 };
	f->cache = cache;
	f->counters = counters;
	f->done = done;
	f->context = context;
	f->fair = dns_fair_new(&limits);
	f->questions = nd_hash_new();
	f->course = (struct dns_course){ .exchanges = dns_exchanges_new(loop, counters),
					 .counters = counters,
					 .body = malloc(DNS_MESSAGE_MAX),
					 .wake = question_wake, .over = question_over };
	if (!f->course.body || !f->course.exchanges || !f->fair || !f->questions) {
		dns_forwarder_free(f);
		return NULL;
	}
	return f;
}

static struct question *question_of(struct dns_race *race)
{
	return (struct question *)((uint8_t *)race - offsetof(struct question, race));
}

static struct question *question_of_timer(struct dns_timer *t)
{
	return (struct question *)((uint8_t *)t - offsetof(struct question, timer));
}

static void waiter_free(struct dns_forwarder *f, struct dns_waiter *w)
{
	struct charged_waiter *c =
		(struct charged_waiter *)((uint8_t *)w - offsetof(struct charged_waiter, waiter));

	dns_fair_release(f->fair, c->payer, c->bytes);
	free(c);
}

/* Whoever asks the same from now on does not meet this one. */
static void question_hide(struct question *q)
{
	if (q->key_len)
		nd_hash_remove(q->owner->questions, q->key, q->key_len);
	q->key_len = 0;
}

/* Tells everybody who waits and forgets the question. body as for dns_forwarder_done. */
static void question_end(struct question *q, const struct dns_body *body)
{
	struct dns_forwarder *f = q->owner;

	question_hide(q);
	dns_timer_cancel(&f->timers, &q->timer);
	dns_fair_done(f->fair, &q->item);
	dns_race_fini(&q->race);
	while (q->waiters) {
		struct dns_waiter *w = q->waiters;

		q->waiters = w->next;
		f->done(f->context, w, body);
		waiter_free(f, w);
	}
	dns_fair_release(f->fair, q->payer, sizeof(*q));
	free(q);
}

static void question_wake(struct dns_race *race, uint64_t at_ms)
{
	struct question *q = question_of(race);

	(void)dns_timer_set(&q->owner->timers, &q->timer, at_ms);	/* only moves: no memory */
}

/* Somebody attacks, or a domain wants a rule: the operator should know which. */
static void inside_note(struct dns_forwarder *f, const struct dns_name *name)
{
	char text[DNS_NAME_STRLEN];

	f->counters->upstream_inside++;
	nd_log_limited(&f->inside_log, LOG_WARNING, f->network, "DNS: the answer for %s led to an "
		       "address inside the network and was kept back", dns_name_format(name, text));
}

static void question_over(struct dns_race *race, const struct dns_response *response,
			  const uint8_t *body, uint64_t now_ms)
{
	struct question *q = question_of(race);
	struct dns_forwarder *f = q->owner;

	if (!response) {
		f->counters->servfail++;
		question_end(q, &(struct dns_body){ .rcode = race->rcode });
		return;
	}
	if (response->inside)
		inside_note(f, &race->asked.name);
	/* What upstreams said that are not asked any more is for those who asked them. */
	if (dns_routes_find(f->routes, &race->asked.name) == race->peers)
		dns_cache_add(f->cache, &race->asked, response, body, now_ms);
	question_end(q, &(struct dns_body){ .rcode = response->rcode,
					    .n_answers = response->n_answers,
					    .n_authority = response->n_authority,
					    .wire = body, .len = response->len });
}

void dns_forwarder_free(struct dns_forwarder *f)
{
	struct dns_timer *t;

	if (!f)
		return;
	while ((t = dns_timer_first(&f->timers)))
		question_end(question_of_timer(t), NULL);
	dns_exchanges_free(f->course.exchanges);
	dns_fair_free(f->fair);
	dns_timers_fini(&f->timers);
	dns_routes_free(f->routes);
	nd_hash_free(f->questions);
	free(f->course.body);
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
	if (f->routes && dns_routes_equal(f->routes, routes)) {
		dns_routes_free(routes);
		return 0;
	}
	dns_cache_clear(f->cache);
	dns_routes_free(f->routes);
	f->routes = routes;
	f->course.inside = dns_routes_inside(routes);
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
	struct dns_upstream *o = nd_array_add(f->own, f->course.n_own);

	if (!o)
		return -ENOMEM;
	*o = *own;
	f->course.own = f->own;
	return 0;
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
		q->key_len = dns_question_key(asked, q->key);
		q->payer = payer;
		if (dns_timer_set(&f->timers, &q->timer, now_ms + DNS_RACE_MS) == 0) {
			if (nd_hash_set(f->questions, q->key, q->key_len, q) == 0) {
				dns_race_init(&q->race, &f->course, asked, peers,
					      dns_routes_trusts(f->routes, &asked->name), now_ms);
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
	if (q && q->race.peers != peers) {
		question_hide(q);	/* it asks upstreams of before */
		q = NULL;
	}
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
	size_t n = f->timers.n;

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

	while ((t = dns_timer_first(&f->timers)) && t->at_ms <= now_ms)
		dns_race_turn(&question_of_timer(t)->race, now_ms);
	for (int i = 0; i < STARTS_PER_ROUND; i++) {
		struct question *q = (struct question *)dns_fair_next(f->fair);

		if (!q)
			break;
		dns_race_turn(&q->race, now_ms);
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
	return f->timers.n;
}
