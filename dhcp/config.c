/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dhcp/config.h"

#include <stdlib.h>
#include <string.h>

void dhcp_config_fini(struct dhcp_config *c)
{
	free(c->pools);
	free(c->reservations);
	free(c->routes);
	memset(c, 0, sizeof(*c));
}
