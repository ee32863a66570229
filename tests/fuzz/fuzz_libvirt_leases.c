/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The leases that libvirt left: whatever stands there, what is read is fit for the lease store. */
#include <stdlib.h>
#include <string.h>

#include "netd/daemon/libvirt_leases.h"

#define MUST(condition) do { if (!(condition)) abort(); } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void row_check(const struct lease_row *row, struct libvirt_now now)
{
	MUST(row->state == LEASE_ROW_BOUND && !row->plugged && !row->name_configured);
	MUST(!nd_mac_is_multicast(&row->mac) && !nd_mac_is_zero(&row->mac));
	MUST(row->expires_ms > now.boottime_ms);
	MUST(memchr(row->hostname, '\0', sizeof(row->hostname)));
	for (const char *c = row->hostname; *c; c++)
		MUST((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
		     (*c >= '0' && *c <= '9') || *c == '-' || *c == '_');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct libvirt_now now = { .wall_s = 1700000000, .boottime_ms = 5000 };
	struct libvirt_leases leases;
	struct nd_error err = { 0 };

	if (libvirt_leases_parse((const char *)data, size, now, &leases, &err) < 0) {
		MUST(err.text[0] && !leases.rows && !leases.n);
		return 0;
	}
	MUST(leases.n + leases.n_v6 + leases.n_past <= LIBVIRT_LEASES_MAX);
	for (size_t i = 0; i < leases.n; i++)
		row_check(&leases.rows[i], now);
	libvirt_leases_fini(&leases);
	return 0;
}
