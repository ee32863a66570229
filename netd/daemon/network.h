/* SPDX-License-Identifier: GPL-2.0-or-later */
/* network.h -- a network as the daemon knows it, and the registry of all of them
 *
 * Belongs to the main thread. What an operation's worker steps read of a network (its documents,
 * ports, applied plan) does not change while the operation runs, since operations on one network
 * run one after the other.
 */
#pragma once
#include <net/if.h>
#include <stdbool.h>

#include "datapath/plan.h"
#include "netd/base/hash.h"
#include "netd/model/network.h"
#include "netd/model/port.h"

struct operation;

struct port {
	struct port_def *def;
	char ifname[IFNAMSIZ];	/* "": its VMM has no TAP on the bridge yet */
	bool plugged;		/* by net-plug: the TAP is netd's own */
	uint64_t off_since_ms;	/* a foreign TAP was seen off the bridge; 0: it is on */
};

/* A link that left its bridge is its owner's again, unless the bridge goes within this time: when a
 * bridge is deleted the kernel takes its ports off first and tells of its end 15 to 40 ms later. */
#define BRIDGE_GOING_MS 200
uint64_t monotonic_ms(void);

struct port *port_new(struct port_def *def, const char *ifname, bool plugged);	/* takes def */
void port_free(struct port *p);
ND_DEFINE_AUTO(struct port *, port_free)

struct network {
	struct nd_uuid uuid;
	char *name;
	struct net_def *def;		/* persistent; NULL: transient, or not there yet */
	struct net_def *live;		/* NULL: inactive */
	bool autostart;
	bool stays_stopped;		/* was stopped by hand before it was taken over: no autostart yet */
	bool held;			/* net-hold: drift is not repaired */
	struct port **ports;
	size_t n_ports;
	struct plan *applied;		/* what the kernel should have; NULL while inactive */
	char reserved_bridge[IFNAMSIZ];	/* chosen by an operation in hand */
	struct operation *queue;	/* operations on it; the first one runs */
	uint64_t ended;			/* number of the last operation that has ended */
	bool checking;			/* a check against the kernel is queued */
	bool check_rules;		/* ... which reads its rules too */
	int bridge_ifindex;		/* 0: not known (yet) */
	char (*put_back)[IFNAMSIZ];	/* foreign links that lost their bridge when it was deleted */
	size_t n_put_back;
	bool detached;			/* of a document that is only looked at: in no registry */
};

/* Neither persistent nor active: only an operation in hand keeps it, and nobody may see it. */
bool network_visible(const struct network *n);
/* The persistent definition, or the live one where there is none; NULL when not visible. */
const struct net_def *network_definition(const struct network *n);
/* What is in force: live, or the definition while it is inactive. */
const struct net_def *network_current(const struct network *n);
struct port *network_port(const struct network *n, const struct nd_uuid *uuid);	/* or NULL */
/* By port UUID, interface name or guest's MAC; NULL when there is none. */
struct port *network_port_named(const struct network *n, const char *what);
void network_take_port(struct network *n, struct port *p);	/* out of the list; caller's now */
int network_add_port(struct network *n, struct port *p);	/* taken on success */

/* One that is in no registry, for operations that only look; freed when they are through. */
struct network *network_new_detached(const struct nd_uuid *uuid, const char *name);
void network_free(struct network *n);

struct registry {
	struct nd_hash *by_uuid, *by_name;
};

int registry_init(struct registry *r, struct nd_error *err);
void registry_fini(struct registry *r);
/* A new, invisible network of this name and uuid; NULL when out of memory. */
struct network *registry_add(struct registry *r, const char *name, const struct nd_uuid *uuid);
void registry_remove(struct registry *r, struct network *n);	/* and frees it */
struct network *registry_by_name(const struct registry *r, const char *name);
struct network *registry_by_uuid(const struct registry *r, const struct nd_uuid *uuid);
/* `size_t pos = 0; while ((n = registry_next(r, &pos)))`; the registry must not change. */
struct network *registry_next(const struct registry *r, size_t *pos);
/* The network other than `except` that has or reserves the bridge, or NULL. */
struct network *registry_by_bridge(const struct registry *r, const char *bridge,
				   const struct network *except);
/* All bridge names in use but those of `except`: an array to free, of borrowed strings. */
const char **registry_bridges(const struct registry *r, const struct network *except, size_t *n_out);
