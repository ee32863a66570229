/* SPDX-License-Identifier: GPL-2.0-or-later */
/* destroy_all.h -- netd's call NETWORK_DESTROY_ALL */
#pragma once
#include "netd/daemon/calls.h"

/* An rpc_handler. */
int destroy_all_call(struct rpc_call *call, void *args, void *ret, struct nd_error *err);
