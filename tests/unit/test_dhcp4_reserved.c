/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_dhcp4_reserved.c -- addresses that are kept for somebody */
#include <stdlib.h>

#include "dhcp4_scene.h"

START_TEST(reservations_are_found_by_id_mac_and_name)
{
	add_host("52:54:00:00:00:05", NULL, "by-mac", "192.168.50.5");
	add_host(NULL, "\x01key", NULL, "192.168.50.6");
	add_host(NULL, NULL, "by-name", "192.168.50.7");
	assert_ip(acquire(5), "192.168.50.5");
	assert_ip(acquire_with(6, 61, "\x01key"), "192.168.50.6");
	assert_ip(acquire_with(7, 12, "BY-NAME"), "192.168.50.7");
	/* a name of an entry that has a MAC is not a key */
	ck_assert(in_pool(acquire_with(8, 12, "by-mac")));
	ck_assert_ptr_null(strstr(strrchr(events, '+'), "by-mac"));
}
END_TEST

START_TEST(reserved_address_is_never_given_to_others)
{
	add_host("52:54:00:00:00:05", NULL, NULL, "192.168.50.12");
	ck_assert(init_reboot(1, peer_ip("192.168.50.12")));
	ck_assert_uint_eq(reply.type, 6);
	for (unsigned client = 20; client < 29; client++)
		ck_assert_uint_ne(acquire(client).s_addr, peer_ip("192.168.50.12").s_addr);
	ck_assert(!discover(30));
	assert_ip(acquire(5), "192.168.50.12");
}
END_TEST

START_TEST(clone_of_a_reserved_client_id_gets_another_address)
{
	add_host(NULL, "\x01key", NULL, "192.168.50.6");
	assert_ip(acquire_with(1, 61, "\x01key"), "192.168.50.6");
	ck_assert(in_pool(acquire_with(2, 61, "\x01key")));
}
END_TEST

START_TEST(name_only_reservation_survives_a_renewal_without_the_name)
{
	add_host(NULL, NULL, "box", "192.168.50.6");
	assert_ip(acquire_with(1, 12, "box"), "192.168.50.6");
	now_ms += 1000000;
	ck_assert(renew(1, peer_ip("192.168.50.6")));
	ck_assert_uint_eq(reply.type, 5);
}
END_TEST

START_TEST(static_only_server_is_silent_to_others)
{
	config.n_pools = 0;
	add_host("52:54:00:00:00:05", NULL, NULL, "192.168.50.5");
	ck_assert(!discover(1));
	ck_assert(!init_reboot(1, peer_ip("192.168.50.10")));
	assert_ip(acquire(5), "192.168.50.5");
}
END_TEST

START_TEST(renewal_by_a_client_that_got_a_reservation_is_refused)
{
	struct in_addr a = acquire(5);

	add_host("52:54:00:00:00:05", NULL, NULL, "192.168.50.5");
	ck_assert(renew(5, a));
	ck_assert_uint_eq(reply.type, 6);
	assert_ip(acquire(5), "192.168.50.5");
	ck_assert_ptr_nonnull(strchr(events, '-'));
}
END_TEST

/* A moved client may not have heard of it: until it uses the new address it may use the old. */
START_TEST(address_of_a_moved_client_is_free_once_it_uses_the_new_one)
{
	struct in_addr a = acquire(5), b;

	add_host("52:54:00:00:00:05", NULL, NULL, "192.168.50.5");
	b = acquire(5);
	assert_ip(b, "192.168.50.5");
	ck_assert(init_reboot(6, a));
	ck_assert_uint_eq(reply.type, 6);
	ck_assert(init_reboot(5, b));
	ck_assert_uint_eq(reply.type, 5);
	ck_assert(init_reboot(6, a));
	ck_assert_uint_eq(reply.type, 6);
	ck_assert(renew(5, b));
	ck_assert_uint_eq(reply.type, 5);
	ck_assert(init_reboot(6, a));
	ck_assert_uint_eq(reply.type, 5);
}
END_TEST

START_TEST(address_of_a_moved_client_is_free_when_its_old_lease_is_over)
{
	struct in_addr a = acquire(5), b;

	now_ms += 1800 * 1000;
	add_host("52:54:00:00:00:05", NULL, NULL, "192.168.50.5");
	b = acquire(5);
	now_ms += 1799 * 1000;
	ck_assert(init_reboot(6, a));
	ck_assert_uint_eq(reply.type, 6);
	now_ms += 1000;
	ck_assert(init_reboot(6, a));
	ck_assert_uint_eq(reply.type, 5);
	ck_assert(renew(5, b));
	ck_assert_uint_eq(reply.type, 5);
}
END_TEST

START_TEST(address_of_a_moved_client_is_free_when_it_releases_it_or_is_unplugged)
{
	struct nd_mac port = peer_mac(7);
	struct in_addr a = acquire(5), c;

	add_host("52:54:00:00:00:05", NULL, NULL, "192.168.50.5");
	acquire(5);
	release(5, a);
	ck_assert(init_reboot(6, a));
	ck_assert_uint_eq(reply.type, 5);
	ck_assert_int_eq(dhcp4_service_set_ports(service, &port, 1, now_ms), 0);
	c = acquire(7);
	add_host("52:54:00:00:00:07", NULL, NULL, "192.168.50.7");
	acquire(7);
	ck_assert(init_reboot(8, c));
	ck_assert_uint_eq(reply.type, 6);
	ck_assert_int_eq(dhcp4_service_set_ports(service, &port, 0, now_ms), 0);
	ck_assert(init_reboot(8, c));
	ck_assert_uint_eq(reply.type, 5);
}
END_TEST

START_TEST(reservation_of_a_leased_address_waits_for_it)
{
	struct in_addr a = acquire(1);

	add_host("52:54:00:00:00:05", NULL, NULL, inet_ntoa(a));
	ck_assert_uint_ne(acquire(5).s_addr, a.s_addr);
	ck_assert(renew(1, a));
	ck_assert_uint_eq(reply.type, 6);
	release(1, a);
	ck_assert_uint_eq(acquire(5).s_addr, a.s_addr);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		reservations_are_found_by_id_mac_and_name,
		reserved_address_is_never_given_to_others,
		clone_of_a_reserved_client_id_gets_another_address,
		name_only_reservation_survives_a_renewal_without_the_name,
		static_only_server_is_silent_to_others,
		renewal_by_a_client_that_got_a_reservation_is_refused,
		address_of_a_moved_client_is_free_once_it_uses_the_new_one,
		address_of_a_moved_client_is_free_when_its_old_lease_is_over,
		address_of_a_moved_client_is_free_when_it_releases_it_or_is_unplugged,
		reservation_of_a_leased_address_waits_for_it,
	};

	return scene_run("dhcp4 reserved", tests, ND_COUNT(tests));
}
