/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/ctl/domain.h"

#include <stdlib.h>
#include <string.h>

#include "netd/base/auto.h"
#include "netd/base/str.h"

void dom_fini(lv_dom *dom)
{
	xdr_free(CALL_XDR(lv_dom), dom);
}

int dom_find(struct ctl *ctl, const char *what, unsigned ways, lv_dom *out, struct nd_error *err)
{
	lv_name_args by_name = { .name = (char *)what };	/* only read */
	lv_uuid_args by_uuid;
	lv_dom_ret ret = { 0 };
	struct nd_uuid uuid;
	uint64_t id;
	int r = -1;

	if (ways & DOM_BY_ID && nd_parse_uint(what, 10, 0, INT32_MAX, &id)) {
		lv_id_args by_id = { .id = (int)id };

		r = call_lv(ctl, LV_PROC_DOMAIN_LOOKUP_BY_ID, CALL_XDR(lv_id_args), &by_id,
			    CALL_XDR(lv_dom_ret), &ret, err);
	}
	if (r < 0 && ways & DOM_BY_UUID && strlen(what) == ND_UUID_STRLEN - 1 &&
	    nd_uuid_parse(what, &uuid)) {
		memcpy(by_uuid.uuid, uuid.bytes, sizeof(by_uuid.uuid));
		r = call_lv(ctl, LV_PROC_DOMAIN_LOOKUP_BY_UUID, CALL_XDR(lv_uuid_args), &by_uuid,
			    CALL_XDR(lv_dom_ret), &ret, err);
	}
	if (r < 0 && ways & DOM_BY_NAME)
		r = call_lv(ctl, LV_PROC_DOMAIN_LOOKUP_BY_NAME, CALL_XDR(lv_name_args), &by_name,
			    CALL_XDR(lv_dom_ret), &ret, err);
	if (r < 0) {
		*err = (struct nd_error){ 0 };	/* virsh says no more either */
		return ctl_error("failed to get domain '%s'", what);
	}
	*out = ret.dom;
	return 0;
}

static int call_dom(struct ctl *ctl, int32_t proc, const lv_dom *dom, xdrproc_t ret_xdr, void *ret,
		    struct nd_error *err)
{
	lv_dom_args args = { .dom = *dom };

	return call_lv(ctl, proc, CALL_XDR(lv_dom_args), &args, ret_xdr, ret, err);
}

int dom_call(struct ctl *ctl, int32_t proc, const lv_dom *dom, struct nd_error *err)
{
	return call_dom(ctl, proc, dom, NULL, NULL, err);
}

int dom_call_int(struct ctl *ctl, int32_t proc, const lv_dom *dom, int *out, struct nd_error *err)
{
	lv_int_ret ret = { 0 };
	int r = call_dom(ctl, proc, dom, CALL_XDR(lv_int_ret), &ret, err);

	if (r == 0)
		*out = ret.value;
	return r;
}

int dom_call_string(struct ctl *ctl, int32_t proc, const lv_dom *dom, char **out,
		    struct nd_error *err)
{
	lv_str_ret ret = { 0 };
	int r = call_dom(ctl, proc, dom, CALL_XDR(lv_str_ret), &ret, err);

	if (r == 0)
		*out = ret.value;
	return r;
}

int dom_xml(struct ctl *ctl, const lv_dom *dom, unsigned flags, char **out, struct nd_error *err)
{
	lv_dom_flags_args args = { .dom = *dom, .flags = flags };
	lv_str_ret ret = { 0 };
	int r = call_lv(ctl, LV_PROC_DOMAIN_GET_XML_DESC, CALL_XDR(lv_dom_flags_args), &args,
			CALL_XDR(lv_str_ret), &ret, err);

	if (r == 0)
		*out = ret.value;
	return r;
}

int dom_device(struct ctl *ctl, int32_t proc, const lv_dom *dom, const char *xml, unsigned flags,
	       struct nd_error *err)
{
	lv_dom_xml_flags_args args = { .dom = *dom, .xml = (char *)xml, .flags = flags };

	return call_lv(ctl, proc, CALL_XDR(lv_dom_xml_flags_args), &args, NULL, NULL, err);
}

int dom_watch(struct ctl *ctl, int event_id, const void *dom, int *id_out, struct nd_error *err)
{
	lv_domain_event_register_any_args args = { .event_id = event_id, .dom = (lv_dom *)dom };
	lv_int_ret ret = { 0 };
	int r = call_lv(ctl, LV_PROC_CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY,
			CALL_XDR(lv_domain_event_register_any_args), &args, CALL_XDR(lv_int_ret), &ret,
			err);

	if (r == 0)
		*id_out = ret.value;
	return r;
}

int dom_state(struct ctl *ctl, const lv_dom *dom, int *state_out, int *reason_out,
	      struct nd_error *err)
{
	lv_dom_flags_args args = { .dom = *dom };
	lv_domain_get_state_ret ret = { 0 };
	int r = call_lv(ctl, LV_PROC_DOMAIN_GET_STATE, CALL_XDR(lv_dom_flags_args), &args,
			CALL_XDR(lv_domain_get_state_ret), &ret, err);

	if (r < 0)
		return r;
	*state_out = ret.state;
	if (reason_out)
		*reason_out = ret.reason;
	return 0;
}

static const char *const state_names[] = { "no state", "running", "idle", "paused", "in shutdown",
					   "shut off", "crashed", "pmsuspended" };

/* virDomainRunningReason and its kind, by state; those that no row has are "unknown". */
static const char *const reason_names[ND_COUNT(state_names)][11] = {
	[1] = { "unknown", "booted", "migrated", "restored", "from snapshot", "unpaused",
		"migration canceled", "save canceled", "event wakeup", "crashed", "post-copy" },
	[3] = { "unknown", "user", "migrating", "saving", "dumping", "I/O error", "watchdog",
		"from snapshot", "shutting down", "creating snapshot", "crashed" },
	[4] = { "unknown", "user" },
	[5] = { "unknown", "shutdown", "destroyed", "crashed", "migrated", "saved", "failed",
		"from snapshot", "daemon" },
	[6] = { "unknown", "panicked" },
};

const char *dom_state_name(int state)
{
	return state >= 0 && (size_t)state < ND_COUNT(state_names) ? state_names[state] : "no state";
}

const char *dom_reason_name(int state, int reason)
{
	const char *name = NULL;

	if (state >= 0 && (size_t)state < ND_COUNT(state_names) && reason >= 0 &&
	    (size_t)reason < ND_COUNT(reason_names[0]))
		name = reason_names[state][reason];
	return name ? name : "unknown";
}

/* Those that run by number, then the others by name. */
static int in_order(const void *a, const void *b)
{
	const lv_dom *x = a, *y = b;

	if ((x->id < 0) != (y->id < 0))
		return x->id < 0 ? 1 : -1;
	if (x->id >= 0)
		return (x->id > y->id) - (x->id < y->id);
	return strcasecmp(x->name, y->name);
}

int dom_list(struct ctl *ctl, unsigned flags, lv_list_all_domains_ret *out, struct nd_error *err)
{
	lv_list_all_args ask = { .need_results = 1, .flags = flags };
	int r;

	*out = (lv_list_all_domains_ret){ 0 };
	r = call_lv(ctl, LV_PROC_CONNECT_LIST_ALL_DOMAINS, CALL_XDR(lv_list_all_args), &ask,
		    CALL_XDR(lv_list_all_domains_ret), out, err);
	if (r == 0 && out->domains.domains_len)
		qsort(out->domains.domains_val, out->domains.domains_len, sizeof(lv_dom), in_order);
	return r;
}
