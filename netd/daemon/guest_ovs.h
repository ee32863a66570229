/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest_ovs.h -- guests' NICs on Open vSwitch's bridges: <virtualport type='openvswitch'> of an interface of type bridge */
#pragma once
#include "datapath/ovsdb.h"
#include "netd/daemon/guest.h"
#include "netd/daemon/netd.h"

bool guest_nic_is_ovs(const struct dom_nic *nic);

/* A NIC as a port, which borrows from both; the caller frees out->trunks. Gives the NIC an interfaceid where it
 * has none. */
int guest_ovs_port(const struct guest *g, struct dom_nic *nic, struct ovs_port *out, struct nd_error *err);
/* Worker: the NIC's port goes. */
int guest_ovs_unplug(struct netd *d, const struct guest *g, const struct dom_nic *nic, struct nd_error *err);
/* Worker: ports of the guest go that `but` (NULL: nobody) does not name. */
int guest_ovs_unplug_strays(struct netd *d, const struct guest *g, const struct dom_def *but, struct nd_error *err);
