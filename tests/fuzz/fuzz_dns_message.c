/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An upstream's answer: decoded, written anew, put into a reply, and that must be well-formed.
 * The input is the message; the question that was sent is its own. */
#include <string.h>

#include "dns/response.h"
#include "tests/fuzz/dns_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A client's query for this question, as dns_reply_write() wants it. */
static void query_make(const struct dns_question *q, struct dns_query *out, uint8_t *packet)
{
	struct wr w = wr_init(packet, DNS_HEADER_LEN + DNS_QUESTION_MAX + DNS_OPT_LEN);

	dns_query_encode(&w, 77, &q->name, q->type, true, q->dnssec_ok, false);
	MUST(!w.full);
	MUST(dns_query_decode(packet, wr_len(&w), out) != DNS_DROP);
}

static void answer_check(const uint8_t *data, size_t size, const struct dns_question *q,
			 const struct dns_inside *inside)
{
	static uint8_t body[DNS_MESSAGE_MAX], packet[DNS_MESSAGE_MAX];
	struct wr w = wr_init(body, sizeof(body));
	struct dns_response response;
	struct dns_query query;

	if (dns_response_decode(data, size, q, inside, &w, &response) < 0 || response.truncated)
		return;
	MUST(response.len == wr_len(&w));
	MUST(!response.inside || (inside && !response.len && !response.n_answers));
	MUST(response.ttl_s <= DNS_TTL_MAX_S);
	query_make(q, &query, packet);
	if (!query.question_end)
		return;
	for (uint32_t age_s = 0; age_s < 1000; age_s += 400) {
		struct dns_body b = { .rcode = response.rcode, .n_answers = response.n_answers,
				      .n_authority = response.n_authority, .wire = body,
				      .len = response.len, .age_s = age_s };
		size_t len = dns_reply_write(packet, sizeof(packet), &query, &b);

		reply_check(packet, len, 77, sizeof(packet));
		MUST(!(packet[2] & DNS_TC >> 8) || len < 600);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct nd_prefix subnets[] = { { { AF_INET, .v4.s_addr = 0x0a }, 8 } };
	const struct dns_inside inside = { subnets, 1 };
	struct rd r = rd_init(data, size);
	struct dns_question q = { 0 };
	struct dns_name sent;
	bool exact;

	rd_skip(&r, DNS_HEADER_LEN);
	dns_name_decode(&r, data, &sent);
	q.name = sent;
	dns_name_lower(&q.name);
	q.type = rd_u16(&r);
	if (r.bad)
		return 0;
	(void)dns_response_matches(data, size, (uint16_t)(data[0] << 8 | data[1]), &sent, q.type,
				   &exact);
	for (int dnssec_ok = 0; dnssec_ok <= 1; dnssec_ok++) {
		q.dnssec_ok = dnssec_ok;
		answer_check(data, size, &q, NULL);
		answer_check(data, size, &q, &inside);
	}
	return 0;
}
