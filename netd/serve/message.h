/* SPDX-License-Identifier: GPL-2.0-or-later */
/* message.h -- the bodies of the channel's messages, except the configuration (config.h)
 *
 * Decoders return -EBADMSG unless the reader held exactly one valid body.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dns/config.h"
#include "netd/base/addr.h"
#include "netd/base/cursor.h"

/* HELLO */
struct serve_hello {
	char build[64];			/* netd's version, for the log */
	struct nd_uuid uuid;		/* null: a spare */
	uint64_t config_digest;		/* serve_digest() of the configuration's bytes in force */
	uint64_t sockets_digest;	/* see serve_config_sockets_digest() */
};

void serve_hello_encode(const struct serve_hello *h, struct wr *w);
int serve_hello_decode(struct rd *r, struct serve_hello *out);

/* FNV-1a, 64 bits: tells whether a server has this configuration already. Not a secret. */
uint64_t serve_digest(const void *bytes, size_t len);

/* In front of the configuration in START: which descriptors came with it, in this order: the
 * listening socket, the packet socket, DNS over UDP, DNS over TCP. */
struct serve_start {
	bool packet;
	uint16_t n_udp, n_tcp;
};

void serve_start_encode(const struct serve_start *s, struct wr *w);
/* Leaves r at the configuration. */
int serve_start_decode(struct rd *r, struct serve_start *out);

/* A lease as the API shows it. */
struct serve_lease {
	struct nd_mac mac;
	struct nd_ip ip;
	uint8_t prefix_len;
	uint64_t expiry_s;		/* Unix time; 0: never */
	char hostname[256];		/* "": none */
	uint8_t client_id[255];		/* or DUID */
	uint8_t client_id_len;		/* 0: none */
	uint32_t iaid;			/* DHCPv6 */
};

#define SERVE_LEASE_MAX_BYTES 560	/* encoded */

enum serve_lease_change {
	SERVE_LEASE_ADDED = 1,
	SERVE_LEASE_CHANGED,		/* renewed, or another name or client-id */
	SERVE_LEASE_REMOVED,
};

void serve_lease_encode(const struct serve_lease *l, struct wr *w);
/* Reads one of the many in LEASES, which has nothing else: does not ask for the end. */
int serve_lease_decode(struct rd *r, struct serve_lease *out);

void serve_lease_event_encode(enum serve_lease_change change, const struct serve_lease *l,
			      struct wr *w);
int serve_lease_event_decode(struct rd *r, enum serve_lease_change *change_out,
			     struct serve_lease *out);

/* UPSTREAMS, PORTS: whole lists that replace the old. The caller frees what decode gives. */
#define SERVE_UPSTREAMS_MAX 64
void serve_upstreams_encode(const struct dns_upstream *list, size_t n, struct wr *w);
int serve_upstreams_decode(struct rd *r, struct dns_upstream **list_out, size_t *n_out);

#define SERVE_PORTS_MAX 65536
void serve_ports_encode(const struct nd_mac *list, size_t n, struct wr *w);
int serve_ports_decode(struct rd *r, struct nd_mac **list_out, size_t *n_out);

/* STATS: named counters, so that builds with other counters understand each other. */
struct serve_counter {
	char name[32];
	uint64_t value;
};

#define SERVE_COUNTERS_MAX 128
void serve_counters_encode(const struct serve_counter *list, size_t n, struct wr *w);
int serve_counters_decode(struct rd *r, struct serve_counter out[SERVE_COUNTERS_MAX],
			  size_t *n_out);
