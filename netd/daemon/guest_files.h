/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest_files.h -- what a guest's process is given open: KVM, kernel, disks, terminal
 *
 * Worker. netd opens files as root: who may define guests may have any file of the host read, as
 * with libvirt.
 */
#pragma once
#include "netd/daemon/paths.h"
#include "netd/model/domain.h"
#include "vmm/config.h"

/* Opens all into c (from vmm_config_init()), whose disks are made; on failure the caller's
 * vmm_config_fini() closes what is open. tty_out: the terminal's path, or "" without a console. */
int guest_files_open(const struct dom_def *def, const struct paths *paths, struct vmm_config *c,
		     char tty_out[64], struct nd_error *err);

/* One descriptor of vhost-net for each queue pair; where the kernel has none (false) and the
 * document insists on it, that is logged under the guest's name. */
bool guest_files_vhost(const struct dom_nic *nic, const char *guest, struct vmm_nic *out);
