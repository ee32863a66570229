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

/* Of guests: libvirt's numbers. */
enum { DOM_EVENT_LIFECYCLE = 0, DOM_EVENT_REBOOT = 1, DOM_EVENT_DEVICE_REMOVED = 15,
       DOM_EVENT_DEVICE_ADDED = 19, DOM_EVENT_METADATA = 23, DOM_EVENT_IDS = 27 };
enum domain_event { DOM_DEFINED = 0, DOM_UNDEFINED = 1, DOM_STARTED = 2, DOM_SUSPENDED = 3,
		    DOM_RESUMED = 4, DOM_STOPPED = 5, DOM_SHUTDOWN = 6, DOM_CRASHED = 8 };
enum { DOM_STOPPED_SHUTDOWN = 0, DOM_STOPPED_DESTROYED = 1, DOM_STOPPED_CRASHED = 2,
       DOM_STOPPED_FAILED = 5, DOM_SHUTDOWN_FINISHED = 0, DOM_SHUTDOWN_GUEST = 1,
       DOM_SHUTDOWN_HOST = 2 };

struct guest;
struct events;

struct events *events_new(void);	/* NULL: out of memory */
void events_free(struct events *e);
ND_DEFINE_AUTO(struct events *, events_free)

/* net NULL: all networks. The registration's number, unique over all connections, or -errno. */
int events_register(struct events *e, struct rpc_session *session, int event_id,
		    const struct nd_uuid *net, struct nd_error *err);
int events_deregister(struct events *e, struct rpc_session *session, int callback_id,
		      struct nd_error *err);
/* The same for events of guests; those that netd never sends may be registered for as well. */
int events_register_domain(struct events *e, struct rpc_session *session, int event_id,
			   const struct nd_uuid *guest, struct nd_error *err);
int events_deregister_domain(struct events *e, struct rpc_session *session, int callback_id,
			     struct nd_error *err);
void events_session_closed(struct events *e, struct rpc_session *session);

void events_lifecycle(struct events *e, const struct network *net, enum lifecycle_event what);
/* type: 0 description, 1 title, 2 element (of namespace uri; NULL otherwise). */
void events_metadata(struct events *e, const struct network *net, int type, const char *uri);

void events_domain_lifecycle(struct events *e, const struct guest *g, enum domain_event what,
			     int detail);
void events_domain_reboot(struct events *e, const struct guest *g);
/* event_id: DOM_EVENT_DEVICE_ADDED or _REMOVED. */
void events_domain_device(struct events *e, const struct guest *g, int event_id, const char *alias);
void events_domain_metadata(struct events *e, const struct guest *g, int type, const char *uri);
