/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The client side against a daemon that the test plays in a thread, well or badly. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "netd/base/auto.h"
#include "netd/base/str.h"
#include "netd/rpc/client.h"
#include "rpc_toy.h"
#include "tests/suite.h"

struct peer {
	char dir[32], path[64], uri[128];
	int listener;
	pthread_t thread;
	bool stop;
	struct fixture f;
};

static void peer_listen(struct peer *p)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };

	strcpy(p->dir, "/tmp/netd-client-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(p->dir));
	snprintf(p->path, sizeof(p->path), "%s/sock", p->dir);
	snprintf(p->uri, sizeof(p->uri), "network:///system?socket=%s", p->path);
	strcpy(sa.sun_path, p->path);
	p->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(p->listener, (struct sockaddr *)&sa, sizeof(sa)), 0);
	ck_assert_int_eq(listen(p->listener, 5), 0);
}

static void peer_stop(struct peer *p)
{
	__atomic_store_n(&p->stop, true, __ATOMIC_SEQ_CST);
	pthread_join(p->thread, NULL);
	unlink(p->path);
	rmdir(p->dir);
}

/* A well-behaved daemon. CREATE is answered by an event and then the reply. */
static void *serve_toy(void *arg)
{
	struct lv_network_lifecycle_event e = { .net.name = (char *)"default", .event = 2 };
	struct peer *p = arg;

	while (!__atomic_load_n(&p->stop, __ATOMIC_SEQ_CST)) {
		sd_event_run(p->f.event, 20000);
		while (p->f.n_pending) {
			struct rpc_call *c = p->f.pending[--p->f.n_pending];

			rpc_session_send_event(rpc_call_session(c), LV_PROGRAM,
					       LV_PROC_NETWORK_EVENT_LIFECYCLE,
					       (xdrproc_t)xdr_lv_network_lifecycle_event, &e);
			rpc_call_reply(c);
		}
	}
	fixture_stop(&p->f);
	return NULL;
}

static void peer_start_toy(struct peer *p)
{
	struct nd_error err = { 0 };

	peer_listen(p);
	fixture_start(&p->f);
	fcntl(p->listener, F_SETFL, O_NONBLOCK);
	ck_assert_int_eq(rpc_server_listen(p->f.server, p->listener, false, (gid_t)-1, &err), 0);
	ck_assert_int_eq(pthread_create(&p->thread, NULL, serve_toy, p), 0);
}

static int connect_client(struct peer *p, bool read_only, struct rpc_client **out,
			  struct nd_error *err)
{
	struct rpc_client_options opt = { .uri = p->uri, .read_only = read_only };

	return rpc_client_new(&opt, out, err);
}

static int call_lookup(struct rpc_client *c, const char *name, lv_net_ret *ret, int *domain,
		       struct nd_error *err)
{
	lv_name_args args = { .name = (char *)name };
	struct rpc_request rq = {
		.program = LV_PROGRAM, .proc = LV_PROC_NETWORK_LOOKUP_BY_NAME,
		.args_xdr = (xdrproc_t)xdr_lv_name_args, .args = &args,
		.ret_xdr = (xdrproc_t)xdr_lv_net_ret, .ret = ret,
	};

	return rpc_client_call(c, &rq, domain, err);
}

START_TEST(a_call_gives_its_result_and_an_error_its_code_domain_and_sentence)
{
	struct peer p = { 0 };
	struct nd_error err = { 0 };
	struct rpc_client *c = NULL;
	lv_net_ret ret = { 0 };
	int domain;

	peer_start_toy(&p);
	ck_assert_msg(connect_client(&p, false, &c, &err) == 0, "%s", err.text);
	ck_assert_str_eq(rpc_client_name(c), "network:///system");
	ck_assert_int_eq(call_lookup(c, "default", &ret, &domain, &err), 0);
	ck_assert_str_eq(ret.net.name, "default");
	xdr_free((xdrproc_t)xdr_lv_net_ret, &ret);
	memset(&ret, 0, sizeof(ret));
	ck_assert_int_lt(call_lookup(c, "x", &ret, &domain, &err), 0);
	ck_assert_int_eq(err.kind, ND_ERR_NO_NETWORK);
	ck_assert_int_eq(domain, 19);
	ck_assert_str_eq(err.text, "no network with matching name 'x'");
	ck_assert(rpc_client_is_alive(c));
	rpc_client_free(c);
	peer_stop(&p);
}
END_TEST

struct seen {
	unsigned n;
	int last;
};

static void on_event(void *arg, uint32_t program, int32_t proc, const uint8_t *payload, size_t len)
{
	struct lv_network_lifecycle_event e = { 0 };
	struct seen *seen = arg;

	ck_assert_int_eq(proc, LV_PROC_NETWORK_EVENT_LIFECYCLE);
	ck_assert(rpc_payload_decode(payload, len, (xdrproc_t)xdr_lv_network_lifecycle_event, &e));
	seen->n++;
	seen->last = e.event;
	xdr_free((xdrproc_t)xdr_lv_network_lifecycle_event, &e);
}

