/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rpc_toy.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "netd/base/auto.h"
#include "netd/base/log.h"
#include "netd/rpc/stream.h"

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

/* A stream that echoes; "end" ends it, "fail" fails it. */
static void echo_data(void *arg, const uint8_t *bytes, size_t len)
{
	struct fixture *f = arg;
	struct nd_error err = { 0 };

	if (len == 3 && memcmp(bytes, "end", 3) == 0) {
		rpc_stream_end(f->stream);
	} else if (len == 4 && memcmp(bytes, "fail", 4) == 0) {
		nd_error_set(&err, ND_ERR_OPERATION_FAILED, "as told");
		rpc_stream_fail(f->stream, &err);
	} else {
		rpc_stream_send(f->stream, bytes, len);
	}
}

static void echo_ready(void *arg)
{
}

static void echo_closed(void *arg)
{
	((struct fixture *)arg)->n_streams_closed++;
}

static const struct rpc_stream_hooks echo_hooks = { echo_data, echo_ready, echo_closed };

static int toy_console(struct rpc_call *c, void *args, void *ret, struct nd_error *err)
{
	struct fixture *f = rpc_call_context(c);

	if (((lv_domain_open_console_args *)args)->flags)
		return nd_error_set(err, ND_ERR_OPERATION_FAILED, "no stream");
	return rpc_stream_open(c, &echo_hooks, f, &f->stream, err) < 0 ? -EINVAL : RPC_DONE;
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
	{ LV_PROC_DOMAIN_OPEN_CONSOLE, "virDomainOpenConsole", RPC_DOMAIN_DOMAIN, 0,
	  ARGS(lv_domain_open_console_args), .handle = toy_console },
};
static const struct rpc_program toy_lv = {
	LV_PROGRAM, LV_VERSION, toy_methods, ND_COUNT(toy_methods),
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

int client_new(struct fixture *f, bool read_only)
{
	struct nd_error err = { 0 };
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	ck_assert_int_eq(rpc_server_adopt(f->server, pair[1], read_only, (gid_t)-1, &err), 0);
	return pair[0];
}

void fixture_start(struct fixture *f)
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

void fixture_stop(struct fixture *f)
{
	if (f->fd >= 0)
		close(f->fd);
	rpc_server_free(f->server);
	for (unsigned i = 0; i < f->n_pending; i++)
		rpc_call_reply(f->pending[i]);
	sd_event_unref(f->event);
}

void loop(struct fixture *f)
{
	for (int i = 0; i < 1000 && sd_event_run(f->event, 0) > 0; i++)
		;
}

void loop_for(struct fixture *f, int ms)
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

size_t unhex(const char *hex, uint8_t *out)
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

void feed_bytes(struct fixture *f, const void *bytes, size_t n)
{
	ck_assert_int_eq(send(f->fd, bytes, n, MSG_NOSIGNAL), n);
	loop(f);
}

void feed(struct fixture *f, const char *hex)
{
	uint8_t bytes[4096];

	feed_bytes(f, bytes, unhex(hex, bytes));
}

/* What the server sent so far; -1: it closed the connection and sent nothing. */
ssize_t got(struct fixture *f, uint8_t *buf, size_t size)
{
	ssize_t n = recv(f->fd, buf, size, MSG_DONTWAIT);

	if (n < 0) {
		ck_assert(errno == EAGAIN || errno == ECONNRESET);
		return errno == EAGAIN ? 0 : -1;
	}
	return n == 0 ? -1 : n;
}

void expect(struct fixture *f, const char *hex)
{
	uint8_t want[4096], is[65536];
	size_t n_want = unhex(hex, want);
	ssize_t n_is = got(f, is, sizeof(is));

	ck_assert_int_eq(n_is, n_want);
	ck_assert_mem_eq(is, want, n_want);
}

void expect_closed(struct fixture *f)
{
	uint8_t is[64];

	ck_assert_int_eq(got(f, is, sizeof(is)), -1);
}

void send_message(struct fixture *f, const struct rpc_header *h, xdrproc_t xdr, void *args)
{
	ND_AUTO(rpc_buffer_free) struct rpc_buffer b = { 0 };

	ck_assert_int_eq(rpc_message_encode(&b, h, 0, xdr, args), 0);
	feed_bytes(f, b.bytes, b.len);
}

struct rpc_header call_header(int32_t proc, uint32_t serial)
{
	return (struct rpc_header){
		.program = LV_PROGRAM, .version = LV_VERSION, .proc = proc, .serial = serial,
	};
}

void send_call(struct fixture *f, int32_t proc, uint32_t serial, xdrproc_t xdr, void *args)
{
	struct rpc_header h = call_header(proc, serial);

	send_message(f, &h, xdr, args);
}

/* Reads one reply whole; its payload is at buf + RPC_HEADER_SIZE. */
struct rpc_header read_reply(struct fixture *f, uint8_t *buf, size_t size)
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

void expect_error(struct fixture *f, const struct rpc_header *call, int code, int domain,
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

void open_connection(struct fixture *f, unsigned flags)
{
	struct lv_connect_open_args args = { .flags = flags };
	uint8_t buf[64];

	send_call(f, LV_PROC_CONNECT_OPEN, 0, (xdrproc_t)xdr_lv_connect_open_args, &args);
	ck_assert_int_eq(read_reply(f, buf, sizeof(buf)).status, LV_OK);
}

void lookup(struct fixture *f, uint32_t serial)
{
	struct lv_name_args args = { .name = (char *)"default" };

	send_call(f, LV_PROC_NETWORK_LOOKUP_BY_NAME, serial, (xdrproc_t)xdr_lv_name_args, &args);
}

void expect_lookup(struct fixture *f, uint32_t serial)
{
	uint8_t buf[128];
	struct rpc_header h = read_reply(f, buf, sizeof(buf));

	ck_assert_int_eq(h.status, LV_OK);
	ck_assert_uint_eq(h.serial, serial);
	ck_assert_uint_eq(h.len, RPC_HEADER_SIZE + 4 + 8 + 16);
}

void create(struct fixture *f, uint32_t serial)
{
	struct lv_net_args args = { .net.name = (char *)"default" };

	send_call(f, LV_PROC_NETWORK_CREATE, serial, (xdrproc_t)xdr_lv_net_args, &args);
}
