/* SPDX-License-Identifier: GPL-2.0-or-later */
/* verbs.h -- the tables of commands, one per noun; main.c lists them */
#pragma once
#include "netd/ctl/verb.h"

#define VERB_GROUP(heading, word, array) \
	{ .title = heading, .keyword = word, .verbs = array, \
	  .n_verbs = sizeof(array) / sizeof((array)[0]) }

extern const struct verb_group network_verbs;
extern const struct verb_group show_verbs;
extern const struct verb_group document_verbs;
extern const struct verb_group event_verbs;
extern const struct verb_group map_verbs;
extern const struct verb_group port_verbs;
extern const struct verb_group datapath_verbs;
extern const struct verb_group domain_verbs;
extern const struct verb_group domain_show_verbs;
extern const struct verb_group run_verbs;
extern const struct verb_group nic_verbs;
extern const struct verb_group device_verbs;
extern const struct verb_group stats_verbs;
extern const struct verb_group nwfilter_verbs;
extern const struct verb_group shell_verbs;
