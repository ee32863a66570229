/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The server side of the RPC against a toy program, fed over a socketpair as a client would. */
#include <check.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "netd/base/auto.h"
#include "netd/base/log.h"
#include "netd/base/str.h"
#include "netd/rpc/api_names.h"
#include "netd/rpc/frame.h"
#include "netd/rpc/netd.h"
#include "netd/rpc/protocol.h"
#include "netd/rpc/server.h"

#define UUID_HEX "000102030405060708090a0b0c0d0e0f"
#define UUID_BYTES "\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f"

struct fixture {
	sd_event *event;
	struct rpc_server *server;
	int fd;				/* the client's end */
	struct rpc_call *pending[64];
	unsigned n_pending, n_closed;
	struct rpc_session *session;	/* of the last OPEN */
	bool needs_auth;
};

/* The toy program's handlers */

static int toy_auth_list(struct rpc_call *c, void *args, void *ret, struct nd_error *err)
{
	struct lv_auth_list_ret *r = ret;

	r->types.types_len = 1;
	r->types.types_val = calloc(1, sizeof(lv_auth_type));
	return RPC_DONE;
}

static int toy_feature(struct rpc_call *c, void *args, void *ret, struct nd_error *err)
{
	struct lv_connect_supports_feature_args *a = args;
	struct lv_int_ret *r = ret;

	r->value = a->feature == 10;
	return RPC_DONE;
}

static int toy_open(struct rpc_call *c, void *args, void *ret, struct nd_error *err)
{
	struct lv_connect_open_args *a = args;
	struct fixture *f = rpc_call_context(c);
	struct rpc_session *s = rpc_call_session(c);

	if (a->name && strcmp(*a->name, "network:///system") != 0)
		return nd_error_set(err, ND_ERR_NO_CONNECT, "%s", *a->name);
	rpc_session_set_open(s, true);
	if (a->flags & 1)
		rpc_session_set_read_only(s);
	f->session = s;
	return RPC_DONE;
}

static int toy_close(struct rpc_call *c, void *args, void *ret, struct nd_error *err)
{
	rpc_session_close_after_reply(rpc_call_session(c));
	return RPC_DONE;
}

static int toy_lookup(struct rpc_call *c, void *args, void *ret, struct nd_error *err)
{
	struct lv_name_args *a = args;
	struct lv_net_ret *r = ret;

	if (strcmp(a->name, "default") != 0)
		return nd_error_set(err, ND_ERR_NO_NETWORK,
				    "no network with matching name '%s'", a->name);
	r->net.name = strdup(a->name);
	memcpy(r->net.uuid, UUID_BYTES, 16);
	return RPC_DONE;
}

static int toy_list(struct rpc_call *c, void *args, void *ret, struct nd_error *err)
{
	struct lv_list_all_networks_ret *r = ret;

	r->nets.nets_len = 1;
	r->nets.nets_val = calloc(1, sizeof(lv_net));
	r->nets.nets_val[0].name = strdup("default");
	memcpy(r->nets.nets_val[0].uuid, UUID_BYTES, 16);
	r->ret = 1;
	return RPC_DONE;
}

/* Answered when the test says so. */
static int toy_create(struct rpc_call *c, void *args, void *ret, struct nd_error *err)
{
	struct fixture *f = rpc_call_context(c);

	f->pending[f->n_pending++] = c;
	return RPC_PENDING;
}

/* A result that has no encoding: more entries than the protocol allows. */
static int toy_broken(struct rpc_call *c, void *args, void *ret, struct nd_error *err)
{
	struct lv_auth_list_ret *r = ret;

	r->types.types_len = LV_AUTH_TYPES_MAX + 1;
	r->types.types_val = calloc(r->types.types_len, sizeof(lv_auth_type));
	return RPC_DONE;
}

static int toy_plug(struct rpc_call *c, void *args, void *ret, struct nd_error *err)
{
	struct netd_network_plug_ret *r = ret;

	r->port.net.name = strdup("default");
	r->ifname = strdup("vnet0");
	r->mac = strdup("52:54:00:00:00:01");
	r->n_tap_fds = 2;
	ck_assert_int_eq(rpc_call_add_fd(c, open("/dev/null", O_RDWR | O_CLOEXEC)), 0);
	ck_assert_int_eq(rpc_call_add_fd(c, open("/dev/zero", O_RDWR | O_CLOEXEC)), 0);
	return RPC_DONE;
}

