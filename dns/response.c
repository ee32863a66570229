/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dns/response.h"

#include <errno.h>

#define RECORDS_MAX 1024	/* of one message: bounds the work that one upstream can cause */
#define CHAIN_MAX 16		/* CNAMEs */

/* Where names stand in the records' data: the types whose names may come compressed (RFC 3597 4).
 * Everything else is copied as it is. */
struct layout {
	uint16_t type;
	uint8_t before, strings, names, after;	/* bytes, character strings, names, bytes */
	bool compress;				/* in what we write: only RFC 1035's own */
};

static const struct layout layouts[] = {
	{ DNS_TYPE_NS, 0, 0, 1, 0, true },
	{ 3, 0, 0, 1, 0, false },		/* MD */
	{ 4, 0, 0, 1, 0, false },		/* MF */
	{ DNS_TYPE_CNAME, 0, 0, 1, 0, true },
	{ DNS_TYPE_SOA, 0, 0, 2, 20, true },
	{ 7, 0, 0, 1, 0, false },		/* MB */
	{ 8, 0, 0, 1, 0, false },		/* MG */
	{ 9, 0, 0, 1, 0, false },		/* MR */
	{ DNS_TYPE_PTR, 0, 0, 1, 0, true },
	{ 14, 0, 0, 2, 0, false },		/* MINFO */
	{ DNS_TYPE_MX, 2, 0, 1, 0, true },
	{ 17, 0, 0, 2, 0, false },		/* RP */
	{ 18, 2, 0, 1, 0, false },		/* AFSDB */
	{ 21, 2, 0, 1, 0, false },		/* RT */
	{ 26, 2, 0, 2, 0, false },		/* PX */
	{ DNS_TYPE_SRV, 6, 0, 1, 0, false },
	{ 35, 4, 3, 1, 0, false },		/* NAPTR */
	{ 36, 2, 0, 1, 0, false },		/* KX */
	{ DNS_TYPE_DNAME, 0, 0, 1, 0, false },
	{ DNS_TYPE_A, 4, 0, 0, 0, false },
	{ DNS_TYPE_AAAA, 16, 0, 0, 0, false },
};

struct record {
	struct dns_name owner;
	uint16_t type, class;
	uint32_t ttl_s;
	struct rd rdata;
};

/* The message's sections, and what is being written. */
struct job {
	const uint8_t *packet;
	const struct dns_question *q;
	const struct dns_inside *inside;
	struct rd answers, authority;	/* readers at each section's first record */
	unsigned n_answers, n_authority;
	struct wr *w;
	struct dns_response *out;
	uint32_t min_ttl_s;
};

static const struct layout *layout_of(uint16_t type)
{
	for (size_t i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++)
		if (layouts[i].type == type)
			return &layouts[i];
	return NULL;
}

static void record_decode(struct rd *r, const uint8_t *packet, struct record *out)
{
	dns_name_decode(r, packet, &out->owner);
	out->type = rd_u16(r);
	out->class = rd_u16(r);
	out->ttl_s = rd_u32(r);
	if (out->ttl_s > INT32_MAX)
		out->ttl_s = 0;		/* RFC 2181 8 */
	out->rdata = rd_sub(r, rd_u16(r));
}

/* Writes a name, ending in a pointer to the question where they end alike. */
static void name_write(struct job *j, const struct dns_name *name, bool compress)
{
	const struct dns_name *q = &j->q->name;
	size_t keep = 0, at = 0;

	/* The longest end of name that is an end of the question's, too. */
	for (; compress && name->wire[keep]; keep += 1u + name->wire[keep]) {
		struct dns_name end = { .len = (uint8_t)(name->len - keep) };

		memcpy(end.wire, name->wire + keep, end.len);
		if (dns_name_is_below(q, &end)) {
			at = DNS_HEADER_LEN + (size_t)(q->len - end.len);
			break;
		}
	}
	if (!at) {
		wr_bytes(j->w, name->wire, name->len);
		return;
	}
	wr_bytes(j->w, name->wire, keep);
	wr_u16(j->w, (uint16_t)(0xc000 | at));
}

static void bytes_copy(struct job *j, struct rd *r, size_t n)
{
	const uint8_t *p = rd_bytes(r, n);

	if (p)
		wr_bytes(j->w, p, n);
}

