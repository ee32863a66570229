/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rules.h -- netd's tables as they should be, whoever edited them
 *
 * All networks at once: what the plans of those that run have and the tables lack is added, and
 * what no network has is removed, in one transaction. A held network's rules stay as they are.
 */
#pragma once
#include "netd/daemon/netd.h"

struct rules;

int rules_new(struct netd *d, struct rules **out, struct nd_error *err);
void rules_free(struct rules *r);		/* NULL is fine; after the worker's end */
ND_DEFINE_AUTO(struct rules *, rules_free)

/*
 * Queues a look at the tables. While networks are being changed nobody knows what should be in
 * the tables: then it comes when all is quiet.
 * by: who edited them, "" where the kernel does not tell.
 */
void rules_check(struct rules *r, const char *by);
