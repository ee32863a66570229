/* SPDX-License-Identifier: GPL-2.0-or-later */
/* capture.h -- net-capture: packets of a network's bridge, shown or recorded with libpcap */
#pragma once
#include "netd/ctl/verb.h"

int capture_run(struct ctl *ctl, const struct verb_args *args, struct nd_error *err);
