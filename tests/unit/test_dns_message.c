/* SPDX-License-Identifier: GPL-2.0-or-later */
/* DNS on the wire: names, queries, replies, upstreams' answers and the cache that keeps them. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "dns/cache.h"
#include "dns/message.h"
#include "dns/response.h"
#include "tests/suite.h"

static struct dns_name name(const char *text)
{
	struct dns_name n;

	ck_assert_msg(dns_name_parse(text, &n), "%s", text);
	return n;
}

static void name_is(const struct dns_name *n, const char *text)
{
	char buf[DNS_NAME_STRLEN];

	ck_assert_str_eq(dns_name_format(n, buf), text);
}

START_TEST(names_are_parsed_and_printed)
{
	struct dns_name n = name("www.Example.com.");

	name_is(&n, "www.Example.com");
	ck_assert_uint_eq(n.len, 17);
	ck_assert_uint_eq(dns_name_labels(&n), 3);
	dns_name_lower(&n);
	name_is(&n, "www.example.com");
	n = name(".");
	ck_assert_uint_eq(n.len, 1);
	name_is(&n, ".");
	n = name("a\\.b.c\\000d");
	ck_assert_uint_eq(n.wire[0], 3);
	name_is(&n, "a\\046b.c\\000d");
}
END_TEST

START_TEST(names_that_do_not_fit_are_refused)
{
	struct dns_name n;
	char text[300];

	ck_assert(!dns_name_parse("a..b", &n));
	ck_assert(!dns_name_parse(".a", &n));
	ck_assert(!dns_name_parse("a\\", &n));
	ck_assert(!dns_name_parse("a\\256", &n));
	memset(text, 'x', sizeof(text));
	text[63] = '\0';
	ck_assert(dns_name_parse(text, &n));
	text[63] = 'x';
	text[64] = '\0';
	ck_assert(!dns_name_parse(text, &n));
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = i % 2 ? '.' : 'x';
	text[253] = '\0';
	ck_assert(dns_name_parse(text, &n));	/* 127 labels: 255 bytes */
	ck_assert_uint_eq(n.len, 255);
	text[253] = '.';
	text[255] = '\0';
	ck_assert(!dns_name_parse(text, &n));
}
END_TEST

START_TEST(a_name_is_below_its_domains_only)
{
	struct dns_name n = name("a.B.example"), other = name("xb.example");
	struct dns_name domain = name("b.EXAMPLE"), root = name(".");

	ck_assert(dns_name_is_below(&n, &domain));
	ck_assert(dns_name_is_below(&domain, &domain));
	ck_assert(dns_name_is_below(&n, &root));
	ck_assert(!dns_name_is_below(&domain, &n));
	ck_assert(!dns_name_is_below(&other, &domain));
	ck_assert(dns_name_append(&root, &domain));
	name_is(&root, "b.EXAMPLE");
}
END_TEST

START_TEST(addresses_have_reverse_names)
{
	struct nd_prefix p = { .len = 24 };
	struct nd_ip ip;
	struct dns_name n;

	ck_assert(nd_ip_parse("192.168.122.7", &ip));
	dns_name_reverse(&ip, &n);
	name_is(&n, "7.122.168.192.in-addr.arpa");
	p.addr = ip;
	dns_name_reverse_zone(&p, &n);
	name_is(&n, "122.168.192.in-addr.arpa");
	ck_assert(nd_ip_parse("2001:db8::1f", &ip));
	dns_name_reverse(&ip, &n);
	name_is(&n, "f.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa");
	p = (struct nd_prefix){ .addr = ip, .len = 32 };
	dns_name_reverse_zone(&p, &n);
	name_is(&n, "8.b.d.0.1.0.0.2.ip6.arpa");
}
END_TEST

static bool decodes(const void *bytes, size_t len, size_t at, struct dns_name *out)
{
	struct rd r = rd_init(bytes, len);

	rd_skip(&r, at);
	dns_name_decode(&r, bytes, out);
	return !r.bad;
}

START_TEST(compressed_names_decode)
{
	static const uint8_t m[] = "\x03" "com\0" "\x01" "a\xc0\0" "\x01" "b\xc0\x05" "!";
	struct rd r = rd_init(m, sizeof(m) - 1);
	struct dns_name n;

	rd_skip(&r, 9);
	dns_name_decode(&r, m, &n);
	ck_assert(!r.bad);
	name_is(&n, "b.a.com");
	ck_assert_uint_eq(rd_u8(&r), '!');	/* the reader stands behind the pointer */
}
END_TEST

