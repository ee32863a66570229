/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dhcp4_pool.h -- the addresses that may be given to anybody, and which of them were never used
 *
 * All ranges together are one row of numbers from 0; a bit per number says "taken". Words of 64
 * bits that are full are marked in a bitmap above, and so on, so that the next free number is
 * found in a few steps however full the pool is.
 */
#pragma once
#include "dhcp/config.h"
#include "netd/base/auto.h"

#define DHCP4_POOL_NONE SIZE_MAX

struct dhcp4_pool;

/* Copies the ranges; where they overlap, an address belongs to the lower one. NULL when out of
 * memory. */
struct dhcp4_pool *dhcp4_pool_new(const struct dhcp_config *config);
void dhcp4_pool_free(struct dhcp4_pool *p);		/* NULL is fine */
ND_DEFINE_AUTO(struct dhcp4_pool *, dhcp4_pool_free)

size_t dhcp4_pool_size(const struct dhcp4_pool *p);
/* The address' number, or DHCP4_POOL_NONE when it is in no range. */
size_t dhcp4_pool_index(const struct dhcp4_pool *p, struct in_addr address);
struct in_addr dhcp4_pool_address(const struct dhcp4_pool *p, size_t index);
/* Of the address' range; 0 when the range has none of its own. */
uint32_t dhcp4_pool_lease_time_s(const struct dhcp4_pool *p, size_t index);

void dhcp4_pool_set_taken(struct dhcp4_pool *p, size_t index, bool taken);
size_t dhcp4_pool_n_untaken(const struct dhcp4_pool *p);
/* The first number from start on, going round, that is not taken; or DHCP4_POOL_NONE. */
size_t dhcp4_pool_find_untaken(const struct dhcp4_pool *p, size_t start);
