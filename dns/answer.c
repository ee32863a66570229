/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dns/answer.h"

#include "dns/forwarder.h"
#include "netd/base/auto.h"
#include "netd/base/log.h"

#define STRANGERS_PER_S 100

static bool client_is_ours(const struct dns_answerer *a, const struct nd_ip *client)
{
	for (size_t i = 0; i < a->n_subnets; i++)
		if (nd_prefix_contains(&a->subnets[i], client))
			return true;
	/* Link-local sources cannot come from beyond the bridge. */
	return client->family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&client->v6);
}

static size_t finish(struct dns_answerer *a, uint8_t *packet, const struct dns_query *q,
		     const struct dns_asker *asker, const struct dns_body *body)
{
	size_t len = dns_reply_write(packet, dns_reply_limit(asker, q), q, body);

	if (packet[2] & DNS_TC >> 8)
		a->counters->truncated++;
	return len;
}

static size_t refuse(struct dns_answerer *a, uint8_t *packet, const struct dns_query *q,
		     const struct dns_asker *asker, uint8_t rcode)
{
	return finish(a, packet, q, asker, &(struct dns_body){ .rcode = rcode });
}

/* Where the name of an SRV record's target ends in the set's wire form. */
static void additional_add(struct dns_answerer *a, struct wr *w, size_t question_end,
			   uint32_t target_at, const struct dns_name *target, uint16_t *n_out)
{
	static const uint16_t types[] = { DNS_TYPE_A, DNS_TYPE_AAAA };
	struct dns_name lower = *target;
	const struct dns_rrset *rr;

	dns_name_lower(&lower);
	for (size_t t = 0; t < ND_COUNT(types); t++) {
		if (dns_zone_find(a->zone, &lower, types[t], &rr) != DNS_ZONE_FOUND)
			continue;
		for (uint32_t at = 0; at < rr->len;) {
			uint32_t n = 12u + (rr->wire[at + 10] << 8 | rr->wire[at + 11]);

			/* The same record, owned by the name in the SRV's data. */
			wr_u16(w, (uint16_t)(0xc000 | (question_end + target_at)));
			wr_bytes(w, rr->wire + at + 2, n - 2);
			at += n;
			(*n_out)++;
		}
	}
}

/* SRV answers bring the addresses of targets that we know along (RFC 2782). They are left out
 * when they do not fit, without TC (RFC 2181 9). */
static size_t answer_srv(struct dns_answerer *a, uint8_t *packet, const struct dns_query *q,
			 const struct dns_asker *asker, struct dns_body *body)
{
	uint8_t wire[DNS_UDP_MAX];
	size_t limit = dns_reply_limit(asker, q);
	size_t room = limit - q->question_end - (q->edns ? DNS_OPT_LEN : 0);
	struct wr w = wr_init(wire, room < sizeof(wire) ? room : sizeof(wire));
	uint16_t n = 0;

	wr_bytes(&w, body->wire, body->len);
	for (uint32_t at = 0; at < body->len && !w.full;) {
		struct rd r = rd_init(body->wire + at + 18, body->len - at - 18);
		struct dns_name target;

		dns_name_decode(&r, body->wire, &target);
		if (!r.bad && target.len > 1)
			additional_add(a, &w, q->question_end, at + 18, &target, &n);
		at += 12u + (body->wire[at + 10] << 8 | body->wire[at + 11]);
	}
	if (!w.full) {
		body->wire = wire;
		body->len = wr_len(&w);
		body->n_additional = n;
	}
	return finish(a, packet, q, asker, body);
}

/* RFC 8482 4.2: the answer to "everything about this name" is one record that says nothing. */
static size_t answer_any(struct dns_answerer *a, uint8_t *packet, const struct dns_query *q,
			 const struct dns_asker *asker)
{
	static const uint8_t hinfo[] = { 0xc0, DNS_HEADER_LEN, 0, DNS_TYPE_HINFO, 0, DNS_CLASS_IN,
					 0, 0, 0, 0, 0, 9,
					 7, 'R', 'F', 'C', '8', '4', '8', '2', 0 };

	return finish(a, packet, q, asker,
		      &(struct dns_body){ .n_answers = 1, .wire = hinfo, .len = sizeof(hinfo) });
}

