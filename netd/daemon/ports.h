/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ports.h -- guests' NICs come and go: asked for here, told when done (see lifecycle.h) */
#pragma once
#include "netd/daemon/lifecycle.h"

/* libvirt's port: its owner brings the TAP. port is taken. reclaim: it has a plug already. */
int ports_create(struct netd *d, struct network *net, struct port_def *port, bool reclaim,
		 change_done done, void *arg, struct nd_error *err);
/* Its lease is freed; a TAP that netd made goes. */
int ports_delete(struct netd *d, struct network *net, const struct nd_uuid *uuid,
		 change_done done, void *arg, struct nd_error *err);
/* Takes over bandwidth (NULL: as it is) of an existing port. */
int ports_set_bandwidth(struct netd *d, struct network *net, const struct nd_uuid *uuid,
			const struct bandwidth_def *bandwidth, change_done done, void *arg,
			struct nd_error *err);

struct plug_options {
	const char *ifname;		/* "": vnetN */
	struct nd_mac mac;		/* all zero: random */
	const char *owner_name;
	uid_t owner_uid;		/* (uid_t)-1: root */
	unsigned queues;
	bool temporary;			/* the TAP, and then the port, goes with its last descriptor */
	bool no_vnet_hdr;
	const char *device;		/* as struct tap_options'; borrowed until done */
	/* NULL, or the port's document but for its uuid, which is made: then mac and owner_name
	 * are not looked at. Borrowed. */
	const struct port_def *def;
};

enum { PLUG_QUEUES_MAX = 8 };

/* port and the TAP's descriptors are only good during the call; port is NULL with err. */
typedef void (*plug_done)(void *arg, struct network *net, const struct port *port, const int *fds,
			  size_t n_fds, const struct nd_error *err);

/* A port with a TAP of netd's own on the bridge. */
int ports_plug(struct netd *d, struct network *net, const struct plug_options *opt, plug_done done,
	       void *arg, struct nd_error *err);

/* Tells the network's server which guests are plugged in. */
void ports_announce(struct netd *d, const struct network *net);
