/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netd/serve/counters.h"

#include <stddef.h>
#include <string.h>

struct row {
	const char *name;
	size_t offset;
};

#define INTAKE(field) { "frames_" #field, offsetof(struct intake_counters, field) }
static const struct row intake_rows[] = {
	{ "frames", offsetof(struct intake_counters, frames) },
	INTAKE(served), INTAKE(over_share), INTAKE(dropped_share), INTAKE(dropped_foreign),
	INTAKE(dropped_kernel),
};

#define DHCP(field) { "dhcp4_" #field, offsetof(struct dhcp4_stats, field) }
static const struct row dhcp_rows[] = {
	DHCP(received), DHCP(malformed), DHCP(discover), DHCP(request), DHCP(decline),
	DHCP(release), DHCP(inform), DHCP(bootp), DHCP(offer), DHCP(ack), DHCP(nak), DHCP(spoofed),
	DHCP(no_address), DHCP(quota), DHCP(store_failed), DHCP(store_busy),
};

#define DNS(field) { "dns_" #field, offsetof(struct dns_counters, field) }
static const struct row dns_rows[] = {
	DNS(queries_udp), DNS(queries_tcp), DNS(local), DNS(cache_hits), DNS(forwarded),
	DNS(coalesced), DNS(refused_source), DNS(refused_no_upstream), DNS(malformed),
	DNS(dropped_share), DNS(servfail), DNS(truncated), DNS(send_failed), DNS(tcp_refused),
	DNS(upstream_sent), DNS(upstream_answers), DNS(upstream_timeouts), DNS(upstream_tcp),
	DNS(upstream_forged), DNS(upstream_inside), DNS(cache_entries), DNS(cache_bytes),
	DNS(questions_in_flight), DNS(tcp_clients),
};

static size_t rows_collect(const struct row *rows, size_t n, const void *from,
			   struct serve_counter *out)
{
	if (!from)
		return 0;
	for (size_t i = 0; i < n; i++) {
		strncpy(out[i].name, rows[i].name, sizeof(out[i].name) - 1);
		out[i].name[sizeof(out[i].name) - 1] = '\0';
		memcpy(&out[i].value, (const char *)from + rows[i].offset, sizeof(out[i].value));
	}
	return n;
}

size_t counters_collect(const struct intake_counters *intake, const struct dhcp4_stats *dhcp,
			const struct dns_counters *dns,
			struct serve_counter out[SERVE_COUNTERS_MAX])
{
	size_t n = rows_collect(intake_rows, ND_COUNT(intake_rows), intake, out);

	n += rows_collect(dhcp_rows, ND_COUNT(dhcp_rows), dhcp, out + n);
	n += rows_collect(dns_rows, ND_COUNT(dns_rows), dns, out + n);
	return n;
}
