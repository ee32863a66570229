/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sandbox.h -- what a server gives up before it reads the first byte of a guest
 *
 * In this order: limits, the file system (chroot to its lease folder), root and every capability,
 * Landlock where the kernel has it, all system calls but a few. Nothing of it can be undone.
 * Must be entered with one thread; threads made later inherit it.
 */
#pragma once
#include <sys/types.h>

#include "netd/base/addr.h"
#include "netd/base/error.h"

struct sandbox {
	const char *lease_root;		/* holds UUID/ */
	struct nd_uuid uuid;
	uid_t uid;			/* and gid; must own UUID/ */
};

/* What does not depend on the network, so that a spare does it while nobody waits: limits, and the
 * capabilities that a program it might execute would have. Before the others. */
int sandbox_prepare(struct nd_error *err);

/*
 * First half: chroot, ids, capabilities. Afterwards the process owns nothing but its
 * descriptors, and may still make system calls that the second half forbids (listen).
 */
int sandbox_drop(const struct sandbox *s, struct nd_error *err);

/* Second half: Landlock and the system call filter. */
int sandbox_lock(struct nd_error *err);
