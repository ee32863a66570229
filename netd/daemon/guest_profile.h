/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest_profile.h -- guests' macvtaps and the switch's settings for them: <virtualport type='802.1Qbg'> and '802.1Qbh'
 *
 * The device is set up when the switch has agreed. That may take seconds, in which only the guest in hand waits.
 */
#pragma once
#include "netd/daemon/guest.h"

struct profile_talk;

bool guest_nic_has_profile(const struct dom_nic *nic);
bool guest_has_profiles(const struct dom_nic *nics, size_t n);

struct guest_profile_walk {
	struct operation *op;
	struct guest *guest;
	const struct dom_nic *nics;	/* borrowed until the walk is over */
	size_t n;
	size_t asked;			/* for so many, from the first on, the switch may have been asked */

	/* guest_profile.c's own */
	size_t at;
	struct worker_job job;
	struct profile_talk *talk;
	sd_event_source *timer;
	uint64_t deadline_us;
	int result;
	struct nd_error err;
};

/* Main, as a step that waits: all of them are associated and set up, one after the other. OP_WAIT, OP_DONE or an
 * error. Those that were asked for are left to guest_profiles_end(). */
int guest_profiles_begin(struct guest_profile_walk *w, struct nd_error *err);
/* Worker: the switch forgets them. Failures are only logged. */
void guest_profiles_end(struct guest *g, const struct dom_nic *nics, size_t n);
