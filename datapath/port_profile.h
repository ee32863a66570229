/* SPDX-License-Identifier: GPL-2.0-or-later */
/* port_profile.h -- what a switch is told of a guest's NIC: 802.1Qbg and 802.1Qbh
 *
 * A NIC is associated with settings that the switch knows, by number (802.1Qbg: lldpad speaks with the switch, in
 * VDP) or by name (802.1Qbh: the NIC's driver does). Both take the same netlink messages (IFLA_VF_PORTS and
 * IFLA_PORT_SELF of linux/if_link.h). Pure: nothing is sent here.
 */
#pragma once
#include <linux/if_link.h>
#include <net/if.h>

#include "datapath/nl.h"
#include "netd/base/addr.h"

enum port_profile_kind { PORT_PROFILE_QBG, PORT_PROFILE_QBH };

struct port_profile {
	enum port_profile_kind kind;
	char ifname[IFNAMSIZ];		/* the device that leads to the switch */
	int ifindex;
	struct nd_mac mac;		/* the guest's */
	struct nd_uuid instance;	/* 802.1Qbg: of this NIC; 802.1Qbh: the guest's */
	/* 802.1Qbg: */
	uint16_t vlan;			/* 0: none */
	uint8_t manager, version;
	uint32_t type;			/* 24 bits */
	/* 802.1Qbh: */
	uint32_t vf;			/* of the device; PORT_SELF_VF: the device itself */
	char name[PORT_PROFILE_MAX];
	struct nd_uuid host;		/* zeros: not known */
};

/* RTM_SETLINK; request: PORT_REQUEST_ASSOCIATE or PORT_REQUEST_DISASSOCIATE. */
void port_profile_request(struct nl_batch *b, const struct port_profile *p, uint8_t request);
/* RTM_GETLINK: what became of it? */
void port_profile_question(struct nl_batch *b, const struct port_profile *p);

enum { PORT_PROFILE_NO_RESPONSE = -1 };
/* The switch's PORT_VDP_RESPONSE_* or PORT_PROFILE_RESPONSE_* in an answer to the question. */
int port_profile_response(const struct nlmsghdr *answer, const struct port_profile *p);
/* Success is 1, "not yet" 0; what else it says is -EINVAL with err. */
int port_profile_judge(int response, const struct port_profile *p, struct nd_error *err);
