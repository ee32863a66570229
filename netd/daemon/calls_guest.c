/* SPDX-License-Identifier: GPL-2.0-or-later */
/* calls_guest.c -- the daemon has no guests: their lists are empty and their events never come
 *
 * Clients that manage guests as well (virt-manager, libvirt-dbus) do not connect to a daemon that
 * refuses these calls. */
#include "netd/daemon/calls.h"
#include "netd/daemon/events.h"

/* VIR_CONNECT_LIST_DOMAINS_*: 18 filters. */
#define LIST_FLAGS 0x3ffffu
/* VIR_DOMAIN_EVENT_ID_*: 27 events. */
#define EVENT_COUNT 27

static int none(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	return RPC_DONE;
}

static int list_all(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	const lv_list_all_args *a = args;

	return call_flags(a->flags, LIST_FLAGS, "virConnectListAllDomains", err);
}

static int event_register(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	int event = ((lv_domain_event_register_any_args *)args)->event_id;

	if (event < 0 || event >= EVENT_COUNT)
		return nd_error_set(err, ND_ERR_INTERNAL, "unsupported event ID %d", event);
	((lv_int_ret *)ret)->value = events_take_id(call_netd(call)->events);
	return RPC_DONE;
}

#define RO RPC_READ_ONLY

const struct rpc_method guest_methods[] = {
	CALL(LV_PROC_CONNECT_LIST_ALL_DOMAINS, "virConnectListAllDomains", RO, lv_list_all_args,
	     lv_list_all_domains_ret, list_all),
	CALL_RET(LV_PROC_CONNECT_NUM_OF_DOMAINS, "virConnectNumOfDomains", RO, lv_int_ret, none),
	CALL_RET(LV_PROC_CONNECT_NUM_OF_DEFINED_DOMAINS, "virConnectNumOfDefinedDomains", RO,
		 lv_int_ret, none),
	CALL(LV_PROC_CONNECT_LIST_DOMAINS, "virConnectListDomains", RO, lv_names_args, lv_ids_ret,
	     none),
	CALL(LV_PROC_CONNECT_LIST_DEFINED_DOMAINS, "virConnectListDefinedDomains", RO, lv_names_args,
	     lv_names_ret, none),
	CALL(LV_PROC_CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY, "virConnectDomainEventRegisterAny",
	     RO, lv_domain_event_register_any_args, lv_int_ret, event_register),
	CALL_ARGS(LV_PROC_CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY,
		  "virConnectDomainEventDeregisterAny", RO, lv_callback_args, none),
};
const size_t n_guest_methods = ND_COUNT(guest_methods);
