/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compile.h -- what a network document means: kernel objects and a server's configuration
 *
 * Pure, and the only place that knows what a forward mode means.
 */
#pragma once
#include "datapath/facts.h"
#include "datapath/plan.h"
#include "netd/model/domain.h"
#include "netd/model/network.h"
#include "netd/model/port.h"
#include "netd/serve/config.h"

/* A live port: its document and the TAP that stands for it ("" while its VMM has none on the
 * bridge yet). */
struct compile_port {
	const struct port_def *def;
	char ifname[IFNAMSIZ];
	bool ours;		/* netd shapes it, not the VMM */
};

struct compile_input {
	const struct net_def *def;	/* with bridge name, mac and uuid filled in */
	const struct host_facts *facts;
	const struct compile_port *ports;
	size_t n_ports;
	uid_t serve_uid;
	const struct dns_upstream *upstreams;	/* the host's resolvers */
	size_t n_upstreams;
	const struct dns_host_record *host_records;	/* the host's own hosts file, served too */
	size_t n_host_records;
	bool foreign_port;	/* the bridge has a port that is not a TAP of netd: kernel STP runs */
};

/* Refuses what the datapath cannot do yet, naming element and line (ND_ERR_CONFIG_UNSUPPORTED,
 * or the class libvirt uses at start). */
int compile_supported(const struct net_def *def, struct nd_error *err);

/* Refuses a subnet, route, bridge name or address that collides with something on the host that
 * is not this network's own. */
int compile_collisions(const struct net_def *def, const struct host_facts *facts,
		       struct nd_error *err);

int compile_plan(const struct compile_input *in, struct plan **out, struct nd_error *err);
int compile_serve(const struct compile_input *in, struct serve_config **out, struct nd_error *err);

/* Shaper and policer of a device that is one guest's. -ENOMEM. */
int compile_link_shape(const struct bandwidth_def *b, const char *ifname, bool macvtap,
		       struct plan *p);

/* Addresses and routes of the host's end of a guest's TAP. -ENOMEM. */
int compile_link_addresses(const struct dom_nic *nic, struct plan *p);

/* The plan depends on whether there is such an uplink, or a route by it. */
bool compile_uses_uplink(const struct net_def *def, const char *ifname);

/* The live document: the definition as libvirt shows it while active (nat port range...). */
struct net_def *compile_live_def(const struct net_def *def);

/* The first free bridge name for the template, 0..256, that is neither in `taken` nor a link. */
int compile_bridge_name(const char *template, const char *const *taken, size_t n_taken,
			const struct host_facts *facts, char out[IFNAMSIZ], struct nd_error *err);
