/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/daemon/bandwidth_params.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#include "netd/base/str.h"

static const struct { const char *name; size_t at; bool in; } params[BANDWIDTH_PARAMS] = {
	{ "inbound.average", offsetof(struct bandwidth_rate, average), true },
	{ "inbound.peak", offsetof(struct bandwidth_rate, peak), true },
	{ "inbound.burst", offsetof(struct bandwidth_rate, burst), true },
	{ "inbound.floor", offsetof(struct bandwidth_rate, floor), true },
	{ "outbound.average", offsetof(struct bandwidth_rate, average), false },
	{ "outbound.peak", offsetof(struct bandwidth_rate, peak), false },
	{ "outbound.burst", offsetof(struct bandwidth_rate, burst), false },
};

static size_t param_named(const char *name)
{
	size_t i = 0;

	while (i < BANDWIDTH_PARAMS && !nd_streq(params[i].name, name))
		i++;
	return i;
}

int bandwidth_params_parse(const lv_param *list, unsigned n, struct bandwidth_params *out,
			   struct nd_error *err)
{
	*out = (struct bandwidth_params){ 0 };
	for (unsigned p = 0; p < n; p++) {
		size_t i = param_named(list[p].field);
		struct bandwidth_rate *rate;
		bool told;

		if (i == BANDWIDTH_PARAMS)
			return nd_error_set(err, ND_ERR_ARGUMENT_UNSUPPORTED,
					    "parameter '%s' not supported", list[p].field);
		if (list[p].value.type != LV_PARAM_UINT)
			return nd_error_set(err, ND_ERR_INVALID_ARG, "invalid type for parameter '%s', "
					    "expected 'uint'", list[p].field);
		rate = params[i].in ? &out->to.in : &out->to.out;
		*(uint64_t *)((char *)rate + params[i].at) = list[p].value.lv_param_value_u.ui;
		told = params[i].at == offsetof(struct bandwidth_rate, average) ||
		       params[i].at == offsetof(struct bandwidth_rate, floor);
		out->in |= params[i].in && told;
		out->out |= !params[i].in && told;
	}
	return bandwidth_def_complete(&out->to, err);
}

int bandwidth_params_fill(const struct bandwidth_def *b, lv_param **val, unsigned *len,
			  struct nd_error *err)
{
	*val = calloc(BANDWIDTH_PARAMS, sizeof(**val));
	if (!*val)
		return nd_error_nomem(err);
	for (*len = 0; *len < BANDWIDTH_PARAMS; (*len)++) {
		const struct bandwidth_rate *rate = params[*len].in ? &b->in : &b->out;
		uint64_t n = *(const uint64_t *)((const char *)rate + params[*len].at);
		lv_param *p = &(*val)[*len];

		if (wire_str(&p->field, params[*len].name, err) < 0)
			return -ENOMEM;
		p->value.type = LV_PARAM_UINT;
		p->value.lv_param_value_u.ui = n > UINT32_MAX ? UINT32_MAX : (unsigned)n;
	}
	return 0;
}