static void rdata_write(struct job *j, const struct record *rec)
{
	const struct layout *l = layout_of(rec->type);
	struct rd r = rec->rdata;
	struct dns_name name;

	if (!l) {
		bytes_copy(j, &r, rd_left(&r));
		return;
	}
	bytes_copy(j, &r, l->before);
	for (unsigned i = 0; i < l->strings; i++) {
		uint8_t n = rd_u8(&r);

		wr_u8(j->w, n);
		bytes_copy(j, &r, n);
	}
	for (unsigned i = 0; i < l->names; i++) {
		dns_name_decode(&r, j->packet, &name);
		name_write(j, &name, l->compress);
	}
	bytes_copy(j, &r, l->after);
	if (r.bad || rd_more(&r))
		j->w->full = true;	/* data that does not fit its type: the message is bad */
}

static void record_write(struct job *j, const struct record *rec, uint32_t ttl_s)
{
	uint8_t *len_at;
	size_t start;

	if (ttl_s > DNS_TTL_MAX_S)
		ttl_s = DNS_TTL_MAX_S;
	if (ttl_s < j->min_ttl_s)
		j->min_ttl_s = ttl_s;
	name_write(j, &rec->owner, true);
	wr_u16(j->w, rec->type);
	wr_u16(j->w, DNS_CLASS_IN);
	wr_u32(j->w, ttl_s);
	len_at = wr_room(j->w, 2);
	start = wr_len(j->w);
	rdata_write(j, rec);
	if (j->w->full)
		return;
	len_at[0] = (wr_len(j->w) - start) >> 8 & 0xff;
	len_at[1] = (wr_len(j->w) - start) & 0xff;
}

/* What an RRSIG signs. */
static uint16_t type_covered(const struct record *rec)
{
	struct rd r = rec->rdata;

	return rec->type == DNS_TYPE_RRSIG ? rd_u16(&r) : rec->type;
}

/* A DNAME above the name leads on by the CNAME that came with it (RFC 6672 3.1). */
static bool wanted(const struct job *j, const struct record *rec, const struct dns_name *name)
{
	uint16_t type = type_covered(rec);

	if (rec->class != DNS_CLASS_IN || (rec->type == DNS_TYPE_RRSIG && !j->q->dnssec_ok &&
					   j->q->type != DNS_TYPE_RRSIG))
		return false;
	if (type == DNS_TYPE_DNAME && j->q->dnssec_ok && dns_name_is_below(name, &rec->owner))
		return true;
	return dns_name_equal(&rec->owner, name) &&
	       (rec->type == j->q->type || type == j->q->type || type == DNS_TYPE_CNAME);
}

/* Writes what the answer section has for a name. Returns true with *next_out when that is a CNAME
 * to follow. */
static bool answers_write(struct job *j, const struct dns_name *name, bool *found_out,
			  struct dns_name *next_out)
{
	struct rd r = j->answers;
	bool follow = false;

	for (unsigned i = 0; i < j->n_answers; i++) {
		struct record rec;

		record_decode(&r, j->packet, &rec);
		if (!wanted(j, &rec, name))
			continue;
		if (rec.type == DNS_TYPE_CNAME && j->q->type != DNS_TYPE_CNAME) {
			struct rd target = rec.rdata;

			if (follow)
				continue;	/* one CNAME per name (RFC 2181 10.1) */
			dns_name_decode(&target, j->packet, next_out);
			follow = true;
		} else if (rec.type == j->q->type) {
			*found_out = true;
		}
		if (j->inside && dns_inside_record(j->inside, rec.type, rec.rdata))
			j->out->inside = true;
		record_write(j, &rec, rec.ttl_s);
		j->out->n_answers++;
	}
	return follow;
}

static void chain_write(struct job *j, struct dns_name *last_out, bool *found_out)
{
	struct dns_name next;

	*last_out = j->q->name;
	*found_out = false;
	for (int i = 0; i < CHAIN_MAX; i++) {
		if (!answers_write(j, last_out, found_out, &next))
			return;
		*last_out = next;
		if (*found_out)
			return;
	}
	j->w->full = true;	/* a loop of CNAMEs */
}

