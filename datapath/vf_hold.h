/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vf_hold.h -- virtual functions that guests have for themselves, and what is put back afterwards
 *
 * What the PF gave the VF before is noted in the folder of struct datapath_options' run_dir, so that also the next
 * netd can put it back.
 */
#pragma once
#include "datapath/datapath.h"

struct vf_wanted {
	const char *ifname;		/* the VF's device */
	const char *owner;		/* the guest's alias (guest_link.h) */
	struct nd_mac mac;		/* the guest's */
	bool has_vlan;			/* else the VF keeps the tag that it has */
	uint16_t vlan;			/* 0: none */
};

/* Whether the device is a VF: 1, 0, or -errno with err. */
int datapath_is_vf(struct datapath *dp, const char *ifname, struct nd_error *err);
/* Gives the VF the guest's MAC and tag. 1; 0 when the device is no VF: nothing was done. */
int datapath_vf_hold(struct datapath *dp, const struct vf_wanted *want, struct nd_error *err);
/* Puts back what the VF had; nothing where the owner does not hold it. */
int datapath_vf_release(struct datapath *dp, const char *ifname, const char *owner, struct nd_error *err);
/* All that the owner holds, but those of which keep (NULL: none) says so. */
int datapath_vf_release_all(struct datapath *dp, const char *owner, bool (*keep)(void *arg, const char *ifname),
			    void *arg, struct nd_error *err);
