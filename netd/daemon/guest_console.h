/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest_console.h -- a client at a guest's serial port, by a stream */
#pragma once
#include "netd/daemon/guest.h"
#include "netd/rpc/stream.h"

/* In the handler of a call. force: whoever is there is turned away, else ND_ERR_OPERATION_FAILED. */
int guest_console_open(struct guest *g, struct rpc_call *call, const char *device, bool force,
		       struct nd_error *err);
/* The guest is gone: the client at its console gets what it said last, and is told the end; its
 * terminal is closed. */
void guest_console_end(struct guest *g);
