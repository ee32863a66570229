/* SPDX-License-Identifier: GPL-2.0-or-later */
/* host_dns.h -- the host's resolvers and names, followed live
 *
 * What resolv.conf names only through a stub on a loopback address (systemd-resolved) is read from
 * systemd-resolved's own list of real servers instead: netd-serve reaches its upstreams directly.
 */
#pragma once
#include <systemd/sd-event.h>

#include "dns/config.h"
#include "netd/base/auto.h"
#include "netd/base/error.h"
#include "netd/daemon/paths.h"

struct host_dns;

/* Reads the files now and watches them; changed is called when the servers or names are others. */
int host_dns_new(sd_event *event, const struct paths *paths, void (*changed)(void *arg), void *arg,
		 struct host_dns **out, struct nd_error *err);
void host_dns_free(struct host_dns *h);
ND_DEFINE_AUTO(struct host_dns *, host_dns_free)

/* What the host's files say: never changed, replaced as a whole. Counted on the main thread. */
struct host_names {
	unsigned refs;
	struct dns_upstream *upstreams;
	size_t n_upstreams;
	struct dns_host_record *records;	/* of the hosts file, without loopback addresses */
	size_t n_records;
};

/* The current ones; the caller gives them back with host_names_unref(). */
struct host_names *host_dns_get(struct host_dns *h);
void host_names_unref(struct host_names *n);
ND_DEFINE_AUTO(struct host_names *, host_names_unref)

#define HOST_DNS_MAX 8			/* upstreams */
#define HOST_RECORDS_MAX 4096

/* Pure: the nameservers of a resolv.conf text, appended; at most HOST_DNS_MAX. Returns how many
 * of them are no loopback addresses. */
size_t resolv_conf_parse(const char *text, struct dns_upstream *list, size_t *n);
/* Pure: the records of a hosts file, appended to names. 0 or -ENOMEM. */
int hosts_parse(const char *text, struct host_names *names);