START_TEST(pointers_forward_or_in_circles_are_refused)
{
	struct dns_name n;

	ck_assert(!decodes("\xc0\x00", 2, 0, &n));		/* itself */
	ck_assert(!decodes("\xc0\x02\x01" "a\0", 5, 0, &n));	/* forward */
	ck_assert(!decodes("\x01" "a\xc0\x00", 4, 0, &n));	/* round */
	ck_assert(!decodes("\x01" "a\xc0\x00", 4, 2, &n));	/* back, then round */
	ck_assert(!decodes("\xc0", 1, 0, &n));			/* half a pointer */
	ck_assert(!decodes("\x05" "abc", 4, 0, &n));		/* half a label */
	ck_assert(!decodes("\x01" "a", 2, 0, &n));		/* no end */
	ck_assert(!decodes("\x41" "a\0", 3, 0, &n));		/* RFC 6891 5: no such label */
}
END_TEST

START_TEST(a_name_of_more_than_255_bytes_is_refused)
{
	uint8_t m[400];
	struct dns_name n;

	for (size_t i = 0; i < sizeof(m); i += 2) {
		m[i] = 1;
		m[i + 1] = 'x';
	}
	m[254] = 0;
	ck_assert(decodes(m, 255, 0, &n));
	ck_assert_uint_eq(n.len, 255);
	m[254] = 1;
	m[256] = 0;
	ck_assert(!decodes(m, 257, 0, &n));
}
END_TEST

/* A query for host.Lan A with EDNS: one_field_broken() breaks it here and there. */
static const uint8_t good_query[] =
	"\x12\x34\x01\x00\0\x01\0\0\0\0\0\x01" "\x04host\x03Lan\0" "\0\x01\0\x01"
	"\0\0\x29\x10\0\0\0\x80\0\0\0";
#define GOOD_LEN (sizeof(good_query) - 1)
#define QUESTION_END (12 + 10 + 4)

START_TEST(a_query_decodes)
{
	struct dns_query q;

	ck_assert_int_eq(dns_query_decode(good_query, GOOD_LEN, &q), DNS_NOERROR);
	ck_assert_uint_eq(q.id, 0x1234);
	ck_assert_uint_eq(q.type, DNS_TYPE_A);
	ck_assert_uint_eq(q.question_end, QUESTION_END);
	ck_assert(q.edns && q.dnssec_ok);
	ck_assert_uint_eq(q.udp_size, DNS_UDP_MAX);	/* 4096 was asked for */
	name_is(&q.name, "host.lan");
}
END_TEST

static const struct {
	size_t at;
	uint8_t value;
	int rcode;
} broken[] = {
	{ 2, 0x81, DNS_DROP },			/* a reply */
	{ 2, 0x29, DNS_NOTIMP },		/* UPDATE */
	{ 5, 0, DNS_FORMERR },			/* no question */
	{ 5, 2, DNS_FORMERR },			/* two */
	{ 7, 1, DNS_FORMERR },			/* an answer in a query */
	{ 9, 1, DNS_FORMERR },
	{ 11, 2, DNS_FORMERR },			/* one more than there are */
	{ 12, 0xc0, DNS_FORMERR },		/* a compressed question */
	{ 12, 0x3f, DNS_FORMERR },		/* a label beyond the end */
	{ 12, 0x44, DNS_FORMERR },
	{ QUESTION_END - 3, 252, DNS_NOTIMP },	/* AXFR */
	{ QUESTION_END - 3, 41, DNS_NOTIMP },	/* OPT as a question */
	{ QUESTION_END - 3, 0, DNS_NOTIMP },
	{ QUESTION_END - 1, 3, DNS_REFUSED },	/* class CHAOS */
	{ QUESTION_END, 1, DNS_FORMERR },	/* OPT's owner is not the root */
	{ QUESTION_END + 6, 1, DNS_BADVERS },
	{ QUESTION_END + 10, 9, DNS_FORMERR },	/* options beyond the end */
};

START_TEST(a_query_with_one_field_broken_is_refused)
{
	uint8_t m[GOOD_LEN];
	struct dns_query q;

	memcpy(m, good_query, GOOD_LEN);
	m[broken[_i].at] = broken[_i].value;
	ck_assert_int_eq(dns_query_decode(m, GOOD_LEN, &q), broken[_i].rcode);
}
END_TEST

