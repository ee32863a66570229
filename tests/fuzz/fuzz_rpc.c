/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The RPC's session decoder with every call's argument type, as a client's bytes reach it.
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
#include "netd/rpc/netd.h"
#include "netd/rpc/protocol.h"
#include "netd/rpc/server.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PENDING_MAX 16

struct host {
	sd_event *event;
	struct rpc_server *server;
	int witness;
	struct rpc_call *pending[PENDING_MAX];
	unsigned n_pending;
	bool open_next;
};

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

#define ARGS(number, type) \
	{ .proc = number, .api = #number, .flags = number & 1, .args = (xdrproc_t)xdr_##type, \
	  .args_size = sizeof(type), .handle = handle }
#define EARLY (RPC_READ_ONLY | RPC_BEFORE_OPEN | RPC_BEFORE_AUTH)

static const struct rpc_method methods[] = {
	{ LV_PROC_AUTH_LIST, "list", 0, EARLY, NULL, (xdrproc_t)xdr_lv_auth_list_ret, 0,
	  sizeof(lv_auth_list_ret), handle_auth_list },
	{ LV_PROC_CONNECT_OPEN, "open", 0, EARLY, (xdrproc_t)xdr_lv_connect_open_args, NULL,
	  sizeof(lv_connect_open_args), 0, handle_open },
	{ LV_PROC_CONNECT_CLOSE, "close", 0, EARLY, .handle = handle_close },
	ARGS(LV_PROC_CONNECT_GET_MAX_VCPUS, lv_connect_get_max_vcpus_args),
	ARGS(LV_PROC_CONNECT_LIST_NETWORKS, lv_names_args),
	ARGS(LV_PROC_NETWORK_CREATE, lv_net_args),
	ARGS(LV_PROC_NETWORK_DEFINE_XML, lv_xml_args),
	ARGS(LV_PROC_NETWORK_GET_XML_DESC, lv_net_flags_args),
	ARGS(LV_PROC_NETWORK_LOOKUP_BY_NAME, lv_name_args),
	ARGS(LV_PROC_NETWORK_LOOKUP_BY_UUID, lv_uuid_args),
	ARGS(LV_PROC_NETWORK_SET_AUTOSTART, lv_network_set_autostart_args),
	ARGS(LV_PROC_CONNECT_SUPPORTS_FEATURE, lv_connect_supports_feature_args),
	ARGS(LV_PROC_CONNECT_GET_SYSINFO, lv_flags_args),
	ARGS(LV_PROC_CONNECT_LIST_ALL_NETWORKS, lv_list_all_args),
	ARGS(LV_PROC_NETWORK_UPDATE, lv_network_update_args),
	ARGS(LV_PROC_NODE_GET_CPU_MAP, lv_node_get_cpu_map_args),
	ARGS(LV_PROC_CONNECT_NETWORK_EVENT_REGISTER_ANY, lv_network_event_register_any_args),
	ARGS(LV_PROC_CONNECT_NETWORK_EVENT_DEREGISTER_ANY, lv_callback_args),
	ARGS(LV_PROC_NETWORK_GET_DHCP_LEASES, lv_network_get_dhcp_leases_args),
	ARGS(LV_PROC_NETWORK_LIST_ALL_PORTS, lv_network_list_all_ports_args),
	ARGS(LV_PROC_NETWORK_PORT_LOOKUP_BY_UUID, lv_network_port_lookup_by_uuid_args),
	ARGS(LV_PROC_NETWORK_PORT_CREATE_XML, lv_network_port_create_xml_args),
	ARGS(LV_PROC_NETWORK_PORT_GET_PARAMETERS, lv_network_port_get_parameters_args),
	ARGS(LV_PROC_NETWORK_PORT_SET_PARAMETERS, lv_network_port_set_parameters_args),
	ARGS(LV_PROC_NETWORK_PORT_GET_XML_DESC, lv_port_flags_args),
	ARGS(LV_PROC_CONNECT_SET_IDENTITY, lv_connect_set_identity_args),
	ARGS(LV_PROC_NETWORK_DEFINE_XML_FLAGS, lv_xml_flags_args),
	ARGS(LV_PROC_NETWORK_SET_METADATA, lv_network_set_metadata_args),
	ARGS(LV_PROC_NETWORK_GET_METADATA, lv_network_get_metadata_args),
};
static const struct rpc_method netd_methods[] = {
	ARGS(NETD_PROC_NETWORK_PLAN, netd_network_plan_args),
	ARGS(NETD_PROC_NETWORK_PLUG, netd_network_plug_args),
	ARGS(NETD_PROC_NETWORK_UNPLUG, netd_network_unplug_args),
};
static const struct rpc_program lv = { LV_PROGRAM, LV_VERSION, methods, ND_COUNT(methods) };
static const struct rpc_program own = {
	NETD_PROGRAM, NETD_VERSION, netd_methods, ND_COUNT(netd_methods),
};
static const struct rpc_program *const programs[] = { &lv, &own };

static const uint8_t auth_list_call[28] = {
	0, 0, 0, 28, 0x20, 0, 0x80, 0x86, 0, 0, 0, 1, 0, 0, 0, 66,
};
static const uint8_t auth_list_reply[32] = {
	0, 0, 0, 32, 0x20, 0, 0x80, 0x86, 0, 0, 0, 1, 0, 0, 0, 66, 0, 0, 0, 1,
};
static const uint8_t open_call[36] = {
	0, 0, 0, 36, 0x20, 0, 0x80, 0x86, 0, 0, 0, 1, 0, 0, 0, 1,
};

static void require(bool holds)
{
	if (!holds)
		abort();
}

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
	struct rpc_server_options opt = {
		.programs = programs, .n_programs = ND_COUNT(programs), .context = &host,
		.max_sessions = 100, .max_unauthenticated = 20, .max_calls_per_session = 5,
		.auth_timeout_s = 86400,
	};

	if (host.event)
		return &host;
	nd_log_init("fuzz", LOG_EMERG);
	require(sd_event_new(&host.event) >= 0);
	opt.event = host.event;
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
