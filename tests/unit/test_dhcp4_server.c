/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_dhcp4_server.c -- the messages of RFC 2131 and what the server says to each, names, and the pool */
#include <stdlib.h>

#include "dhcp4_scene.h"

/* --- the four messages --- */

START_TEST(discover_is_offered_an_address_of_the_pool)
{
	char text[256];

	ck_assert(discover(1));
	ck_assert_uint_eq(reply.type, 2);
	ck_assert(in_pool(reply.yiaddr));
	ck_assert_mem_eq(reply.frame + 42 + 4, "XIDX", 4);
	ck_assert_uint_eq(peer_u32(&reply, 54), ntohl(config.server.s_addr));
	ck_assert_uint_eq(peer_u32(&reply, 51), 3600);
	ck_assert_uint_eq(peer_u32(&reply, 58), 1800);
	ck_assert_uint_eq(peer_u32(&reply, 59), 3150);
	ck_assert_uint_eq(peer_u32(&reply, 1), 0xffffff00);
	ck_assert_uint_eq(peer_u32(&reply, 28), 0xc0a832ff);
	ck_assert_uint_eq(peer_u32(&reply, 3), 0xc0a83201);
	ck_assert_uint_eq(peer_u32(&reply, 6), 0xc0a83201);
	ck_assert_str_eq(peer_text(&reply, 15, text), "lab.example");
	ck_assert_ptr_null(reply.option[26]);
	ck_assert_ptr_null(reply.option[12]);
	ck_assert_ptr_null(reply.option[119]);
	ck_assert_ptr_null(reply.option[121]);
	assert_ip(reply.siaddr, SERVER);
	/* RFC 2131 4.1: no broadcast flag, no address yet: to the new address at the MAC */
	ck_assert(nd_mac_equal(&reply.eth_dst, &(struct nd_mac){ { 0x52, 0x54, 0, 0, 0, 1 } }));
	ck_assert_uint_eq(reply.ip_dst.s_addr, reply.yiaddr.s_addr);
	ck_assert_uint_eq(reply.port_dst, 68);
	ck_assert_str_eq(events, "");
}
END_TEST

START_TEST(request_of_the_offer_is_acknowledged_and_told)
{
	struct in_addr a = acquire_with(1, 12, "web");
	char expected[64], text[256];

	ck_assert_uint_eq(peer_u32(&reply, 51), 3600);
	ck_assert_str_eq(peer_text(&reply, 12, text), "web");
	snprintf(expected, sizeof(expected), "+%s=web ", inet_ntoa(a));
	ck_assert_str_eq(events, expected);
}
END_TEST

START_TEST(offers_of_two_clients_differ)
{
	struct in_addr a;

	ck_assert(discover(1));
	a = reply.yiaddr;
	ck_assert(discover(2));
	ck_assert_uint_ne(a.s_addr, reply.yiaddr.s_addr);
	ck_assert(discover(1));
	ck_assert_uint_eq(a.s_addr, reply.yiaddr.s_addr);
}
END_TEST

START_TEST(renewal_keeps_the_address_and_restarts_its_time)
{
	struct in_addr a = acquire(1);

	now_ms += 1800 * 1000;
	ck_assert(renew(1, a));
	ck_assert_uint_eq(reply.type, 5);
	ck_assert_uint_eq(reply.yiaddr.s_addr, a.s_addr);
	ck_assert_uint_eq(reply.ciaddr.s_addr, a.s_addr);
	ck_assert_uint_eq(peer_u32(&reply, 51), 3600);
	ck_assert_uint_eq(reply.ip_dst.s_addr, a.s_addr);
	now_ms += 3599 * 1000;
	dhcp4_service_tick(service, now_ms);
	ck_assert_ptr_null(strchr(events, '-'));
	now_ms += 1000;
	dhcp4_service_tick(service, now_ms);
	ck_assert_ptr_nonnull(strchr(events, '-'));
}
END_TEST