#define ARGS(type) .args = (xdrproc_t)xdr_##type, .args_size = sizeof(type)
#define RET(type) .ret = (xdrproc_t)xdr_##type, .ret_size = sizeof(type)

static const struct rpc_method toy_methods[] = {
	{ LV_PROC_AUTH_LIST, "virConnectOpen", RPC_DOMAIN_RPC,
	  RPC_READ_ONLY | RPC_BEFORE_OPEN | RPC_BEFORE_AUTH, RET(lv_auth_list_ret),
	  .handle = toy_auth_list },
	{ LV_PROC_CONNECT_SUPPORTS_FEATURE, "virConnectSupportsFeature", RPC_DOMAIN_RPC,
	  RPC_READ_ONLY | RPC_BEFORE_OPEN, ARGS(lv_connect_supports_feature_args),
	  RET(lv_int_ret), .handle = toy_feature },
	{ LV_PROC_CONNECT_OPEN, "virConnectOpen", RPC_DOMAIN_RPC,
	  RPC_READ_ONLY | RPC_BEFORE_OPEN, ARGS(lv_connect_open_args), .handle = toy_open },
	{ LV_PROC_CONNECT_CLOSE, "virConnectClose", RPC_DOMAIN_RPC,
	  RPC_READ_ONLY | RPC_BEFORE_OPEN, .handle = toy_close },
	{ LV_PROC_NETWORK_LOOKUP_BY_NAME, "virNetworkLookupByName", RPC_DOMAIN_NETWORK,
	  RPC_READ_ONLY, ARGS(lv_name_args), RET(lv_net_ret), .handle = toy_lookup },
	{ LV_PROC_CONNECT_LIST_ALL_NETWORKS, "virConnectListAllNetworks", RPC_DOMAIN_NETWORK,
	  RPC_READ_ONLY, ARGS(lv_list_all_args), RET(lv_list_all_networks_ret),
	  .handle = toy_list },
	{ LV_PROC_NETWORK_CREATE, "virNetworkCreate", RPC_DOMAIN_NETWORK, 0,
	  ARGS(lv_net_args), .handle = toy_create },
	{ LV_PROC_CONNECT_GET_URI, "virConnectGetURI", RPC_DOMAIN_NETWORK, RPC_READ_ONLY,
	  RET(lv_auth_list_ret), .handle = toy_broken },
	{ LV_PROC_NODE_GET_INFO, "virNodeGetInfo", RPC_DOMAIN_DOMAIN, RPC_READ_ONLY },
};
static const struct rpc_program toy_lv = {
	LV_PROGRAM, LV_VERSION, toy_methods, ND_COUNT(toy_methods), rpc_api_name,
};
static const struct rpc_method toy_netd_methods[] = {
	{ NETD_PROC_NETWORK_PLUG, "netdNetworkPlug", RPC_DOMAIN_NETWORK, 0,
	  ARGS(netd_network_plug_args), RET(netd_network_plug_ret), .handle = toy_plug },
};
static const struct rpc_program toy_netd = {
	NETD_PROGRAM, NETD_VERSION, toy_netd_methods, ND_COUNT(toy_netd_methods),
};
static const struct rpc_program *const toy_programs[] = { &toy_lv, &toy_netd };

/* The fixture */

static void on_closed(void *context, struct rpc_session *s)
{
	struct fixture *f = context;

	f->n_closed++;
	if (f->session == s)
		f->session = NULL;
}

static bool on_needs_auth(void *context, struct rpc_session *s)
{
	return ((struct fixture *)context)->needs_auth;
}

static int client_new(struct fixture *f, bool read_only)
{
	struct nd_error err = { 0 };
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	ck_assert_int_eq(rpc_server_adopt(f->server, pair[1], read_only, (gid_t)-1, &err), 0);
	return pair[0];
}

static void fixture_start(struct fixture *f)
{
	struct rpc_server_options opt = {
		.programs = toy_programs, .n_programs = ND_COUNT(toy_programs), .context = f,
		.max_sessions = 100, .max_unauthenticated = 20, .max_calls_per_session = 5,
		.auth_timeout_s = 1, .session_closed = on_closed, .needs_auth = on_needs_auth,
	};
	struct nd_error err = { 0 };

	ck_assert_int_ge(sd_event_new(&f->event), 0);
	opt.event = f->event;
	ck_assert_int_eq(rpc_server_new(&opt, &f->server, &err), 0);
	f->fd = client_new(f, false);
}

