/* SPDX-License-Identifier: GPL-2.0-or-later */
/* plan_call.h -- netd's call NETWORK_PLAN: what a network means for the kernel, and what differs */
#pragma once
#include "netd/daemon/calls.h"

/* An rpc_handler. */
int plan_call(struct rpc_call *call, void *args, void *ret, struct nd_error *err);