START_TEST(a_query_cut_anywhere_is_refused)
{
	for (size_t len = 0; len < GOOD_LEN; len++) {
		uint8_t *m = malloc(len ? len : 1);	/* of its own, so that ASan sees reads past it */
		struct dns_query q;

		memcpy(m, good_query, len);
		ck_assert_int_eq(dns_query_decode(m, len, &q), len < 12 ? DNS_DROP : DNS_FORMERR);
		free(m);
	}
}
END_TEST

START_TEST(two_opt_records_are_refused)
{
	uint8_t m[GOOD_LEN + 11];
	struct dns_query q;

	memcpy(m, good_query, GOOD_LEN);
	memcpy(m + GOOD_LEN, good_query + QUESTION_END, 11);
	m[11] = 2;
	ck_assert_int_eq(dns_query_decode(m, sizeof(m), &q), DNS_FORMERR);
}
END_TEST

START_TEST(a_reply_repeats_id_question_and_flags)
{
	static const uint8_t record[] = "\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\x0a\0\0\x01";
	uint8_t m[DNS_UDP_MAX];
	struct dns_query q;
	struct dns_body body = { .authoritative = true, .n_answers = 1, .wire = record,
				 .len = sizeof(record) - 1, .age_s = 20 };
	size_t len;

	memcpy(m, good_query, GOOD_LEN);
	dns_query_decode(m, GOOD_LEN, &q);
	len = dns_reply_write(m, dns_udp_limit(&q), &q, &body);
	ck_assert_uint_eq(len, QUESTION_END + 16 + 11);
	ck_assert_mem_eq(m, "\x12\x34\x85\x80\0\x01\0\x01\0\0\0\x01", 12);
	ck_assert_mem_eq(m + 12, good_query + 12, QUESTION_END - 12);	/* in the asked case */
	ck_assert_mem_eq(m + QUESTION_END, record, 6);
	ck_assert_uint_eq(m[QUESTION_END + 9], 40);	/* 60 s, 20 s ago */
	ck_assert_mem_eq(m + QUESTION_END + 12, "\x0a\0\0\x01", 4);
	ck_assert_mem_eq(m + len - 11, "\0\0\x29\x04\xd0\0\0\x80\0\0\0", 11);
}
END_TEST

START_TEST(a_reply_that_does_not_fit_is_cut_with_tc)
{
	uint8_t m[DNS_UDP_MAX], wire[600] = { 0 };
	struct dns_query q;
	struct dns_body body = { .n_answers = 3, .wire = wire, .len = sizeof(wire) };

	memcpy(m, good_query, GOOD_LEN);
	m[11] = 0;	/* no EDNS: 512 bytes */
	dns_query_decode(m, QUESTION_END, &q);
	ck_assert_uint_eq(dns_reply_write(m, dns_udp_limit(&q), &q, &body), QUESTION_END);
	ck_assert_uint_eq(m[2] & 0x02, 0x02);
	ck_assert_mem_eq(m + 6, "\0\0\0\0\0\0", 6);
}
END_TEST

START_TEST(an_error_without_a_readable_question_is_a_header)
{
	uint8_t m[DNS_UDP_MAX];
	struct dns_query q;
	struct dns_body body = { .rcode = DNS_FORMERR };

	memcpy(m, good_query, GOOD_LEN);
	m[12] = 0xff;
	ck_assert_int_eq(dns_query_decode(m, GOOD_LEN, &q), DNS_FORMERR);
	ck_assert_uint_eq(dns_reply_write(m, 512, &q, &body), 12);
	ck_assert_mem_eq(m, "\x12\x34\x81\x81\0\0\0\0\0\0\0\0", 12);
}
END_TEST

/* What an upstream might say to a question for www.example.com A. */
struct answer {
	uint8_t m[4096];
	struct wr w;
};

static void answer_begin(struct answer *a, uint8_t rcode, unsigned n_answers, unsigned n_authority)
{
	struct dns_name n = name("wWw.eXample.com");

	a->w = wr_init(a->m, sizeof(a->m));
	wr_u16(&a->w, 0x4242);
	wr_u16(&a->w, 0x8180 | rcode);
	wr_u16(&a->w, 1);
	wr_u16(&a->w, (uint16_t)n_answers);
	wr_u16(&a->w, (uint16_t)n_authority);
	wr_u16(&a->w, 0);
	wr_bytes(&a->w, n.wire, n.len);
	wr_u16(&a->w, 1);
	wr_u16(&a->w, 1);
}

