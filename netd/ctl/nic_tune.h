/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nic_tune.h -- domiftune: an interface's bandwidth, while its guest runs or for its next start */
#pragma once
#include "netd/ctl/verb.h"

int nic_tune_run(struct ctl *ctl, const struct verb_args *args, struct nd_error *err);
