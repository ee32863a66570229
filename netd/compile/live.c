/* SPDX-License-Identifier: GPL-2.0-or-later */
/* live.c -- what a start fills in: the live document and the bridge's name */
#include <stdio.h>
#include <string.h>

#include "netd/base/str.h"
#include "netd/compile/subnet.h"

enum { BRIDGE_NUMBER_MAX = 256 };	/* as libvirt: clients count on nothing, people do */

struct net_def *compile_live_def(const struct net_def *def)
{
	struct net_def *live = net_def_copy(def);
	struct forward *f;

	if (!live)
		return NULL;
	f = &live->forward;
	if (f->mode == FORWARD_NAT && !f->nat_port_start) {
		f->has_nat = true;
		f->nat_port_start = 1024;
		f->nat_port_end = 65535;
	}
	return live;
}

static bool is_taken(const char *name, const char *const *taken, size_t n_taken,
		     const struct host_facts *facts)
{
	for (size_t i = 0; i < n_taken; i++)
		if (nd_streq(taken[i], name))
			return true;
	return host_facts_link(facts, name);
}

int compile_bridge_name(const char *template, const char *const *taken, size_t n_taken,
			const struct host_facts *facts, char out[IFNAMSIZ], struct nd_error *err)
{
	const char *number = strstr(template, "%d");
	char name[IFNAMSIZ];

	if (!number)
		return nd_error_set(err, ND_ERR_INTERNAL, "'%s' is no template: it has no '%%d'",
				    template);
	for (int i = 0; i <= BRIDGE_NUMBER_MAX; i++) {
		int len = snprintf(name, sizeof(name), "%.*s%d%s", (int)(number - template), template,
				   i, number + 2);

		if (len >= IFNAMSIZ)
			return nd_error_set(err, ND_ERR_INTERNAL,
					    "bridge name '%s' has no room for number %d: a device's "
					    "name is at most %d bytes", template, i, IFNAMSIZ - 1);
		if (is_taken(name, taken, n_taken, facts))
			continue;
		strcpy(out, name);
		return 0;
	}
	return nd_error_set(err, ND_ERR_INTERNAL,
			    "all bridge names from '%s' number 0 to %d are taken", template,
			    BRIDGE_NUMBER_MAX);
}