static void answer_add(struct answer *a, const char *owner, uint16_t type, uint32_t ttl_s,
		       const void *rdata, size_t len)
{
	struct dns_name n = name(owner);

	wr_bytes(&a->w, n.wire, n.len);
	wr_u16(&a->w, type);
	wr_u16(&a->w, 1);
	wr_u32(&a->w, ttl_s);
	wr_u16(&a->w, (uint16_t)len);
	wr_bytes(&a->w, rdata, len);
}

static void answer_add_name(struct answer *a, const char *owner, uint16_t type, uint32_t ttl_s,
			    const char *target)
{
	struct dns_name n = name(target);

	answer_add(a, owner, type, ttl_s, n.wire, n.len);
}

static void answer_add_soa(struct answer *a, const char *owner, uint32_t ttl_s, uint8_t minimum_s)
{
	uint8_t rdata[2 + 20] = { 0 };

	rdata[21] = minimum_s;
	answer_add(a, owner, DNS_TYPE_SOA, ttl_s, rdata, sizeof(rdata));
}

static struct dns_question question(const char *text)
{
	return (struct dns_question){ .name = name(text), .type = DNS_TYPE_A };
}

static uint8_t body[DNS_MESSAGE_MAX];

static const struct dns_inside *inside;
static uint16_t asked_type = DNS_TYPE_A;

static int decode(const struct answer *a, struct dns_response *out)
{
	struct dns_question q = question("www.example.com");
	struct wr w = wr_init(body, sizeof(body));
	uint8_t *copy = malloc(wr_len(&a->w));
	int r;

	q.type = asked_type;
	memcpy(copy, a->m, wr_len(&a->w));
	r = dns_response_decode(copy, wr_len(&a->w), &q, inside, &w, out);
	free(copy);
	return r;
}

START_TEST(an_answer_is_written_anew_against_the_question)
{
	struct answer a;
	struct dns_response r;

	answer_begin(&a, 0, 1, 0);
	answer_add(&a, "www.EXAMPLE.com", DNS_TYPE_A, 300, "\xc0\0\x02\x01", 4);
	ck_assert_int_eq(decode(&a, &r), 0);
	ck_assert_uint_eq(r.n_answers, 1);
	ck_assert_uint_eq(r.ttl_s, 300);
	ck_assert_uint_eq(r.len, 16);
	ck_assert_mem_eq(body, "\xc0\x0c\0\x01\0\x01\0\0\x01\x2c\0\x04\xc0\0\x02\x01", 16);
}
END_TEST

START_TEST(cnames_are_followed_in_any_order)
{
	struct answer a;
	struct dns_response r;

	answer_begin(&a, 0, 3, 0);
	answer_add(&a, "web.other.net", DNS_TYPE_A, 50, "\xc0\0\x02\x01", 4);
	answer_add_name(&a, "cdn.example.com", DNS_TYPE_CNAME, 40, "web.other.net");
	answer_add_name(&a, "www.example.com", DNS_TYPE_CNAME, 90, "cdn.example.com");
	ck_assert_int_eq(decode(&a, &r), 0);
	ck_assert_uint_eq(r.n_answers, 3);
	ck_assert_uint_eq(r.ttl_s, 40);
	/* First the question's own record, its target ending in a pointer to the question. */
	ck_assert_mem_eq(body, "\xc0\x0c\0\x05\0\x01\0\0\0\x5a\0\x06\x03" "cdn\xc0\x10", 18);
}
END_TEST

START_TEST(what_was_not_asked_is_left_out)
{
	struct answer a;
	struct dns_response r;

	answer_begin(&a, 0, 4, 2);
	answer_add(&a, "www.victim.org", DNS_TYPE_A, 300, "\x06\x06\x06\x06", 4);
	answer_add(&a, "www.example.com", DNS_TYPE_TXT, 300, "\1x", 2);
	answer_add(&a, "www.example.com", DNS_TYPE_A, 300, "\xc0\0\x02\x01", 4);
	answer_add_name(&a, "victim.org", DNS_TYPE_CNAME, 300, "example.com");
	answer_add_name(&a, "org", DNS_TYPE_NS, 300, "ns.evil.org");
	answer_add_name(&a, "example.com", DNS_TYPE_NS, 300, "ns.evil.org");
	ck_assert_int_eq(decode(&a, &r), 0);
	ck_assert_uint_eq(r.n_answers, 1);
	ck_assert_uint_eq(r.n_authority, 0);
	ck_assert_uint_eq(r.len, 16);
}
END_TEST

