/* SPDX-License-Identifier: GPL-2.0-or-later */
/* metadata.h -- net-desc and net-metadata */
#pragma once
#include "netd/ctl/verb.h"

int metadata_run_desc(struct ctl *ctl, const struct verb_args *args, struct nd_error *err);
int metadata_run_element(struct ctl *ctl, const struct verb_args *args, struct nd_error *err);
