/* SPDX-License-Identifier: GPL-2.0-or-later */
/* calls_domain.c -- libvirt's calls on guests: lookup, lists, what they are, definitions, events */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "netd/base/log.h"
#include "netd/base/str.h"
#include "netd/daemon/calls_domain.h"

struct guest *call_guest(struct rpc_call *call, const lv_dom *wire, struct nd_error *err)
{
	char text[ND_UUID_STRLEN];
	struct nd_uuid uuid;
	struct guest *g;

	memcpy(uuid.bytes, wire->uuid, sizeof(uuid.bytes));
	g = guests_by_uuid(&call_netd(call)->guests, &uuid);
	if (g && guest_visible(g))
		return g;
	nd_error_set(err, ND_ERR_NO_DOMAIN, "no domain with matching uuid '%s' (%.200s)",
		     nd_uuid_format(&uuid, text), wire->name);
	return NULL;
}

int wire_dom(lv_dom *out, const struct guest *g)
{
	memcpy(out->uuid, g->uuid.bytes, sizeof(out->uuid));
	out->id = guest_id(g);
	out->name = strdup(g->name);
	return out->name ? 0 : -ENOMEM;
}

void reply_guest_done(void *arg, struct guest *g, const struct nd_error *err)
{
	if (err)
		rpc_call_fail(arg, err);
	else
		rpc_call_reply(arg);
}

void reply_guest(void *arg, struct guest *g, const struct nd_error *err)
{
	struct nd_error nomem = { 0 };

	if (!err && wire_dom(&((lv_dom_ret *)rpc_call_ret(arg))->dom, g) < 0) {
		nd_error_nomem(&nomem);
		err = &nomem;
	}
	reply_guest_done(arg, g, err);
}

/* ---- lookup ---- */

static int reply_found(struct guest *g, void *ret, struct nd_error *err)
{
	return wire_dom(&((lv_dom_ret *)ret)->dom, g) < 0 ? nd_error_nomem(err) : RPC_DONE;
}

static int lookup_by_name(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	const lv_name_args *a = args;
	struct guest *g = guests_by_name(&call_netd(call)->guests, a->name);

	if (!g || !guest_visible(g))
		return nd_error_set(err, ND_ERR_NO_DOMAIN, "no domain with matching name '%.300s'",
				    a->name);
	return reply_found(g, ret, err);
}

static int lookup_by_uuid(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	char text[ND_UUID_STRLEN];
	struct nd_uuid uuid;
	struct guest *g;

	memcpy(uuid.bytes, ((lv_uuid_args *)args)->uuid, sizeof(uuid.bytes));
	g = guests_by_uuid(&call_netd(call)->guests, &uuid);
	if (!g || !guest_visible(g))
		return nd_error_set(err, ND_ERR_NO_DOMAIN, "no domain with matching uuid '%s'",
				    nd_uuid_format(&uuid, text));
	return reply_found(g, ret, err);
}

static int lookup_by_id(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	int id = ((lv_id_args *)args)->id;
	struct guest *g = guests_by_id(&call_netd(call)->guests, id);

	if (!g)
		return nd_error_set(err, ND_ERR_NO_DOMAIN, "no domain with matching id %d", id);
	return reply_found(g, ret, err);
}

/* ---- lists ---- */

/* VIR_CONNECT_LIST_DOMAINS_*. Nothing here has snapshots, checkpoints or saved images. */
enum {
	LIST_ACTIVE = 1 << 0, LIST_INACTIVE = 1 << 1, LIST_PERSISTENT = 1 << 2, LIST_TRANSIENT = 1 << 3,
	LIST_RUNNING = 1 << 4, LIST_PAUSED = 1 << 5, LIST_SHUTOFF = 1 << 6, LIST_OTHER = 1 << 7,
	LIST_MANAGED_SAVE = 1 << 8, LIST_NO_MANAGED_SAVE = 1 << 9,
	LIST_AUTOSTART = 1 << 10, LIST_NO_AUTOSTART = 1 << 11,
	LIST_SNAPSHOT = 1 << 12, LIST_NO_SNAPSHOT = 1 << 13,
	LIST_CHECKPOINT = 1 << 14, LIST_NO_CHECKPOINT = 1 << 15,
	LIST_FLAGS = (1 << 16) - 1,
	LIST_STATES = LIST_RUNNING | LIST_PAUSED | LIST_SHUTOFF | LIST_OTHER,
};

