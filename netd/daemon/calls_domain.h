/* SPDX-License-Identifier: GPL-2.0-or-later */
/* calls_domain.h -- what the handlers of calls on guests share */
#pragma once
#include "netd/daemon/calls.h"
#include "netd/daemon/guest_life.h"
#include "netd/daemon/revise.h"

extern const struct rpc_method domain_methods[], domain_life_methods[], domain_nic_methods[], capabilities_methods[],
	domain_stats_methods[], domain_metadata_methods[];
extern const size_t n_domain_methods, n_domain_life_methods, n_domain_nic_methods, n_capabilities_methods,
	n_domain_stats_methods, n_domain_metadata_methods;

/* Rows as CALL() and its kind, with errors of libvirt's domain "domain". */
#define DOM(number, api_, flags_, args_type, ret_type, handler) \
	{ .proc = number, .api = api_, .domain = FROM_DOMAIN, .flags = flags_, \
	  .args = (xdrproc_t)xdr_##args_type, .args_size = sizeof(args_type), \
	  .ret = (xdrproc_t)xdr_##ret_type, .ret_size = sizeof(ret_type), .handle = handler }
#define DOM_ARGS(number, api_, flags_, args_type, handler) \
	{ .proc = number, .api = api_, .domain = FROM_DOMAIN, .flags = flags_, \
	  .args = (xdrproc_t)xdr_##args_type, .args_size = sizeof(args_type), .handle = handler }
#define DOM_RET(number, api_, flags_, ret_type, handler) \
	{ .proc = number, .api = api_, .domain = FROM_DOMAIN, .flags = flags_, \
	  .ret = (xdrproc_t)xdr_##ret_type, .ret_size = sizeof(ret_type), .handle = handler }

/* The guest of the wire's {name, uuid, id}: by uuid only. NULL with err set. */
struct guest *call_guest(struct rpc_call *call, const lv_dom *wire, struct nd_error *err);
int wire_dom(lv_dom *out, const struct guest *g);	/* -ENOMEM */
/* Parses and checks a client's document; against the schema too when it asked. */
int call_document(struct rpc_call *call, const char *xml, bool validate, struct dom_def **out,
		  struct nd_error *err);
/* Whether a list with these flags (VIR_CONNECT_LIST_DOMAINS_*) has the guest; never one that nobody may see. */
bool guest_fits(const struct guest *g, unsigned flags);
/* guest_done: replies without result, or with the guest. arg is the struct rpc_call. */
void reply_guest_done(void *arg, struct guest *g, const struct nd_error *err);
void reply_guest(void *arg, struct guest *g, const struct nd_error *err);
/* What AFFECT_LIVE and AFFECT_CONFIG mean now; none of them: live if it runs. */
int guest_affected(const struct guest *g, unsigned flags, bool *live_out, bool *config_out,
		   struct nd_error *err);
