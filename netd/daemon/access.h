/* SPDX-License-Identifier: GPL-2.0-or-later */
/* access.h -- who may do what
 *
 * Two ways, by `access` of netd.conf: the socket's group, for all calls alike; or polkit, once when
 * a client connects and once for each call. Root may do everything. A daemon of root that speaks
 * for a user (CONNECT_SET_IDENTITY) is judged as that user from then on.
 *
 * polkit's actions have libvirt's names behind a prefix of netd.conf: PREFIX.unix.monitor and
 * PREFIX.unix.manage for the two sockets, PREFIX.api.OBJECT.PERMISSION for calls.
 */
#pragma once
#include "netd/daemon/netd.h"

struct access;

int access_new(struct netd *d, struct access **out, struct nd_error *err);
void access_free(struct access *a);		/* NULL is fine */

/* For struct rpc_server_options; context is the struct netd. */
bool access_needs_auth(void *context, struct rpc_session *s);
int access_authorize(void *context, struct rpc_call *call, const struct rpc_method *m, void *args,
		     struct nd_error *err);
void access_session_closed(struct netd *d, struct rpc_session *s);

/* AUTH_POLKIT: RPC_PENDING, and the call is answered later; or negative with err. */
int access_authenticate(struct netd *d, struct rpc_call *call, struct nd_error *err);

/* For whom a daemon speaks. */
struct access_identity {
	uid_t uid;			/* (uid_t)-1: not said */
	gid_t gid;
	pid_t pid;			/* 0: not said */
	uint64_t start_time;
	char user[64];			/* for messages; "": not said */
};

/* Whether the session's peer, a daemon of root, has said for whom it speaks: what the kernel says of
 * the peer is then not who asks. */
bool access_speaks_for_another(struct rpc_session *s);
/* Only a peer that is root, or netd's own user, may say so; it may say it again. */
int access_set_identity(struct netd *d, struct rpc_session *s, const struct access_identity *who,
			struct nd_error *err);
