/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parts under the DHCPv4 server: options, messages, frames, names, the pool's bitmap. */
#include <check.h>
#include <stdlib.h>

#include "dhcp/dhcp4_hosts.h"
#include "dhcp/dhcp4_message.h"
#include "dhcp/dhcp4_pool.h"
#include "dhcp/frame.h"
#include "dhcp/hostname.h"
#include "dhcp4_peer.h"
#include "tests/suite.h"

static struct dhcp4_options options;

static bool decode3(const char *main_field, size_t main_len, const char *file, size_t file_len,
		    const char *sname, size_t sname_len)
{
	return dhcp4_options_decode(rd_init(main_field, main_len), rd_init(file, file_len),
				    rd_init(sname, sname_len), &options);
}

static bool decode(const char *field, size_t len)
{
	return decode3(field, len, "", 0, "", 0);
}

static void assert_option(uint8_t code, const char *expected)
{
	ck_assert(dhcp4_option_sent(&options, code));
	ck_assert_uint_eq(options.len[code], strlen(expected));
	ck_assert_mem_eq(options.at[code], expected, strlen(expected));
}

START_TEST(options_end_at_the_end_mark_or_the_field)
{
	ck_assert(decode("\x00\x00\x0c\x02" "ab\xff\x0f\x01z", 10));
	assert_option(12, "ab");
	ck_assert(!dhcp4_option_sent(&options, 15));
	ck_assert(decode("\x0c\x02" "ab", 4));
	assert_option(12, "ab");
	ck_assert(decode("", 0));
}
END_TEST

START_TEST(option_longer_than_its_field_is_refused)
{
	ck_assert(!decode("\x0c\x03" "ab", 4));
	ck_assert(!decode("\x0c", 1));
	ck_assert(!decode("\x0c\xff\xff", 3));
}
END_TEST

START_TEST(pieces_of_an_option_are_joined)
{
	/* RFC 3396: interleaved pieces of two options, one of one piece */
	ck_assert(decode("\x3d\x02" "ab\x52\x01x\x3d\x01" "c\x0c\x02hi\x52\x03yzw\x3d\x01" "d", 22));
	assert_option(61, "abcd");
	assert_option(82, "xyzw");
	assert_option(12, "hi");
}
END_TEST

START_TEST(overloaded_fields_are_read_file_first)
{
	static const char file[] = "\x3d\x02" "cd\xff...", sname[] = "\x3d\x02" "ef\x0c\x01n\xff";

	ck_assert(decode3("\x34\x01\x03\x3d\x02" "ab\xff", 8, file, sizeof(file), sname,
			  sizeof(sname)));
	assert_option(61, "abcdef");
	assert_option(12, "n");
	ck_assert(decode3("\x34\x01\x02\x3d\x02" "ab\xff", 8, file, sizeof(file), sname,
			  sizeof(sname)));
	assert_option(61, "abef");
	ck_assert(decode3("\x3d\x02" "ab\xff", 5, file, sizeof(file), sname, sizeof(sname)));
	assert_option(61, "ab");
	ck_assert(!decode3("\x34\x02\x03\x03\xff", 5, file, sizeof(file), sname, sizeof(sname)));
	ck_assert(!decode3("\x34\x01\x01\xff", 4, "\x0c\x09", 2, "", 0));
}
END_TEST

START_TEST(joined_options_cannot_pass_the_buffer)
{
	static uint8_t field[DHCP4_MESSAGE_MAX];

	/* one option over and over, as much of it as a message can hold */
	for (size_t at = 0; at + 257 <= sizeof(field); at += 257) {
		field[at] = 12;
		field[at + 1] = 255;
	}
	ck_assert(dhcp4_options_decode(rd_init(field, 257 * 15), rd_init("", 0), rd_init("", 0),
				       &options));
	/* too long for a host name: counts as not sent */
	ck_assert(!dhcp4_option_sent(&options, 12));
	ck_assert(!dhcp4_options_decode(rd_init(field, sizeof(field)), rd_init("a", 1),
					rd_init("", 0), &options));
}
END_TEST

START_TEST(wrong_lengths_of_lesser_options_count_as_absent)
{
	ck_assert(decode("\x39\x01\x05\x33\x03\x01\x02\x03\x3d\x01x\x50\x01y", 14));
	ck_assert(!dhcp4_option_sent(&options, 57));
	ck_assert(!dhcp4_option_sent(&options, 51));
	ck_assert(!dhcp4_option_sent(&options, 61));
	ck_assert(!dhcp4_option_sent(&options, 80));
}
END_TEST

