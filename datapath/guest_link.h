/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest_link.h -- devices of guests that are on no network of netd's: TAPs of their own, macvtaps
 *
 * Their alias is "netd-guest:UUID", by which netd knows them again; a plan does not have them.
 */
#pragma once
#include "datapath/bridge.h"
#include "datapath/datapath.h"
#include "datapath/ovsdb.h"

struct guest_link {
	const char *name;		/* may hold one %d, but for a device that is there already */
	const char *alias;
	struct nd_mac mac;		/* the guest's */
	uint32_t mtu_bytes;		/* 0: as the bridge, or the device below */
	unsigned queues;		/* 1 to 256 */
	/* On which bridge ("": none), and whether as an isolated port; or on which device. */
	const char *bridge;
	bool isolated;
	/* Of the bridge's VLANs only these; none named: as the bridge gives them to new ports. */
	const struct port_vlan *vlans;
	size_t n_vlans;
	const char *lower, *mode;	/* macvtap: vepa, bridge, private, passthrough */
	bool down;			/* macvtap: it is set up later, by datapath_guest_set_up() */
	/* macvtap: the device below, where it is a virtual function, is the guest's alone: it gets its MAC, and a tag. */
	bool holds_vf, has_vf_vlan;
	uint16_t vf_vlan;
	const char *device;		/* where TAPs are made; NULL: /dev/net/tun */
	const struct ovs_port *ovs;	/* the bridge is Open vSwitch's; NULL: the kernel's. Its ifname is not read */
};

/* Makes a TAP, on the bridge where there is one, and sets it up. The caller closes fds_out. */
int datapath_guest_tap(struct datapath *dp, const struct guest_link *want, char name_out[IFNAMSIZ],
		       int *fds_out, struct nd_error *err);
/* Opens a TAP that somebody else has made. */
int datapath_guest_tap_open(struct datapath *dp, const struct guest_link *want, int *fds_out,
			    struct nd_error *err);
/* Makes a macvtap on want->lower and sets it up. datapath_guest_macvtap_delete() also puts back what a virtual
 * function had. */
int datapath_guest_macvtap(struct datapath *dp, const struct guest_link *want,
			   char name_out[IFNAMSIZ], int *fds_out, struct nd_error *err);
/* Removes it, as datapath_guest_delete() does. */
int datapath_guest_macvtap_delete(struct datapath *dp, const char *name, const char *alias, const char *lower,
				  struct nd_error *err);
/* Removes one that an earlier netd had made for the owner of the alias, and not named. */
int datapath_guest_macvtap_delete_unnamed(struct datapath *dp, const char *alias, struct nd_error *err);
/* mtu_bytes 0: as it is. */
int datapath_guest_set_up(struct datapath *dp, const char *name, uint32_t mtu_bytes, struct nd_error *err);
/* Removes the device of that name if it carries the alias; no error when it does not, or is gone. */
int datapath_guest_delete(struct datapath *dp, const char *name, const char *alias,
			  struct nd_error *err);

/* Removes a guest's ports from Open vSwitch's bridges (see ovsdb_ports_remove()). */
int datapath_guest_ovs_remove(struct datapath *dp, const struct nd_uuid *guest,
			      bool (*keep)(void *arg, const char *ifname), void *arg, struct nd_error *err);

/* Addresses and routes of a device: whether none of the plan's are there yet, else an error that names one ... */
int datapath_guest_addresses_free(struct datapath *dp, const char *name, const struct plan *want,
				  struct nd_error *err);
/* ... all of them are given, or none ... */
int datapath_guest_addresses_add(struct datapath *dp, const char *name, const struct plan *want,
				 struct nd_error *err);
/* ... and taken away again, as far as they are there. */
int datapath_guest_addresses_remove(struct datapath *dp, const char *name, const struct plan *had,
				    struct nd_error *err);

/* Makes the shaper and policer of the plan the device's own, whatever netd gave it before. */
int datapath_guest_shape(struct datapath *dp, const char *name, const struct plan *want,
			 struct nd_error *err);

/* What a guest's macvtap receives: frames for mac, and multicast ones. Nothing where the device does not carry
 * the alias. */
int datapath_guest_filter(struct datapath *dp, const char *name, const char *alias, const struct nd_mac *mac,
			  bool multicast, struct nd_error *err);

/* What the kernel has counted on the device, seen from the host. */
struct link_counters {
	uint64_t rx_bytes, rx_packets, rx_errors, rx_dropped;
	uint64_t tx_bytes, tx_packets, tx_errors, tx_dropped;
};

int datapath_link_counters(struct datapath *dp, const char *name, struct link_counters *out,
			   struct nd_error *err);
