/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nic_filters.h -- the filters of all guests' NICs, as the kernel has them
 *
 * Belongs to the worker: what it holds changes only there, after the kernel's did.
 */
#pragma once
#include <net/if.h>
#include <stddef.h>

#include "netd/base/error.h"

struct datapath;
struct port_filter;

struct nic_filters;

int nic_filters_new(struct datapath *dp, struct nic_filters **out, struct nd_error *err);
void nic_filters_free(struct nic_filters *f);		/* NULL is fine; the kernel's stay */

/* filter: what the port gets; NULL: none. Owned; after the change it is what the port had. */
struct nic_filter_change {
	char ifname[IFNAMSIZ];
	struct port_filter *filter;
};

/* All of them, in one transaction, or none. Once more with the same array undoes it. */
int nic_filters_change(struct nic_filters *f, struct nic_filter_change *changes, size_t n, struct nd_error *err);
/* The same for ports that have a filter: those that lost theirs since the changes were thought of fall out of
 * the array. */
int nic_filters_replace(struct nic_filters *f, struct nic_filter_change *changes, size_t *n, struct nd_error *err);
/* Of ports that are gone: their filters go, in the kernel now or, after an error, when it is mended. */
int nic_filters_drop(struct nic_filters *f, const struct nic_filter_change *gone, size_t n, struct nd_error *err);
/* At netd's start: these are all there shall be; after an error, too, once the kernel's can be mended. */
int nic_filters_adopt(struct nic_filters *f, struct nic_filter_change *all, size_t n, struct nd_error *err);
/* The kernel's are made what they should be. */
int nic_filters_mend(struct nic_filters *f, struct nd_error *err);
