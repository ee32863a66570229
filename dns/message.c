/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dns/message.h"

#define EDNS_DO 0x8000	/* RFC 3225 3 */

/* The one OPT record among the additional ones (RFC 6891 6.1.1). */
static int decode_additional(struct rd *r, const uint8_t *packet, unsigned n,
			     struct dns_query *out, uint8_t *version_out)
{
	struct dns_name owner;

	while (n-- > 0) {
		uint16_t type, class;
		uint32_t ttl;

		dns_name_decode(r, packet, &owner);
		type = rd_u16(r);
		class = rd_u16(r);
		ttl = rd_u32(r);
		rd_skip(r, rd_u16(r));
		if (r->bad)
			return DNS_FORMERR;
		if (type != DNS_TYPE_OPT)
			continue;
		if (out->edns || owner.len != 1)
			return DNS_FORMERR;
		out->edns = true;
		out->dnssec_ok = ttl & EDNS_DO;
		out->udp_size = class < DNS_UDP_PLAIN ? DNS_UDP_PLAIN :
				class > DNS_UDP_MAX ? DNS_UDP_MAX : class;
		*version_out = ttl >> 16 & 0xff;
	}
	return DNS_NOERROR;
}

/* Copies the name in lower case: a question's name has nothing before it to point to. */
static bool decode_question_name(struct rd *r, struct dns_name *out)
{
	size_t len = 0;
	uint8_t n;

	do {
		const uint8_t *label;

		n = rd_u8(r);
		if (n > DNS_LABEL_MAX || len + 1u + n + (n ? 1u : 0u) > DNS_NAME_MAX)
			return false;
		label = rd_bytes(r, n);
		if (r->bad)
			return false;
		out->wire[len++] = n;
		for (uint8_t i = 0; i < n; i++)
			out->wire[len++] = dns_lower(label[i]);
	} while (n);
	out->len = (uint8_t)len;
	return true;
}

int dns_query_decode(const uint8_t *packet, size_t len, struct dns_query *out)
{
	struct rd r = rd_init(packet, len);
	uint16_t n_questions, n_answers, n_authority, n_additional;
	uint8_t version = 0;
	int rcode;

	out->id = rd_u16(&r);
	out->flags = rd_u16(&r);
	n_questions = rd_u16(&r);
	n_answers = rd_u16(&r);
	n_authority = rd_u16(&r);
	n_additional = rd_u16(&r);
	out->question_end = 0;
	out->udp_size = DNS_UDP_PLAIN;
	out->edns = out->dnssec_ok = false;
	if (r.bad || (out->flags & DNS_QR))
		return DNS_DROP;
	if (out->flags & DNS_OPCODE)
		return DNS_NOTIMP;
	if (n_questions != 1 || n_answers || n_authority)
		return DNS_FORMERR;
	if (!decode_question_name(&r, &out->name))
		return DNS_FORMERR;
	out->type = rd_u16(&r);
	out->class = rd_u16(&r);
	if (r.bad)
		return DNS_FORMERR;
	out->question_end = (uint16_t)(r.at - packet);
	rcode = decode_additional(&r, packet, n_additional, out, &version);
	if (rcode != DNS_NOERROR)
		return rcode;
	if (version > 0)
		return DNS_BADVERS;
	if (out->class != DNS_CLASS_IN)
		return DNS_REFUSED;
	if (out->type == 0 || out->type == DNS_TYPE_OPT ||
	    (out->type >= DNS_TYPE_META && out->type < DNS_TYPE_ANY))
		return DNS_NOTIMP;	/* AXFR and other questions about whole zones */
	return DNS_NOERROR;
}

static void put_u16(uint8_t *at, uint16_t v)
{
	at[0] = v >> 8;
	at[1] = v & 0xff;
}

/* Walks records that this server wrote itself, taking age from each TTL. */
static void age_records(uint8_t *at, const uint8_t *end, uint32_t age_s)
{
	struct rd r = rd_init(at, (size_t)(end - at));

	while (rd_more(&r)) {
		uint8_t n;

		while ((n = rd_u8(&r)) != 0) {
			if (n > DNS_LABEL_MAX) {
				rd_skip(&r, 1);
				break;
			}
			rd_skip(&r, n);
		}
		rd_skip(&r, 4);

		uint8_t *ttl_at = at + (r.at - at);
		uint32_t ttl = rd_u32(&r);

		rd_skip(&r, rd_u16(&r));
		if (r.bad)
			return;
		ttl = ttl > age_s ? ttl - age_s : 0;
		put_u16(ttl_at, ttl >> 16);
		put_u16(ttl_at + 2, ttl & 0xffff);
	}
}

static size_t opt_write(uint8_t *at, const struct dns_query *q, unsigned rcode)
{
	at[0] = 0;
	put_u16(at + 1, DNS_TYPE_OPT);
	put_u16(at + 3, DNS_UDP_MAX);
	at[5] = rcode >> 4 & 0xff;
	at[6] = 0;
	put_u16(at + 7, q->dnssec_ok ? EDNS_DO : 0);
	put_u16(at + 9, 0);
	return DNS_OPT_LEN;
}

size_t dns_reply_write(uint8_t *packet, size_t limit, const struct dns_query *q,
		       const struct dns_body *body)
{
	size_t len = q->question_end ? q->question_end : DNS_HEADER_LEN;
	size_t opt = q->edns ? DNS_OPT_LEN : 0;
	bool fits = len + body->len + opt <= limit;
	uint16_t flags = DNS_QR | DNS_RA | (q->flags & (DNS_OPCODE | DNS_RD | DNS_CD)) |
			 (body->rcode & DNS_RCODE);

	if (body->authoritative)
		flags |= DNS_AA;
	if (!fits)
		flags |= DNS_TC;
	put_u16(packet + 2, flags);
	put_u16(packet + 4, q->question_end ? 1 : 0);
	put_u16(packet + 6, fits ? body->n_answers : 0);
	put_u16(packet + 8, fits ? body->n_authority : 0);
	put_u16(packet + 10, (fits ? body->n_additional : 0) + (opt ? 1 : 0));
	if (fits && body->len) {
		memcpy(packet + len, body->wire, body->len);
		if (body->age_s)
			age_records(packet + len, packet + len + body->len, body->age_s);
		len += body->len;
	}
	if (opt)
		len += opt_write(packet + len, q, body->rcode);
	return len;
}

void dns_query_encode(struct wr *w, uint16_t id, const struct dns_name *name, uint16_t type,
		      bool edns, bool dnssec_ok, bool checking_disabled)
{
	wr_u16(w, id);
	wr_u16(w, DNS_RD | (checking_disabled ? DNS_CD : 0));
	wr_u16(w, 1);
	wr_u32(w, 0);
	wr_u16(w, edns ? 1 : 0);
	wr_bytes(w, name->wire, name->len);
	wr_u16(w, type);
	wr_u16(w, DNS_CLASS_IN);
	if (!edns)
		return;
	wr_u8(w, 0);
	wr_u16(w, DNS_TYPE_OPT);
	wr_u16(w, DNS_UDP_MAX);
	wr_u32(w, dnssec_ok ? EDNS_DO : 0);
	wr_u16(w, 0);
}
