/* SPDX-License-Identifier: GPL-2.0-or-later */
/* net-event and event: what happens to networks and to guests. */
#include "netd/base/auto.h"
#include "netd/base/str.h"
#include "netd/ctl/domain.h"
#include "netd/ctl/verbs.h"
#include "netd/ctl/watch.h"

static const char *name_of(const char *const *names, size_t n, int value)
{
	return value >= 0 && (size_t)value < n && names[value] ? names[value] : "unknown";
}

/* ---- networks ---- */

static void net_lifecycle(struct watch *w, const struct watch_kind *kind, const uint8_t *payload,
			  size_t len)
{
	static const char *const names[] = { "Defined", "Undefined", "Started", "Stopped" };
	lv_network_lifecycle_event e = { 0 };
	const char *what;
	char words[32];

	if (!rpc_payload_decode(payload, len, CALL_XDR(lv_network_lifecycle_event), &e))
		return;
	what = name_of(names, ND_COUNT(names), e.event);
	snprintf(words, sizeof(words), ": %s", what);
	watch_report(w, kind, e.callback_id, e.net.name, e.net.uuid, words,
		     json_pack("{ss}", "detail", what));
	xdr_free(CALL_XDR(lv_network_lifecycle_event), &e);
}

static void net_metadata(struct watch *w, const struct watch_kind *kind, const uint8_t *payload,
			 size_t len)
{
	lv_network_metadata_event e = { 0 };

	if (!rpc_payload_decode(payload, len, CALL_XDR(lv_network_metadata_event), &e))
		return;
	watch_report_metadata(w, kind, e.callback_id, e.net.name, e.net.uuid, e.type,
			      e.nsuri ? *e.nsuri : NULL);
	xdr_free(CALL_XDR(lv_network_metadata_event), &e);
}

static int net_add(struct ctl *ctl, int event_id, const void *net, int *id_out, struct nd_error *err)
{
	lv_network_event_register_any_args args = { .event_id = event_id, .net = (lv_net *)net };
	lv_int_ret ret = { 0 };
	int r = call_lv(ctl, LV_PROC_CONNECT_NETWORK_EVENT_REGISTER_ANY,
			CALL_XDR(lv_network_event_register_any_args), &args, CALL_XDR(lv_int_ret), &ret,
			err);

	if (r == 0)
		*id_out = ret.value;
	return r;
}

static const struct watch_kind net_kinds[] = {
	{ "lifecycle", 0, LV_PROC_NETWORK_EVENT_LIFECYCLE, net_lifecycle },
	{ "metadata-change", 1, LV_PROC_NETWORK_EVENT_CALLBACK_METADATA_CHANGE, net_metadata },
};

static int run_net_event(struct ctl *ctl, const struct verb_args *args, struct nd_error *err)
{
	static const struct watch_family family = {
		.noun = "network", .before = "network ", .after = "",
		.kinds = net_kinds, .n_kinds = ND_COUNT(net_kinds), .add = net_add,
		.remove_proc = LV_PROC_CONNECT_NETWORK_EVENT_DEREGISTER_ANY,
		.nothing = "either --list or --event <type> is required",
	};
	const char *network = arg_string(args, "network");
	ND_AUTO(net_fini) lv_net net = { 0 };
	int r;

	if (watch_list(&family, args, &r))
		return r;
	if (network && net_find(ctl, network, &net, err) < 0)
		return -1;
	return watch_run(ctl, args, &family, network ? &net : NULL, err);
}

/* ---- guests ---- */

/* virDomainEventType, and of each its details; the longest has nine */
struct lifecycle_name {
	const char *name, *details[9];
};

static const struct lifecycle_name lifecycle_names[] = {
	{ "Defined", { "Added", "Updated", "Renamed", "Snapshot" } },
	{ "Undefined", { "Removed", "Renamed" } },
	{ "Started", { "Booted", "Migrated", "Restored", "Snapshot", "Event wakeup" } },
	{ "Suspended", { "Paused", "Migrated", "I/O Error", "Watchdog", "Restored", "Snapshot",
			 "API error", "Post-copy", "Post-copy Error" } },
	{ "Resumed", { "Unpaused", "Migrated", "Snapshot", "Post-copy" } },
	{ "Stopped", { "Shutdown", "Destroyed", "Crashed", "Migrated", "Saved", "Failed", "Snapshot" } },
	{ "Shutdown", { "Finished", "Finished after guest request", "Finished after host request" } },
	{ "PMSuspended", { "Memory", "Disk" } },
	{ "Crashed", { "Panicked", "Crashloaded" } },
};