START_TEST(a_loop_of_cnames_is_a_bad_message)
{
	struct answer a;
	struct dns_response r;

	answer_begin(&a, 0, 2, 0);
	answer_add_name(&a, "www.example.com", DNS_TYPE_CNAME, 90, "b.example.com");
	answer_add_name(&a, "b.example.com", DNS_TYPE_CNAME, 90, "www.example.com");
	ck_assert_int_eq(decode(&a, &r), -EBADMSG);
}
END_TEST

START_TEST(no_is_cached_as_long_as_its_soa_says)
{
	struct answer a;
	struct dns_response r;

	answer_begin(&a, DNS_NXDOMAIN, 0, 1);
	answer_add_soa(&a, "example.com", 900, 60);
	ck_assert_int_eq(decode(&a, &r), 0);
	ck_assert_uint_eq(r.rcode, DNS_NXDOMAIN);
	ck_assert_uint_eq(r.n_authority, 1);
	ck_assert_uint_eq(r.ttl_s, 60);
	answer_begin(&a, DNS_NXDOMAIN, 0, 0);
	ck_assert_int_eq(decode(&a, &r), 0);
	ck_assert_uint_eq(r.ttl_s, 0);		/* no SOA: not at all */
	answer_begin(&a, DNS_NOERROR, 0, 1);
	answer_add_soa(&a, "victim.org", 900, 60);
	ck_assert_int_eq(decode(&a, &r), 0);
	ck_assert_uint_eq(r.n_authority, 0);	/* not of a domain that the name is in */
	ck_assert_uint_eq(r.ttl_s, 0);
}
END_TEST

START_TEST(data_that_does_not_fit_its_type_is_a_bad_message)
{
	struct answer a;
	struct dns_response r;

	answer_begin(&a, 0, 1, 0);
	answer_add(&a, "www.example.com", DNS_TYPE_A, 300, "\xc0\0\x02", 3);
	ck_assert_int_eq(decode(&a, &r), -EBADMSG);
	answer_begin(&a, 0, 1, 0);
	answer_add(&a, "www.example.com", DNS_TYPE_CNAME, 300, "\x01" "a\0x", 4);
	ck_assert_int_eq(decode(&a, &r), -EBADMSG);
	answer_begin(&a, 0, 2, 0);	/* one more than there is */
	answer_add(&a, "www.example.com", DNS_TYPE_A, 300, "\xc0\0\x02\x01", 4);
	ck_assert_int_eq(decode(&a, &r), -EBADMSG);
}
END_TEST

START_TEST(only_the_answer_to_this_question_matches)
{
	struct answer a;
	struct dns_name sent = name("wWw.eXample.com"), other = name("www.example.com");
	size_t len;
	bool exact;

	answer_begin(&a, 0, 0, 0);
	len = wr_len(&a.w);
	ck_assert(dns_response_matches(a.m, len, 0x4242, &sent, 1, &exact) && exact);
	ck_assert(dns_response_matches(a.m, len, 0x4242, &other, 1, &exact) && !exact);
	ck_assert(!dns_response_matches(a.m, len, 0x4243, &sent, 1, &exact));
	ck_assert(!dns_response_matches(a.m, len, 0x4242, &sent, 28, &exact));
	ck_assert(!dns_response_matches(a.m, len - 1, 0x4242, &sent, 1, &exact));
	other = name("www.example.org");
	ck_assert(!dns_response_matches(a.m, len, 0x4242, &other, 1, &exact));
	a.m[2] &= 0x7f;		/* a query */
	ck_assert(!dns_response_matches(a.m, len, 0x4242, &sent, 1, &exact));
}
END_TEST

