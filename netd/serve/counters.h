/* SPDX-License-Identifier: GPL-2.0-or-later */
/* counters.h -- a server's counters by name, as STATS carries them */
#pragma once
#include "dhcp/dhcp4_service.h"
#include "dns/server.h"
#include "netd/serve/intake.h"
#include "netd/serve/message.h"

/* Each source may be NULL. Returns how many were written. */
size_t counters_collect(const struct intake_counters *intake, const struct dhcp4_stats *dhcp,
			const struct dns_counters *dns,
			struct serve_counter out[SERVE_COUNTERS_MAX]);