START_TEST(a_repeated_request_is_told_what_is_left)
{
	struct in_addr a = acquire(1);

	now_ms += 3000;
	ck_assert(renew(1, a));
	ck_assert_uint_eq(peer_u32(&reply, 51), 3597);
	ck_assert_ptr_null(strchr(events, '~'));
}
END_TEST

START_TEST(init_reboot_with_the_lease_is_acknowledged)
{
	struct in_addr a = acquire(1);

	ck_assert(init_reboot(1, a));
	ck_assert_uint_eq(reply.type, 5);
	ck_assert_uint_eq(reply.yiaddr.s_addr, a.s_addr);
}
END_TEST

START_TEST(unknown_client_gets_a_usable_address_it_claims)
{
	ck_assert(init_reboot(7, peer_ip("192.168.50.15")));
	ck_assert_uint_eq(reply.type, 5);
	ck_assert(renew(8, peer_ip("192.168.50.16")));
	ck_assert_uint_eq(reply.type, 5);
}
END_TEST

START_TEST(wrong_claims_are_refused_at_once)
{
	static const char *const wrong[] = { "10.0.0.5", "192.168.50.9", "192.168.50.20",
					     "192.168.50.1", "192.168.50.255", "192.168.50.0" };

	for (size_t i = 0; i < ND_COUNT(wrong); i++) {
		ck_assert(init_reboot(7, peer_ip(wrong[i])));
		ck_assert_uint_eq(reply.type, 6);
		ck_assert_uint_eq(reply.yiaddr.s_addr, 0);
		ck_assert_ptr_null(reply.option[51]);
		/* RFC 2131 4.3.2: broadcast, since the client's address may be wrong; but the
		 * frame is for the client alone, or a flood of requests would be one of NAKs */
		assert_ip(reply.ip_dst, "255.255.255.255");
		ck_assert_uint_eq(reply.eth_dst.bytes[5], 7);
		ck_assert(renew(7, peer_ip(wrong[i])));
		ck_assert_uint_eq(reply.type, 6);
	}
}
END_TEST

START_TEST(another_clients_address_is_refused)
{
	struct in_addr a = acquire(1);
	struct peer_request r;

	ck_assert(init_reboot(2, a));
	ck_assert_uint_eq(reply.type, 6);
	ck_assert(renew(2, a));
	ck_assert_uint_eq(reply.type, 6);
	begin_selecting(&r, 2, a);
	ck_assert(send_request(&r));
	ck_assert_uint_eq(reply.type, 6);
	ck_assert(renew(1, a));
	ck_assert_uint_eq(reply.type, 5);
}
END_TEST

/* Were it given the other one and never told, it would count on its own, which was free by then. */
START_TEST(client_with_a_lease_gets_no_other_address)
{
	struct in_addr a = acquire(1), other = peer_ip("192.168.50.19");
	struct peer_request r;

	if (a.s_addr == other.s_addr)
		other = peer_ip("192.168.50.18");
	ck_assert(init_reboot(1, other));
	ck_assert_uint_eq(reply.type, 6);
	ck_assert(renew(1, other));
	ck_assert_uint_eq(reply.type, 6);
	begin_selecting(&r, 1, other);
	ck_assert(send_request(&r));
	ck_assert_uint_eq(reply.type, 6);
	ck_assert(init_reboot(2, a));
	ck_assert_uint_eq(reply.type, 6);
	ck_assert(init_reboot(2, other));
	ck_assert_uint_eq(reply.type, 5);
	ck_assert_uint_eq(acquire(1).s_addr, a.s_addr);
}
END_TEST

START_TEST(choice_of_another_server_frees_the_offer)
{
	struct peer_request r;
	struct in_addr a;

	ck_assert(discover(1));
	a = reply.yiaddr;
	peer_begin(&r, peer_mac(1), 3);
	peer_option_ip(&r, 54, peer_ip("192.168.50.2"));
	peer_option_ip(&r, 50, peer_ip("192.168.50.77"));
	ck_assert(!send_request(&r));
	ck_assert(init_reboot(2, a));
	ck_assert_uint_eq(reply.type, 5);
}
END_TEST

