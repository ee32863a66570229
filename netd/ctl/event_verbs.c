/* SPDX-License-Identifier: GPL-2.0-or-later */
/* net-event: registers for events, prints them as they come. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "netd/base/auto.h"
#include "netd/ctl/calls.h"
#include "netd/ctl/verbs.h"

enum event_kind { EVENT_LIFECYCLE = 0, EVENT_METADATA = 1, EVENT_KINDS };

static const char *const event_names[EVENT_KINDS] = {
	[EVENT_LIFECYCLE] = "lifecycle", [EVENT_METADATA] = "metadata-change",
};

struct watch {
	struct ctl *ctl;
	bool json, timestamp, loop;
	bool wanted[EVENT_KINDS];
	int ids[EVENT_KINDS];		/* of registrations, -1: none */
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

static void report(struct watch *w, enum event_kind kind, const lv_net *net, const char *what,
		   const char *uri)
{
	if (w->n_events++ && !w->loop)
		return;			/* came together with the one that was waited for */
	if (w->json) {
		json_t *doc = json_pack("{ss, so, ss, ss}", "event", event_names[kind], "network",
					ctl_json_string(net->name), "uuid",
					uuid_text(net->uuid).text,
					kind == EVENT_LIFECYCLE ? "detail" : "type", what);

		if (doc && kind == EVENT_METADATA)
			json_object_set_new(doc, "uri", ctl_json_string(uri));
		if (doc)
			json_dumpf(doc, stdout, JSON_COMPACT);
		json_decref(doc);
		printf("\n");
		fflush(stdout);
		return;
	}
	if (w->timestamp)
		print_timestamp();
	printf("event '%s' for network %s: ", event_names[kind], net->name);
	if (kind == EVENT_LIFECYCLE)
		printf("%s\n", what);
	else
		printf("type %s, uri %s\n", what, uri ? uri : "N/A");
	fflush(stdout);
}

static const char *name_of(const char *const *names, size_t n, int value)
{
	return value >= 0 && (size_t)value < n ? names[value] : "unknown";
}

static void on_lifecycle(struct watch *w, const uint8_t *payload, size_t len)
{
	static const char *const names[] = { "Defined", "Undefined", "Started", "Stopped" };
	lv_network_lifecycle_event e = { 0 };

	if (!rpc_payload_decode(payload, len, CALL_XDR(lv_network_lifecycle_event), &e))
		return;
	if (e.callback_id == w->ids[EVENT_LIFECYCLE])
		report(w, EVENT_LIFECYCLE, &e.net, name_of(names, ND_COUNT(names), e.event), NULL);
	xdr_free(CALL_XDR(lv_network_lifecycle_event), &e);
}

static void on_metadata(struct watch *w, const uint8_t *payload, size_t len)
{
	static const char *const names[] = { "description", "title", "element" };
	lv_network_metadata_event e = { 0 };

	if (!rpc_payload_decode(payload, len, CALL_XDR(lv_network_metadata_event), &e))
		return;
	if (e.callback_id == w->ids[EVENT_METADATA])
		report(w, EVENT_METADATA, &e.net, name_of(names, ND_COUNT(names), e.type),
		       e.nsuri ? *e.nsuri : NULL);
	xdr_free(CALL_XDR(lv_network_metadata_event), &e);
}

static void on_event(void *arg, uint32_t program, int32_t proc, const uint8_t *payload, size_t len)
{
	if (program != LV_PROGRAM)
		return;
	if (proc == LV_PROC_NETWORK_EVENT_LIFECYCLE)
		on_lifecycle(arg, payload, len);
	else if (proc == LV_PROC_NETWORK_EVENT_CALLBACK_METADATA_CHANGE)
		on_metadata(arg, payload, len);
}

static int watch_register(struct watch *w, lv_net *net, struct nd_error *err)
{
	for (int kind = 0; kind < EVENT_KINDS; kind++) {
		lv_network_event_register_any_args args = { .event_id = kind, .net = net };
		lv_int_ret ret = { 0 };

		if (!w->wanted[kind])
			continue;
		if (call_lv(w->ctl, LV_PROC_CONNECT_NETWORK_EVENT_REGISTER_ANY,
			    CALL_XDR(lv_network_event_register_any_args), &args,
			    CALL_XDR(lv_int_ret), &ret, err) < 0)
			return -1;
		w->ids[kind] = ret.value;
	}
	return 0;
}

