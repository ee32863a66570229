/* SPDX-License-Identifier: GPL-2.0-or-later */
/* devices.h -- the guest's NICs, disks and entropy: made from the configuration, plugged, unplugged
 *
 * All calls are made under the loop's lock (or before the loop runs).
 */
#pragma once
#include "netd/base/auto.h"
#include "netd/base/error.h"
#include "vmm/config.h"
#include "vmm/loop.h"
#include "vmm/memory.h"
#include "vmm/message.h"
#include "vmm/pci.h"

/* What devices are made of and report to. Everything in it outlives them. */
struct devices_env {
	const char *name;		/* the guest's, for the log */
	struct loop *loop;
	const struct memory *memory;
	struct pci_bus *pci;
	void *arg;
	void (*plugged)(void *arg, unsigned slot);		/* tell the guest */
	void (*unplug_wanted)(void *arg, unsigned slot);	/* ask the guest */
	void (*nic_removed)(void *arg, const char *id);		/* the guest let go */
	void (*filter_changed)(void *arg, const char *id);	/* devices_nic_filter() has something new */
};

struct devices;

/* Takes the descriptors of the NICs and disks out of c. */
int devices_new(struct vmm_config *c, const struct devices_env *env, struct devices **out,
		struct nd_error *err);
void devices_free(struct devices *d);
ND_DEFINE_AUTO(struct devices *, devices_free)

/* Takes the descriptors of n on success; the guest is told. */
int devices_nic_add(struct devices *d, struct vmm_nic *n, struct nd_error *err);
/* Asks the guest; nic_removed is called when it has let go. */
int devices_nic_remove(struct devices *d, const char *id, struct nd_error *err);
int devices_nic_link(struct devices *d, const char *id, bool up, struct nd_error *err);
int devices_nic_mtu(struct devices *d, const char *id, uint32_t mtu_bytes, struct nd_error *err);
/* What the guest wants to see of the NIC, if it is new and the one before was seen: at most one is under way. */
bool devices_nic_filter(struct devices *d, const char *id, struct vmm_nic_filter *out);
int devices_nic_filter_seen(struct devices *d, const char *id, struct nd_error *err);
/* For one that has heard nothing yet: all are new again. */
void devices_filters_again(struct devices *d);
int devices_nic_announce(struct devices *d, const char *id, struct nd_error *err);

/* Ids of the plugged NICs, at most max of them; returns how many. */
size_t devices_nics(const struct devices *d, char (*ids_out)[VMM_ID_MAX], size_t max);
/* Appends what devices count; returns the new n. */
size_t devices_counters(const struct devices *d, struct vmm_counter *list, size_t n, size_t max);