static void fixture_stop(struct fixture *f)
{
	if (f->fd >= 0)
		close(f->fd);
	rpc_server_free(f->server);
	for (unsigned i = 0; i < f->n_pending; i++)
		rpc_call_reply(f->pending[i]);
	sd_event_unref(f->event);
}

static void loop(struct fixture *f)
{
	for (int i = 0; i < 1000 && sd_event_run(f->event, 0) > 0; i++)
		;
}

static void loop_for(struct fixture *f, int ms)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	int64_t end = t.tv_sec * 1000 + t.tv_nsec / 1000000 + ms;

	for (;;) {
		clock_gettime(CLOCK_MONOTONIC, &t);
		int64_t left = end - (t.tv_sec * 1000 + t.tv_nsec / 1000000);

		if (left <= 0)
			return;
		ck_assert_int_ge(sd_event_run(f->event, (uint64_t)left * 1000), 0);
	}
}

static size_t unhex(const char *hex, uint8_t *out)
{
	size_t n = 0;

	while (*hex) {
		unsigned byte;

		if (isspace((unsigned char)*hex)) {
			hex++;
			continue;
		}
		ck_assert_int_eq(sscanf(hex, "%2x", &byte), 1);
		out[n++] = (uint8_t)byte;
		hex += 2;
	}
	return n;
}

static void feed_bytes(struct fixture *f, const void *bytes, size_t n)
{
	ck_assert_int_eq(send(f->fd, bytes, n, MSG_NOSIGNAL), n);
	loop(f);
}

static void feed(struct fixture *f, const char *hex)
{
	uint8_t bytes[4096];

	feed_bytes(f, bytes, unhex(hex, bytes));
}

/* What the server sent so far; -1: it closed the connection and sent nothing. */
static ssize_t got(struct fixture *f, uint8_t *buf, size_t size)
{
	ssize_t n = recv(f->fd, buf, size, MSG_DONTWAIT);

	if (n < 0) {
		ck_assert(errno == EAGAIN || errno == ECONNRESET);
		return errno == EAGAIN ? 0 : -1;
	}
	return n == 0 ? -1 : n;
}

static void expect(struct fixture *f, const char *hex)
{
	uint8_t want[4096], is[65536];
	size_t n_want = unhex(hex, want);
	ssize_t n_is = got(f, is, sizeof(is));

	ck_assert_int_eq(n_is, n_want);
	ck_assert_mem_eq(is, want, n_want);
}

static void expect_closed(struct fixture *f)
{
	uint8_t is[64];

	ck_assert_int_eq(got(f, is, sizeof(is)), -1);
}

static void send_message(struct fixture *f, const struct rpc_header *h, xdrproc_t xdr, void *args)
{
	ND_AUTO(rpc_buffer_free) struct rpc_buffer b = { 0 };

	ck_assert_int_eq(rpc_message_encode(&b, h, 0, xdr, args), 0);
	feed_bytes(f, b.bytes, b.len);
}

static struct rpc_header call_header(int32_t proc, uint32_t serial)
{
	return (struct rpc_header){
		.program = LV_PROGRAM, .version = LV_VERSION, .proc = proc, .serial = serial,
	};
}

static void send_call(struct fixture *f, int32_t proc, uint32_t serial, xdrproc_t xdr, void *args)
{
	struct rpc_header h = call_header(proc, serial);

	send_message(f, &h, xdr, args);
}

/* Reads one reply whole; its payload is at buf + RPC_HEADER_SIZE. */
static struct rpc_header read_reply(struct fixture *f, uint8_t *buf, size_t size)
{
	struct rpc_header h;

	ck_assert_int_eq(recv(f->fd, buf, RPC_HEADER_SIZE, MSG_DONTWAIT), RPC_HEADER_SIZE);
	h = rpc_header_decode(buf);
	ck_assert_uint_le(h.len, size);
	if (h.len > RPC_HEADER_SIZE)
		ck_assert_int_eq(recv(f->fd, buf + RPC_HEADER_SIZE, h.len - RPC_HEADER_SIZE,
				      MSG_DONTWAIT), h.len - RPC_HEADER_SIZE);
	return h;
}

