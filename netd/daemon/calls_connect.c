/* SPDX-License-Identifier: GPL-2.0-or-later */
/* calls_connect.c -- what clients ask about the connection and the host */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "netd/base/str.h"
#include "netd/daemon/access.h"
#include "netd/daemon/calls.h"

/* The libvirt whose protocol we speak: clients compare it with what they need. */
#define LIB_VERSION (9 * 1000000 + 8 * 1000)
#define HV_VERSION (0 * 1000000 + 1 * 1000)

static int auth_list(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	lv_auth_list_ret *r = ret;

	r->types.types_val = calloc(1, sizeof(*r->types.types_val));
	if (!r->types.types_val)
		return nd_error_nomem(err);
	r->types.types_val[0] = rpc_session_is_authenticated(rpc_call_session(call)) ? LV_AUTH_NONE :
										LV_AUTH_POLKIT;
	r->types.types_len = 1;
	return RPC_DONE;
}

static int auth_polkit(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	return access_authenticate(call_netd(call), call, err);
}

static int auth_sasl(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	return nd_error_set(err, ND_ERR_AUTH_FAILED, "SASL is not offered here");
}

/* Scheme "network", "netd" or "qemu" (or none at all) with path /system, or no path. "qemu" is what
 * clients that manage guests ask for, whatever runs these. */
static int check_uri(const char *uri, struct nd_error *err)
{
	size_t scheme = strcspn(uri, ":+"), rest;
	const char *path;

	if (!*uri)
		return 0;
	if ((scheme != 7 || strncmp(uri, "network", 7) != 0) &&
	    (scheme != 4 || (strncmp(uri, "netd", 4) != 0 && strncmp(uri, "qemu", 4) != 0)))
		return nd_error_set(err, ND_ERR_NO_CONNECT, "%.200s", uri);
	path = strstr(uri, "://");
	path = path ? strchr(path + 3, '/') : NULL;
	rest = path ? strcspn(path, "?#") : 0;
	if (rest <= 1 || (rest == 7 && strncmp(path, "/system", 7) == 0) ||
	    (rest == 8 && strncmp(path, "/session", 8) == 0))
		return 0;
	return nd_error_set(err, ND_ERR_INTERNAL, "unexpected network URI path '%.*s', "
			    "try network:///system", (int)rest, path);
}

static int connect_open(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	const lv_connect_open_args *a = args;
	struct rpc_session *session = rpc_call_session(call);
	int r;

	if (rpc_session_is_open(session))
		return nd_error_set(err, ND_ERR_INTERNAL, "connection already open");
	r = check_uri(a->name ? *a->name : "", err);
	if (r < 0)
		return r;
	if (a->flags & 1)
		rpc_session_set_read_only(session);
	rpc_session_set_open(session, true);
	return RPC_DONE;
}

static int connect_close(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	rpc_session_close_after_reply(rpc_call_session(call));
	return RPC_DONE;
}

static int connect_get_type(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	return wire_str(&((lv_str_ret *)ret)->value, "network", err);
}

static int connect_get_version(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	((lv_u64_ret *)ret)->value = HV_VERSION;
	return RPC_DONE;
}

static int connect_get_lib_version(struct rpc_call *call, void *args, void *ret,
				   struct nd_error *err)
{
	((lv_u64_ret *)ret)->value = LIB_VERSION;
	return RPC_DONE;
}

static int connect_get_uri(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	return wire_str(&((lv_str_ret *)ret)->value, "network:///system", err);
}

static int connect_get_hostname(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	char name[256] = "";

	if (gethostname(name, sizeof(name) - 1) < 0)
		return nd_error_sys(err, errno, "cannot get the host's name");
	return wire_str(&((lv_str_ret *)ret)->value, name, err);
}

enum { FEATURE_TYPED_STRING = 9, FEATURE_KEEPALIVE = 10, FEATURE_EVENT_CALLBACK = 14,
       FEATURE_CLOSE_CALLBACK = 15, FEATURE_UPDATE_ORDER = 16, FEATURE_FD_PASSING = 8 };

static int connect_supports_feature(struct rpc_call *call, void *args, void *ret,
				    struct nd_error *err)
{
	int feature = ((lv_connect_supports_feature_args *)args)->feature;
	lv_int_ret *r = ret;

	switch (feature) {
	case FEATURE_KEEPALIVE:
		rpc_session_start_keepalive(rpc_call_session(call));
		r->value = 1;
		break;
	case FEATURE_FD_PASSING:
	case FEATURE_TYPED_STRING:
	case FEATURE_EVENT_CALLBACK:
	case FEATURE_CLOSE_CALLBACK:
	case FEATURE_UPDATE_ORDER:
		r->value = 1;
		break;
	}
	return RPC_DONE;
}

static int connect_is_secure(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	((lv_int_ret *)ret)->value = 1;
	return RPC_DONE;
}

/* The daemon has no connection of its own that could be lost: nothing to be told about. */
static int close_callback(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	return RPC_DONE;
}

