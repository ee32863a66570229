/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The RPC's session decoder with the daemon's own calls and limits, as a client's bytes reach it. Only
 * the calls' handlers are others, which touch nothing.
 *
 * The first byte of the input is how: bit 0 read-only socket, bit 1 the connection is open already,
 * the rest how long the pieces are in which the bytes arrive. Another client stands by, and must
 * be answered whatever this one sends.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netd/base/auto.h"
#include "netd/base/log.h"
#include "netd/daemon/calls.h"
#include "netd/daemon/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PENDING_MAX 16

struct host {
	sd_event *event;
	struct rpc_server *server;
	struct calls calls;
	struct rpc_method *own;		/* of netd's program */
	int witness;
	struct rpc_call *pending[PENDING_MAX];
	unsigned n_pending;
};

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void answer_all(struct host *h)
{
	struct nd_error err = { .kind = ND_ERR_OPERATION_FAILED, .text = "late" };

	while (h->n_pending)
		rpc_call_fail(h->pending[--h->n_pending], &err);
}

/* Some calls fail at once, some later. */
static int handle(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	struct host *h = rpc_call_context(call);

	if (ret || h->n_pending == PENDING_MAX)
		return nd_error_set(err, ND_ERR_NO_NETWORK, "none");
	h->pending[h->n_pending++] = call;
	return RPC_PENDING;
}

static int handle_auth_list(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	return RPC_DONE;
}

static int handle_open(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	rpc_session_set_open(rpc_call_session(call), true);
	rpc_session_start_keepalive(rpc_call_session(call));
	return RPC_DONE;
}

static int handle_close(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	rpc_session_close_after_reply(rpc_call_session(call));
	return RPC_DONE;
}

/* Those that the daemon does not have stay without a handler: they are refused by name. */
static void replace_handlers(struct rpc_method *methods, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (methods[i].handle)
			methods[i].handle = handle;
}

static void set_handler(struct rpc_method *methods, size_t n, int32_t proc, rpc_handler handler)
{
	for (size_t i = 0; i < n; i++)
		if (methods[i].proc == proc)
			methods[i].handle = handler;
}

/* The daemon's tables. */
static void calls_make(struct host *h)
{
	struct calls *c = &h->calls;
	size_t size = n_netd_methods * sizeof(*h->own);

	require(calls_init(c, NULL) == 0);
	h->own = malloc(size);
	require(h->own);
	memcpy(h->own, netd_methods, size);
	c->netd.methods = h->own;
	replace_handlers(h->own, n_netd_methods);
	replace_handlers(c->methods, c->remote.n_methods);
	set_handler(c->methods, c->remote.n_methods, LV_PROC_AUTH_LIST, handle_auth_list);
	set_handler(c->methods, c->remote.n_methods, LV_PROC_CONNECT_OPEN, handle_open);
	set_handler(c->methods, c->remote.n_methods, LV_PROC_CONNECT_CLOSE, handle_close);
}

static const uint8_t auth_list_call[28] = {
	0, 0, 0, 28, 0x20, 0, 0x80, 0x86, 0, 0, 0, 1, 0, 0, 0, 66,
};
static const uint8_t auth_list_reply[32] = {
	0, 0, 0, 32, 0x20, 0, 0x80, 0x86, 0, 0, 0, 1, 0, 0, 0, 66, 0, 0, 0, 1,
};
static const uint8_t open_call[36] = {
	0, 0, 0, 36, 0x20, 0, 0x80, 0x86, 0, 0, 0, 1, 0, 0, 0, 1,
};

static void loop(struct host *h)
{
	while (sd_event_run(h->event, 0) > 0)
		;
}

static int client_new(struct host *h, bool read_only)
{
	int pair[2];

	require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
	require(rpc_server_adopt(h->server, pair[1], read_only, (gid_t)-1, NULL) == 0);
	return pair[0];
}

static struct host *host_get(void)
{
	static struct host host;
	struct netd_config config;
	struct rpc_server_options opt = { .context = &host };

	if (host.event)
		return &host;
	nd_log_init("fuzz", LOG_EMERG);
	require(sd_event_new(&host.event) >= 0);
	calls_make(&host);
	require(netd_config_init(&config, NULL, NULL) == 0);
	opt.event = host.event;
	opt.programs = host.calls.programs;
	opt.n_programs = ND_COUNT(host.calls.programs);
	opt.max_sessions = config.max_clients;
	opt.max_unauthenticated = config.max_unauthenticated;
	opt.max_calls_per_session = config.max_calls_per_client;
	opt.max_message_bytes = config.max_message_kib * 1024;
	opt.auth_timeout_s = 86400;	/* the other client never opens */
	netd_config_fini(&config);
	require(rpc_server_new(&opt, &host.server, NULL) == 0);
	host.witness = client_new(&host, true);
	return &host;
}

/* Reads and drops what the server sent; false once it has closed the connection. */
static bool drain(int fd)
{
	static uint8_t buf[65536];
	ssize_t n;

	while ((n = recv(fd, buf, sizeof(buf), 0)) > 0)
		;
	return n < 0 && errno == EAGAIN;
}

/* The server may leave bytes unread while it waits for the answers of calls (until then it neither goes
 * on nor hangs up), but never once it has them. */
static void feed(struct host *h, int fd, const uint8_t *data, size_t size, size_t piece)
{
	unsigned refused = 0;

	while (size) {
		size_t len = size < piece ? size : piece;
		ssize_t n = send(fd, data, len, MSG_NOSIGNAL);

		loop(h);
		if (n < 0 && errno != EAGAIN)
			return;
		if (n > 0) {
			data += n;
			size -= (size_t)n;
			refused = 0;
		}
		if (h->n_pending > 3 || n < 0)
			answer_all(h);
		if (!drain(fd))
			return;
		require(n > 0 || ++refused < 100);
	}
}

static void check_witness(struct host *h)
{
	uint8_t reply[64];

	require(send(h->witness, auth_list_call, sizeof(auth_list_call), 0) ==
		sizeof(auth_list_call));
	loop(h);
	require(recv(h->witness, reply, sizeof(reply), 0) == sizeof(auth_list_reply));
	require(memcmp(reply, auth_list_reply, sizeof(auth_list_reply)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct host *h = host_get();
	int fd;

	if (size == 0)
		return 0;
	fd = client_new(h, data[0] & 1);
	if (data[0] & 2)
		feed(h, fd, open_call, sizeof(open_call), sizeof(open_call));
	feed(h, fd, data + 1, size - 1, data[0] >> 2 ? data[0] >> 2 : 65536);
	check_witness(h);
	close(fd);
	loop(h);
	answer_all(h);
	loop(h);
	return 0;
}
