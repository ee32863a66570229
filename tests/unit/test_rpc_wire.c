/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The RPC byte by byte: recorded messages, and the answers to bad ones. */
#include <check.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "netd/base/auto.h"
#include "netd/base/log.h"
#include "rpc_toy.h"
#include "tests/suite.h"

START_TEST(first_calls_of_a_client_give_the_recorded_bytes)
{
	struct fixture f = { 0 };

	fixture_start(&f);
	feed(&f, CALL_AUTH_LIST);
	expect(&f, REPLY_AUTH_LIST);
	feed(&f, "00000020 20008086 00000001 0000003c 00000000 00000001 00000000 0000000a");
	expect(&f, "00000020 20008086 00000001 0000003c 00000001 00000001 00000000 00000001");
	feed(&f, CALL_OPEN);
	expect(&f, REPLY_OPEN);
	feed(&f, "00000024 20008086 00000001 0000011b 00000000 00000003 00000000"
		 "00000001 00000003");
	expect(&f, "00000040 20008086 00000001 0000011b 00000001 00000003 00000000"
		   "00000001 00000007 64656661756c74 00" UUID_HEX "00000001");
	fixture_stop(&f);
}
END_TEST

START_TEST(an_event_has_the_recorded_payload)
{
	struct lv_network_lifecycle_event e = { .net.name = (char *)"tnet", .event = 2 };
	struct fixture f = { 0 };

	fixture_start(&f);
	open_connection(&f, 0);
	memcpy(e.net.uuid, UUID_BYTES, 16);
	rpc_session_send_event(f.session, LV_PROGRAM, LV_PROC_NETWORK_EVENT_LIFECYCLE,
			       (xdrproc_t)xdr_lv_network_lifecycle_event, &e);
	expect(&f, "00000040 20008086 00000001 0000013b 00000002 00000001 00000000"
		   "00000000 00000004 746e6574" UUID_HEX "00000002 00000000");
	fixture_stop(&f);
}
END_TEST

START_TEST(an_error_has_all_eleven_fields)
{
	struct lv_name_args args = { .name = (char *)"x" };
	struct fixture f = { 0 };

	fixture_start(&f);
	open_connection(&f, 0);
	send_call(&f, LV_PROC_NETWORK_LOOKUP_BY_NAME, 7, (xdrproc_t)xdr_lv_name_args, &args);
	expect(&f, "000000c4 20008086 00000001 0000002e 00000001 00000007 00000001"
		   "0000002b 00000013 00000001"
		   /* Network not found: no network with matching name 'x' */
		   "00000034 4e6574776f726b206e6f7420666f756e643a20"
		   "6e6f206e6574776f726b2077697468206d61746368696e67206e616d6520277827"
		   "00000002 00000000"
		   /* Network not found: %s */
		   "00000001 00000015 4e6574776f726b206e6f7420666f756e643a202573 000000"
		   /* no network with matching name 'x' */
		   "00000001 00000021"
		   "6e6f206e6574776f726b2077697468206d61746368696e67206e616d6520277827 000000"
		   "00000000 ffffffff ffffffff 00000000");
	fixture_stop(&f);
}
END_TEST

START_TEST(a_typed_parameter_has_the_recorded_bytes)
{
	struct lv_param p = { .field = (char *)"inbound.average",
			      .value = { .type = LV_PARAM_UINT, .lv_param_value_u.ui = 1000 } };
	struct rpc_header h = call_header(1, 0);
	ND_AUTO(rpc_buffer_free) struct rpc_buffer b = { 0 };
	uint8_t want[64];
	size_t n = unhex("0000000f 696e626f756e642e61766572616765 00 00000002 000003e8", want);

	ck_assert_int_eq(rpc_message_encode(&b, &h, 0, (xdrproc_t)xdr_lv_param, &p), 0);
	ck_assert_uint_eq(b.len, RPC_HEADER_SIZE + n);
	ck_assert_mem_eq(b.bytes + RPC_HEADER_SIZE, want, n);
}
END_TEST

START_TEST(chars_take_four_bytes_each)
{
	struct lv_node_get_info_ret info = { .model = "x86_64" };
	struct rpc_header h = call_header(6, 0);
	ND_AUTO(rpc_buffer_free) struct rpc_buffer b = { 0 };

	ck_assert_int_eq(rpc_message_encode(&b, &h, 0, (xdrproc_t)xdr_lv_node_get_info_ret, &info),
			 0);
	ck_assert_uint_eq(b.len, RPC_HEADER_SIZE + 160);
	ck_assert_mem_eq(b.bytes + RPC_HEADER_SIZE, "\0\0\0x\0\0\0""8", 8);
}
END_TEST

