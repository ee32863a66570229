/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest_device.h -- devices of guests come, go and change, while they run and in their definitions */
#pragma once
#include "netd/daemon/guest_life.h"
#include "vmm/message.h"

/* live, config: which documents it concerns, as the caller has found to be possible. device is
 * taken in every case. */
struct guest_device_change {
	struct dom_device *device;
	bool live, config;
};

int guest_attach(struct guest *g, const struct guest_device_change *what, guest_done done, void *arg,
		 struct nd_error *err);
/* done hears that the guest was asked; when it lets go, everything of the device goes, and the
 * event "device removed" tells of it. */
int guest_detach(struct guest *g, const struct guest_device_change *what, guest_done done, void *arg,
		 struct nd_error *err);
/* Of a NIC in a running guest only the state of its link and its bandwidth can change. */
int guest_update(struct guest *g, const struct guest_device_change *what, guest_done done, void *arg,
		 struct nd_error *err);

/* The guest has let go of a NIC (its alias). */
void guest_nic_removed(struct guest *g, const char *alias);
/* NICs that came or went half while no netd was there. */
void guest_nics_compare(struct guest *g, const struct vmm_hello *hello);
