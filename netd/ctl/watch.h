/* SPDX-License-Identifier: GPL-2.0-or-later */
/* watch.h -- events as they come, printed until there are enough: what net-event and event share */
#pragma once
#include "netd/ctl/calls.h"

struct watch;
struct watch_kind;

/* Decodes a message, and reports it. */
typedef void (*watch_take)(struct watch *w, const struct watch_kind *kind, const uint8_t *payload,
			   size_t len);

/* One kind of event that can be waited for. */
struct watch_kind {
	const char *name;
	int event_id;			/* at its registration */
	int32_t proc;			/* of its messages */
	watch_take take;
};

/* The events of one sort of object. */
struct watch_family {
	const char *noun, *before, *after;	/* "domain"; its name stands between "domain '", "'" */
	const struct watch_kind *kinds;
	size_t n_kinds;
	/* Registers for an event of the object, NULL: of all. */
	int (*add)(struct ctl *ctl, int event_id, const void *object, int *id_out, struct nd_error *err);
	int32_t remove_proc;
	const char *nothing;		/* what is said when no event was asked for */
};

/* One that came. `words` follow the object's name, details are the JSON members in their place
 * (taken). One that is not of this registration is dropped. */
void watch_report(struct watch *w, const struct watch_kind *kind, int callback_id, const char *name,
		  const lv_uuid uuid, const char *words, json_t *details);
/* The words and members of a change of metadata. */
void watch_report_metadata(struct watch *w, const struct watch_kind *kind, int callback_id,
			   const char *name, const lv_uuid uuid, int type, const char *uri);

/* Whether the arguments ask for the list of kinds only; prints it then. */
bool watch_list(const struct watch_family *family, const struct verb_args *args, int *result_out);
/* Runs by the options of ARG_WATCH; object as for add(). Fails when no event came. */
int watch_run(struct ctl *ctl, const struct verb_args *args, const struct watch_family *family,
	      const void *object, struct nd_error *err);

#define ARG_WATCH(values_) \
	{ "event", ARG_NAMED, "which event type to wait for", values_ }, \
	{ "all", ARG_FLAG, "wait for all event types" }, \
	{ "loop", ARG_FLAG, "loop until timeout or interrupt, rather than one-shot" }, \
	{ "timeout", ARG_NAMED, "timeout seconds", .number = true }, \
	{ "list", ARG_FLAG, "list valid event types" }, \
	{ "timestamp", ARG_FLAG, "show timestamp for each printed event" }, \
	{ "json", ARG_FLAG, "print one JSON object per line" }