static bool group_fits(unsigned flags, unsigned yes, unsigned no, bool is)
{
	return !(flags & (yes | no)) || flags & (is ? yes : no);
}

static unsigned state_flag(const struct guest *g)
{
	switch (g->state) {
	case GUEST_RUNNING: return LIST_RUNNING;
	case GUEST_PAUSED: return LIST_PAUSED;
	case GUEST_SHUT_OFF: return LIST_SHUTOFF;
	default: return LIST_OTHER;
	}
}

bool guest_fits(const struct guest *g, unsigned flags)
{
	return guest_visible(g) && group_fits(flags, LIST_ACTIVE, LIST_INACTIVE, g->live) &&
	       group_fits(flags, LIST_PERSISTENT, LIST_TRANSIENT, g->def) &&
	       group_fits(flags, LIST_AUTOSTART, LIST_NO_AUTOSTART, g->autostart) &&
	       group_fits(flags, LIST_MANAGED_SAVE, LIST_NO_MANAGED_SAVE, false) &&
	       group_fits(flags, LIST_SNAPSHOT, LIST_NO_SNAPSHOT, false) &&
	       group_fits(flags, LIST_CHECKPOINT, LIST_NO_CHECKPOINT, false) &&
	       (!(flags & LIST_STATES) || flags & state_flag(g));
}

static unsigned count(const struct guests *guests, unsigned flags)
{
	struct guest *g;
	unsigned n = 0;

	for (size_t pos = 0; (g = guests_next(guests, &pos));)
		n += guest_fits(g, flags);
	return n;
}

static int list_all(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	const lv_list_all_args *a = args;
	lv_list_all_domains_ret *r = ret;
	struct guests *guests = &call_netd(call)->guests;
	struct guest *g;

	if (call_flags(a->flags, LIST_FLAGS, "virConnectListAllDomains", err) < 0)
		return -EINVAL;
	r->ret = count(guests, a->flags);
	if (!a->need_results)
		return RPC_DONE;
	r->domains.domains_val = calloc(r->ret + 1, sizeof(*r->domains.domains_val));
	if (!r->domains.domains_val)
		return nd_error_nomem(err);
	for (size_t pos = 0; (g = guests_next(guests, &pos));) {
		if (!guest_fits(g, a->flags) || r->domains.domains_len >= LV_NETWORK_LIST_MAX)
			continue;
		if (wire_dom(&r->domains.domains_val[r->domains.domains_len], g) < 0)
			return nd_error_nomem(err);
		r->domains.domains_len++;
	}
	return RPC_DONE;
}

static int num_active(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	((lv_int_ret *)ret)->value = (int)count(&call_netd(call)->guests, LIST_ACTIVE);
	return RPC_DONE;
}

static int num_defined(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	((lv_int_ret *)ret)->value = (int)count(&call_netd(call)->guests, LIST_INACTIVE);
	return RPC_DONE;
}

static int check_max(int max, struct nd_error *err)
{
	if (max >= 0 && max <= LV_NETWORK_LIST_MAX)
		return 0;
	return nd_error_set(err, ND_ERR_RPC, "too many remote domains: %d > %d", max,
			    LV_NETWORK_LIST_MAX);
}

static int list_ids(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	const lv_names_args *a = args;
	lv_ids_ret *r = ret;
	struct guests *guests = &call_netd(call)->guests;
	struct guest *g;

	if (check_max(a->maxnames, err) < 0)
		return -EINVAL;
	r->ids.ids_val = calloc(count(guests, LIST_ACTIVE) + 1, sizeof(*r->ids.ids_val));
	if (!r->ids.ids_val)
		return nd_error_nomem(err);
	for (size_t pos = 0; (g = guests_next(guests, &pos));)
		if (guest_fits(g, LIST_ACTIVE) && r->ids.ids_len < (unsigned)a->maxnames)
			r->ids.ids_val[r->ids.ids_len++] = guest_id(g);
	return RPC_DONE;
}

