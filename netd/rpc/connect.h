/* SPDX-License-Identifier: GPL-2.0-or-later */
/* connect.h -- the byte stream to a daemon: a unix socket, or a process that carries it */
#pragma once
#include <stdbool.h>
#include <sys/types.h>

#include "netd/base/error.h"
#include "netd/rpc/uri.h"

struct rpc_connection {
	int fd;			/* -1: none */
	pid_t carrier;		/* ssh, 0: none */
};

int rpc_connect(const struct rpc_uri *uri, bool read_only, struct rpc_connection *out,
		struct nd_error *err);
/* Also waits for the carrier's end. */
void rpc_connection_close(struct rpc_connection *c);
