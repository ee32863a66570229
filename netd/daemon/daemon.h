/* SPDX-License-Identifier: GPL-2.0-or-later */
/* daemon.h -- putting the daemon together and taking it apart */
#pragma once
#include "netd/daemon/netd.h"

struct daemon_options {
	const char *root, *config, *serve, *schemas;	/* NULL: as installed */
	const char *import_libvirt;	/* a folder: for daemon_import(); NULL: not asked for */
	int log_level;				/* over the configuration's; -1: not given */
	bool no_persist_nft;
};

int daemon_new(const struct daemon_options *opt, struct netd **out, struct nd_error *err);
/* Networks and their servers stay. */
void daemon_free(struct netd *d);
ND_DEFINE_AUTO(struct netd *, daemon_free)

/* Loads what there is, makes the kernel fit, starts what is to be started, then listens. */
int daemon_start(struct netd *d, struct nd_error *err);
/* Instead of all that: takes libvirt's definitions of the folder, while no netd runs. */
int daemon_import(const struct daemon_options *opt, struct nd_error *err);
/* HUP: reads definitions that were put on disk meanwhile, the host's resolvers, and starts
 * networks that are marked for it. */
void daemon_reload(struct netd *d);
