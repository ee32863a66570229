/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vf.h -- SR-IOV's virtual functions: a NIC that is part of another one, which says what it may do
 *
 * The physical function (PF) gives each virtual one (VF) a MAC and a VLAN tag that it cannot get round.
 */
#pragma once
#include <net/if.h>

#include "datapath/nl.h"
#include "netd/base/addr.h"

struct vf {
	char pf[IFNAMSIZ];		/* the PF's device; "": it is not in this network namespace */
	uint32_t n;			/* the VF's number */
};

struct vf_setting {
	struct nd_mac mac;		/* zeros: the VF chooses */
	uint16_t vlan;			/* 0: none */
	uint8_t qos;			/* the tag's priority */
	uint16_t proto;			/* ETH_P_8021Q or ETH_P_8021AD */
};

/* Whether the device is a VF, by sysfs (where it is mounted: "/sys"): 1 with *out, 0, or -errno with err. */
int vf_find(const char *sysfs, const char *ifname, struct vf *out, struct nd_error *err);

/* Requests to the PF. */
void vf_request_mac(struct nl_batch *b, int pf_ifindex, const struct vf *vf, const struct nd_mac *mac);
void vf_request_vlan(struct nl_batch *b, int pf_ifindex, const struct vf *vf, const struct vf_setting *s);

/* What RTM_NEWLINK of a PF, asked for with RTEXT_FILTER_VF, says of its nth VF. False: nothing. */
bool vf_decode(const struct nlmsghdr *msg, uint32_t n, struct vf_setting *out);
/* Of the VF now. */
int vf_get(struct nl *nl, int pf_ifindex, const struct vf *vf, struct vf_setting *out, struct nd_error *err);
