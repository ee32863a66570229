/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/ctl/rate.h"

#include <string.h>

#include "netd/base/auto.h"
#include "netd/base/str.h"
#include "netd/ctl/ctl.h"

int rate_parse(const char *text, struct rate *out)
{
	struct rate r = { 0 };
	const struct { const char *name; uint64_t *to; } fields[] = {
		{ "average", &r.average }, { "peak", &r.peak }, { "burst", &r.burst },
		{ "floor", &r.floor },
	};
	const char *at = text;

	for (size_t i = 0; i < ND_COUNT(fields); i++) {
		size_t len = strcspn(at, ",");
		char number[32];

		snprintf(number, sizeof(number), "%.*s", (int)len, at);
		if (len && (len >= sizeof(number) ||
			    !nd_parse_uint(number, 10, 0, UINT64_MAX, fields[i].to)))
			return ctl_error("field '%s' is malformed", fields[i].name);
		at += len;
		if (!*at) {
			*out = r;
			return 0;
		}
		at++;
	}
	return ctl_error("Rate string '%s' has too many fields", text);
}

int rate_check(const struct rate *r, bool inbound, bool must_be)
{
	bool nothing = !r->peak && !r->burst && !must_be;

	if (inbound)
		return r->average || r->floor || nothing
		       ? 0 : ctl_error("either inbound average or floor is mandatory");
	if (!r->average && !nothing)
		return ctl_error("outbound average is mandatory");
	return r->floor ? ctl_error("outbound floor is unsupported yet") : 0;
}
