/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The hash of frames: values that Microsoft publishes to verify RSS ("Verifying the RSS Hash Calculation"). */
#include <arpa/inet.h>
#include <check.h>
#include <linux/virtio_net.h>
#include <stdlib.h>
#include <string.h>

#include "netd/base/auto.h"
#include "tests/suite.h"
#include "vmm/net_rss.h"

static const uint8_t key[NET_RSS_KEY_MAX] = {
	0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb,
	0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa,
};

struct frame {
	uint8_t bytes[200];
	size_t len;
};

static void add(struct frame *f, const void *bytes, size_t n)
{
	memcpy(f->bytes + f->len, bytes, n);
	f->len += n;
}

static void add16(struct frame *f, uint16_t v)
{
	add(f, (uint8_t[]){ (uint8_t)(v >> 8), (uint8_t)v }, 2);
}

static void add_ports(struct frame *f, uint16_t from, uint16_t to)
{
	add16(f, from);
	add16(f, to);
	add(f, (uint8_t[16]){ 0 }, 16);
}

/* fragment: the header's flags and offset. options: words beyond the 20 bytes. */
static struct frame ipv4(const char *from, const char *to, uint8_t protocol, uint16_t fragment, unsigned options)
{
	struct frame f = { 0 };
	struct in_addr a;

	add(&f, (uint8_t[12]){ 0 }, 12);
	add16(&f, 0x0800);
	add(&f, (uint8_t[]){ (uint8_t)(0x45 + options), 0, 0, 0, 0, 0 }, 6);
	add16(&f, fragment);
	add(&f, (uint8_t[]){ 64, protocol, 0, 0 }, 4);
	ck_assert(inet_pton(AF_INET, from, &a) == 1);
	add(&f, &a, 4);
	ck_assert(inet_pton(AF_INET, to, &a) == 1);
	add(&f, &a, 4);
	add(&f, (uint8_t[60]){ 0 }, 4 * options);
	return f;
}

static struct frame ipv6(const char *from, const char *to, uint8_t next, bool tagged)
{
	struct frame f = { 0 };
	struct in6_addr a;

	add(&f, (uint8_t[12]){ 0 }, 12);
	if (tagged)
		add(&f, (uint8_t[]){ 0x81, 0, 0, 7 }, 4);
	add16(&f, 0x86dd);
	add(&f, (uint8_t[]){ 0x60, 0, 0, 0, 0, 0, next, 64 }, 8);
	ck_assert(inet_pton(AF_INET6, from, &a) == 1);
	add(&f, &a, 16);
	ck_assert(inet_pton(AF_INET6, to, &a) == 1);
	add(&f, &a, 16);
	return f;
}

static void hashes_to(const struct frame *f, uint32_t types, uint32_t value, uint16_t report)
{
	struct net_rss r = { .types = types };
	struct net_hash h;
	/* no byte past the end is looked at: AddressSanitizer would say so */
	ND_AUTO(free) uint8_t *exact = malloc(f->len);

	memcpy(exact, f->bytes, f->len);
	memcpy(r.key, key, sizeof(key));
	h = net_rss_hash(&r, exact, f->len);
	ck_assert_uint_eq(h.report, report);
	ck_assert_uint_eq(h.value, value);
}

#define IPV4 VIRTIO_NET_RSS_HASH_TYPE_IPv4
#define TCPV4 VIRTIO_NET_RSS_HASH_TYPE_TCPv4
#define UDPV4 VIRTIO_NET_RSS_HASH_TYPE_UDPv4
#define IPV6 VIRTIO_NET_RSS_HASH_TYPE_IPv6
#define TCPV6 VIRTIO_NET_RSS_HASH_TYPE_TCPv6
#define UDPV6 VIRTIO_NET_RSS_HASH_TYPE_UDPv6

START_TEST(ipv4_is_hashed_as_published)
{
	static const struct { const char *from, *to; uint16_t sport, dport; uint32_t ip, tcp; } list[] = {
		{ "66.9.149.187", "161.142.100.80", 2794, 1766, 0x323e8fc2, 0x51ccc178 },
		{ "199.92.111.2", "65.69.140.83", 14230, 4739, 0xd718262a, 0xc626b0ea },
		{ "24.19.198.95", "12.22.207.184", 12898, 38024, 0xd2d0a5de, 0x5c2b394a },
	};

	for (size_t i = 0; i < ND_COUNT(list); i++)
		for (unsigned options = 0; options < 11; options += 5) {
			struct frame f = ipv4(list[i].from, list[i].to, 6, 0, options);

			add_ports(&f, list[i].sport, list[i].dport);
			hashes_to(&f, NET_RSS_TYPES, list[i].tcp, VIRTIO_NET_HASH_REPORT_TCPv4);
			hashes_to(&f, TCPV4, list[i].tcp, VIRTIO_NET_HASH_REPORT_TCPv4);
			hashes_to(&f, IPV4 | UDPV4 | TCPV6, list[i].ip, VIRTIO_NET_HASH_REPORT_IPv4);
			hashes_to(&f, UDPV4 | IPV6, 0, VIRTIO_NET_HASH_REPORT_NONE);
			f.bytes[14 + 9] = 17;
			hashes_to(&f, NET_RSS_TYPES, list[i].tcp, VIRTIO_NET_HASH_REPORT_UDPv4);
			f.bytes[14 + 9] = 1;
			hashes_to(&f, NET_RSS_TYPES, list[i].ip, VIRTIO_NET_HASH_REPORT_IPv4);
		}
}
END_TEST