static void expect_error(struct fixture *f, const struct rpc_header *call, int code, int domain,
			 const char *text)
{
	struct lv_error e = { 0 };
	uint8_t buf[4096];
	struct rpc_header h = read_reply(f, buf, sizeof(buf));

	ck_assert_uint_eq(h.program, call->program);
	ck_assert_uint_eq(h.version, call->version);
	ck_assert_int_eq(h.proc, call->proc);
	ck_assert_uint_eq(h.serial, call->serial);
	ck_assert_int_eq(h.type, LV_REPLY);
	ck_assert_int_eq(h.status, LV_ERROR);
	ck_assert(rpc_payload_decode(buf + RPC_HEADER_SIZE, h.len - RPC_HEADER_SIZE,
				     (xdrproc_t)xdr_lv_error, &e));
	ck_assert_str_eq(*e.message, text);
	ck_assert_int_eq(e.code, code);
	ck_assert_int_eq(e.domain, domain);
	ck_assert_int_eq(e.level, 2);
	ck_assert_int_eq(e.int1, -1);
	ck_assert_int_eq(e.int2, -1);
	xdr_free((xdrproc_t)xdr_lv_error, &e);
}

static void open_connection(struct fixture *f, unsigned flags)
{
	struct lv_connect_open_args args = { .flags = flags };
	uint8_t buf[64];

	send_call(f, LV_PROC_CONNECT_OPEN, 0, (xdrproc_t)xdr_lv_connect_open_args, &args);
	ck_assert_int_eq(read_reply(f, buf, sizeof(buf)).status, LV_OK);
}

static void lookup(struct fixture *f, uint32_t serial)
{
	struct lv_name_args args = { .name = (char *)"default" };

	send_call(f, LV_PROC_NETWORK_LOOKUP_BY_NAME, serial, (xdrproc_t)xdr_lv_name_args, &args);
}

static void expect_lookup(struct fixture *f, uint32_t serial)
{
	uint8_t buf[128];
	struct rpc_header h = read_reply(f, buf, sizeof(buf));

	ck_assert_int_eq(h.status, LV_OK);
	ck_assert_uint_eq(h.serial, serial);
	ck_assert_uint_eq(h.len, RPC_HEADER_SIZE + 4 + 8 + 16);
}

static void create(struct fixture *f, uint32_t serial)
{
	struct lv_net_args args = { .net.name = (char *)"default" };

	send_call(f, LV_PROC_NETWORK_CREATE, serial, (xdrproc_t)xdr_lv_net_args, &args);
}

#define CALL_AUTH_LIST "0000001c 20008086 00000001 00000042 00000000 00000000 00000000"
#define REPLY_AUTH_LIST \
	"00000024 20008086 00000001 00000042 00000001 00000000 00000000 00000001 00000000"
#define CALL_OPEN "0000003c 20008086 00000001 00000001 00000000 00000002 00000000" \
	"00000001 00000011 6e6574776f726b3a2f2f2f73797374656d 000000 00000000"
#define REPLY_OPEN "0000001c 20008086 00000001 00000001 00000001 00000002 00000000"
#define PING "0000001c 6b656570 00000001 00000001 00000002 00000000 00000000"
#define PONG "0000001c 6b656570 00000001 00000002 00000002 00000000 00000000"

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