static int list_defined(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	const lv_names_args *a = args;
	lv_names_ret *r = ret;
	struct guests *guests = &call_netd(call)->guests;
	struct guest *g;

	if (check_max(a->maxnames, err) < 0)
		return -EINVAL;
	r->names.names_val = calloc(count(guests, LIST_INACTIVE) + 1, sizeof(*r->names.names_val));
	if (!r->names.names_val)
		return nd_error_nomem(err);
	for (size_t pos = 0; (g = guests_next(guests, &pos));) {
		if (!guest_fits(g, LIST_INACTIVE) || r->names.names_len >= (unsigned)a->maxnames)
			continue;
		if (wire_str(&r->names.names_val[r->names.names_len], g->name, err) < 0)
			return -ENOMEM;
		r->names.names_len++;
	}
	return RPC_DONE;
}

/* ---- what it is ---- */

static int is_active(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	struct guest *g = call_guest(call, &((lv_dom_args *)args)->dom, err);

	if (!g)
		return -ENOENT;
	((lv_int_ret *)ret)->value = g->live != NULL;
	return RPC_DONE;
}

static int is_persistent(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	struct guest *g = call_guest(call, &((lv_dom_args *)args)->dom, err);

	if (!g)
		return -ENOENT;
	((lv_int_ret *)ret)->value = g->def != NULL;
	return RPC_DONE;
}

/* Whether the next start would not be the guest that runs. */
static int is_updated(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	struct guest *g = call_guest(call, &((lv_dom_args *)args)->dom, err);

	if (!g)
		return -ENOENT;
	((lv_int_ret *)ret)->value = g->live && g->def && !dom_def_equal(g->live, g->def);
	return RPC_DONE;
}

static int get_autostart(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	struct guest *g = call_guest(call, &((lv_dom_args *)args)->dom, err);

	if (!g)
		return -ENOENT;
	((lv_int_ret *)ret)->value = g->autostart;
	return RPC_DONE;
}

static int get_state(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	const lv_dom_flags_args *a = args;
	lv_domain_get_state_ret *r = ret;
	struct guest *g;

	if (call_flags(a->flags, 0, "virDomainGetState", err) < 0)
		return -EINVAL;
	g = call_guest(call, &a->dom, err);
	if (!g)
		return -ENOENT;
	r->state = g->state;
	r->reason = g->reason;
	return RPC_DONE;
}

static int get_info(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	lv_domain_get_info_ret *r = ret;
	struct guest *g = call_guest(call, &((lv_dom_args *)args)->dom, err);
	const struct dom_def *def;

	if (!g)
		return -ENOENT;
	def = guest_current(g);
	r->state = g->state;
	r->max_memory_kib = r->memory_kib = def->memory.kib;
	r->vcpus = def->vcpus;
	r->cpu_time_ns = guest_cpu_time_ns(g);
	return RPC_DONE;
}

static int get_max_memory(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	struct guest *g = call_guest(call, &((lv_dom_args *)args)->dom, err);

	if (!g)
		return -ENOENT;
	((lv_u64_ret *)ret)->value = guest_current(g)->memory.kib;
	return RPC_DONE;
}

static int get_max_vcpus(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	struct guest *g = call_guest(call, &((lv_dom_args *)args)->dom, err);

	if (!g)
		return -ENOENT;
	((lv_int_ret *)ret)->value = (int)guest_current(g)->vcpus;
	return RPC_DONE;
}

enum { VCPU_LIVE = 1, VCPU_CONFIG = 2, VCPU_MAXIMUM = 4 };

static int get_vcpus(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	const lv_dom_flags_args *a = args;
	struct guest *g;
	bool live, config;
	int r = call_flags(a->flags, VCPU_LIVE | VCPU_CONFIG | VCPU_MAXIMUM, "virDomainGetVcpusFlags",
			   err);

	if (r < 0)
		return r;
	g = call_guest(call, &a->dom, err);
	if (!g)
		return -ENOENT;
	r = guest_affected(g, a->flags & (VCPU_LIVE | VCPU_CONFIG), &live, &config, err);
	if (r < 0)
		return r;
	((lv_int_ret *)ret)->value = (int)(live ? g->live : g->def)->vcpus;
	return RPC_DONE;
}

