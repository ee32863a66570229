/* SPDX-License-Identifier: GPL-2.0-or-later */
/* drift.h -- the kernel's notices, judged: which network is not as its plan says any more
 *
 * A notice that agrees with the applied plan, as those of netd's own changes do, costs a look at
 * memory. Others queue a check, which reads the kernel.
 */
#pragma once
#include "netd/daemon/netd.h"

struct drift;

/* Watches from now on; also looks at everything each 25 s, for sysctls that the kernel does not
 * tell of. */
int drift_new(struct netd *d, struct drift **out, struct nd_error *err);
void drift_free(struct drift *w);
ND_DEFINE_AUTO(struct drift *, drift_free)