START_TEST(a_call_that_libvirt_has_and_netd_has_not_is_named)
{
	static const struct { int32_t proc; const char *api; } some[] = {
		{ 16, "virDomainGetInfo" }, { 65, "virDomainInterfaceStats" },
		{ 212, "virDomainGetState" }, { 273, "virConnectListAllDomains" },
		{ 281, "virConnectListAllStoragePools" }, { 353, "virDomainInterfaceAddresses" },
		{ 426, "virDomainGetMessages" }, { 443, "virDomainFDAssociate" },
	};
	struct fixture f = { 0 };
	char text[128];

	fixture_start(&f);
	for (size_t i = 0; i < ND_COUNT(some); i++) {
		struct rpc_header h = call_header(some[i].proc, 5);

		send_message(&f, &h, NULL, NULL);
		snprintf(text, sizeof(text), "this function is not supported by the connection "
			 "driver: %s", some[i].api);
		expect_error(&f, &h, 3, 20, text);
	}
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

/* Access */

static void expect_create_refused(struct fixture *f)
{
	struct rpc_header h = call_header(LV_PROC_NETWORK_CREATE, 5);

	create(f, 5);
	expect_error(f, &h, 29, 19,
		     "operation forbidden: read only access prevents virNetworkCreate");
	ck_assert_uint_eq(f->n_pending, 0);
	lookup(f, 6);
	expect_lookup(f, 6);
}

START_TEST(a_read_only_session_changes_nothing)
{
	struct fixture f = { 0 };

	fixture_start(&f);
	open_connection(&f, 1);
	expect_create_refused(&f);
	close(f.fd);
	f.fd = client_new(&f, true);
	open_connection(&f, 0);
	expect_create_refused(&f);
	fixture_stop(&f);
}
END_TEST

START_TEST(a_peer_outside_the_group_is_told_so)
{
	struct rpc_header h = call_header(66, 0);
	struct fixture f = { 0 };
	struct nd_error err = { 0 };
	char text[256];
	int pair[2];

	if (geteuid() != 0)
		return;		/* its own uid may always connect */
	fixture_start(&f);
	close(f.fd);
	/* A socketpair carries the credentials of its maker. */
	ck_assert_int_eq(seteuid(65534), 0);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	ck_assert_int_eq(seteuid(0), 0);
	f.fd = pair[0];
	ck_assert_int_eq(rpc_server_adopt(f.server, pair[1], false, 65533, &err), 0);
	feed(&f, CALL_AUTH_LIST CALL_OPEN);
	snprintf(text, sizeof(text), "authentication failed: user 65534 is not in the group that "
		 "may use this socket (read-only use: the socket whose name ends in -ro)");
	expect_error(&f, &h, 45, 7, text);
	expect_closed(&f);
	fixture_stop(&f);
}
END_TEST

/* Calls in work */

START_TEST(replies_may_be_out_of_order)
{
	struct fixture f = { 0 };
	uint8_t buf[64];

	fixture_start(&f);
	open_connection(&f, 0);
	create(&f, 10);
	create(&f, 11);
	lookup(&f, 12);
	expect_lookup(&f, 12);
	ck_assert_uint_eq(f.n_pending, 2);
	rpc_call_reply(f.pending[1]);
	ck_assert_uint_eq(read_reply(&f, buf, sizeof(buf)).serial, 11);
	rpc_call_reply(f.pending[0]);
	ck_assert_uint_eq(read_reply(&f, buf, sizeof(buf)).serial, 10);
	f.n_pending = 0;
	fixture_stop(&f);
}
END_TEST

START_TEST(only_so_many_calls_of_a_client_are_in_work)
{
	struct fixture f = { 0 };
	uint8_t buf[64];

	fixture_start(&f);
	open_connection(&f, 0);
	for (uint32_t i = 0; i < 20; i++)
		create(&f, i);
	ck_assert_uint_eq(f.n_pending, 5);
	feed(&f, PING);
	expect(&f, PONG);
	for (uint32_t i = 0; i < 20; i++) {
		ck_assert_uint_eq(f.n_pending, i + 5 < 20 ? i + 5 : 20);
		rpc_call_reply(f.pending[i]);
		loop(&f);
		ck_assert_uint_eq(read_reply(&f, buf, sizeof(buf)).serial, i);
	}
	f.n_pending = 0;
	fixture_stop(&f);
}
END_TEST

START_TEST(a_client_that_goes_leaves_its_calls_to_end_in_peace)
{
	struct nd_error err = { .kind = ND_ERR_INTERNAL, .text = "late" };
	struct fixture f = { 0 };

	fixture_start(&f);
	open_connection(&f, 0);
	create(&f, 1);
	create(&f, 2);
	close(f.fd);
	f.fd = -1;
	loop(&f);
	ck_assert_uint_eq(f.n_closed, 1);
	ck_assert_ptr_null(rpc_call_session(f.pending[0]));
	rpc_call_fail(f.pending[0], &err);
	rpc_call_reply(f.pending[1]);
	f.n_pending = 0;
	fixture_stop(&f);
}
END_TEST

START_TEST(a_client_that_only_stops_sending_gets_its_replies)
{
	struct fixture f = { 0 };
	uint8_t buf[64];

	fixture_start(&f);
	open_connection(&f, 0);
	create(&f, 1);
	shutdown(f.fd, SHUT_WR);
	loop(&f);
	ck_assert_uint_eq(f.n_closed, 0);
	rpc_call_reply(f.pending[0]);
	f.n_pending = 0;
	ck_assert_uint_eq(read_reply(&f, buf, sizeof(buf)).serial, 1);
	loop(&f);
	expect_closed(&f);
	ck_assert_uint_eq(f.n_closed, 1);
	fixture_stop(&f);
}
END_TEST

START_TEST(close_is_answered_before_the_connection_ends)
{
	struct fixture f = { 0 };
	uint8_t buf[64];

	fixture_start(&f);
	send_call(&f, LV_PROC_CONNECT_CLOSE, 9, NULL, NULL);
	ck_assert_uint_eq(read_reply(&f, buf, sizeof(buf)).serial, 9);
	expect_closed(&f);
	ck_assert_uint_eq(f.n_closed, 1);
	fixture_stop(&f);
}
END_TEST

static int receive_fd(int sock)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int) * 4)];
	} control;
	char byte = 1;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
			      .msg_controllen = sizeof(control) };
	struct cmsghdr *c;
	int fd;

	ck_assert_int_eq(recvmsg(sock, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC), 1);
	ck_assert_int_eq(byte, 0);
	c = CMSG_FIRSTHDR(&msg);
	ck_assert_ptr_nonnull(c);
	ck_assert_uint_eq(c->cmsg_len, CMSG_LEN(sizeof(int)));
	memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return fd;
}

