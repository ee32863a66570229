/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sessions of the RPC: access, calls in work, limits, clients that do not behave. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "netd/base/auto.h"
#include "netd/base/log.h"
#include "netd/rpc/session.h"
#include "rpc_toy.h"
#include "tests/suite.h"

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
	/* the server writes by and by: only several empty looks are the end */
	for (int idle = 0; idle < 50; loop(&f)) {
		ssize_t r = recv(f.fd, reply, sizeof(reply), MSG_DONTWAIT);

		idle = r > 0 ? 0 : idle + 1;
		received += r > 0 ? (unsigned)r : 0;
	}
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

/* Lets the clock of the session's deadlines run ahead. */
static bool tick_at(struct fixture *f, unsigned seconds)
{
	return rpc_session_tick(f->session, rpc_server_now_us(f->server) + seconds * 1000000ull);
}

START_TEST(only_who_asked_for_keepalive_is_pinged_and_dropped_in_the_end)
{
	struct fixture f = { 0 };

	fixture_start(&f);
	open_connection(&f, 0);
	ck_assert(!tick_at(&f, 3600));
	expect(&f, "");
	rpc_session_start_keepalive(f.session);
	ck_assert(tick_at(&f, 4));
	expect(&f, "");
	ck_assert(tick_at(&f, 5));
	expect(&f, PING);
	ck_assert(tick_at(&f, 9));
	expect(&f, "");
	feed(&f, PONG);		/* any message is life */
	ck_assert(tick_at(&f, 4));
	for (unsigned i = 1; i <= 5; i++) {
		ck_assert(tick_at(&f, 5 * i));
		expect(&f, PING);
	}
	ck_assert(!tick_at(&f, 30));
	loop(&f);
	expect_closed(&f);
	ck_assert_uint_eq(f.n_closed, 1);
	fixture_stop(&f);
}
END_TEST

START_TEST(half_a_message_is_not_waited_for_for_ever)
{
	struct fixture f = { 0 };

	fixture_start(&f);
	open_connection(&f, 0);
	feed(&f, "00000020 20008086");
	ck_assert(tick_at(&f, 29));
	ck_assert(!tick_at(&f, 31));
	loop(&f);
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
		only_who_asked_for_keepalive_is_pinged_and_dropped_in_the_end,
		half_a_message_is_not_waited_for_for_ever,
		connections_that_say_nothing_do_not_keep_others_out,
		one_busy_client_does_not_delay_another,
	};
	nd_log_init("test_rpc", LOG_EMERG);
	Suite *suite = suite_create("rpc");
	TCase *tc = tcase_create("rpc");

	tcase_set_timeout(tc, 60);
	for (size_t i = 0; i < ND_COUNT(tests); i++)
		tcase_add_test(tc, tests[i]);
	suite_add_tcase(suite, tc);

	return suite_run(suite);
}
