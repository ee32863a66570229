/* SPDX-License-Identifier: GPL-2.0-or-later */
/* events.h -- what clients registered for, and telling them */
#pragma once
#include <stdbool.h>

#include "netd/base/addr.h"
#include "netd/base/auto.h"
#include "netd/base/error.h"
#include "netd/daemon/network.h"
#include "netd/rpc/server.h"

enum { EVENT_LIFECYCLE = 0, EVENT_METADATA = 1, EVENT_IDS };
enum lifecycle_event { NET_DEFINED = 0, NET_UNDEFINED = 1, NET_STARTED = 2, NET_STOPPED = 3 };

struct events;

struct events *events_new(void);	/* NULL: out of memory */
void events_free(struct events *e);
ND_DEFINE_AUTO(struct events *, events_free)

/* net NULL: all networks. The registration's number, unique over all connections, or -errno. */
int events_register(struct events *e, struct rpc_session *session, int event_id,
		    const struct nd_uuid *net, struct nd_error *err);
int events_deregister(struct events *e, struct rpc_session *session, int callback_id,
		      struct nd_error *err);
/* A number as of a registration, for events that never come. */
int events_take_id(struct events *e);
void events_session_closed(struct events *e, struct rpc_session *session);

void events_lifecycle(struct events *e, const struct network *net, enum lifecycle_event what);
/* type: 0 description, 1 title, 2 element (of namespace uri; NULL otherwise). */
void events_metadata(struct events *e, const struct network *net, int type, const char *uri);