/* What the answer leads to is inside, for a network of 10.5.0.0/16 and fd00:5::/64. */
static bool leads_inside(const struct answer *a)
{
	static struct nd_prefix subnets[2] = { { .len = 16 }, { .len = 64 } };
	struct dns_inside in = { subnets, 2 };
	struct dns_response r;

	ck_assert(nd_ip_parse("10.5.0.0", &subnets[0].addr));
	ck_assert(nd_ip_parse("fd00:5::", &subnets[1].addr));
	ck_assert_int_eq(decode(a, &r), 0);
	ck_assert_uint_eq(r.n_answers, 2);
	ck_assert(!r.inside);
	inside = &in;
	ck_assert_int_eq(decode(a, &r), 0);
	inside = NULL;
	ck_assert_uint_eq(r.n_answers, r.inside ? 0 : 2);
	ck_assert_uint_eq(r.len == 0, r.inside);
	ck_assert(!r.inside || r.ttl_s == 0);
	asked_type = DNS_TYPE_A;
	return r.inside;
}

/* A name outside with this address, behind a CNAME. */
static bool address_leads_inside(const char *text)
{
	struct answer a;
	struct nd_ip ip;
	size_t len;
	const uint8_t *bytes;

	ck_assert(nd_ip_parse(text, &ip));
	bytes = nd_ip_bytes(&ip, &len);
	asked_type = len == 4 ? DNS_TYPE_A : DNS_TYPE_AAAA;
	answer_begin(&a, 0, 2, 0);
	answer_add_name(&a, "www.example.com", DNS_TYPE_CNAME, 90, "web.evil.net");
	answer_add(&a, "web.evil.net", asked_type, 50, bytes, len);
	return leads_inside(&a);
}

START_TEST(addresses_within_the_network_and_of_the_machine_itself_are_inside)
{
	static const char *const within[] = {
		"10.5.0.1", "10.5.255.9", "127.0.0.1", "127.9.9.9", "0.0.0.0", "0.1.2.3", "169.254.169.254",
		"fd00:5::9", "::1", "::", "fe80::1", "::ffff:10.5.0.1", "::ffff:127.0.0.1", "::10.5.0.1",
		"64:ff9b::10.5.0.1", "64:ff9b::127.0.0.1" };
	static const char *const outside[] = {
		"10.6.0.1", "10.4.255.255", "192.168.1.1", "128.0.0.1", "126.255.255.255", "1.0.0.0",
		"169.253.0.1", "169.255.0.1", "fd00:6::1", "2001:db8::1", "ff02::1", "::ffff:192.0.2.1",
		"64:ff9b::192.0.2.1" };

	for (size_t i = 0; i < sizeof(within) / sizeof(*within); i++)
		ck_assert_msg(address_leads_inside(within[i]), "%s", within[i]);
	for (size_t i = 0; i < sizeof(outside) / sizeof(*outside); i++)
		ck_assert_msg(!address_leads_inside(outside[i]), "%s", outside[i]);
}
END_TEST

