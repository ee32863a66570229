/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/daemon/events.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "netd/base/array.h"
#include "netd/daemon/guest.h"
#include "netd/rpc/frame.h"
#include "netd/rpc/protocol.h"

/* What one session may have registered: more is a client gone mad. */
#define EVENTS_PER_SESSION 1024

struct registration {
	struct rpc_session *session;
	int id, event_id;
	bool of_guests, all;
	struct nd_uuid subject;		/* the network or guest */
};

struct events {
	struct registration *list;
	size_t n;
	int next_id;
};

struct events *events_new(void)
{
	return calloc(1, sizeof(struct events));
}

void events_free(struct events *e)
{
	if (!e)
		return;
	free(e->list);
	free(e);
}

/* libvirt counts these among the failures of its RPC layer. fmt takes the number. */
static int refuse(struct nd_error *err, const char *fmt, int number)
{
	char text[64];

	snprintf(text, sizeof(text), fmt, number);
	nd_error_set(err, ND_ERR_INTERNAL, "%s", text);
	err->domain = RPC_DOMAIN_RPC;
	return -EINVAL;
}

static int take_id(struct events *e)
{
	int id = e->next_id;

	e->next_id = (id + 1) & 0x7fffffff;
	return id;
}

static int add(struct events *e, struct registration *wanted, const struct nd_uuid *subject,
	       struct nd_error *err)
{
	struct registration *r;
	size_t mine = 0;

	for (size_t i = 0; i < e->n; i++)
		mine += e->list[i].session == wanted->session;
	if (mine >= EVENTS_PER_SESSION)
		return nd_error_set(err, ND_ERR_OPERATION_FAILED,
				    "this connection has registered for %d events already",
				    EVENTS_PER_SESSION);
	r = nd_array_add(e->list, e->n);
	if (!r)
		return nd_error_nomem(err);
	*r = *wanted;
	r->id = take_id(e);
	r->all = !subject;
	if (subject)
		r->subject = *subject;
	return r->id;
}

int events_register(struct events *e, struct rpc_session *session, int event_id,
		    const struct nd_uuid *net, struct nd_error *err)
{
	struct registration r = { .session = session, .event_id = event_id };

	if (event_id < 0 || event_id >= EVENT_IDS)
		return refuse(err, "unsupported network event ID %d", event_id);
	return add(e, &r, net, err);
}

int events_register_domain(struct events *e, struct rpc_session *session, int event_id,
			   const struct nd_uuid *guest, struct nd_error *err)
{
	struct registration r = { .session = session, .event_id = event_id, .of_guests = true };

	if (event_id < 0 || event_id >= DOM_EVENT_IDS)
		return refuse(err, "unsupported event ID %d", event_id);
	return add(e, &r, guest, err);
}

static bool drop(struct events *e, struct rpc_session *session, int callback_id, bool of_guests)
{
	for (size_t i = 0; i < e->n; i++) {
		const struct registration *r = &e->list[i];

		if (r->session == session && r->id == callback_id && r->of_guests == of_guests) {
			nd_array_remove(e->list, e->n, i);
			return true;
		}
	}
	return false;
}

int events_deregister(struct events *e, struct rpc_session *session, int callback_id,
		      struct nd_error *err)
{
	return drop(e, session, callback_id, false) ? 0
	       : refuse(err, "network event callback %d not registered", callback_id);
}

int events_deregister_domain(struct events *e, struct rpc_session *session, int callback_id,
			     struct nd_error *err)
{
	return drop(e, session, callback_id, true) ? 0
	       : refuse(err, "domain event callback %d not registered", callback_id);
}

void events_session_closed(struct events *e, struct rpc_session *session)
{
	for (size_t i = e->n; i-- > 0;)
		if (e->list[i].session == session)
			nd_array_remove(e->list, e->n, i);
}

/* The first registration at or after *at for the event, by index, since sending may end a
 * session and so shorten the list. */
static struct registration *next(struct events *e, bool of_guests, const struct nd_uuid *subject,
				 int event_id, size_t *at)
{
	for (; *at < e->n; (*at)++) {
		struct registration *r = &e->list[*at];

		if (r->of_guests == of_guests && r->event_id == event_id &&
		    (r->all || nd_uuid_equal(&r->subject, subject)))
			return r;
	}
	return NULL;
}

