/* SPDX-License-Identifier: GPL-2.0-or-later */
/* netd.h -- the daemon: everything that its handlers and operations need, in one place */
#pragma once
#include <systemd/sd-event.h>

#include "datapath/datapath.h"
#include "netd/daemon/config.h"
#include "netd/daemon/events.h"
#include "netd/daemon/guest.h"
#include "netd/daemon/guest_store.h"
#include "netd/daemon/host_dns.h"
#include "netd/daemon/lease_dir.h"
#include "netd/daemon/network.h"
#include "netd/daemon/operation.h"
#include "netd/daemon/paths.h"
#include "netd/daemon/servers.h"
#include "netd/daemon/store.h"
#include "netd/daemon/worker.h"
#include "netd/rpc/server.h"

struct netd {
	struct paths paths;
	struct netd_config config;
	sd_event *event;
	struct registry networks;
	struct guests guests;
	struct nwfilters *nwfilters;
	struct events *events;
	struct op_queue *operations;
	struct servers *servers;
	struct host_dns *host_dns;
	struct rpc_server *rpc;
	unsigned unread;		/* files of networks and ports that were skipped at start */
	bool round_waiting;		/* a look at all is queued, or at work */
	bool round_again;		/* ... and another was asked for meanwhile */
	bool first_of_boot;		/* the networks to be started at boot are being started ... */
	unsigned autostarting;		/* ... so many have not ended */
	struct drift *drift;
	struct foreign *foreign;
	struct takeover *takeover;	/* NULL: not asked for, or nothing is left */
	struct calls *calls;
	struct access *access;
	gid_t group;			/* of those who may change networks; 0: root's alone */
	bool own_sockets;		/* not passed by systemd */

	/* used on the worker */
	struct worker *worker;
	struct datapath *datapath;
	struct store *store;
	struct guest_store *guest_store;
	struct nic_filters *nic_filters;
	struct lease_dirs *lease_dirs;
};
