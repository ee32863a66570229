/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sandbox.h -- what a guest's process gives up before the guest runs
 *
 * In this order: root and every capability, limits, the whole file system by Landlock where the
 * kernel has it, all system calls but a few. Nothing of it can be undone. No name is opened
 * afterwards: there is no system call for it. vCPU threads narrow their system calls once more.
 */
#pragma once
#include <stdint.h>
#include <sys/types.h>

#include "netd/base/error.h"

/* uid (and gid) to become; 0: stay. ram_bytes bounds the address space. With one thread. */
int sandbox_drop(uid_t uid, uint64_t ram_bytes, struct nd_error *err);
/* Landlock and the I/O thread's filter, which all later threads inherit. */
int sandbox_lock(struct nd_error *err);
/* On a vCPU's thread: its own filter on top. */
int sandbox_vcpu(struct nd_error *err);
