/* SPDX-License-Identifier: GPL-2.0-or-later */
/* uri.h -- a connection URI, and the socket and name that it stands for
 *
 *	netd:///system				netd's own socket
 *	network:///system?socket=PATH		a socket by its path, libvirt's or netd's
 *	qemu:///system, network:///session	libvirt's daemons, where its client library looks
 *	netd+ssh://[user@]host[:port]/system	through ssh
 */
#pragma once
#include <stdbool.h>

#include "netd/base/auto.h"
#include "netd/base/error.h"

enum rpc_transport { RPC_TRANSPORT_UNIX, RPC_TRANSPORT_SSH };

struct rpc_uri {
	enum rpc_transport transport;
	char *driver;			/* "netd", "network", "qemu"... */
	char *user, *host, *port;	/* NULL: not given */
	char *path;			/* "/system", "/session" */
	char *socket;			/* socket=, NULL: not given */
	char *command;			/* command=: what to run in ssh's place */
	char *keyfile;			/* keyfile=: ssh's identity */
	enum { RPC_MODE_AUTO, RPC_MODE_DIRECT, RPC_MODE_LEGACY } mode;
	char *name;			/* what CONNECT_OPEN says */
};

/* Accepted: a whole URI, or a path that starts with '/', which is netd's socket there. */
int rpc_uri_parse(const char *text, struct rpc_uri *out, struct nd_error *err);
void rpc_uri_fini(struct rpc_uri *u);

static inline void nd_auto_rpc_uri_fini(struct rpc_uri *u)
{
	rpc_uri_fini(u);
}

#define RPC_NETD_SOCKET "/run/netd/netd-sock"

/*
 * The socket's path on the host that has it; the caller frees it. Where libvirt's client library
 * has a choice, exists() says what is there (NULL: nothing is known, as on another host).
 * NULL when memory ran out.
 */
char *rpc_uri_socket(const struct rpc_uri *u, bool read_only, bool (*exists)(const char *path));