void events_lifecycle(struct events *e, const struct network *net, enum lifecycle_event what)
{
	lv_network_lifecycle_event payload = { .net.name = net->name, .event = (int)what };
	struct registration *r;

	memcpy(payload.net.uuid, net->uuid.bytes, sizeof(payload.net.uuid));
	for (size_t at = 0; (r = next(e, false, &net->uuid, EVENT_LIFECYCLE, &at)); at++) {
		payload.callback_id = r->id;
		rpc_session_send_event(r->session, LV_PROGRAM, LV_PROC_NETWORK_EVENT_LIFECYCLE,
				       (xdrproc_t)xdr_lv_network_lifecycle_event, &payload);
	}
}

void events_metadata(struct events *e, const struct network *net, int type, const char *uri)
{
	lv_str uri_text = (char *)uri;	/* only read */
	lv_network_metadata_event payload = { .net.name = net->name, .type = type,
					      .nsuri = uri ? &uri_text : NULL };
	struct registration *r;

	memcpy(payload.net.uuid, net->uuid.bytes, sizeof(payload.net.uuid));
	for (size_t at = 0; (r = next(e, false, &net->uuid, EVENT_METADATA, &at)); at++) {
		payload.callback_id = r->id;
		rpc_session_send_event(r->session, LV_PROGRAM,
				       LV_PROC_NETWORK_EVENT_CALLBACK_METADATA_CHANGE,
				       (xdrproc_t)xdr_lv_network_metadata_event, &payload);
	}
}

/* ---- guests ---- */

static lv_dom wire_of(const struct guest *g)
{
	lv_dom dom = { .name = g->name, .id = guest_id(g) };

	memcpy(dom.uuid, g->uuid.bytes, sizeof(dom.uuid));
	return dom;
}

void events_domain_lifecycle(struct events *e, const struct guest *g, enum domain_event what,
			     int detail)
{
	lv_domain_lifecycle_event payload = { .dom = wire_of(g), .event = (int)what, .detail = detail };
	struct registration *r;

	for (size_t at = 0; (r = next(e, true, &g->uuid, DOM_EVENT_LIFECYCLE, &at)); at++) {
		payload.callback_id = r->id;
		rpc_session_send_event(r->session, LV_PROGRAM, LV_PROC_DOMAIN_EVENT_CALLBACK_LIFECYCLE,
				       (xdrproc_t)xdr_lv_domain_lifecycle_event, &payload);
	}
}

void events_domain_reboot(struct events *e, const struct guest *g)
{
	lv_domain_reboot_event payload = { .dom = wire_of(g) };
	struct registration *r;

	for (size_t at = 0; (r = next(e, true, &g->uuid, DOM_EVENT_REBOOT, &at)); at++) {
		payload.callback_id = r->id;
		rpc_session_send_event(r->session, LV_PROGRAM, LV_PROC_DOMAIN_EVENT_CALLBACK_REBOOT,
				       (xdrproc_t)xdr_lv_domain_reboot_event, &payload);
	}
}

void events_domain_device(struct events *e, const struct guest *g, int event_id, const char *alias)
{
	int proc = event_id == DOM_EVENT_DEVICE_ADDED ? LV_PROC_DOMAIN_EVENT_CALLBACK_DEVICE_ADDED
						      : LV_PROC_DOMAIN_EVENT_CALLBACK_DEVICE_REMOVED;
	lv_domain_device_event payload = { .dom = wire_of(g), .alias = (char *)alias };	/* only read */
	struct registration *r;

	for (size_t at = 0; (r = next(e, true, &g->uuid, event_id, &at)); at++) {
		payload.callback_id = r->id;
		rpc_session_send_event(r->session, LV_PROGRAM, proc,
				       (xdrproc_t)xdr_lv_domain_device_event, &payload);
	}
}

void events_domain_metadata(struct events *e, const struct guest *g, int type, const char *uri)
{
	lv_str uri_text = (char *)uri;	/* only read */
	lv_domain_metadata_event payload = { .dom = wire_of(g), .type = type,
					     .nsuri = uri ? &uri_text : NULL };
	struct registration *r;

	for (size_t at = 0; (r = next(e, true, &g->uuid, DOM_EVENT_METADATA, &at)); at++) {
		payload.callback_id = r->id;
		rpc_session_send_event(r->session, LV_PROGRAM,
				       LV_PROC_DOMAIN_EVENT_CALLBACK_METADATA_CHANGE,
				       (xdrproc_t)xdr_lv_domain_metadata_event, &payload);
	}
}
