/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/ctl/verbs.h"

const struct verb_group *const verb_groups[] = {
	&network_verbs, &show_verbs, &map_verbs, &document_verbs, &event_verbs, &port_verbs,
	&datapath_verbs, &domain_verbs, &run_verbs, &domain_show_verbs, &nic_verbs,
	&device_verbs, &stats_verbs, &nwfilter_verbs, &shell_verbs, NULL,
};
