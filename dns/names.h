/* SPDX-License-Identifier: GPL-2.0-or-later */
/* names.h -- names and the records that stand at them, ready in wire form
 *
 * Below an apex the names between it and a record are there, too, without records (RFC 8020);
 * elsewhere nobody asks for them.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dns/name.h"

/* Resource records of one type at one name. Each record's owner is a compression pointer to the
 * question (offset 12), its class IN and its TTL 0. */
struct dns_rrset {
	uint16_t type, count;
	uint32_t len;
	uint8_t *wire;
};

struct dns_names {
	struct nd_hash *nodes;		/* by lower-case wire name */
	struct dns_name *apexes;
	size_t n_apexes;
	size_t dismantled;		/* position in nodes */
};

/* 0 or -ENOMEM. */
int dns_names_init(struct dns_names *names);
void dns_names_fini(struct dns_names *names);
/* Frees up to count names of those that are no longer used, before fini(): true when there are
 * more. */
bool dns_names_dismantle(struct dns_names *names, size_t count);

/* All names are in lower case from here on. */

/* Makes this name the apex of a domain; before there are names below it. 0 or -ENOMEM. */
int dns_names_add_apex(struct dns_names *names, const struct dns_name *name);
/* The name is an apex or below one. */
bool dns_names_below_apex(const struct dns_names *names, const struct dns_name *name);

/* Adds a record, once. holder: whose the set is when this is its first record, NULL: the
 * configuration's. 0 or -ENOMEM. */
int dns_names_add(struct dns_names *names, const struct dns_name *owner, uint16_t type,
		  const uint8_t *rdata, size_t rdata_len, const void *holder);
/* Removes the set of this type, if it is the holder's. */
void dns_names_remove(struct dns_names *names, const struct dns_name *owner, uint16_t type,
		      const void *holder);

enum dns_names_result {
	DNS_NAMES_NONE,		/* no such name */
	DNS_NAMES_BARE,		/* an apex or a name between: no records at all */
	DNS_NAMES_OTHER,	/* records of other types */
	DNS_NAMES_FOUND,
};

/* type DNS_TYPE_ANY: any one set. *rrset_out is valid until the names next change. */
enum dns_names_result dns_names_find(const struct dns_names *names, const struct dns_name *name,
				     uint16_t type, const struct dns_rrset **rrset_out);
/* True when there is a set of this type; *holder_out as in add(). */
bool dns_names_holder(const struct dns_names *names, const struct dns_name *name, uint16_t type,
		      void **holder_out);
