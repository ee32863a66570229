/* SPDX-License-Identifier: GPL-2.0-or-later */
/* host_view.h -- the host's links, addresses and main-table routes in memory, kept current
 *
 * Every start and plug must know what the host has; with 500 networks a dump of it takes 13 ms.
 * So the view is dumped once and then follows the kernel's notices, which are read when somebody
 * asks. The notice of an IPv6 address comes when its duplicate detection has passed, a moment
 * after the request returned: the view is for judging collisions, not for checking netd's own work.
 */
#pragma once
#include "datapath/facts.h"
#include "datapath/nl.h"

struct host_view;

int host_view_new(struct host_view **out, struct nd_error *err);
void host_view_free(struct host_view *v);		/* NULL is fine */
ND_DEFINE_AUTO(struct host_view *, host_view_free)

/* Brings the view up to date and copies it. nl: for dumps. What sysctls tell is the caller's to
 * fill in. */
int host_view_facts(struct host_view *v, struct nl *nl, struct host_facts **out,
		    struct nd_error *err);
