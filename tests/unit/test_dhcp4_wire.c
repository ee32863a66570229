/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_dhcp4_wire.c -- what is broken, what relays send, and what stands in a reply */
#include <stdlib.h>

#include "dhcp4_scene.h"

/* --- what is broken --- */

/* A valid DISCOVER, of which each case breaks one field. */
static void begin_valid(struct peer_request *r)
{
	peer_begin(r, peer_mac(1), 1);
	peer_option_text(r, 12, "host");
	peer_finish(r);
}

struct breakage {
	const char *what;
	size_t at;
	uint8_t value;
	bool seal;			/* make lengths and checksums right again */
};

START_TEST(one_broken_field_silences_the_server)
{
	static const struct breakage cases[] = {
		{ "ethertype", 12, 0x86, true },
		{ "ip version", 14, 0x65, true },
		{ "ip header length", 14, 0x44, false },
		{ "ip total length", 17, 0xff, false },
		{ "more fragments", 20, 0x20, true },
		{ "fragment offset", 21, 1, true },
		{ "protocol", 23, 6, true },
		{ "ip checksum", 24, 0x12, false },
		{ "destination address", 30, 10, true },
		{ "destination port", 37, 68, true },
		{ "udp length", 39, 0xff, false },
		{ "udp length too short", 39, 7, false },
		{ "udp checksum", 40, 0x12, false },
		{ "op", 42, 2, true },
		{ "htype", 43, 6, true },
		{ "hlen", 44, 16, true },
		{ "chaddr is multicast", 42 + 28, 0x53, true },
		{ "chaddr is another's", 42 + 33, 0x99, true },
		{ "giaddr of another subnet", 42 + 24, 10, true },
		{ "cookie", 42 + 236, 0, true },
		{ "type's length", 42 + 241, 2, true },
		{ "type unknown", 42 + 242, 77, true },
		{ "type zero", 42 + 242, 0, true },
		{ "option passes the end", 42 + 244, 200, true },
	};
	struct peer_request r;

	begin_valid(&r);
	ck_assert(send_frame(&r));
	for (size_t i = 0; i < ND_COUNT(cases); i++) {
		begin_valid(&r);
		r.frame[cases[i].at] = cases[i].value;
		if (cases[i].seal)
			peer_seal(&r);
		ck_assert_msg(!send_frame(&r), "answered: %s", cases[i].what);
	}
}
END_TEST

START_TEST(truncated_frames_are_not_answered)
{
	struct peer_request r;

	begin_valid(&r);
	for (size_t len = 0; len < r.len; len++)
		dhcp4_service_frame(service, r.frame, len, false, now_ms);
	ck_assert_uint_eq(dhcp4_service_stats(service)->received, 0);
}
END_TEST

START_TEST(partial_checksum_is_accepted_when_the_kernel_says_so)
{
	struct peer_request r;

	begin_valid(&r);
	r.frame[40] ^= 0x55;
	ck_assert(!send_frame(&r));
	dhcp4_service_frame(service, r.frame, r.len, true, now_ms);
	ck_assert_uint_eq(reply.type, 2);
}
END_TEST

START_TEST(padding_behind_the_datagram_does_not_matter)
{
	struct peer_request r;

	begin_valid(&r);
	r.len += 30;
	ck_assert(send_frame(&r));
}
END_TEST

START_TEST(vital_option_of_wrong_length_is_malformed)
{
	struct peer_request r;

	peer_begin(&r, peer_mac(1), 3);
	peer_option(&r, 50, "\xc0\xa8\x32", 3);
	ck_assert(!send_request(&r));
	peer_begin(&r, peer_mac(1), 3);
	peer_option(&r, 54, "\xc0\xa8\x32\x01\x01", 5);
	ck_assert(!send_request(&r));
	ck_assert_uint_eq(dhcp4_service_stats(service)->malformed, 2);
}
END_TEST

START_TEST(spoofed_release_frees_nothing)
{
	struct in_addr a = acquire(1);
	struct peer_request r;

	peer_begin(&r, peer_mac(1), 7);
	peer_set_ip(&r, PEER_CIADDR, a);
	r.frame[11] = 0x66;
	ck_assert(!send_request(&r));
	ck_assert_ptr_null(strchr(events, '-'));
	ck_assert_uint_eq(dhcp4_service_stats(service)->spoofed, 1);
}
END_TEST

/* --- relays --- */

static void relay(struct peer_request *r, const char *giaddr)
{
	static const uint8_t relay_mac[6] = { 2, 0, 0, 0, 0, 9 };
	struct in_addr a = peer_ip(giaddr);

	memcpy(r->frame + 6, relay_mac, 6);
	memcpy(r->frame + 26, &a, 4);
	memcpy(r->frame + 30, &config.server, 4);
	r->frame[35] = 67;
	peer_set_ip(r, PEER_GIADDR, a);
}

