/* SPDX-License-Identifier: GPL-2.0-or-later */
/* message.h -- DNS messages: reading a client's query, writing its reply (RFC 1035 4, 6891) */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dns/name.h"
#include "netd/base/cursor.h"

#define DNS_HEADER_LEN 12
#define DNS_QUESTION_MAX (DNS_NAME_MAX + 4)
#define DNS_OPT_LEN 11
#define DNS_UDP_PLAIN 512	/* RFC 1035 4.2.1: without EDNS */
#define DNS_UDP_MAX 1232	/* what we announce and send: no fragments (DNS flag day 2020) */
#define DNS_MESSAGE_MAX 65535

enum dns_type {
	DNS_TYPE_A = 1,
	DNS_TYPE_NS = 2,
	DNS_TYPE_CNAME = 5,
	DNS_TYPE_SOA = 6,
	DNS_TYPE_PTR = 12,
	DNS_TYPE_HINFO = 13,
	DNS_TYPE_MX = 15,
	DNS_TYPE_TXT = 16,
	DNS_TYPE_AAAA = 28,
	DNS_TYPE_SRV = 33,
	DNS_TYPE_DNAME = 39,
	DNS_TYPE_OPT = 41,
	DNS_TYPE_DS = 43,
	DNS_TYPE_RRSIG = 46,
	DNS_TYPE_NSEC = 47,
	DNS_TYPE_NSEC3 = 50,
	DNS_TYPE_SVCB = 64,
	DNS_TYPE_HTTPS = 65,
	DNS_TYPE_META = 128,		/* 128 to 255: question types (RFC 6895 3.1) */
	DNS_TYPE_ANY = 255,
};

#define DNS_CLASS_IN 1

enum dns_rcode {
	DNS_NOERROR = 0,
	DNS_FORMERR = 1,
	DNS_SERVFAIL = 2,
	DNS_NXDOMAIN = 3,
	DNS_NOTIMP = 4,
	DNS_REFUSED = 5,
	DNS_BADVERS = 16,	/* RFC 6891 9 */
};

enum dns_flag {
	DNS_QR = 0x8000,
	DNS_OPCODE = 0x7800,
	DNS_AA = 0x0400,
	DNS_TC = 0x0200,
	DNS_RD = 0x0100,
	DNS_RA = 0x0080,
	DNS_CD = 0x0010,
	DNS_RCODE = 0x000f,
};

struct dns_query {
	uint16_t id, flags;
	uint16_t type, class;
	uint16_t question_end;	/* offset; 0: the question did not decode and is not repeated */
	uint16_t udp_size;	/* the client's, within DNS_UDP_PLAIN..DNS_UDP_MAX */
	bool edns, dnssec_ok;
	struct dns_name name;	/* in lower case; as asked it stands at offset 12 */
};

#define DNS_DROP (-1)

/* Reads a client's query. Returns DNS_NOERROR, the rcode that it is to be refused with, or
 * DNS_DROP for what deserves no reply (shorter than a header, or a reply itself). *out is filled in
 * as far as dns_reply_write() needs it unless DNS_DROP. */
int dns_query_decode(const uint8_t *packet, size_t len, struct dns_query *out);

/* What follows the question of a reply. Compression pointers in wire count from a message whose
 * question stands at offset 12 and is as long as the query's. */
struct dns_body {
	uint8_t rcode;
	bool authoritative;
	uint16_t n_answers, n_authority, n_additional;
	const uint8_t *wire;
	size_t len;
	uint32_t age_s;		/* subtracted from all TTLs */
};

/*
 * Turns a query into its reply, in place: packet holds at least the header and the question of the
 * query that q was decoded from, and has room for limit bytes (at least question_end +
 * DNS_OPT_LEN). A body that does not fit within limit is left out and TC set (RFC 2181 9).
 * Returns the reply's length.
 */
size_t dns_reply_write(uint8_t *packet, size_t limit, const struct dns_query *q,
		       const struct dns_body *body);

/* How long a UDP reply to q may be. */
static inline size_t dns_udp_limit(const struct dns_query *q)
{
	return q->edns ? q->udp_size : DNS_UDP_PLAIN;
}

/* Writes a query for an upstream: RD set, EDNS with DNS_UDP_MAX unless edns is false. */
void dns_query_encode(struct wr *w, uint16_t id, const struct dns_name *name, uint16_t type,
		      bool edns, bool dnssec_ok, bool checking_disabled);
