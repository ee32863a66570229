/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dhcp4_service.h -- the DHCPv4 server of one network, for an event loop to drive
 *
 * Joins the frame codec, the engine (dhcp4_server.h) and the lease store: frames go in, frames
 * come out through a hook, and an acknowledgement leaves only after its lease is on disk. Opens
 * no socket and reads no clock: now_ms is CLOCK_BOOTTIME in milliseconds everywhere.
 *
 *	packet socket readable		-> dhcp4_service_frame()
 *	lease_store_fd() readable	-> dhcp4_service_drain()
 *	dhcp4_service_next_ms() reached	-> dhcp4_service_tick()
 *	new configuration, ports	-> dhcp4_service_configure(), dhcp4_service_set_ports()
 */
#pragma once
#include "dhcp/config.h"
#include "dhcp/dhcp4_lease.h"
#include "dhcp/dhcp4_server.h"
#include "dhcp/frame.h"
#include "dhcp/lease_store.h"

struct dhcp4_service_hooks {
	void *ctx;
	/* Sends one Ethernet frame on the bridge; it may be dropped when the socket is full. */
	void (*send)(void *ctx, const uint8_t *frame, size_t len);
	/* For DNS and for netd: names follow leases. */
	void (*event)(void *ctx, enum dhcp4_event event, const struct dhcp4_lease_info *lease);
	/* The database was found damaged at work: it was set aside and written anew from memory. err:
	 * why that failed (no lease is given or renewed from then on), NULL when it did not. */
	void (*rebuilt)(void *ctx, const struct lease_store_report *report,
			const struct nd_error *err);
};

struct dhcp4_service_setup {
	const struct dhcp_config *config;	/* borrowed until the next configure or free */
	struct nd_mac mac;			/* of the bridge: the source of what is sent */
	/* See dhcp4_service_set_ports(); copied. Needed from the start: a stored lease of a
	 * plugged MAC that is not among them ends. */
	const struct nd_mac *ports;
	size_t n_ports;
	struct dhcp4_service_hooks hooks;
	const char *store_path;			/* NULL: leases live in memory only (tests) */
	const char *boot_id;			/* see lease_store.h */
	int64_t wall_s;				/* time(NULL) now */
	uint64_t now_ms;
};

struct dhcp4_service;

/* Loads the leases; each one still valid is shown as DHCP4_EVENT_ADDED. report: see
 * lease_store_open(), may be NULL. Returns 0 or -errno with err. */
int dhcp4_service_new(const struct dhcp4_service_setup *setup, struct dhcp4_service **out,
		      struct lease_store_report *report, struct nd_error *err);
/* Waits until queued leases are on disk; unsent replies are dropped. NULL is fine. */
void dhcp4_service_free(struct dhcp4_service *s);
ND_DEFINE_AUTO(struct dhcp4_service *, dhcp4_service_free)

/* One received frame from its Ethernet header on; csum_partial: see dhcp_frame_decode(). */
void dhcp4_service_frame(struct dhcp4_service *s, const void *frame, size_t len,
			 bool csum_partial, uint64_t now_ms);

/* The store's eventfd, -1 without a store. */
int dhcp4_service_fd(const struct dhcp4_service *s);
/* Sends the acknowledgements whose leases are on disk now. */
void dhcp4_service_drain(struct dhcp4_service *s, uint64_t now_ms);

/* When the next lease or offer ends; UINT64_MAX: none will. */
uint64_t dhcp4_service_next_ms(const struct dhcp4_service *s);
/* Ends what has expired by now. May be called at any time. */
void dhcp4_service_tick(struct dhcp4_service *s, uint64_t now_ms);

/* A live change: leases stay, those that the new configuration does not allow are refused at
 * their next renewal. config is borrowed until the next configure or free. 0 or -ENOMEM (the
 * old configuration stays in force). */
int dhcp4_service_configure(struct dhcp4_service *s, const struct dhcp_config *config,
			    uint64_t now_ms);

/* Tells of the first few reservations that have no effect and why (an address outside the subnet
 * or the server's own, the second of two for one address or MAC); returns how many there are. */
size_t dhcp4_service_check(const struct dhcp4_service *s,
			   void (*tell)(void *ctx, const struct dhcp_reservation *r,
					const char *why), void *ctx);

/* The MACs of all plugged ports. Addresses are kept back for them; the lease of a MAC that was
 * in the list and is no longer ends. 0 or -ENOMEM. */
int dhcp4_service_set_ports(struct dhcp4_service *s, const struct nd_mac *macs, size_t n,
			    uint64_t now_ms);

/* Calls each for every bound lease, in no order. */
void dhcp4_service_leases(const struct dhcp4_service *s,
			  void (*each)(void *ctx, const struct dhcp4_lease_info *lease), void *ctx);

const struct dhcp4_stats *dhcp4_service_stats(const struct dhcp4_service *s);
