/* SPDX-License-Identifier: GPL-2.0-or-later */
/* calls.h -- the daemon's calls as functions: those that several verbs share */
#pragma once
#include "netd/base/addr.h"
#include "netd/ctl/ctl.h"
#include "netd/rpc/netd.h"
#include "netd/rpc/protocol.h"

/* The XDR function and nothing else: CALL_XDR(lv_net_args). */
#define CALL_XDR(type) ((xdrproc_t)xdr_##type)

/* Any call. args_xdr and ret_xdr may be NULL; *ret is zeroed by the caller. */
int call_any(struct ctl *ctl, uint32_t program, int32_t proc, xdrproc_t args_xdr, void *args,
	     xdrproc_t ret_xdr, void *ret, struct nd_error *err);
/* The same for libvirt's own program. */
int call_lv(struct ctl *ctl, int32_t proc, xdrproc_t args_xdr, void *args, xdrproc_t ret_xdr,
	    void *ret, struct nd_error *err);

void net_fini(lv_net *net);

static inline void nd_auto_net_fini(lv_net *net)
{
	net_fini(net);
}

void port_fini(lv_port *port);

static inline void nd_auto_port_fini(lv_port *port)
{
	port_fini(port);
}

/* What the user called NETWORK: a UUID first where it looks like one, then a name. Prints line
 * one of the failure. */
int net_find(struct ctl *ctl, const char *name_or_uuid, lv_net *out, struct nd_error *err);
/* By name only, or by UUID only. */
int net_find_by_name(struct ctl *ctl, const char *name, lv_net *out, struct nd_error *err);
int net_find_by_uuid(struct ctl *ctl, const char *uuid, lv_net *out, struct nd_error *err);
int port_find(struct ctl *ctl, const lv_net *net, const char *uuid, lv_port *out,
	      struct nd_error *err);

/* Calls whose only argument is a network: without result, with an int, with a string (which the
 * caller frees). */
int call_net(struct ctl *ctl, int32_t proc, const lv_net *net, struct nd_error *err);
int call_net_int(struct ctl *ctl, int32_t proc, const lv_net *net, int *out,
		 struct nd_error *err);
int call_net_string(struct ctl *ctl, int32_t proc, const lv_net *net, char **out,
		    struct nd_error *err);
int call_net_xml(struct ctl *ctl, const lv_net *net, unsigned flags, char **out,
		 struct nd_error *err);

/* Networks that pass the filter (0: all), sorted by name whatever the letters' case. */
int call_list_networks(struct ctl *ctl, unsigned flags, lv_list_all_networks_ret *out,
		       struct nd_error *err);
int call_list_ports(struct ctl *ctl, const lv_net *net, lv_network_list_all_ports_ret *out,
		    struct nd_error *err);
/* Network filters, sorted by name; and the interfaces that have one. xdr_free() them. */
int call_list_filters(struct ctl *ctl, lv_list_all_networks_ret *out, struct nd_error *err);
int call_list_bindings(struct ctl *ctl, lv_list_all_nwfilter_bindings_ret *out, struct nd_error *err);
/* A network's leases, those of one MAC where mac is not NULL; xdr_free() them. */
int call_leases(struct ctl *ctl, const lv_net *net, const char *mac,
		lv_network_get_dhcp_leases_ret *out, struct nd_error *err);

/* Text with dashes, static inside the struct. */
struct uuid_text {
	char text[ND_UUID_STRLEN];
};
struct uuid_text uuid_text(const lv_uuid uuid);

enum {
	LIST_INACTIVE = 1, LIST_ACTIVE = 2, LIST_PERSISTENT = 4, LIST_TRANSIENT = 8,
	LIST_AUTOSTART = 16, LIST_NO_AUTOSTART = 32,
};

/* virNetworkUpdateFlags, virNetworkMetadata's flags */
enum { AFFECT_CURRENT = 0, AFFECT_LIVE = 1, AFFECT_CONFIG = 2 };

/* Reads a whole file of at most 10 MiB, as text. Caller frees. */
int file_read(const char *path, char **out, struct nd_error *err);