START_TEST(released_address_is_free_and_remembered)
{
	struct in_addr a = acquire(1);
	char expected[64];

	release(2, a);
	ck_assert_ptr_null(strchr(events, '-'));
	release(1, a);
	snprintf(expected, sizeof(expected), "+%s= -%s= ", inet_ntoa(a), inet_ntoa(a));
	ck_assert_str_eq(events, expected);
	ck_assert_uint_eq(acquire(1).s_addr, a.s_addr);
	release(1, a);
	ck_assert(init_reboot(2, a));
	ck_assert_uint_eq(reply.type, 5);
}
END_TEST

START_TEST(declined_address_rests_ten_minutes)
{
	struct in_addr a = acquire(1), b;

	decline(2, a);
	decline(1, a);
	ck_assert_ptr_nonnull(strchr(events, '-'));
	b = acquire(1);
	ck_assert_uint_ne(a.s_addr, b.s_addr);
	now_ms += 599 * 1000;
	ck_assert(init_reboot(2, a));
	ck_assert_uint_eq(reply.type, 6);
	now_ms += 1000;
	ck_assert(init_reboot(2, a));
	ck_assert_uint_eq(reply.type, 5);
}
END_TEST

START_TEST(one_client_cannot_decline_the_pool_away)
{
	for (int i = 0; i < 30; i++)
		decline(1, acquire(1));
	for (unsigned client = 10; client < 15; client++)
		acquire(client);
}
END_TEST

START_TEST(inform_is_told_of_the_network_but_given_no_lease)
{
	struct peer_request r;

	peer_begin(&r, peer_mac(1), 8);
	peer_set_ip(&r, PEER_CIADDR, peer_ip("192.168.50.200"));
	ck_assert(send_request(&r));
	ck_assert_uint_eq(reply.type, 5);
	ck_assert_uint_eq(reply.yiaddr.s_addr, 0);
	assert_ip(reply.ip_dst, "192.168.50.200");
	ck_assert_uint_eq(peer_u32(&reply, 6), 0xc0a83201);
	ck_assert_ptr_null(reply.option[51]);
	ck_assert_ptr_null(reply.option[58]);
	ck_assert_str_eq(events, "");
}
END_TEST

START_TEST(rapid_commit_binds_in_two_messages)
{
	struct peer_request r;

	peer_begin(&r, peer_mac(1), 1);
	peer_option(&r, 80, "", 0);
	ck_assert(send_request(&r));
	ck_assert_uint_eq(reply.type, 5);
	ck_assert_ptr_nonnull(reply.option[80]);
	ck_assert_uint_eq(reply.option_len[80], 0);
	ck_assert_uint_eq(events[0], '+');
	ck_assert(renew(1, reply.yiaddr));
	ck_assert_ptr_null(reply.option[80]);
}
END_TEST

START_TEST(bootp_is_answered_for_reservations_only)
{
	struct peer_request r;

	add_host("52:54:00:00:00:05", NULL, "old", "192.168.50.5");
	strcpy(config.boot_file, "kernel");
	peer_begin(&r, peer_mac(6), 0);
	ck_assert(!send_request(&r));
	peer_begin(&r, peer_mac(5), 0);
	ck_assert(send_request(&r));
	ck_assert_uint_eq(reply.type, 0);
	ck_assert_uint_eq(reply.len, 42 + 300);
	assert_ip(reply.yiaddr, "192.168.50.5");
	ck_assert_ptr_null(reply.option[51]);
	ck_assert_ptr_null(reply.option[54]);
	ck_assert_uint_eq(peer_u32(&reply, 1), 0xffffff00);
	ck_assert_str_eq((char *)reply.frame + 42 + 108, "kernel");
	ck_assert_str_eq(events, "+192.168.50.5=old ");
}
END_TEST

/* --- identity --- */

START_TEST(clones_with_one_client_id_get_two_addresses)
{
	struct in_addr a = acquire_with(1, 61, "\xff machine"), b = acquire_with(2, 61, "\xff machine");

	ck_assert_uint_ne(a.s_addr, b.s_addr);
	ck_assert_uint_eq(reply.option_len[61], 9);	/* RFC 6842 */
	ck_assert(renew(1, a));
	ck_assert_uint_eq(reply.type, 5);
}
END_TEST