static int get_os_type(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	struct guest *g = call_guest(call, &((lv_dom_args *)args)->dom, err);

	return g ? wire_str(&((lv_str_ret *)ret)->value, "hvm", err) : -ENOENT;
}

/* VIR_DOMAIN_XML_*. There are no secrets; the CPU is the host's, and nothing migrates. */
enum { XML_SECURE = 1, XML_INACTIVE = 2, XML_UPDATE_CPU = 4, XML_MIGRATABLE = 8 };

static int get_xml(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	const lv_dom_flags_args *a = args;
	lv_str_ret *r = ret;
	struct guest *g;

	if (call_flags(a->flags, XML_SECURE | XML_INACTIVE | XML_UPDATE_CPU, "virDomainGetXMLDesc",
		       err) < 0)
		return -EINVAL;
	if (a->flags & XML_SECURE && rpc_session_read_only(rpc_call_session(call)))
		return nd_error_set(err, ND_ERR_OPERATION_DENIED, "virDomainGetXMLDesc with secure flag");
	g = call_guest(call, &a->dom, err);
	if (!g)
		return -ENOENT;
	r->value = a->flags & XML_INACTIVE || !g->live
		   ? dom_def_format(guest_definition(g), NET_FORMAT_INACTIVE)
		   : dom_def_format(g->live, 0);
	return r->value ? RPC_DONE : nd_error_nomem(err);
}

static int none_int(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	const lv_dom_flags_args *a = args;

	if (call_flags(a->flags, 0, "virDomainHasManagedSaveImage", err) < 0)
		return -EINVAL;
	return call_guest(call, &a->dom, err) ? RPC_DONE : -ENOENT;
}

static int snapshot_num(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	/* whatever kind of snapshot is asked for: there is none */
	return call_guest(call, &((lv_dom_flags_args *)args)->dom, err) ? RPC_DONE : -ENOENT;
}

static int get_security_label(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	lv_domain_get_security_label_ret *r = ret;

	if (!call_guest(call, &((lv_dom_args *)args)->dom, err))
		return -ENOENT;
	r->label.label_val = calloc(1, 1);	/* the empty string, with its NUL */
	if (!r->label.label_val)
		return nd_error_nomem(err);
	r->label.label_len = 1;
	return RPC_DONE;
}

/* VIR_DOMAIN_MESSAGE_*: deprecation, tainting. */
static int get_messages(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	const lv_dom_flags_args *a = args;

	if (call_flags(a->flags, 3, "virDomainGetMessages", err) < 0)
		return -EINVAL;
	return call_guest(call, &a->dom, err) ? RPC_DONE : -ENOENT;
}

/* ---- definitions ---- */

int call_document(struct rpc_call *call, const char *xml, bool validate, struct dom_def **out,
		  struct nd_error *err)
{
	ND_AUTO(dom_def_free) struct dom_def *def = NULL;
	int r = 0;

	if (validate)
		r = dom_def_validate_schema(xml, strlen(xml), call_netd(call)->paths.schemas, err);
	if (r == 0)
		r = dom_def_parse(xml, strlen(xml), &def, err);
	if (r == 0)
		r = dom_def_check(def, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < def->n_warnings; i++)
		nd_log(LOG_WARNING, def->name, "%s", def->warnings[i]);
	*out = nd_take_ptr(&def);
	return 0;
}

static int define(struct rpc_call *call, const char *xml, bool validate, struct nd_error *err)
{
	struct dom_def *def = NULL;
	int r = call_document(call, xml, validate, &def, err);

	if (r == 0)
		r = guest_define(call_netd(call), def, reply_guest, call, err);
	return r < 0 ? r : RPC_PENDING;
}

static int define_xml(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	return define(call, ((lv_xml_args *)args)->xml, false, err);
}

