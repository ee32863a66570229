/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/ctl/watch.h"

#include <stdlib.h>
#include <time.h>

#include "netd/base/auto.h"
#include "netd/base/str.h"

#define KINDS_MAX 8

struct watch {
	struct ctl *ctl;
	const struct watch_family *family;
	bool json, timestamp, loop;
	bool wanted[KINDS_MAX];		/* by kind */
	int ids[KINDS_MAX];		/* of registrations, -1: none */
	unsigned n_events;
};

static void print_timestamp(void)
{
	struct timespec now;
	char text[64];
	struct tm tm;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
	printf("%s.%03ld+0000: ", text, now.tv_nsec / 1000000);
}

static void report_json(const struct watch *w, const char *event, const char *name,
			const lv_uuid uuid, json_t *details)
{
	json_t *doc = json_pack("{ss, so, ss}", "event", event, w->family->noun,
				ctl_json_string(name), "uuid", uuid_text(uuid).text);

	if (doc && json_object_update(doc, details) == 0)
		json_dumpf(doc, stdout, JSON_COMPACT);
	json_decref(doc);
	printf("\n");
}

static void report(struct watch *w, const struct watch_kind *kind, const char *name,
		   const lv_uuid uuid, const char *words, json_t *details)
{
	if (w->n_events && !w->loop)
		return;			/* came together with the one that was waited for */
	w->n_events++;
	if (w->json) {
		report_json(w, kind->name, name, uuid, details);
	} else {
		if (w->timestamp)
			print_timestamp();
		printf("event '%s' for %s%s%s%s\n", kind->name, w->family->before, name,
		       w->family->after, words);
	}
	fflush(stdout);
}

void watch_report(struct watch *w, const struct watch_kind *kind, int callback_id, const char *name,
		  const lv_uuid uuid, const char *words, json_t *details)
{
	if (callback_id == w->ids[kind - w->family->kinds])
		report(w, kind, name, uuid, words, details);
	json_decref(details);
}

void watch_report_metadata(struct watch *w, const struct watch_kind *kind, int callback_id,
			   const char *name, const lv_uuid uuid, int type, const char *uri)
{
	static const char *const types[] = { "description", "title", "element" };
	const char *what = type >= 0 && (size_t)type < ND_COUNT(types) ? types[type] : "unknown";
	ND_AUTO(nd_str_free) struct nd_str words = { 0 };

	nd_str_addf(&words, ": type %s, uri %s", what, uri ? uri : "N/A");
	watch_report(w, kind, callback_id, name, uuid, words.failed ? ": out of memory" : words.text,
		     json_pack("{ss, so}", "type", what, "uri", ctl_json_string(uri)));
}

static void on_event(void *arg, uint32_t program, int32_t proc, const uint8_t *payload, size_t len)
{
	struct watch *w = arg;

	for (size_t i = 0; program == LV_PROGRAM && i < w->family->n_kinds; i++)
		if (w->family->kinds[i].proc == proc)
			w->family->kinds[i].take(w, &w->family->kinds[i], payload, len);
}

static int watch_register(struct watch *w, const void *object, struct nd_error *err)
{
	for (size_t i = 0; i < w->family->n_kinds; i++)
		if (w->wanted[i] && w->family->add(w->ctl, w->family->kinds[i].event_id, object,
						   &w->ids[i], err) < 0)
			return -1;
	return 0;
}

static void watch_deregister(struct watch *w)
{
	struct nd_error ignored = { 0 };

	for (size_t i = 0; i < w->family->n_kinds; i++) {
		lv_callback_args args = { .callback_id = w->ids[i] };

		if (w->ids[i] >= 0 && rpc_client_is_alive(w->ctl->client))
			/* The registration also ends with the connection. */
			(void)call_lv(w->ctl, w->family->remove_proc, CALL_XDR(lv_callback_args), &args,
				      NULL, NULL, &ignored);
	}
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Until an event (without loop), the deadline (-1: none) or a signal. */
static int watch_wait(struct watch *w, int64_t deadline_ms, struct nd_error *err)
{
	while (w->loop || w->n_events == 0) {
		int64_t left = deadline_ms - now_ms();
		int r;

		if (ctl_interrupted) {
			printf("%s", w->json ? "" : "event loop interrupted\n");
			return 0;
		}
		if (deadline_ms >= 0 && left <= 0) {
			printf("%s", w->json ? "" : "event loop timed out\n");
			return 0;
		}
		r = rpc_client_wait(w->ctl->client, deadline_ms < 0 ? -1 : (int)left, err);
		if (r < 0 && !ctl_interrupted)
			return -1;
	}
	return 0;
}

static int watch_all(struct watch *w, const void *object, int64_t timeout_s, struct nd_error *err)
{
	int r;

	ctl_interrupt_begin();
	rpc_client_set_events(w->ctl->client, on_event, w);
	r = watch_register(w, object, err);
	if (r == 0)
		r = watch_wait(w, timeout_s ? now_ms() + timeout_s * 1000 : -1, err);
	watch_deregister(w);
	rpc_client_set_events(w->ctl->client, NULL, NULL);
	ctl_interrupt_end();
	return r;
}

bool watch_list(const struct watch_family *family, const struct verb_args *args, int *result_out)
{
	json_t *doc;

	if (!arg_flag(args, "list"))
		return false;
	doc = json_array();
	for (size_t i = 0; i < family->n_kinds; i++) {
		json_array_append_new(doc, json_string(family->kinds[i].name));
		if (!arg_flag(args, "json"))
			printf("%s\n", family->kinds[i].name);
	}
	*result_out = 0;
	if (arg_flag(args, "json"))
		*result_out = ctl_print_json(doc);
	else
		json_decref(doc);
	return true;
}

static int wanted_parse(struct watch *w, const char *event, bool all)
{
	bool known = all;

	for (size_t i = 0; i < w->family->n_kinds; i++) {
		w->wanted[i] = all || nd_streq(w->family->kinds[i].name, event);
		known |= w->wanted[i];
		w->ids[i] = -1;
	}
	return known ? 0 : ctl_error("unknown event type %s", event);
}

int watch_run(struct ctl *ctl, const struct verb_args *args, const struct watch_family *family,
	      const void *object, struct nd_error *err)
{
	const char *event = arg_string(args, "event");
	struct watch w = {
		.ctl = ctl, .family = family, .json = arg_flag(args, "json"),
		.loop = arg_flag(args, "loop"), .timestamp = arg_flag(args, "timestamp"),
	};
	int64_t timeout_s = 0;

	if (!event && !arg_flag(args, "all"))
		return ctl_error("%s", family->nothing);
	if (wanted_parse(&w, event ? event : "", arg_flag(args, "all")) < 0)
		return -1;
	if (arg_number(args, "timeout", &timeout_s) && (timeout_s < 1 || timeout_s > 1000000000))
		return ctl_error("Numeric value '%s' for <timeout> option is malformed or out of "
				 "range", arg_string(args, "timeout"));
	if (watch_all(&w, object, timeout_s, err) < 0)
		return -1;
	if (!w.json)
		printf("events received: %u\n", w.n_events);
	return w.n_events ? 0 : -1;
}