START_TEST(ipv6_is_hashed_as_published)
{
	static const struct { const char *from, *to; uint16_t sport, dport; uint32_t ip, tcp; } list[] = {
		{ "3ffe:2501:200:1fff::7", "3ffe:2501:200:3::1", 2794, 1766, 0x2cc18cd5, 0x40207d3d },
		{ "3ffe:501:8::260:97ff:fe40:efab", "ff02::1", 14230, 4739, 0x0f0c461c, 0xdde51bbf },
	};

	for (size_t i = 0; i < ND_COUNT(list); i++)
		for (int tagged = 0; tagged < 2; tagged++) {
			struct frame f = ipv6(list[i].from, list[i].to, 6, tagged);
			struct frame e = ipv6(list[i].from, list[i].to, 0, tagged);

			add_ports(&f, list[i].sport, list[i].dport);
			hashes_to(&f, NET_RSS_TYPES, list[i].tcp, VIRTIO_NET_HASH_REPORT_TCPv6);
			hashes_to(&f, IPV6, list[i].ip, VIRTIO_NET_HASH_REPORT_IPv6);
			hashes_to(&f, UDPV6 | IPV4 | TCPV4, 0, VIRTIO_NET_HASH_REPORT_NONE);
			/* hop-by-hop options, then 16 bytes of others, then TCP */
			add(&e, (uint8_t[]){ 60, 0, 1, 4, 0, 0, 0, 0, 6, 1 }, 10);
			add(&e, (uint8_t[14]){ 0 }, 14);
			add_ports(&e, list[i].sport, list[i].dport);
			hashes_to(&e, NET_RSS_TYPES, list[i].tcp, VIRTIO_NET_HASH_REPORT_TCPv6);
		}
}
END_TEST

START_TEST(what_has_no_ports_is_hashed_by_its_addresses)
{
	struct frame f = ipv4("66.9.149.187", "161.142.100.80", 6, 0x2000, 0);

	add_ports(&f, 2794, 1766);
	hashes_to(&f, NET_RSS_TYPES, 0x323e8fc2, VIRTIO_NET_HASH_REPORT_IPv4);	/* the first fragment */
	f = ipv4("66.9.149.187", "161.142.100.80", 6, 100, 0);
	add_ports(&f, 2794, 1766);
	hashes_to(&f, NET_RSS_TYPES, 0x323e8fc2, VIRTIO_NET_HASH_REPORT_IPv4);
	f = ipv6("3ffe:2501:200:1fff::7", "3ffe:2501:200:3::1", 44, false);	/* a fragment */
	add(&f, (uint8_t[]){ 6, 0, 0, 0, 0, 0, 0, 0 }, 8);
	add_ports(&f, 2794, 1766);
	hashes_to(&f, NET_RSS_TYPES, 0x2cc18cd5, VIRTIO_NET_HASH_REPORT_IPv6);
}
END_TEST

START_TEST(frames_that_end_too_soon_are_hashed_as_far_as_they_go)
{
	struct frame whole = ipv4("66.9.149.187", "161.142.100.80", 6, 0, 0);

	add_ports(&whole, 2794, 1766);
	for (size_t len = 1; len <= whole.len; len++) {
		struct frame f = whole;
		bool ip = len >= 14 + 20, tcp = len >= 14 + 20 + 4;

		f.len = len;
		hashes_to(&f, NET_RSS_TYPES, tcp ? 0x51ccc178 : ip ? 0x323e8fc2 : 0,
			  tcp ? VIRTIO_NET_HASH_REPORT_TCPv4 : ip ? VIRTIO_NET_HASH_REPORT_IPv4
			      : VIRTIO_NET_HASH_REPORT_NONE);
	}
	for (unsigned length = 0; length < 256; length++) {	/* headers that lie about theirs */
		struct frame f = ipv6("3ffe:2501:200:1fff::7", "3ffe:2501:200:3::1", 0, false);

		add(&f, (uint8_t[]){ 60, (uint8_t)length, 0, 0, 0, 0, 0, 0 }, 8);
		hashes_to(&f, NET_RSS_TYPES, 0x2cc18cd5, VIRTIO_NET_HASH_REPORT_IPv6);
	}
}
END_TEST

START_TEST(the_table_says_which_pair)
{
	struct net_rss r = { .steers = true, .n_table = 4, .unclassified = 7, .table = { 3, 2, 1, 0 } };

	ck_assert_uint_eq(net_rss_pair(&r, &(struct net_hash){ 0xfffffffe, VIRTIO_NET_HASH_REPORT_IPv4 }), 1);
	ck_assert_uint_eq(net_rss_pair(&r, &(struct net_hash){ 4, VIRTIO_NET_HASH_REPORT_UDPv6 }), 3);
	ck_assert_uint_eq(net_rss_pair(&r, &(struct net_hash){ 0, VIRTIO_NET_HASH_REPORT_NONE }), 7);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("net rss");
	TCase *t = tcase_create("all");

	tcase_add_test(t, ipv4_is_hashed_as_published);
	tcase_add_test(t, ipv6_is_hashed_as_published);
	tcase_add_test(t, what_has_no_ports_is_hashed_by_its_addresses);
	tcase_add_test(t, frames_that_end_too_soon_are_hashed_as_far_as_they_go);
	tcase_add_test(t, the_table_says_which_pair);
	suite_add_tcase(s, t);
	return suite_run(s);
}
