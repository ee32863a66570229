/* SPDX-License-Identifier: GPL-2.0-or-later */
/* effect.h -- the gate in front of every call that changes the kernel, a file or a process
 *
 * A function that is about to make such a change asks nd_effect() first and gives up with its
 * result when that is negative. Normally it answers 0 at once. Under NETD_FAULT (read once, only
 * in builds with -Dfaults=true) the n-th effect kills the process or fails with a chosen error:
 *
 *	NETD_FAULT=17:kill	SIGKILL just before effect 17
 *	NETD_FAULT=17:EBUSY	effect 17 fails with EBUSY
 *	NETD_FAULT=count:FILE	writes one line per effect ("N KIND WHAT") to FILE
 *
 * Tests walk n from 1 to the end of every operation.
 */
#pragma once

enum nd_effect_kind {
	ND_EFFECT_RTNL,
	ND_EFFECT_NFT,
	ND_EFFECT_IOCTL,
	ND_EFFECT_FILE,
	ND_EFFECT_PROCESS,
};

#ifdef ND_FAULTS
int nd_effect(enum nd_effect_kind kind, const char *what);
#else
static inline int nd_effect(enum nd_effect_kind kind, const char *what)
{
	(void)kind;
	(void)what;
	return 0;
}
#endif