START_TEST(relayed_request_is_answered_to_the_relay)
{
	struct peer_request r;

	peer_begin(&r, peer_mac(1), 1);
	peer_option(&r, 82, "\x01\x04port", 6);
	relay(&r, "192.168.50.99");
	ck_assert(send_request(&r));
	assert_ip(reply.ip_dst, "192.168.50.99");
	assert_ip(reply.giaddr, "192.168.50.99");
	ck_assert_uint_eq(reply.port_dst, 67);
	ck_assert_uint_eq(reply.eth_dst.bytes[5], 9);
	ck_assert_uint_eq(reply.option_len[82], 6);
	ck_assert_mem_eq(reply.option[82], "\x01\x04port", 6);
	ck_assert_uint_eq(reply.last_option, 82);
}
END_TEST

START_TEST(relayed_nak_asks_the_relay_to_broadcast)
{
	struct peer_request r;

	peer_begin(&r, peer_mac(1), 3);
	peer_option_ip(&r, 50, peer_ip("10.1.1.1"));
	relay(&r, "192.168.50.99");
	ck_assert(send_request(&r));
	ck_assert_uint_eq(reply.type, 6);
	assert_ip(reply.ip_dst, "192.168.50.99");
	ck_assert_uint_eq(reply.frame[42 + 10], 0x80);
}
END_TEST

START_TEST(no_relay_speaks_for_a_plugged_guest)
{
	struct nd_mac port = peer_mac(1);
	struct peer_request r;

	ck_assert_int_eq(dhcp4_service_set_ports(service, &port, 1, now_ms), 0);
	peer_begin(&r, port, 1);
	relay(&r, "192.168.50.99");
	ck_assert(!send_request(&r));
}
END_TEST

/* --- options --- */

START_TEST(only_what_is_asked_for_is_sent)
{
	struct peer_request r;

	config.mtu_bytes = 1400;
	peer_begin(&r, peer_mac(1), 1);
	peer_option(&r, 55, "\x1a\x77", 2);
	ck_assert(send_request(&r));
	ck_assert_ptr_null(reply.option[3]);
	ck_assert_ptr_null(reply.option[6]);
	ck_assert_ptr_null(reply.option[15]);
	ck_assert_mem_eq(reply.option[26], "\x05\x78", 2);
	ck_assert_uint_eq(reply.option_len[119], 13);
	ck_assert_mem_eq(reply.option[119], "\x03lab\x07" "example", 13);
	ck_assert_ptr_nonnull(reply.option[1]);
	ck_assert_ptr_nonnull(reply.option[28]);
}
END_TEST

START_TEST(isolated_network_has_no_router_and_no_dns)
{
	config.router.s_addr = 0;
	config.dns.s_addr = 0;
	config.domain[0] = '\0';
	ck_assert(discover(1));
	ck_assert_ptr_null(reply.option[3]);
	ck_assert_ptr_null(reply.option[6]);
	ck_assert_ptr_null(reply.option[15]);
}
END_TEST

START_TEST(classless_routes_hold_the_default_route_too)
{
	struct dhcp_static_route route = { peer_ip("10.20.0.0"), 14, peer_ip("192.168.50.3") };
	struct peer_request r;

	peer_begin(&r, peer_mac(1), 1);
	peer_option(&r, 55, "\x79\x03", 2);
	ck_assert(send_request(&r));
	ck_assert_ptr_null(reply.option[121]);
	config.routes = &route;
	config.n_routes = 1;
	peer_begin(&r, peer_mac(1), 1);
	peer_option(&r, 55, "\x79\x03", 2);
	ck_assert(send_request(&r));
	ck_assert_uint_eq(reply.option_len[121], 12);
	ck_assert_mem_eq(reply.option[121], "\x0e\x0a\x14\xc0\xa8\x32\x03\x00\xc0\xa8\x32\x01", 12);
}
END_TEST

START_TEST(fqdn_is_answered_with_the_name_in_the_domain)
{
	struct peer_request r;

	peer_begin(&r, peer_mac(1), 1);
	peer_option(&r, 81, "\x00\x00\x00gst.bad.dom", 14);
	ck_assert(send_request(&r));
	ck_assert_uint_eq(reply.option[81][0], 0x03);
	ck_assert_uint_eq(reply.option_len[81], 3 + 15);
	ck_assert_mem_eq(reply.option[81] + 3, "gst.lab.example", 15);
	peer_begin(&r, peer_mac(1), 1);
	peer_option(&r, 81, "\x05\x00\x00\x03gst\x03" "bad\x00", 12);
	ck_assert(send_request(&r));
	ck_assert_uint_eq(reply.option[81][0], 0x05);
	ck_assert_uint_eq(reply.option_len[81], 3 + 17);
	ck_assert_mem_eq(reply.option[81] + 3, "\x03gst\x03lab\x07" "example", 17);
}
END_TEST

