/* SPDX-License-Identifier: GPL-2.0-or-later */
/* share.h -- which frames are within their sender's fair share of the DHCP server
 *
 * A plugged guest's MAC has a token bucket of its own; all other MACs share a fixed table of
 * buckets by a keyed hash, so that nobody's flood takes memory, and one that changes its MAC with
 * every frame uses up the strangers' share only. What exceeds a share is not refused: it is
 * served when nothing else waits.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "netd/base/addr.h"
#include "netd/base/auto.h"

struct share;

/* NULL: out of memory. */
struct share *share_new(void);
void share_free(struct share *s);		/* NULL is fine */
ND_DEFINE_AUTO(struct share *, share_free)

/* The plugged guests; replaces the old list. 0 or -ENOMEM (the old list stays). */
int share_set_ports(struct share *s, const struct nd_mac *macs, size_t n);

enum share_of {
	SHARE_GUEST,			/* of a plugged guest's own */
	SHARE_STRANGERS,		/* of what all others have together */
	SHARE_NONE,			/* used up */
};

/* Takes a token for one frame of this source MAC, if it has one; of which share. */
enum share_of share_take(struct share *s, const struct nd_mac *mac, uint64_t now_ms);
