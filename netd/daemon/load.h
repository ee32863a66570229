/* SPDX-License-Identifier: GPL-2.0-or-later */
/* load.h -- what the files say of networks, into the registry */
#pragma once
#include "netd/daemon/netd.h"

/* Definitions, live state and ports; what no file knows is swept. Before the loop runs. */
void load_all(struct netd *d);
/* Definitions that were put on disk meanwhile; of a network that is being changed what is there stays. */
void load_definitions(struct netd *d);
