/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bandwidth_params.h -- bandwidth as libvirt's typed parameters: inbound.average and six more */
#pragma once
#include "netd/daemon/calls.h"

struct bandwidth_params {
	struct bandwidth_def to;
	bool in, out;		/* that direction was told, be it "no limit" */
};

int bandwidth_params_parse(const lv_param *params, unsigned n, struct bandwidth_params *out,
			   struct nd_error *err);
/* All of them, zero where there is no limit: a client can then set each. */
enum { BANDWIDTH_PARAMS = 7 };
int bandwidth_params_fill(const struct bandwidth_def *b, lv_param **val, unsigned *len,
			  struct nd_error *err);