START_TEST(any_non_zero_discriminant_means_present)
{
	struct fixture f = { 0 };

	fixture_start(&f);
	feed(&f, "0000003c 20008086 00000001 00000001 00000000 00000002 00000000"
		 "01000000 00000011 6e6574776f726b3a2f2f2f73797374656d 000000 00000000");
	expect(&f, REPLY_OPEN);
	fixture_stop(&f);
}
END_TEST

START_TEST(pings_are_answered_also_before_open)
{
	struct fixture f = { 0 };

	fixture_start(&f);
	feed(&f, PING);
	expect(&f, PONG);
	feed(&f, PING PING CALL_AUTH_LIST);
	expect(&f, PONG PONG REPLY_AUTH_LIST);
	fixture_stop(&f);
}
END_TEST

START_TEST(messages_may_arrive_in_any_pieces)
{
	struct fixture f = { 0 };
	uint8_t bytes[256];
	size_t n = unhex(CALL_AUTH_LIST CALL_OPEN, bytes);

	fixture_start(&f);
	for (size_t i = 0; i < n; i++)
		feed_bytes(&f, bytes + i, 1);
	expect(&f, REPLY_AUTH_LIST REPLY_OPEN);
	feed_bytes(&f, bytes, 28 + 5);
	expect(&f, REPLY_AUTH_LIST);
	feed_bytes(&f, bytes, 23);
	fixture_stop(&f);
}
END_TEST

/* Bad input: each row of the reference's table */

static void bad_length(const char *hex)
{
	struct fixture f = { 0 };
	int other;

	fixture_start(&f);
	other = f.fd;
	f.fd = client_new(&f, false);
	feed(&f, hex);
	expect_closed(&f);
	close(f.fd);
	f.fd = other;
	feed(&f, CALL_AUTH_LIST);
	expect(&f, REPLY_AUTH_LIST);
	ck_assert_uint_eq(f.n_closed, 1);
	fixture_stop(&f);
}

START_TEST(a_length_out_of_bounds_closes_only_that_connection)
{
	bad_length("00000000");
	bad_length("0000001b 20008086 00000001 00000042 00000000 00000000");
	bad_length("02000005 20008086");
	bad_length("ffffffff");
	bad_length("47455420 2f204854 54502f31 2e310d0a");
}
END_TEST

START_TEST(calls_before_garbage_are_still_answered)
{
	struct fixture f = { 0 };

	fixture_start(&f);
	feed(&f, CALL_AUTH_LIST "00000003");
	expect(&f, REPLY_AUTH_LIST);
	expect_closed(&f);
	fixture_stop(&f);
}
END_TEST

START_TEST(a_long_message_before_open_closes_the_connection)
{
	struct fixture f = { 0 };

	fixture_start(&f);
	feed(&f, "00004001 20008086 00000001 00000001 00000000 00000000 00000000");
	expect_closed(&f);
	fixture_stop(&f);
}
END_TEST

START_TEST(unknown_programs_versions_and_procedures_are_named)
{
	struct rpc_header h = call_header(66, 5);
	struct fixture f = { 0 };

	fixture_start(&f);
	h.program = 0x20008087;
	send_message(&f, &h, NULL, NULL);
	expect_error(&f, &h, 39, 7, "Cannot find program 536903815 version 1");
	h = call_header(66, 6);
	h.version = 2;
	send_message(&f, &h, NULL, NULL);
	expect_error(&f, &h, 39, 7, "Cannot find program 536903814 version 2");
	h = call_header(LV_PROC_NETWORK_EVENT_LIFECYCLE, 7);
	send_message(&f, &h, NULL, NULL);
	expect_error(&f, &h, 39, 7, "unknown procedure: 315");
	h = call_header(-1, 8);
	send_message(&f, &h, NULL, NULL);
	expect_error(&f, &h, 39, 7, "unknown procedure: -1");
	fixture_stop(&f);
}
END_TEST

START_TEST(a_call_with_a_status_is_refused)
{
	struct rpc_header h = call_header(66, 5);
	struct fixture f = { 0 };

	fixture_start(&f);
	h.status = 1;
	send_message(&f, &h, NULL, NULL);
	expect_error(&f, &h, 39, 7, "Unexpected message status 1");
	fixture_stop(&f);
}
END_TEST