START_TEST(events_are_handled_while_a_call_waits)
{
	lv_net_args args = { .net.name = (char *)"default" };
	struct rpc_request rq = {
		.program = LV_PROGRAM, .proc = LV_PROC_NETWORK_CREATE,
		.args_xdr = (xdrproc_t)xdr_lv_net_args, .args = &args,
	};
	struct peer p = { 0 };
	struct nd_error err = { 0 };
	struct rpc_client *c = NULL;
	struct seen seen = { 0 };

	peer_start_toy(&p);
	ck_assert_int_eq(connect_client(&p, false, &c, &err), 0);
	rpc_client_set_events(c, on_event, &seen);
	ck_assert_int_eq(rpc_client_call(c, &rq, NULL, &err), 0);
	ck_assert_uint_eq(seen.n, 1);
	ck_assert_int_eq(seen.last, 2);
	ck_assert_int_eq(rpc_client_wait(c, 30, &err), 0);
	rpc_client_free(c);
	peer_stop(&p);
}
END_TEST

START_TEST(descriptors_come_with_their_reply)
{
	netd_network_plug_args args = {
		.net.name = (char *)"default", .ifname = (char *)"", .mac = (char *)"",
		.owner_name = (char *)"", .queues = 1,
	};
	netd_network_plug_ret ret = { 0 };
	int fds[4];
	struct rpc_request rq = {
		.program = NETD_PROGRAM, .proc = NETD_PROC_NETWORK_PLUG,
		.args_xdr = (xdrproc_t)xdr_netd_network_plug_args, .args = &args,
		.ret_xdr = (xdrproc_t)xdr_netd_network_plug_ret, .ret = &ret,
		.fds = fds, .max_fds = ND_COUNT(fds),
	};
	struct peer p = { 0 };
	struct nd_error err = { 0 };
	struct rpc_client *c = NULL;
	lv_net_ret net = { 0 };
	char byte;

	peer_start_toy(&p);
	ck_assert_int_eq(connect_client(&p, false, &c, &err), 0);
	ck_assert_int_eq(rpc_client_call(c, &rq, NULL, &err), 0);
	ck_assert_uint_eq(rq.n_fds, 2);
	ck_assert_int_eq(read(fds[0], &byte, 1), 0);	/* /dev/null */
	ck_assert_int_eq(read(fds[1], &byte, 1), 1);	/* /dev/zero */
	ck_assert_int_eq(fcntl(fds[0], F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	close(fds[0]);
	close(fds[1]);
	xdr_free((xdrproc_t)xdr_netd_network_plug_ret, &ret);
	ck_assert_int_eq(call_lookup(c, "default", &net, NULL, &err), 0);
	xdr_free((xdrproc_t)xdr_lv_net_ret, &net);
	rpc_client_free(c);
	peer_stop(&p);
}
END_TEST

struct heard {
	struct nd_str text;
	unsigned n_ends;
	struct nd_error err;
};

static void heard_data(void *arg, const uint8_t *bytes, size_t len)
{
	nd_str_addn(&((struct heard *)arg)->text, (const char *)bytes, len);
}

static void heard_end(void *arg, const struct nd_error *err)
{
	struct heard *heard = arg;

	heard->n_ends++;
	if (err)
		heard->err = *err;
}

static const struct rpc_client_stream_hooks heard_hooks = { heard_data, heard_end };

static int open_stream(struct rpc_client *c, unsigned flags, struct heard *heard,
		       struct nd_error *err)
{
	lv_domain_open_console_args args = { .dom.name = (char *)"web", .flags = flags };
	struct rpc_request rq = {
		.program = LV_PROGRAM, .proc = LV_PROC_DOMAIN_OPEN_CONSOLE,
		.args_xdr = (xdrproc_t)xdr_lv_domain_open_console_args, .args = &args,
	};

	return rpc_client_stream_open(c, &rq, &heard_hooks, heard, err);
}

static void send_text(struct rpc_client *c, const char *text)
{
	struct nd_error err = { 0 };

	ck_assert_int_eq(rpc_client_stream_send(c, text, strlen(text), &err), 0);
}

static void await_end(struct rpc_client *c, const struct heard *heard)
{
	struct nd_error err = { 0 };

	while (!heard->n_ends)
		ck_assert_int_eq(rpc_client_wait(c, 5000, &err), 1);
}

START_TEST(a_stream_carries_bytes_beside_calls_until_either_end_is_done)
{
	struct peer p = { 0 };
	struct nd_error err = { 0 };
	struct rpc_client *c = NULL;
	struct heard heard = { 0 }, other = { 0 };
	lv_net_ret net = { 0 };

	peer_start_toy(&p);
	ck_assert_int_eq(connect_client(&p, false, &c, &err), 0);
	ck_assert_int_lt(open_stream(c, 1, &heard, &err), 0);
	ck_assert_str_eq(err.text, "no stream");
	ck_assert_int_lt(rpc_client_stream_send(c, "x", 1, &err), 0);
	ck_assert_int_eq(rpc_client_stream_finish(c, &err), 0);

	ck_assert_int_eq(open_stream(c, 0, &heard, &err), 0);
	ck_assert_int_lt(open_stream(c, 0, &other, &err), 0);
	send_text(c, "one ");
	ck_assert_int_eq(call_lookup(c, "default", &net, NULL, &err), 0);	/* takes the echo too */
	xdr_free((xdrproc_t)xdr_lv_net_ret, &net);
	send_text(c, "two");
	send_text(c, "end");
	await_end(c, &heard);
	ck_assert_str_eq(heard.text.text, "one two");
	ck_assert_int_eq(heard.err.kind, ND_ERR_OK);
	ck_assert_int_eq(rpc_client_stream_finish(c, &err), 0);

	ck_assert_int_eq(open_stream(c, 0, &other, &err), 0);
	send_text(c, "dropped");
	ck_assert_int_eq(rpc_client_stream_finish(c, &err), 0);
	ck_assert_uint_eq(other.text.len, 0);
	ck_assert_uint_eq(other.n_ends, 0);
	ck_assert_uint_eq(p.f.n_streams_closed, 1);	/* the first was ended by the daemon */

	ck_assert_int_eq(open_stream(c, 0, &other, &err), 0);
	send_text(c, "fail");
	await_end(c, &other);
	ck_assert_int_eq(other.err.kind, ND_ERR_OPERATION_FAILED);
	ck_assert_str_eq(other.err.text, "as told");
	ck_assert_int_lt(rpc_client_stream_send(c, "x", 1, &err), 0);
	ck_assert_int_eq(call_lookup(c, "default", &net, NULL, &err), 0);
	xdr_free((xdrproc_t)xdr_lv_net_ret, &net);
	nd_str_free(&heard.text);
	rpc_client_free(c);
	peer_stop(&p);
}
END_TEST

/* Daemons that do not behave: the bytes that answer AUTH_LIST, then the end of the connection. */

static const char *bad_reply;

static void *serve_badly(void *arg)
{
	struct peer *p = arg;
	int fd = accept(p->listener, NULL, NULL);
	uint8_t call[64], bytes[256];
	size_t n = unhex(bad_reply, bytes);

	ck_assert_int_gt(recv(fd, call, sizeof(call), 0), 0);
	ck_assert_int_eq(send(fd, bytes, n, MSG_NOSIGNAL), n);
	close(fd);
	close(p->listener);
	return NULL;
}

static void expect_broken(const char *reply, const char *why)
{
	struct peer p = { 0 };
	struct nd_error err = { 0 };
	struct rpc_client *c = NULL;

	bad_reply = reply;
	peer_listen(&p);
	ck_assert_int_eq(pthread_create(&p.thread, NULL, serve_badly, &p), 0);
	ck_assert_int_lt(connect_client(&p, false, &c, &err), 0);
	ck_assert_msg(strstr(err.text, why) != NULL, "%s", err.text);
	peer_stop(&p);
}

START_TEST(a_daemon_that_does_not_keep_to_the_protocol_is_left)
{
	expect_broken("", "closed");
	expect_broken("0000001c 20008086 0000", "closed");
	expect_broken("0000001b 20008086 00000001 00000042 00000001 00000000 00000000", "length");
	expect_broken("ffffffff 20008086 00000001 00000042 00000001 00000000 00000000", "length");
	expect_broken("00000020 20008086 00000001 00000042 00000001 00000007 00000000 00000000",
		      "belongs to no call");
	expect_broken("00000020 20008086 00000001 00000043 00000001 00000000 00000000 00000000",
		      "belongs to no call");
	expect_broken("00000020 20008086 00000001 00000042 00000001 00000000 00000000 00000099",
		      "cannot be decoded");
	expect_broken("0000001c 20008086 00000001 00000042 00000005 00000000 00000000",
		      "too many descriptors");
	expect_broken("00000020 20008086 00000001 00000042 00000005 00000000 00000000 00000021",
		      "too many descriptors");
	expect_broken("00000020 20008086 00000001 00000042 00000001 00000000 00000001 00000000",
		      "error cannot be decoded");
}
END_TEST

START_TEST(where_nobody_listens_the_socket_is_named)
{
	struct rpc_client_options opt = { .uri = "netd:///system?socket=/nonexistent/sock" };
	struct nd_error err = { 0 };
	struct rpc_client *c = NULL;

	ck_assert_int_eq(rpc_client_new(&opt, &c, &err), -ENOENT);
	ck_assert_str_eq(err.text, "Failed to connect socket to '/nonexistent/sock': "
			 "No such file or directory");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("rpc_client");
	TCase *tc = tcase_create("rpc_client");

	tcase_add_test(tc, a_call_gives_its_result_and_an_error_its_code_domain_and_sentence);
	tcase_add_test(tc, events_are_handled_while_a_call_waits);
	tcase_add_test(tc, descriptors_come_with_their_reply);
	tcase_add_test(tc, a_stream_carries_bytes_beside_calls_until_either_end_is_done);
	tcase_add_test(tc, a_daemon_that_does_not_keep_to_the_protocol_is_left);
	tcase_add_test(tc, where_nobody_listens_the_socket_is_named);
	suite_add_tcase(suite, tc);

	return suite_run(suite);
}