/* Browsers use the addresses in HTTPS records as they use those in A records. */
START_TEST(hints_in_https_records_lead_inside_too)
{
	static const struct { const char *rdata; size_t len; bool is; } cases[] = {
		{ "\0\1\0\0\4\0\4\x0a\5\0\1", 11, true },
		{ "\0\1\0\0\4\0\4\x0a\6\0\1", 11, false },
		{ "\0\1\1x\0\0\1\0\3\2h2\0\4\0\x08\xc0\0\2\1\x7f\0\0\1", 24, true },
		{ "\0\1\0\0\6\0\x10\xfd\0\0\5\0\0\0\0\0\0\0\0\0\0\0\1", 23, true },
		{ "\0\1\0\0\6\0\x10\xfd\0\0\6\0\0\0\0\0\0\0\0\0\0\0\1", 23, false },
		{ "\0\1\0\0\4\0\x20\x0a\5\0\1", 11, false },	/* cut short: no client reads it */
		{ "\0\1\x3f", 3, false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct answer a;

		asked_type = DNS_TYPE_HTTPS;
		answer_begin(&a, 0, 2, 0);
		answer_add_name(&a, "www.example.com", DNS_TYPE_CNAME, 90, "web.evil.net");
		answer_add(&a, "web.evil.net", DNS_TYPE_HTTPS, 50, cases[i].rdata, cases[i].len);
		ck_assert_msg(leads_inside(&a) == cases[i].is, "case %zu", i);
	}
}
END_TEST

static void cache_put(struct dns_cache *c, const char *text, uint32_t ttl_s, uint64_t now_ms)
{
	struct dns_question q = question(text);
	struct dns_response r = { .n_answers = 1, .ttl_s = ttl_s, .len = 16 };

	dns_cache_add(c, &q, &r, (const uint8_t *)"0123456789abcdef", now_ms);
}

static bool cache_has(struct dns_cache *c, const char *text, uint64_t now_ms)
{
	struct dns_question q = question(text);
	struct dns_body b;

	return dns_cache_find(c, &q, now_ms, &b) && b.len == 16 && b.n_answers == 1;
}

START_TEST(the_cache_keeps_an_answer_for_its_ttl)
{
	struct dns_cache *c = dns_cache_new(100000);
	struct dns_question q = question("a.example");
	struct dns_body b;

	cache_put(c, "a.example", 10, 1000);
	ck_assert(cache_has(c, "a.example", 1000));
	ck_assert(!cache_has(c, "b.example", 1000));
	ck_assert(dns_cache_find(c, &q, 10999, &b));
	ck_assert_uint_eq(b.age_s, 9);
	ck_assert(!cache_has(c, "a.example", 11000));
	ck_assert_uint_eq(dns_cache_entries(c), 0);
	cache_put(c, "a.example", 0, 1000);
	ck_assert_uint_eq(dns_cache_entries(c), 0);
	q.dnssec_ok = true;
	cache_put(c, "a.example", 10, 1000);
	ck_assert(!dns_cache_find(c, &q, 1000, &b));	/* another question */
	dns_cache_clear(c);
	ck_assert_uint_eq(dns_cache_bytes(c), 0);
	dns_cache_free(c);
}
END_TEST

START_TEST(a_full_cache_drops_what_was_used_longest_ago)
{
	struct dns_cache *c = dns_cache_new(2000);
	char text[32];
	size_t most;

	for (int i = 0; i < 100; i++) {
		snprintf(text, sizeof(text), "host%02d.example", i);
		cache_put(c, text, 100, 0);
		ck_assert(cache_has(c, "host00.example", 0));
		ck_assert(cache_has(c, text, 0));
		ck_assert_uint_le(dns_cache_bytes(c), 2000);
	}
	most = dns_cache_entries(c);
	ck_assert_uint_ge(most, 5);
	ck_assert_uint_lt(most, 20);
	ck_assert(!cache_has(c, "host50.example", 0));
	dns_cache_free(c);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("dns message");
	TCase *t = tcase_create("name");

	suite_add_tcase(s, t);
	tcase_add_test(t, names_are_parsed_and_printed);
	tcase_add_test(t, names_that_do_not_fit_are_refused);
	tcase_add_test(t, a_name_is_below_its_domains_only);
	tcase_add_test(t, addresses_have_reverse_names);
	tcase_add_test(t, compressed_names_decode);
	tcase_add_test(t, pointers_forward_or_in_circles_are_refused);
	tcase_add_test(t, a_name_of_more_than_255_bytes_is_refused);
	t = tcase_create("query");
	suite_add_tcase(s, t);
	tcase_add_test(t, a_query_decodes);
	tcase_add_loop_test(t, a_query_with_one_field_broken_is_refused, 0,
			    (int)(sizeof(broken) / sizeof(broken[0])));
	tcase_add_test(t, a_query_cut_anywhere_is_refused);
	tcase_add_test(t, two_opt_records_are_refused);
	tcase_add_test(t, a_reply_repeats_id_question_and_flags);
	tcase_add_test(t, a_reply_that_does_not_fit_is_cut_with_tc);
	tcase_add_test(t, an_error_without_a_readable_question_is_a_header);
	t = tcase_create("response");
	suite_add_tcase(s, t);
	tcase_add_test(t, an_answer_is_written_anew_against_the_question);
	tcase_add_test(t, cnames_are_followed_in_any_order);
	tcase_add_test(t, what_was_not_asked_is_left_out);
	tcase_add_test(t, addresses_within_the_network_and_of_the_machine_itself_are_inside);
	tcase_add_test(t, hints_in_https_records_lead_inside_too);
	tcase_add_test(t, a_loop_of_cnames_is_a_bad_message);
	tcase_add_test(t, no_is_cached_as_long_as_its_soa_says);
	tcase_add_test(t, data_that_does_not_fit_its_type_is_a_bad_message);
	tcase_add_test(t, only_the_answer_to_this_question_matches);
	t = tcase_create("cache");
	suite_add_tcase(s, t);
	tcase_add_test(t, the_cache_keeps_an_answer_for_its_ttl);
	tcase_add_test(t, a_full_cache_drops_what_was_used_longest_ago);
	return suite_run(s);
}
