/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bridge.h -- requests that make, change and remove bridges and their ports */
#pragma once
#include "datapath/link.h"
#include "datapath/plan.h"

/* One request with everything but the alias, which the kernel ignores in a request that creates
 * a link (rtnl_create_link() does not read IFLA_IFALIAS), and the MTU: both are for a change that
 * follows. Fails with EEXIST for any link of that name. */
void bridge_request_create(struct nl_batch *b, const struct plan_bridge *want);

/* What differs from `was` (NULL: everything, the alias too). */
void bridge_request_change(struct nl_batch *b, int ifindex, const struct plan_bridge *was,
			   const struct plan_bridge *want);

void link_request_delete(struct nl_batch *b, int ifindex, const char *name);
void link_request_up(struct nl_batch *b, int ifindex, const char *name, bool up);

/* How the bridge compares with `like`: what the kernel decides by itself (an MTU that was not
 * asked for, as low as the ports'; the least forward delay while STP runs) reads as asked for. */
struct plan_bridge bridge_from_link(const struct link_info *link, uint32_t least_port_mtu,
				    const struct plan_bridge *like);

/* Puts the link on the bridge, with the attributes of `want`; mtu_bytes 0 leaves the MTU. */
void port_request_attach(struct nl_batch *b, int ifindex, int bridge_ifindex, uint32_t mtu_bytes,
			 const struct plan_port *want);
/* Takes it off whatever bridge it is on; mtu_bytes 0 leaves the MTU. */
void port_request_detach(struct nl_batch *b, int ifindex, uint32_t mtu_bytes,
			 const struct plan_port *was);
/* The static forwarding entry for a guest's MAC; type RTM_NEWNEIGH, RTM_DELNEIGH, RTM_GETNEIGH. */
struct nl_req *port_request_fdb(struct nl_batch *b, uint16_t type, int ifindex, const char *ifname,
				const struct nd_mac *mac);
enum { PORT_VLAN_FIRST = 1, PORT_VLAN_LAST = 4094 };	/* IEEE 802.1Q 9.6 */

/* A VLAN that a port lets through. */
struct port_vlan {
	uint16_t id;
	bool native;		/* frames without a tag are of it */
	bool untagged;		/* its frames leave without a tag */
};

/* No VLAN at all passes the port, not even the one that the bridge gives to every new port. */
void port_request_no_vlans(struct nl_batch *b, int ifindex, const char *ifname);
void port_request_vlans(struct nl_batch *b, int ifindex, const char *ifname,
			const struct port_vlan *vlans, size_t n);

/* Whether the port has such an entry. */
bool port_has_fdb(struct nl *nl, const struct link_info *link, const struct nd_mac *mac);
