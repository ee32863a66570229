/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libvirt_leases.h -- the leases that libvirt's dnsmasq gave, as its lease helper keeps them
 *
 * BRIDGE.status below /var/lib/libvirt/dnsmasq: a JSON array of objects with ip-address,
 * mac-address, hostname, client-id and expiry-time (seconds of the wall clock; 0: never). What
 * clients sent is in it, so nothing of it is believed.
 */
#pragma once
#include "dhcp/lease_store.h"

#define LIBVIRT_LEASES_MAX_BYTES (16u << 20)
#define LIBVIRT_LEASES_MAX 65536

struct libvirt_leases {
	struct lease_row *rows;
	size_t n;
	size_t n_v6;			/* DHCPv6 leases, which are not taken */
	size_t n_past;			/* expired */
};

/*
 * Reads the whole text; nothing at all is an empty list, as the file of a new network is. now is
 * the wall clock's and the boot clock's time. -EINVAL with err for what is no such list: then out
 * is empty. Caller frees with libvirt_leases_fini().
 */
struct libvirt_now {
	int64_t wall_s;
	uint64_t boottime_ms;
};

int libvirt_leases_parse(const char *text, size_t len, struct libvirt_now now,
			 struct libvirt_leases *out, struct nd_error *err);
void libvirt_leases_fini(struct libvirt_leases *l);

static inline void nd_auto_libvirt_leases_fini(struct libvirt_leases *l)
{
	libvirt_leases_fini(l);
}
