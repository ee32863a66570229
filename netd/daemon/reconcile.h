/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reconcile.h -- making the kernel what the files say: at the daemon's start, and when it drifts */
#pragma once
#include "netd/daemon/netd.h"

/* Loads definitions and live state into the registry. Before the loop runs. */
void reconcile_load(struct netd *d);
