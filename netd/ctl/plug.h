/* SPDX-License-Identifier: GPL-2.0-or-later */
/* plug.h -- net-plug and net-unplug: a guest's NIC for a VMM that netd does not know */
#pragma once
#include "netd/ctl/verb.h"

int plug_run(struct ctl *ctl, const struct verb_args *args, struct nd_error *err);
int plug_run_unplug(struct ctl *ctl, const struct verb_args *args, struct nd_error *err);

/*
 * One word of the command with its marks replaced: %fd, %fds, %vhostfd, %vhostfds, %ifname,
 * %mac, %uuid, %%. fds are joined by ':', as QEMU wants them. NULL: out of memory. Public for its
 * test.
 */
struct plug_marks {
	const int *tap_fds, *vhost_fds;
	size_t n_tap_fds, n_vhost_fds;
	const char *ifname, *mac, *uuid;
};
char *plug_expand(const char *word, const struct plug_marks *marks);