START_TEST(arguments_that_do_not_decode_leave_the_connection_usable)
{
	struct rpc_header h = call_header(LV_PROC_NETWORK_LOOKUP_BY_NAME, 5);
	struct fixture f = { 0 };

	fixture_start(&f);
	open_connection(&f, 0);
	send_message(&f, &h, NULL, NULL);
	expect_error(&f, &h, 39, 7, "Unable to decode message payload");
	/* a string longer than its message, and one over 4 MiB */
	feed(&f, "00000024 20008086 00000001 0000002e 00000000 00000005 00000000 00000005 61626364");
	expect_error(&f, &h, 39, 7, "Unable to decode message payload");
	feed(&f, "00000020 20008086 00000001 0000002e 00000000 00000005 00000000 00400001");
	expect_error(&f, &h, 39, 7, "Unable to decode message payload");
	lookup(&f, 6);
	expect_lookup(&f, 6);
	fixture_stop(&f);
}
END_TEST

START_TEST(bytes_after_the_arguments_are_ignored)
{
	struct fixture f = { 0 };

	fixture_start(&f);
	feed(&f, "00000025 20008086 00000001 0000003c 00000000 00000001 00000000 0000000a"
		 "ffffffffff" CALL_AUTH_LIST);
	expect(&f, "00000020 20008086 00000001 0000003c 00000001 00000001 00000000 00000001"
		   REPLY_AUTH_LIST);
	fixture_stop(&f);
}
END_TEST

START_TEST(other_message_types_are_dropped_silently)
{
	struct fixture f = { 0 };

	fixture_start(&f);
	for (int type = 1; type < 9; type++) {
		struct rpc_header h = call_header(66, 5);

		h.type = type;
		if (type != LV_CALL_WITH_FDS)
			send_message(&f, &h, NULL, NULL);
	}
	feed(&f, CALL_AUTH_LIST);
	expect(&f, REPLY_AUTH_LIST);
	fixture_stop(&f);
}
END_TEST

START_TEST(calls_before_authentication_are_refused)
{
	struct rpc_header h = call_header(LV_PROC_CONNECT_OPEN, 5);
	struct fixture f = { .needs_auth = true };

	fixture_start(&f);
	feed(&f, CALL_AUTH_LIST);
	expect(&f, REPLY_AUTH_LIST);
	send_message(&f, &h, NULL, NULL);
	expect_error(&f, &h, 39, 7, "authentication required");
	fixture_stop(&f);
}
END_TEST

START_TEST(calls_before_open_are_refused)
{
	struct rpc_header h = call_header(LV_PROC_NETWORK_LOOKUP_BY_NAME, 5);
	struct fixture f = { 0 };

	fixture_start(&f);
	lookup(&f, 5);
	expect_error(&f, &h, 1, 7, "internal error: hypervisor connection not open");
	fixture_stop(&f);
}
END_TEST

START_TEST(a_call_without_handler_is_not_supported)
{
	struct rpc_header h = call_header(LV_PROC_NODE_GET_INFO, 5);
	struct fixture f = { 0 };

	fixture_start(&f);
	send_message(&f, &h, NULL, NULL);
	expect_error(&f, &h, 3, 20, "this function is not supported by the connection driver: "
		     "virNodeGetInfo");
	fixture_stop(&f);
}
END_TEST

START_TEST(a_result_without_encoding_becomes_an_error)
{
	struct rpc_header h = call_header(LV_PROC_CONNECT_GET_URI, 5);
	struct fixture f = { 0 };

	fixture_start(&f);
	open_connection(&f, 0);
	send_message(&f, &h, NULL, NULL);
	expect_error(&f, &h, 1, 19, "internal error: the result of virConnectGetURI cannot be "
		     "encoded");
	fixture_stop(&f);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		first_calls_of_a_client_give_the_recorded_bytes,
		an_event_has_the_recorded_payload,
		an_error_has_all_eleven_fields,
		a_typed_parameter_has_the_recorded_bytes,
		chars_take_four_bytes_each,
		any_non_zero_discriminant_means_present,
		pings_are_answered_also_before_open,
		messages_may_arrive_in_any_pieces,
		a_length_out_of_bounds_closes_only_that_connection,
		calls_before_garbage_are_still_answered,
		a_long_message_before_open_closes_the_connection,
		unknown_programs_versions_and_procedures_are_named,
		a_call_with_a_status_is_refused,
		arguments_that_do_not_decode_leave_the_connection_usable,
		bytes_after_the_arguments_are_ignored,
		other_message_types_are_dropped_silently,
		calls_before_authentication_are_refused,
		calls_before_open_are_refused,
		a_call_without_handler_is_not_supported,
		a_result_without_encoding_becomes_an_error,
	};
	nd_log_init("test_rpc_wire", LOG_EMERG);
	Suite *suite = suite_create("rpc_wire");
	TCase *tc = tcase_create("rpc_wire");

	tcase_set_timeout(tc, 60);
	for (size_t i = 0; i < ND_COUNT(tests); i++)
		tcase_add_test(tc, tests[i]);
	suite_add_tcase(suite, tc);

	return suite_run(suite);
}