static void watch_deregister(struct watch *w)
{
	struct nd_error ignored = { 0 };

	for (int kind = 0; kind < EVENT_KINDS; kind++) {
		lv_callback_args args = { .callback_id = w->ids[kind] };

		if (w->ids[kind] >= 0 && rpc_client_is_alive(w->ctl->client))
			/* The registration also ends with the connection. */
			(void)call_lv(w->ctl, LV_PROC_CONNECT_NETWORK_EVENT_DEREGISTER_ANY,
				      CALL_XDR(lv_callback_args), &args, NULL, NULL, &ignored);
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

static int watch_run(struct watch *w, lv_net *net, int64_t timeout_s, struct nd_error *err)
{
	int r;

	ctl_interrupt_begin();
	rpc_client_set_events(w->ctl->client, on_event, w);
	r = watch_register(w, net, err);
	if (r == 0)
		r = watch_wait(w, timeout_s ? now_ms() + timeout_s * 1000 : -1, err);
	watch_deregister(w);
	rpc_client_set_events(w->ctl->client, NULL, NULL);
	ctl_interrupt_end();
	return r;
}

static int run_list(const struct verb_args *args)
{
	json_t *doc = json_array();

	for (int i = 0; i < EVENT_KINDS; i++) {
		json_array_append_new(doc, json_string(event_names[i]));
		if (!arg_flag(args, "json"))
			printf("%s\n", event_names[i]);
	}
	if (arg_flag(args, "json"))
		return ctl_print_json(doc);
	json_decref(doc);
	return 0;
}

static int wanted_parse(struct watch *w, const char *event, bool all)
{
	bool known = all;

	for (int i = 0; i < EVENT_KINDS; i++) {
		w->wanted[i] = all || nd_streq(event_names[i], event);
		known |= w->wanted[i];
		w->ids[i] = -1;
	}
	return known ? 0 : ctl_error("unknown event type %s", event);
}

static int run_event(struct ctl *ctl, const struct verb_args *args, struct nd_error *err)
{
	const char *event = arg_string(args, "event"), *network = arg_string(args, "network");
	struct watch w = {
		.ctl = ctl, .json = arg_flag(args, "json"), .loop = arg_flag(args, "loop"),
		.timestamp = arg_flag(args, "timestamp"),
	};
	ND_AUTO(net_fini) lv_net net = { 0 };
	int64_t timeout_s = 0;

	if (arg_flag(args, "list"))
		return run_list(args);
	if (!event && !arg_flag(args, "all"))
		return ctl_error("either --list or --event <type> is required");
	if (wanted_parse(&w, event ? event : "", arg_flag(args, "all")) < 0)
		return -1;
	if (arg_number(args, "timeout", &timeout_s) && (timeout_s < 1 || timeout_s > 1000000000))
		return ctl_error("Numeric value '%s' for <timeout> option is malformed or out of "
				 "range", arg_string(args, "timeout"));
	if (network && net_find(ctl, network, &net, err) < 0)
		return -1;
	if (watch_run(&w, network ? &net : NULL, timeout_s, err) < 0)
		return -1;
	if (!w.json)
		printf("events received: %u\n", w.n_events);
	return w.n_events ? 0 : -1;
}

static const struct arg_row event_rows[] = {
	{ "network", ARG_NAMED, "filter by network name or uuid", VALUES_NETWORK },
	{ "event", ARG_NAMED, "which event type to wait for", VALUES_EVENT },
	{ "all", ARG_FLAG, "wait for all event types" },
	{ "loop", ARG_FLAG, "loop until timeout or interrupt, rather than one-shot" },
	{ "timeout", ARG_NAMED, "timeout seconds", .number = true },
	{ "list", ARG_FLAG, "list valid event types" },
	{ "timestamp", ARG_FLAG, "show timestamp for each printed event" },
	{ "json", ARG_FLAG, "print one JSON object per line" },
};

static const struct verb verbs[] = {
	{ "net-event", "Network Events",
	  "List event types, or wait for network events to occur", run_event,
	  VERB_ROWS(event_rows) },
};

const struct verb_group event_verbs = VERB_GROUP("Events", "event", verbs);