START_TEST(long_option_is_written_in_pieces_and_read_as_one)
{
	uint8_t value[600], out[700];
	struct dhcp4_option_wr w = { .w = wr_init(out, sizeof(out)), .reserve = 90 };

	for (size_t i = 0; i < sizeof(value); i++)
		value[i] = (uint8_t)i;
	ck_assert(dhcp4_option_put(&w, 121, value, 600));
	ck_assert(!dhcp4_option_put(&w, 12, "abc", 3));
	ck_assert_uint_eq(wr_len(&w.w), 606);
	ck_assert(decode((char *)out, wr_len(&w.w)));
	ck_assert_uint_eq(options.len[121], 600);
	ck_assert_mem_eq(options.at[121], value, 600);
	w.reserve = 0;
	ck_assert(dhcp4_option_put(&w, 80, "", 0));
	ck_assert_uint_eq(wr_len(&w.w), 608);
}
END_TEST

START_TEST(message_needs_its_fixed_fields)
{
	struct dhcp4_message m;
	uint8_t bytes[DHCP4_MESSAGE_MAX + 1] = { 1, 1, 6 };

	for (size_t len = 0; len < 236; len++)
		ck_assert(!dhcp4_message_decode(rd_init(bytes, len), &m));
	ck_assert(dhcp4_message_decode(rd_init(bytes, 236), &m));
	ck_assert_uint_eq(m.type, DHCP4_BOOTP);
	ck_assert(dhcp4_message_decode(rd_init(bytes, sizeof(bytes) - 1), &m));
	ck_assert(!dhcp4_message_decode(rd_init(bytes, sizeof(bytes)), &m));
}
END_TEST

START_TEST(frame_round_trips_with_right_checksums)
{
	uint8_t frame[DHCP_FRAME_MAX];
	struct dhcp_frame to = { .eth_dst = peer_mac(1), .eth_src = peer_mac(2),
				 .ip_src = peer_ip("10.0.0.1"), .ip_dst = peer_ip("10.0.0.7"),
				 .port_src = 68, .port_dst = 67 }, back;

	for (size_t len = 0; len < 400; len++) {
		for (size_t i = 0; i < len; i++)
			frame[DHCP_FRAME_HEAD + i] = (uint8_t)(len * 31 + i * 7);
		ck_assert_uint_eq(dhcp_frame_finish(frame, len, &to), DHCP_FRAME_HEAD + len);
		ck_assert_uint_eq(peer_udp_sum(frame, DHCP_FRAME_HEAD + len), 0xffff);
		ck_assert(dhcp_frame_decode(frame, DHCP_FRAME_HEAD + len, false, &back));
		ck_assert_uint_eq(rd_left(&back.payload), len);
		ck_assert(nd_mac_equal(&back.eth_src, &to.eth_src));
		ck_assert_uint_eq(back.ip_dst.s_addr, to.ip_dst.s_addr);
		ck_assert_uint_eq(back.port_src, 68);
		frame[40] ^= 1;
		ck_assert(!dhcp_frame_decode(frame, DHCP_FRAME_HEAD + len, false, &back));
		frame[40] = frame[41] = 0;
		ck_assert(dhcp_frame_decode(frame, DHCP_FRAME_HEAD + len, false, &back));
	}
}
END_TEST

START_TEST(ip_options_are_skipped)
{
	struct peer_request r;
	struct dhcp_frame in;
	uint8_t frame[PEER_FRAME_MAX];
	uint32_t sum;

	peer_begin(&r, peer_mac(1), 1);
	peer_finish(&r);
	memcpy(frame, r.frame, 34);
	memset(frame + 34, 1, 8);
	memcpy(frame + 42, r.frame + 34, r.len - 34);
	frame[14] = 0x47;
	frame[17] += 8;
	frame[24] = frame[25] = 0;
	sum = (uint16_t)~peer_fold(peer_sum(frame + 14, 28, 0));
	frame[24] = sum >> 8;
	frame[25] = sum & 0xff;
	ck_assert(dhcp_frame_decode(frame, r.len + 8, false, &in));
	ck_assert_uint_eq(rd_left(&in.payload), r.len - 42);
}
END_TEST