static void dom_lifecycle(struct watch *w, const struct watch_kind *kind, const uint8_t *payload,
			  size_t len)
{
	static const struct lifecycle_name unknown = { "unknown", { NULL } };
	const struct lifecycle_name *of = &unknown;
	lv_domain_lifecycle_event e = { 0 };
	const char *detail;
	char words[64];

	if (!rpc_payload_decode(payload, len, CALL_XDR(lv_domain_lifecycle_event), &e))
		return;
	if (e.event >= 0 && (size_t)e.event < ND_COUNT(lifecycle_names))
		of = &lifecycle_names[e.event];
	detail = name_of(of->details, ND_COUNT(of->details), e.detail);
	snprintf(words, sizeof(words), ": %s %s", of->name, detail);
	watch_report(w, kind, e.callback_id, e.dom.name, e.dom.uuid, words,
		     json_pack("{ss, ss}", "what", of->name, "detail", detail));
	xdr_free(CALL_XDR(lv_domain_lifecycle_event), &e);
}

static void dom_reboot(struct watch *w, const struct watch_kind *kind, const uint8_t *payload,
		       size_t len)
{
	lv_domain_reboot_event e = { 0 };

	if (!rpc_payload_decode(payload, len, CALL_XDR(lv_domain_reboot_event), &e))
		return;
	watch_report(w, kind, e.callback_id, e.dom.name, e.dom.uuid, "", json_object());
	xdr_free(CALL_XDR(lv_domain_reboot_event), &e);
}

static void dom_device_event(struct watch *w, const struct watch_kind *kind, const uint8_t *payload,
			     size_t len)
{
	ND_AUTO(nd_str_free) struct nd_str words = { 0 };
	lv_domain_device_event e = { 0 };

	if (!rpc_payload_decode(payload, len, CALL_XDR(lv_domain_device_event), &e))
		return;
	nd_str_addf(&words, ": %s", e.alias);
	watch_report(w, kind, e.callback_id, e.dom.name, e.dom.uuid,
		     words.failed ? ": out of memory" : words.text,
		     json_pack("{so}", "device", ctl_json_string(e.alias)));
	xdr_free(CALL_XDR(lv_domain_device_event), &e);
}

static void dom_metadata(struct watch *w, const struct watch_kind *kind, const uint8_t *payload,
			 size_t len)
{
	lv_domain_metadata_event e = { 0 };

	if (!rpc_payload_decode(payload, len, CALL_XDR(lv_domain_metadata_event), &e))
		return;
	watch_report_metadata(w, kind, e.callback_id, e.dom.name, e.dom.uuid, e.type,
			      e.nsuri ? *e.nsuri : NULL);
	xdr_free(CALL_XDR(lv_domain_metadata_event), &e);
}

/* Those that netd has; libvirt's other kinds are of what its guests never do. */
static const struct watch_kind dom_kinds[] = {
	{ "lifecycle", 0, LV_PROC_DOMAIN_EVENT_CALLBACK_LIFECYCLE, dom_lifecycle },
	{ "reboot", 1, LV_PROC_DOMAIN_EVENT_CALLBACK_REBOOT, dom_reboot },
	{ "device-removed", 15, LV_PROC_DOMAIN_EVENT_CALLBACK_DEVICE_REMOVED, dom_device_event },
	{ "device-added", 19, LV_PROC_DOMAIN_EVENT_CALLBACK_DEVICE_ADDED, dom_device_event },
	{ "metadata-change", 23, LV_PROC_DOMAIN_EVENT_CALLBACK_METADATA_CHANGE, dom_metadata },
};

static int run_event(struct ctl *ctl, const struct verb_args *args, struct nd_error *err)
{
	static const struct watch_family family = {
		.noun = "domain", .before = "domain '", .after = "'",
		.kinds = dom_kinds, .n_kinds = ND_COUNT(dom_kinds), .add = dom_watch,
		.remove_proc = LV_PROC_CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY,
		.nothing = "one of --list, --all, or --event <type> is required",
	};
	const char *domain = arg_string(args, "domain");
	bool all = arg_flag(args, "all"), event = arg_flag(args, "event");
	ND_AUTO(dom_fini) lv_dom dom = { 0 };
	int r;

	if (all && event)
		return ctl_error("Options --all and --event are mutually exclusive");
	if (arg_flag(args, "list") && (all || event))
		return ctl_error("Options --list and --%s are mutually exclusive", all ? "all" : "event");
	if (watch_list(&family, args, &r))
		return r;
	if (domain && dom_find(ctl, domain, DOM_BY_ANY, &dom, err) < 0)
		return -1;
	return watch_run(ctl, args, &family, domain ? &dom : NULL, err);
}

static const struct arg_row net_event_rows[] = {
	{ "network", ARG_NAMED, "filter by network name or uuid", VALUES_NETWORK },
	ARG_WATCH(VALUES_EVENT),
};
static const struct arg_row event_rows[] = {
	{ "domain", ARG_NAMED, "filter by guest's name, id or uuid", VALUES_DOMAIN },
	ARG_WATCH(VALUES_DOMAIN_EVENT),
};

static const struct verb verbs[] = {
	{ "event", "Guests' Events", "List event types, or wait for guests' events to occur", run_event,
	  VERB_ROWS(event_rows) },
	{ "net-event", "Network Events",
	  "List event types, or wait for network events to occur", run_net_event,
	  VERB_ROWS(net_event_rows) },
};

const struct verb_group event_verbs = VERB_GROUP("Events", "events", verbs);
