/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dns/config.h"

#include <stdlib.h>
#include <string.h>

static void hosts_free(struct dns_config *c)
{
	for (size_t i = 0; i < c->n_hosts; i++) {
		for (size_t j = 0; j < c->hosts[i].n_names; j++)
			free(c->hosts[i].names[j]);
		free(c->hosts[i].names);
	}
	free(c->hosts);
}

void dns_config_fini(struct dns_config *c)
{
	hosts_free(c);
	for (size_t i = 0; i < c->n_txts; i++) {
		free(c->txts[i].name);
		free(c->txts[i].value);
	}
	for (size_t i = 0; i < c->n_srvs; i++) {
		free(c->srvs[i].owner);
		free(c->srvs[i].target);
	}
	for (size_t i = 0; i < c->n_rules; i++)
		free(c->rules[i].domain);
	free(c->txts);
	free(c->srvs);
	free(c->rules);
	free(c->local_ptr);
	free(c->upstreams);
	free(c->subnets);
	free(c->domain);
	memset(c, 0, sizeof(*c));
}
