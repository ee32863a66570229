/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fair.h -- whose turn it is: each client's share of memory and of the questions under way
 *
 * A client may hold as much as is still free: alone it gets half of everything, a second one half
 * of the rest (the dynamic thresholds of Choudhury and Hahne, 1998); and a small amount always, so
 * that those who come last and ask little find room. Clients with waiting items take turns.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "netd/base/addr.h"

struct dns_fair;
struct dns_fair_client;

/* Stands first in what waits for its turn. */
struct dns_fair_item {
	struct dns_fair_item *next, *prev;
	struct dns_fair_client *client;		/* who has it queued or under way */
	bool queued, active;
};

struct dns_fair_limits {
	size_t bytes, active;			/* shared out as above */
	size_t client_bytes, client_active;	/* what each client may always have ... */
	size_t bytes_hard;			/* ... up to this in all */
};

/* limits are borrowed. NULL when memory runs out. */
struct dns_fair *dns_fair_new(const struct dns_fair_limits *limits);
void dns_fair_free(struct dns_fair *f);		/* NULL is fine */

/* Charges bytes to the client at this address. NULL when that is over its share (or there is no
 * memory). Every charge is taken back with dns_fair_release(). */
struct dns_fair_client *dns_fair_charge(struct dns_fair *f, const struct nd_ip *address,
					size_t bytes);
void dns_fair_release(struct dns_fair *f, struct dns_fair_client *client, size_t bytes);

/* Puts an item at the end of a client's queue; the client has a charge as long as it is in. */
void dns_fair_push(struct dns_fair *f, struct dns_fair_client *client, struct dns_fair_item *item);
/* Takes the next item whose client may have one more under way, or NULL. */
struct dns_fair_item *dns_fair_next(struct dns_fair *f);
/* True when dns_fair_next() would give one. */
bool dns_fair_ready(const struct dns_fair *f);
/* The item is over, whether it was queued or under way. */
void dns_fair_done(struct dns_fair *f, struct dns_fair_item *item);