START_TEST(names_are_cut_to_one_legal_label)
{
	static const struct { const char *in, *out; } cases[] = {
		{ "web", "web" }, { "Web-1_x", "Web-1_x" }, { "web.example.org", "web" },
		{ "", "" }, { ".", "" }, { "-web", "" }, { "web-", "" }, { "we b", "" },
		{ "we'b", "" }, { "1", "1" }, { "\xc3\xa4", "" },
		{ "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffggg",
		  "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffggg" },
		{ "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggg", "" },
	};
	char out[HOSTNAME_SIZE];

	for (size_t i = 0; i < ND_COUNT(cases); i++) {
		hostname_legalise(cases[i].in, strlen(cases[i].in), out);
		ck_assert_str_eq(out, cases[i].out);
	}
	hostname_legalise("web\0\0", 5, out);	/* some clients count the NUL */
	ck_assert_str_eq(out, "web");
}
END_TEST

START_TEST(labels_that_do_not_fit_dns_are_refused)
{
	uint8_t buf[300];
	struct wr w = wr_init(buf, sizeof(buf));

	hostname_encode_labels("a.bc.", &w);
	ck_assert(!w.full);
	ck_assert_mem_eq(buf, "\x01" "a\x02" "bc\x00", 6);
	w = wr_init(buf, sizeof(buf));
	hostname_encode_labels("a..b", &w);
	ck_assert(w.full);
}
END_TEST

static struct dhcp_config pool_config(struct dhcp_pool *pools, size_t n)
{
	return (struct dhcp_config){ .enabled = true, .server = peer_ip("10.0.0.1"),
				     .prefix_len = 8, .pools = pools, .n_pools = n };
}

START_TEST(pool_numbers_addresses_of_overlapping_ranges_once)
{
	struct dhcp_pool pools[] = { { peer_ip("10.0.0.40"), peer_ip("10.0.0.49"), 5 },
				     { peer_ip("10.0.0.10"), peer_ip("10.0.0.19"), 1 },
				     { peer_ip("10.0.0.15"), peer_ip("10.0.0.24"), 2 },
				     { peer_ip("10.0.0.16"), peer_ip("10.0.0.17"), 3 } };
	struct dhcp_config config = pool_config(pools, 4);
	struct dhcp4_pool *p = dhcp4_pool_new(&config);

	ck_assert_uint_eq(dhcp4_pool_size(p), 25);
	for (size_t i = 0; i < 25; i++)
		ck_assert_uint_eq(dhcp4_pool_index(p, dhcp4_pool_address(p, i)), i);
	ck_assert_uint_eq(dhcp4_pool_index(p, peer_ip("10.0.0.25")), DHCP4_POOL_NONE);
	ck_assert_uint_eq(dhcp4_pool_index(p, peer_ip("10.0.0.9")), DHCP4_POOL_NONE);
	ck_assert_uint_eq(dhcp4_pool_index(p, peer_ip("10.0.0.50")), DHCP4_POOL_NONE);
	ck_assert_uint_eq(dhcp4_pool_lease_time_s(p, dhcp4_pool_index(p, peer_ip("10.0.0.17"))), 1);
	ck_assert_uint_eq(dhcp4_pool_lease_time_s(p, dhcp4_pool_index(p, peer_ip("10.0.0.22"))), 2);
	dhcp4_pool_free(p);
}
END_TEST

START_TEST(pool_finds_what_is_left_at_any_size)
{
	static const unsigned sizes[] = { 1, 2, 63, 64, 65, 4095, 4096, 4097, 65536, 300000 };

	for (size_t k = 0; k < ND_COUNT(sizes); k++) {
		size_t n = sizes[k], left = n / 3;
		struct dhcp_pool range = { peer_ip("10.0.0.2"),
					   { htonl(0x0a000002 + sizes[k] - 1) }, 0 };
		struct dhcp_config config = pool_config(&range, 1);
		struct dhcp4_pool *p = dhcp4_pool_new(&config);

		for (size_t i = 0; i < n; i++) {
			ck_assert_uint_eq(dhcp4_pool_find_untaken(p, i), i);
			dhcp4_pool_set_taken(p, i, true);
		}
		ck_assert_uint_eq(dhcp4_pool_n_untaken(p), 0);
		ck_assert_uint_eq(dhcp4_pool_find_untaken(p, n / 2), DHCP4_POOL_NONE);
		dhcp4_pool_set_taken(p, left, false);
		dhcp4_pool_set_taken(p, left, false);
		ck_assert_uint_eq(dhcp4_pool_n_untaken(p), 1);
		ck_assert_uint_eq(dhcp4_pool_find_untaken(p, 0), left);
		ck_assert_uint_eq(dhcp4_pool_find_untaken(p, n - 1), left);
		dhcp4_pool_free(p);
	}
}
END_TEST

