/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest_filter.h -- a guest that is trusted with it (trustGuestRxFilters='yes') says what its NIC shall receive
 *
 * A macvtap takes frames for one address and no multicast ones, unless told otherwise. A bridge floods and
 * learns: there nothing has to be told.
 */
#pragma once
#include "netd/daemon/guest.h"
#include "vmm/message.h"

/* Main: its process has said so. It does not say more before this was followed. */
void guest_filter_changed(struct guest *g, const struct vmm_nic_filter *f);
