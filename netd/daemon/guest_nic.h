/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest_nic.h -- the host's end of guests' NICs: ports of networks, and devices of their own */
#pragma once
#include "netd/daemon/guest.h"
#include "netd/daemon/netd.h"
#include "vmm/config.h"

#define GUEST_ALIAS_SIZE 64

/* "netd-guest:UUID": on devices that belong to a guest and to no network. */
void guest_nic_alias(const struct guest *g, char out[GUEST_ALIAS_SIZE]);

/* Worker: the device of a NIC that is on no network, with its addresses and bandwidth; fills nic->target and the
 * descriptors. */
int guest_nic_make(struct netd *d, const struct guest *g, struct dom_nic *nic, struct vmm_nic *out,
		   struct nd_error *err);
/* Worker: takes it away again; a network's port is left to guest_nic_unplug(). */
int guest_nic_unmake(struct netd *d, const struct guest *g, const struct dom_nic *nic,
		     struct nd_error *err);

/* Worker: <tune> and <coalesce>, once the device is there, on a network too. */
int guest_nic_tune(const struct dom_nic *nic, const struct vmm_nic *out, struct nd_error *err);

/* Worker: takes away devices of the guest that `but` (NULL: nobody) does not name: a killed netd had
 * made them and not written down. Failures are logged. */
void guest_nic_unmake_strays(struct netd *d, const struct guest *g, const struct dom_def *but);

/* Worker: the bandwidth of a device that is on no network, whatever it is now. */
int guest_nic_shape(struct netd *d, const struct dom_nic *nic, const struct bandwidth_def *want,
		    struct nd_error *err);

/*
 * Main: the port of a NIC that is on a network; fills nic->target, bridge and portid, and the
 * descriptors, then calls done. Both must stay until then.
 */
struct guest_plug {
	struct netd *netd;
	struct dom_nic *nic;
	struct vmm_nic *out;
	void (*done)(void *arg, const struct nd_error *err);
	void *arg;
};

int guest_nic_plug(struct guest_plug *p, const struct guest *g, struct nd_error *err);

/* Main: the port goes, with its TAP and its names. done hears of it; 0: it will; 1: there was
 * nothing to do. Failures are only logged: a guest that is gone cannot keep its port. */
int guest_nic_unplug(struct netd *d, const struct guest *g, const struct dom_nic *nic,
		     void (*done)(void *arg), void *arg);

/* A running NIC's new document: what cannot change must be as it is. ND_ERR_OPERATION_UNSUPPORTED. */
int guest_nic_check_same(const struct dom_nic *is, const struct dom_nic *asked, struct nd_error *err);

/* What the process is told of the NIC; descriptors -1. mtu: of the network, 0 where none is set. */
void guest_nic_config(const struct dom_nic *nic, uint32_t mtu_bytes, struct vmm_nic *out);
