/* SPDX-License-Identifier: GPL-2.0-or-later */
/* servers.h -- the netd-serve processes: started, watched, found again
 *
 * One per running network. All functions belong to the main loop's thread and never wait; what
 * takes time ends in a callback. A server that dies or hangs is replaced within 100 ms with the
 * same configuration, for as long as it is not stopped. Servers outlive this netd: the next one
 * finds them by RUN/UUID.sock.
 */
#pragma once
#include <systemd/sd-event.h>

#include "netd/base/error.h"
#include "netd/serve/config.h"
#include "netd/serve/message.h"

struct servers;

struct servers_options {
	sd_event *event;		/* borrowed */
	const char *program;		/* path of netd-serve */
	const char *run_dir;		/* of the sockets; made when it is not there */
	const char *lease_dir;		/* of LEASES/UUID/: see lease_dir.h */
	unsigned spares;		/* servers kept waiting; 0: 2 */

	void *arg;			/* of the callbacks below, each of which may be NULL */
	void (*lease_event)(void *arg, const struct nd_uuid *net, enum serve_lease_change change,
			    const struct serve_lease *lease);
	/* The server is gone without having been told to; it will be started again. */
	void (*died)(void *arg, const struct nd_uuid *net, const char *why);
	/* ... and serves again. */
	void (*restarted)(void *arg, const struct nd_uuid *net);
};

int servers_new(const struct servers_options *opt, struct servers **out, struct nd_error *err);
/* Lets go of the servers, which serve on; only spares end. Pending callbacks are not called. */
void servers_free(struct servers *s);
ND_DEFINE_AUTO(struct servers *, servers_free)

/* err is NULL when it worked. Called exactly once, possibly before the call it answers returns. */
typedef void (*servers_done)(void *arg, const struct nd_error *err);

/*
 * Makes a server serve: config (taken) is complete, ifindex too; the bridge may still be down and its
 * addresses not there yet. One that an earlier netd left for this network and this very bridge is adopted and
 * brought up to date; one for a bridge that is gone is replaced. done: it answers guests.
 * On failure nothing is left. A config that wants no server succeeds at once.
 */
void servers_start(struct servers *s, struct serve_config *config, servers_done done, void *arg);

/* The configuration (taken) changed: applied live, or by a fresh server where it needs other
 * sockets. A server appears or goes when serve_config_wanted() changed. On failure the old one
 * stays in force. */
void servers_update(struct servers *s, struct serve_config *config, servers_done done, void *arg);

/* Ends the network's server, if there is one. done: it answers nobody any more and its sockets
 * and lease database are closed. */
void servers_stop(struct servers *s, const struct nd_uuid *net, servers_done done, void *arg);

/* After every running network was started (adopted): ends servers found in run_dir that belong
 * to none of them. */
void servers_end_strays(struct servers *s);

/* The network has a server that answers, or one is being started again. */
bool servers_running(const struct servers *s, const struct nd_uuid *net);
/* The configuration in force, or NULL. Borrowed until the next call. */
const struct serve_config *servers_config(const struct servers *s, const struct nd_uuid *net);

/* The host's resolvers changed: goes to every server that uses them. */
void servers_set_upstreams(struct servers *s, const struct dns_upstream *list, size_t n);
/* MACs of the guests plugged into the network now. */
void servers_set_ports(struct servers *s, const struct nd_uuid *net, const struct nd_mac *list,
		       size_t n);
/* A port was removed: its leases are freed. */
void servers_release_mac(struct servers *s, const struct nd_uuid *net, const struct nd_mac *mac);

/* Calls back for each lease of the network (with that MAC; NULL: every), from memory, which is
 * never more than a moment behind the server. Returns how many. */
size_t servers_leases(const struct servers *s, const struct nd_uuid *net, const struct nd_mac *mac,
		      void (*each)(void *arg, const struct serve_lease *lease), void *arg);

/* Asks the server for its counters; list is NULL when there is no answer. */
void servers_stats(struct servers *s, const struct nd_uuid *net,
		   void (*done)(void *arg, const struct serve_counter *list, size_t n), void *arg);
