/* SPDX-License-Identifier: GPL-2.0-or-later */
/* zone.h -- the names that this network's server knows itself: <dns> records and leases
 *
 * A zone is built from a configuration and then takes and loses leases. Each name has its answer
 * ready in wire form, so a lookup is one hash and one copy.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dns/config.h"
#include "dns/name.h"
#include "dns/names.h"
#include "netd/base/auto.h"
#include "netd/base/error.h"

struct dns_zone;

enum dns_zone_result {
	DNS_ZONE_UNKNOWN,	/* not ours: to be forwarded */
	DNS_ZONE_FOUND,		/* *rrset_out is the answer */
	DNS_ZONE_NODATA,	/* the name is ours and has no such type */
	DNS_ZONE_NXDOMAIN,	/* no such name, and nobody else is asked */
};

/* The configuration is copied from, not kept. Fails on a name that cannot be encoded and when
 * memory runs out. */
int dns_zone_new(const struct dns_config *config, struct dns_zone **out, struct nd_error *err);
void dns_zone_free(struct dns_zone *z);		/* NULL is fine */

/* The same in steps, between which the caller can do other work: tens of thousands of names take
 * longer than queries may wait. begin() makes a zone that knows its domains only; each fill() adds
 * up to n records, *at (first 0) counting what was added: 1 when there is more, 0 at the end. Each
 * dismantle() frees up to n names of a zone that is no longer used: true when there are more; then
 * comes dns_zone_free(). */
int dns_zone_begin(const struct dns_config *config, struct dns_zone **out, struct nd_error *err);
int dns_zone_fill(struct dns_zone *z, const struct dns_config *config, size_t *at, size_t n,
		  struct nd_error *err);
bool dns_zone_dismantle(struct dns_zone *z, size_t n);
ND_DEFINE_AUTO(struct dns_zone *, dns_zone_free)

/* name: in lower case. type DNS_TYPE_ANY finds any one set (RFC 8482 4.1). *rrset_out is valid
 * until the zone next changes. */
enum dns_zone_result dns_zone_find(const struct dns_zone *z, const struct dns_name *name,
				   uint16_t type, const struct dns_rrset **rrset_out);

enum dns_lease_result {
	DNS_LEASE_ADDED,
	DNS_LEASE_BAD_NAME,	/* not letters, digits, '-' and '_'; or one that a client may
				 * not choose: wpad, isatap */
	DNS_LEASE_HOST_NAMED,	/* <dns><host> names this address: that name stays */
	DNS_LEASE_NAME_TAKEN,	/* a record or a configured lease has the name */
	DNS_LEASE_NO_MEMORY,
};

/*
 * Registers the name of a lease: NAME and NAME.domain, and the address' PTR. What follows the
 * first dot of name is cut. Replaces what the address had before. configured: the name comes
 * from the network's XML and beats names that clients choose; between equals the later wins.
 */
enum dns_lease_result dns_zone_lease_add(struct dns_zone *z, const char *name,
					 const struct nd_ip *ip, bool configured);
void dns_zone_lease_remove(struct dns_zone *z, const struct nd_ip *ip);

/* Registers the next n leases of another zone in this one, oldest first; those that clash with its
 * records stay unregistered. 1: there are more, and from must not change until they are copied; 0:
 * that was all; or -ENOMEM. */
int dns_zone_lease_copy(struct dns_zone *to, const struct dns_zone *from, size_t n);
