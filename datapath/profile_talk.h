/* SPDX-License-Identifier: GPL-2.0-or-later */
/* profile_talk.h -- an association of a guest's NIC with a switch, while it is being made
 *
 * Worker. No call waits for anybody: whoever wants to know how it goes looks again after a while.
 */
#pragma once
#include "datapath/datapath.h"
#include "datapath/port_profile.h"

struct profile_talk;

/* Fills ifname, ifindex, vf and vlan of a profile for a guest's macvtap on the device `lower`: 802.1Qbg is for the
 * device below a VLAN's, 802.1Qbh for the physical function of a virtual one. */
int profile_find_device(struct datapath *dp, const char *lower, struct port_profile *p, struct nd_error *err);

/* Sends the request to whom it concerns: the kernel, or lldpad, whose process id stands in the file lldpad_pid.
 * The profile is copied. */
int profile_talk_new(const struct port_profile *p, const char *lldpad_pid, uint8_t request, struct profile_talk **out,
		     struct nd_error *err);
void profile_talk_free(struct profile_talk *t);		/* NULL is fine */
ND_DEFINE_AUTO(struct profile_talk *, profile_talk_free)

/* Of an association: 1, the switch has agreed; 0, not yet; -errno, it failed. */
int profile_talk_look(struct profile_talk *t, struct nd_error *err);
/* Of a disassociation: 1, it was accepted; 0, no answer yet; -errno, it was refused. */
int profile_talk_look_accepted(struct profile_talk *t, struct nd_error *err);
/* The request was refused: there is nothing to be undone. */
bool profile_talk_refused(const struct profile_talk *t);
/* Who has not said anything yet, for an error: "lldpad" or "the switch". */
const char *profile_talk_silent(const struct profile_talk *t);
