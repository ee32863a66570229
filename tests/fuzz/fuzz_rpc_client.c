/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The RPC's client end, as a daemon's bytes reach it: replies, events, a stream, descriptors that do not come.
 *
 * The connection is opened, and a console's stream, by replies that are in order; behind them comes the
 * input. Its first byte says which call the client then makes: its reply, if there is one in the input, has
 * serial 3, and the stream serial 2.
 */
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "netd/base/auto.h"
#include "netd/rpc/client.h"
#include "netd/rpc/netd.h"
#include "netd/rpc/protocol.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What stands in the room of a result. */
#define RESULT_MAX 256

static const struct {
	int32_t proc;
	xdrproc_t ret;
} calls[] = {
	{ LV_PROC_DOMAIN_RESUME, NULL },
	{ LV_PROC_CONNECT_LIST_ALL_DOMAINS, (xdrproc_t)xdr_lv_list_all_domains_ret },
	{ LV_PROC_DOMAIN_GET_XML_DESC, (xdrproc_t)xdr_lv_str_ret },
	{ LV_PROC_DOMAIN_GET_INFO, (xdrproc_t)xdr_lv_domain_get_info_ret },
	{ LV_PROC_DOMAIN_GET_MESSAGES, (xdrproc_t)xdr_lv_domain_get_messages_ret },
	{ LV_PROC_DOMAIN_GET_SECURITY_LABEL, (xdrproc_t)xdr_lv_domain_get_security_label_ret },
	{ LV_PROC_DOMAIN_INTERFACE_ADDRESSES, (xdrproc_t)xdr_lv_domain_interface_addresses_ret },
	{ LV_PROC_DOMAIN_GET_INTERFACE_PARAMETERS,
	  (xdrproc_t)xdr_lv_domain_get_interface_parameters_ret },
	{ LV_PROC_CONNECT_GET_ALL_DOMAIN_STATS, (xdrproc_t)xdr_lv_connect_get_all_domain_stats_ret },
	{ LV_PROC_NETWORK_GET_DHCP_LEASES, (xdrproc_t)xdr_lv_network_get_dhcp_leases_ret },
};

/* The daemon's end: one connection at a time, in a thread of its own. */
static struct daemon {
	int listener;
	char uri[160];
	const uint8_t *data;
	size_t size;
	sem_t done;			/* with the input */
} host;

static void require(bool holds)
{
	if (!holds)
		abort();
}

static size_t reply(uint8_t *to, int32_t proc, uint32_t serial, uint32_t payload_len)
{
	struct rpc_header h = { .len = RPC_HEADER_SIZE + payload_len, .program = LV_PROGRAM,
				.version = LV_VERSION, .proc = proc, .type = LV_REPLY, .serial = serial };

	rpc_header_encode(&h, to);
	memset(to + RPC_HEADER_SIZE, 0, payload_len);
	return h.len;
}

static void answer(int fd)
{
	uint8_t opening[128], drop[4096];
	size_t n = reply(opening, LV_PROC_AUTH_LIST, 0, 4);	/* no ways to authenticate: none needed */

	n += reply(opening + n, LV_PROC_CONNECT_OPEN, 1, 0);
	n += reply(opening + n, LV_PROC_DOMAIN_OPEN_CONSOLE, 2, 0);
	require(send(fd, opening, n, MSG_NOSIGNAL) == (ssize_t)n);
	/* the client may have left before the end */
	(void)!send(fd, host.data, host.size, MSG_NOSIGNAL);
	shutdown(fd, SHUT_WR);
	while (recv(fd, drop, sizeof(drop), 0) > 0)
		;
}

static void *serve(void *arg)
{
	int fd;

	while ((fd = accept(host.listener, NULL, NULL)) >= 0) {
		answer(fd);
		close(fd);
		sem_post(&host.done);
	}
	return NULL;
}

static void host_start(void)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	pthread_t thread;
	int named;

	snprintf(sa.sun_path, sizeof(sa.sun_path), "/tmp/netd-fuzz-rpc.%d", (int)getpid());
	host.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	require(bind(host.listener, (struct sockaddr *)&sa, sizeof(sa)) == 0);
	require(listen(host.listener, 5) == 0);
	/* its name is gone at once, so that nothing is left of it however this ends */
	named = open(sa.sun_path, O_PATH | O_CLOEXEC);
	require(named >= 0 && unlink(sa.sun_path) == 0);
	snprintf(host.uri, sizeof(host.uri), "network:///system?socket=/proc/self/fd/%d", named);
	require(sem_init(&host.done, 0, 0) == 0);
	require(pthread_create(&thread, NULL, serve, NULL) == 0);
	pthread_detach(thread);
}

/* Nothing comes once the stream has ended. */
struct heard {
	bool ended;
};

static void on_data(void *arg, const uint8_t *bytes, size_t len)
{
	require(!((struct heard *)arg)->ended && len > 0);
}

static void on_end(void *arg, const struct nd_error *err)
{
	struct heard *heard = arg;

	require(!heard->ended);
	heard->ended = true;
}

static void on_event(void *arg, uint32_t program, int32_t proc, const uint8_t *payload, size_t len)
{
	lv_domain_lifecycle_event e = { 0 };

	if (rpc_payload_decode(payload, len, (xdrproc_t)xdr_lv_domain_lifecycle_event, &e))
		xdr_free((xdrproc_t)xdr_lv_domain_lifecycle_event, (char *)&e);
}

static void make_call(struct rpc_client *c, size_t which)
{
	_Alignas(16) char ret[RESULT_MAX] = { 0 };
	struct nd_error err = { 0 };
	int fds[2];
	struct rpc_request rq = {
		.program = LV_PROGRAM, .proc = calls[which].proc, .ret_xdr = calls[which].ret, .ret = ret,
		.fds = fds, .max_fds = ND_COUNT(fds),
	};

	if (rpc_client_call(c, &rq, NULL, &err) == 0 && calls[which].ret)
		xdr_free(calls[which].ret, ret);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct rpc_client_stream_hooks hooks = { on_data, on_end };
	struct rpc_client_options opt = { .uri = host.uri };
	lv_domain_open_console_args args = { .dom.name = (char *)"web" };
	struct rpc_request open = {
		.program = LV_PROGRAM, .proc = LV_PROC_DOMAIN_OPEN_CONSOLE,
		.args_xdr = (xdrproc_t)xdr_lv_domain_open_console_args, .args = &args,
	};
	struct rpc_client *c = NULL;
	struct nd_error err = { 0 };
	struct heard heard = { false };

	if (size == 0)
		return 0;
	if (!host.uri[0])
		host_start();
	host.data = data + 1;
	host.size = size - 1;
	require(rpc_client_new(&opt, &c, &err) == 0);
	rpc_client_set_events(c, on_event, NULL);
	require(rpc_client_stream_open(c, &open, &hooks, &heard, &err) == 0);
	make_call(c, data[0] % ND_COUNT(calls));
	while (rpc_client_is_alive(c) && rpc_client_wait(c, 5000, &err) == 1)
		;
	(void)rpc_client_stream_finish(c, &err);
	rpc_client_free(c);
	while (sem_wait(&host.done) < 0)
		;				/* libFuzzer has timers */
	return 0;
}