START_TEST(guest_that_changes_its_client_id_keeps_its_address)
{
	struct in_addr a = acquire_with(1, 61, "\x01rom");

	ck_assert_uint_eq(acquire_with(1, 61, "\xffloader").s_addr, a.s_addr);
	ck_assert_uint_eq(acquire(1).s_addr, a.s_addr);
}
END_TEST

START_TEST(nak_echoes_the_client_id)
{
	struct peer_request r;

	peer_begin(&r, peer_mac(1), 3);
	peer_option_ip(&r, 50, peer_ip("10.0.0.1"));
	peer_option_text(&r, 61, "\x01id");
	ck_assert(send_request(&r));
	ck_assert_uint_eq(reply.type, 6);
	ck_assert_uint_eq(reply.option_len[61], 3);
}
END_TEST

/* --- names --- */

START_TEST(illegal_names_are_dropped)
{
	static const char *const bad[] = { "a b", "-a", "a-", "\xc3\xa4", ".x", "a/b" };
	char text[256];

	for (unsigned i = 0; i < ND_COUNT(bad); i++) {
		acquire_with(1, 12, bad[i]);
		ck_assert_str_eq(peer_text(&reply, 12, text), "");
	}
	now_ms += 10000;
	acquire_with(1, 12, "good_1.elsewhere.org");
	ck_assert_str_eq(peer_text(&reply, 12, text), "good_1");
}
END_TEST

START_TEST(later_client_takes_a_name_over)
{
	struct in_addr a = acquire_with(1, 12, "web"), b = acquire_with(2, 12, "WEB");
	char expected[160], first[20];

	snprintf(first, sizeof(first), "%s", inet_ntoa(a));
	snprintf(expected, sizeof(expected), "+%s=web ~%s= +%s=WEB ", first, first, inet_ntoa(b));
	ck_assert_str_eq(events, expected);
}
END_TEST

START_TEST(configured_name_is_not_taken_over)
{
	add_host("52:54:00:00:00:05", NULL, "web", "192.168.50.5");
	acquire(5);
	acquire_with(1, 12, "web");
	ck_assert_ptr_nonnull(strstr(events, "+192.168.50.5=web "));
	ck_assert_ptr_null(strchr(events, '~'));
	ck_assert_str_eq(strrchr(events, '='), "= ");
}
END_TEST

/* --- the pool --- */

START_TEST(full_pool_recovers_what_expired)
{
	struct in_addr first = acquire(1);

	now_ms += 1000;
	for (unsigned client = 2; client <= 10; client++)
		acquire(client);
	ck_assert(!discover(11));
	ck_assert_uint_eq(dhcp4_service_stats(service)->quota +
			  dhcp4_service_stats(service)->no_address, 1);
	now_ms += 3599 * 1000;
	/* the oldest expired first, and its address is the one that is free */
	ck_assert_uint_eq(acquire(11).s_addr, first.s_addr);
	ck_assert(renew(2, peer_ip("10.0.0.1")));
}
END_TEST

START_TEST(client_comes_back_to_its_expired_address)
{
	struct in_addr a = acquire(1);

	acquire(2);
	now_ms += 7200 * 1000;
	acquire(3);
	ck_assert_uint_eq(acquire(1).s_addr, a.s_addr);
}
END_TEST

START_TEST(requested_address_is_offered_when_it_is_free)
{
	struct peer_request r;

	peer_begin(&r, peer_mac(1), 1);
	peer_option_ip(&r, 50, peer_ip("192.168.50.17"));
	ck_assert(send_request(&r));
	assert_ip(reply.yiaddr, "192.168.50.17");
	peer_begin(&r, peer_mac(2), 1);
	peer_option_ip(&r, 50, peer_ip("192.168.50.17"));
	ck_assert(send_request(&r));
	ck_assert_uint_ne(reply.yiaddr.s_addr, peer_ip("192.168.50.17").s_addr);
}
END_TEST