/* What is said of an identity that access does not depend on is checked and not kept. */
static void identity_put(struct access_identity *who, const lv_param *p)
{
	if (nd_streq(p->field, "unix-user-id"))
		who->uid = (uid_t)p->value.lv_param_value_u.ul;
	else if (nd_streq(p->field, "unix-group-id"))
		who->gid = (gid_t)p->value.lv_param_value_u.ul;
	else if (nd_streq(p->field, "process-id"))
		who->pid = (pid_t)p->value.lv_param_value_u.l;
	else if (nd_streq(p->field, "process-time"))
		who->start_time = p->value.lv_param_value_u.ul;
	else if (nd_streq(p->field, "user-name"))
		snprintf(who->user, sizeof(who->user), "%s", p->value.lv_param_value_u.s);
}

/* Another daemon says for whom it speaks. */
static int connect_set_identity(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	static const struct { const char *name; int type; } keys[] = {
		{ "user-name", LV_PARAM_STRING }, { "unix-user-id", LV_PARAM_ULLONG },
		{ "group-name", LV_PARAM_STRING }, { "unix-group-id", LV_PARAM_ULLONG },
		{ "process-id", LV_PARAM_LLONG }, { "process-time", LV_PARAM_ULLONG },
		{ "sasl-user-name", LV_PARAM_STRING }, { "x509-distinguished-name", LV_PARAM_STRING },
		{ "selinux-context", LV_PARAM_STRING }, { "system.token", LV_PARAM_STRING },
	};
	const lv_connect_set_identity_args *a = args;
	struct access_identity who = { .uid = (uid_t)-1, .gid = (gid_t)-1 };
	int r = call_flags(a->flags, 0, "virConnectSetIdentity", err);

	for (unsigned i = 0; i < a->params.params_len && r == 0; i++) {
		const lv_param *p = &a->params.params_val[i];
		size_t k = 0;

		while (k < ND_COUNT(keys) && !nd_streq(keys[k].name, p->field))
			k++;
		if (k == ND_COUNT(keys))
			return nd_error_set(err, ND_ERR_ARGUMENT_UNSUPPORTED,
					    "parameter '%s' not supported", p->field);
		if (p->value.type != keys[k].type)
			return nd_error_set(err, ND_ERR_INVALID_ARG, "invalid type for parameter '%s'",
					    p->field);
		identity_put(&who, p);
	}
	return r < 0 ? r : access_set_identity(call_netd(call), rpc_call_session(call), &who, err);
}

#define RO RPC_READ_ONLY
#define EARLY (RPC_READ_ONLY | RPC_BEFORE_OPEN)

const struct rpc_method connect_methods[] = {
	CALL_ARGS(LV_PROC_CONNECT_OPEN, "virConnectOpen", EARLY, lv_connect_open_args, connect_open),
	CALL_NONE(LV_PROC_CONNECT_CLOSE, "virConnectClose", EARLY, connect_close),
	CALL_RET(LV_PROC_CONNECT_GET_TYPE, "virConnectGetType", RO, lv_str_ret, connect_get_type),
	CALL_RET(LV_PROC_CONNECT_GET_VERSION, "virConnectGetVersion", RO, lv_u64_ret,
		 connect_get_version),
	CALL_RET(LV_PROC_CONNECT_GET_HOSTNAME, "virConnectGetHostname", RO, lv_str_ret,
		 connect_get_hostname),
	CALL(LV_PROC_CONNECT_SUPPORTS_FEATURE, "virConnectSupportsFeature", EARLY,
	     lv_connect_supports_feature_args, lv_int_ret, connect_supports_feature),
	CALL_RET(LV_PROC_AUTH_LIST, "virConnectOpen", EARLY | RPC_BEFORE_AUTH, lv_auth_list_ret,
		 auth_list),
	CALL_NONE(LV_PROC_AUTH_SASL_INIT, "virConnectOpen", EARLY | RPC_BEFORE_AUTH, auth_sasl),
	CALL_NONE(LV_PROC_AUTH_SASL_START, "virConnectOpen", EARLY | RPC_BEFORE_AUTH, auth_sasl),
	CALL_NONE(LV_PROC_AUTH_SASL_STEP, "virConnectOpen", EARLY | RPC_BEFORE_AUTH, auth_sasl),
	CALL_RET(LV_PROC_AUTH_POLKIT, "virConnectOpen", EARLY | RPC_BEFORE_AUTH, lv_int_ret, auth_polkit),
	CALL_RET(LV_PROC_CONNECT_GET_URI, "virConnectGetURI", RO, lv_str_ret, connect_get_uri),
	CALL_RET(LV_PROC_CONNECT_IS_SECURE, "virConnectIsSecure", RO, lv_int_ret, connect_is_secure),
	CALL_RET(LV_PROC_CONNECT_GET_LIB_VERSION, "virConnectGetLibVersion", RO, lv_u64_ret,
		 connect_get_lib_version),
	CALL_NONE(LV_PROC_CONNECT_REGISTER_CLOSE_CALLBACK, "virConnectRegisterCloseCallback", RO,
		  close_callback),
	CALL_NONE(LV_PROC_CONNECT_UNREGISTER_CLOSE_CALLBACK, "virConnectUnregisterCloseCallback", RO,
		  close_callback),
	CALL_ARGS(LV_PROC_CONNECT_SET_IDENTITY, "virConnectSetIdentity", RO,
		  lv_connect_set_identity_args, connect_set_identity),
};
const size_t n_connect_methods = ND_COUNT(connect_methods);
