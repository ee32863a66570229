/* SPDX-License-Identifier: GPL-2.0-or-later */
/* calls.h -- the method tables of the two RPC programs, and what their handlers share */
#pragma once
#include "netd/daemon/lifecycle.h"
#include "netd/rpc/netd.h"
#include "netd/rpc/protocol.h"
#include "netd/rpc/server.h"

/* VIR_FROM_*: the domains of errors (libvirt's numbers). */
enum { FROM_NONE = 0, FROM_XML = 5, FROM_RPC = 7, FROM_STORAGE = 18, FROM_NETWORK = 19, FROM_DOMAIN = 20,
       FROM_NODEDEV = 22, FROM_INTERFACE = 26, FROM_SECRET = 30, FROM_NWFILTER = 33,
       FROM_DOMAIN_SNAPSHOT = 35, FROM_IDENTITY = 53, FROM_ACCESS = 55, FROM_POLKIT = 60, FROM_DOMAIN_CHECKPOINT = 69 };

/* Both programs with all their methods, for rpc_server_options; calls_free() frees them. */
struct calls {
	struct rpc_method *methods;
	struct rpc_program remote, netd;
	const struct rpc_program *programs[2];
};

int calls_init(struct calls *c, struct nd_error *err);
void calls_fini(struct calls *c);

/* The tables that make up program "remote", one per file. */
extern const struct rpc_method connect_methods[], network_methods[], port_methods[],
	missing_methods[], netd_methods[], node_methods[], nwfilter_methods[];
extern const size_t n_connect_methods, n_network_methods, n_port_methods, n_missing_methods,
	n_netd_methods, n_node_methods, n_nwfilter_methods;

/* A row without arguments, without result, with both */
#define CALL(number, api_, flags_, args_type, ret_type, handler) \
	{ .proc = number, .api = api_, .domain = FROM_NETWORK, .flags = flags_, \
	  .args = (xdrproc_t)xdr_##args_type, .args_size = sizeof(args_type), \
	  .ret = (xdrproc_t)xdr_##ret_type, .ret_size = sizeof(ret_type), .handle = handler }
#define CALL_ARGS(number, api_, flags_, args_type, handler) \
	{ .proc = number, .api = api_, .domain = FROM_NETWORK, .flags = flags_, \
	  .args = (xdrproc_t)xdr_##args_type, .args_size = sizeof(args_type), .handle = handler }
#define CALL_RET(number, api_, flags_, ret_type, handler) \
	{ .proc = number, .api = api_, .domain = FROM_NETWORK, .flags = flags_, \
	  .ret = (xdrproc_t)xdr_##ret_type, .ret_size = sizeof(ret_type), .handle = handler }
#define CALL_NONE(number, api_, flags_, handler) \
	{ .proc = number, .api = api_, .domain = FROM_NETWORK, .flags = flags_, .handle = handler }

static inline struct netd *call_netd(struct rpc_call *call)
{
	return rpc_call_context(call);
}

/* The network of the wire's {name, uuid}: by uuid only. NULL with err set. */
struct network *call_network(struct rpc_call *call, const lv_net *wire, struct nd_error *err);
/* Refuses flag bits outside `known`, in libvirt's words. */
int call_flags(unsigned flags, unsigned known, const char *function, struct nd_error *err);
/* Fills a wire struct with a copy of the network's name; -ENOMEM. */
int wire_net(lv_net *out, const struct network *net);
/* A change_done: replies without result, or fails. arg is the struct rpc_call. */
void reply_done(void *arg, struct network *net, const struct nd_error *err);
/* strdup() into *out; -ENOMEM with err. */
int wire_str(char **out, const char *text, struct nd_error *err);
