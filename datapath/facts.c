/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "datapath/facts.h"

#include "netd/base/str.h"

void host_facts_free(struct host_facts *f)
{
	if (!f)
		return;
	free(f->links);
	free(f->addrs);
	free(f->routes);
	free(f);
}

const struct link_fact *host_facts_link(const struct host_facts *f, const char *name)
{
	for (size_t i = 0; i < f->n_links; i++)
		if (nd_streq(f->links[i].name, name))
			return &f->links[i];
	return NULL;
}
