/* SPDX-License-Identifier: GPL-2.0-or-later */
/* serve_sockets.h -- the sockets that a server is given, since it can make none of them itself
 *
 * All belong to the one bridge: the packet socket is bound to it, each DNS socket takes only
 * what arrives by it, or comes from this host itself (by lo).
 */
#pragma once
#include "netd/base/auto.h"
#include "netd/base/error.h"
#include "netd/serve/channel.h"
#include "netd/serve/config.h"
#include "netd/serve/message.h"

/* In the order that START wants. */
struct serve_sockets {
	struct serve_start head;
	int fds[CHANNEL_FDS_MAX];
	size_t n;
};

/*
 * Opens what the configuration asks for. run_dir: where UUID.sock, by which a later netd finds
 * the server, is made anew. On failure nothing stays open, and no UUID.sock.
 */
int serve_sockets_open(const struct serve_config *c, const char *run_dir, struct serve_sockets *out,
		       struct nd_error *err);
void serve_sockets_close(struct serve_sockets *s);

static inline void nd_auto_serve_sockets_close(struct serve_sockets *s)
{
	serve_sockets_close(s);
}

/* Connects to UUID.sock in run_dir. The descriptor, or -errno: -ENOENT, -ECONNREFUSED when no
 * server is there. */
int serve_sockets_connect(const char *run_dir, const struct nd_uuid *uuid);
/* Removes UUID.sock; nothing there is fine. */
void serve_sockets_unlink(const char *run_dir, const struct nd_uuid *uuid);