START_TEST(addresses_are_kept_for_plugged_guests)
{
	struct nd_mac ports[3] = { peer_mac(1), peer_mac(2), peer_mac(3) };
	unsigned served = 0;

	ck_assert_int_eq(dhcp4_service_set_ports(service, ports, 3, now_ms), 0);
	for (unsigned client = 100; client < 200; client++)
		if (init_reboot(client, peer_ip("192.168.50.10")), discover(client)) {
			acquire(client);
			served++;
		}
	ck_assert_uint_eq(served, 7);
	for (unsigned client = 1; client <= 3; client++)
		acquire(client);
}
END_TEST

START_TEST(flood_of_discovers_does_not_block_a_plugged_guest)
{
	struct nd_mac port = peer_mac(1);

	for (unsigned client = 100; client < 5000; client++)
		discover(client);
	ck_assert_int_eq(dhcp4_service_set_ports(service, &port, 1, now_ms), 0);
	acquire(1);
	acquire(99999);		/* and an unknown one gets through, since offers are no leases */
}
END_TEST

START_TEST(unplugged_guests_lease_ends)
{
	struct nd_mac ports[2] = { peer_mac(1), peer_mac(2) };
	struct in_addr a;

	ck_assert_int_eq(dhcp4_service_set_ports(service, ports, 2, now_ms), 0);
	a = acquire(1);
	acquire(2);
	events[0] = '\0';
	ck_assert_int_eq(dhcp4_service_set_ports(service, ports + 1, 1, now_ms), 0);
	ck_assert_uint_eq(events[0], '-');
	ck_assert_ptr_nonnull(strstr(events, inet_ntoa(a)));
	ck_assert_ptr_null(strchr(events + 1, '-'));
	ck_assert(init_reboot(3, a));
	ck_assert_uint_eq(reply.type, 5);
}
END_TEST

START_TEST(new_configuration_keeps_leases)
{
	struct in_addr a = acquire(1);

	pools[0].end = peer_ip("192.168.50.250");
	strcpy(config.domain, "new.example");
	ck_assert_int_eq(dhcp4_service_configure(service, &config, now_ms), 0);
	now_ms += 100000;
	ck_assert(renew(1, a));
	ck_assert_uint_eq(reply.type, 5);
	pools[0].start = peer_ip("192.168.50.100");
	ck_assert_int_eq(dhcp4_service_configure(service, &config, now_ms), 0);
	ck_assert(renew(1, a));
	ck_assert_uint_eq(reply.type, 6);
	ck_assert(in_pool(acquire(1)));
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		discover_is_offered_an_address_of_the_pool,
		request_of_the_offer_is_acknowledged_and_told,
		offers_of_two_clients_differ,
		renewal_keeps_the_address_and_restarts_its_time,
		a_repeated_request_is_told_what_is_left,
		init_reboot_with_the_lease_is_acknowledged,
		unknown_client_gets_a_usable_address_it_claims,
		wrong_claims_are_refused_at_once,
		another_clients_address_is_refused,
		client_with_a_lease_gets_no_other_address,
		choice_of_another_server_frees_the_offer,
		released_address_is_free_and_remembered,
		declined_address_rests_ten_minutes,
		one_client_cannot_decline_the_pool_away,
		inform_is_told_of_the_network_but_given_no_lease,
		rapid_commit_binds_in_two_messages,
		bootp_is_answered_for_reservations_only,
		clones_with_one_client_id_get_two_addresses,
		guest_that_changes_its_client_id_keeps_its_address,
		nak_echoes_the_client_id,
		illegal_names_are_dropped,
		later_client_takes_a_name_over,
		configured_name_is_not_taken_over,
		full_pool_recovers_what_expired,
		client_comes_back_to_its_expired_address,
		requested_address_is_offered_when_it_is_free,
		addresses_are_kept_for_plugged_guests,
		flood_of_discovers_does_not_block_a_plugged_guest,
		unplugged_guests_lease_ends,
		new_configuration_keeps_leases,
	};

	return scene_run("dhcp4 server", tests, ND_COUNT(tests));
}