START_TEST(empty_pool_has_nothing)
{
	struct dhcp_config config = pool_config(NULL, 0);
	struct dhcp4_pool *p = dhcp4_pool_new(&config);

	ck_assert_uint_eq(dhcp4_pool_size(p), 0);
	ck_assert_uint_eq(dhcp4_pool_find_untaken(p, 0), DHCP4_POOL_NONE);
	ck_assert_uint_eq(dhcp4_pool_index(p, peer_ip("10.0.0.5")), DHCP4_POOL_NONE);
	dhcp4_pool_free(p);
}
END_TEST

static void on_flaw(void *ctx, const struct dhcp_reservation *r, const char *why)
{
	(*(unsigned *)ctx)++;
	ck_assert(why[0]);
}

START_TEST(reservations_without_effect_are_told)
{
	struct dhcp_reservation hosts[] = {
		{ .has_mac = true, .mac = peer_mac(1), .address = peer_ip("10.0.0.5") },
		{ .has_mac = true, .mac = peer_mac(2), .address = peer_ip("10.0.0.5") },
		{ .has_mac = true, .mac = peer_mac(1), .address = peer_ip("10.0.0.6") },
		{ .name = "box", .address = peer_ip("10.0.0.7") },
		{ .name = "BOX.example.org", .address = peer_ip("10.0.0.8") },
		{ .name = "-", .address = peer_ip("10.0.0.9") },
		{ .has_mac = true, .mac = peer_mac(3), .address = peer_ip("11.0.0.5") },
		{ .has_mac = true, .mac = peer_mac(4), .address = peer_ip("10.0.0.1") },
		{ .has_mac = true, .mac = peer_mac(5), .address = peer_ip("10.255.255.255") },
	};
	struct dhcp_config config = pool_config(NULL, 0);
	struct dhcp4_hosts *h;
	unsigned told = 0;

	config.reservations = hosts;
	config.n_reservations = ND_COUNT(hosts);
	h = dhcp4_hosts_new(&config);
	ck_assert_uint_eq(dhcp4_hosts_check(&config, h, on_flaw, &told), 7);
	ck_assert_uint_eq(told, 7);
	ck_assert_ptr_eq(dhcp4_hosts_find(h, &hosts[0].mac, NULL, 0, ""), &hosts[0]);
	ck_assert_ptr_eq(dhcp4_hosts_find(h, &hosts[6].mac, NULL, 0, "Box"), &hosts[3]);
	dhcp4_hosts_free(h);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("dhcp4_codec");
	TCase *c = tcase_create("codec");

	tcase_add_test(c, options_end_at_the_end_mark_or_the_field);
	tcase_add_test(c, option_longer_than_its_field_is_refused);
	tcase_add_test(c, pieces_of_an_option_are_joined);
	tcase_add_test(c, overloaded_fields_are_read_file_first);
	tcase_add_test(c, joined_options_cannot_pass_the_buffer);
	tcase_add_test(c, wrong_lengths_of_lesser_options_count_as_absent);
	tcase_add_test(c, long_option_is_written_in_pieces_and_read_as_one);
	tcase_add_test(c, message_needs_its_fixed_fields);
	tcase_add_test(c, frame_round_trips_with_right_checksums);
	tcase_add_test(c, ip_options_are_skipped);
	tcase_add_test(c, names_are_cut_to_one_legal_label);
	tcase_add_test(c, labels_that_do_not_fit_dns_are_refused);
	tcase_add_test(c, pool_numbers_addresses_of_overlapping_ranges_once);
	tcase_add_test(c, pool_finds_what_is_left_at_any_size);
	tcase_add_test(c, empty_pool_has_nothing);
	tcase_add_test(c, reservations_without_effect_are_told);
	suite_add_tcase(s, c);
	return suite_run(s);
}
