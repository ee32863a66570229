/* SPDX-License-Identifier: GPL-2.0-or-later */
/* response.h -- what an upstream answered, cut down to what was asked
 *
 * Nothing that an upstream sends reaches a client as it came: the records that answer the
 * question (with the CNAMEs that lead there) are decoded and written anew; the rest is dropped,
 * so nothing outside the question can get into the cache (RFC 5452 6, RFC 2181 5.4.1).
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dns/inside.h"
#include "dns/message.h"

/* A question to an upstream. */
struct dns_question {
	struct dns_name name;	/* in lower case */
	uint16_t type;
	bool dnssec_ok, checking_disabled;
};

#define DNS_KEY_MAX (DNS_NAME_MAX + 3)

/* The question that a client's query is. */
static inline void dns_question_of(const struct dns_query *q, struct dns_question *out)
{
	out->name = q->name;
	out->type = q->type;
	out->dnssec_ok = q->dnssec_ok;
	out->checking_disabled = q->flags & DNS_CD;
}

/* Bytes that are equal for equal questions; key has room for DNS_KEY_MAX. Returns how many. */
static inline size_t dns_question_key(const struct dns_question *q, uint8_t *key)
{
	key[0] = q->type >> 8;
	key[1] = q->type & 0xff;
	key[2] = (uint8_t)(q->dnssec_ok | q->checking_disabled << 1);
	memcpy(key + 3, q->name.wire, q->name.len);
	return 3u + q->name.len;
}

struct dns_response {
	uint8_t rcode;
	bool truncated;		/* ask again over TCP; nothing else is filled in */
	bool inside;		/* it led into the network: no record is left of it */
	uint16_t n_answers, n_authority;
	uint32_t ttl_s;		/* how long it may be cached; 0: not at all */
	size_t len;		/* bytes written to the body */
};

#define DNS_TTL_MAX_S 86400
#define DNS_NEGATIVE_TTL_MAX_S 3600	/* RFC 2308 5 suggests one to three hours */

/* The header and the question of an upstream's message answer this id and question; *exact_out:
 * so do the letter cases of the name as it was sent. */
bool dns_response_matches(const uint8_t *packet, size_t len, uint16_t id,
			  const struct dns_name *name, uint16_t type, bool *exact_out);

/* Decodes a message that matched. The body (see struct dns_body) goes to w, which is empty.
 * inside: where addresses may not lead (borrowed), NULL: they may lead anywhere.
 * -EBADMSG when it does not decode or does not fit. */
int dns_response_decode(const uint8_t *packet, size_t len, const struct dns_question *question,
			const struct dns_inside *inside, struct wr *w, struct dns_response *out);