/* The SOA that says how long "no" holds (RFC 2308 3, 5), and with DNSSEC the proof. */
static void negative_write(struct job *j, const struct dns_name *name, bool *soa_out)
{
	struct rd r = j->authority;

	*soa_out = false;
	for (unsigned i = 0; i < j->n_authority; i++) {
		struct record rec;
		uint16_t type;
		uint32_t ttl_s;

		record_decode(&r, j->packet, &rec);
		type = type_covered(&rec);
		ttl_s = rec.ttl_s;
		if (rec.class != DNS_CLASS_IN || (rec.type == DNS_TYPE_RRSIG && !j->q->dnssec_ok))
			continue;
		if (type == DNS_TYPE_SOA) {
			if (!dns_name_is_below(name, &rec.owner))
				continue;
			if (rec.type == DNS_TYPE_SOA && rd_left(&rec.rdata) >= 22) {
				struct rd minimum = rd_init(rec.rdata.end - 4, 4);
				uint32_t minimum_s = rd_u32(&minimum);

				ttl_s = ttl_s < minimum_s ? ttl_s : minimum_s;
				*soa_out = true;
			}
		} else if (!j->q->dnssec_ok ||
			   (type != DNS_TYPE_NSEC && type != DNS_TYPE_NSEC3)) {
			continue;
		}
		record_write(j, &rec, ttl_s < DNS_NEGATIVE_TTL_MAX_S ? ttl_s :
							DNS_NEGATIVE_TTL_MAX_S);
		j->out->n_authority++;
	}
}

bool dns_response_matches(const uint8_t *packet, size_t len, uint16_t id,
			  const struct dns_name *name, uint16_t type, bool *exact_out)
{
	struct rd r = rd_init(packet, len);
	uint16_t got_id = rd_u16(&r), flags = rd_u16(&r), n_questions = rd_u16(&r);
	struct dns_name got;
	uint16_t got_type, got_class;

	rd_skip(&r, 6);
	dns_name_decode(&r, packet, &got);
	got_type = rd_u16(&r);
	got_class = rd_u16(&r);
	if (r.bad || got_id != id || !(flags & DNS_QR) || (flags & DNS_OPCODE) ||
	    n_questions != 1 || got_type != type || got_class != DNS_CLASS_IN ||
	    !dns_name_equal(&got, name))
		return false;
	*exact_out = memcmp(got.wire, name->wire, name->len) == 0;
	return true;
}

/* Finds the sections and sees that every record in them decodes. */
static int sections_find(struct job *j, struct rd *r)
{
	struct record rec;
	struct dns_name name;

	rd_skip(r, 4);
	rd_skip(r, 2);
	j->n_answers = rd_u16(r);
	j->n_authority = rd_u16(r);
	rd_skip(r, 2);
	dns_name_decode(r, j->packet, &name);
	rd_skip(r, 4);
	if (r->bad || j->n_answers + j->n_authority > RECORDS_MAX)
		return -EBADMSG;
	j->answers = *r;
	for (unsigned i = 0; i < j->n_answers; i++)
		record_decode(r, j->packet, &rec);
	j->authority = *r;
	for (unsigned i = 0; i < j->n_authority; i++)
		record_decode(r, j->packet, &rec);
	return r->bad ? -EBADMSG : 0;
}

int dns_response_decode(const uint8_t *packet, size_t len, const struct dns_question *question,
			const struct dns_inside *inside, struct wr *w, struct dns_response *out)
{
	struct job j = { .packet = packet, .q = question, .inside = inside, .w = w, .out = out,
			 .min_ttl_s = DNS_TTL_MAX_S };
	struct rd r = rd_init(packet, len), head = r;
	struct dns_name last;
	bool found, soa = false;
	uint16_t flags;

	rd_skip(&head, 2);
	flags = rd_u16(&head);
	if (head.bad)
		return -EBADMSG;
	*out = (struct dns_response){ .rcode = flags & DNS_RCODE, .truncated = flags & DNS_TC };
	if (out->truncated)
		return 0;
	if (out->rcode != DNS_NOERROR && out->rcode != DNS_NXDOMAIN)
		return 0;
	if (sections_find(&j, &r) < 0)
		return -EBADMSG;
	chain_write(&j, &last, &found);
	if (!found || question->dnssec_ok)
		negative_write(&j, &last, &soa);
	if (w->full)
		return -EBADMSG;
	if (out->inside) {
		/* One address that leads inside puts the whole answer in doubt. */
		w->at = w->start;
		out->n_answers = out->n_authority = 0;
		return 0;
	}
	out->len = wr_len(w);
	/* Without a SOA "no" must not be cached (RFC 2308 5). */
	out->ttl_s = found || soa ? j.min_ttl_s : 0;
	return 0;
}
