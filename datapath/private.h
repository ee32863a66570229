/* SPDX-License-Identifier: GPL-2.0-or-later */
/* private.h -- what a struct datapath holds; for the files of this folder and its tests */
#pragma once
#include "datapath/datapath.h"
#include "datapath/host_view.h"
#include "datapath/link.h"
#include "datapath/nft.h"
#include "datapath/nl.h"
#include "datapath/remover.h"
#include "datapath/sysctl.h"
#include "netd/base/hash.h"

struct datapath {
	int run_fd;
	const char *ovsdb;		/* NULL: there is none */
	const char *sysfs;
	struct nl *nl;
	struct nft *nft;
	struct port_filters *filters;
	struct sysctl_keeper *sysctls;
	struct remover *remover;
	struct host_view *view;
	struct nd_hash *bridges;	/* name -> struct known_bridge: ours, seen by this process */
};

struct known_bridge {
	char name[IFNAMSIZ];
	int ifindex;
};

/* A guest's device: its queues are closed, and the numbers forgotten, as they may be somebody else's by then; ... */
void guest_queues_close(int *fds, unsigned n);
/* ... it is deleted, if it is not gone. */
int guest_link_delete(struct datapath *dp, const struct link_info *link, struct nd_error *err);

/* Where TAPs are made; NULL: /dev/net/tun. A descriptor, or a negative errno. */
int tap_device_open(const char *path, struct nd_error *err);

/* The link is the bridge of the plan: it carries the alias, an intent announced it, or this
 * process has seen it as ours before (its alias may have been changed since). Remembers it. */
bool datapath_owns(struct datapath *dp, const struct plan_bridge *b, const struct link_info *link);
void datapath_forget_bridge(struct datapath *dp, const char *name);
