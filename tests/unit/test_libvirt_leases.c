/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_libvirt_leases.c -- what libvirt's lease helper writes, read for a takeover */
#include <arpa/inet.h>
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "netd/daemon/libvirt_leases.h"
#include "tests/suite.h"

static const struct libvirt_now now = { .wall_s = 1000000, .boottime_ms = 50000 };
static struct libvirt_leases leases;
static struct nd_error err;

static int parse(const char *text)
{
	libvirt_leases_fini(&leases);
	err = (struct nd_error){ 0 };
	return libvirt_leases_parse(text, strlen(text), now, &leases, &err);
}

static void refused(const char *text, const char *why)
{
	ck_assert_int_lt(parse(text), 0);
	ck_assert_str_eq(err.text, why);
	ck_assert_ptr_null(leases.rows);
}

START_TEST(a_lease_is_read_with_all_it_has)
{
	static const uint8_t id[] = { 1, 0x52, 0x54, 0, 0xaa, 0xbb, 0xcc };
	const struct lease_row *row;

	ck_assert_int_eq(parse("[{\"ip-address\": \"192.168.122.50\", \"mac-address\": \"52:54:00:aa:bb:cc\","
			       "\"hostname\": \"g1.lab\", \"client-id\": \"01:52:54:00:aa:bb:cc\","
			       "\"expiry-time\": 1003600}]"), 0);
	ck_assert_uint_eq(leases.n, 1);
	row = &leases.rows[0];
	ck_assert_uint_eq(row->address.s_addr, inet_addr("192.168.122.50"));
	ck_assert_int_eq(row->mac.bytes[5], 0xcc);
	ck_assert_str_eq(row->hostname, "g1");
	ck_assert_uint_eq(row->client_id_len, sizeof(id));
	ck_assert_int_eq(memcmp(row->client_id, id, sizeof(id)), 0);
	ck_assert_uint_eq(row->expires_ms, 50000 + 3600000);
	ck_assert_int_eq(row->state, LEASE_ROW_BOUND);
}
END_TEST

START_TEST(nothing_is_an_empty_list)
{
	ck_assert_int_eq(parse(""), 0);
	ck_assert_int_eq(parse("\n \n"), 0);
	ck_assert_int_eq(parse("[]"), 0);
	ck_assert_uint_eq(leases.n, 0);
}
END_TEST

START_TEST(past_endless_and_v6_leases)
{
	ck_assert_int_eq(parse("[{\"ip-address\":\"10.0.0.1\",\"mac-address\":\"52:54:00:00:00:01\","
			       "\"expiry-time\":999999},"
			       "{\"ip-address\":\"10.0.0.2\",\"mac-address\":\"52:54:00:00:00:02\","
			       "\"expiry-time\":0,\"client-id\":\"*\"},"
			       "{\"ip-address\":\"fd00::1\",\"iaid\":\"7\",\"client-id\":\"00:01\","
			       "\"expiry-time\":2000000}]"), 0);
	ck_assert_uint_eq(leases.n_past, 1);
	ck_assert_uint_eq(leases.n_v6, 1);
	ck_assert_uint_eq(leases.n, 1);
	ck_assert_uint_eq(leases.rows[0].expires_ms, LEASE_NEVER_MS);
	ck_assert_uint_eq(leases.rows[0].client_id_len, 0);
}
END_TEST

#define LEASE(more) "[{\"ip-address\":\"10.0.0.1\"," more "}]"

START_TEST(what_is_no_list_of_leases_is_refused)
{
	refused("{}", "not a list of at most 65536 leases");
	refused("[7]", "lease 1 has no valid ip-address");
	refused("[{\"ip-address\":\"10.0.0\"}]", "lease 1 has no valid ip-address");
	refused(LEASE("\"mac-address\":\"ff:ff:ff:ff:ff:ff\",\"expiry-time\":0"),
		"lease 1 has no valid mac-address");
	refused(LEASE("\"expiry-time\":0"), "lease 1 has no valid mac-address");
	refused(LEASE("\"mac-address\":\"52:54:00:00:00:01\",\"client-id\":\"01:5\",\"expiry-time\":0"),
		"lease 1 has no valid client-id");
	refused(LEASE("\"mac-address\":\"52:54:00:00:00:01\",\"client-id\":\"01:\",\"expiry-time\":0"),
		"lease 1 has no valid client-id");
	refused(LEASE("\"mac-address\":\"52:54:00:00:00:01\",\"expiry-time\":\"soon\""),
		"lease 1 has no valid expiry-time");
	refused(LEASE("\"mac-address\":\"52:54:00:00:00:01\",\"expiry-time\":-1"),
		"lease 1 has no valid expiry-time");
	ck_assert_int_lt(parse("[{"), 0);
	ck_assert_ptr_nonnull(strstr(err.text, "line 1: "));
}
END_TEST

START_TEST(a_client_id_too_long_is_refused)
{
	char text[2048] = LEASE("\"mac-address\":\"52:54:00:00:00:01\",\"expiry-time\":0,\"client-id\":\"01");
	size_t len = strlen(text) - strlen("}]");

	for (int i = 0; i < 254; i++)
		len += (size_t)sprintf(text + len, ":02");
	strcpy(text + len, "\"}]");
	ck_assert_int_eq(parse(text), 0);
	ck_assert_uint_eq(leases.rows[0].client_id_len, 255);
	strcpy(text + len, ":03\"}]");
	refused(text, "lease 1 has no valid client-id");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("libvirt_leases");
	TCase *t = tcase_create("all");
	int status;

	tcase_add_test(t, a_lease_is_read_with_all_it_has);
	tcase_add_test(t, nothing_is_an_empty_list);
	tcase_add_test(t, past_endless_and_v6_leases);
	tcase_add_test(t, what_is_no_list_of_leases_is_refused);
	tcase_add_test(t, a_client_id_too_long_is_refused);
	suite_add_tcase(s, t);
	status = suite_run(s);
	libvirt_leases_fini(&leases);
	return status;
}
