/* SPDX-License-Identifier: GPL-2.0-or-later */
/* netd-bridge-helper -- asks netd for a TAP on a network, for a QEMU that runs as a plain user
 *
 * QEMU runs it with one end of a socket pair as descriptor N, and takes the TAP's descriptor from
 * the other end, with one byte beside it. It has no privilege: netd judges by who asks. See
 * netd-bridge-helper(8).
 */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "netd/base/str.h"
#include "netd/rpc/client.h"
#include "netd/rpc/netd.h"

#define URI_DEFAULT "netd:///system"

struct options {
	const char *uri, *bridge;
	int socket;		/* of QEMU; -1: not said */
	bool vnet_hdr;
};

static int fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static int fail(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	fputs("netd-bridge-helper: ", stderr);
	vfprintf(stderr, fmt, args);
	fputc('\n', stderr);
	va_end(args);
	return EXIT_FAILURE;
}

static bool option_take(struct options *o, const char *word)
{
	uint64_t fd;

	if (nd_streq(word, "--use-vnet")) {
		o->vnet_hdr = true;
	} else if (strncmp(word, "--br=", 5) == 0) {
		o->bridge = word + 5;
	} else if (strncmp(word, "--socket=", 9) == 0) {
		o->uri = word + 9;
	} else if (strncmp(word, "--fd=", 5) == 0 && nd_parse_uint(word + 5, 10, 0, 1 << 20, &fd)) {
		o->socket = (int)fd;
	} else {
		return false;
	}
	return true;
}

/* The TAP's descriptor, or -1 with err. */
static int plug(const struct options *o, struct nd_error *err)
{
	struct rpc_client_options connect = { .uri = o->uri, .read_only = true };
	ND_AUTO(rpc_client_free) struct rpc_client *client = NULL;
	netd_bridge_plug_args args = {
		.bridge = (char *)o->bridge, .flags = o->vnet_hdr ? NETD_BRIDGE_PLUG_VNET_HDR : 0,
	};
	netd_network_plug_ret ret = { 0 };
	int fd = -1;
	struct rpc_request rq = {
		.program = NETD_PROGRAM, .proc = NETD_PROC_BRIDGE_PLUG,
		.args_xdr = (xdrproc_t)xdr_netd_bridge_plug_args, .args = &args,
		.ret_xdr = (xdrproc_t)xdr_netd_network_plug_ret, .ret = &ret,
		.fds = &fd, .max_fds = 1,
	};

	if (rpc_client_new(&connect, &client, err) < 0 || rpc_client_call(client, &rq, NULL, err) < 0)
		return -1;
	xdr_free((xdrproc_t)xdr_netd_network_plug_ret, &ret);
	if (rq.n_fds != 1)
		nd_error_set(err, ND_ERR_OPERATION_FAILED, "netd sent no descriptor");
	return rq.n_fds == 1 ? fd : -1;
}

static int hand_over(int socket, int fd)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	char byte = 0;
	struct iovec data = { &byte, 1 };
	struct msghdr message = {
		.msg_iov = &data, .msg_iovlen = 1,
		.msg_control = control.bytes, .msg_controllen = sizeof(control.bytes),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&message);
	ssize_t n;

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	do
		n = sendmsg(socket, &message, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n == 1 ? 0 : -1;
}

int main(int argc, char **argv)
{
	const char *env = getenv("NETD_SOCKET");
	struct options o = { .uri = env && *env ? env : URI_DEFAULT, .socket = -1 };
	struct nd_error err = { 0 };
	char text[1200];
	int fd;

	signal(SIGPIPE, SIG_IGN);
	for (int i = 1; i < argc; i++)
		if (!option_take(&o, argv[i]))
			return fail("'%s' is no option: [--use-vnet] [--socket=PATH] --fd=N --br=NETWORK", argv[i]);
	if (o.socket < 0 || !o.bridge)
		return fail("--fd=N and --br=NETWORK are needed");
	fd = plug(&o, &err);
	if (fd < 0) {
		nd_error_format(&err, text, sizeof(text));
		return fail("%s", text);
	}
	if (hand_over(o.socket, fd) < 0)	/* the TAP goes with this process */
		return fail("descriptor %d does not take the TAP: %s", o.socket, strerror(errno));
	return EXIT_SUCCESS;
}