START_TEST(descriptors_follow_their_reply_one_by_one)
{
	struct netd_network_plug_args args = {
		.net.name = (char *)"default", .ifname = (char *)"", .mac = (char *)"",
		.owner_name = (char *)"", .queues = 1,
	};
	struct rpc_header h = { .program = NETD_PROGRAM, .version = 1,
				.proc = NETD_PROC_NETWORK_PLUG, .serial = 3 };
	struct fixture f = { 0 };
	uint8_t buf[256];
	char byte;

	fixture_start(&f);
	open_connection(&f, 0);
	send_message(&f, &h, (xdrproc_t)xdr_netd_network_plug_args, &args);
	h = read_reply(&f, buf, sizeof(buf));
	ck_assert_int_eq(h.type, LV_REPLY_WITH_FDS);
	ck_assert_mem_eq(buf + RPC_HEADER_SIZE, "\0\0\0\2", 4);
	int null = receive_fd(f.fd), zero = receive_fd(f.fd);
	ck_assert_int_eq(read(null, &byte, 1), 0);
	ck_assert_int_eq(read(zero, &byte, 1), 1);
	close(null);
	close(zero);
	lookup(&f, 4);
	expect_lookup(&f, 4);
	fixture_stop(&f);
}
END_TEST

/* Clients that do not behave */

START_TEST(a_client_that_reads_no_events_is_dropped)
{
	char text[1024];
	struct lv_network_lifecycle_event e = { .net.name = text };
	struct fixture f = { 0 };

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	fixture_start(&f);
	open_connection(&f, 0);
	for (int i = 0; i < 3000 && f.session; i++) {
		rpc_session_send_event(f.session, LV_PROGRAM, LV_PROC_NETWORK_EVENT_LIFECYCLE,
				       (xdrproc_t)xdr_lv_network_lifecycle_event, &e);
		loop(&f);
	}
	ck_assert_uint_eq(f.n_closed, 1);
	fixture_stop(&f);
}
END_TEST