static int define_xml_flags(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	const lv_xml_flags_args *a = args;
	int r = call_flags(a->flags, 1, "virDomainDefineXMLFlags", err);

	return r < 0 ? r : define(call, a->xml, a->flags & 1, err);
}

static int undefine(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	struct guest *g = call_guest(call, &((lv_dom_args *)args)->dom, err);
	int r = g ? guest_undefine(g, reply_guest_done, call, err) : -ENOENT;

	return r < 0 ? r : RPC_PENDING;
}

/* VIR_DOMAIN_UNDEFINE_*: of what they speak (saved images, snapshots, nvram, checkpoints) no guest
 * has any, so that there is nothing to remove or to keep. */
#define UNDEFINE_FLAGS 0x1fu

static int undefine_flags(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	int r = call_flags(((lv_dom_flags_args *)args)->flags, UNDEFINE_FLAGS,
			   "virDomainUndefineFlags", err);

	return r < 0 ? r : undefine(call, args, ret, err);
}

static int set_autostart(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	const lv_dom_int_args *a = args;
	struct guest *g = call_guest(call, &a->dom, err);
	int r = g ? guest_autostart(g, a->value != 0, reply_guest_done, call, err) : -ENOENT;

	return r < 0 ? r : RPC_PENDING;
}

int guest_affected(const struct guest *g, unsigned flags, bool *live_out, bool *config_out,
		   struct nd_error *err)
{
	bool live = flags & AFFECT_LIVE, config = flags & AFFECT_CONFIG;

	if (!live && !config) {
		live = g->live != NULL;
		config = !live;
	}
	if (live && !g->live)
		return nd_error_set(err, ND_ERR_OPERATION_INVALID, "domain is not running");
	if (config && !g->def)
		return nd_error_set(err, ND_ERR_OPERATION_INVALID,
				    "transient domains do not have any persistent config");
	*live_out = live;
	*config_out = config;
	return 0;
}

/* ---- events ---- */

static int event_register(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	const lv_domain_event_register_any_args *a = args;
	struct nd_uuid uuid;
	int id;

	if (a->dom)
		memcpy(uuid.bytes, a->dom->uuid, sizeof(uuid.bytes));
	id = events_register_domain(call_netd(call)->events, rpc_call_session(call), a->event_id,
				    a->dom ? &uuid : NULL, err);
	if (id < 0)
		return id;
	((lv_int_ret *)ret)->value = id;
	return RPC_DONE;
}

static int event_deregister(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	return events_deregister_domain(call_netd(call)->events, rpc_call_session(call),
					((lv_callback_args *)args)->callback_id, err);
}

#define RO RPC_READ_ONLY

