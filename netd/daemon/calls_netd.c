/* SPDX-License-Identifier: GPL-2.0-or-later */
/* calls_netd.c -- netd's own program: what libvirt has no call for */
#include <errno.h>

#include "netd/daemon/calls.h"

static int get_version(struct rpc_call *call, void *args, void *ret, struct nd_error *err)
{
	return wire_str(&((lv_str_ret *)ret)->value, NETD_VERSION_TEXT, err);
}

const struct rpc_method netd_methods[] = {
	CALL_RET(NETD_PROC_GET_VERSION, "netdGetVersion", RPC_READ_ONLY, lv_str_ret, get_version),
};
const size_t n_netd_methods = ND_COUNT(netd_methods);
