/* SPDX-License-Identifier: GPL-2.0-or-later */
/* validate.h -- net-validate, nwfilter-validate: is a file what net-define, nwfilter-define would take? */
#pragma once
#include "netd/ctl/verb.h"

int validate_run(struct ctl *ctl, const struct verb_args *args, struct nd_error *err);
int validate_run_filter(struct ctl *ctl, const struct verb_args *args, struct nd_error *err);