const struct rpc_method domain_methods[] = {
	DOM(LV_PROC_CONNECT_LIST_ALL_DOMAINS, "virConnectListAllDomains", RO, lv_list_all_args,
	    lv_list_all_domains_ret, list_all),
	DOM_RET(LV_PROC_CONNECT_NUM_OF_DOMAINS, "virConnectNumOfDomains", RO, lv_int_ret, num_active),
	DOM_RET(LV_PROC_CONNECT_NUM_OF_DEFINED_DOMAINS, "virConnectNumOfDefinedDomains", RO,
		lv_int_ret, num_defined),
	DOM(LV_PROC_CONNECT_LIST_DOMAINS, "virConnectListDomains", RO, lv_names_args, lv_ids_ret,
	    list_ids),
	DOM(LV_PROC_CONNECT_LIST_DEFINED_DOMAINS, "virConnectListDefinedDomains", RO, lv_names_args,
	    lv_names_ret, list_defined),
	DOM(LV_PROC_DOMAIN_LOOKUP_BY_ID, "virDomainLookupByID", RO, lv_id_args, lv_dom_ret,
	    lookup_by_id),
	DOM(LV_PROC_DOMAIN_LOOKUP_BY_NAME, "virDomainLookupByName", RO, lv_name_args, lv_dom_ret,
	    lookup_by_name),
	DOM(LV_PROC_DOMAIN_LOOKUP_BY_UUID, "virDomainLookupByUUID", RO, lv_uuid_args, lv_dom_ret,
	    lookup_by_uuid),
	DOM(LV_PROC_DOMAIN_IS_ACTIVE, "virDomainIsActive", RO, lv_dom_args, lv_int_ret, is_active),
	DOM(LV_PROC_DOMAIN_IS_PERSISTENT, "virDomainIsPersistent", RO, lv_dom_args, lv_int_ret,
	    is_persistent),
	DOM(LV_PROC_DOMAIN_IS_UPDATED, "virDomainIsUpdated", RO, lv_dom_args, lv_int_ret, is_updated),
	DOM(LV_PROC_DOMAIN_GET_AUTOSTART, "virDomainGetAutostart", RO, lv_dom_args, lv_int_ret,
	    get_autostart),
	DOM(LV_PROC_DOMAIN_GET_STATE, "virDomainGetState", RO, lv_dom_flags_args,
	    lv_domain_get_state_ret, get_state),
	DOM(LV_PROC_DOMAIN_GET_INFO, "virDomainGetInfo", RO, lv_dom_args, lv_domain_get_info_ret,
	    get_info),
	DOM(LV_PROC_DOMAIN_GET_MAX_MEMORY, "virDomainGetMaxMemory", RO, lv_dom_args, lv_u64_ret,
	    get_max_memory),
	DOM(LV_PROC_DOMAIN_GET_MAX_VCPUS, "virDomainGetMaxVcpus", RO, lv_dom_args, lv_int_ret,
	    get_max_vcpus),
	DOM(LV_PROC_DOMAIN_GET_VCPUS_FLAGS, "virDomainGetVcpusFlags", RO, lv_dom_flags_args,
	    lv_int_ret, get_vcpus),
	DOM(LV_PROC_DOMAIN_GET_OS_TYPE, "virDomainGetOSType", RO, lv_dom_args, lv_str_ret,
	    get_os_type),
	DOM(LV_PROC_DOMAIN_GET_XML_DESC, "virDomainGetXMLDesc", RO, lv_dom_flags_args, lv_str_ret,
	    get_xml),
	DOM(LV_PROC_DOMAIN_HAS_MANAGED_SAVE_IMAGE, "virDomainHasManagedSaveImage", RO,
	    lv_dom_flags_args, lv_int_ret, none_int),
	DOM(LV_PROC_DOMAIN_SNAPSHOT_NUM, "virDomainSnapshotNum", RO, lv_dom_flags_args, lv_int_ret,
	    snapshot_num),
	DOM(LV_PROC_DOMAIN_GET_SECURITY_LABEL, "virDomainGetSecurityLabel", RO, lv_dom_args,
	    lv_domain_get_security_label_ret, get_security_label),
	DOM(LV_PROC_DOMAIN_GET_MESSAGES, "virDomainGetMessages", RO, lv_dom_flags_args,
	    lv_domain_get_messages_ret, get_messages),
	DOM(LV_PROC_DOMAIN_DEFINE_XML, "virDomainDefineXML", 0, lv_xml_args, lv_dom_ret, define_xml),
	DOM(LV_PROC_DOMAIN_DEFINE_XML_FLAGS, "virDomainDefineXMLFlags", 0, lv_xml_flags_args,
	    lv_dom_ret, define_xml_flags),
	DOM_ARGS(LV_PROC_DOMAIN_UNDEFINE, "virDomainUndefine", 0, lv_dom_args, undefine),
	DOM_ARGS(LV_PROC_DOMAIN_UNDEFINE_FLAGS, "virDomainUndefineFlags", 0, lv_dom_flags_args,
		 undefine_flags),
	DOM_ARGS(LV_PROC_DOMAIN_SET_AUTOSTART, "virDomainSetAutostart", 0, lv_dom_int_args,
		 set_autostart),
	DOM(LV_PROC_CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY, "virConnectDomainEventRegisterAny",
	    RO, lv_domain_event_register_any_args, lv_int_ret, event_register),
	DOM_ARGS(LV_PROC_CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY,
		 "virConnectDomainEventDeregisterAny", RO, lv_callback_args, event_deregister),
};
const size_t n_domain_methods = ND_COUNT(domain_methods);
