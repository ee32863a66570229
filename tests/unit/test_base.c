/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The small values and containers that everything stands on. */
#include <check.h>
#include <errno.h>

#include "netd/base/addr.h"
#include "netd/base/array.h"
#include "netd/base/cursor.h"
#include "netd/base/error.h"
#include "netd/base/hash.h"
#include "netd/base/str.h"
#include "tests/suite.h"

START_TEST(reader_stops_at_the_end_and_stays_bad)
{
	struct rd r = rd_init("\x01\x02\x03", 3);

	ck_assert_uint_eq(rd_u16(&r), 0x0102);
	ck_assert_uint_eq(rd_u16(&r), 0);
	ck_assert(r.bad);
	ck_assert_uint_eq(rd_u8(&r), 0);
	ck_assert_uint_eq(rd_left(&r), 0);
}
END_TEST

START_TEST(sub_reader_cannot_leave_its_parent)
{
	struct rd r = rd_init("abcdef", 6);
	struct rd body = rd_sub(&r, 2);

	ck_assert_uint_eq(rd_left(&body), 2);
	rd_skip(&body, 3);
	ck_assert(body.bad);
	ck_assert_uint_eq(rd_u8(&r), 'c');
	body = rd_sub(&r, 10);
	ck_assert(body.bad && r.bad);
}
END_TEST

START_TEST(writer_never_passes_its_end)
{
	uint8_t buf[5];
	struct wr w = wr_init(buf, sizeof(buf));

	wr_u32(&w, 0x01020304);
	wr_u16(&w, 7);
	ck_assert(w.full);
	ck_assert_uint_eq(wr_len(&w), 4);
	ck_assert_int_eq(buf[0], 1);
}
END_TEST

START_TEST(prefix_masks_and_contains)
{
	struct nd_prefix p = { .len = 20 };
	struct nd_ip ip;
	char buf[ND_PREFIX_STRLEN];

	ck_assert(nd_ip_parse("10.1.31.7", &p.addr));
	p = nd_prefix_masked(&p);
	ck_assert_str_eq(nd_prefix_format(&p, buf), "10.1.16.0/20");
	ck_assert(nd_ip_parse("10.1.16.200", &ip));
	ck_assert(nd_prefix_contains(&p, &ip));
	ck_assert(nd_ip_parse("10.1.32.0", &ip));
	ck_assert(!nd_prefix_contains(&p, &ip));
	ck_assert(nd_ip_parse("::1", &ip));
	ck_assert(!nd_prefix_contains(&p, &ip));
	p.len = 0;
	p = nd_prefix_masked(&p);
	ck_assert_str_eq(nd_prefix_format(&p, buf), "0.0.0.0/0");
}
END_TEST

START_TEST(netmask_must_be_contiguous)
{
	struct nd_ip ip;

	ck_assert(nd_ip_parse("255.255.240.0", &ip));
	ck_assert_int_eq(nd_netmask_len(ip.v4), 20);
	ck_assert(nd_ip_parse("255.0.255.0", &ip));
	ck_assert_int_eq(nd_netmask_len(ip.v4), -1);
	ck_assert_int_eq(nd_netmask_len((struct in_addr){ 0 }), 0);
}
END_TEST

START_TEST(mac_and_uuid_round_trip)
{
	struct nd_mac mac;
	struct nd_uuid uuid;
	char buf[ND_UUID_STRLEN];

	ck_assert(nd_mac_parse("52:54:0:AA:b:1", &mac));
	ck_assert_str_eq(nd_mac_format(&mac, buf), "52:54:00:aa:0b:01");
	ck_assert(!nd_mac_parse("52:54:00:aa:0b", &mac));
	ck_assert(!nd_mac_parse("52:54:00:aa:0b:01:", &mac));
	ck_assert(nd_uuid_parse("A72BC63F10AB4F55-aebc-123456789abc", &uuid));
	ck_assert_str_eq(nd_uuid_format(&uuid, buf), "a72bc63f-10ab-4f55-aebc-123456789abc");
	ck_assert(!nd_uuid_parse("a72bc63f-10ab-4f55-aebc-123456789ab", &uuid));
	ck_assert(!nd_uuid_parse("a72bc63f-10ab-4f55-aebc-123456789abc0", &uuid));
}
END_TEST

START_TEST(hash_survives_growth_and_removal)
{
	struct nd_hash *h = nd_hash_new();
	static int keys[1000];

	for (int i = 0; i < 1000; i++) {
		keys[i] = i;
		ck_assert_int_eq(nd_hash_set(h, &keys[i], sizeof(int), &keys[i]), 0);
	}
	for (int i = 0; i < 1000; i += 3)
		ck_assert_ptr_eq(nd_hash_remove(h, &i, sizeof(i)), &keys[i]);
	for (int i = 0; i < 1000; i++)
		ck_assert_ptr_eq(nd_hash_find(h, &i, sizeof(i)), i % 3 ? &keys[i] : NULL);
	ck_assert_uint_eq(nd_hash_count(h), 666);
	nd_hash_free(h);
}
END_TEST

START_TEST(error_text_is_bounded_and_prefixed)
{
	struct nd_error err = { 0 };
	char text[64];

	ck_assert_int_eq(nd_error_set(&err, ND_ERR_NO_NETWORK, "no network '%s'", "x"), -ENOENT);
	nd_error_prefix(&err, "lookup");
	nd_error_format(&err, text, sizeof(text));
	ck_assert_str_eq(text, "Network not found: lookup: no network 'x'");
	for (int i = 0; i < 1000; i++)
		nd_error_prefix(&err, "deeper");
	ck_assert_uint_lt(strlen(err.text), sizeof(err.text));
}
END_TEST

START_TEST(array_keeps_items_while_it_grows)
{
	int *items = NULL, *p;
	size_t n = 0;

	for (int i = 0; i < 100; i++) {
		p = nd_array_add(items, n);
		ck_assert_ptr_nonnull(p);
		*p = i;
	}
	nd_array_remove(items, n, 50);
	ck_assert_uint_eq(n, 99);
	for (int i = 0; i < 99; i++)
		ck_assert_int_eq(items[i], i < 50 ? i : i + 1);
	free(items);
}
END_TEST

START_TEST(numbers_are_parsed_whole_or_not_at_all)
{
	uint64_t v = 7;

	ck_assert(nd_parse_uint("65535", 10, 0, 65535, &v) && v == 65535);
	ck_assert(!nd_parse_uint("65536", 10, 0, 65535, &v));
	ck_assert(!nd_parse_uint("-1", 10, 0, UINT64_MAX, &v));
	ck_assert(!nd_parse_uint("1x", 10, 0, 10, &v));
	ck_assert(!nd_parse_uint("", 10, 0, 10, &v));
	ck_assert(nd_parse_uint("0xff", 0, 0, 255, &v) && v == 255);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("base");
	TCase *t = tcase_create("base");

	tcase_add_test(t, reader_stops_at_the_end_and_stays_bad);
	tcase_add_test(t, sub_reader_cannot_leave_its_parent);
	tcase_add_test(t, writer_never_passes_its_end);
	tcase_add_test(t, prefix_masks_and_contains);
	tcase_add_test(t, netmask_must_be_contiguous);
	tcase_add_test(t, mac_and_uuid_round_trip);
	tcase_add_test(t, hash_survives_growth_and_removal);
	tcase_add_test(t, error_text_is_bounded_and_prefixed);
	tcase_add_test(t, array_keeps_items_while_it_grows);
	tcase_add_test(t, numbers_are_parsed_whole_or_not_at_all);
	suite_add_tcase(s, t);
	return suite_run(s);
}
