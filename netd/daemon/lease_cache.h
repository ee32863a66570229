/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lease_cache.h -- what netd remembers of a server's leases, so that the lease API never waits
 *
 * Filled by whole lists and by single events; keyed by address. Bounded, since a server may have
 * been taken over.
 */
#pragma once
#include "netd/base/auto.h"
#include "netd/serve/message.h"

#define LEASE_CACHE_MAX 262144

struct lease_cache;

struct lease_cache *lease_cache_new(void);
void lease_cache_free(struct lease_cache *c);	/* NULL is fine */
ND_DEFINE_AUTO(struct lease_cache *, lease_cache_free)

typedef void (*lease_cache_changed)(void *arg, enum serve_lease_change change,
				    const struct serve_lease *lease);

/* One event. changed (may be NULL) hears what it means here: a second "added" is a change. 0,
 * -ENOMEM or -E2BIG. */
int lease_cache_event(struct lease_cache *c, enum serve_lease_change change,
		      const struct serve_lease *lease, lease_cache_changed changed, void *arg);

/* The body of LEASES: all leases. changed hears the differences. 0, -EBADMSG, -ENOMEM, -E2BIG. */
int lease_cache_replace(struct lease_cache *c, struct rd *body, lease_cache_changed changed,
			void *arg);

/* Calls each for the leases of mac (NULL: all), by ascending address. Returns how many. */
size_t lease_cache_each(const struct lease_cache *c, const struct nd_mac *mac,
			void (*each)(void *arg, const struct serve_lease *lease), void *arg);
