/* SPDX-License-Identifier: GPL-2.0-or-later */
/* domain.h -- a guest as the verbs find it, and what several of them ask of it */
#pragma once
#include "netd/ctl/calls.h"

void dom_fini(lv_dom *dom);

static inline void nd_auto_dom_fini(lv_dom *dom)
{
	dom_fini(dom);
}

/* What the user's word for a guest may be. */
enum { DOM_BY_ID = 1, DOM_BY_UUID = 2, DOM_BY_NAME = 4, DOM_BY_ANY = 7 };

/* Tries the ways in this order. Prints line one of the failure; there is no other. */
int dom_find(struct ctl *ctl, const char *what, unsigned ways, lv_dom *out, struct nd_error *err);

/* Calls whose only argument is a guest: without result, with an int, with a string (which the
 * caller frees). */
int dom_call(struct ctl *ctl, int32_t proc, const lv_dom *dom, struct nd_error *err);
int dom_call_int(struct ctl *ctl, int32_t proc, const lv_dom *dom, int *out, struct nd_error *err);
int dom_call_string(struct ctl *ctl, int32_t proc, const lv_dom *dom, char **out,
		    struct nd_error *err);
/* VIR_DOMAIN_XML_* */
enum { DOM_XML_SECURE = 1, DOM_XML_INACTIVE = 2, DOM_XML_UPDATE_CPU = 4, DOM_XML_MIGRATABLE = 8 };
int dom_xml(struct ctl *ctl, const lv_dom *dom, unsigned flags, char **out, struct nd_error *err);

/* A call with a device's document: attach, detach or update, with flags (AFFECT_*). */
int dom_device(struct ctl *ctl, int32_t proc, const lv_dom *dom, const char *xml, unsigned flags,
	       struct nd_error *err);

/* VIR_DOMAIN_* states */
enum { DOM_STATE_RUNNING = 1, DOM_STATE_SHUT_OFF = 5 };
int dom_state(struct ctl *ctl, const lv_dom *dom, int *state_out, int *reason_out,
	      struct nd_error *err);
/* As virsh says them. */
const char *dom_state_name(int state);
const char *dom_reason_name(int state, int reason);

/* Registers for an event (VIR_DOMAIN_EVENT_ID_*) of a guest, const lv_dom *, or with NULL of all. */
int dom_watch(struct ctl *ctl, int event_id, const void *dom, int *id_out, struct nd_error *err);
enum { DOM_EVENT_LIFECYCLE = 0 };

/* VIR_DOMAIN_START_* */
enum { DOM_START_PAUSED = 1, DOM_START_BYPASS_CACHE = 4, DOM_START_FORCE_BOOT = 8, DOM_START_VALIDATE = 16 };

/* Guests that pass the filter (0: all): those that run by number, then the others by name. */
enum {
	DOM_LIST_ACTIVE = 1, DOM_LIST_INACTIVE = 2, DOM_LIST_PERSISTENT = 4, DOM_LIST_TRANSIENT = 8,
	DOM_LIST_RUNNING = 16, DOM_LIST_PAUSED = 32, DOM_LIST_SHUT_OFF = 64, DOM_LIST_OTHER = 128,
	DOM_LIST_AUTOSTART = 1024, DOM_LIST_NO_AUTOSTART = 2048,
};
int dom_list(struct ctl *ctl, unsigned flags, lv_list_all_domains_ret *out, struct nd_error *err);

#define ARG_DOMAIN(what) { "domain", ARG_REQUIRED, "guest's name, id or uuid", what }