static size_t answer_local(struct dns_answerer *a, uint8_t *packet, const struct dns_query *q,
			   const struct dns_asker *asker, enum dns_zone_result found,
			   const struct dns_rrset *rr)
{
	struct dns_body body = { .authoritative = true };

	a->counters->local++;
	if (found == DNS_ZONE_NXDOMAIN)
		body.rcode = DNS_NXDOMAIN;
	if (found == DNS_ZONE_FOUND) {
		body.wire = rr->wire;
		body.len = rr->len;
		body.n_answers = rr->count;
		if (rr->type == DNS_TYPE_SRV)
			return answer_srv(a, packet, q, asker, &body);
	}
	return finish(a, packet, q, asker, &body);
}

static enum dns_outcome answer_forward(struct dns_answerer *a, uint8_t *packet, size_t *len,
				       const struct dns_query *q, const struct dns_asker *asker,
				       uint64_t now_ms)
{
	switch (dns_forwarder_ask(a->forwarder, q, packet, asker, now_ms)) {
	case DNS_ASK_UNDER_WAY:
		return DNS_LATER;
	case DNS_ASK_OVER_SHARE:
		/* Silence makes a well-meaning client wait and ask again; an error would not. */
		a->counters->dropped_share++;
		return DNS_SILENCE;
	case DNS_ASK_NO_UPSTREAM:
		break;
	}
	a->counters->refused_no_upstream++;
	*len = refuse(a, packet, q, asker, DNS_REFUSED);
	return DNS_REPLY;
}

/* A wrong set-up deserves an answer that says so; a flood of forged addresses none. */
static bool stranger_may_know(struct dns_answerer *a, uint64_t now_ms)
{
	if (now_ms / 1000 != a->strangers_s) {
		a->strangers_s = now_ms / 1000;
		a->n_strangers = 0;
	}
	return a->n_strangers++ < STRANGERS_PER_S;
}

static void log_query(const struct dns_answerer *a, const struct dns_query *q,
		      const struct dns_asker *asker, const char *what)
{
	char name[DNS_NAME_STRLEN], client[ND_IP_STRLEN];

	nd_log(LOG_DEBUG, a->network, "DNS query of %s for %s type %u: %s",
	       nd_ip_format(&asker->client, client), dns_name_format(&q->name, name), q->type,
	       what);
}

/* What is known here; 0 when an upstream must be asked. */
static size_t answer_known(struct dns_answerer *a, uint8_t *packet, const struct dns_query *q,
			   const struct dns_asker *asker, uint64_t now_ms)
{
	struct dns_question question;
	const struct dns_rrset *rr = NULL;
	struct dns_body body;
	enum dns_zone_result found = dns_zone_find(a->zone, &q->name, q->type, &rr);

	if (found != DNS_ZONE_UNKNOWN)
		return answer_local(a, packet, q, asker, found, rr);
	if (q->type == DNS_TYPE_ANY)
		return answer_any(a, packet, q, asker);
	if (!(q->flags & DNS_RD)) {
		/* It asks what we know ourselves (RFC 1035 4.1.1), and that is nothing. */
		a->counters->refused_no_upstream++;
		return refuse(a, packet, q, asker, DNS_REFUSED);
	}
	dns_question_of(q, &question);
	if (!dns_cache_find(a->cache, &question, now_ms, &body))
		return 0;
	a->counters->cache_hits++;
	return finish(a, packet, q, asker, &body);
}

enum dns_outcome dns_answer(struct dns_answerer *a, uint8_t *packet, size_t *len,
			    const struct dns_asker *asker, uint64_t now_ms)
{
	struct dns_query q;
	int rcode = dns_query_decode(packet, *len, &q);

	if (rcode == DNS_DROP) {
		a->counters->malformed++;
		return DNS_SILENCE;
	}
	if (!client_is_ours(a, &asker->client)) {
		a->counters->refused_source++;
		if (!stranger_may_know(a, now_ms))
			return DNS_SILENCE;
		/* No longer than the query: there is nothing to amplify. */
		q.edns = false;
		*len = refuse(a, packet, &q, asker, DNS_REFUSED);
		return DNS_REPLY;
	}
	if (rcode != DNS_NOERROR) {
		a->counters->malformed++;
		*len = refuse(a, packet, &q, asker, (uint8_t)rcode);
		return DNS_REPLY;
	}
	*len = answer_known(a, packet, &q, asker, now_ms);
	if (nd_log_enabled(LOG_DEBUG))
		log_query(a, &q, asker, *len ? "answered" : "asking upstream");
	return *len ? DNS_REPLY : answer_forward(a, packet, len, &q, asker, now_ms);
}