START_TEST(lease_time_is_the_hosts_then_the_pools_then_the_default)
{
	struct peer_request r;

	add_host("52:54:00:00:00:05", NULL, NULL, "192.168.50.5");
	hosts[0].lease_time_s = DHCP_LEASE_TIME_INFINITE;
	ck_assert(discover(5));
	ck_assert_uint_eq(peer_u32(&reply, 51), UINT32_MAX);
	ck_assert_ptr_null(reply.option[58]);
	ck_assert_ptr_null(reply.option[59]);
	pools[0].lease_time_s = 7200;
	ck_assert_int_eq(dhcp4_service_configure(service, &config, now_ms), 0);
	ck_assert(discover(1));
	ck_assert_uint_eq(peer_u32(&reply, 51), 7200);
	peer_begin(&r, peer_mac(1), 1);
	peer_option_u32(&r, 51, 600);
	ck_assert(send_request(&r));
	ck_assert_uint_eq(peer_u32(&reply, 51), 600);
	peer_begin(&r, peer_mac(1), 1);
	peer_option_u32(&r, 51, 1);
	ck_assert(send_request(&r));
	ck_assert_uint_eq(peer_u32(&reply, 51), 120);
	peer_begin(&r, peer_mac(1), 1);
	peer_option_u32(&r, 51, UINT32_MAX);
	ck_assert(send_request(&r));
	ck_assert_uint_eq(peer_u32(&reply, 51), 7200);
}
END_TEST

START_TEST(boot_file_stands_in_the_fixed_fields)
{
	strcpy(config.boot_file, "pxelinux.0");
	config.boot_server = peer_ip("192.168.50.7");
	ck_assert(discover(1));
	assert_ip(reply.siaddr, "192.168.50.7");
	ck_assert_str_eq((char *)reply.frame + 42 + 108, "pxelinux.0");
	ck_assert_ptr_null(reply.option[52]);
	ck_assert_ptr_null(reply.option[67]);
}
END_TEST

START_TEST(reply_fits_the_clients_largest_message)
{
	uint8_t id[255], info[200];
	struct peer_request r;

	memset(id, 'i', sizeof(id));
	memset(info, 'r', sizeof(info));
	memset(config.domain, 'd', 60);
	config.domain[60] = '\0';
	peer_begin(&r, peer_mac(1), 1);
	peer_option(&r, 61, id, sizeof(id));
	ck_assert(send_request(&r));
	ck_assert_uint_le(reply.len - 14, 576);
	ck_assert_uint_eq(reply.option_len[61], 255);
	ck_assert_ptr_null(reply.option[15]);
	peer_begin(&r, peer_mac(1), 1);
	peer_option(&r, 61, id, sizeof(id));
	peer_option(&r, 57, "\x05\xdc", 2);
	ck_assert(send_request(&r));
	ck_assert_uint_eq(reply.option_len[15], 60);
	peer_begin(&r, peer_mac(1), 1);
	peer_option(&r, 61, id, sizeof(id));
	peer_option(&r, 82, info, sizeof(info));
	relay(&r, "192.168.50.99");
	ck_assert(send_request(&r));
	ck_assert_uint_eq(reply.option_len[82], 200);
	ck_assert_uint_eq(reply.option_len[61], 255);
}
END_TEST

START_TEST(broadcast_flag_is_honoured)
{
	struct peer_request r;

	peer_begin(&r, peer_mac(1), 1);
	peer_dhcp(&r)[10] = 0x80;
	ck_assert(send_request(&r));
	assert_ip(reply.ip_dst, "255.255.255.255");
	ck_assert(nd_mac_is_multicast(&reply.eth_dst));
	peer_begin(&r, peer_mac(1), 3);
	peer_option_ip(&r, 50, peer_ip("10.0.0.1"));
	peer_dhcp(&r)[10] = 0x80;
	ck_assert(send_request(&r));
	ck_assert_uint_eq(reply.type, 6);
	ck_assert(nd_mac_is_multicast(&reply.eth_dst));
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		one_broken_field_silences_the_server,
		truncated_frames_are_not_answered,
		partial_checksum_is_accepted_when_the_kernel_says_so,
		padding_behind_the_datagram_does_not_matter,
		vital_option_of_wrong_length_is_malformed,
		spoofed_release_frees_nothing,
		relayed_request_is_answered_to_the_relay,
		relayed_nak_asks_the_relay_to_broadcast,
		no_relay_speaks_for_a_plugged_guest,
		only_what_is_asked_for_is_sent,
		isolated_network_has_no_router_and_no_dns,
		classless_routes_hold_the_default_route_too,
		fqdn_is_answered_with_the_name_in_the_domain,
		lease_time_is_the_hosts_then_the_pools_then_the_default,
		boot_file_stands_in_the_fixed_fields,
		reply_fits_the_clients_largest_message,
		broadcast_flag_is_honoured,
	};

	return scene_run("dhcp4 wire", tests, ND_COUNT(tests));
}