START_TEST(a_client_that_reads_no_replies_only_stops_itself)
{
	struct fixture f = { 0 };
	uint8_t call[256], reply[65536];
	size_t n = unhex(CALL_AUTH_LIST, call);
	unsigned sent = 0, received = 0;
	int other;

	fixture_start(&f);
	fcntl(f.fd, F_SETFL, O_NONBLOCK);
	for (int idle = 0; idle < 2;) {
		if (send(f.fd, call, n, MSG_NOSIGNAL) == (ssize_t)n) {
			sent++;
			idle = 0;
		} else {
			idle++;
		}
		loop(&f);
	}
	other = f.fd;
	f.fd = client_new(&f, false);
	feed(&f, CALL_AUTH_LIST);
	expect(&f, REPLY_AUTH_LIST);
	close(f.fd);
	f.fd = other;
	for (ssize_t r; (r = recv(f.fd, reply, sizeof(reply), MSG_DONTWAIT)) > 0; loop(&f))
		received += (unsigned)r;
	ck_assert_uint_eq(received, sent * 36);
	ck_assert_uint_gt(sent, 1000);
	fixture_stop(&f);
}
END_TEST

START_TEST(a_connection_that_is_not_opened_ends)
{
	struct fixture f = { 0 };

	fixture_start(&f);
	feed(&f, CALL_AUTH_LIST);
	expect(&f, REPLY_AUTH_LIST);
	loop_for(&f, 2300);
	expect_closed(&f);
	fixture_stop(&f);
}
END_TEST

static int listen_on(const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	ck_assert_int_eq(listen(fd, 100), 0);
	return fd;
}

static int connect_to(const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	return fd;
}

START_TEST(connections_that_say_nothing_do_not_keep_others_out)
{
	char dir[] = "/tmp/netd-rpc-XXXXXX", path[64];
	struct nd_error err = { 0 };
	struct fixture f = { 0 };
	int idle[30];

	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/sock", dir);
	fixture_start(&f);
	close(f.fd);
	ck_assert_int_eq(rpc_server_listen(f.server, listen_on(path), false, (gid_t)-1, &err), 0);
	for (int i = 0; i < 30; i++)
		idle[i] = connect_to(path);
	f.fd = connect_to(path);
	loop_for(&f, 1500);
	feed(&f, CALL_AUTH_LIST);
	loop_for(&f, 1500);
	expect(&f, REPLY_AUTH_LIST);
	for (int i = 0; i < 30; i++)
		close(idle[i]);
	fixture_stop(&f);
	unlink(path);
	rmdir(dir);
}
END_TEST

START_TEST(one_busy_client_does_not_delay_another)
{
	struct fixture f = { 0 };
	uint8_t calls[28 * 100], one[28];
	int busy[50];

	fixture_start(&f);
	unhex(CALL_AUTH_LIST, one);
	for (int i = 0; i < 100; i++)
		memcpy(calls + i * 28, one, 28);
	for (int i = 0; i < 50; i++) {
		busy[i] = client_new(&f, false);
		ck_assert_int_eq(send(busy[i], calls, sizeof(calls), 0), sizeof(calls));
	}
	sd_event_run(f.event, 0);
	sd_event_run(f.event, 0);
	ck_assert_int_eq(send(f.fd, one, 28, 0), 28);
	/* 5000 calls wait: ours is answered within a few turns all the same. */
	for (int i = 0; i < 6; i++)
		sd_event_run(f.event, 0);
	expect(&f, REPLY_AUTH_LIST);
	for (int i = 0; i < 50; i++)
		close(busy[i]);
	loop(&f);
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
		a_call_that_libvirt_has_and_netd_has_not_is_named,
		a_result_without_encoding_becomes_an_error,
		a_read_only_session_changes_nothing,
		a_peer_outside_the_group_is_told_so,
		replies_may_be_out_of_order,
		only_so_many_calls_of_a_client_are_in_work,
		a_client_that_goes_leaves_its_calls_to_end_in_peace,
		a_client_that_only_stops_sending_gets_its_replies,
		close_is_answered_before_the_connection_ends,
		descriptors_follow_their_reply_one_by_one,
		a_client_that_reads_no_events_is_dropped,
		a_client_that_reads_no_replies_only_stops_itself,
		a_connection_that_is_not_opened_ends,
		connections_that_say_nothing_do_not_keep_others_out,
		one_busy_client_does_not_delay_another,
	};
	nd_log_init("test_rpc", LOG_EMERG);
	Suite *suite = suite_create("rpc");
	TCase *tc = tcase_create("server");
	SRunner *runner = srunner_create(suite);

	tcase_set_timeout(tc, 60);
	for (size_t i = 0; i < ND_COUNT(tests); i++)
		tcase_add_test(tc, tests[i]);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);

	srunner_free(runner);
	return failed != 0;
}
